/* engine/export/spec_key.c - the keys of -o, which types they belong to, and what they say.
 *
 * Spec: docker buildx build "--output"; BuildKit README "Output". */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/core/nearest.h"
#include "engine/export/internal.h"

/* As buildx takes them; nothing is true. */
static int read_bool(const char *key, const char *value, bool *out, struct err *err)
{
    *out = !*value;
    if (!*value || span_bool(span_of(value), out))
        return 0;
    return err_set(err, ERR_INVALID, "%s=%s: true or false is expected", key, value);
}

static int set_type(struct export_spec *s, const char *value, struct err *err)
{
    (void)s, (void)value, (void)err; /* read before */
    return 0;
}

static int set_names(struct export_spec *s, const char *value, struct err *err)
{
    struct span rest = span_of(value);
    while (rest.ptr) {
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        struct span name = span_trim(span_cut(&rest, ','));
        if (name.len == 0)
            continue;
        if (reference_parse(name, &ref, err))
            return -1;
        if (digest_is_set(&ref.digest))
            return err_set(err, ERR_INVALID, "name=%.*s: an output's digest cannot be chosen",
                           SPAN_ARG(name));
        str_list_take(&s->names, span_dup(name));
    }
    return 0;
}

static int set_dest(struct export_spec *s, const char *value, struct err *err)
{
    (void)err;
    free(s->dest);
    s->dest = xstrdup(value);
    return 0;
}

static int set_compression(struct export_spec *s, const char *value, struct err *err)
{
    return compression_parse(value, &s->compression, err);
}

static int set_level(struct export_spec *s, const char *value, struct err *err)
{
    uint64_t level = 0;
    if (!span_u64(span_of(value), 22, &level))
        return err_set(err, ERR_INVALID, "compression-level=%s: a number from 0 to 22 is expected",
                       value);
    s->compression_level = (int)level;
    return 0;
}

static int set_oci_types(struct export_spec *s, const char *value, struct err *err)
{
    bool has_oci_types = false;
    if (read_bool("oci-mediatypes", value, &has_oci_types, err))
        return -1;
    s->has_docker_types = !has_oci_types;
    return 0;
}

static int set_rewrite(struct export_spec *s, const char *value, struct err *err)
{
    bool rewrites = false;
    int status = read_bool("rewrite-timestamp", value, &rewrites, err);
    s->rewrites_times = rewrites;
    return status;
}

static int set_split(struct export_spec *s, const char *value, struct err *err)
{
    bool splits = false;
    int status = read_bool("platform-split", value, &splits, err);
    s->splits_platforms = splits;
    return status;
}

static int set_mode(struct export_spec *s, const char *value, struct err *err)
{
    s->deletes = strcmp(value, "delete") == 0;
    return s->deletes || strcmp(value, "copy") == 0
               ? 0
               : err_set(err, ERR_INVALID, "mode=%s: copy or delete is expected", value);
}

static int set_prefix(struct export_spec *s, const char *value, struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    if (reference_parse(span_of(value), &ref, err))
        return err_wrap(err, "dangling-name-prefix=%s", value);
    free(s->dangling_prefix);
    s->dangling_prefix = xstrdup(value);
    return 0;
}

static int set_epoch(struct export_spec *s, const char *value, struct err *err)
{
    struct clock unused;
    if (!*value) /* as if the key were not there */
        return 0;
    if (clock_init(&unused, value, err))
        return err_wrap(err, "source-date-epoch=%s", value);
    free(s->epoch);
    s->epoch = xstrdup(value);
    return 0;
}

/* Their URLs are not kept here, without which they could be had from nowhere. */
static int set_nondist(struct export_spec *s, const char *value, struct err *err)
{
    bool prefers = false;
    (void)s;
    if (read_bool("prefer-nondist-layers", value, &prefers, err) || !prefers)
        return err->kind ? -1 : 0;
    return err_set(err, ERR_UNSUPPORTED,
                   "prefer-nondist-layers=true: every layer is distributed like the others");
}

static int set_artifact(struct export_spec *s, const char *value, struct err *err)
{
    bool is_artifact = false;
    int status = read_bool("oci-artifact", value, &is_artifact, err);
    s->has_no_artifact = !is_artifact;
    return status;
}

static int set_attestation_prefix(struct export_spec *s, const char *value, struct err *err)
{
    free(s->attestation_prefix);
    s->attestation_prefix = xstrdup(value);
    return strchr(value, '/')
               ? err_set(err, ERR_INVALID, "attestation-prefix=%s: has a slash", value)
               : 0;
}

