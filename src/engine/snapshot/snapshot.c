/* engine/snapshot/snapshot.c - nodes of chains, their ids, and the room's life.
 *
 * A node exists once in a process, however many hold it: nodes are found by id in a table that does
 * not own them.  Ids: a layer of an image is named by a hash of its chainID, the blobs of the chain
 * and who can read the folder; a step's result gets a random one. */
#include "engine/snapshot/snapshot.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/core/limits.h"
#include "base/sys/fs.h"
#include "engine/snapshot/driver.h"
#include "image/oci/config.h"
#include "image/store/object.h"

#define PREFIX "snapshot:"

/* ---- opening ---- */

static int hide(void *arg, struct store *st, const char *id, struct err *err)
{
    (void)arg;
    struct record r = { 0 };
    bool is_there = false;
    if (record_find(store_db(st), id, &r, &is_there, err))
        return -1;
    AUTO_FREE char *folder = r.folder ? xasprintf("snapshots/%s", r.folder) : NULL;
    record_clear(&r);
    return record_drop(store_db(st), id, err) || (folder && store_trash(st, folder, err)) ? -1 : 0;
}

/* Which attributes are ours to set: only the first user namespace has trusted.* */
static void find_rights(struct snapshots *s)
{
    struct err ignored = { 0 };
    s->is_user = fs_set_xattr(s->fd, s->own, "trusted.kiln", SPAN("y"), &ignored) != 0;
    /* Devices cannot be made in other namespaces, even with all ids: node.h then has to be told
     * that files may carry overrides. */
    if (s->is_user && s->options.ids.n_ids >= UINT32_MAX - 1)
        s->options.ids.n_ids = UINT32_MAX - 2;
}

static int try_driver(struct snapshots *s, const struct snapshot_driver *d, struct err *err)
{
    s->driver = d;
    free(s->form);
    s->form = xasprintf("%s%s%s", d->name, s->is_user ? "-user" : "",
                        s->options.ids.is_single ? "-single" : "");
    if (d->open(s, err) == 0)
        return 0;
    s->driver = NULL;
    return err_wrap(err, "snapshots with the driver %s", d->name);
}

static int choose_driver(struct snapshots *s, struct err *err)
{
    static const struct snapshot_driver *const drivers[] = { &overlay_driver, &directory_driver };
    const size_t n = sizeof drivers / sizeof *drivers;
    const char *wanted = s->options.driver;
    for (size_t i = 0; i < n; i++) {
        if (wanted && strcmp(wanted, drivers[i]->name) != 0)
            continue;
        err_clear(err);
        if (try_driver(s, drivers[i], err) == 0)
            return 0;
        if (err->kind != ERR_UNSUPPORTED || wanted)
            return -1;
    }
    return wanted ? err_set(err, ERR_INVALID,
                            "snapshots with the driver %s: there is no such driver", wanted)
                  : -1;
}

int snapshots_open(const struct snapshots_options *o, struct snapshots **out, struct err *err)
{
    AUTO(snapshots_close) struct snapshots *s = xcalloc(1, sizeof *s);
    s->options = *o;
    if (!s->options.transfers)
        s->options.transfers = o->pool;
    s->fd = s->own_lock = -1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    if (record_prepare(store_db(o->store), err) || place_prepare(s, err))
        return -1;
    find_rights(s);
    if (choose_driver(s, err))
        return -1;
    s->options.driver = s->driver->name;
    object_kind_add(o->store, &(struct object_kind){ .prefix = PREFIX, .hide = hide });
    *out = STEAL(s);
    return 0;
}

