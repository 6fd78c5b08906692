/* base/sys/fs_tree.c - rm -rf for trees that strangers made.
 *
 * A stack of frames, one for each folder between the top and where we are; no recursion, so depth
 * costs heap only.  The deepest WINDOW frames hold their folder open; one further up is opened
 * again through ".." on the way back, and must then be the very folder (device and inode) it was on
 * the way down.  No symlink is followed and no mount point crossed: a file system that somebody
 * mounted inside stays whole, and the removal fails. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"

enum { WINDOW = 32, RESCANS = 8 };

struct frame {
    char *name; /* owned; in the folder above */
    DIR *dir;   /* owned; NULL when closed for the window's sake */
    dev_t dev;
    ino_t ino;
    int n_rescans; /* how often something was still there when all had been removed */
};

struct removal {
    int top_fd; /* borrowed; the folder that has the first frame's name */
    vec(struct frame) frames;
};

static void close_frame(struct frame *f)
{
    if (f->dir)
        closedir(f->dir);
    f->dir = NULL;
}

static void removal_clear(struct removal *r)
{
    int saved = errno;
    vec_each (&r->frames, f) {
        close_frame(f);
        free(f->name);
    }
    vec_clear(&r->frames);
    errno = saved;
}

static struct frame *deepest(struct removal *r)
{
    return r->frames.n ? &r->frames.items[r->frames.n - 1] : NULL;
}

/* The folder in which the deepest frame's entries, or else the top itself, are named. */
static int current_fd(struct removal *r)
{
    struct frame *f = deepest(r);
    return f ? dirfd(f->dir) : r->top_fd;
}

static int open_folder(int fd, const char *name)
{
    struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                            .resolve = RESOLVE_NO_XDEV };
    long opened = syscall(SYS_openat2, fd, name, &how, sizeof how);
    if (opened < 0 && errno == ENOSYS)
        opened = openat(fd, name, (int)how.flags);
    return (int)opened;
}

/* chmod u+rwx of a folder that is not followed. */
static void make_usable(int fd, const char *name)
{
    int saved = errno;
    AUTO_FD int path_fd = openat(fd, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
    if (path_fd >= 0) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", path_fd);
        if (chmod(link, 0700) < 0)
            errno = saved; /* not ours: the next try tells why */
    }
    errno = saved;
}

/* The folder open as *fd, which becomes its own. */
static DIR *take_dir(int *fd)
{
    DIR *dir = fdopendir(*fd);
    if (dir)
        *fd = -1;
    return dir;
}

/* Enters a folder.  0, or -1 with errno. */
static int push(struct removal *r, const char *name)
{
    int at = current_fd(r);
    AUTO_FD int fd = open_folder(at, name);
    if (fd < 0 && errno == EACCES) {
        make_usable(at, name);
        fd = open_folder(at, name);
    }
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    DIR *dir = take_dir(&fd);
    if (!dir)
        return -1;
    *vec_push(&r->frames) =
        (struct frame){ .name = xstrdup(name), .dir = dir, .dev = st.st_dev, .ino = st.st_ino };
    if (r->frames.n > WINDOW)
        close_frame(&r->frames.items[r->frames.n - 1 - WINDOW]);
    return 0;
}

