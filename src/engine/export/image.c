/* engine/export/image.c - an image from a snapshot's chain: layers sealed side by side, then
 * config, manifest, index.
 *
 * Spec: image-spec config.md, manifest.md, image-index.md. */
#include <stdlib.h>
#include <string.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/export/internal.h"
#include "image/store/blob.h"

void made_image_clear(struct made_image *m)
{
    vec_each (&m->layers, layer)
        layer_ref_clear(&layer->ref);
    vec_clear(&m->layers);
    descriptor_clear(&m->manifest);
    descriptor_clear(&m->config);
    descriptor_clear(&m->attestation);
    descriptors_clear(&m->attestation_blobs);
    free(m->created);
}

struct seal_options export_seal_options(const struct export_host *h, const struct export_spec *s)
{
    bool rewrites = h->has_epoch && s->rewrites_times != 0;
    return (struct seal_options){ .compression = s->compression,
                                  .level = s->compression_level,
                                  .has_epoch = rewrites,
                                  .epoch_s = rewrites ? h->clock.fixed.tv_sec : 0,
                                  .is_forced = s->is_forced,
                                  .cancel = h->cancel };
}

int export_seal(const struct export_host *h, const struct export_spec *s, struct snapshot *snapshot,
                struct err *err)
{
    struct export_host own = export_host_of(h, s);
    struct seal_options o = export_seal_options(&own, s);
    AUTO_VALUE(layer_ref_clear) struct layer_ref sealed = { 0 };
    if (!export_is_image(s) || !snapshot)
        return 0;
    return snapshot_seal(h->snapshots, snapshot, &o, &sealed, err);
}

/* ---- layers ---- */

/* Each has its blocks compressed on the computing pool, so more would only wait. */
enum { SEALS_AT_ONCE = 2 };

struct seal_task {
    const struct export_host *host;
    struct seal_options options;
    struct made_layer *layer;
};

static int seal_one(void *arg, struct err *err)
{
    struct seal_task *t = arg;
    return snapshot_seal(t->host->snapshots, t->layer->snapshot, &t->options, &t->layer->ref, err);
}

/* Layers at the bottom that are the base image's: what is above has an entry in the history each.
 */
static size_t n_base_layers(const struct export_image *image, size_t n_layers)
{
    size_t n_added = 0;
    for (size_t i = image->n_base_history; i < image->config->history.n; i++)
        n_added += !image->config->history.items[i].is_empty_layer;
    return n_layers > n_added ? n_layers - n_added : 0;
}

static int seal_all(const struct export_host *h, const struct export_spec *s,
                    const struct export_image *image, struct made_image *m, struct err *err)
{
    size_t n_base = n_base_layers(image, m->layers.n);
    AUTO_FREE struct seal_task *tasks = xcalloc(m->layers.n + 1, sizeof *tasks);
    AUTO(task_group_free) struct task_group *g = task_group_new(h->transfers, SEALS_AT_ONCE);
    for (size_t i = 0; i < m->layers.n; i++) {
        tasks[i] = (struct seal_task){ .host = h,
                                       .options = export_seal_options(h, s),
                                       .layer = &m->layers.items[i] };
        tasks[i].options.keeps_pulled = i < n_base;
        task_group_add(g, seal_one, &tasks[i]);
    }
    return task_group_wait(g, err);
}

static void list_layers(struct snapshot *top, struct made_image *m)
{
    size_t n = snapshot_depth(top);
    for (size_t i = 0; i < n; i++)
        *vec_push(&m->layers) = (struct made_layer){ 0 };
    for (struct snapshot *s = top; s; s = snapshot_parent(s))
        m->layers.items[--n].snapshot = s;
}

int export_list_layers(const struct export_host *h, const struct export_spec *s,
                       const struct export_image *image, struct descriptors *out, struct err *err)
{
    struct export_host own = export_host_of(h, s);
    AUTO_VALUE(made_image_clear) struct made_image made = { 0 };
    list_layers(image->snapshot, &made);
    if (seal_all(&own, s, image, &made, err))
        return -1;
    vec_each (&made.layers, layer)
        descriptor_copy(vec_push(out), &layer->ref.blob);
    return 0;
}

