/* engine/remotecache/place_registry.c - a cache in a repository. */
#include <stdlib.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/remotecache/internal.h"
#include "image/store/blob.h"
#include "image/store/ingest.h"

struct repository {
    struct cache_place base;
    struct reference ref;
};

static int read_manifest(struct cache_place *p, const struct digest *want, struct buf *out,
                         struct err *err)
{
    struct repository *r = (struct repository *)p;
    AUTO_VALUE(descriptor_clear) struct descriptor got = { 0 };
    return remote_manifest(p->host->remote, &r->ref, want, out, &got, p->host->cancel, err);
}

static int read_blob(struct cache_place *p, const struct descriptor *d, struct buf *out,
                     struct err *err)
{
    struct repository *r = (struct repository *)p;
    const struct export_host *h = p->host;
    if (d->size > buf_room(out))
        return err_set(err, ERR_LIMIT, "%s has %llu bytes, more than %zu",
                       digest_text(&d->digest).s, (unsigned long long)d->size, buf_room(out));
    return remote_pull_blob(h->remote, &r->ref, d, h->store, h->cancel, err) ||
                   blob_read(h->store, &d->digest, out, err)
               ? -1
               : 0;
}

static int write_layer(struct cache_place *p, const struct layer_ref *layer, struct snapshot *s,
                       struct err *err)
{
    struct repository *r = (struct repository *)p;
    const struct export_host *h = p->host;
    if (s)
        return export_layer_to(h, &r->ref, layer, s, err);
    return remote_push_blob(h->remote, &r->ref, &layer->blob, NULL, h->store, NULL, h->cancel, err);
}

static int write_blob(struct cache_place *p, struct span bytes, struct digest *out, struct err *err)
{
    struct repository *r = (struct repository *)p;
    const struct export_host *h = p->host;
    if (blob_put(h->store, bytes, out, err))
        return -1;
    AUTO_VALUE(descriptor_clear)
    struct descriptor d = descriptor_make(MEDIA_CACHE_CONFIG, out, bytes.len);
    return remote_push_blob(h->remote, &r->ref, &d, NULL, h->store, NULL, h->cancel, err);
}

static int write_manifest(struct cache_place *p, const char *media_type, struct span bytes,
                          struct err *err)
{
    struct repository *r = (struct repository *)p;
    return remote_push_manifest(p->host->remote, &r->ref, media_type, bytes, p->host->cancel, err);
}

static void repository_close(struct cache_place *p)
{
    struct repository *r = (struct repository *)p;
    reference_clear(&r->ref);
    free(p->origin);
    free(r);
}

int repository_open(const struct export_host *h, const char *ref, struct cache_place **out,
                    struct err *err)
{
    static const struct cache_place_ops ops = { .read_manifest = read_manifest,
                                                .read_blob = read_blob,
                                                .write_layer = write_layer,
                                                .write_blob = write_blob,
                                                .write_manifest = write_manifest,
                                                .close = repository_close };
    struct repository *r = xcalloc(1, sizeof *r);
    r->base = (struct cache_place){ .ops = &ops, .host = h };
    if (reference_parse(span_of(ref), &r->ref, err)) {
        repository_close(&r->base);
        return -1;
    }
    r->base.origin = xasprintf("%s/%s", r->ref.registry, r->ref.repository);
    *out = &r->base;
    return 0;
}
