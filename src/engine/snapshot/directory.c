/* engine/snapshot/directory.c - the driver for where nothing may be mounted: plain folders.
 *
 * A root is a folder with the content of one chain.  A work takes the root that stands at its
 * parent, the step changes it, and at commit a walk tells what changed (directory_table.h); the
 * layer is packed at once into an uncompressed tar in the store, since the root goes on changing.
 * When no root fits one is made: by taking one further that nobody uses and that holds a part of
 * the chain, by copying one, or from the blobs.  Roots live and die with the process; what lasts is
 * the layers.
 *
 * Views share a root as long as nobody changes it. */
#include "engine/snapshot/directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/layer/pack.h"
#include "image/layer/rewrite.h"
#include "image/oci/media_type.h"
#include "image/store/ingest.h"

struct roots {
    vec(struct root *) list; /* guarded by snapshots.lock */
};

static int directory_open(struct snapshots *s, struct err *err)
{
    (void)err;
    s->state = xcalloc(1, sizeof(struct roots));
    return 0;
}

static void directory_close(struct snapshots *s)
{
    struct roots *roots = s->state;
    vec_each (&roots->list, r)
        root_free(s, *r);
    vec_clear(&roots->list);
    free(roots);
}

/* ---- choosing a root ---- */

/* How a root for a chain is come by. */
struct plan {
    struct root *root; /* new when `is_new`; taken */
    struct root *from; /* to be copied first, or NULL; counted as a view */
    bool is_ready;     /* nothing is to be done */
};

static bool is_at_or_below(const struct snapshot *at, const struct snapshot *top)
{
    while (top && snapshot_depth(top) > snapshot_depth(at))
        top = top->parent;
    return at == top;
}

/* One that holds it already.  Both with the lock held, as all below. */
static struct root *find_ready(struct roots *roots, struct snapshot *target, bool is_for_work)
{
    vec_each (&roots->list, r)
        if (!(*r)->is_taken && (*r)->at == target && !(is_for_work && (*r)->n_views > 0))
            return *r;
    return NULL;
}

static bool is_being_made(struct roots *roots, struct snapshot *target)
{
    vec_each (&roots->list, r)
        if ((*r)->is_taken && (*r)->becoming && (*r)->becoming == target)
            return true;
    return false;
}

/* The one that holds most of the chain; one that nobody looks into is better. */
static struct root *find_part(struct roots *roots, struct snapshot *target)
{
    struct root *best = NULL;
    vec_each (&roots->list, at) {
        struct root *r = *at;
        if (r->is_taken || !r->at || !is_at_or_below(r->at, target))
            continue;
        if (!best || r->at->depth > best->at->depth ||
            (r->at->depth == best->at->depth && r->n_views == 0))
            best = r;
    }
    return best;
}

static void make_plan(struct roots *roots, struct snapshot *target, bool is_for_work,
                      struct plan *out)
{
    *out = (struct plan){ .root = find_ready(roots, target, is_for_work) };
    if (out->root) {
        out->is_ready = true;
        out->root->is_taken = is_for_work;
        out->root->n_views += !is_for_work;
        return;
    }
    struct root *part = find_part(roots, target);
    if (part && part->n_views == 0) {
        part->is_taken = true;
        part->becoming = target;
        out->root = part;
    } else if (part) {
        part->n_views++;
        out->from = part;
    }
}