/* Opens the frame above the deepest again, by way of "..". */
static int reopen_above(struct removal *r)
{
    struct frame *f = &r->frames.items[r->frames.n - 2];
    AUTO_FD int fd = openat(current_fd(r), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if (st.st_dev != f->dev || st.st_ino != f->ino) {
        errno = ESTALE; /* somebody moved the tree under our feet */
        return -1;
    }
    f->dir = take_dir(&fd);
    return f->dir ? 0 : -1;
}

/* unlinkat(2) that gives us the right to do it first, when the folder is ours. */
static int remove_entry(int fd, const char *name, int flags, bool may_chmod)
{
    if (unlinkat(fd, name, flags) == 0 || errno == ENOENT)
        return 0;
    if (errno != EACCES || !may_chmod)
        return -1;
    if (fchmod(fd, 0700) < 0) {
        errno = EACCES; /* that is the reason, not that the folder is another's */
        return -1;
    }
    return unlinkat(fd, name, flags) == 0 || errno == ENOENT ? 0 : -1;
}

/* Leaves the deepest folder, which has been emptied, and removes it. */
static int pop(struct removal *r)
{
    struct frame *f = deepest(r);
    if (r->frames.n > 1 && !r->frames.items[r->frames.n - 2].dir && reopen_above(r) < 0)
        return -1;
    int above = r->frames.n > 1 ? dirfd(r->frames.items[r->frames.n - 2].dir) : r->top_fd;
    if (remove_entry(above, f->name, AT_REMOVEDIR, r->frames.n > 1) < 0) {
        /* Some file systems skip entries when others go while one reads. */
        if ((errno != ENOTEMPTY && errno != EEXIST) || ++f->n_rescans > RESCANS)
            return -1;
        rewinddir(f->dir);
        return 0;
    }
    close_frame(f);
    free(f->name);
    r->frames.n--;
    return 0;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Removes or enters one entry of the deepest folder. */
static int take(struct removal *r, const struct dirent *entry)
{
    if (is_dots(entry->d_name))
        return 0;
    if (entry->d_type != DT_DIR) {
        if (remove_entry(current_fd(r), entry->d_name, 0, true) == 0)
            return 0;
        if (errno != EISDIR) /* with DT_UNKNOWN it may be a folder */
            return -1;
    }
    return push(r, entry->d_name) == 0 || errno == ENOENT ? 0 : -1;
}

/* Says which entry below `path` is in the way. */
static int fail(const struct removal *r, const char *path, const char *name, struct err *err)
{
    int code = errno;
    AUTO_VALUE(buf_clear) struct buf where;
    buf_init(&where, ERR_TEXT_MAX / 2);
    for (size_t i = 1; i < r->frames.n; i++) { /* the first is `path` */
        const char *folder = r->frames.items[i].name;
        if (buf_room(&where) < strlen(folder) + 1)
            break;
        buf_printf(&where, "/%s", folder);
    }
    errno = code;
    err_sys(err, "remove %s%s%s%s", path, where.len ? where.data : "", name ? "/" : "",
            name ? name : "");
    if (code == EXDEV || code == EBUSY)
        err_hint(err, "a file system is mounted there; unmount it first");
    return -1;
}

/* Removes `name`, one component, from the folder top_fd. */
static int remove_below(int top_fd, const char *name, const char *path, struct err *err)
{
    if (unlinkat(top_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    AUTO_VALUE(removal_clear) struct removal r = { .top_fd = top_fd };
    if (errno != EISDIR || push(&r, name) < 0)
        return errno == ENOENT ? 0 : fail(&r, path, NULL, err);
    while (r.frames.n > 0) {
        errno = 0;
        const struct dirent *entry = readdir(deepest(&r)->dir);
        if (!entry && errno != 0)
            return fail(&r, path, NULL, err);
        if ((entry ? take(&r, entry) : pop(&r)) < 0)
            return fail(&r, path, entry ? entry->d_name : NULL, err);
    }
    return 0;
}

int fs_remove_tree(int dir_fd, const char *path, struct err *err)
{
    struct span whole = span_of(path);
    while (span_ends(whole, "/"))
        whole.len--;
    ptrdiff_t slash = span_rfind(whole, '/');
    AUTO_FREE char *above = span_dup(span_first(whole, (size_t)(slash + 1)));
    AUTO_FREE char *name = span_dup(span_skip(whole, (size_t)(slash + 1)));
    if (!name[0] || is_dots(name))
        return err_set(err, ERR_INVALID, "remove \"%s\": names no entry of a folder", path);
    if (!above[0])
        return remove_below(dir_fd, name, path, err);
    AUTO_FD int top_fd = openat(dir_fd, above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top_fd < 0)
        return errno == ENOENT ? 0 : err_sys(err, "remove %s", path);
    return remove_below(top_fd, name, path, err);
}
