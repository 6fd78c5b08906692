/* image/registry/transfer.c - see transfer.h. */
#include "image/registry/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/registry/internal.h"
#include "image/store/blob.h"

enum { PARALLEL = 4, NESTING_MAX = 4 };

/* What one image's transfer works with; blobs move as tasks. */
struct transfer {
    struct remote *remote;
    const struct reference *ref;
    struct store *store;
    const struct cancel *cancel;
    const struct map *mount_from;
    struct map blobs; /* digest text -> struct blob_task, each once */
    bool is_push;
};

struct blob_task {
    struct transfer *transfer;
    struct descriptor blob;
};

static void blob_task_free(void *p)
{
    struct blob_task *t = p;
    descriptor_clear(&t->blob);
    free(t);
}

static void add_blob(struct transfer *t, const struct descriptor *d)
{
    struct digest_text key = digest_text(&d->digest);
    if (map_has(&t->blobs, key.s))
        return;
    struct blob_task *task = xcalloc(1, sizeof *task);
    task->transfer = t;
    descriptor_copy(&task->blob, d);
    map_set(&t->blobs, key.s, task);
}

/* Layers that are fetched from elsewhere ("foreign") are in no registry. */
static bool is_elsewhere(const struct descriptor *d)
{
    return strstr(d->media_type, "nondistributable") || strstr(d->media_type, ".foreign.");
}

static void add_layers(struct transfer *t, const struct manifest *m)
{
    vec_each (&m->layers, layer)
        if (!is_elsewhere(layer))
            add_blob(t, layer);
}

static int move_blob(void *arg, struct err *err)
{
    struct blob_task *task = arg;
    struct transfer *t = task->transfer;
    if (!t->is_push)
        return remote_pull_blob(t->remote, t->ref, &task->blob, t->store, t->cancel, err);
    const char *from =
        t->mount_from ? map_find_str(t->mount_from, digest_text(&task->blob.digest).s) : NULL;
    return remote_push_blob(t->remote, t->ref, &task->blob, from, t->store, NULL, t->cancel, err);
}

static int move_blobs(struct transfer *t, struct pool *pool, struct err *err)
{
    AUTO(task_group_free) struct task_group *g = task_group_new(pool, PARALLEL);
    map_each (&t->blobs, e)
        task_group_add(g, move_blob, e->value);
    return task_group_wait(g, err);
}

static void transfer_clear(struct transfer *t)
{
    map_clear(&t->blobs);
}

/* ---- pull ---- */

static int get_manifest(struct transfer *t, const struct digest *want, struct buf *bytes,
                        struct descriptor *out, struct err *err)
{
    AUTO_VALUE(descriptor_clear) struct descriptor got = { 0 };
    if (remote_manifest(t->remote, t->ref, want, bytes, &got, t->cancel, err))
        return -1;
    return manifest_put(t->store, buf_span(bytes), got.media_type, out, err);
}

static int pull_image(struct transfer *t, struct span bytes, const char *type, bool is_lazy,
                      struct err *err)
{
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    if (manifest_parse(bytes, type, &m, err))
        return -1;
    add_blob(t, &m.config);
    if (!is_lazy)
        add_layers(t, &m);
    return 0;
}

static int pull_target(struct transfer *t, const struct digest *want, const struct pull_options *o,
                       struct descriptor *out, struct descriptor *image, int depth,
                       struct err *err);

static int pull_index(struct transfer *t, struct span bytes, const char *type,
                      const struct pull_options *o, struct descriptor *image, int depth,
                      struct err *err)
{
    AUTO_VALUE(index_clear) struct index index = { 0 };
    if (index_parse(bytes, type, &index, err))
        return -1;
    if (depth >= NESTING_MAX)
        return err_set(err, ERR_LIMIT, "indexes nest deeper than %d", NESTING_MAX);
    if (o->platform) {
        const struct descriptor *entry = NULL;
        AUTO_VALUE(descriptor_clear) struct descriptor same = { 0 };
        if (index_select(&index, o->platform, &entry, err))
            return -1;
        return pull_target(t, &entry->digest, o, &same, image, depth + 1, err);
    }
    vec_each (&index.manifests, entry) {
        AUTO_VALUE(descriptor_clear) struct descriptor same = { 0 };
        if (pull_target(t, &entry->digest, o, &same, NULL, depth + 1, err))
            return -1;
    }
    return 0;
}

