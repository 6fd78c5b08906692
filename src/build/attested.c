/* build/attested.c - see attested.h. */
#include "build/attested.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/attest/spdx.h"
#include "engine/scan/scan.h"
#include "image/store/blob.h"
#include "image/store/lease.h"

#define MEDIA_STATEMENT "application/vnd.in-toto+json"
#define MEDIA_SPDX "application/spdx+json"
#define PREDICATE_ANNOTATION "in-toto.io/predicate-type"

struct search {
    struct engine *engine;
    const struct attested_query *query;
    const struct image *image;
    bool asks_registry;
    struct str_list *out;
    struct map seen; /* manifests, by digest */
};

/* From the store, else from the registry. */
static int read_manifest(struct search *s, const struct digest *d, struct buf *out,
                         struct descriptor *got, struct err *err)
{
    bool is_there = false;
    struct store *st = engine_store(s->engine);
    if (blob_find(st, d, &is_there, NULL, err))
        return -1;
    if (!is_there)
        return remote_manifest(engine_remote(s->engine), s->query->image, d, out, got,
                               s->query->cancel, err);
    if (blob_read(st, d, out, err))
        return -1;
    const char *type = manifest_sniff(buf_span(out));
    if (!type)
        return err_set(err, ERR_INVALID, "%s: no manifest", digest_text(d).s);
    *got = descriptor_make(type, d, out->len);
    return 0;
}

static bool is_wanted(const struct search *s, const char *type)
{
    return type && strncmp(type, s->query->predicate_type, strlen(s->query->predicate_type)) == 0;
}

static int take_statement(struct search *s, struct span text, struct err *err)
{
    AUTO(json_free) struct json *o = NULL;
    if (json_parse(text, &o, err))
        return err_wrap(err, "statement");
    const struct json *predicate = json_get(o, "predicate");
    if (!json_get_str(o, "predicateType") || json_type(predicate) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "statement: it has no predicate");
    if (!is_wanted(s, json_get_str(o, "predicateType")))
        return 0;
    struct buf print;
    buf_init(&print, 8 * LIMIT_ATTESTATION);
    json_print(predicate, &print);
    str_list_take(s->out, buf_take(&print));
    return 0;
}

static int take_layer(struct search *s, const struct descriptor *layer, struct err *err)
{
    const char *said = map_find_str(&layer->annotations, PREDICATE_ANNOTATION);
    bool is_statement = strcmp(layer->media_type, MEDIA_STATEMENT) == 0;
    bool is_bare = strcmp(layer->media_type, MEDIA_SPDX) == 0 && is_wanted(s, SPDX_PREDICATE);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    if ((!is_statement && !is_bare) || (said && !is_wanted(s, said)))
        return 0;
    if (layer->size > LIMIT_ATTESTATION)
        return err_set(err, ERR_LIMIT, "a statement of %llu bytes",
                       (unsigned long long)layer->size);
    buf_init(&text, LIMIT_ATTESTATION);
    if (remote_pull_blob(engine_remote(s->engine), s->query->image, layer, engine_store(s->engine),
                         s->query->cancel, err) ||
        blob_read(engine_store(s->engine), &layer->digest, &text, err))
        return -1;
    if (is_statement)
        return take_statement(s, buf_span(&text), err);
    str_list_take(s->out, buf_take(&text));
    return 0;
}

static int take_manifest(struct search *s, const struct digest *d, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor got = { 0 };
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    if (map_has(&s->seen, digest_text(d).s))
        return 0;
    map_set(&s->seen, digest_text(d).s, NULL);
    buf_init(&bytes, LIMIT_MANIFEST);
    if (read_manifest(s, d, &bytes, &got, err))
        return -1;
    if (media_is_index(got.media_type))
        return 0;
    if (manifest_parse(buf_span(&bytes), got.media_type, &m, err))
        return -1;
    vec_each (&m.layers, layer)
        if (take_layer(s, layer, err))
            return -1;
    return 0;
}

