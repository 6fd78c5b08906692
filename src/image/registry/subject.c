/* image/registry/subject.c - manifests that say something of another one, at registries that do not
 * list them.
 *
 * A registry that knows the referrers API answers a PUT of a manifest with a subject by the header
 * OCI-Subject.  At others the client keeps the list: an index under the tag ALGORITHM-HEX of the
 * subject.  Two clients that add to one list at the same time may lose one of the entries; the
 * specification has nothing against that.
 *
 * Spec: distribution-spec "Pushing Manifests with Subject", "Referrers Tag Schema". */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "image/registry/internal.h"

/* What a document is about, and how it is listed there.  entry.media_type NULL: about nothing. */
struct referrer {
    struct digest subject;
    struct descriptor entry;
};

static void referrer_clear(struct referrer *f)
{
    descriptor_clear(&f->entry);
}

static void describe(struct referrer *f, const char *media_type, struct span bytes,
                     const char *artifact_type, const struct map *annotations)
{
    struct digest digest = digest_of(bytes);
    f->entry = descriptor_make(media_type, &digest, bytes.len);
    f->entry.artifact_type = xstrdup_or_null(artifact_type);
    f->entry.annotations = (struct map)STR_MAP;
    map_copy_str(&f->entry.annotations, annotations);
}

static int read_referrer(const char *media_type, struct span bytes, struct referrer *out,
                         struct err *err)
{
    if (media_is_index(media_type)) {
        AUTO_VALUE(index_clear) struct index i = { 0 };
        if (index_parse(bytes, media_type, &i, err))
            return -1;
        if (i.subject) {
            out->subject = i.subject->digest;
            describe(out, media_type, bytes, i.artifact_type, &i.annotations);
        }
        return 0;
    }
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    if (manifest_parse(bytes, media_type, &m, err))
        return -1;
    if (m.subject) {
        out->subject = m.subject->digest;
        describe(out, media_type, bytes, m.artifact_type ? m.artifact_type : m.config.media_type,
                 &m.annotations);
    }
    return 0;
}

/* The list as it stands; empty where there is none. */
static int read_list(struct remote *r, const struct reference *at, struct index *out,
                     const struct cancel *cancel, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor got = { 0 };
    *out = (struct index){ .annotations = STR_MAP };
    buf_init(&bytes, LIMIT_MANIFEST);
    if (remote_manifest(r, at, NULL, &bytes, &got, cancel, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    if (!media_is_index(got.media_type))
        return err_set(err, ERR_INVALID, "the tag %s is no index of referrers", at->tag);
    return index_parse(buf_span(&bytes), got.media_type, out, err);
}

static int add_to_list(struct remote *r, const struct reference *ref, const struct referrer *f,
                       const struct cancel *cancel, struct err *err)
{
    AUTO_FREE char *tag =
        xasprintf("%s-%s", digest_algorithm_name(f->subject.algorithm), digest_hex(&f->subject).s);
    struct reference at = { .registry = ref->registry, .repository = ref->repository, .tag = tag };
    AUTO_VALUE(index_clear) struct index list = { 0 };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    if (read_list(r, &at, &list, cancel, err))
        return -1;
    vec_each (&list.manifests, entry)
        if (digest_equal(&entry->digest, &f->entry.digest))
            return 0;
    if (list.manifests.n >= LIMIT_INDEX_ENTRIES)
        return err_set(err, ERR_LIMIT, "more than %d referrers", LIMIT_INDEX_ENTRIES);
    descriptor_copy(vec_push(&list.manifests), &f->entry);
    buf_init(&text, 8 * LIMIT_MANIFEST);
    index_print(&list, &text);
    log_event(LOG_DEBUG, "registry", "the list of referrers is kept as a tag tag=%s", tag);
    return remote_push_manifest(r, &at, MEDIA_OCI_INDEX, buf_span(&text), cancel, err);
}

int subject_announce(struct remote *r, const struct subject_put *put, const struct map *headers,
                     const struct cancel *cancel, struct err *err)
{
    AUTO_VALUE(referrer_clear) struct referrer f = { 0 };
    struct err ignored = { 0 };
    if (map_has(headers, "oci-subject"))
        return 0;
    if (read_referrer(put->media_type, put->bytes, &f, &ignored) || !f.entry.media_type)
        return 0; /* what it is was for the registry to judge */
    return add_to_list(r, put->ref, &f, cancel, err) ? err_wrap(err, "list it as a referrer") : 0;
}