static int pull_target(struct transfer *t, const struct digest *want, const struct pull_options *o,
                       struct descriptor *out, struct descriptor *image, int depth, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    buf_init(&bytes, LIMIT_MANIFEST);
    if (get_manifest(t, want, &bytes, out, err))
        return -1;
    if (media_is_index(out->media_type))
        return pull_index(t, buf_span(&bytes), out->media_type, o, image, depth, err);
    if (image)
        descriptor_copy(image, out);
    return pull_image(t, buf_span(&bytes), out->media_type, o->is_lazy, err);
}

int image_pull(struct remote *r, const struct reference *ref, struct store *st,
               const struct pull_options *o, struct descriptor *out, struct descriptor *image,
               struct err *err)
{
    AUTO_VALUE(transfer_clear)
    struct transfer t = { .remote = r,
                          .ref = ref,
                          .store = st,
                          .cancel = o->cancel,
                          .blobs = { .free_value = blob_task_free } };
    if (pull_target(&t, &ref->digest, o, out, image, 0, err) || move_blobs(&t, o->pool, err)) {
        AUTO_FREE char *name = reference_familiar(ref);
        return err_wrap(err, "pull %s", name);
    }
    return 0;
}

/* ---- push ---- */

/* Manifests in the order in which they are put: those that an index needs before it. */
struct to_put {
    struct descriptor *items;
    size_t n, cap;
};

static int collect(struct transfer *t, const struct descriptor *target, struct to_put *order,
                   int depth, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    buf_init(&bytes, LIMIT_MANIFEST);
    if (depth > NESTING_MAX)
        return err_set(err, ERR_LIMIT, "indexes nest deeper than %d", NESTING_MAX);
    if (blob_read(t->store, &target->digest, &bytes, err))
        return -1;
    if (media_is_index(target->media_type)) {
        AUTO_VALUE(index_clear) struct index index = { 0 };
        if (index_parse(buf_span(&bytes), target->media_type, &index, err))
            return -1;
        vec_each (&index.manifests, entry)
            if (collect(t, entry, order, depth + 1, err))
                return -1;
    } else {
        AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
        if (manifest_parse(buf_span(&bytes), target->media_type, &m, err))
            return -1;
        add_layers(t, &m);
        add_blob(t, &m.config);
    }
    descriptor_copy(vec_push(order), target);
    return 0;
}

static void to_put_clear(struct to_put *l)
{
    vec_each (l, d)
        descriptor_clear(d);
    vec_clear(l);
}

static int put_manifests(struct transfer *t, const struct to_put *order, struct err *err)
{
    for (size_t i = 0; i < order->n; i++) {
        const struct descriptor *d = &order->items[i];
        AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
        buf_init(&bytes, LIMIT_MANIFEST);
        struct reference at = *t->ref;
        if (i + 1 < order->n)
            at.tag = NULL; /* what an index names goes by digest; the tag is for the whole */
        if (blob_read(t->store, &d->digest, &bytes, err) ||
            remote_push_manifest(t->remote, &at, d->media_type, buf_span(&bytes), t->cancel, err))
            return -1;
    }
    return 0;
}

/* A registry that has the manifest under this name has all that it needs: one question instead of
 * one for each blob when a build changed nothing.  Any failure here is left to the push to tell. */
static bool is_there_already(const struct transfer *t, const struct descriptor *target)
{
    struct reference at = *t->ref; /* by tag where there is one: that is what is to be set */
    at.digest = at.tag ? (struct digest){ 0 } : target->digest;
    return remote_has_manifest(t->remote, &at, &target->digest, t->cancel);
}

int image_push(struct remote *r, const struct reference *ref, struct store *st,
               const struct descriptor *target, const struct push_options *o, struct err *err)
{
    AUTO_VALUE(transfer_clear)
    struct transfer t = { .remote = r,
                          .ref = ref,
                          .store = st,
                          .cancel = o->cancel,
                          .mount_from = o->mount_from,
                          .blobs = { .free_value = blob_task_free },
                          .is_push = true };
    AUTO_VALUE(to_put_clear) struct to_put order = { 0 };
    if (!remote_has_sent(r, ref) && is_there_already(&t, target))
        return 0;
    if (collect(&t, target, &order, 0, err) || move_blobs(&t, o->pool, err) ||
        put_manifests(&t, &order, err)) {
        AUTO_FREE char *name = reference_familiar(ref);
        return err_wrap(err, "push %s", name);
    }
    return 0;
}
