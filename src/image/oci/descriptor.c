/* image/oci/descriptor.c - descriptors to and from JSON.
 *
 * Spec: image-spec descriptor.md.  Threads: values. */
#include "image/oci/descriptor.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "image/oci/internal.h"

void descriptor_clear(struct descriptor *d)
{
    free(d->media_type);
    free(d->artifact_type);
    map_clear(&d->annotations);
    str_list_clear(&d->urls);
    json_free(d->raw);
    *d = (struct descriptor){ 0 };
}

void descriptor_copy(struct descriptor *to, const struct descriptor *from)
{
    *to = (struct descriptor){
        .media_type = xstrdup_or_null(from->media_type),
        .digest = from->digest,
        .size = from->size,
        .annotations = STR_MAP,
        .platform = from->platform,
        .artifact_type = xstrdup_or_null(from->artifact_type),
        .raw = from->raw ? json_copy(from->raw) : NULL,
    };
    map_copy_str(&to->annotations, &from->annotations);
    str_list_copy(&to->urls, &from->urls);
}

struct descriptor descriptor_make(const char *media_type, const struct digest *digest,
                                  uint64_t size)
{
    return (struct descriptor){
        .media_type = xstrdup(media_type),
        .digest = *digest,
        .size = size,
        .annotations = STR_MAP,
    };
}

static int read_digest(const struct json *o, struct digest *out, struct err *err)
{
    const struct json *v = json_get(o, "digest");
    if (json_type(v) != JSON_STRING || !json_str(v)[0])
        return err_set(err, ERR_INVALID, "field digest: is missing or not a string");
    if (digest_parse(span_of(json_str(v)), out, err))
        return err_wrap(err, "field digest");
    return 0;
}

static int read_size(const struct json *o, uint64_t *out, struct err *err)
{
    const struct json *v = json_get(o, "size");
    if (json_type(v) != JSON_INTEGER)
        return err_set(err, ERR_INVALID, "field size: is missing or not an integer below 2^63");
    if (json_int(v) < 0)
        return err_set(err, ERR_INVALID, "field size: is negative");
    *out = (uint64_t)json_int(v);
    return 0;
}

static int read_platform(const struct json *o, struct platform *out, struct err *err)
{
    const struct json *v;
    if (field_find(o, "platform", JSON_OBJECT, &v, err))
        return -1;
    if (v && platform_read(v, out, err))
        return err_wrap(err, "field platform");
    return 0;
}

static int read_into(const struct json *o, struct descriptor *d, struct err *err)
{
    if (json_type(o) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "descriptor: is not an object");
    if (field_read_str(o, "mediaType", &d->media_type, err) || read_digest(o, &d->digest, err) ||
        read_size(o, &d->size, err) || field_read_map(o, "annotations", &d->annotations, err) ||
        read_platform(o, &d->platform, err) ||
        field_read_str(o, "artifactType", &d->artifact_type, err) ||
        field_read_list(o, "urls", &d->urls, err))
        return -1;
    if (!d->media_type || !d->media_type[0])
        return err_set(err, ERR_INVALID, "field mediaType: is missing");
    return 0;
}

int descriptor_read(const struct json *object, struct descriptor *out, struct err *err)
{
    AUTO_VALUE(descriptor_clear) struct descriptor d = { .annotations = STR_MAP };
    if (read_into(object, &d, err))
        return -1;
    d.raw = json_copy(object);
    *out = d;
    d = (struct descriptor){ 0 };
    return 0;
}

/* The platform as it stands unless it is another one now: "os.features" is kept that way. */
static void write_platform(const struct descriptor *d, struct json *o)
{
    struct platform old = { 0 };
    struct err ignored = { 0 };
    const struct json *raw = json_get(o, "platform");
    if (raw && platform_read(raw, &old, &ignored) == 0 && d->platform.is_set &&
        platform_equal(&old, &d->platform))
        return;
    field_set(o, "platform", d->platform.is_set ? platform_write(&d->platform) : NULL);
}

struct json *descriptor_write(const struct descriptor *d)
{
    struct json *o = object_from(d->raw);
    field_set_str(o, "mediaType", d->media_type);
    field_set_str(o, "digest", digest_text(&d->digest).s);
    if (json_type(json_get(o, "size")) != JSON_INTEGER ||
        (uint64_t)json_get_int(o, "size", -1) != d->size)
        json_set_int(o, "size", (int64_t)d->size);
    field_set_list(o, "urls", &d->urls);
    field_set_map(o, "annotations", &d->annotations);
    write_platform(d, o);
    field_set_str(o, "artifactType", d->artifact_type);
    return o;
}
