/* engine/source/image_source.c - see image_source.h.
 *
 * An answer is kept per (reference, platform, mode).  Who asks first fetches; others that ask for
 * the same wait. */
#include "engine/source/image_source.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/source/layout_source.h"
#include "image/registry/transfer.h"
#include "image/store/blob.h"
#include "image/store/name.h"

struct answer {
    bool is_fetching;
    struct image *image; /* owned; NULL while it is being fetched */
};

struct image_source {
    pthread_mutex_t lock; /* guards answers */
    pthread_cond_t changed;
    struct map answers; /* key -> struct answer */
    struct remote *remote;
    struct store *store;
};

static void image_free(struct image *i)
{
    if (!i)
        return;
    reference_clear(&i->reference);
    descriptor_clear(&i->target);
    descriptor_clear(&i->manifest);
    image_config_clear(&i->config);
    vec_each (&i->layers, layer)
        layer_ref_clear(layer);
    vec_clear(&i->layers);
    free(i->origin);
    free(i);
}
DEFINE_AUTO(struct image, image_free)

static void answer_free(void *p)
{
    struct answer *a = p;
    image_free(a->image);
    free(a);
}

struct image_source *image_source_new(struct remote *r, struct store *st)
{
    struct image_source *s = xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->answers.free_value = answer_free;
    s->remote = r;
    s->store = st;
    return s;
}

void image_source_free(struct image_source *s)
{
    if (!s)
        return;
    map_clear(&s->answers);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

/* What one request works with. */
struct request {
    struct image_source *source;
    const struct reference *ref;
    const char *layout; /* the folder instead of a registry; NULL: none */
    const struct platform *platform;
    const struct cancel *cancel;
};

/* ---- where documents come from ---- */

static int fetch_blob(struct request *q, const struct descriptor *blob, struct err *err)
{
    struct store *st = q->source->store;
    return q->layout ? layout_import(st, q->layout, blob, err)
                     : remote_pull_blob(q->source->remote, q->ref, blob, st, q->cancel, err);
}

/* A manifest or index into the store. */
static int fetch_manifest(struct request *q, const struct digest *d, struct descriptor *out,
                          struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor got = { 0 };
    buf_init(&bytes, LIMIT_MANIFEST);
    if (!q->layout) {
        if (remote_manifest(q->source->remote, q->ref, d, &bytes, &got, q->cancel, err))
            return -1;
        return manifest_put(q->source->store, buf_span(&bytes), got.media_type, out, err);
    }
    if (layout_document(q->layout, d, &bytes, err))
        return -1;
    const char *type = manifest_sniff(buf_span(&bytes));
    if (!type)
        return err_set(err, ERR_INVALID, "%s is no image", digest_text(d).s);
    return manifest_put(q->source->store, buf_span(&bytes), type, out, err);
}

/* ---- from manifests to an image ---- */

static int read_layers(struct image *out, const struct manifest *m, struct err *err)
{
    if (m->layers.n != out->config.diff_ids.n)
        return err_set(err, ERR_INVALID, "the manifest has %zu layers, the config %zu diffIDs",
                       m->layers.n, out->config.diff_ids.n);
    for (size_t i = 0; i < m->layers.n; i++) {
        enum compression compression;
        const struct descriptor *blob = &m->layers.items[i];
        if (!media_is_layer(blob->media_type, &compression))
            return err_set(err, ERR_UNSUPPORTED,
                           "layer %zu has the media type %s, which is no file system", i,
                           blob->media_type);
        struct layer_ref *layer = vec_push(&out->layers);
        descriptor_copy(&layer->blob, blob);
        layer->diff_id = out->config.diff_ids.items[i];
    }
    return 0;
}

/* The manifest's bytes are in the store; the config's too, or it is fetched. */
static int read_image(struct request *q, struct image *out, struct err *err)
{
    struct store *st = q->source->store;
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 }, config = { 0 };
    buf_init(&bytes, LIMIT_MANIFEST);
    buf_init(&config, LIMIT_CONFIG);
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    if (blob_read(st, &out->manifest.digest, &bytes, err) ||
        manifest_parse(buf_span(&bytes), out->manifest.media_type, &m, err))
        return -1;
    if (!media_is_config(m.config.media_type))
        return err_set(err, ERR_UNSUPPORTED, "this is no image but %s",
                       m.artifact_type ? m.artifact_type : m.config.media_type);
    if (fetch_blob(q, &m.config, err) || blob_read(st, &m.config.digest, &config, err) ||
        image_config_parse(buf_span(&config), &out->config, err))
        return err_wrap(err, "config");
    out->config_digest = m.config.digest;
    return read_layers(out, &m, err);
}

