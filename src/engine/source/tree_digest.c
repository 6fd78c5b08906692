/* engine/source/tree_digest.c - one digest for all that is below a path.
 *
 * Entries come in the order of the walk, in batches: the contents of a batch's files are looked up
 * in the index or hashed on the pool, then the batch goes into the digest entry by entry.  So
 * memory is bounded, files are read side by side, and the result is a function of the tree alone.
 * A batch keeps the folders of its entries open: a file costs open, read and close there, and no
 * path is resolved twice. */
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

struct item {
    char *path;       /* owned */
    const char *name; /* within path, or "." */
    int dir_fd;       /* borrowed from the batch's folders */
    struct node_stat stat;
    struct digest content; /* of a regular file, once known */
};

struct digesting {
    const struct tree *tree;
    const struct tree_digest_options *options;
    struct pattern_list *include, *exclude;
    size_t n_prefix; /* bytes of the start's path in each path, the "/" behind it included */
    struct hasher *hasher;
    struct {
        struct item *items;
        size_t n, cap;
    } batch;
    struct {
        int *items; /* owned descriptors; the last holds the last item */
        size_t n, cap;
    } folders;
};

static void drop_batch(struct digesting *d)
{
    vec_each (&d->batch, item)
        free(item->path);
    d->batch.n = 0;
    vec_each (&d->folders, fd)
        close(*fd);
    d->folders.n = 0;
}

static void digesting_clear(struct digesting *d)
{
    drop_batch(d);
    vec_clear(&d->batch);
    vec_clear(&d->folders);
    hasher_free(d->hasher);
    pattern_list_free(d->include);
    pattern_list_free(d->exclude);
}

/* ---- contents ---- */

/* A run of files that one thread reads. */
struct file_task {
    const struct digesting *digesting;
    struct item **items;
    size_t n;
};

/* As many bytes as the file had when it was looked at: its size is in the digest too. */
static int hash_bytes(int fd, uint64_t size, char *chunk, struct digest *out, struct err *err)
{
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
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
    *out = hasher_final(h);
    return 0;
}

static int hash_files(void *arg, struct err *err)
{
    struct file_task *task = arg;
    AUTO_FREE char *chunk = xmalloc(CHUNK);
    for (size_t i = 0; i < task->n; i++) {
        struct item *item = task->items[i];
        AUTO_FD int fd = -1;
        if (cancel_check(task->digesting->options->cancel, err))
            return -1;
        if (fs_open(item->dir_fd, item->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err) ||
            hash_bytes(fd, item->stat.size, chunk, &item->content, err))
            return err_wrap(err, "hash %s", item->path);
    }
    return 0;
}

static int hash_missing(struct digesting *d, struct item **missing, size_t n, struct err *err)
{
    struct pool *pool = d->options->pool;
    if (!pool || n <= FILES_PER_TASK) {
        struct file_task all = { .digesting = d, .items = missing, .n = n };
        return hash_files(&all, err);
    }
    size_t n_tasks = (n + FILES_PER_TASK - 1) / FILES_PER_TASK;
    AUTO_FREE struct file_task *tasks = xcalloc(n_tasks, sizeof *tasks);
    AUTO(task_group_free) struct task_group *g = task_group_new(pool, 0);
    for (size_t i = 0; i < n_tasks; i++) {
        size_t first = i * FILES_PER_TASK, rest = n - first;
        tasks[i] = (struct file_task){ .digesting = d,
                                       .items = missing + first,
                                       .n = rest < FILES_PER_TASK ? rest : FILES_PER_TASK };
        task_group_add(g, hash_files, &tasks[i]);
    }
    return task_group_wait(g, err);
}

static int look_up(struct digesting *d, struct item **missing, size_t *n_missing, struct err *err)
{
    struct store *st = d->tree->store;
    *n_missing = 0;
    if (st && index_begin(st, err))
        return -1;
    int status = 0;
    for (size_t i = 0; i < d->batch.n && status == 0; i++) {
        struct item *item = &d->batch.items[i];
        bool is_there = false;
        if (!S_ISREG(item->stat.mode))
            continue;
        if (st)
            status = index_find(st, &item->stat, &item->content, &is_there, err);
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

static int remember(struct digesting *d, struct item *const *read, size_t n, int64_t now_ns,
                    struct err *err)
{
    struct store *st = d->tree->store;
    if (!st || n == 0)
        return 0;
    if (index_begin(st, err))
        return -1;
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++)
        if (is_settled(&read[i]->stat, now_ns))
            status = index_put(st, &read[i]->stat, &read[i]->content, err);
    return index_end(st, err) || status ? -1 : 0;
}

static int find_contents(struct digesting *d, struct err *err)
{
    AUTO_FREE struct item **missing = xcalloc(d->batch.n + 1, sizeof *missing);
    struct timespec now;
    size_t n_missing = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    if (look_up(d, missing, &n_missing, err) || hash_missing(d, missing, n_missing, err))
        return -1;
    return remember(d, missing, n_missing, now.tv_sec * 1000000000 + now.tv_nsec, err);
}

/* ---- entries ---- */

static void hash_number(struct hasher *h, uint64_t n)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> (8 * i));
    hasher_update(h, span_bytes(bytes, sizeof bytes));
}