/* What the index says is about the image. */
static int search_index(struct search *s, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    AUTO_VALUE(index_clear) struct index index = { 0 };
    struct digest_text about = digest_text(&s->image->manifest.digest);
    if (!media_is_index(s->image->target.media_type))
        return 0;
    buf_init(&bytes, LIMIT_MANIFEST);
    if (blob_read(engine_store(s->engine), &s->image->target.digest, &bytes, err) ||
        index_parse(buf_span(&bytes), s->image->target.media_type, &index, err))
        return -1;
    vec_each (&index.manifests, entry) {
        const char *type = map_find_str(&entry->annotations, "vnd.docker.reference.type");
        const char *digest = map_find_str(&entry->annotations, "vnd.docker.reference.digest");
        if (type && digest && strcmp(type, "attestation-manifest") == 0 &&
            strcmp(digest, about.s) == 0 && take_manifest(s, &entry->digest, err))
            return err_wrap(err, "attestation %s", digest_text(&entry->digest).s);
    }
    return 0;
}

static int search_referrers(struct search *s, struct err *err)
{
    struct descriptors all = { 0 };
    const struct digest *about = &s->image->manifest.digest;
    int status = manifest_referrers(engine_store(s->engine), about, &all, err);
    if (status == 0 && s->asks_registry)
        status = remote_referrers(engine_remote(s->engine), s->query->image, about, NULL, &all,
                                  s->query->cancel, err);
    for (size_t i = 0; i < all.n && status == 0; i++)
        status = take_manifest(s, &all.items[i].digest, err);
    descriptors_clear(&all);
    return status;
}

/* An image named by its digest may be here without anybody having asked for what is said of it. Its
 * registry may be out of reach, and need not be: then nothing is found. */
static void ask_for_more(struct search *s)
{
    struct err unreachable = { 0 };
    if (!digest_is_set(&s->query->image->digest))
        return;
    s->asks_registry = true;
    (void)!search_referrers(s, &unreachable);
}

/* The store's, else the registry's. */
static int get_image(struct engine *e, const struct attested_query *q, const struct image **out,
                     bool *is_remote, struct err *err)
{
    struct image_source *images = engine_images(e);
    *is_remote = q->is_remote;
    if (!q->is_remote) {
        if (image_source_get(images, q->image, q->platform, RESOLVE_LOCAL, q->cancel, out, err) ==
            0)
            return 0;
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        *is_remote = true;
    }
    return image_source_get(images, q->image, q->platform, RESOLVE_PULL, q->cancel, out, err);
}

int attested_find(struct engine *e, const struct attested_query *q, struct str_list *out,
                  struct err *err)
{
    AUTO(lease_close) struct lease *lease = NULL;
    struct search s = { .engine = e, .query = q, .out = out };
    if (lease_open(engine_store(e), 0, &lease, err) ||
        get_image(e, q, &s.image, &s.asks_registry, err))
        return -1;
    /* Who pulled the index has what it names; others of the same image may say the same again. */
    int status = search_index(&s, err);
    if (status == 0 && !out->n)
        status = search_referrers(&s, err);
    if (status == 0 && !out->n && !s.asks_registry)
        ask_for_more(&s);
    map_clear(&s.seen);
    return status;
}

int attested_scan(struct engine *e, const struct attested_query *q, const char *name,
                  struct buf *out, struct err *err)
{
    AUTO(lease_close) struct lease *lease = NULL;
    AUTO(snapshot_unref) struct snapshot *snapshot = NULL;
    AUTO(view_close) struct view *view = NULL;
    AUTO_VALUE(scan_result_clear) struct scan_result found = { 0 };
    const struct image *image = NULL;
    struct scan_options how = { .cancel = q->cancel };
    bool is_remote = false;
    if (lease_open(engine_store(e), 0, &lease, err) || get_image(e, q, &image, &is_remote, err) ||
        snapshot_of_layers(engine_snapshots(e), image->layers.items, image->layers.n, image->origin,
                           &snapshot, err) ||
        view_open(engine_snapshots(e), snapshot, q->cancel, &view, err) ||
        scan_root(view_fd(view), &how, &found, err))
        return -1;
    /* The time of the image, so that the same image gives the same document. */
    const char *created = image->config.created;
    struct spdx_options o = { .name = name, .created = created ? created : "1970-01-01T00:00:00Z" };
    char text[TIME_TEXT_MAX];
    struct timespec t = { 0 };
    if (created && time_parse(created, &t, err))
        return err_wrap(err, "the image's time");
    t.tv_nsec = 0; /* SPDX knows no parts of seconds */
    time_print(t, text);
    o.created = text;
    spdx_print(&found, &o, out);
    return 0;
}
