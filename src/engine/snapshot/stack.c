/* engine/snapshot/stack.c - layers of one chain on top of another: merge and difference without
 * looking inside.
 *
 * A sealed layer is a blob that says all there is to say about what it changes; so it can stand on
 * any base, as the layer of an image does, and is unpacked there when somebody looks. */
#include <stdlib.h>

#include "engine/snapshot/internal.h"

/* The layers of `upper` above `from`, the lowest first. */
static int list_layers(struct snapshot *from, struct snapshot *upper, struct snapshot ***out,
                       size_t *n, struct err *err)
{
    size_t depth = snapshot_depth(upper);
    struct snapshot **list = xcalloc(depth + 1, sizeof *list);
    struct snapshot *at = upper;
    for (*n = 0; at && at != from; at = at->parent)
        list[(*n)++] = at;
    for (size_t i = 0; i < *n / 2; i++) {
        struct snapshot *swapped = list[i];
        list[i] = list[*n - 1 - i];
        list[*n - 1 - i] = swapped;
    }
    *out = list;
    return at == from ? 0
                      : err_set(err, ERR_INVALID, "%s is not below %s", from->id,
                                upper ? upper->id : "scratch");
}

/* The time of a layer is that of the step that made it, wherever it stands. */
static int keep_time(struct db *db, struct snapshot *made, int64_t created_s, struct err *err)
{
    if (made->created_s != 0 || created_s == 0)
        return 0;
    made->created_s = created_s;
    return record_set_created(db, made->id, created_s, err);
}

int snapshot_set_created(struct snapshots *all, struct snapshot *s, const int64_t *created_s,
                         struct err *err)
{
    struct db *db = store_db(all->options.store);
    int status = 0;
    if (db_begin(db, err))
        return -1;
    for (struct snapshot *at = s; at && status == 0; at = at->parent)
        status = keep_time(db, at, created_s[at->depth - 1], err);
    return db_end(db, status == 0, err) || status ? -1 : 0;
}

/* Takes `below`. */
static int put_on(struct snapshots *all, struct snapshot *below, struct snapshot *layer,
                  const struct seal_options *o, struct snapshot **out, struct err *err)
{
    struct db *db = store_db(all->options.store);
    AUTO(snapshot_unref) struct snapshot *base = below;
    AUTO_VALUE(layer_ref_clear) struct layer_ref sealed = { 0 };
    struct seal_options inside = *o;
    inside.keeps_pulled = true;
    if (snapshot_seal(all, layer, &inside, &sealed, err) || db_begin(db, err))
        return -1;
    int status = layer_node(all, &sealed, layer->origin, STEAL(base), out, err);
    /* What was made here can be had from nowhere else: it needs its blob. */
    if (status == 0 && !layer->origin)
        status = node_put_object(*out, 0, &sealed.blob.digest, err);
    if (status == 0)
        status = keep_time(db, *out, layer->created_s, err);
    if (db_end(db, status == 0, err) || status) {
        snapshot_unref(STEAL(*out));
        return -1;
    }
    return 0;
}

int snapshot_stack(struct snapshots *all, struct snapshot *base, struct snapshot *from,
                   struct snapshot *upper, const struct seal_options *o, struct snapshot **out,
                   struct err *err)
{
    AUTO(snapshot_unref) struct snapshot *top = snapshot_ref(base);
    struct snapshot **layers = NULL;
    size_t n = 0;
    int status = list_layers(from, upper, &layers, &n, err);
    for (size_t i = 0; i < n && status == 0; i++) {
        struct snapshot *next = NULL;
        status = put_on(all, STEAL(top), layers[i], o, &next, err);
        top = next;
    }
    free(layers);
    if (status)
        return -1;
    *out = STEAL(top);
    return 0;
}
