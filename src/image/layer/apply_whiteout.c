/* image/layer/apply_whiteout.c - what gives way: to new entries, and to whiteouts.
 *
 * A whiteout speaks of the layers below only.  In the merged form these and this layer lie in one
 * tree, so what this layer made is remembered: names by folder and name, and folders that hold
 * something of it. Only where a removed folder holds such, the removal walks name by name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/sys/fs.h"
#include "image/layer/apply_state.h"

bool apply_is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int apply_clear_way(struct apply *a, struct folder *in, const char *name, bool *was_whiteout,
                    struct err *err)
{
    struct stat st;
    *was_whiteout = false;
    if (fstatat(in->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : err_sys(err, "stat %s", name);
    *was_whiteout = apply_is_overlay(a) && apply_is_whiteout(&st);
    if (!S_ISDIR(st.st_mode) && unlinkat(in->fd, name, 0))
        return err_sys(err, "remove %s", name);
    if (S_ISDIR(st.st_mode) && fs_remove_tree(in->fd, name, err))
        return -1;
    if (!S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
        return 0;
    /* Open folders may be gone or not be where their paths lead; all but the one in use, which the
     * caller goes on with. */
    for (size_t i = 0; i < N_FOLDERS; i++)
        if (&a->folders.items[i] != in)
            folder_clear(&a->folders.items[i]);
    return 0;
}

int apply_set_opaque(struct apply *a, int dir_fd, const char *name, struct err *err)
{
    bool is_user = a->options->form == LAYER_OVERLAY_USER;
    if (fs_set_xattr(dir_fd, name, is_user ? "user.overlay.opaque" : "trusted.overlay.opaque",
                     SPAN("y"), err))
        return err_wrap(err, "mark the folder opaque");
    return 0;
}

/* ---- merged ---- */

static int remove_lower(struct apply *a, int dir_fd, uint64_t dir_ino, const char *name,
                        struct err *err);

/* Removes what is of the layers below in the folder dir_fd/name. */
static int empty_folder(struct apply *a, int dir_fd, const char *name, struct err *err)
{
    AUTO_FD int fd = -1;
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    struct stat st;
    if (fs_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err))
        return -1;
    if (fstat(fd, &st))
        return err_sys(err, "stat %s", name);
    if (fs_list(fd, ".", &names, err))
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (remove_lower(a, fd, st.st_ino, names.items[i], err))
            return -1;
    return 0;
}

static int remove_lower(struct apply *a, int dir_fd, uint64_t dir_ino, const char *name,
                        struct err *err)
{
    struct stat st;
    bool is_ours = id_table_find(&a->made, id_of_name(dir_ino, name), NULL);
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : err_sys(err, "stat %s", name);
    if (!S_ISDIR(st.st_mode)) {
        if (!is_ours && unlinkat(dir_fd, name, 0))
            return err_sys(err, "remove %s", name);
        a->is_stale |= !is_ours && S_ISLNK(st.st_mode);
        return 0;
    }
    a->is_stale = true;
    bool holds_ours = id_table_find(&a->holders, st.st_ino, NULL);
    if (!is_ours && !holds_ours)
        return fs_remove_tree(dir_fd, name, err);
    /* Depth is that of paths in this layer, so bounded by LIMIT_PATH_DEPTH. */
    if (empty_folder(a, dir_fd, name, err))
        return -1;
    if (!is_ours && unlinkat(dir_fd, name, AT_REMOVEDIR) && errno != ENOTEMPTY && errno != EEXIST)
        return err_sys(err, "remove %s", name);
    return 0;
}

static int remove_merged(struct apply *a, struct folder *in, const char *name, struct err *err)
{
    a->is_stale = false;
    if (apply_touch(a, in, err) || remove_lower(a, in->fd, in->ino, name, err))
        return -1;
    if (a->is_stale)
        folders_forget(&a->folders);
    return 0;
}

/* ---- overlay ---- */

static int make_whiteout(struct apply *a, struct folder *in, const char *name, struct err *err)
{
    struct stat st;
    if (mknodat(in->fd, name, S_IFCHR, makedev(0, 0)) == 0)
        return 0;
    if (errno != EEXIST)
        return err_sys(err, "make the whiteout");
    /* The layer makes the name too: that hides what is below, and a folder must not merge with it.
     */
    if (fstatat(in->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", name);
    return S_ISDIR(st.st_mode) ? apply_set_opaque(a, in->fd, name, err) : 0;
}

/* ---- both ---- */

int apply_remove_name(struct apply *a, struct folder *in, const char *name, struct err *err)
{
    return apply_is_overlay(a) ? make_whiteout(a, in, name, err) : remove_merged(a, in, name, err);
}

int apply_remove_content(struct apply *a, struct span path, struct err *err)
{
    struct folder *folder;
    if (apply_is_overlay(a)) {
        if (apply_open_parent(a, path, &folder, err))
            return -1;
        return apply_set_opaque(a, folder->fd, ".", err);
    }
    if (apply_find_parent(a, path, &folder, err))
        return -1;
    if (!folder)
        return 0;
    if (apply_touch(a, folder, err) || empty_folder(a, folder->fd, ".", err))
        return -1;
    folders_forget(&a->folders);
    return 0;
}