/* From an index in the store to the manifest for the platform, itself fetched when it is not there.
 */
static int choose_manifest(struct request *q, const struct descriptor *target,
                           struct descriptor *out, struct err *err)
{
    if (!media_is_index(target->media_type)) {
        descriptor_copy(out, target);
        return 0;
    }
    struct store *st = q->source->store;
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    buf_init(&bytes, LIMIT_MANIFEST);
    AUTO_VALUE(index_clear) struct index index = { 0 };
    const struct descriptor *entry = NULL;
    if (blob_read(st, &target->digest, &bytes, err) ||
        index_parse(buf_span(&bytes), target->media_type, &index, err) ||
        index_select(&index, q->platform, &entry, err))
        return -1;
    bool is_there = false;
    if (blob_find(st, &entry->digest, &is_there, NULL, err))
        return -1;
    if (is_there) {
        descriptor_copy(out, entry);
        return 0;
    }
    return fetch_manifest(q, &entry->digest, out, err);
}

static int image_of_target(struct request *q, const struct descriptor *target, struct image *out,
                           struct err *err)
{
    descriptor_copy(&out->target, target);
    if (choose_manifest(q, target, &out->manifest, err))
        return -1;
    return read_image(q, out, err);
}

/* ---- where the target comes from ---- */

/* A digest needs no registry when its manifest is in the store. */
static int target_in_store(struct request *q, bool by_name, struct descriptor *out, bool *is_there,
                           struct err *err)
{
    struct store *st = q->source->store;
    *is_there = false;
    if (digest_is_set(&q->ref->digest)) {
        if (blob_find(st, &q->ref->digest, is_there, NULL, err) || !*is_there)
            return err->kind ? -1 : 0;
        AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
        buf_init(&bytes, LIMIT_MANIFEST);
        if (blob_read(st, &q->ref->digest, &bytes, err))
            return -1;
        const char *type = manifest_sniff(buf_span(&bytes));
        *is_there = type != NULL;
        if (type)
            *out = descriptor_make(type, &q->ref->digest, bytes.len);
        return 0;
    }
    if (!by_name)
        return 0;
    AUTO_FREE char *name = reference_text(q->ref);
    return name_find(st, NAME_IMAGE, name, out, is_there, err);
}

/* Notes that the registry is asked for this name; *is_new when it never was, from this store. */
static int note_question(struct request *q, bool *is_new, struct err *err)
{
    static const char schema[] =
        "CREATE TABLE IF NOT EXISTS image_asked (name TEXT PRIMARY KEY) WITHOUT ROWID";
    struct db *db = store_db(q->source->store);
    AUTO_FREE char *name = reference_text(q->ref);
    AUTO(query_close) struct query *kept = NULL;
    if (db_apply(db, schema, err) ||
        query_open(db, "INSERT OR IGNORE INTO image_asked (name) VALUES (?1) RETURNING 1", &kept,
                   err))
        return -1;
    query_text(kept, 1, name);
    return query_step(kept, is_new, err);
}

/* A HEAD first, which registries do not count as a pull, where the store may have what it tells of;
 * the first time it cannot, and one question is enough. */
static int target_from_registry(struct request *q, struct descriptor *out, struct err *err)
{
    struct image_source *s = q->source;
    bool is_new = false;
    struct err unimportant = { 0 }; /* a store that only lets itself be read */
    if (note_question(q, &is_new, &unimportant) == 0 && is_new)
        return fetch_manifest(q, &q->ref->digest, out, err);
    AUTO_VALUE(descriptor_clear) struct descriptor at = { 0 };
    bool is_there = false;
    if (remote_resolve(s->remote, q->ref, &at, q->cancel, err) ||
        blob_find(s->store, &at.digest, &is_there, NULL, err))
        return -1;
    if (is_there) {
        descriptor_copy(out, &at);
        return 0;
    }
    return fetch_manifest(q, &at.digest, out, err);
}