/* A layer keeps its bytes; what its type is called follows the manifest it is in.  Docker's layers
 * have no annotations, in BuildKit either. */
static void add_layer(struct manifest *m, const struct layer_ref *layer)
{
    enum compression compression = COMPRESSION_NONE;
    struct descriptor *d = vec_push(&m->layers);
    const char *type = layer->blob.media_type;
    if (media_is_layer(type, &compression))
        type = media_layer_type(m->family, compression);
    *d = descriptor_make(type, &layer->blob.digest, layer->blob.size);
    if (m->family == MEDIA_FAMILY_OCI)
        map_copy_str(&d->annotations, &layer->blob.annotations);
}

/* ---- config ---- */

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = xstrdup(text);
}

static void set_epoch(const struct export_host *h, const struct export_image *image,
                      struct image_config *c)
{
    char text[TIME_TEXT_MAX];
    time_print(h->clock.fixed, text);
    for (size_t i = image->n_base_history; i < c->history.n; i++)
        set_text(&c->history.items[i].created, text);
    set_text(&c->created, text);
}

/* Times of what was added: with SOURCE_DATE_EPOCH all are it; else a layer's entry has the time at
 * which the layer was made, so that a build from the cache gives the same image again, and others
 * that of the entry before. */
static void set_times(const struct export_host *h, const struct export_image *image,
                      const struct made_image *made, struct image_config *c)
{
    char text[TIME_TEXT_MAX];
    size_t layer = n_base_layers(image, made->layers.n);
    struct timespec t = clock_now(&h->clock);
    if (h->has_epoch) {
        set_epoch(h, image, c);
        return;
    }
    if (layer < made->layers.n)
        t = (struct timespec){ .tv_sec = snapshot_created_s(made->layers.items[layer].snapshot) };
    else if (image->n_base_history > 0 && c->history.items[image->n_base_history - 1].created) {
        struct err bad = { 0 };
        if (time_parse(c->history.items[image->n_base_history - 1].created, &t, &bad))
            err_clear(&bad); /* the clock's time stands */
    }
    for (size_t i = image->n_base_history; i < c->history.n; i++) {
        if (!c->history.items[i].is_empty_layer && layer < made->layers.n)
            t = (struct timespec){ .tv_sec =
                                       snapshot_created_s(made->layers.items[layer++].snapshot) };
        time_print(t, text);
        set_text(&c->history.items[i].created, text);
    }
    time_print(t, text);
    set_text(&c->created, text);
}

/* Caches of others may leave out layers in which nothing changed: as in BuildKit, the last entries
 * are then those without a layer. */
static void settle_history(struct image_config *c, size_t n_layers)
{
    size_t n = 0;
    for (size_t i = 0; i < c->history.n; i++)
        n += !c->history.items[i].is_empty_layer;
    for (size_t i = c->history.n; i-- > 0 && n > n_layers;) {
        n -= !c->history.items[i].is_empty_layer;
        c->history.items[i].is_empty_layer = true;
    }
}

/* With the records of the build, and without those that a base image brought. */
static int print_config(const struct image_config *c, const char *inlined_cache, struct buf *out,
                        struct err *err)
{
    static const char key[] = "moby.buildkit.cache.v0";
    AUTO(json_free) struct json *o = NULL;
    image_config_print(c, out);
    if (!inlined_cache && !json_get(c->raw, key))
        return 0;
    if (json_parse(buf_span(out), &o, err))
        return err_wrap(err, "put the cache into the image's config");
    json_set_str(o, key, inlined_cache);
    buf_reset(out);
    json_print(o, out);
    return 0;
}

