/* engine/source/tree_digest.c - one digest for all that is below a path.
 *
 * Entries come in the order of the walk, in batches: the contents of a batch's files are looked up
 * in the index or hashed on the pool, then the batch goes into the digest entry by entry.  So
 * memory is bounded, files are read side by side, and the result is a function of the tree alone.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/internal.h"

enum { BATCH = 2048, GRAIN_NS = 50 * 1000 * 1000 };

struct item {
    char *path; /* owned */
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
};

static void drop_batch(struct digesting *d)
{
    vec_each (&d->batch, item)
        free(item->path);
    d->batch.n = 0;
}

static void digesting_clear(struct digesting *d)
{
    drop_batch(d);
    vec_clear(&d->batch);
    hasher_free(d->hasher);
    pattern_list_free(d->include);
    pattern_list_free(d->exclude);
}

/* ---- contents ---- */

struct file_task {
    const struct digesting *digesting;
    struct item *item;
};

static int hash_file(void *arg, struct err *err)
{
    struct file_task *task = arg;
    struct item *item = task->item;
    AUTO_FD int fd = -1;
    if (cancel_check(task->digesting->options->cancel, err))
        return -1;
    if (fs_open_in_root(task->digesting->tree->root_fd, item->path, O_RDONLY | O_NOFOLLOW, 0, &fd,
                        err))
        return err_wrap(err, "hash");
    AUTO(reader_close) struct reader *file = reader_of_fd(fd, false);
    AUTO(writer_close) struct writer *sink = writer_hashing(NULL, DIGEST_SHA256);
    if (stream_copy(file, sink, NULL, err))
        return err_wrap(err, "hash %s", item->path);
    item->content = writer_hashing_digest(sink);
    return 0;
}

static int hash_files(struct digesting *d, struct file_task *tasks, size_t n, struct err *err)
{
    if (!d->options->pool || n < 2) {
        for (size_t i = 0; i < n; i++)
            if (hash_file(&tasks[i], err))
                return -1;
        return 0;
    }
    AUTO(task_group_free) struct task_group *g = task_group_new(d->options->pool, 0);
    for (size_t i = 0; i < n; i++)
        task_group_add(g, hash_file, &tasks[i]);
    return task_group_wait(g, err);
}

static int look_up(struct digesting *d, struct file_task *tasks, size_t *n_missing, struct err *err)
{
    struct store *st = d->tree->store;
    *n_missing = 0;
    vec_each (&d->batch, item) {
        bool is_there = false;
        if (!S_ISREG(item->stat.mode))
            continue;
        if (st && index_find(st, &item->stat, &item->content, &is_there, err))
            return -1;
        if (!is_there)
            tasks[(*n_missing)++] = (struct file_task){ .digesting = d, .item = item };
    }
    return 0;
}

/* A file changed within the clock's grain of being read may change again without its times telling.
 */
static bool is_settled(const struct node_stat *s, int64_t now_ns)
{
    int64_t changed = s->ctime.tv_sec * 1000000000 + s->ctime.tv_nsec;
    return changed < now_ns - GRAIN_NS;
}

static int remember(struct digesting *d, const struct file_task *tasks, size_t n, int64_t now_ns,
                    struct err *err)
{
    struct store *st = d->tree->store;
    if (!st || n == 0)
        return 0;
    if (index_begin(st, err))
        return -1;
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++)
        if (is_settled(&tasks[i].item->stat, now_ns))
            status = index_put(st, &tasks[i].item->stat, &tasks[i].item->content, err);
    return index_end(st, err) || status ? -1 : 0;
}

static int find_contents(struct digesting *d, struct err *err)
{
    AUTO_FREE struct file_task *tasks = xcalloc(d->batch.n + 1, sizeof *tasks);
    struct timespec now;
    size_t n_missing = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    if (look_up(d, tasks, &n_missing, err) || hash_files(d, tasks, n_missing, err))
        return -1;
    return remember(d, tasks, n_missing, now.tv_sec * 1000000000 + now.tv_nsec, err);
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
    int root = d->tree->root_fd;
    const char *path = *item->path ? item->path : ".";
    AUTO_FREE char *target = NULL;
    AUTO_VALUE(buf_clear) struct buf capability = { 0 };
    buf_init(&capability, LIMIT_XATTR_VALUE);
    bool has_capability = false;
    if (S_ISLNK(item->stat.mode) && fs_read_link(root, path, &target, err))
        return -1;
    if (S_ISREG(item->stat.mode) && !d->tree->is_context &&
        node_get_capability(root, path, &capability, &has_capability, err))
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

static bool is_wanted(const struct digesting *d, const char *relative, bool is_folder)
{
    if (!*relative)
        return true;
    if (d->exclude && pattern_list_excludes(d->exclude, relative, NULL))
        return is_folder && !pattern_list_prunes(d->exclude, relative);
    if (d->include && !pattern_list_excludes(d->include, relative, NULL))
        return is_folder && pattern_list_reaches(d->include, relative);
    return true;
}

static int take(void *arg, const struct tree_entry *e, struct err *err)
{
    struct digesting *d = arg;
    size_t n_path = strlen(e->path);
    const char *relative = n_path < d->n_prefix ? "" : e->path + d->n_prefix;
    bool is_folder = S_ISDIR(e->stat.mode);
    if (!is_wanted(d, relative, is_folder))
        return 1;
    if (S_ISSOCK(e->stat.mode) || (!*relative && is_folder && d->options->is_contents_only))
        return 0;
    *vec_push(&d->batch) = (struct item){ .path = xstrdup(e->path), .stat = e->stat };
    return d->batch.n >= BATCH ? flush(d, err) : 0;
}

int tree_digest(const struct tree *t, const char *path, const struct tree_digest_options *o,
                struct digest *out, struct err *err)
{
    AUTO_VALUE(digesting_clear) struct digesting d = { .tree = t, .options = o };
    d.hasher = hasher_new(DIGEST_SHA256);
    d.n_prefix = *path ? strlen(path) + 1 : 0;
    if (o->include && o->include->n > 0 &&
        pattern_list_of((const char *const *)o->include->items, o->include->n, &d.include, err))
        return -1;
    if (o->exclude && o->exclude->n > 0 &&
        pattern_list_of((const char *const *)o->exclude->items, o->exclude->n, &d.exclude, err))
        return -1;
    if (tree_walk(t, path, take, &d, o->cancel, err) || flush(&d, err))
        return -1;
    *out = hasher_final(d.hasher);
    return 0;
}
