/* engine/snapshot/directory_copy.c - a copy of a tree: content shared by reflink where the file
 * system can, owner, mode, times and extended attributes as they are. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/snapshot/directory.h"

static int copy_xattrs(int from_fd, const char *from, int to_fd, const char *to, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (fs_list_xattrs(from_fd, from, &names, err))
        return -1;
    vec_each (&names, name) {
        AUTO_VALUE(buf_clear) struct buf value;
        bool is_there = false;
        buf_init(&value, LIMIT_XATTR_VALUE);
        /* Labels of the system's own (security.selinux) are not ours to set. */
        if (strncmp(*name, "user.", 5) != 0 && strcmp(*name, "security.capability") != 0)
            continue;
        if (fs_get_xattr(from_fd, from, *name, &value, &is_there, err) ||
            (is_there && fs_set_xattr(to_fd, to, *name, buf_span(&value), err)))
            return -1;
    }
    return 0;
}

/* Owner before mode before capabilities: chown strips the others. */
static int copy_rest(int from_fd, const char *from, int to_fd, const char *to,
                     const struct stat *st, struct err *err)
{
    struct stat now;
    if (fstatat(to_fd, to, &now, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", to);
    if ((now.st_uid != st->st_uid || now.st_gid != st->st_gid) &&
        fchownat(to_fd, to, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "chown %s", to);
    if (!S_ISLNK(st->st_mode) && fchmodat(to_fd, to, st->st_mode & 07777, 0))
        return err_sys(err, "chmod %s", to);
    if ((S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) &&
        copy_xattrs(from_fd, from, to_fd, to, err))
        return -1;
    struct timespec times[2] = { st->st_atim, st->st_mtim };
    return utimensat(to_fd, to, times, AT_SYMLINK_NOFOLLOW)
               ? err_sys(err, "set the times of %s", to)
               : 0;
}

int directory_copy_file(int from_fd, const char *from, int to_fd, const char *to,
                        const struct stat *st, struct err *err)
{
    AUTO_FD int a = -1;
    AUTO_FD int b = -1;
    if (fs_open(from_fd, from, O_RDONLY | O_NOFOLLOW, 0, &a, err) ||
        fs_open(to_fd, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &b, err) ||
        fs_copy_bytes(a, b, (uint64_t)st->st_size, err))
        return err_wrap(err, "copy %s", from);
    return copy_rest(from_fd, from, to_fd, to, st, err);
}

static int copy_special(int from_fd, int to_fd, const char *name, const struct stat *st,
                        struct err *err)
{
    if (S_ISSOCK(st->st_mode))
        return 0;
    if (S_ISLNK(st->st_mode)) {
        AUTO_FREE char *text = NULL;
        if (fs_read_link(from_fd, name, &text, err))
            return -1;
        if (symlinkat(text, to_fd, name))
            return err_sys(err, "make symlink %s", name);
    } else if (mknodat(to_fd, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev)) {
        return err_sys(err, "make device %s", name);
    }
    return copy_rest(from_fd, name, to_fd, name, st, err);
}

static int copy_folder(int from_fd, int to_fd, const char *name, const struct stat *st,
                       const struct cancel *cancel, struct err *err)
{
    AUTO_FD int a = -1;
    AUTO_FD int b = -1;
    if (mkdirat(to_fd, name, 0700))
        return err_sys(err, "make %s", name);
    if (fs_open(from_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &a, err) ||
        fs_open(to_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &b, err) ||
        directory_copy_tree(a, b, cancel, err))
        return -1;
    return copy_rest(from_fd, name, to_fd, name, st, err);
}

int directory_copy_tree(int from_fd, int to_fd, const struct cancel *cancel, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (cancel_check(cancel, err) || fs_list(from_fd, ".", &names, err))
        return -1;
    vec_each (&names, name) {
        struct stat st;
        if (fstatat(from_fd, *name, &st, AT_SYMLINK_NOFOLLOW))
            return err_sys(err, "stat %s", *name);
        int status = S_ISDIR(st.st_mode) ? copy_folder(from_fd, to_fd, *name, &st, cancel, err)
                     : S_ISREG(st.st_mode)
                         ? directory_copy_file(from_fd, *name, to_fd, *name, &st, err)
                         : copy_special(from_fd, to_fd, *name, &st, err);
        if (status)
            return -1;
    }
    return 0;
}