static int put_config(const struct export_host *h, const struct export_image *image,
                      struct made_image *made, bool is_docker, struct err *err)
{
    AUTO_VALUE(image_config_clear) struct image_config c = { 0 };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct digest digest;
    image_config_copy(&c, image->config);
    c.diff_ids.n = 0;
    for (size_t i = 0; i < made->layers.n; i++)
        *vec_push(&c.diff_ids) = made->layers.items[i].ref.diff_id;
    settle_history(&c, made->layers.n);
    set_times(h, image, made, &c);
    buf_init(&text, SIZE_MAX / 2); /* what it holds was read under ceilings */
    if (print_config(&c, image->inlined_cache, &text, err))
        return -1;
    if (text.len > LIMIT_CONFIG) {
        err_set(err, ERR_LIMIT, "the image's config has %zu bytes, more than %zu", text.len,
                LIMIT_CONFIG);
        return err_hint(err, "labels and variables are in it, those of the base image too");
    }
    if (blob_put(h->store, buf_span(&text), &digest, err))
        return err_wrap(err, "keep the image's config");
    made->config =
        descriptor_make(is_docker ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG, &digest, text.len);
    made->created = xstrdup_or_null(c.created);
    return 0;
}

static int put_manifest(const struct export_host *h, const struct export_spec *s,
                        const struct platform *platform, struct made_image *made, struct err *err)
{
    AUTO_VALUE(manifest_clear) struct manifest m = { .annotations = STR_MAP };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    m.family = s->has_docker_types ? MEDIA_FAMILY_DOCKER : MEDIA_FAMILY_OCI;
    descriptor_copy(&m.config, &made->config);
    for (size_t i = 0; i < made->layers.n; i++)
        add_layer(&m, &made->layers.items[i].ref);
    annotations_collect(&s->annotations, ANNOTATION_MANIFEST, platform, &m.annotations);
    buf_init(&text, 8 * LIMIT_MANIFEST);
    manifest_print(&m, &text);
    if (text.len > LIMIT_MANIFEST)
        return err_set(err, ERR_LIMIT, "the manifest has %zu bytes, more than registries take",
                       text.len);
    if (manifest_put(h->store, buf_span(&text), manifest_media_type(&m), &made->manifest, err))
        return -1;
    made->manifest.platform = *platform;
    made->manifest.platform.is_set = true;
    annotations_collect(&s->annotations, ANNOTATION_MANIFEST_DESCRIPTOR, platform,
                        &made->manifest.annotations);
    return 0;
}

int image_make(const struct export_host *h, const struct export_spec *s,
               const struct export_image *image, struct made_image *out, struct err *err)
{
    list_layers(image->snapshot, out);
    if (out->layers.n > LIMIT_LAYERS)
        return err_set(err, ERR_LIMIT, "the image has %zu layers; more than %d cannot be run",
                       out->layers.n, LIMIT_LAYERS);
    if (seal_all(h, s, image, out, err))
        return err_wrap(err, "export layers");
    if (put_config(h, image, out, s->has_docker_types, err))
        return -1;
    return put_manifest(h, s, &image->config->platform, out, err);
}

int index_make(const struct export_host *h, const struct export_spec *s,
               const struct made_image *made, size_t n, struct descriptor *out, struct err *err)
{
    AUTO_VALUE(index_clear) struct index index = { .annotations = STR_MAP };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    index.family = s->has_docker_types ? MEDIA_FAMILY_DOCKER : MEDIA_FAMILY_OCI;
    for (size_t i = 0; i < n; i++)
        descriptor_copy(vec_push(&index.manifests), &made[i].manifest);
    for (size_t i = 0; i < n; i++)
        if (made[i].attestation.media_type)
            descriptor_copy(vec_push(&index.manifests), &made[i].attestation);
    annotations_collect(&s->annotations, ANNOTATION_INDEX, NULL, &index.annotations);
    buf_init(&text, 8 * LIMIT_MANIFEST);
    index_print(&index, &text);
    if (manifest_put(h->store, buf_span(&text), index_media_type(&index), out, err))
        return -1;
    annotations_collect(&s->annotations, ANNOTATION_INDEX_DESCRIPTOR, NULL, &out->annotations);
    return 0;
}

int image_complete(const struct export_host *h, const struct made_image *m, struct err *err)
{
    for (size_t i = 0; i < m->layers.n; i++) {
        const struct made_layer *l = &m->layers.items[i];
        if (snapshot_fetch_blob(h->snapshots, l->snapshot, &l->ref.blob, h->cancel, err))
            return err_wrap(err, "fetch layer %s", digest_text(&l->ref.blob.digest).s);
    }
    return 0;
}
