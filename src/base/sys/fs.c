/* base/sys/fs.c - opening, reading, writing, listing, locking.  The rest of fs.h: fs_publish.c
 * (files that appear whole), fs_copy.c, fs_tree.c (removal), fs_xattr.c. */
#include "base/sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/core/mem.h"

enum { CHUNK = 64 * 1024, OPEN_TRIES = 128 };

int fs_open_in_root(int root_fd, const char *path, int flags, mode_t mode, int *out,
                    struct err *err)
{
    /* openat2(2) refuses a mode that open(2) would ignore. */
    bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
    struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC),
                            .mode = makes ? mode & 07777 : 0,
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    long fd;
    int tries = 0;
    do
        fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < OPEN_TRIES)));
    /* EAGAIN: a rename elsewhere made the kernel unsure of a ".."; the next try is a new one. */
    if (fd < 0) {
        bool is_missing = errno == ENOSYS;
        err_sys(err, "open %s", path);
        return is_missing
                   ? err_hint(err, "kiln needs openat2(2): Linux 5.6 or newer, and a seccomp "
                                   "profile that knows it")
                   : -1;
    }
    *out = (int)fd;
    return 0;
}

int fs_open(int dir_fd, const char *path, int flags, mode_t mode, int *out, struct err *err)
{
    int fd;
    do
        fd = openat(dir_fd, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_sys(err, "open %s", path);
    *out = fd;
    return 0;
}

int fs_open_file_in_root(int root_fd, const char *path, int *out, struct err *err)
{
    AUTO_FD int place = -1;
    struct stat st;
    char again[32];
    if (fs_open_in_root(root_fd, path, O_PATH, 0, &place, err) < 0)
        return -1;
    if (fstat(place, &st) < 0)
        return err_sys(err, "open %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "open %s: it is no regular file", path);
    snprintf(again, sizeof again, "/proc/self/fd/%d", place);
    *out = open(again, O_RDONLY | O_CLOEXEC);
    return *out < 0 ? err_sys(err, "open %s", path) : 0;
}

/* Reads once, however often a signal comes between. */
static ssize_t read_once(int fd, void *to, size_t cap)
{
    ssize_t n;
    do
        n = read(fd, to, cap);
    while (n < 0 && errno == EINTR);
    return n;
}

int fs_read_fd(int fd, struct buf *out, struct err *err)
{
    /* A file that tells its size is read with one call, and one more that finds its end. */
    struct stat st;
    size_t guess = CHUNK;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size < INT_MAX)
        guess = (size_t)st.st_size + 1;
    for (;;) {
        size_t room = buf_room(out);
        char one, *to = &one;
        size_t want = room < guess ? room : guess;
        if (want)
            to = buf_reserve(out, want);
        ssize_t n = read_once(fd, to, want ? want : 1);
        if (n < 0)
            return err_sys(err, "read");
        if (n == 0)
            return 0;
        if (!want)
            return err_set(err, ERR_LIMIT, "read: more than %zu bytes", out->ceiling);
        buf_grown(out, (size_t)n);
        guess = CHUNK;
    }
}

int fs_read_file(int dir_fd, const char *path, struct buf *out, struct err *err)
{
    AUTO_FD int fd = -1;
    if (fs_open(dir_fd, path, O_RDONLY, 0, &fd, err) < 0)
        return -1;
    return fs_read_fd(fd, out, err) < 0 ? err_wrap(err, "%s", path) : 0;
}

int fs_write_all(int fd, struct span bytes, struct err *err)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "write");
        bytes = span_skip(bytes, (size_t)n);
    }
    return 0;
}

/* A folder that is there already is fine, whoever made it. */
static int make_one_dir(int dir_fd, const char *path, mode_t mode, struct err *err)
{
    if (mkdirat(dir_fd, path, mode) == 0)
        return 0;
    int code = errno;
    struct stat st;
    if (fstatat(dir_fd, path, &st, 0) == 0) { /* EEXIST; or EROFS, EACCES on what exists */
        if (S_ISDIR(st.st_mode))
            return 0;
        code = ENOTDIR;
    }
    errno = code;
    return err_sys(err, "make folder %s", path);
}

int fs_make_dirs(int dir_fd, const char *path, mode_t mode, struct err *err)
{
    AUTO_FREE char *part = xstrdup(path);
    size_t len = strlen(part);
    while (len > 0 && part[len - 1] == '/')
        part[--len] = '\0';
    if (len == 0)
        return 0;
    if (mkdirat(dir_fd, part, mode) == 0)
        return 0;
    if (errno != ENOENT) /* the folder above is there */
        return make_one_dir(dir_fd, part, mode, err);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (make_one_dir(dir_fd, part, mode, err) < 0)
            return -1;
        *slash = '/';
    }
    return make_one_dir(dir_fd, part, mode, err);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void close_dir(DIR **dir)
{
    int saved = errno;
    if (*dir)
        closedir(*dir);
    errno = saved;
}

int fs_list(int dir_fd, const char *path, struct str_list *out, struct err *err)
{
    AUTO_FD int fd = -1;
    if (fs_open(dir_fd, path, O_RDONLY | O_DIRECTORY, 0, &fd, err) < 0)
        return -1;
    AUTO_VALUE(close_dir) DIR *dir = fdopendir(fd);
    if (!dir)
        return err_sys(err, "list %s", path);
    fd = -1; /* belongs to dir now */
    size_t first = out->n;
    struct dirent *entry;
    while ((errno = 0, entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            str_list_push(out, entry->d_name);
    if (errno != 0)
        return err_sys(err, "list %s", path);
    if (out->n > first)
        qsort(out->items + first, out->n - first, sizeof *out->items, by_bytes);
    return 0;
}

bool fs_exists(int dir_fd, const char *path)
{
    int saved = errno;
    struct stat st;
    bool exists = fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    errno = saved;
    return exists;
}

int fs_read_link(int dir_fd, const char *path, char **out, struct err *err)
{
    char target[PATH_MAX + 1];
    ssize_t len = readlinkat(dir_fd, path, target, sizeof target);
    if (len < 0)
        return err_sys(err, "read link %s", path);
    if ((size_t)len == sizeof target)
        return err_set(err, ERR_LIMIT, "read link %s: more than %d bytes", path, PATH_MAX);
    *out = xstrndup(target, (size_t)len);
    return 0;
}

int fs_lock(int dir_fd, const char *path, bool is_exclusive, bool wait, int *out_fd,
            struct err *err)
{
    for (;;) {
        AUTO_FD int fd = -1;
        if (fs_open(dir_fd, path, O_RDWR | O_CREAT, 0644, &fd, err) < 0)
            return err_wrap(err, "lock");
        int got;
        do
            got = flock(fd, (is_exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB));
        while (got < 0 && errno == EINTR);
        if (got < 0 && errno == EWOULDBLOCK)
            return err_set(err, ERR_EXISTS, "lock %s: held by another process", path);
        if (got < 0)
            return err_sys(err, "lock %s", path);
        /* Whoever held it before may have removed the file: then this lock guards nothing. */
        struct stat st;
        if (fstat(fd, &st) < 0)
            return err_sys(err, "lock %s", path);
        if (st.st_nlink > 0) {
            *out_fd = STEAL_FD(fd);
            return 0;
        }
    }
}
