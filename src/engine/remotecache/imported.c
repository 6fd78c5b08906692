/* engine/remotecache/imported.c - see imported.h. */
#include "engine/remotecache/imported.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec/json.h"
#include "base/codec/text.h"
#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/remotecache/internal.h"
#include "engine/remotecache/mounts.h"

#define INLINE_KEY "moby.buildkit.cache.v0"

void imported_cache_free(struct imported_cache *c)
{
    if (!c)
        return;
    cache_document_clear(&c->document);
    vec_each (&c->refs, ref)
        layer_ref_clear(ref);
    vec_clear(&c->refs);
    vec_clear(&c->created);
    vec_each (&c->mounts, m) {
        free(m->id);
        layer_ref_clear(&m->layer);
    }
    vec_clear(&c->mounts);
    free(c->layers);
    free(c->origin);
    free(c);
}

void imported_caches_clear(struct imported_caches *l)
{
    vec_each (l, c)
        imported_cache_free(*c);
    vec_clear(l);
}

/* ---- layers ---- */

/* Puts what the manifest lists to the document's layers, by digest. */
static void join_layers(struct imported_cache *c)
{
    struct map by_digest = { 0 };
    vec_each (&c->refs, ref)
        map_set(&by_digest, digest_text(&ref->blob.digest).s, ref);
    c->layers = xcalloc(c->document.n_layers + 1, sizeof *c->layers);
    for (size_t i = 0; i < c->document.n_layers; i++) {
        struct layer_ref *ref = map_find(&by_digest, digest_text(&c->document.layers[i].blob).s);
        if (!ref)
            continue;
        c->layers[i] =
            (struct imported_layer){ .ref = ref,
                                     .created_s = c->created.items[ref - c->refs.items] };
    }
    map_clear(&by_digest);
}

static int64_t seconds_of(const char *text)
{
    struct timespec t = { 0 };
    struct err ignored = { 0 };
    return text && time_parse(text, &t, &ignored) == 0 ? (int64_t)t.tv_sec : 0;
}

/* A layer that says what it unpacks to; others are of no use. */
static void take_layer(struct imported_cache *c, const struct descriptor *d,
                       const struct digest *diff_id, const char *created)
{
    enum compression compression;
    if (!media_is_layer(d->media_type, &compression) || d->size == 0)
        return;
    struct layer_ref *ref = vec_push(&c->refs);
    *ref = (struct layer_ref){ .blob = descriptor_make(d->media_type, &d->digest, d->size),
                               .diff_id = *diff_id };
    *vec_push(&c->created) = seconds_of(created);
}

static void take_noted_layer(struct imported_cache *c, const struct descriptor *d)
{
    const char *text = map_find_str(&d->annotations, NOTE_DIFF_ID);
    const char *mount = map_find_str(&d->annotations, NOTE_MOUNT);
    struct digest diff_id;
    struct err ignored = { 0 };
    if (!text || digest_parse(span_of(text), &diff_id, &ignored))
        return;
    if (mount) {
        struct imported_mount *m = vec_push(&c->mounts);
        *m = (struct imported_mount){ .id = xstrdup(mount), .layer.diff_id = diff_id };
        m->layer.blob = descriptor_make(d->media_type, &d->digest, d->size);
    } else {
        take_layer(c, d, &diff_id, map_find_str(&d->annotations, NOTE_CREATED));
    }
}

/* ---- caches of their own ---- */

static int read_document(struct cache_place *p, const struct descriptor *d,
                         struct imported_cache *c, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_JSON);
    if (p->ops->read_blob(p, d, &text, err) ||
        cache_document_parse(buf_span(&text), &c->document, err))
        return -1;
    join_layers(c);
    return 0;
}

static struct imported_cache *cache_new(const struct cache_place *p)
{
    struct imported_cache *c = xcalloc(1, sizeof *c);
    c->origin = xstrdup(p->origin);
    return c;
}

/* The descriptors of an array; *config becomes the one of the document, when it is among them. */
static int read_entries(const struct json *array, struct imported_cache *c,
                        struct descriptor *config, struct err *err)
{
    if (json_len(array) > LIMIT_CACHE_LAYERS)
        return err_set(err, ERR_LIMIT, "%zu layers, more than %zu", json_len(array),
                       LIMIT_CACHE_LAYERS);
    for (size_t i = 0; i < json_len(array); i++) {
        AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
        if (descriptor_read(json_at(array, i), &d, err))
            return err_wrap(err, "entry %zu", i);
        if (strcmp(d.media_type, MEDIA_CACHE_CONFIG) != 0) {
            take_noted_layer(c, &d);
        } else {
            descriptor_clear(config);
            descriptor_copy(config, &d);
        }
    }
    return 0;
}

/* ---- images that carry records ---- */

/* created_by and created of the entries of the history that have layers, as these come. */
static void take_image_layers(struct imported_cache *c, const struct manifest *m,
                              const struct image_config *image)
{
    size_t at = 0;
    for (size_t i = 0; i < m->layers.n; i++) {
        while (at < image->history.n && image->history.items[at].is_empty_layer)
            at++;
        take_layer(c, &m->layers.items[i], &image->diff_ids.items[i],
                   at < image->history.n ? image->history.items[at++].created : NULL);
    }
}