static int find_target(struct request *q, enum resolve_mode mode, struct descriptor *out,
                       struct err *err)
{
    bool is_there = false;
    if (target_in_store(q, mode != RESOLVE_PULL, out, &is_there, err))
        return -1;
    if (is_there)
        return 0;
    if (q->layout)
        return fetch_manifest(q, &q->ref->digest, out, err);
    if (mode == RESOLVE_LOCAL)
        return err_set(err, ERR_NOT_FOUND, "not in the store");
    return target_from_registry(q, out, err);
}

static int make_image(struct request *q, enum resolve_mode mode, struct image **out,
                      struct err *err)
{
    AUTO(image_free) struct image *i = xcalloc(1, sizeof *i);
    if (!q->layout)
        reference_copy(&i->reference, q->ref);
    i->origin = q->layout ? xasprintf(IMAGE_ORIGIN_LAYOUT "%s", q->layout)
                          : xasprintf("%s/%s", q->ref->registry, q->ref->repository);
    AUTO_VALUE(descriptor_clear) struct descriptor target = { 0 };
    if (find_target(q, mode, &target, err) || image_of_target(q, &target, i, err))
        return -1;
    *out = STEAL(i);
    return 0;
}

/* ---- once for each question ---- */

/* True when the answer is there; else this thread is to give it. */
static struct answer *claim(struct image_source *s, const char *key, bool *is_ours)
{
    pthread_mutex_lock(&s->lock);
    struct answer *a;
    while ((a = map_find(&s->answers, key)) && a->is_fetching)
        pthread_cond_wait(&s->changed, &s->lock);
    *is_ours = !a || !a->image;
    if (!a)
        map_set(&s->answers, key, a = xcalloc(1, sizeof *a));
    a->is_fetching = *is_ours;
    pthread_mutex_unlock(&s->lock);
    return a;
}

static void settle(struct image_source *s, struct answer *a, struct image *image)
{
    pthread_mutex_lock(&s->lock);
    a->image = image;
    a->is_fetching = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* The answer to `q`, which is called `key`; made once. */
static int get(struct request *q, const char *key, enum resolve_mode mode, const struct image **out,
               struct err *err)
{
    struct image_source *s = q->source;
    bool is_ours = false;
    struct answer *a = claim(s, key, &is_ours);
    if (is_ours) {
        struct image *image = NULL;
        int status = make_image(q, mode, &image, err);
        settle(s, a, image);
        if (status)
            return -1;
    }
    *out = a->image;
    return 0;
}

int image_source_get(struct image_source *s, const struct reference *ref, const struct platform *p,
                     enum resolve_mode mode, const struct cancel *cancel, const struct image **out,
                     struct err *err)
{
    AUTO_FREE char *name = reference_text(ref);
    AUTO_FREE char *key = xasprintf("%s %s %d", name, platform_text(p).s, mode);
    struct request q = { .source = s, .ref = ref, .platform = p, .cancel = cancel };
    if (get(&q, key, mode, out, err)) {
        AUTO_FREE char *familiar = reference_familiar(ref);
        return err_wrap(err, "resolve %s for %s", familiar, platform_text(p).s);
    }
    return 0;
}

int image_source_get_layout(struct image_source *s, const char *path, const struct digest *d,
                            const struct platform *p, const struct cancel *cancel,
                            const struct image **out, struct err *err)
{
    char whole[PATH_MAX];
    if (!realpath(path, whole))
        return err_sys(err, "layout %s", path);
    AUTO_FREE char *key = xasprintf("layout %s %s %s", whole, digest_text(d).s, platform_text(p).s);
    struct reference ref = { .digest = *d };
    struct request q = {
        .source = s, .ref = &ref, .layout = whole, .platform = p, .cancel = cancel
    };
    return get(&q, key, RESOLVE_PULL, out, err) ? err_wrap(err, "layout %s: image %s for %s", path,
                                                           digest_text(d).s, platform_text(p).s)
                                                : 0;
}

int image_source_fetch(void *source, const char *origin, const struct descriptor *blob,
                       const struct cancel *cancel, struct err *err)
{
    struct image_source *s = source;
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    if (strncmp(origin, IMAGE_ORIGIN_LAYOUT, strlen(IMAGE_ORIGIN_LAYOUT)) == 0)
        return layout_import(s->store, origin + strlen(IMAGE_ORIGIN_LAYOUT), blob, err);
    if (reference_parse(span_of(origin), &ref, err))
        return -1;
    return remote_pull_blob(s->remote, &ref, blob, s->store, cancel, err);
}
