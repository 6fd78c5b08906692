/* engine/ops/copy.c - COPY: a file, link, device or folder of a tree into a root.
 *
 * Where it goes: the destination's symlinks are followed inside the root; a source that is no
 * folder goes into a destination that is one; a folder's content goes into the destination, a
 * folder itself below it.  What is there gives way to a file of the same name; a folder meets only
 * folders.  Owner, mode and mtime are the source's unless the action says otherwise; a folder that
 * is there keeps its attributes at the top, and takes the source's below.
 *
 * Spec: tonistiigi/fsutil copy; dockerfile reference "COPY". */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/map.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/ops/internal.h"

enum { CHUNK = 128 * 1024 }; /* what is larger is left to the kernel */

struct folder_time {
    char *path; /* owned; relative to `top`, "" itself */
    struct timespec mtime;
};

struct copier {
    const struct copy_job *job;
    int top_fd;     /* the folder of the root into which things go */
    char *top_name; /* owned: how the source itself is called there; NULL: its content alone */
    size_t n_prefix;
    /* The folder that was written into last, since the walk stays in one for long. */
    char *parent; /* owned: relative to top_fd */
    int parent_fd;
    struct map links; /* "dev:ino" of files with several names -> path relative to top_fd */
    vec(struct folder_time) times;
    char *chunk; /* owned: CHUNK bytes */
    bool is_root;
};

static void copier_clear(struct copier *c)
{
    if (c->top_fd >= 0)
        close(c->top_fd);
    if (c->parent_fd >= 0)
        close(c->parent_fd);
    free(c->top_name);
    free(c->parent);
    free(c->chunk);
    map_clear(&c->links);
    vec_each (&c->times, t)
        free(t->path);
    vec_clear(&c->times);
}

/* ---- where it goes ---- */

static bool ends_as_folder(const char *path)
{
    struct span s = span_of(path);
    return span_ends(s, "/") || span_ends(s, "/.") || span_is(s, ".");
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Whether the destination is a folder now; symlinks count as what they lead to. */
static bool is_folder_there(const struct copy_job *job, const char *path)
{
    AUTO_FD int fd = -1;
    struct err absent = { 0 };
    return fs_open_in_root(job->to_fd, path, O_PATH | O_DIRECTORY, 0, &fd, &absent) == 0;
}

/* Folders that are made get owner and mode of the action too, but no special bits, and what
 * BuildKit's umask leaves of it. */
static int make_parents(struct copier *c, const char *path, struct err *err)
{
    const struct op_action *a = c->job->action;
    struct new_folder f = { .mode = 0755, .owner = c->job->owner, .timestamp_ns = a->timestamp_ns };
    if (!a->creates_dest_path)
        return 0;
    if (*a->mode_text) { /* beside which BuildKit's client writes the mode 0 */
        if (mode_apply(a->mode_text, 0755, true, &f.mode, err))
            return -1;
    } else if (a->mode != MODE_KEEP) {
        f.mode = (mode_t)a->mode;
    }
    f.mode &= 0755;
    return make_folders(c->job->to_fd, path, &f, err);
}

static int open_top(struct copier *c, const char *folder, const char *name, struct err *err)
{
    if (fs_open_in_root(c->job->to_fd, *folder ? folder : "/", O_RDONLY | O_DIRECTORY, 0,
                        &c->top_fd, err))
        return -1;
    c->top_name = xstrdup_or_null(name);
    return 0;
}

/* The content of a folder goes into the destination, which is made when it is missing. */
static int open_for_contents(struct copier *c, const char *dest, struct err *err)
{
    if (make_parents(c, dest, err))
        return -1;
    return open_top(c, dest, NULL, err);
}

static int open_destination(struct copier *c, bool is_folder, struct err *err)
{
    const struct copy_job *job = c->job;
    const char *path = job->action->path;
    if (is_folder && (job->action->copies_dir_contents || !*job->src)) /* a root has no name */
        return open_for_contents(c, path, err);
    if (ends_as_folder(path) && make_parents(c, path, err))
        return -1;
    if (is_folder || is_folder_there(job, path)) {
        if (make_parents(c, path, err))
            return -1;
        return open_top(c, path, base_name(job->name ? job->name : job->src), err);
    }
    AUTO_FREE char *at = follow_links(job->to_fd, path);
    AUTO_FREE char *folder = xstrndup(at, (size_t)(base_name(at) - at));
    if (make_parents(c, folder, err))
        return -1;
    return open_top(c, folder, base_name(at), err);
}

/* ---- one entry ---- */

/* The folder that holds `path` (relative to top_fd), kept open until another is asked for. */
static int open_parent(struct copier *c, const char *path, int *fd, struct err *err)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (c->parent && strlen(c->parent) == len && strncmp(c->parent, path, len) == 0) {
        *fd = c->parent_fd;
        return 0;
    }
    AUTO_FREE char *parent = xstrndup(path, len);
    int opened = -1;
    /* Every part was made or checked as a folder before, so nothing is followed. */
    if (fs_open_in_root(c->top_fd, len ? parent : ".", O_RDONLY | O_DIRECTORY, 0, &opened, err))
        return -1;
    if (c->parent_fd >= 0)
        close(c->parent_fd);
    free(c->parent);
    c->parent = STEAL(parent);
    *fd = c->parent_fd = opened;
    return 0;
}

