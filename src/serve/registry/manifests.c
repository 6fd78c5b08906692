/* serve/registry/manifests.c - manifests in, out and away.
 *
 * A manifest of a repository is a name of the store: "REPOSITORY@DIGEST", and "REPOSITORY:TAG" for
 * each of its tags.  Nothing is taken whose config, layers or manifests are not here, so whoever
 * finds a name finds a whole image.
 *
 * Spec: distribution-spec "Pulling manifests", "Pushing Manifests", "Content Management";
 * image-spec manifest.md, image-index.md. */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/oci/reference.h"
#include "image/store/blob.h"
#include "image/store/name.h"
#include "serve/registry/internal.h"

static char *digest_name(const char *repository, const struct digest *d)
{
    return xasprintf("%s@%s", repository, digest_text(d).s);
}

/* What the path's reference is: the name in the store, and the digest (DIGEST_NONE for a tag).
 * Fails: INVALID. */
static int read_reference(struct request *q, char **name, struct digest *digest, struct err *err)
{
    const char *text = q->route.last;
    *digest = (struct digest){ 0 };
    if (strchr(text, ':')) {
        if (request_digest(q, text, digest, err))
            return -1;
        *name = digest_name(q->route.repository, digest);
        return 0;
    }
    if (!reference_is_tag(span_of(text)))
        return err_set(err, ERR_INVALID, "\"%.200s\" is neither a tag nor a digest", text);
    *name = xasprintf("%s:%s", q->route.repository, text);
    return 0;
}

/* Fails: NOT_FOUND. */
static int find_manifest(struct request *q, char **name, struct descriptor *out,
                         struct digest *digest, struct err *err)
{
    bool is_there = false;
    q->about = ABOUT_MANIFEST;
    if (read_reference(q, name, digest, err)) {
        if (q->about == ABOUT_MANIFEST)
            err->kind = ERR_NOT_FOUND; /* what cannot be a tag is none that is here */
        return -1;
    }
    if (name_find(q->store, NAME_SERVED, *name, out, &is_there, err))
        return -1;
    if (!is_there)
        return err_set(err, ERR_NOT_FOUND, "%s has no manifest %.200s", q->route.repository,
                       q->route.last);
    return 0;
}

int manifest_get(struct request *q, struct err *err)
{
    AUTO_FREE char *name = NULL;
    AUTO_VALUE(descriptor_clear) struct descriptor target = { 0 };
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    struct digest asked;
    buf_init(&bytes, LIMIT_MANIFEST);
    if (find_manifest(q, &name, &target, &asked, err))
        return -1;
    struct digest_text text = digest_text(digest_is_set(&asked) ? &asked : &target.digest);
    if (blob_read(q->store, &target.digest, &bytes, err)) {
        if (err->kind == ERR_NOT_FOUND)
            err_set(err, ERR_NOT_FOUND, "manifest %s is no longer here", text.s);
        return -1;
    }
    set_header(q, "Docker-Content-Digest", "%s", text.s);
    if (!reply_unchanged(q, text.s))
        reply_bytes(q, 200, target.media_type, buf_span(&bytes));
    return 0;
}

/* ---- PUT ---- */

/* A manifest that is being put. */
struct incoming {
    struct buf bytes;
    char *type; /* owned; NULL: as the document says */
    struct digest digest;
    struct digest subject; /* DIGEST_NONE: none */
};

static void incoming_clear(struct incoming *in)
{
    buf_clear(&in->bytes);
    free(in->type);
}

/* Content-Type without its parameters; what says nothing about manifests is as good as absent. */
static char *content_type(struct request *q)
{
    const char *header = exchange_header(q->x, "content-type");
    AUTO_FREE char *plain = header ? xstrndup(header, strcspn(header, "; ")) : NULL;
    if (!plain || !*plain || strcmp(plain, "application/json") == 0 ||
        strcmp(plain, "application/octet-stream") == 0)
        return NULL;
    return STEAL(plain);
}

static int read_incoming(struct request *q, struct incoming *in, struct err *err)
{
    buf_init(&in->bytes, q->registry->o.limits.manifest_size);
    if (reader_slurp(exchange_body(q->x), &in->bytes, err))
        return -1;
    q->size = in->bytes.len;
    in->type = content_type(q);
    if (!in->type)
        in->type = xstrdup_or_null(manifest_sniff(buf_span(&in->bytes)));
    if (!in->type)
        return err_set(err, ERR_INVALID, "this is neither an image manifest nor an index");
    in->digest = digest_of(buf_span(&in->bytes));
    return 0;
}

/* Layers that are fetched from elsewhere ("foreign") are never here. */
static bool is_elsewhere(const struct descriptor *d)
{
    return d->urls.n > 0 || strstr(d->media_type, "nondistributable") ||
           strstr(d->media_type, ".foreign.");
}

static int need_blob(struct request *q, const struct descriptor *d, struct err *err)
{
    bool is_there = false;
    if (is_elsewhere(d))
        return 0;
    if (blob_find(q->store, &d->digest, &is_there, NULL, err))
        return -1;
    return is_there ? 0
                    : err_set(err, ERR_NOT_FOUND, "%s (%s) is not here: push it first",
                              digest_text(&d->digest).s, d->media_type);
}