/* What BuildKit takes and has not done for long, and what is done here anyway. */
static int set_nothing(struct export_spec *s, const char *value, struct err *err)
{
    (void)s, (void)value, (void)err;
    return 0;
}

/* ---- the table ---- */

enum {
    IMAGE = 1 << EXPORT_IMAGE,
    LOCAL = 1 << EXPORT_LOCAL,
    ARCHIVE = 1 << EXPORT_OCI | 1 << EXPORT_DOCKER,
    FILES = 1 << EXPORT_LOCAL | 1 << EXPORT_TAR,
    IMAGES = IMAGE | ARCHIVE,
    OUTPUTS = IMAGES | FILES,
    ALL = OUTPUTS | 1 << EXPORT_CACHEONLY,
};

#define CALL(function) .set = function
#define FLAG(field) .offset = offsetof(struct export_spec, field)
static const struct key {
    const char *name;
    unsigned types; /* 1 << enum export_type, each that has it */
    int (*set)(struct export_spec *s, const char *value, struct err *err); /* NULL: a bool */
    size_t offset;                                                         /* where that bool is */
} keys[] = {
    { "type", ALL, CALL(set_type) },
    { "name", IMAGES, CALL(set_names) },
    { "dest", OUTPUTS, CALL(set_dest) },
    { "push", IMAGES, FLAG(is_pushed) },
    { "push-by-digest", IMAGE, FLAG(by_digest) },
    { "registry.insecure", IMAGE, FLAG(is_insecure) },
    { "store", IMAGE, FLAG(is_kept) },
    { "unpack", IMAGE, FLAG(is_unpacked) },
    { "name-canonical", IMAGE, FLAG(has_canonical) },
    { "dangling-name-prefix", IMAGE, CALL(set_prefix) },
    { "tar", ARCHIVE, FLAG(is_tar) },
    { "oci-mediatypes", IMAGES, CALL(set_oci_types) },
    { "compression", IMAGES, CALL(set_compression) },
    { "compression-level", IMAGES, CALL(set_level) },
    { "force-compression", IMAGES, FLAG(is_forced) },
    { "rewrite-timestamp", IMAGES, CALL(set_rewrite) },
    { "source-date-epoch", OUTPUTS, CALL(set_epoch) },
    { "prefer-nondist-layers", IMAGES, CALL(set_nondist) },
    { "oci-artifact", IMAGES, CALL(set_artifact) },
    { "attestation-inline", IMAGES, CALL(set_nothing) },
    { "attestation-prefix", FILES, CALL(set_attestation_prefix) },
    { "buildinfo", IMAGES, CALL(set_nothing) },
    { "buildinfo-attrs", IMAGES, CALL(set_nothing) },
    { "platform-split", FILES, CALL(set_split) },
    { "mode", LOCAL, CALL(set_mode) },
};
enum { N_KEYS = sizeof keys / sizeof *keys };

static int unknown_key(const char *key, struct err *err)
{
    const char *names[N_KEYS];
    for (size_t i = 0; i < N_KEYS; i++)
        names[i] = keys[i].name;
    const char *near = nearest(key, names, N_KEYS);
    err_set(err, ERR_INVALID, "%s: no such key of an output", key);
    return near ? err_hint(err, "did you mean %s?", near) : -1;
}

static const char *const type_names[] = { "image", "oci", "docker", "local", "tar", "cacheonly" };

static int misplaced_key(const char *key, unsigned types, enum export_type type, struct err *err)
{
    struct buf list;
    buf_init(&list, 128);
    for (unsigned i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (types & 1u << i)
            buf_printf(&list, "%s%s", list.len ? ", " : "", type_names[i]);
    AUTO_FREE char *of = buf_take(&list);
    err_set(err, ERR_INVALID, "%s: type=%s has no such key", key, type_names[type]);
    return err_hint(err, "it is a key of %s", of);
}

int spec_set(struct export_spec *s, const char *key, const char *value, struct err *err)
{
    unsigned type = 1u << s->type;
    if (annotation_is_key(key))
        return type & IMAGES ? annotations_add(&s->annotations, key, value, err)
                             : misplaced_key(key, IMAGES, s->type, err);
    for (const struct key *k = keys; k < keys + N_KEYS; k++) {
        if (strcmp(key, k->name) != 0)
            continue;
        if (!(k->types & type))
            return misplaced_key(key, k->types, s->type, err);
        return k->set ? k->set(s, value, err)
                      : read_bool(key, value, (bool *)((char *)s + k->offset), err);
    }
    return unknown_key(key, err);
}
