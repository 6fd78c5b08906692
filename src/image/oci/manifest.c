/* image/oci/manifest.c - image manifests and indexes: read and select.
 *
 * A document is taken for what its mediaType says, or, where it has none, for what the registry
 * said, or for what its fields make of it; where two of these disagree it is refused, since two
 * readers could otherwise see two images under one digest (CVE-2021-41190).
 *
 * Spec: image-spec manifest.md, image-index.md; distribution manifest-v2-2.  Threads: values. */
#include "image/oci/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/oci/internal.h"

void descriptors_clear(struct descriptors *l)
{
    vec_each (l, d)
        descriptor_clear(d);
    vec_clear(l);
}

static void subject_free(struct descriptor *subject)
{
    if (subject)
        descriptor_clear(subject);
    free(subject);
}

void manifest_clear(struct manifest *m)
{
    descriptor_clear(&m->config);
    descriptors_clear(&m->layers);
    free(m->artifact_type);
    subject_free(m->subject);
    map_clear(&m->annotations);
    json_free(m->raw);
    *m = (struct manifest){ 0 };
}

void index_clear(struct index *i)
{
    descriptors_clear(&i->manifests);
    free(i->artifact_type);
    subject_free(i->subject);
    map_clear(&i->annotations);
    json_free(i->raw);
    *i = (struct index){ 0 };
}

/* What a reader that ignores mediaType would take it for; NULL for none of ours. */
static const char *sniff_fields(const struct json *o)
{
    if (json_get(o, "manifests"))
        return MEDIA_OCI_INDEX;
    if (json_get(o, "layers") || json_type(json_get(o, "config")) == JSON_OBJECT) {
        if (json_get(o, "schemaVersion"))
            return MEDIA_OCI_MANIFEST;
        return json_get(o, "rootfs") ? MEDIA_OCI_CONFIG : NULL;
    }
    return json_get(o, "rootfs") ? MEDIA_OCI_CONFIG : NULL;
}

const char *manifest_sniff(struct span bytes)
{
    static const char *const types[] = { MEDIA_OCI_INDEX, MEDIA_OCI_MANIFEST, MEDIA_DOCKER_LIST,
                                         MEDIA_DOCKER_MANIFEST };
    AUTO(json_free) struct json *o = NULL;
    struct err ignored = { 0 };
    if (bytes.len > LIMIT_CONFIG || json_parse(bytes, &o, &ignored) ||
        json_type(o) != JSON_OBJECT || json_get(o, "signatures"))
        return NULL;
    const char *own = json_get_str(o, "mediaType");
    if (!own)
        return sniff_fields(o);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i], own) == 0)
            return types[i];
    return NULL;
}

static int refuse_schema1(struct err *err)
{
    err_set(err, ERR_UNSUPPORTED,
            "is a Docker image manifest of schema 1, which went out of use in 2017");
    return err_hint(err, "convert the image: skopeo copy --format oci SOURCE DESTINATION");
}

static int check_schema_version(const struct json *o, struct err *err)
{
    const struct json *v = json_get(o, "schemaVersion");
    if (json_get(o, "signatures") || json_get(o, "fsLayers") ||
        (json_type(v) == JSON_INTEGER && json_int(v) == 1))
        return refuse_schema1(err);
    if (json_type(v) != JSON_INTEGER || json_int(v) != 2)
        return err_set(err, ERR_INVALID, "field schemaVersion: is not 2");
    return 0;
}

/* Which of the two types that `is_right` accepts this document is. */
static int decide_type(const struct json *o, const char *media_type, bool (*is_right)(const char *),
                       const char *kind, enum media_family *family, struct err *err)
{
    const char *own = json_get_str(o, "mediaType");
    if (json_get(o, "mediaType") && !own)
        return err_set(err, ERR_INVALID, "field mediaType: is not a string");
    if (json_get(o, "manifests") && (json_get(o, "layers") || json_get(o, "config")))
        return err_set(err, ERR_INVALID, "has both layers and manifests");
    if (own && media_type && strcmp(own, media_type) != 0)
        return err_set(err, ERR_INVALID, "field mediaType: is %s, but it was announced as %s", own,
                       media_type);
    const char *type = own ? own : media_type;
    if (!type)
        type = sniff_fields(o);
    if (!type || !is_right(type))
        return err_set(err, ERR_INVALID, "is not an image %s%s%s", kind, type ? " but " : "",
                       type ? type : "");
    *family =
        strncmp(type, "application/vnd.docker.", 23) == 0 ? MEDIA_FAMILY_DOCKER : MEDIA_FAMILY_OCI;
    return 0;
}

static int parse_object(struct span bytes, struct json **out, struct err *err)
{
    if (bytes.len > LIMIT_MANIFEST)
        return err_set(err, ERR_LIMIT, "is larger than %zu bytes", LIMIT_MANIFEST);
    AUTO(json_free) struct json *o = NULL;
    if (json_parse(bytes, &o, err))
        return -1;
    if (json_type(o) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "is not a JSON object");
    if (check_schema_version(o, err))
        return -1;
    *out = STEAL(o);
    return 0;
}