static int read_inline_records(const char *base64, const struct manifest *m,
                               struct imported_cache *c, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    AUTO_FREE struct digest *layers = xcalloc(m->layers.n + 1, sizeof *layers);
    buf_init(&text, LIMIT_CONFIG);
    for (size_t i = 0; i < m->layers.n; i++)
        layers[i] = m->layers.items[i].digest;
    if (base64_parse(span_of(base64), &text, err) ||
        cache_document_parse_records(buf_span(&text), layers, m->layers.n, &c->document, err))
        return err_wrap(err, "field %s", INLINE_KEY);
    join_layers(c);
    return 0;
}

static int read_image(struct cache_place *p, struct span bytes, struct imported_caches *out,
                      struct err *err)
{
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    AUTO_VALUE(image_config_clear) struct image_config image = { 0 };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_CONFIG);
    if (manifest_parse(bytes, NULL, &m, err))
        return -1;
    if (!media_is_config(m.config.media_type))
        return 0; /* an artifact of another kind */
    if (p->ops->read_blob(p, &m.config, &text, err) ||
        image_config_parse(buf_span(&text), &image, err))
        return err_wrap(err, "config");
    const char *records = json_get_str(image.raw, INLINE_KEY);
    if (!records || image.diff_ids.n != m.layers.n)
        return 0;
    AUTO(imported_cache_free) struct imported_cache *c = cache_new(p);
    take_image_layers(c, &m, &image);
    if (read_inline_records(records, &m, c, err))
        return -1;
    *vec_push(out) = STEAL(c);
    return 0;
}

static int read_images(struct cache_place *p, struct span bytes, struct imported_caches *out,
                       struct err *err)
{
    enum { PLATFORMS_MAX = 64 };
    AUTO_VALUE(index_clear) struct index index = { .annotations = STR_MAP };
    if (index_parse(bytes, NULL, &index, err))
        return -1;
    size_t n = 0;
    vec_each (&index.manifests, d) {
        AUTO_VALUE(buf_clear) struct buf text = { 0 };
        bool is_attestation = map_find_str(&d->annotations, "vnd.docker.reference.type");
        buf_init(&text, LIMIT_MANIFEST);
        if (!media_is_manifest(d->media_type) || is_attestation)
            continue;
        if (n++ == PLATFORMS_MAX)
            return err_set(err, ERR_LIMIT, "an index of more than %d images", PLATFORMS_MAX);
        if (p->ops->read_manifest(p, &d->digest, &text, err) ||
            read_image(p, buf_span(&text), out, err))
            return err_wrap(err, "manifest %s", digest_text(&d->digest).s);
    }
    return 0;
}

/* ---- whichever it is ---- */

static int read_cache(struct cache_place *p, struct json *o, struct span bytes,
                      struct imported_caches *out, struct err *err)
{
    const struct json *entries = json_get(o, "manifests"), *layers = json_get(o, "layers");
    AUTO(imported_cache_free) struct imported_cache *c = cache_new(p);
    AUTO_VALUE(descriptor_clear) struct descriptor config = { 0 };
    const char *type = json_get_str(json_get(o, "config"), "mediaType");
    bool is_manifest = !entries && type && strcmp(type, MEDIA_CACHE_CONFIG) == 0;
    if ((entries && layers) || (!entries && !layers))
        return err_set(err, ERR_INVALID, "is neither a manifest nor an index");
    if (entries && read_entries(entries, c, &config, err))
        return -1;
    if (is_manifest && (descriptor_read(json_get(o, "config"), &config, err) ||
                        read_entries(layers, c, &config, err)))
        return -1;
    if (!config.media_type)
        return entries ? read_images(p, bytes, out, err) : read_image(p, bytes, out, err);
    if (read_document(p, &config, c, err))
        return -1;
    *vec_push(out) = STEAL(c);
    return 0;
}

int imported_caches_read(struct cache_place *p, struct imported_caches *out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    AUTO(json_free) struct json *o = NULL;
    buf_init(&bytes, LIMIT_MANIFEST);
    if (p->ops->read_manifest(p, NULL, &bytes, err) || json_parse(buf_span(&bytes), &o, err))
        return -1;
    return read_cache(p, o, buf_span(&bytes), out, err);
}

/* ---- results ---- */

void layer_chain_clear(struct layer_chain *l)
{
    for (size_t i = 0; i < l->n; i++)
        layer_ref_clear(&l->items[i]);
    free(l->items);
    free(l->created_s);
    *l = (struct layer_chain){ 0 };
}

bool imported_cache_has(const struct imported_cache *c, const struct cache_result *r)
{
    uint32_t chain[LIMIT_LAYERS];
    size_t n = 0;
    if (!cache_result_layers(&c->document, r, chain, &n) || n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!c->layers[chain[i]].ref)
            return false;
    return true;
}

void imported_cache_chain(const struct imported_cache *c, const struct cache_result *r,
                          struct layer_chain *out)
{
    uint32_t chain[LIMIT_LAYERS];
    size_t n = 0;
    if (!cache_result_layers(&c->document, r, chain, &n))
        n = 0;
    *out = (struct layer_chain){ .items = xcalloc(n + 1, sizeof *out->items),
                                 .created_s = xcalloc(n + 1, sizeof *out->created_s),
                                 .n = n };
    for (size_t i = 0; i < n; i++) {
        layer_ref_copy(&out->items[i], c->layers[chain[i]].ref);
        out->created_s[i] = c->layers[chain[i]].created_s;
    }
}
