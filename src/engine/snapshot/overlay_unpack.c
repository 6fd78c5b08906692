/* engine/snapshot/overlay_unpack.c - layers of an image become folders.
 *
 * In parallel each into a folder of this process, since none needs the one below; then one after
 * the other from the base up: what a layer left open is taken from the layers below (attributes of
 * folders it has no entry for, hard links into lower layers) and the folder goes to its place.
 *
 * All layers of a chain that are missing are claimed at once, so that two chains with common layers
 * never wait for each other.  Another process may do the same work: the first to be recorded
 * wins. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/sys/fs.h"
#include "engine/snapshot/overlay.h"
#include "image/layer/apply.h"
#include "image/layer/node.h"
#include "image/store/object.h"

/* The root's mode until an entry says another: nobody ships a root like this. */
enum { ROOT_UNTOLD = 01700, UNPACKS_AT_ONCE = 4 };

struct unpack {
    struct snapshot *node;
    const struct cancel *cancel;
    struct overlay_work work; /* only place, with place/fs, unless hard links lead down */
    struct layer_apply_result result;
    bool needs_lower;
};

/* ---- claiming ---- */

/* The layers without a folder, the base first; *is_busy: some are being made by somebody else. */
static size_t list_missing(struct snapshot *top, struct snapshot **out, bool *is_busy)
{
    size_t n = 0;
    *is_busy = false;
    for (struct snapshot *at = top; at; at = at->parent)
        if (!at->folder) {
            *is_busy |= at->is_unpacking;
            out[n++] = at;
        }
    for (size_t i = 0; i < n / 2; i++) {
        struct snapshot *swap = out[i];
        out[i] = out[n - 1 - i];
        out[n - 1 - i] = swap;
    }
    return n;
}

static int claim(struct snapshot *top, const struct cancel *cancel, struct snapshot **out,
                 size_t *n, struct err *err)
{
    struct snapshots *s = top->all;
    int status = 0;
    bool is_busy = true;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        *n = list_missing(top, out, &is_busy);
        if (!is_busy || (status = cancel_check(cancel, err)))
            break;
        snapshots_wait(s);
    }
    for (size_t i = 0; status == 0 && i < *n; i++)
        out[i]->is_unpacking = true;
    pthread_mutex_unlock(&s->lock);
    return status;
}

static void release(struct snapshots *s, struct snapshot **nodes, size_t n)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++)
        nodes[i]->is_unpacking = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* ---- into a folder of ours ---- */

static struct layer_apply_options apply_options(const struct unpack *u, enum layer_form form)
{
    return (struct layer_apply_options){ .form = form,
                                         .ids = &u->node->all->options.ids,
                                         .cancel = u->cancel };
}

static int open_folder(struct snapshots *s, const char *place, const char *name, bool is_new,
                       int *out, struct err *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s", place, name);
    if (is_new && mkdirat(s->fd, path, 0700))
        return err_sys(err, "make %s/%s", s->path, path);
    if (is_new && fchmodat(s->fd, path, ROOT_UNTOLD, 0))
        return err_sys(err, "chmod %s/%s", s->path, path);
    return fs_open(s->fd, path, O_RDONLY | O_DIRECTORY, 0, out, err);
}