static int read_descriptors(const struct json *o, const char *key, size_t limit,
                            struct descriptors *out, struct err *err)
{
    const struct json *array;
    if (field_find(o, key, JSON_ARRAY, &array, err))
        return -1;
    if (!array && json_get(o, key) == NULL)
        return err_set(err, ERR_INVALID, "field %s: is missing", key);
    if (json_len(array) > limit)
        return err_set(err, ERR_LIMIT, "field %s: has %zu entries, more than %zu", key,
                       json_len(array), limit);
    for (size_t i = 0; i < json_len(array); i++)
        if (descriptor_read(json_at(array, i), vec_push(out), err))
            return err_wrap(err, "%s[%zu]", key, i);
    return 0;
}

static int read_subject(const struct json *o, struct descriptor **out, struct err *err)
{
    const struct json *v;
    if (field_find(o, "subject", JSON_OBJECT, &v, err))
        return -1;
    if (!v)
        return 0;
    *out = xcalloc(1, sizeof **out);
    if (descriptor_read(v, *out, err))
        return err_wrap(err, "subject");
    return 0;
}

static int manifest_read(struct span bytes, const char *media_type, struct manifest *m,
                         struct err *err)
{
    if (parse_object(bytes, &m->raw, err) ||
        decide_type(m->raw, media_type, media_is_manifest, "manifest", &m->family, err))
        return -1;
    if (!json_get(m->raw, "config"))
        return err_set(err, ERR_INVALID, "field config: is missing");
    if (descriptor_read(json_get(m->raw, "config"), &m->config, err))
        return err_wrap(err, "config");
    if (read_descriptors(m->raw, "layers", LIMIT_LAYERS, &m->layers, err) ||
        field_read_str(m->raw, "artifactType", &m->artifact_type, err) ||
        read_subject(m->raw, &m->subject, err) ||
        field_read_map(m->raw, "annotations", &m->annotations, err))
        return -1;
    return 0;
}

int manifest_parse(struct span bytes, const char *media_type, struct manifest *out, struct err *err)
{
    AUTO_VALUE(manifest_clear) struct manifest m = { .annotations = STR_MAP };
    if (manifest_read(bytes, media_type, &m, err))
        return err_wrap(err, "parse image manifest");
    *out = m;
    m = (struct manifest){ 0 };
    return 0;
}

static int index_read(struct span bytes, const char *media_type, struct index *i, struct err *err)
{
    if (parse_object(bytes, &i->raw, err) ||
        decide_type(i->raw, media_type, media_is_index, "index", &i->family, err) ||
        read_descriptors(i->raw, "manifests", LIMIT_INDEX_ENTRIES, &i->manifests, err) ||
        field_read_str(i->raw, "artifactType", &i->artifact_type, err) ||
        read_subject(i->raw, &i->subject, err) ||
        field_read_map(i->raw, "annotations", &i->annotations, err))
        return -1;
    return 0;
}

int index_parse(struct span bytes, const char *media_type, struct index *out, struct err *err)
{
    AUTO_VALUE(index_clear) struct index i = { .annotations = STR_MAP };
    if (index_read(bytes, media_type, &i, err))
        return err_wrap(err, "parse image index");
    *out = i;
    i = (struct index){ 0 };
    return 0;
}

static bool is_attestation(const struct descriptor *d)
{
    return (strcmp(d->platform.os, "unknown") == 0 &&
            strcmp(d->platform.architecture, "unknown") == 0) ||
           map_find_str(&d->annotations, "vnd.docker.reference.type");
}

static void list_platforms(const struct index *i, struct buf *out)
{
    size_t n = 0;
    vec_each (&i->manifests, d) {
        if (is_attestation(d))
            continue;
        if (n++ == 32) {
            buf_puts(out, ", ...");
            break;
        }
        buf_printf(out, "%s%s", n > 1 ? ", " : "",
                   d->platform.is_set ? platform_text(&d->platform).s : "no platform");
    }
    if (!n)
        buf_puts(out, "nothing");
}

int index_select(const struct index *i, const struct platform *want, const struct descriptor **out,
                 struct err *err)
{
    const struct descriptor *best = NULL;
    int best_rank = 0;
    vec_each (&i->manifests, d) {
        if (is_attestation(d))
            continue;
        /* An entry that names no platform may be any: taken when nothing says that it fits. */
        int rank = d->platform.is_set ? platform_match(want, &d->platform) : 1000;
        if (rank < 0 || (best && rank >= best_rank))
            continue;
        best = d;
        best_rank = rank;
    }
    if (best) {
        *out = best;
        return 0;
    }
    AUTO_VALUE(buf_clear) struct buf there;
    buf_init(&there, 8192);
    list_platforms(i, &there);
    err_set(err, ERR_NOT_FOUND, "select %s: in image index: there is %s", platform_text(want).s,
            there.data);
    return err_hint(err, "ask for one that is there with --platform");
}
