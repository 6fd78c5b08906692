/* engine/remotecache/exporter.c - see exporter.h. */
#include "engine/remotecache/exporter.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec/json.h"
#include "base/codec/text.h"
#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/remotecache/internal.h"
#include "engine/remotecache/mounts.h"

enum { SEALS_AT_ONCE = 2, SENDS_AT_ONCE = 4 };

/* One export on its way. */
struct sending {
    const struct cache_export *e;
    const struct cache_spec *spec;
    struct cache_place *place;
    const char *task;     /* for progress */
    struct json *entries; /* owned: descriptors of the manifest */
};

struct layer_task {
    struct sending *sending;
    const struct layer_ref *layer;
    struct snapshot *snapshot; /* NULL: the blob is in the store */
};

/* ---- layers ---- */

struct seal_task {
    const struct export_host *host;
    const struct seal_options *options;
    struct collected_layer *layer;
};

static int seal_one(void *arg, struct err *err)
{
    struct seal_task *t = arg;
    layer_ref_clear(&t->layer->sealed);
    return snapshot_seal(t->host->snapshots, t->layer->snapshot, t->options, &t->layer->sealed,
                         err);
}

static int seal_layers(const struct export_host *h, const struct seal_options *o,
                       struct collected_layer **layers, size_t n, struct err *err)
{
    AUTO_FREE struct seal_task *tasks = xcalloc(n + 1, sizeof *tasks);
    AUTO(task_group_free) struct task_group *g = task_group_new(h->transfers, SEALS_AT_ONCE);
    for (size_t i = 0; i < n; i++) {
        tasks[i] = (struct seal_task){ .host = h, .options = o, .layer = layers[i] };
        task_group_add(g, seal_one, &tasks[i]);
    }
    return task_group_wait(g, err);
}

static int send_layer(void *arg, struct err *err)
{
    struct layer_task *t = arg;
    const struct export_host *h = t->sending->e->host;
    AUTO_FREE char *part = xasprintf("writing layer %s", digest_text(&t->layer->blob.digest).s);
    progress_status(h->progress, t->sending->task, part, 0, t->layer->blob.size);
    if (cancel_check(h->cancel, err) ||
        t->sending->place->ops->write_layer(t->sending->place, t->layer, t->snapshot, err))
        return err_wrap(err, "%s", part);
    progress_part_done(h->progress, t->sending->task, part, t->layer->blob.size);
    return 0;
}

/* How the manifest lists a layer. */
static void add_entry(struct sending *s, const struct layer_ref *layer, int64_t created_s,
                      const char *mount_id)
{
    enum compression compression = COMPRESSION_NONE;
    enum media_family family = s->spec->has_docker_types ? MEDIA_FAMILY_DOCKER : MEDIA_FAMILY_OCI;
    const char *type = layer->blob.media_type;
    if (media_is_layer(type, &compression))
        type = media_layer_type(family, compression);
    AUTO_VALUE(descriptor_clear)
    struct descriptor d = descriptor_make(type, &layer->blob.digest, layer->blob.size);
    if (mount_id)
        map_set_str(&d.annotations, NOTE_MOUNT, mount_id);
    if (created_s) {
        char text[TIME_TEXT_MAX];
        time_print((struct timespec){ .tv_sec = created_s }, text);
        map_set_str(&d.annotations, NOTE_CREATED, text);
    }
    map_set_str(&d.annotations, NOTE_DIFF_ID, digest_text(&layer->diff_id).s);
    json_push(s->entries, descriptor_write(&d));
}

/* Each blob once, however many chains it is in. */
static int send_layers(struct sending *s, const struct cache_document *d,
                       struct collected_layer **layers, struct err *err)
{
    AUTO_FREE struct layer_task *tasks = xcalloc(d->n_layers + 1, sizeof *tasks);
    AUTO(task_group_free)
    struct task_group *g = task_group_new(s->e->host->transfers, SENDS_AT_ONCE);
    for (size_t i = 0; i < d->n_layers; i++) {
        if (i > 0 && digest_equal(&d->layers[i].blob, &d->layers[i - 1].blob))
            continue; /* sorted by blob */
        tasks[i] = (struct layer_task){ .sending = s,
                                        .layer = &layers[i]->sealed,
                                        .snapshot = layers[i]->snapshot };
        add_entry(s, &layers[i]->sealed, snapshot_created_s(layers[i]->snapshot), NULL);
        task_group_add(g, send_layer, &tasks[i]);
    }
    return task_group_wait(g, err);
}

