/* serve/registry/referrers.c - which manifests of the repository have a subject.
 *
 * The store knows the referrers of a digest in all repositories; those that this one has a name for
 * are its own.  An answer holds 2 MiB of descriptors at most, in the order of their digests, so
 * that the next page can go on where one ended.
 *
 * Spec: distribution-spec "Listing Referrers". */
#include <stdlib.h>
#include <string.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/store/blob.h"
#include "image/store/name.h"
#include "serve/registry/internal.h"

#define PAGE_SIZE ((size_t)(2 * MIB))

static int by_digest(const void *a, const void *b)
{
    const struct descriptor *one = a, *other = b;
    return digest_compare(&one->digest, &other->digest);
}

static int is_ours(struct request *q, const struct descriptor *d, bool *out, struct err *err)
{
    AUTO_VALUE(descriptor_clear) struct descriptor found = { 0 };
    AUTO_FREE char *name = xasprintf("%s@%s", q->route.repository, digest_text(&d->digest).s);
    return name_find(q->store, NAME_SERVED, name, &found, out, err);
}

static bool fits(const struct descriptor *d, const char *artifact_type)
{
    return !artifact_type || (d->artifact_type && strcmp(d->artifact_type, artifact_type) == 0);
}

static void link_next(struct request *q, const struct descriptor *last, const char *artifact_type)
{
    AUTO_VALUE(buf_clear) struct buf type = { 0 };
    buf_init(&type, LIMIT_HTTP_HEADER * 3);
    percent_encode(span_of(artifact_type), "", &type);
    set_header(q, "Link", "</v2/%s/referrers/%s?last=%s%s%s>; rel=\"next\"", q->route.repository,
               q->route.last, digest_text(&last->digest).s, type.len ? "&artifactType=" : "",
               type.len ? type.data : "");
}

/* Appends while there is room; sets Link when there was none. */
static int fill_page(struct request *q, struct descriptors *all, const struct digest *after,
                     struct json *list, struct err *err)
{
    const char *artifact_type = exchange_query(q->x, "artifactType");
    const struct descriptor *last = NULL;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 16 * LIMIT_MANIFEST);
    vec_each (all, d) {
        bool ours = false;
        if ((digest_is_set(after) && digest_compare(&d->digest, after) <= 0) ||
            !fits(d, artifact_type))
            continue;
        if (is_ours(q, d, &ours, err))
            return -1;
        if (!ours)
            continue;
        if (last && text.len > PAGE_SIZE) {
            link_next(q, last, artifact_type);
            return 0;
        }
        struct json *object = descriptor_write(d);
        json_print(object, &text);
        json_push(list, object);
        last = d;
    }
    return 0;
}

static void descriptors_free(struct descriptors *l)
{
    descriptors_clear(l);
}

int referrers_get(struct request *q, struct err *err)
{
    AUTO_VALUE(descriptors_free) struct descriptors all = { 0 };
    struct digest subject, after = { 0 };
    const char *last = exchange_query(q->x, "last");
    if (request_digest(q, q->route.last, &subject, err) ||
        (last && request_digest(q, last, &after, err)) ||
        manifest_referrers(q->store, &subject, &all, err))
        return -1;
    if (all.n)
        qsort(all.items, all.n, sizeof *all.items, by_digest);
    AUTO(json_free) struct json *body = json_new_object();
    struct json *list = json_new_array();
    json_set_int(body, "schemaVersion", 2);
    json_set_str(body, "mediaType", MEDIA_OCI_INDEX);
    json_set(body, "manifests", list);
    if (fill_page(q, &all, &after, list, err))
        return -1;
    if (exchange_query(q->x, "artifactType"))
        exchange_set_header(q->x, "OCI-Filters-Applied", "artifactType");
    q->status = 200;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 32 * LIMIT_MANIFEST);
    json_print(body, &text);
    reply_bytes(q, 200, MEDIA_OCI_INDEX, buf_span(&text));
    return 0;
}