/* An index may name what is no manifest too: BuildKit's cache is an index of layers. */
static int need_entry(struct request *q, const struct descriptor *d, struct err *err)
{
    AUTO_VALUE(descriptor_clear) struct descriptor found = { 0 };
    bool is_there = false;
    if (!media_is_manifest(d->media_type) && !media_is_index(d->media_type))
        return need_blob(q, d, err);
    AUTO_FREE char *name = digest_name(q->route.repository, &d->digest);
    if (name_find(q->store, NAME_SERVED, name, &found, &is_there, err))
        return -1;
    return is_there ? 0
                    : err_set(err, ERR_NOT_FOUND, "manifest %s is not in %s: push it first",
                              digest_text(&d->digest).s, q->route.repository);
}

static int check_index(struct request *q, struct incoming *in, struct err *err)
{
    AUTO_VALUE(index_clear) struct index i = { 0 };
    if (index_parse(buf_span(&in->bytes), in->type, &i, err))
        return -1;
    q->about = ABOUT_NEEDED;
    vec_each (&i.manifests, entry)
        if (need_entry(q, entry, err))
            return -1;
    if (i.subject)
        in->subject = i.subject->digest;
    return 0;
}

static int check_image(struct request *q, struct incoming *in, struct err *err)
{
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    if (manifest_parse(buf_span(&in->bytes), in->type, &m, err))
        return -1;
    q->about = ABOUT_NEEDED;
    if (need_blob(q, &m.config, err))
        return -1;
    vec_each (&m.layers, layer)
        if (need_blob(q, layer, err))
            return -1;
    if (m.subject)
        in->subject = m.subject->digest;
    return 0;
}

/* That the document is what the path's digest says. */
static int check_digest(struct request *q, const struct incoming *in, const struct digest *asked,
                        struct err *err)
{
    if (!digest_is_set(asked))
        return 0;
    AUTO(hasher_free) struct hasher *h = hasher_new(asked->algorithm);
    hasher_update(h, buf_span(&in->bytes));
    struct digest got = hasher_final(h);
    if (digest_equal(&got, asked))
        return 0;
    q->about = ABOUT_DIGEST;
    return err_set(err, ERR_CORRUPT, "the manifest is %s, not %s", digest_text(&got).s,
                   q->route.last);
}

/* By digest first: a tag never leads to what its digest does not find. */
static int keep_manifest(struct request *q, const struct incoming *in, const char *name,
                         struct err *err)
{
    AUTO_VALUE(descriptor_clear) struct descriptor target = { 0 };
    AUTO_FREE char *by_digest = digest_name(q->route.repository, &in->digest);
    q->about = ABOUT_STORE;
    if (manifest_put(q->store, buf_span(&in->bytes), in->type, &target, err) ||
        store_settle(q->store, err) || name_set(q->store, NAME_SERVED, by_digest, &target, err))
        return -1;
    return strcmp(name, by_digest) == 0 ? 0 : name_set(q->store, NAME_SERVED, name, &target, err);
}

int manifest_upload(struct request *q, struct err *err)
{
    AUTO_FREE char *name = NULL;
    AUTO_VALUE(incoming_clear) struct incoming in = { 0 };
    struct digest asked;
    q->about = ABOUT_MANIFEST;
    if (read_reference(q, &name, &asked, err) || read_incoming(q, &in, err) ||
        check_digest(q, &in, &asked, err) ||
        (media_is_index(in.type) ? check_index(q, &in, err) : check_image(q, &in, err)) ||
        keep_manifest(q, &in, name, err))
        return -1;
    struct digest_text text = digest_text(digest_is_set(&asked) ? &asked : &in.digest);
    set_header(q, "Location", "/v2/%s/manifests/%s", q->route.repository, text.s);
    set_header(q, "Docker-Content-Digest", "%s", text.s);
    if (digest_is_set(&in.subject))
        set_header(q, "OCI-Subject", "%s", digest_text(&in.subject).s);
    reply_empty(q, 201);
    return 0;
}

/* ---- DELETE ---- */

/* All names of the repository that begin so and lead to `target`. */
static int remove_names(struct request *q, char separator, const struct digest *target,
                        struct err *err)
{
    AUTO_VALUE(names_clear) struct names names = { 0 };
    AUTO_FREE char *prefix = xasprintf("%s%c", q->route.repository, separator);
    if (name_list(q->store, NAME_SERVED, prefix, NULL, 0, &names, err))
        return -1;
    vec_each (&names, named)
        if (digest_equal(&named->target.digest, target) &&
            name_remove(q->store, NAME_SERVED, named->name, NULL, err))
            return -1;
    return 0;
}

/* A tag goes alone; a digest takes its tags with it, which would lead nowhere.  What the manifest
 * needs is left to the store's collection. */
int manifest_delete(struct request *q, struct err *err)
{
    AUTO_FREE char *name = NULL;
    AUTO_VALUE(descriptor_clear) struct descriptor target = { 0 };
    struct digest asked;
    if (find_manifest(q, &name, &target, &asked, err))
        return -1;
    if (digest_is_set(&asked)
            ? remove_names(q, ':', &target.digest, err) || remove_names(q, '@', &target.digest, err)
            : name_remove(q->store, NAME_SERVED, name, NULL, err))
        return -1;
    reply_empty(q, 202);
    return 0;
}
