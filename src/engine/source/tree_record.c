/* engine/source/tree_record.c - one digest for each entry of a tree: BuildKit's records.
 *
 * A record is the SHA-256 of a header, and of a regular file's bytes behind it.  The header is the
 * "tarsum v1" of a tar entry without a name: field names and values, one behind the other, with
 * nothing between them:
 *
 *     name mode420 uid0 gid0 size6 typeflag0 linkname uname gname devmajor0 devminor0
 *
 * (without the blanks), then name and value of each extended attribute, sorted by name.  `mode` is
 * decimal and has permission bits only; `size` is 0 for all but regular files; times are not in it.
 *
 * Entries come in the order of the walk, in batches: the records of a batch's files are looked up
 * in the index or hashed on the pool, then the batch is given on entry by entry.  So memory is
 * bounded, files are read side by side, and the result is a function of the tree alone.  A batch
 * keeps the folders of its entries open: a file costs open, read and close there, and no path is
 * resolved twice.
 *
 * Spec: BuildKit cache/contenthash. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/internal.h"

/* BATCH_FOLDERS: several digests at once stay far below the usual 1024 descriptors. */
enum { BATCH = 2048, BATCH_FOLDERS = 64, FILES_PER_TASK = 32, CHUNK = 128 * 1024 };
enum { GRAIN_NS = 50 * 1000 * 1000 };
/* A header of PATH_MAX for the link's target and 64 KiB for each of the attributes, of which a file
 * has no more. */
#define LIMIT_HEADER ((size_t)(2 * MIB))

struct item {
    char *path;       /* owned */
    const char *name; /* within path, or "." */
    int dir_fd;       /* borrowed from the batch's folders */
    struct node_stat stat;
    struct digest record; /* once known */
};

struct recording {
    const struct tree *tree;
    const struct record_walk *how;
    struct {
        struct item *items;
        size_t n, cap;
    } batch;
    struct {
        int *items; /* owned descriptors; the last holds the last item */
        size_t n, cap;
    } folders;
};

static void drop_batch(struct recording *r)
{
    vec_each (&r->batch, item)
        free(item->path);
    r->batch.n = 0;
    vec_each (&r->folders, fd)
        close(*fd);
    r->folders.n = 0;
}

static void recording_clear(struct recording *r)
{
    drop_batch(r);
    vec_clear(&r->batch);
    vec_clear(&r->folders);
}

/* ---- headers ---- */

/* Whether an attribute other than capabilities counts.  Those of overlayfs are of the place where
 * the tree is kept. */
static bool counts(const char *name)
{
    static const char *const hidden[] = { "security.", "system.", NODE_XATTR_PREFIX,
                                          "trusted.overlay.", "user.overlay." };
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (span_starts(span_of(name), hidden[i]))
            return false;
    return true;
}

static int add_attribute(const struct item *item, const char *name, struct buf *out,
                         struct err *err)
{
    bool is_there = false;
    size_t len = out->len;
    buf_puts(out, name);
    if (fs_get_xattr(item->dir_fd, item->name, name, out, &is_there, err))
        return -1;
    if (!is_there)
        out->len = len; /* gone meanwhile */
    return 0;
}

static int add_attributes(const struct item *item, struct buf *out, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (fs_list_xattrs(item->dir_fd, item->name, &names, err))
        return -1;
    bool has_capability =
        str_list_has(&names, "security.capability") || str_list_has(&names, NODE_XATTR_CAPABILITY);
    AUTO_VALUE(buf_clear) struct buf capability = { 0 };
    buf_init(&capability, LIMIT_XATTR_VALUE);
    if (has_capability &&
        node_get_capability(item->dir_fd, item->name, &capability, &has_capability, err))
        return -1;
    vec_each (&names, name) {
        if (has_capability && strcmp(*name, "security.capability") > 0) {
            buf_puts(out, "security.capability");
            buf_put(out, buf_span(&capability));
            has_capability = false;
        }
        if (counts(*name) && add_attribute(item, *name, out, err))
            return -1;
    }
    if (has_capability) {
        buf_puts(out, "security.capability");
        buf_put(out, buf_span(&capability));
    }
    return 0;
}

