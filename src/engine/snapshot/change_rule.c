/* engine/snapshot/change_rule.c - see change_rule.h. */
#include "engine/snapshot/change_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"

static const size_t chunk_size = 128 * KIB;

/* What is fresh from a layer has whole seconds; what a step touched has not, so that its mtime
 * differs however fast steps follow each other. */
static bool times_differ(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec || (a->tv_nsec && b->tv_nsec && a->tv_nsec != b->tv_nsec);
}

bool change_rule_metadata(const struct node_stat *a, const struct node_stat *b)
{
    if ((a->mode & S_IFMT) != (b->mode & S_IFMT) || a->uid != b->uid || a->gid != b->gid)
        return true;
    if (!S_ISLNK(a->mode) && (a->mode & 07777) != (b->mode & 07777))
        return true;
    if (!S_ISDIR(a->mode) && times_differ(&a->mtime, &b->mtime))
        return true;
    if (S_ISREG(a->mode) && a->size != b->size)
        return true;
    return (S_ISCHR(a->mode) || S_ISBLK(a->mode)) && a->rdev != b->rdev;
}

static int links_differ(int a_fd, int b_fd, const char *name, bool *is_changed, struct err *err)
{
    AUTO_FREE char *a = NULL;
    AUTO_FREE char *b = NULL;
    if (fs_read_link(a_fd, name, &a, err) || fs_read_link(b_fd, name, &b, err))
        return -1;
    *is_changed = strcmp(a, b) != 0;
    return 0;
}

static int capabilities_differ(int a_fd, int b_fd, const char *name, bool *is_changed,
                               struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf a, b;
    bool has_a = false, has_b = false;
    buf_init(&a, LIMIT_XATTR_VALUE);
    buf_init(&b, LIMIT_XATTR_VALUE);
    if (node_get_capability(a_fd, name, &a, &has_a, err) ||
        node_get_capability(b_fd, name, &b, &has_b, err))
        return -1;
    *is_changed = has_a != has_b || !span_equal(buf_span(&a), buf_span(&b));
    return 0;
}

/* Reads until `size` bytes or the end. */
static int read_full(int fd, char *to, size_t size, size_t *n, const char *name, struct err *err)
{
    for (*n = 0; *n < size;) {
        ssize_t got = read(fd, to + *n, size - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "read %s", name);
        if (got == 0)
            return 0;
        *n += (size_t)got;
    }
    return 0;
}

int change_rule_content(int a_fd, int b_fd, const char *name, const struct cancel *cancel,
                        bool *is_changed, struct err *err)
{
    AUTO_FD int a = -1;
    AUTO_FD int b = -1;
    AUTO_FREE char *bytes = xmalloc(2 * chunk_size);
    if (fs_open(a_fd, name, O_RDONLY | O_NOFOLLOW, 0, &a, err) ||
        fs_open(b_fd, name, O_RDONLY | O_NOFOLLOW, 0, &b, err))
        return -1;
    for (;;) {
        size_t n, m;
        if (cancel_check(cancel, err) || read_full(a, bytes, chunk_size, &n, name, err) ||
            read_full(b, bytes + chunk_size, chunk_size, &m, name, err))
            return -1;
        *is_changed = n != m || memcmp(bytes, bytes + chunk_size, n) != 0;
        if (*is_changed || n == 0)
            return 0;
    }
}

int change_rule_rest(int a_fd, int b_fd, const char *name, mode_t mode, const struct cancel *cancel,
                     bool *is_changed, struct err *err)
{
    *is_changed = false;
    if (S_ISLNK(mode))
        return links_differ(a_fd, b_fd, name, is_changed, err);
    if (!S_ISREG(mode))
        return 0;
    if (capabilities_differ(a_fd, b_fd, name, is_changed, err) || *is_changed)
        return *is_changed ? 0 : -1;
    return change_rule_content(a_fd, b_fd, name, cancel, is_changed, err);
}

int change_rule_digest(int dir_fd, const char *name, const struct cancel *cancel,
                       struct digest *out, struct err *err)
{
    AUTO_FD int fd = -1;
    AUTO_FREE char *bytes = xmalloc(chunk_size);
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    if (fs_open(dir_fd, name, O_RDONLY | O_NOFOLLOW, 0, &fd, err))
        return -1;
    for (;;) {
        size_t n;
        if (cancel_check(cancel, err) || read_full(fd, bytes, chunk_size, &n, name, err))
            return -1;
        if (n == 0)
            break;
        hasher_update(h, span_bytes(bytes, n));
    }
    *out = hasher_final(h);
    return 0;
}