/* What a new file or folder is to have. */
struct wanted {
    uint32_t uid, gid;
    mode_t mode;
};

static int wanted_mode(struct copier *c, const struct node_stat *s, mode_t *out, struct err *err)
{
    const struct op_action *a = c->job->action;
    *out = s->mode & 07777;
    if (*a->mode_text)
        return mode_apply(a->mode_text, s->mode, S_ISDIR(s->mode), out, err);
    if (a->mode != MODE_KEEP)
        *out = (mode_t)a->mode & 07777;
    return 0;
}

/* With mode 0. */
static struct wanted owner_of(const struct copier *c, const struct node_stat *s)
{
    const struct copy_owner *o = &c->job->owner;
    return (struct wanted){ .uid = o->is_set ? o->uid : s->uid,
                            .gid = o->is_set ? o->gid : s->gid };
}

static int set_owner_and_mode(struct copier *c, int fd, const char *name, const struct node_stat *s,
                              struct err *err)
{
    struct wanted want = owner_of(c, s);
    if (wanted_mode(c, s, &want.mode, err))
        return -1;
    return node_set_attributes(fd, name, want.uid, want.gid, want.mode, err);
}

static struct timespec wanted_time(const struct copier *c, const struct node_stat *s)
{
    int64_t ns = c->job->action->timestamp_ns;
    return ns == TIMESTAMP_NONE ? s->mtime : timespec_of(ns);
}

/* Takes away what is there, unless it is a folder. */
static int clear_name(struct copier *c, int fd, const char *name, struct err *err)
{
    if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_sys(err, "replace %s", name);
    if (c->job->action->replaces_existing)
        return fs_remove_tree(fd, name, err);
    return err_set(err, ERR_EXISTS, "cannot replace the folder %s by something that is none", name);
}

/* ---- files ---- */

/* A file costs open, open, fstat, read, write, futimens and two closes; chown and chmod only where
 * it was not born right. */

static int open_new(struct copier *c, int dir_fd, const char *name, mode_t mode, int *out,
                    struct err *err)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    if (fs_open(dir_fd, name, flags, mode & 0777, out, err) == 0)
        return 0;
    if (err->kind != ERR_EXISTS)
        return -1;
    err_clear(err);
    if (clear_name(c, dir_fd, name, err))
        return -1;
    return fs_open(dir_fd, name, flags, mode & 0777, out, err);
}

static int copy_content(struct copier *c, int from, int to, uint64_t size, struct err *err)
{
    if (size > CHUNK)
        return fs_copy_bytes(from, to, size, err);
    if (!c->chunk)
        c->chunk = xmalloc(CHUNK);
    for (uint64_t left = size; left > 0;) {
        ssize_t n = read(from, c->chunk, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "read");
        if (n == 0)
            return err_set(err, ERR_CORRUPT, "it became shorter while it was copied");
        if (fs_write_all(to, span_bytes(c->chunk, (size_t)n), err))
            return -1;
        left -= (uint64_t)n;
    }
    return 0;
}

