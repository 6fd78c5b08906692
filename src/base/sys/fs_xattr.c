/* base/sys/fs_xattr.c - extended attributes of what a path names, symlinks not followed.
 *
 * There are no *at calls for them before Linux 6.13, so the path goes through /proc/self/fd/N/. The
 * empty path is the descriptor itself. */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"

/* A path that the l*xattr calls understand, but for the empty one: see is_self(). */
static char *plain_path(int dir_fd, const char *path)
{
    if (dir_fd == AT_FDCWD || path[0] == '/')
        return xstrdup(path);
    return path[0] ? xasprintf("/proc/self/fd/%d/%s", dir_fd, path)
                   : xasprintf("/proc/self/fd/%d", dir_fd);
}

/* The descriptor itself: its magic link must be followed, and then nothing else is, even when it is
 * an O_PATH descriptor of a symlink. */
static bool is_self(int dir_fd, const char *path)
{
    return dir_fd != AT_FDCWD && !path[0];
}

/* A file system without attributes has none. */
static bool is_absent(int code)
{
    return code == ENODATA || code == ENOTSUP;
}

int fs_get_xattr(int dir_fd, const char *path, const char *name, struct buf *value, bool *is_there,
                 struct err *err)
{
    AUTO_FREE char *plain = plain_path(dir_fd, path);
    AUTO_FREE char *bytes = xmalloc(LIMIT_XATTR_VALUE); /* the kernel has the same limit */
    ssize_t len =
        (is_self(dir_fd, path) ? getxattr : lgetxattr)(plain, name, bytes, LIMIT_XATTR_VALUE);
    *is_there = len >= 0;
    if (len < 0)
        return is_absent(errno) ? 0 : err_sys(err, "read attribute %s of %s", name, path);
    if (buf_append(value, span_bytes(bytes, (size_t)len), err) < 0)
        return err_wrap(err, "read attribute %s of %s", name, path);
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int fs_list_xattrs(int dir_fd, const char *path, struct str_list *names, struct err *err)
{
    AUTO_FREE char *plain = plain_path(dir_fd, path);
    char few[1024];
    AUTO_FREE char *many = NULL;
    char *text = few;
    __typeof__(listxattr) *list = is_self(dir_fd, path) ? listxattr : llistxattr;
    ssize_t len = list(plain, few, sizeof few);
    if (len < 0 && errno == ERANGE) {
        text = many = xmalloc(XATTR_LIST_MAX);
        len = list(plain, many, XATTR_LIST_MAX);
    }
    if (len < 0)
        return is_absent(errno) ? 0 : err_sys(err, "list attributes of %s", path);
    size_t first = names->n;
    struct span rest = span_bytes(text, (size_t)len);
    while (rest.len > 0)
        str_list_take(names, span_dup(span_cut(&rest, '\0')));
    if (names->n > first)
        qsort(names->items + first, names->n - first, sizeof *names->items, by_bytes);
    return 0;
}

int fs_set_xattr(int dir_fd, const char *path, const char *name, struct span value, struct err *err)
{
    AUTO_FREE char *plain = plain_path(dir_fd, path);
    /* setxattr(2) wants an address even for no bytes on some file systems. */
    const char *bytes = value.len ? value.ptr : "";
    int result = (is_self(dir_fd, path) ? setxattr : lsetxattr)(plain, name, bytes, value.len, 0);
    return result < 0 ? err_sys(err, "set attribute %s of %s", name, path) : 0;
}
