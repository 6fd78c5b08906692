/* engine/sandbox/point.c - mount points inside a root: found, made where missing, taken away again.
 *
 * Every step of the way is openat2(RESOLVE_IN_ROOT), so a symlink of the image leads to where it
 * would lead inside; one that leads nowhere (/etc/resolv.conf of a systemd image) gets its target.
 *
 * What was made must not enter the layer: it is remembered with the parent's times before and after
 * it.  When the step is over it goes if it is still empty, and the parent gets its old times back
 * unless the step itself changed it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/sandbox/internal.h"

enum { MAX_LINKS = 40 };

struct walk {
    int root_fd;
    struct stubs *stubs; /* may be NULL */
    int n_links;
};
static int walk_open(struct walk *w, const char *path, bool is_dir, bool is_parent, int *out,
                     struct err *err);

/* The mode is set once more: some mount points stay in the image, which is no matter of our umask.
 */
static int make(int parent_fd, const char *name, bool is_dir)
{
    if (is_dir)
        return mkdirat(parent_fd, name, 0755) < 0 ? -1 : fchmodat(parent_fd, name, 0755, 0);
    AUTO_FD int fd =
        openat(parent_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd < 0 ? -1 : fchmod(fd, 0644);
}

static void times(int fd, struct timespec out[2])
{
    struct stat st = { 0 };
    if (fstat(fd, &st) == 0) {
        out[0] = st.st_atim;
        out[1] = st.st_mtim;
    }
}

static int make_stub(struct walk *w, int parent_fd, const char *name, bool is_dir, bool is_parent,
                     struct err *err)
{
    struct stub stub = { .is_dir = is_dir, .is_parent = is_parent };
    times(parent_fd, stub.before);
    if (make(parent_fd, name, is_dir) < 0) {
        if (errno == EEXIST) /* somebody was faster: it is theirs */
            return 0;
        return err_sys(err, "make mount point %s", name);
    }
    times(parent_fd, stub.after);
    if (!w->stubs)
        return 0;
    stub.parent_fd = fcntl(parent_fd, F_DUPFD_CLOEXEC, 3);
    if (stub.parent_fd < 0)
        return err_sys(err, "make mount point %s", name);
    stub.name = xstrdup(name);
    *vec_push(w->stubs) = stub;
    return 0;
}

/* `leaf` is missing in `parent`, or a link that leads nowhere. */
static int walk_make(struct walk *w, const char *parent, int parent_fd, const char *leaf,
                     bool is_dir, bool is_parent, struct err *err)
{
    if (strcmp(leaf, "..") == 0 || strcmp(leaf, ".") == 0)
        return err_set(err, ERR_INVALID, "make mount point %s/%s: not a name", parent, leaf);
    char target[4096];
    ssize_t len = readlinkat(parent_fd, leaf, target, sizeof target - 1);
    if (len < 0)
        return make_stub(w, parent_fd, leaf, is_dir, is_parent, err);
    target[len] = '\0';
    if (++w->n_links > MAX_LINKS)
        return err_set(err, ERR_INVALID, "make mount point %s/%s: too many symlinks", parent, leaf);
    AUTO_FREE char *path = target[0] == '/' ? xstrdup(target) : xasprintf("%s/%s", parent, target);
    AUTO_FD int fd = -1;
    return walk_open(w, path, is_dir, is_parent, &fd, err);
}

static int open_in_root(int root_fd, const char *path, bool is_dir, int *out, struct err *err)
{
    return fs_open_in_root(root_fd, path, is_dir ? O_PATH | O_DIRECTORY : O_PATH, 0, out, err);
}

static int walk_open(struct walk *w, const char *path, bool is_dir, bool is_parent, int *out,
                     struct err *err)
{
    while (*path == '/')
        path++;
    if (*path == '\0')
        path = ".";
    if (open_in_root(w->root_fd, path, is_dir, out, err) == 0)
        return 0;
    if (err->sys != ENOENT || strcmp(path, ".") == 0)
        return -1;
    err_clear(err);
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    AUTO_FREE char *parent = xstrndup(path, len), *leaf = NULL;
    char *slash = strrchr(parent, '/');
    leaf = xstrdup(slash ? slash + 1 : parent);
    *(slash ? slash : parent) = '\0';
    AUTO_FD int parent_fd = -1;
    if (walk_open(w, parent, true, true, &parent_fd, err) < 0 ||
        walk_make(w, parent, parent_fd, leaf, is_dir, is_parent, err) < 0)
        return -1;
    return open_in_root(w->root_fd, path, is_dir, out, err);
}

int point_open(int root_fd, const char *dest, bool is_dir, struct stubs *stubs, int *out,
               struct err *err)
{
    struct walk w = { .root_fd = root_fd, .stubs = stubs };
    return walk_open(&w, dest, is_dir, false, out, err);
}

/* ---- taking away ---- */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_empty_file(const struct stub *s)
{
    struct stat st;
    return fstatat(s->parent_fd, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           st.st_size == 0 && st.st_nlink == 1;
}

static void stub_remove(const struct stub *s)
{
    if (s->is_parent && s->is_kept_as_parent)
        return;
    struct timespec now[2] = { 0 };
    times(s->parent_fd, now);
    if (!s->is_dir && !is_empty_file(s))
        return;
    if (unlinkat(s->parent_fd, s->name, s->is_dir ? AT_REMOVEDIR : 0) < 0)
        return;    /* not empty: the step wrote there, it belongs to the layer */
    char path[32]; /* AT_EMPTY_PATH would need Linux 5.8 here */
    snprintf(path, sizeof path, "/proc/self/fd/%d", s->parent_fd);
    utimensat(AT_FDCWD, path, same_time(&now[1], &s->after[1]) ? s->before : now, 0);
}

void stubs_remove(struct stubs *stubs)
{
    for (size_t i = stubs->n; i-- > 0;) {
        struct stub *s = &stubs->items[i];
        stub_remove(s);
        fd_close(&s->parent_fd);
        free(s->name);
    }
    vec_clear(stubs);
}