/* Another process may have made the folder meanwhile. */
static int look_again(struct snapshot *node, bool *is_there, struct err *err)
{
    AUTO_VALUE(record_clear) struct record r = { 0 };
    struct snapshots *s = node->all;
    if (record_find(store_db(s->options.store), node->id, &r, is_there, err))
        return -1;
    if (!*is_there)
        return err_set(err, ERR_NOT_FOUND, "unpack %s: it was removed meanwhile", node->id);
    *is_there = r.folder != NULL;
    pthread_mutex_lock(&s->lock);
    if (r.folder && !node->folder)
        node->folder = STEAL(r.folder);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static int unpack_alone(void *arg, struct err *err)
{
    struct unpack *u = arg;
    struct snapshots *s = u->node->all;
    AUTO_FD int fd = -1;
    bool is_there = false;
    if (look_again(u->node, &is_there, err) || is_there)
        return is_there ? 0 : -1;
    enum layer_form form = !u->node->parent ? LAYER_MERGED
                           : s->is_user     ? LAYER_OVERLAY_USER
                                            : LAYER_OVERLAY;
    struct layer_apply_options options = apply_options(u, form);
    if (place_make(s, "unpack-", &u->work.place, err) ||
        open_folder(s, u->work.place, "fs", true, &fd, err))
        return -1;
    if (unpack_layer(u->node, fd, &options, &u->result, err) == 0)
        return 0;
    if (!u->result.needs_lower)
        return -1;
    err_clear(err);
    u->needs_lower = true;
    overlay_work_clear(s, &u->work);
    return 0;
}

/* ---- what needs the layers below ---- */

static int unpack_onto_lower(struct unpack *u, struct err *err)
{
    struct snapshots *s = u->node->all;
    AUTO_FD int fd = -1;
    struct layer_apply_options options = apply_options(u, LAYER_MERGED);
    layer_apply_result_clear(&u->result);
    if (overlay_work_mount(s, u->node->parent, &u->work, err) ||
        fs_open(AT_FDCWD, u->work.root, O_RDONLY | O_DIRECTORY, 0, &fd, err) ||
        unpack_layer(u->node, fd, &options, &u->result, err))
        return -1;
    auto_close_fd(&fd);
    fd = -1;
    overlay_work_unmount(s, &u->work);
    return 0;
}

static int mend_root(struct unpack *u, int fd, struct err *err)
{
    struct stat st;
    struct snapshot *parent = u->node->parent;
    if (fstat(fd, &st))
        return err_sys(err, "stat the root of a layer");
    if ((st.st_mode & 07777) != ROOT_UNTOLD)
        return 0;
    if (!parent)
        return node_set_attributes(fd, ".", 0, 0, 0755, err);
    AUTO_FREE char *below = xasprintf("%s/fs", parent->folder);
    return copy_attributes(u->node->all->fd, below, fd, ".", err);
}

static int mend(struct unpack *u, struct err *err)
{
    AUTO_FD int fd = -1;
    if (u->needs_lower)
        return unpack_onto_lower(u, err);
    if (open_folder(u->node->all, u->work.place, "fs", false, &fd, err))
        return -1;
    if (u->node->parent && u->result.implied_parents.n > 0 &&
        overlay_mend(u->node->parent, fd, &u->result.implied_parents, u->cancel, err))
        return -1;
    return mend_root(u, fd, err);
}

/* ---- to its place ---- */

static int publish_inside(struct unpack *u, const char *name, uint64_t size, bool *was_set,
                          struct err *err)
{
    struct snapshots *s = u->node->all;
    struct db *db = store_db(s->options.store);
    if (record_set_folder(db, u->node->id, name, was_set, err))
        return -1;
    if (!*was_set)
        return 0;
    if (renameat(s->fd, u->work.place, s->fd, name))
        return err_sys(err, "rename %s/%s to %s", s->path, u->work.place, name);
    return node_put_object(u->node, size, NULL, err);
}

static int publish(struct unpack *u, struct err *err)
{
    struct snapshots *s = u->node->all;
    struct db *db = store_db(s->options.store);
    AUTO_FREE char *name = NULL;
    uint64_t size = 0;
    bool was_set = false;
    if (place_name(s, &name, err) || place_size(s->fd, u->work.place, &size, err) ||
        db_begin(db, err))
        return -1;
    int status = publish_inside(u, name, size, &was_set, err);
    if (db_end(db, status == 0, err) || status)
        return -1;
    if (!was_set) {
        overlay_work_clear(s, &u->work);
        return look_again(u->node, &was_set, err);
    }
    free(STEAL(u->work.place));
    pthread_mutex_lock(&s->lock);
    u->node->folder = STEAL(name);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

/* ---- all of a chain ---- */

static int unpack_all(struct snapshots *s, struct unpack *jobs, size_t n, struct err *err)
{
    AUTO(task_group_free)
    struct task_group *group = task_group_new(s->options.transfers, UNPACKS_AT_ONCE);
    for (size_t i = 0; i < n; i++)
        task_group_add(group, unpack_alone, &jobs[i]);
    if (task_group_wait(group, err))
        return -1;
    for (size_t i = 0; i < n; i++) {
        bool has_folder = !jobs[i].work.place && !jobs[i].needs_lower;
        if (!has_folder && (mend(&jobs[i], err) || publish(&jobs[i], err)))
            return -1;
    }
    return 0;
}

int overlay_ready(struct snapshot *top, const struct cancel *cancel, struct err *err)
{
    if (!top)
        return 0;
    struct snapshots *s = top->all;
    AUTO_FREE struct snapshot **nodes = xcalloc(top->depth, sizeof *nodes);
    size_t n = 0;
    if (claim(top, cancel, nodes, &n, err))
        return -1;
    if (n == 0)
        return 0;
    struct unpack *jobs = xcalloc(n, sizeof *jobs);
    for (size_t i = 0; i < n; i++)
        jobs[i] = (struct unpack){ .node = nodes[i], .cancel = cancel };
    int status = unpack_all(s, jobs, n, err);
    for (size_t i = 0; i < n; i++) {
        overlay_work_clear(s, &jobs[i].work);
        layer_apply_result_clear(&jobs[i].result);
    }
    free(jobs);
    release(s, nodes, n);
    return status;
}