/* ---- cache mounts ---- */

static int send_mount(struct sending *s, const char *id, struct err *err)
{
    const struct export_host *h = s->e->host;
    AUTO_VALUE(layer_ref_clear) struct layer_ref layer = { 0 };
    AUTO_FREE char *part = xasprintf("packing the cache mount %s", id);
    const char *why = NULL;
    progress_status(h->progress, s->task, part, 0, 0);
    if (cache_mount_pack(h, s->e->ids, id, s->spec, &layer, &why, err))
        return err_wrap(err, "%s", part);
    if (why) {
        AUTO_FREE char *left = xasprintf("leaving out the cache mount %s: %s", id, why);
        progress_part_done(h->progress, s->task, left, 0);
        return 0;
    }
    progress_part_done(h->progress, s->task, part, layer.blob.size);
    struct layer_task t = { .sending = s, .layer = &layer };
    if (send_layer(&t, err))
        return -1;
    add_entry(s, &layer, 0, id);
    return 0;
}

static int send_mounts(struct sending *s, struct err *err)
{
    vec_each (s->e->mount_ids, id)
        if (cache_spec_has_mount(s->spec, *id) && send_mount(s, *id, err))
            return -1;
    return 0;
}

/* ---- documents ---- */

static struct json *config_json(const struct digest *d, size_t size)
{
    AUTO_VALUE(descriptor_clear)
    struct descriptor config = descriptor_make(MEDIA_CACHE_CONFIG, d, size);
    return descriptor_write(&config);
}

/* An image manifest with the document as its config, or an index with it as its last entry. */
static int write_manifest(struct sending *s, const struct digest *config, size_t config_size,
                          struct err *err)
{
    AUTO(json_free) struct json *o = json_new_object();
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    const char *type = !s->spec->is_index          ? MEDIA_OCI_MANIFEST
                       : s->spec->has_docker_types ? MEDIA_DOCKER_LIST
                                                   : MEDIA_OCI_INDEX;
    json_set_int(o, "schemaVersion", 2);
    json_set_str(o, "mediaType", type);
    if (s->spec->is_index)
        json_push(s->entries, config_json(config, config_size));
    else
        json_set(o, "config", config_json(config, config_size));
    json_set(o, s->spec->is_index ? "manifests" : "layers", json_ref(s->entries));
    buf_init(&text, 8 * LIMIT_MANIFEST);
    json_print(o, &text);
    if (text.len > LIMIT_MANIFEST)
        return err_set(err, ERR_LIMIT, "the cache's manifest has %zu bytes, more than %zu",
                       text.len, LIMIT_MANIFEST);
    struct digest d = digest_of(buf_span(&text));
    AUTO_FREE char *part = xasprintf("writing cache %smanifest %s",
                                     s->spec->is_index ? "" : "image ", digest_text(&d).s);
    progress_status(s->e->host->progress, s->task, part, 0, text.len);
    if (s->place->ops->write_manifest(s->place, type, buf_span(&text), err))
        return err_wrap(err, "%s", part);
    progress_part_done(s->e->host->progress, s->task, part, text.len);
    return 0;
}

static int write_documents(struct sending *s, const struct cache_document *d, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct digest digest;
    buf_init(&text, 4 * LIMIT_JSON);
    cache_document_print(d, &text);
    if (text.len > LIMIT_JSON)
        return err_set(err, ERR_LIMIT, "the cache's records have %zu bytes, more than %zu",
                       text.len, LIMIT_JSON);
    digest = digest_of(buf_span(&text));
    AUTO_FREE char *part = xasprintf("writing config %s", digest_text(&digest).s);
    progress_status(s->e->host->progress, s->task, part, 0, text.len);
    if (s->place->ops->write_blob(s->place, buf_span(&text), &digest, err))
        return err_wrap(err, "%s", part);
    progress_part_done(s->e->host->progress, s->task, part, text.len);
    return write_manifest(s, &digest, text.len, err);
}