/* What root may not set, and everything where we are not root, goes the long way of node.h. */
static int set_file_attributes(struct copier *c, int dir_fd, const char *name, int fd,
                               const struct wanted *want, struct err *err)
{
    struct stat st;
    if (!c->is_root)
        return node_set_attributes(dir_fd, name, want->uid, want->gid, want->mode, err);
    if (fstat(fd, &st) < 0)
        return err_sys(err, "look at %s", name);
    if ((st.st_uid != want->uid || st.st_gid != want->gid) && fchown(fd, want->uid, want->gid) < 0)
        return node_set_attributes(dir_fd, name, want->uid, want->gid, want->mode, err);
    if ((st.st_mode & 07777) != want->mode && fchmod(fd, want->mode) < 0)
        return err_sys(err, "set the mode of %s", name);
    return 0;
}

static int copy_capability(struct copier *c, const struct tree_entry *e, int fd, const char *name,
                           struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf value = { 0 };
    bool is_there = false;
    if (tree_is_context(c->job->from))
        return 0;
    buf_init(&value, LIMIT_XATTR_VALUE);
    if (node_get_capability(e->dir_fd, e->name, &value, &is_there, err))
        return -1;
    return is_there ? node_set_capability(fd, name, buf_span(&value), err) : 0;
}

static int copy_file(struct copier *c, const struct tree_entry *e, int dir_fd, const char *name,
                     struct err *err)
{
    AUTO_FD int from = -1, to = -1;
    struct wanted want = owner_of(c, &e->stat);
    struct timespec t = wanted_time(c, &e->stat), times[2] = { t, t };
    if (wanted_mode(c, &e->stat, &want.mode, err) ||
        fs_open(e->dir_fd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &from, err) ||
        open_new(c, dir_fd, name, want.mode, &to, err) ||
        copy_content(c, from, to, e->stat.size, err) ||
        set_file_attributes(c, dir_fd, name, to, &want, err) ||
        copy_capability(c, e, dir_fd, name, err))
        return -1;
    if (futimens(to, times) < 0)
        return err_sys(err, "set the time of %s", name);
    return 0;
}

/* ---- everything else ---- */

static int copy_link(struct copier *c, const struct tree_entry *e, int fd, const char *name,
                     struct err *err)
{
    AUTO_FREE char *target = NULL;
    struct wanted owner = owner_of(c, &e->stat);
    if (fs_read_link(e->dir_fd, e->name, &target, err) || clear_name(c, fd, name, err))
        return -1;
    if (symlinkat(target, fd, name) < 0)
        return err_sys(err, "link %s", name);
    if (node_set_owner(fd, name, owner.uid, owner.gid, err))
        return -1;
    return set_time(fd, name, wanted_time(c, &e->stat), err);
}

static int copy_special(struct copier *c, const struct tree_entry *e, int fd, const char *name,
                        struct err *err)
{
    if (S_ISSOCK(e->stat.mode))
        return 0; /* as other builders: a socket is no content */
    if (clear_name(c, fd, name, err))
        return -1;
    if (S_ISFIFO(e->stat.mode)) {
        if (mkfifoat(fd, name, 0600) < 0)
            return err_sys(err, "make the fifo %s", name);
    } else {
        struct node_device device = {
            .mode = e->stat.mode, .rdev = e->stat.rdev, .uid = e->stat.uid, .gid = e->stat.gid
        };
        if (node_make_device(fd, name, &device, err))
            return -1;
    }
    if (set_owner_and_mode(c, fd, name, &e->stat, err))
        return -1;
    return set_time(fd, name, wanted_time(c, &e->stat), err);
}

