/* image/layer/apply_file.c - one entry becomes a file, folder, symlink or device.
 *
 * A small file costs open, write, futimens and close; chown and chmod only where the file was not
 * born right.  What the process may not set goes the long way through node.h.  The order is
 * content, owner, mode, attributes, time: each call may undo what one behind it sets, never one
 * before it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/layer/apply_state.h"
#include "image/layer/node.h"

/* What an entry is to have and how it was born. */
struct wanted {
    uint32_t uid, gid;
    mode_t mode;
    struct timespec mtime;
    bool is_owner_right, is_mode_right;
};

static struct wanted wanted_of(const struct apply *a, const struct folder *in,
                               const struct tar_entry *e)
{
    struct wanted w = { .uid = e->uid, .gid = e->gid, .mode = e->mode, .mtime = e->mtime };
    if (a->options->owner) {
        w.uid = a->options->owner->uid;
        w.gid = a->options->owner->gid;
    }
    uint32_t born_gid = a->euid != 0 ? 0 : in->is_setgid ? in->gid : a->egid;
    w.is_owner_right = w.uid == 0 && w.gid == born_gid;
    w.is_mode_right = (w.mode & (07000 | a->umask)) == 0;
    return w;
}

/* What only node.h can set: ids that are not ours to give, modes that would shut us out or lose a
 * bit. */
static bool needs_note(const struct apply *a, const struct wanted *w, bool is_folder)
{
    mode_t needed = is_folder ? 0700 : 0400;
    return (!w->is_owner_right && !a->can_chown) ||
           (a->is_shut_out && ((w->mode & 06000) || (w->mode & needed) != needed));
}

static bool is_refusal(int code)
{
    return code == EPERM || code == EINVAL || code == EOVERFLOW;
}

/* Owner and mode of a new file (`fd`) or folder (fd -1). */
static int set_owner_and_mode(const struct apply *a, const struct folder *in, const char *name,
                              int fd, const struct wanted *w, struct err *err)
{
    bool is_noted = needs_note(a, w, fd < 0);
    if (!w->is_owner_right && !is_noted) {
        int failed = fd < 0 ? fchownat(in->fd, name, w->uid, w->gid, AT_SYMLINK_NOFOLLOW)
                            : fchown(fd, w->uid, w->gid);
        if (failed && !is_refusal(errno))
            return err_sys(err, "chown");
        is_noted = failed;
    }
    if (is_noted)
        return node_set_attributes(in->fd, name, w->uid, w->gid, w->mode, err);
    if (w->is_mode_right && !(fd < 0 && in->is_setgid)) /* a folder inherits the bit */
        return 0;
    if (fd < 0 ? fchmodat(in->fd, name, w->mode, 0) : fchmod(fd, w->mode))
        return err_sys(err, "chmod");
    return 0;
}

/* ---- extended attributes ---- */

static bool is_kept_xattr(const char *name)
{
    static const char overlay[] = "user.overlay.";
    return strncmp(name, "user.", 5) == 0 && strncmp(name, overlay, sizeof overlay - 1) != 0 &&
           strncmp(name, NODE_XATTR_PREFIX, sizeof NODE_XATTR_PREFIX - 1) != 0;
}

static int set_xattrs(const struct folder *in, const char *name, const struct tar_entry *e,
                      struct err *err)
{
    for (size_t i = 0; i < e->n_xattrs; i++) {
        const struct tar_xattr *x = &e->xattrs[i];
        struct err ignored = { 0 };
        if (strcmp(x->name, "security.capability") == 0) {
            if (e->type == TAR_FILE && node_set_capability(in->fd, name, x->value, err))
                return -1;
        } else if (is_kept_xattr(x->name) &&
                   fs_set_xattr(in->fd, name, x->name, x->value, &ignored) &&
                   ignored.sys != ENOTSUP && ignored.sys != EPERM && ignored.sys != EACCES) {
            *err = ignored;
            return -1;
        }
    }
    return 0;
}

/* ---- regular files ---- */

static int open_new(struct apply *a, struct folder *in, const char *name, mode_t mode, int *out,
                    struct err *err)
{
    bool was_whiteout;
    for (int tries = 0; tries < 2; tries++) {
        *out =
            openat(in->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0777);
        if (*out >= 0)
            return 0;
        if (errno != EEXIST)
            break;
        if (apply_clear_way(a, in, name, &was_whiteout, err))
            return -1;
    }
    return err_sys(err, "create");
}

static void hash_zeros(struct hasher *h, uint64_t n)
{
    static const char zeros[64 * KIB];
    for (; n > sizeof zeros; n -= sizeof zeros)
        hasher_update(h, span_bytes(zeros, sizeof zeros));
    hasher_update(h, span_bytes(zeros, (size_t)n));
}

static int write_at(int fd, uint64_t offset, bool is_sparse, struct span bytes, struct err *err)
{
    if (is_sparse && lseek(fd, (off_t)offset, SEEK_SET) < 0)
        return err_sys(err, "seek");
    return fs_write_all(fd, bytes, err);
}

static int write_content(struct apply *a, int fd, const struct tar_entry *e, struct err *err)
{
    struct tar_chunk c;
    uint64_t at = 0;
    for (;;) {
        if (tar_reader_chunk(a->tar, &c, err))
            return -1;
        if (c.bytes.len == 0)
            break;
        if (cancel_check(a->options->cancel, err) ||
            write_at(fd, c.offset, e->is_sparse, c.bytes, err))
            return -1;
        if (a->hasher) {
            hash_zeros(a->hasher, c.offset - at);
            hasher_update(a->hasher, c.bytes);
        }
        at = c.offset + c.bytes.len;
        a->out->n_bytes += c.bytes.len;
    }
    if (a->hasher)
        hash_zeros(a->hasher, e->size - at);
    if (e->size > at && ftruncate(fd, (off_t)e->size))
        return err_sys(err, "set the size");
    return 0;
}