static char type_flag(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return '5';
    case S_IFLNK:
        return '2';
    case S_IFCHR:
        return '3';
    case S_IFBLK:
        return '4';
    case S_IFIFO:
        return '6';
    default:
        return '0';
    }
}

static int make_header(const struct item *item, struct buf *out, struct err *err)
{
    const struct node_stat *s = &item->stat;
    bool is_device = S_ISCHR(s->mode) || S_ISBLK(s->mode), is_link = S_ISLNK(s->mode);
    AUTO_FREE char *target = NULL;
    if (is_link && fs_read_link(item->dir_fd, item->name, &target, err))
        return -1;
    buf_printf(out, "namemode%uuid%" PRIu32 "gid%" PRIu32 "size%" PRIu64 "typeflag%clinkname%s",
               is_link ? 0777 : s->mode & 07777, s->uid, s->gid, S_ISREG(s->mode) ? s->size : 0,
               type_flag(s->mode), target ? target : "");
    buf_printf(out, "unamegnamedevmajor%udevminor%u", is_device ? major(s->rdev) : 0,
               is_device ? minor(s->rdev) : 0);
    return add_attributes(item, out, err);
}

/* ---- files ---- */

/* A run of files that one thread reads. */
struct file_task {
    const struct recording *recording;
    struct item **items;
    size_t n;
};

/* As many bytes as the file had when it was looked at: its size is in the header. */
static int hash_bytes(struct hasher *h, int fd, uint64_t size, char *chunk, struct err *err)
{
    for (uint64_t left = size; left > 0;) {
        ssize_t n = read(fd, chunk, left < CHUNK ? (size_t)left : CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "read");
        if (n == 0)
            return err_set(err, ERR_CORRUPT, "it became shorter while it was read");
        hasher_update(h, span_bytes(chunk, (size_t)n));
        left -= (uint64_t)n;
    }
    return 0;
}

/* What a thread needs to hash one file after the other. */
struct bench {
    struct hasher *hasher;
    struct buf header;
    char *chunk;
};

static void bench_init(struct bench *b)
{
    b->hasher = hasher_new(DIGEST_SHA256);
    b->chunk = xmalloc(CHUNK);
    buf_init(&b->header, LIMIT_HEADER);
}

static void bench_clear(struct bench *b)
{
    hasher_free(b->hasher);
    buf_clear(&b->header);
    free(b->chunk);
}

static int hash_item(struct bench *b, struct item *item, struct err *err)
{
    AUTO_FD int fd = -1;
    buf_reset(&b->header);
    if (make_header(item, &b->header, err))
        return err_wrap(err, "hash %s", item->path);
    hasher_update(b->hasher, buf_span(&b->header));
    if (S_ISREG(item->stat.mode) && item->stat.size > 0 &&
        (fs_open(item->dir_fd, item->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err) ||
         hash_bytes(b->hasher, fd, item->stat.size, b->chunk, err)))
        return err_wrap(err, "hash %s", item->path);
    item->record = hasher_final(b->hasher);
    return 0;
}

static int hash_files(void *arg, struct err *err)
{
    struct file_task *task = arg;
    AUTO_VALUE(bench_clear) struct bench bench;
    bench_init(&bench);
    for (size_t i = 0; i < task->n; i++)
        if (cancel_check(task->recording->how->cancel, err) ||
            hash_item(&bench, task->items[i], err))
            return -1;
    return 0;
}

static int hash_missing(struct recording *r, struct item **missing, size_t n, struct err *err)
{
    struct pool *pool = r->how->pool;
    if (!pool || n <= FILES_PER_TASK) {
        struct file_task all = { .recording = r, .items = missing, .n = n };
        return hash_files(&all, err);
    }
    size_t n_tasks = (n + FILES_PER_TASK - 1) / FILES_PER_TASK;
    AUTO_FREE struct file_task *tasks = xcalloc(n_tasks, sizeof *tasks);
    AUTO(task_group_free) struct task_group *g = task_group_new(pool, 0);
    for (size_t i = 0; i < n_tasks; i++) {
        size_t first = i * FILES_PER_TASK, rest = n - first;
        tasks[i] = (struct file_task){ .recording = r,
                                       .items = missing + first,
                                       .n = rest < FILES_PER_TASK ? rest : FILES_PER_TASK };
        task_group_add(g, hash_files, &tasks[i]);
    }
    return task_group_wait(g, err);
}