/* A folder below the top; its time is set when its content is there. */
static int copy_folder(struct copier *c, const struct tree_entry *e, const char *path, int fd,
                       const char *name, struct err *err)
{
    struct stat st;
    bool is_there = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && !S_ISDIR(st.st_mode)) {
        if (!c->job->action->replaces_existing)
            return err_set(err, ERR_EXISTS, "cannot copy the folder %s over something that is none",
                           e->path);
        if (unlinkat(fd, name, 0) < 0)
            return err_sys(err, "replace %s", path);
        is_there = false;
    }
    if (!is_there && mkdirat(fd, name, 0700) < 0)
        return err_sys(err, "make the folder %s", path);
    if (set_owner_and_mode(c, fd, name, &e->stat, err))
        return -1;
    *vec_push(&c->times) =
        (struct folder_time){ .path = xstrdup(path), .mtime = wanted_time(c, &e->stat) };
    return 0;
}

/* A further name of a file that was copied before becomes a link to that. */
static bool link_again(struct copier *c, const struct tree_entry *e, const char *path, int fd,
                       const char *name)
{
    if (e->stat.nlink < 2 || !S_ISREG(e->stat.mode))
        return false;
    AUTO_FREE char *key =
        xasprintf("%llu:%llu", (unsigned long long)e->stat.dev, (unsigned long long)e->stat.ino);
    const char *first = map_find_str(&c->links, key);
    struct err ignored = { 0 };
    if (first && clear_name(c, fd, name, &ignored) == 0 &&
        linkat(c->top_fd, first, fd, name, 0) == 0)
        return true;
    map_set_str(&c->links, key, path);
    return false;
}

static int copy_entry(struct copier *c, const struct tree_entry *e, const char *path,
                      struct err *err)
{
    int fd;
    const char *name = base_name(path);
    if (open_parent(c, path, &fd, err))
        return -1;
    if (S_ISDIR(e->stat.mode))
        return copy_folder(c, e, path, fd, name, err);
    if (link_again(c, e, path, fd, name))
        return 0;
    if (S_ISREG(e->stat.mode))
        return copy_file(c, e, fd, name, err);
    if (S_ISLNK(e->stat.mode))
        return copy_link(c, e, fd, name, err);
    return copy_special(c, e, fd, name, err);
}

static int visit(void *arg, const struct tree_entry *e, struct err *err)
{
    struct copier *c = arg;
    size_t len = strlen(e->path);
    const char *relative = len < c->n_prefix ? "" : e->path + c->n_prefix;
    if (!*relative && !c->top_name)
        return 0; /* the destination keeps what it is */
    AUTO_FREE char *path = !c->top_name ? xstrdup(relative)
                           : *relative  ? xasprintf("%s/%s", c->top_name, relative)
                                        : xstrdup(c->top_name);
    if (copy_entry(c, e, path, err))
        return err_wrap(err, "copy %s", e->path);
    return 0;
}

static int set_folder_times(struct copier *c, struct err *err)
{
    for (size_t i = c->times.n; i-- > 0;)
        if (set_time(c->top_fd, c->times.items[i].path, c->times.items[i].mtime, err))
            return -1;
    return set_timestamp(c->top_fd, ".", c->job->action->timestamp_ns, err);
}

static int is_folder_source(const struct copy_job *job, bool *out, struct err *err)
{
    struct stat st;
    if (fstatat(tree_fd(job->from), *job->src ? job->src : ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "copy %s", job->src);
    *out = S_ISDIR(st.st_mode);
    return 0;
}

int copy_run(const struct copy_job *job, struct err *err)
{
    AUTO_VALUE(copier_clear)
    struct copier c = { .job = job, .top_fd = -1, .parent_fd = -1, .links = STR_MAP };
    struct tree_walk how = { .visit = visit,
                             .arg = &c,
                             .include = job->include,
                             .exclude = job->exclude,
                             .cancel = job->cancel };
    bool is_folder = false;
    c.is_root = geteuid() == 0;
    c.n_prefix = *job->src ? strlen(job->src) + 1 : 0;
    if (is_folder_source(job, &is_folder, err) || open_destination(&c, is_folder, err) ||
        tree_walk(job->from, job->src, &how, err))
        return -1;
    return set_folder_times(&c, err);
}