int apply_file(struct apply *a, struct folder *in, const struct tar_entry *e, struct err *err)
{
    AUTO_FD int fd = -1;
    const char *name = path_name(e->path);
    struct wanted w = wanted_of(a, in, e);
    if (open_new(a, in, name, w.mode, &fd, err) || write_content(a, fd, e, err) ||
        set_owner_and_mode(a, in, name, fd, &w, err) || set_xattrs(in, name, e, err))
        return -1;
    struct timespec both[2] = { w.mtime, w.mtime };
    if (futimens(fd, both))
        return err_sys(err, "set the time");
    if (a->hasher) {
        struct digest digest = hasher_final(a->hasher);
        a->options->on_file(a->options->arg, e->path, &digest);
    }
    return 0;
}

/* ---- folders ---- */

/* Makes the folder, or finds the one that is there; *is_new tells. */
static int make_folder(struct apply *a, struct folder *in, const char *name, mode_t mode,
                       bool *is_new, struct err *err)
{
    struct stat st;
    bool was_whiteout = false;
    *is_new = true;
    if (mkdirat(in->fd, name, mode & 0777) == 0)
        return 0;
    if (errno != EEXIST || fstatat(in->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "make folder");
    if (S_ISDIR(st.st_mode)) {
        *is_new = false;
        return 0;
    }
    if (apply_clear_way(a, in, name, &was_whiteout, err))
        return -1;
    if (mkdirat(in->fd, name, mode & 0777))
        return err_sys(err, "make folder");
    /* This layer removes the name and makes it anew: nothing from below may show through. */
    return was_whiteout ? apply_set_opaque(a, in->fd, name, err) : 0;
}

int apply_folder(struct apply *a, struct folder *in, const struct tar_entry *e, struct err *err)
{
    const char *name = *e->path ? path_name(e->path) : ".";
    struct wanted w = wanted_of(a, in, e);
    struct stat st;
    bool is_new = false;
    if (*e->path && make_folder(a, in, name, w.mode, &is_new, err))
        return -1;
    if (is_new ? set_owner_and_mode(a, in, name, -1, &w, err)
               : node_set_attributes(in->fd, name, w.uid, w.gid, w.mode, err))
        return -1;
    if (set_xattrs(in, name, e, err))
        return -1;
    if (fstatat(in->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat");
    apply_set_time(a, e->path, st.st_ino, w.mtime);
    apply_not_implied(a, st.st_ino);
    if (!is_new) /* what is made inside may be born otherwise now */
        folders_forget(&a->folders);
    return 0;
}

/* ---- symlinks, devices, fifos ---- */

static int set_owner_bare(struct apply *a, const struct folder *in, const char *name,
                          const struct wanted *w, struct err *err)
{
    if (w->is_owner_right)
        return 0;
    if (a->can_chown && fchownat(in->fd, name, w->uid, w->gid, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (a->can_chown && !is_refusal(errno))
        return err_sys(err, "chown");
    a->out->n_lost_owners++;
    return 0;
}

static int set_time_bare(const struct folder *in, const char *name, struct timespec mtime,
                         struct err *err)
{
    struct timespec both[2] = { mtime, mtime };
    if (utimensat(in->fd, name, both, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "set the time");
    return 0;
}

int apply_symlink(struct apply *a, struct folder *in, const struct tar_entry *e, struct err *err)
{
    const char *name = path_name(e->path);
    struct wanted w = wanted_of(a, in, e);
    bool was_whiteout;
    if (symlinkat(e->link, in->fd, name)) {
        if (errno != EEXIST)
            return err_sys(err, "make symlink");
        if (apply_clear_way(a, in, name, &was_whiteout, err))
            return -1;
        if (symlinkat(e->link, in->fd, name))
            return err_sys(err, "make symlink");
    }
    if (set_owner_bare(a, in, name, &w, err))
        return -1;
    return set_time_bare(in, name, w.mtime, err);
}

static int make_fifo(struct apply *a, struct folder *in, const char *name, const struct wanted *w,
                     struct err *err)
{
    if (mkfifoat(in->fd, name, w->mode & 0777))
        return err_sys(err, "make fifo");
    if (set_owner_bare(a, in, name, w, err))
        return -1;
    return fchmodat(in->fd, name, w->mode, 0) ? err_sys(err, "chmod") : 0;
}

static int make_device(struct apply *a, struct folder *in, const struct tar_entry *e,
                       const struct wanted *w, struct err *err)
{
    const char *name = path_name(e->path);
    struct node_stat now;
    struct node_device device = {
        .mode = (e->type == TAR_CHAR_DEVICE ? S_IFCHR : S_IFBLK) | w->mode,
        .rdev = makedev(e->dev_major, e->dev_minor),
        .uid = w->uid,
        .gid = w->gid,
    };
    if (node_make_device(in->fd, name, &device, err) || node_stat(in->fd, name, NULL, &now, err))
        return -1;
    a->out->n_lost_owners += now.uid != w->uid || now.gid != w->gid;
    return 0;
}

int apply_special(struct apply *a, struct folder *in, const struct tar_entry *e, struct err *err)
{
    const char *name = path_name(e->path);
    struct wanted w = wanted_of(a, in, e);
    struct stat st;
    bool was_whiteout;
    if (fstatat(in->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        apply_clear_way(a, in, name, &was_whiteout, err))
        return -1;
    if (e->type == TAR_FIFO ? make_fifo(a, in, name, &w, err) : make_device(a, in, e, &w, err))
        return -1;
    return set_time_bare(in, name, w.mtime, err);
}