void snapshots_close(struct snapshots *s)
{
    if (!s)
        return;
    if (s->driver)
        s->driver->close(s);
    place_release(s);
    map_clear(&s->nodes);
    free(s->form);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

const char *snapshots_driver(const struct snapshots *s)
{
    return s->driver->name;
}

size_t snapshots_n_lost(const struct snapshots *s)
{
    return s->n_lost;
}

void snapshots_wait(struct snapshots *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* ---- references ---- */

struct snapshot *snapshot_ref(struct snapshot *s)
{
    if (!s)
        return NULL;
    pthread_mutex_lock(&s->all->lock);
    s->refs++;
    pthread_mutex_unlock(&s->all->lock);
    return s;
}

/* The last reference is gone and the table does not know it any more. */
static void node_free(struct snapshot *s)
{
    free(s->id);
    free(s->origin);
    free(s->folder);
    descriptor_clear(&s->blob);
    free(s);
}

void snapshot_unref(struct snapshot *s)
{
    while (s) {
        struct snapshots *all = s->all;
        pthread_mutex_lock(&all->lock);
        bool is_last = --s->refs == 0;
        if (is_last)
            map_remove(&all->nodes, s->id);
        pthread_mutex_unlock(&all->lock);
        if (!is_last)
            return;
        struct snapshot *parent = s->parent;
        node_free(s);
        s = parent;
    }
}

const char *snapshot_id(const struct snapshot *s)
{
    return s->id;
}

struct snapshot *snapshot_parent(const struct snapshot *s)
{
    return s->parent;
}

int64_t snapshot_created_s(const struct snapshot *s)
{
    return s->created_s;
}

size_t snapshot_depth(const struct snapshot *s)
{
    return s ? s->depth : 0;
}

const char *snapshot_origin(const struct snapshot *s)
{
    return s->origin;
}

/* ---- nodes ---- */

static struct snapshot *node_new(struct snapshots *s, const struct record *r,
                                 struct snapshot *parent)
{
    struct snapshot *node = xcalloc(1, sizeof *node);
    *node = (struct snapshot){
        .all = s,
        .parent = parent,
        .id = xstrdup(r->id),
        .depth = snapshot_depth(parent) + 1,
        .is_step = r->is_step,
        .created_s = r->created_s,
        .diff_id = r->layer.diff_id,
        .origin = xstrdup_or_null(r->origin),
        .folder = xstrdup_or_null(r->folder),
        .refs = 1,
    };
    if (r->layer.blob.media_type)
        descriptor_copy(&node->blob, &r->layer.blob);
    return node;
}

struct snapshot *node_of_record(struct snapshots *s, const struct record *r,
                                struct snapshot *parent)
{
    pthread_mutex_lock(&s->lock);
    struct snapshot *node = map_find(&s->nodes, r->id);
    if (node) {
        node->refs++;
        if (!node->folder)
            node->folder = xstrdup_or_null(r->folder);
    } else {
        node = node_new(s, r, parent);
        map_set(&s->nodes, r->id, node);
        parent = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    snapshot_unref(parent);
    return node;
}

int node_put_object(struct snapshot *s, uint64_t size, const struct digest *blob, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list needs = { 0 };
    if (s->parent)
        str_list_push(&needs, s->parent->id);
    if (blob)
        str_list_push(&needs, digest_text(blob).s);
    return object_put(s->all->options.store, s->id, size, &needs, err);
}

/* ---- layers of images ---- */

/* The id of a chain of n layers, given that of the n - 1 below.  With the blob's size: an image
 * that lies about it spoils no other. */
static char *chain_name(const struct snapshots *s, const char *below, const struct layer_ref *layer)
{
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    uint64_t size = htole64(layer->blob.size);
    hasher_update_framed(h, span_of(below ? below : s->form));
    hasher_update_framed(h, span_of(digest_text(&layer->diff_id).s));
    hasher_update_framed(h, span_of(digest_text(&layer->blob.digest).s));
    hasher_update_framed(h, span_bytes(&size, sizeof size));
    struct digest d = hasher_final(h);
    return xasprintf(PREFIX "%s", digest_hex(&d).s);
}

int layer_node(struct snapshots *s, const struct layer_ref *layer, const char *origin,
               struct snapshot *parent, struct snapshot **out, struct err *err)
{
    AUTO(snapshot_unref) struct snapshot *below = parent;
    AUTO_VALUE(record_clear) struct record r = { 0 };
    struct db *db = store_db(s->options.store);
    AUTO_FREE char *id = chain_name(s, below ? below->id : NULL, layer);
    bool is_there = false;
    if (record_find(db, id, &r, &is_there, err))
        return -1;
    if (!is_there) {
        r = (struct record){ .id = xstrdup(id),
                             .parent = xstrdup_or_null(below ? below->id : NULL),
                             .origin = xstrdup_or_null(origin),
                             .form = xstrdup(s->form) };
        layer_ref_copy(&r.layer, layer);
        if (record_add(db, &r, err))
            return -1;
    } else if (origin && (!r.origin || strcmp(origin, r.origin) != 0)) {
        if (record_set_origin(db, id, origin, err))
            return -1;
        free(r.origin);
        r.origin = xstrdup(origin);
    }
    AUTO(snapshot_unref) struct snapshot *node = node_of_record(s, &r, STEAL(below));
    if (!is_there && node_put_object(node, 0, NULL, err))
        return -1;
    *out = STEAL(node);
    return 0;
}

static int layers_inside(struct snapshots *s, const struct layer_ref *layers, size_t n,
                         const char *origin, struct snapshot **out, struct err *err)
{
    AUTO(snapshot_unref) struct snapshot *top = NULL;
    for (size_t i = 0; i < n; i++) {
        struct snapshot *next = NULL;
        if (layer_node(s, &layers[i], origin, STEAL(top), &next, err))
            return -1;
        top = next;
    }
    bool is_there = true;
    if (top && object_touch(s->options.store, top->id, &is_there, err))
        return -1;
    if (!is_there)
        return err_set(err, ERR_CORRUPT,
                       "record the layers of an image: the store lost some of them");
    *out = STEAL(top);
    return 0;
}

int snapshot_of_layers(struct snapshots *s, const struct layer_ref *layers, size_t n,
                       const char *origin, struct snapshot **out, struct err *err)
{
    struct db *db = store_db(s->options.store);
    *out = NULL;
    if (n > LIMIT_LAYERS)
        return err_set(err, ERR_LIMIT, "an image of %zu layers: at most %d", n, LIMIT_LAYERS);
    if (db_begin(db, err))
        return -1;
    int status = layers_inside(s, layers, n, origin, out, err);
    if (db_end(db, status == 0, err) || status) {
        snapshot_unref(STEAL(*out));
        return -1;
    }
    return 0;
}

/* ---- finding ---- */

/* Records from `id` down to scratch; *is_whole false when one is not there or not for us. */
static int read_chain(struct snapshots *s, const char *id, struct record *records, size_t *n,
                      bool *is_whole, struct err *err)
{
    AUTO_FREE char *next = xstrdup(id);
    *is_whole = true;
    while (next && *is_whole) {
        struct record *r = &records[*n];
        if (*n == LIMIT_LAYERS)
            return err_set(err, ERR_LIMIT, "find %s: more than %d layers", id, LIMIT_LAYERS);
        if (record_find(store_db(s->options.store), next, r, is_whole, err))
            return -1;
        *n += *is_whole;
        free(STEAL(next));
        if (*is_whole) {
            *is_whole = strcmp(r->form, s->form) == 0;
            next = xstrdup_or_null(r->parent);
        }
    }
    return 0;
}

static int find_inside(struct snapshots *s, const char *id, struct snapshot **out, struct err *err)
{
    bool is_whole = false;
    if (object_touch(s->options.store, id, &is_whole, err))
        return -1;
    if (!is_whole)
        return 0;
    struct record *records = xcalloc(LIMIT_LAYERS, sizeof *records);
    size_t n = 0;
    int status = read_chain(s, id, records, &n, &is_whole, err);
    if (status == 0 && is_whole)
        for (size_t i = n; i > 0; i--)
            *out = node_of_record(s, &records[i - 1], *out);
    for (size_t i = 0; i < n; i++)
        record_clear(&records[i]);
    free(records);
    return status;
}

int snapshot_find(struct snapshots *s, const char *id, struct snapshot **out, struct err *err)
{
    struct db *db = store_db(s->options.store);
    *out = NULL;
    if (strncmp(id, PREFIX, strlen(PREFIX)) != 0)
        return err_set(err, ERR_INVALID, "find the snapshot %s: no id of a snapshot", id);
    if (db_begin(db, err))
        return -1;
    int status = find_inside(s, id, out, err);
    if (db_end(db, status == 0, err) || status) {
        snapshot_unref(STEAL(*out));
        return -1;
    }
    return 0;
}