static int hash_target_and_capability(struct digesting *d, const struct item *item, struct err *err)
{
    AUTO_FREE char *target = NULL;
    AUTO_VALUE(buf_clear) struct buf capability = { 0 };
    buf_init(&capability, LIMIT_XATTR_VALUE);
    bool has_capability = false;
    if (S_ISLNK(item->stat.mode) && fs_read_link(item->dir_fd, item->name, &target, err))
        return -1;
    if (S_ISREG(item->stat.mode) && !d->tree->is_context &&
        node_get_capability(item->dir_fd, item->name, &capability, &has_capability, err))
        return -1;
    hasher_update_framed(d->hasher, span_of(target));
    hasher_update_framed(d->hasher, buf_span(&capability));
    return 0;
}

static int hash_item(struct digesting *d, const struct item *item, struct err *err)
{
    const struct node_stat *s = &item->stat;
    struct hasher *h = d->hasher;
    size_t skip = strlen(item->path) < d->n_prefix ? strlen(item->path) : d->n_prefix;
    hasher_update_framed(h, span_of(item->path + skip));
    hash_number(h, s->mode);
    hash_number(h, s->uid);
    hash_number(h, s->gid);
    hash_number(h, S_ISREG(s->mode) ? s->size : 0);
    hash_number(h, S_ISCHR(s->mode) || S_ISBLK(s->mode) ? s->rdev : 0);
    if (hash_target_and_capability(d, item, err))
        return err_wrap(err, "hash %s", item->path);
    if (S_ISREG(s->mode))
        hasher_update(h, span_bytes(item->content.bytes, 32));
    return 0;
}

static int flush(struct digesting *d, struct err *err)
{
    if (find_contents(d, err))
        return -1;
    vec_each (&d->batch, item)
        if (hash_item(d, item, err))
            return -1;
    drop_batch(d);
    return 0;
}

/* Whether `path` and the last item lie in the same folder, whose descriptor is kept then. */
static bool is_in_last_folder(const struct digesting *d, const char *path)
{
    if (d->batch.n == 0)
        return false;
    const char *last = d->batch.items[d->batch.n - 1].path;
    const char *slash = strrchr(path, '/'), *last_slash = strrchr(last, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    size_t last_len = last_slash ? (size_t)(last_slash - last) : 0;
    return *path && *last && !slash == !last_slash && len == last_len &&
           memcmp(path, last, len) == 0;
}

static int add_item(struct digesting *d, const struct tree_entry *e, struct err *err)
{
    if (!is_in_last_folder(d, e->path)) {
        int fd = fcntl(e->dir_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return err_sys(err, "hash %s: keep its folder open", e->path);
        *vec_push(&d->folders) = fd;
    }
    struct item *item = vec_push(&d->batch);
    *item = (struct item){ .path = xstrdup(e->path),
                           .dir_fd = d->folders.items[d->folders.n - 1],
                           .stat = e->stat };
    const char *slash = strrchr(item->path, '/');
    item->name = slash ? slash + 1 : *item->path ? item->path : ".";
    return d->batch.n >= BATCH || d->folders.n >= BATCH_FOLDERS ? flush(d, err) : 0;
}

static int take(void *arg, const struct tree_entry *e, struct err *err)
{
    struct digesting *d = arg;
    bool is_start = strlen(e->path) < d->n_prefix || !*e->path;
    if (S_ISSOCK(e->stat.mode) ||
        (is_start && S_ISDIR(e->stat.mode) && d->options->is_contents_only))
        return 0;
    return add_item(d, e, err);
}

static int read_patterns(const struct str_list *texts, struct pattern_list **out, struct err *err)
{
    if (!texts || texts->n == 0)
        return 0;
    return pattern_list_of((const char *const *)texts->items, texts->n, out, err);
}

int tree_digest(const struct tree *t, const char *path, const struct tree_digest_options *o,
                struct digest *out, struct err *err)
{
    AUTO_VALUE(digesting_clear) struct digesting d = { .tree = t, .options = o };
    d.hasher = hasher_new(DIGEST_SHA256);
    d.n_prefix = *path ? strlen(path) + 1 : 0;
    if (read_patterns(o->include, &d.include, err) || read_patterns(o->exclude, &d.exclude, err))
        return -1;
    struct tree_walk how = {
        .visit = take, .arg = &d, .include = d.include, .exclude = d.exclude, .cancel = o->cancel
    };
    if (tree_walk(t, path, &how, err) || flush(&d, err))
        return -1;
    *out = hasher_final(d.hasher);
    return 0;
}
