/* engine/export/push.c - an image to every registry that its names name.
 *
 * A layer that the registry has, in whatever repository, is not sent; one that it has in the base
 * image's repository is mounted from there, so that it never comes through this machine.  Only what
 * neither helps for is fetched from its origin. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "engine/export/internal.h"
#include "image/registry/transfer.h"
#include "image/store/blob.h"

struct sending {
    const struct export_host *host;
    const struct made_image *made;
    size_t n;
    const struct descriptor *target;
};

/* The repository of `origin` ("registry/repository") when it is of that registry. */
static const char *repository_at(const char *origin, const char *registry)
{
    size_t len = strlen(registry);
    return origin && strncmp(origin, registry, len) == 0 && origin[len] == '/' ? origin + len + 1
                                                                               : NULL;
}

static void find_mounts(const struct sending *s, const struct reference *ref, struct map *out)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->made[i].layers.n; k++) {
            const struct made_layer *l = &s->made[i].layers.items[k];
            const char *from = repository_at(snapshot_origin(l->snapshot), ref->registry);
            if (from && strcmp(from, ref->repository) != 0)
                map_set_str(out, digest_text(&l->ref.blob.digest).s, from);
        }
}

/* Fetches layers that are not here and cannot be had there. */
static int fetch_missing(const struct sending *s, const struct reference *ref, bool trusts_mounts,
                         struct err *err)
{
    const struct export_host *h = s->host;
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->made[i].layers.n; k++) {
            const struct made_layer *l = &s->made[i].layers.items[k];
            const struct descriptor *blob = &l->ref.blob;
            bool is_here = false, is_there = false;
            if (blob_find(h->store, &blob->digest, &is_here, NULL, err))
                return -1;
            if (is_here ||
                (trusts_mounts && repository_at(snapshot_origin(l->snapshot), ref->registry)))
                continue;
            if (remote_has_blob(h->remote, ref, &blob->digest, &is_there, h->cancel, err))
                return -1;
            if (!is_there && snapshot_fetch_blob(h->snapshots, l->snapshot, blob, h->cancel, err))
                return -1;
        }
    return 0;
}

int export_layer_to(const struct export_host *h, const struct reference *ref,
                    const struct layer_ref *layer, struct snapshot *snapshot, struct err *err)
{
    const struct descriptor *blob = &layer->blob;
    const char *from = repository_at(snapshot_origin(snapshot), ref->registry);
    bool is_here = false, is_there = false;
    if (blob_find(h->store, &blob->digest, &is_here, NULL, err))
        return -1;
    if (!is_here && !from) {
        if (remote_has_blob(h->remote, ref, &blob->digest, &is_there, h->cancel, err))
            return -1;
        if (!is_there && snapshot_fetch_blob(h->snapshots, snapshot, blob, h->cancel, err))
            return -1;
    }
    if (from && strcmp(from, ref->repository) == 0)
        from = NULL;
    return remote_push_blob(h->remote, ref, blob, from, h->store, NULL, h->cancel, err);
}

static int read_place(const struct export_host *h, const struct export_spec *s, const char *name,
                      struct reference *out, struct err *err)
{
    if (reference_parse(span_of(name), out, err))
        return -1;
    if (s->is_insecure)
        remote_allow_insecure(h->remote, out->registry);
    return 0;
}

int export_push_layer(const struct export_host *h, const struct export_spec *s,
                      struct snapshot *snapshot, bool is_base, struct err *err)
{
    struct export_host own = export_host_of(h, s);
    struct seal_options o = export_seal_options(&own, s);
    o.keeps_pulled = is_base;
    AUTO_VALUE(layer_ref_clear) struct layer_ref sealed = { 0 };
    const struct str_list *names = export_names(h, s);
    if (s->type != EXPORT_IMAGE || !s->is_pushed || names->n == 0)
        return 0;
    if (snapshot_seal(h->snapshots, snapshot, &o, &sealed, err))
        return -1;
    vec_each (names, name) {
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        if (read_place(h, s, *name, &ref, err) || export_layer_to(h, &ref, &sealed, snapshot, err))
            return -1;
    }
    return 0;
}

static int send_to(const struct sending *s, const struct reference *ref, struct err *err)
{
    const struct export_host *h = s->host;
    AUTO_VALUE(map_clear) struct map mounts = STR_MAP;
    find_mounts(s, ref, &mounts);
    struct push_options o = { .mount_from = &mounts, .pool = h->transfers, .cancel = h->cancel };
    if (fetch_missing(s, ref, true, err))
        return -1;
    if (image_push(h->remote, ref, h->store, s->target, &o, err) == 0)
        return 0;
    if (err->kind != ERR_NOT_FOUND)
        return -1;
    /* The registry would not mount: then the layers come through here after all. */
    err_clear(err);
    if (fetch_missing(s, ref, false, err))
        return -1;
    return image_push(h->remote, ref, h->store, s->target, &o, err);
}

int image_send(const struct export_host *h, const struct export_spec *spec,
               const struct made_image *made, size_t n, const struct descriptor *target,
               struct export_result *out, struct err *err)
{
    struct sending s = { .host = h, .made = made, .n = n, .target = target };
    const struct str_list *names = export_names(h, spec);
    if (names->n == 0) {
        err_set(err, ERR_INVALID, "push: the image has no name");
        return err_hint(err, "name it with -t REGISTRY/REPOSITORY:TAG");
    }
    vec_each (names, name) {
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        if (read_place(h, spec, *name, &ref, err))
            return -1;
        if (spec->by_digest) {
            free(ref.tag);
            ref.tag = NULL;
        }
        AUTO_FREE char *task = xasprintf("push %s", *name);
        AUTO_FREE char *shown = xasprintf("pushing %s", *name);
        progress_task_start(h->progress, task, shown);
        int status = send_to(&s, &ref, err);
        progress_task_end(h->progress, task, status, err);
        if (status)
            return -1;
        str_list_take(&out->pinned, reference_pinned(&ref, &target->digest));
    }
    return 0;
}