static int wait_and_plan(struct snapshots *s, struct snapshot *target, bool is_for_work,
                         const struct cancel *cancel, struct plan *out, struct err *err)
{
    int status = 0;
    pthread_mutex_lock(&s->lock);
    while (!is_for_work && is_being_made(s->state, target) &&
           (status = cancel_check(cancel, err)) == 0)
        snapshots_wait(s);
    if (status == 0)
        make_plan(s->state, target, is_for_work, out);
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* ---- making it ---- */

static void add_root(struct snapshots *s, struct root *r, struct snapshot *target)
{
    struct roots *roots = s->state;
    pthread_mutex_lock(&s->lock);
    r->is_taken = true;
    r->becoming = target;
    *vec_push(&roots->list) = r;
    pthread_mutex_unlock(&s->lock);
}

static void drop_view(struct snapshots *s, struct root *r)
{
    pthread_mutex_lock(&s->lock);
    r->n_views--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Takes a root that is not what it should be off the list. */
static void drop_root(struct snapshots *s, struct root *r)
{
    struct roots *roots = s->state;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < roots->list.n; i++)
        if (roots->list.items[i] == r) {
            roots->list.items[i] = roots->list.items[--roots->list.n];
            break;
        }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    root_free(s, r);
}

/* Before another root is made: removes those of snapshots that nobody holds any more. */
static void drop_forgotten(struct snapshots *s)
{
    struct roots *roots = s->state;
    for (struct root *found;;) {
        found = NULL;
        pthread_mutex_lock(&s->lock);
        vec_each (&roots->list, r)
            if (!(*r)->is_taken && (*r)->n_views == 0 && (*r)->at && (*r)->at->refs == 1)
                found = *r;
        if (found)
            found->is_taken = true;
        pthread_mutex_unlock(&s->lock);
        if (!found)
            return;
        drop_root(s, found);
    }
}

static void root_is_made(struct snapshots *s, struct root *r, bool is_for_work)
{
    pthread_mutex_lock(&s->lock);
    r->becoming = NULL;
    r->is_taken = is_for_work;
    r->n_views += !is_for_work;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static int carry_out(struct snapshots *s, struct plan *p, struct snapshot *target,
                     const struct cancel *cancel, struct err *err)
{
    if (!p->root) {
        drop_forgotten(s);
        if (root_new(s, &p->root, err))
            return -1;
        add_root(s, p->root, target);
    }
    if (p->from && root_copy(s, p->root, p->from, cancel, err))
        return -1;
    return root_advance(s, p->root, target, cancel, err);
}

static int root_get(struct snapshots *s, struct snapshot *target, bool is_for_work,
                    const struct cancel *cancel, struct root **out, struct err *err)
{
    struct plan p = { 0 };
    if (wait_and_plan(s, target, is_for_work, cancel, &p, err))
        return -1;
    if (!p.is_ready) {
        int status = carry_out(s, &p, target, cancel, err);
        if (p.from)
            drop_view(s, p.from);
        if (status && p.root)
            drop_root(s, p.root);
        if (status)
            return -1;
        root_is_made(s, p.root, is_for_work);
    }
    *out = p.root;
    return 0;
}

/* ---- views and works ---- */

static char *root_path(struct snapshots *s, const struct root *r)
{
    return xasprintf("%s/%s/fs", s->path, r->place);
}

static int directory_view_open(struct view *v, const struct cancel *cancel, struct err *err)
{
    struct root *r = NULL;
    if (root_get(v->all, v->of, false, cancel, &r, err))
        return -1;
    v->state = r;
    v->path = root_path(v->all, r);
    return 0;
}

static void directory_view_close(struct view *v)
{
    if (v->state)
        drop_view(v->all, v->state);
}

static int directory_work_open(struct work *w, const struct cancel *cancel, struct err *err)
{
    struct root *r = NULL;
    if (root_get(w->all, w->parent, true, cancel, &r, err))
        return -1;
    w->state = r;
    w->path = root_path(w->all, r);
    return 0;
}

static int pack_changes(struct work *w, const struct change_list *changes,
                        const struct cancel *cancel, struct layer_ref *out, struct err *err)
{
    struct root *r = w->state;
    AUTO(ingest_close) struct ingest *in = NULL;
    struct layer_pack_options o = { .ids = &w->all->options.ids, .cancel = cancel };
    struct digest digest;
    if (ingest_open(w->all->options.store, NULL, UINT64_MAX, &in, err))
        return -1;
    AUTO(writer_close) struct writer *sink = writer_to_ingest(in);
    if (layer_pack(r->fd, changes, &o, sink, err) || writer_finish(sink, err) ||
        ingest_commit(in, &digest, err))
        return -1;
    out->diff_id = digest;
    out->blob = descriptor_make(MEDIA_OCI_LAYER, &digest, ingest_size(in));
    return 0;
}

static int directory_work_commit(struct work *w, const struct cancel *cancel, struct commit *out,
                                 struct err *err)
{
    struct root *r = w->state;
    AUTO(change_list_free) struct change_list *changes = change_list_new();
    AUTO_VALUE(str_list_clear) struct str_list twins = { 0 };
    struct table_update u = {
        .all = w->all, .root_fd = r->fd, .cancel = cancel, .changes = changes, .twins = &twins
    };
    if (table_update(r->table, &u, err) || pack_changes(w, changes, cancel, &out->layer, err))
        return -1;
    return table_separate(r->table, r->fd, &twins, err);
}

static void directory_work_became(struct work *w, struct snapshot *s)
{
    struct root *r = w->state;
    struct snapshot *was = r->at;
    snapshot_ref(s);
    pthread_mutex_lock(&w->all->lock);
    r->at = s;
    r->is_taken = false;
    pthread_cond_broadcast(&w->all->changed);
    pthread_mutex_unlock(&w->all->lock);
    snapshot_unref(was);
    w->state = NULL;
}

static void directory_work_close(struct work *w)
{
    if (w->state)
        drop_root(w->all, w->state);
}

/* ---- layers ---- */

static int directory_layer_write(struct snapshot *s, const struct tar_writer_options *tar,
                                 const struct cancel *cancel, struct writer *out, struct err *err)
{
    AUTO_VALUE(tar_source_close) struct tar_source source = { 0 };
    struct reader *from;
    if (tar_source_open(s, cancel, &source, &from, err))
        return -1;
    return tar->has_epoch || tar->watch ? layer_repack(from, tar, cancel, out, err)
                                        : stream_copy(from, out, NULL, err);
}

const struct snapshot_driver directory_driver = {
    .name = "directory",
    .open = directory_open,
    .close = directory_close,
    .view_open = directory_view_open,
    .view_close = directory_view_close,
    .work_open = directory_work_open,
    .work_commit = directory_work_commit,
    .work_became = directory_work_became,
    .work_close = directory_work_close,
    .layer_write = directory_layer_write,
};
