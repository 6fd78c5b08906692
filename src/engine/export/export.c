/* engine/export/export.c - from a spec to the work that it asks for. */
#include "engine/export/export.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/export/internal.h"
#include "image/store/blob.h"
#include "image/store/name.h"

struct made_images {
    struct made_image *items;
    size_t n;
};

static void made_images_clear(struct made_images *m)
{
    for (size_t i = 0; i < m->n; i++)
        made_image_clear(&m->items[i]);
    free(m->items);
}

const struct str_list *export_names(const struct export_host *h, const struct export_spec *s)
{
    return s->names.n == 0 && h->names ? h->names : &s->names;
}

struct export_host export_host_of(const struct export_host *h, const struct export_spec *s)
{
    struct export_host own = *h;
    struct err never = { 0 }; /* the text was read before */
    if (s->epoch)
        own.has_epoch = clock_init(&own.clock, s->epoch, &never) == 0;
    return own;
}

/* What has to be right before anything is made. */
static int check_images(const struct export_host *h, const struct export_spec *s,
                        const struct export_image *images, size_t n, struct err *err)
{
    bool is_several = n > 1 || h->makes_index;
    AUTO_FREE struct platform *platforms = xcalloc(n, sizeof *platforms);
    bool is_said = attest_is_asked(images, n);
    if (s->type == EXPORT_DOCKER && (is_several || (is_said && s->dest))) {
        err_set(err, ERR_INVALID,
                "docker exporter does not currently support exporting manifest lists");
        return is_several ? -1 : err_hint(err, "attestations need an index: take type=oci");
    }
    for (size_t i = 0; i < n; i++)
        platforms[i] = images[i].config->platform;
    return annotations_check(&s->annotations, platforms, n, is_several || is_said, err);
}

static int make_all(const struct export_host *h, const struct export_spec *s,
                    const struct export_image *images, struct made_images *made,
                    struct descriptor *target, struct err *err)
{
    for (size_t i = 0; i < made->n; i++)
        if (image_make(h, s, &images[i], &made->items[i], err) ||
            attest_make(h, s, &images[i], &made->items[i], err))
            return -1;
    if (made->n == 1 && !h->makes_index && !attest_is_asked(images, made->n))
        descriptor_copy(target, &made->items[0].manifest);
    else if (index_make(h, s, made->items, made->n, target, err))
        return -1;
    return 0;
}

/* Whether all layers are in the store. */
static int is_complete(const struct export_host *h, const struct made_images *made, bool *out,
                       struct err *err)
{
    *out = true;
    for (size_t i = 0; i < made->n; i++)
        for (size_t k = 0; k < made->items[i].layers.n && *out; k++)
            if (blob_find(h->store, &made->items[i].layers.items[k].ref.blob.digest, out, NULL,
                          err))
                return -1;
    return 0;
}

static int keep_name(const struct export_host *h, struct reference *ref,
                     const struct descriptor *target, struct err *err)
{
    AUTO_FREE char *whole = reference_text(ref);
    return name_set(h->store, NAME_IMAGE, whole, target, err);
}

/* PREFIX@DIGEST, of an image that has no other name. */
static int keep_dangling(const struct export_host *h, const char *prefix,
                         const struct descriptor *target, struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    if (reference_parse(span_of(prefix), &ref, err))
        return -1;
    free(STEAL(ref.tag));
    ref.digest = target->digest;
    return keep_name(h, &ref, target, err);
}

/* So that who runs it has it at once. */
static int unpack_all(const struct export_host *h, const struct export_image *images, size_t n,
                      struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        AUTO(view_close) struct view *view = NULL;
        if (view_open(h->snapshots, images[i].snapshot, h->cancel, &view, err))
            return err_wrap(err, "unpack");
    }
    return 0;
}

/* Names in the store are set last: they promise that all is there.  What was pushed may lack layers
 * of its base that never came here; nothing is fetched for the name's sake, it has none then. */
static int keep_names(const struct export_host *h, const struct export_spec *s,
                      const struct made_images *made, const struct descriptor *target,
                      struct err *err)
{
    bool is_whole = true;
    for (size_t i = 0; i < made->n && !s->is_pushed; i++)
        if (image_complete(h, &made->items[i], err))
            return -1;
    if (is_complete(h, made, &is_whole, err))
        return -1;
    if (!is_whole)
        return 0;
    /* What the registry has can be had again after a power cut; the rest exists only here. */
    if (!s->is_pushed && store_settle(h->store, err))
        return -1;
    const struct str_list *names = export_names(h, s);
    if (names->n == 0 && s->dangling_prefix)
        return keep_dangling(h, s->dangling_prefix, target, err);
    vec_each (names, name) {
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        if (reference_parse(span_of(*name), &ref, err) || keep_name(h, &ref, target, err))
            return -1;
        ref.digest = target->digest;
        if (s->has_canonical && keep_name(h, &ref, target, err))
            return -1;
    }
    return 0;
}

static int export_as_image(const struct export_host *h, const struct export_spec *s,
                           const struct export_image *images, size_t n, struct export_result *out,
                           struct err *err)
{
    AUTO_VALUE(made_images_clear) struct made_images made = { xcalloc(n, sizeof *made.items), n };
    if (check_images(h, s, images, n, err))
        return -1;
    if (make_all(h, s, images, &made, &out->target, err))
        return -1;
    if (!media_is_index(out->target.media_type))
        out->config_digest = made.items[0].config.digest;
    if (s->type == EXPORT_OCI || (s->type == EXPORT_DOCKER && s->dest))
        return archive_write(h, s, made.items, n, &out->target, err);
    if (s->is_pushed && image_send(h, s, made.items, n, &out->target, out, err))
        return -1;
    if (s->is_kept && keep_names(h, s, &made, &out->target, err))
        return -1;
    return s->is_unpacked ? unpack_all(h, images, n, err) : 0;
}

static int export_any(const struct export_host *h, const struct export_spec *s,
                      const struct export_image *images, size_t n, struct export_result *out,
                      struct err *err)
{
    switch (s->type) {
    case EXPORT_CACHEONLY:
        return 0;
    case EXPORT_LOCAL:
    case EXPORT_TAR:
        return rootfs_write(h, s, images, n, err);
    case EXPORT_IMAGE:
    case EXPORT_OCI:
    case EXPORT_DOCKER:
        return export_as_image(h, s, images, n, out, err);
    }
    return err_set(err, ERR_INVALID, "an output of a type not known here");
}

int export_images(const struct export_host *h, const struct export_spec *s,
                  const struct export_image *images, size_t n, struct export_result *out,
                  struct err *err)
{
    static const char *const shown[] = { [EXPORT_IMAGE] = "exporting to image",
                                         [EXPORT_OCI] = "exporting to oci image format",
                                         [EXPORT_DOCKER] = "exporting to docker image format",
                                         [EXPORT_LOCAL] = "exporting to client directory",
                                         [EXPORT_TAR] = "exporting to client tarball",
                                         [EXPORT_CACHEONLY] = "keeping the cache" };
    struct export_host own = export_host_of(h, s);
    AUTO_FREE char *task = xasprintf("%s %zu", shown[s->type], h->n_before);
    *out = (struct export_result){ 0 };
    progress_task_start(h->progress, task, shown[s->type]);
    int status = export_any(&own, s, images, n, out, err);
    if (status)
        err_wrap(err, "export");
    progress_task_end(h->progress, task, status, err);
    return status;
}