/* ---- all of it ---- */

static struct seal_options seal_options_of(const struct cache_export *e,
                                           const struct cache_spec *spec)
{
    return (struct seal_options){ .keeps_pulled = true,
                                  .compression = spec->compression,
                                  .level = spec->compression_level,
                                  .is_forced = spec->is_forced,
                                  .cancel = e->host->cancel };
}

static int collect(struct sending *s, struct collector *c, struct err *err)
{
    static const char part[] = "preparing build cache for export";
    const struct cache_export *e = s->e;
    struct seal_options o = seal_options_of(e, s->spec);
    size_t n = 0;
    progress_status(e->host->progress, s->task, part, 0, 0);
    for (size_t i = 0; i < e->n_parts; i++)
        if (collector_add(c, &e->parts[i], s->spec->is_max, err))
            return -1;
    struct collected_layer **layers = collector_layers(c, &n);
    if (seal_layers(e->host, &o, layers, n, err))
        return -1;
    progress_part_done(e->host->progress, s->task, part, 0);
    return 0;
}

static int export_to(struct sending *s, struct err *err)
{
    AUTO(collector_free) struct collector *c = collector_new(s->e->host, s->e->cache);
    AUTO_VALUE(cache_document_clear) struct cache_document d = { 0 };
    AUTO_FREE struct collected_layer **layers = NULL;
    if (collect(s, c, err))
        return -1;
    collector_document(c, &d, &layers);
    if (send_layers(s, &d, layers, err) || send_mounts(s, err))
        return -1;
    if (json_len(s->entries) == 0) {
        progress_part_done(s->e->host->progress, s->task, "skipping cache export for empty result",
                           0);
        return 0;
    }
    return write_documents(s, &d, err);
}

int cache_export(const struct cache_export *e, const struct cache_spec *spec, struct err *err)
{
    AUTO(cache_place_close) struct cache_place *place = NULL;
    AUTO(json_free) struct json *entries = json_new_array();
    AUTO_FREE char *name = cache_spec_name(spec);
    AUTO_FREE char *task = xasprintf("export cache %s", name);
    const char *shown = spec->type == CACHE_LOCAL ? "exporting cache to client directory"
                                                  : "exporting cache to registry";
    progress_task_start(e->host->progress, task, shown);
    struct sending s = { .e = e, .spec = spec, .task = task, .entries = entries };
    int status = cache_place_open(e->host, spec, true, &place, err);
    s.place = place;
    if (status == 0)
        status = export_to(&s, err);
    if (status)
        err_wrap(err, "export cache to %s", name);
    progress_task_end(e->host->progress, task, status, err);
    return status;
}

/* ---- inside an image ---- */

/* Layers of an inline cache are counted from the base. */
static void count_from_base(struct cache_document *d)
{
    for (size_t i = 0; i < d->n_records; i++)
        for (size_t k = 0; k < d->records[i].n_results; k++) {
            struct cache_result *r = &d->records[i].results[k];
            int32_t depth = -1;
            for (int32_t at = r->layer; at >= 0; at = d->layers[at].parent)
                depth++;
            r->layer = depth;
        }
}

int cache_export_inline(const struct cache_export *e, const struct cache_part *part,
                        struct buf *out, struct err *err)
{
    AUTO(collector_free) struct collector *c = collector_new(e->host, e->cache);
    AUTO_VALUE(cache_document_clear) struct cache_document d = { 0 };
    AUTO_FREE struct collected_layer **layers = NULL;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    size_t n = 0;
    if (collector_add(c, part, false, err))
        return -1;
    /* No blob is needed: a layer is named by where it stands.  Its snapshot tells them apart. */
    struct collected_layer **list = collector_layers(c, &n);
    for (size_t i = 0; i < n; i++)
        list[i]->sealed.blob.digest = digest_of(span_of(snapshot_id(list[i]->snapshot)));
    collector_document(c, &d, &layers);
    if (d.n_layers == 0)
        return 0;
    count_from_base(&d);
    buf_init(&text, 4 * LIMIT_JSON);
    cache_document_print_records(&d, &text);
    base64_print(buf_span(&text), out);
    return 0;
}
