/* base/sys/fs_publish.c - files that appear whole or not at all.
 *
 * A nameless file (O_TMPFILE) gets its name by linkat(2) through /proc/self/fd; a crash before
 * leaves nothing behind.  Where the file system has no O_TMPFILE (gVisor, some FUSE and network
 * ones) the file has a random name that starts with TEMPORARY, found again through /proc/self/fd,
 * and is renamed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"

#define TEMPORARY ".kiln-tmp-"

enum { NAME_TRIES = 32 };

/* Creates a file with a name of its own next to `path` ("a/b" gives "a/.kiln-tmp-..."). */
static int create_named(int dir_fd, const char *path, int flags, mode_t mode, char **name,
                        struct err *err)
{
    ptrdiff_t slash = span_rfind(span_of(path), '/');
    for (int i = 0; i < NAME_TRIES; i++) {
        uint64_t random;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return err_sys(err, "draw a random name");
        AUTO_FREE char *tried =
            xasprintf("%.*s" TEMPORARY "%016jx", (int)(slash + 1), path, (uintmax_t)random);
        int fd = openat(dir_fd, tried, flags | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0) {
            *name = STEAL(tried);
            return fd;
        }
        if (errno != EEXIST && errno != EINTR)
            break;
    }
    return err_sys(err, "create a temporary file for %s", path);
}

static int sync_folder_of(int dir_fd, const char *path, struct err *err)
{
    ptrdiff_t slash = span_rfind(span_of(path), '/');
    AUTO_FREE char *folder = slash > 0 ? xstrndup(path, (size_t)slash) : xstrdup(slash ? "." : "/");
    AUTO_FD int fd = -1;
    if (fs_open(dir_fd, folder, O_RDONLY | O_DIRECTORY, 0, &fd, err) < 0)
        return -1;
    return fsync(fd) < 0 ? err_sys(err, "sync %s", folder) : 0;
}

int fs_write_file(int dir_fd, const char *path, struct span bytes, mode_t mode, bool sync,
                  struct err *err)
{
    AUTO_FREE char *name = NULL;
    AUTO_FD int fd = create_named(dir_fd, path, O_WRONLY, 0600, &name, err);
    if (fd < 0)
        return -1;
    int result = 0;
    if (fs_write_all(fd, bytes, err) < 0)
        result = err_wrap(err, "%s", path);
    else if (fchmod(fd, mode) < 0) /* so that no umask has a say */
        result = err_sys(err, "set mode of %s", path);
    else if (sync && fsync(fd) < 0)
        result = err_sys(err, "sync %s", path);
    else if (renameat(dir_fd, name, dir_fd, path) < 0)
        result = err_sys(err, "write %s", path);
    if (result < 0) {
        unlinkat(dir_fd, name, 0);
        return -1;
    }
    return sync ? sync_folder_of(dir_fd, path, err) : 0;
}

int fs_open_temporary(int dir_fd, mode_t mode, int *out, struct err *err)
{
    int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
    if (fd < 0) {
        /* EISDIR: a kernel or file system that takes O_TMPFILE for O_DIRECTORY. */
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOSYS)
            return err_sys(err, "create a temporary file");
        AUTO_FREE char *name = NULL;
        fd = create_named(dir_fd, "", O_RDWR, mode, &name, err);
        if (fd < 0)
            return -1;
    }
    *out = fd;
    return 0;
}

/* The temporary file's path, or NULL when it has no name that create_named() gave. */
static char *temporary_path(int fd)
{
    char link[64], path[PATH_MAX + 1];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0)
        return NULL;
    path[len] = '\0';
    const char *base = strrchr(path, '/');
    return base && span_starts(span_of(base + 1), TEMPORARY) ? xstrdup(path) : NULL;
}

static int link_nameless(int fd, int dir_fd, const char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, link, dir_fd, path, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    if (errno != ENOENT || access("/proc/self/fd", F_OK) == 0)
        return -1;
    /* No /proc here: this needs CAP_DAC_READ_SEARCH before Linux 6.10. */
    return linkat(fd, "", dir_fd, path, AT_EMPTY_PATH);
}

static int rename_named(const char *from, int dir_fd, const char *path)
{
    if (renameat2(AT_FDCWD, from, dir_fd, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST) {
        unlink(from);
        errno = EEXIST;
        return -1;
    }
    /* A file system without RENAME_NOREPLACE: what is there has the same content by contract. */
    return errno == EINVAL || errno == ENOSYS ? renameat(AT_FDCWD, from, dir_fd, path) : -1;
}

int fs_publish(int fd, int dir_fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, "publish %s", path);
    int result;
    if (st.st_nlink == 0) {
        result = link_nameless(fd, dir_fd, path);
    } else {
        AUTO_FREE char *from = temporary_path(fd);
        if (!from)
            return err_set(err, ERR_INVALID, "publish %s: not a temporary file", path);
        result = rename_named(from, dir_fd, path);
    }
    if (result < 0 && errno != EEXIST)
        return err_sys(err, "publish %s", path);
    return 0;
}
