/* engine/snapshot/overlay_mend.c - folders that a layer needs and has no entry for.
 *
 * Where the layers below have a folder of that name, ours gets its owner, mode and mtime (in an
 * overlay the upper folder's attributes are what is seen).  Where they have a symlink, the entries
 * were meant for what it points to: the content moves there, and the symlink shows again. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys/fs.h"
#include "engine/snapshot/overlay.h"
#include "image/layer/node.h"

int copy_attributes(int from_fd, const char *from, int to_fd, const char *to, struct err *err)
{
    struct node_stat st;
    if (node_stat(from_fd, from, NULL, &st, err) ||
        node_set_attributes(to_fd, to, st.uid, st.gid, st.mode & 07777, err))
        return -1;
    struct timespec times[2] = { st.mtime, st.mtime };
    if (utimensat(to_fd, to, times, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "set the times of %s", to);
    return 0;
}

struct mend {
    int layer_fd, lower_fd; /* borrowed */
    char *lower_path;       /* owned: what /proc calls the root below */
};

/* Where the path leads in the layers below, links followed; *real NULL: to no folder. */
static int real_path(struct mend *m, const char *path, char **real, struct err *err)
{
    AUTO_FD int fd = -1;
    AUTO_FREE char *text = NULL;
    *real = NULL;
    if (fs_open_in_root(m->lower_fd, path, O_PATH | O_DIRECTORY, 0, &fd, err)) {
        if (err->kind != ERR_NOT_FOUND && err->sys != ENOTDIR && err->sys != ELOOP)
            return -1;
        err_clear(err);
        return 0;
    }
    AUTO_FREE char *link = xasprintf("/proc/self/fd/%d", fd);
    size_t skip = strlen(m->lower_path);
    if (fs_read_link(AT_FDCWD, link, &text, err))
        return -1;
    if (strncmp(text, m->lower_path, skip) != 0 || (text[skip] != '/' && text[skip] != '\0'))
        return err_set(err, ERR_SYSTEM, "resolve %s: it is at %s, outside of %s", path, text,
                       m->lower_path);
    *real = xstrdup(text[skip] ? text + skip + 1 : ".");
    return 0;
}

static int move_one(int from_fd, const char *from, int to_fd, const char *to, struct err *err);

/* Everything in from_fd/from goes into the folder to_fd/to, which is there. */
static int move_content(int from_fd, const char *from, int to_fd, const char *to, struct err *err)
{
    AUTO_FD int from_dir = -1;
    AUTO_FD int to_dir = -1;
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    struct stat st;
    if (fs_open(from_fd, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &from_dir, err) ||
        fs_open(to_fd, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &to_dir, err) ||
        fs_list(from_dir, ".", &names, err))
        return -1;
    if (fstat(to_dir, &st))
        return err_sys(err, "stat %s", to);
    vec_each (&names, name)
        if (move_one(from_dir, *name, to_dir, *name, err))
            return -1;
    struct timespec times[2] = { st.st_atim, st.st_mtim };
    return futimens(to_dir, times) ? err_sys(err, "set the times of %s", to) : 0;
}

static int move_one(int from_fd, const char *from, int to_fd, const char *to, struct err *err)
{
    struct stat a, b;
    if (fstatat(from_fd, from, &a, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", from);
    bool is_there = fstatat(to_fd, to, &b, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && S_ISDIR(a.st_mode) && S_ISDIR(b.st_mode))
        return move_content(from_fd, from, to_fd, to, err);
    if (is_there && fs_remove_tree(to_fd, to, err))
        return -1;
    return renameat(from_fd, from, to_fd, to) ? err_sys(err, "move %s", from) : 0;
}

/* Makes the folder with the attributes that it has below; its parent keeps its mtime. */
static int make_one(struct mend *m, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
    struct stat st;
    if (fstatat(m->layer_fd, parent, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", parent);
    struct timespec times[2] = { st.st_atim, st.st_mtim };
    if (unlinkat(m->layer_fd, path, 0) && errno != ENOENT)
        return err_sys(err, "remove %s", path);
    if (mkdirat(m->layer_fd, path, 0755) || utimensat(m->layer_fd, parent, times, 0))
        return err_sys(err, "make %s", path);
    return copy_attributes(m->lower_fd, path, m->layer_fd, path, err);
}

/* Has the folder and its parents in the layer. */
static int make_folder(struct mend *m, const char *path, struct err *err)
{
    AUTO_FREE char *part = xstrdup(path);
    for (char *at = part;; at++) {
        char *slash = strchr(at, '/');
        struct stat st;
        if (slash)
            *slash = '\0';
        bool is_there = fstatat(m->layer_fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if ((!is_there || !S_ISDIR(st.st_mode)) && make_one(m, part, err))
            return -1;
        if (!slash)
            return 0;
        *slash = '/';
        at = slash;
    }
}

static bool is_folder(int dir_fd, const char *path)
{
    struct stat st;
    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Moves what is in the folder to where the layers below have it. */
static int mend_place(struct mend *m, const char *path, struct err *err)
{
    AUTO_FREE char *real = NULL;
    if (real_path(m, path, &real, err))
        return -1;
    if (!real || strcmp(real, path) == 0 || !is_folder(m->layer_fd, path))
        return 0;
    if (make_folder(m, real, err) || move_content(m->layer_fd, path, m->layer_fd, real, err))
        return -1;
    return fs_remove_tree(m->layer_fd, path, err);
}

/* A new folder inherits the group of a parent with the setgid bit, as mkdir(2) has it. */
static int inherit_group(struct mend *m, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
    struct node_stat st;
    if (node_stat(m->layer_fd, parent, NULL, &st, err))
        return -1;
    if (!(st.mode & S_ISGID))
        return 0;
    return node_set_attributes(m->layer_fd, path, 0, st.gid, S_ISGID | 0755, err);
}

static int mend_attributes(struct mend *m, const char *path, struct err *err)
{
    AUTO_FREE char *real = NULL;
    if (real_path(m, path, &real, err))
        return -1;
    if (!is_folder(m->layer_fd, path))
        return 0;
    if (!real)
        return inherit_group(m, path, err);
    if (strcmp(real, path) != 0)
        return 0;
    return copy_attributes(m->lower_fd, path, m->layer_fd, path, err);
}

static int mend_all(struct mend *m, const struct str_list *implied, struct err *err)
{
    /* What is inside before its parents, while their names still lead to it. */
    for (size_t i = implied->n; i > 0; i--)
        if (mend_place(m, implied->items[i - 1], err))
            return -1;
    /* Last, since moves change times. */
    for (size_t i = 0; i < implied->n; i++)
        if (mend_attributes(m, implied->items[i], err))
            return -1;
    return 0;
}

int overlay_mend(struct snapshot *parent, int layer_fd, const struct str_list *implied,
                 const struct cancel *cancel, struct err *err)
{
    AUTO(view_close) struct view *below = NULL;
    struct mend m = { .layer_fd = layer_fd };
    if (view_open(parent->all, parent, cancel, &below, err))
        return -1;
    m.lower_fd = view_fd(below);
    AUTO_FREE char *link = xasprintf("/proc/self/fd/%d", m.lower_fd);
    int status = fs_read_link(AT_FDCWD, link, &m.lower_path, err) || mend_all(&m, implied, err);
    free(m.lower_path);
    return status ? err_wrap(err, "complete the folders of a layer") : 0;
}
