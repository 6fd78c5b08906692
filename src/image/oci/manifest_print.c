/* image/oci/manifest_print.c - manifests and indexes as the bytes to store and push.
 *
 * One made here has the fields in the order of the specification's Go types; one that was read
 * keeps its own order and what this program does not know.
 *
 * Spec: image-spec manifest.md, image-index.md.  Threads: values. */
#include "image/oci/internal.h"
#include "image/oci/manifest.h"

const char *manifest_media_type(const struct manifest *m)
{
    return m->family == MEDIA_FAMILY_DOCKER ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST;
}

const char *index_media_type(const struct index *i)
{
    return i->family == MEDIA_FAMILY_DOCKER ? MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX;
}

/* A document that was read without mediaType stays without. */
static void set_head(struct json *o, bool is_made, const char *media_type,
                     const char *artifact_type)
{
    field_set(o, "schemaVersion", json_new_int(2));
    if (is_made || json_get(o, "mediaType"))
        field_set_str(o, "mediaType", media_type);
    field_set_str(o, "artifactType", artifact_type);
}

static void set_required(struct json *o, const char *key, struct json *value)
{
    AUTO(json_free) struct json *taken = value;
    const struct json *old = json_get(o, key);
    if (!old || !json_equal(old, value))
        json_set(o, key, STEAL(taken));
}

static struct json *descriptors_write(const struct descriptors *l)
{
    struct json *array = json_new_array();
    vec_each (l, d)
        json_push(array, descriptor_write(d));
    return array;
}

static void set_tail(struct json *o, const struct descriptor *subject,
                     const struct map *annotations)
{
    field_set(o, "subject", subject ? descriptor_write(subject) : NULL);
    field_set_map(o, "annotations", annotations);
}

void manifest_print(const struct manifest *m, struct buf *out)
{
    AUTO(json_free) struct json *o = object_from(m->raw);
    set_head(o, !m->raw, manifest_media_type(m), m->artifact_type);
    set_required(o, "config", descriptor_write(&m->config));
    if (m->layers.n || json_type(json_get(o, "layers")) != JSON_NULL || !json_get(o, "layers"))
        set_required(o, "layers", descriptors_write(&m->layers));
    set_tail(o, m->subject, &m->annotations);
    json_print(o, out);
}

void index_print(const struct index *i, struct buf *out)
{
    AUTO(json_free) struct json *o = object_from(i->raw);
    set_head(o, !i->raw, index_media_type(i), i->artifact_type);
    set_required(o, "manifests", descriptors_write(&i->manifests));
    set_tail(o, i->subject, &i->annotations);
    json_print(o, out);
}