static int look_up(struct recording *r, struct item **missing, size_t *n_missing, struct err *err)
{
    struct store *st = r->tree->store;
    *n_missing = 0;
    if (st && index_begin(st, err))
        return -1;
    int status = 0;
    for (size_t i = 0; i < r->batch.n && status == 0; i++) {
        struct item *item = &r->batch.items[i];
        bool is_there = false;
        if (st && S_ISREG(item->stat.mode))
            status = index_find(st, &item->stat, &item->record, &is_there, err);
        if (!is_there)
            missing[(*n_missing)++] = item;
    }
    return (st && index_end(st, err)) || status ? -1 : 0;
}

/* A file changed within the clock's grain of being read may change again without its times telling.
 */
static bool is_settled(const struct node_stat *s, int64_t now_ns)
{
    int64_t changed = s->ctime.tv_sec * 1000000000 + s->ctime.tv_nsec;
    return changed < now_ns - GRAIN_NS;
}

static int remember(struct recording *r, struct item *const *read, size_t n, int64_t now_ns,
                    struct err *err)
{
    struct store *st = r->tree->store;
    if (!st || n == 0)
        return 0;
    if (index_begin(st, err))
        return -1;
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++)
        if (S_ISREG(read[i]->stat.mode) && is_settled(&read[i]->stat, now_ns))
            status = index_put(st, &read[i]->stat, &read[i]->record, err);
    return index_end(st, err) || status ? -1 : 0;
}

static int find_records(struct recording *r, struct err *err)
{
    AUTO_FREE struct item **missing = xcalloc(r->batch.n + 1, sizeof *missing);
    struct timespec now;
    size_t n_missing = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    if (look_up(r, missing, &n_missing, err) || hash_missing(r, missing, n_missing, err))
        return -1;
    return remember(r, missing, n_missing, now.tv_sec * 1000000000 + now.tv_nsec, err);
}

/* ---- entries ---- */

static int flush(struct recording *r, struct err *err)
{
    if (find_records(r, err))
        return -1;
    vec_each (&r->batch, item)
        if (r->how->take(r->how->arg, item->path, &item->stat, &item->record, err))
            return -1;
    drop_batch(r);
    return 0;
}

/* Whether `path` and the last item lie in the same folder, whose descriptor is kept then. */
static bool is_in_last_folder(const struct recording *r, const char *path)
{
    if (r->batch.n == 0)
        return false;
    const char *last = r->batch.items[r->batch.n - 1].path;
    const char *slash = strrchr(path, '/'), *last_slash = strrchr(last, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    size_t last_len = last_slash ? (size_t)(last_slash - last) : 0;
    return *path && *last && !slash == !last_slash && len == last_len &&
           memcmp(path, last, len) == 0;
}

static int add_item(struct recording *r, const struct tree_entry *e, struct err *err)
{
    if (!is_in_last_folder(r, e->path)) {
        int fd = fcntl(e->dir_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return err_sys(err, "hash %s: keep its folder open", e->path);
        *vec_push(&r->folders) = fd;
    }
    struct item *item = vec_push(&r->batch);
    *item = (struct item){ .path = xstrdup(e->path),
                           .dir_fd = r->folders.items[r->folders.n - 1],
                           .stat = e->stat };
    const char *slash = strrchr(item->path, '/');
    item->name = slash ? slash + 1 : *item->path ? item->path : ".";
    return r->batch.n >= BATCH || r->folders.n >= BATCH_FOLDERS ? flush(r, err) : 0;
}

static int take(void *arg, const struct tree_entry *e, struct err *err)
{
    return S_ISSOCK(e->stat.mode) ? 0 : add_item(arg, e, err);
}

int tree_record(const struct tree *t, const char *path, const struct record_walk *how,
                struct err *err)
{
    AUTO_VALUE(recording_clear) struct recording r = { .tree = t, .how = how };
    struct tree_walk walk = { .visit = take,
                              .arg = &r,
                              .include = how->include,
                              .exclude = how->exclude,
                              .cancel = how->cancel };
    return tree_walk(t, path, &walk, err) || flush(&r, err) ? -1 : 0;
}
