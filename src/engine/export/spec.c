/* engine/export/spec.c - reading -o: type=TYPE,key=value,...
 *
 * Spec: docker buildx build "--output"; a field with a comma or a quote is quoted as in CSV (RFC
 * 4180). */
#include <stdlib.h>
#include <string.h>

#include "base/codec/csv.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/export/export.h"

void export_spec_init(struct export_spec *s, enum export_type type)
{
    *s = (struct export_spec){ .type = type,
                               .is_kept = true,
                               .is_tar = type == EXPORT_OCI || type == EXPORT_DOCKER,
                               .compression = COMPRESSION_GZIP,
                               .compression_level = -1,
                               .rewrites_times = -1,
                               .has_docker_types = type == EXPORT_DOCKER,
                               .annotations = STR_MAP,
                               .index_annotations = STR_MAP };
}

void export_spec_clear(struct export_spec *s)
{
    str_list_clear(&s->names);
    free(s->dest);
    free(s->attestation_prefix);
    map_clear(&s->annotations);
    map_clear(&s->index_annotations);
}

static int read_bool(const char *key, const char *value, bool *out, struct err *err)
{
    if (!*value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
        *out = true;
    else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
        *out = false;
    else
        return err_set(err, ERR_INVALID, "%s=%s: true or false is expected", key, value);
    return 0;
}

static const struct {
    const char *name;
    enum export_type type;
} types[] = {
    { "image", EXPORT_IMAGE },         { "registry", EXPORT_IMAGE }, { "oci", EXPORT_OCI },
    { "docker", EXPORT_DOCKER },       { "local", EXPORT_LOCAL },    { "tar", EXPORT_TAR },
    { "cacheonly", EXPORT_CACHEONLY },
};

static int find_type(const char *name, enum export_type *out, struct err *err)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(name, types[i].name) == 0) {
            *out = types[i].type;
            return 0;
        }
    err_set(err, ERR_INVALID, "type=%s: no such output", name);
    return err_hint(err, "there are image, registry, oci, docker, local, tar and cacheonly");
}

static int set_compression(struct export_spec *s, const char *value, struct err *err)
{
    if (strcmp(value, "estargz") == 0)
        return err_set(err, ERR_UNSUPPORTED, "compression=estargz is not there yet");
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

static int set_annotation(struct export_spec *s, const char *key, const char *value,
                          struct err *err)
{
    if (strncmp(key, "annotation.", 11) == 0)
        map_set_str(&s->annotations, key + 11, value);
    else if (strncmp(key, "annotation-manifest.", 20) == 0)
        map_set_str(&s->annotations, key + 20, value);
    else if (strncmp(key, "annotation-index.", 17) == 0)
        map_set_str(&s->index_annotations, key + 17, value);
    else
        return err_set(err, ERR_UNSUPPORTED, "%s: annotations of descriptors are not there yet",
                       key);
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

static int set_flag(struct export_spec *s, const char *key, const char *value, bool *is_known,
                    struct err *err)
{
    bool flag = false;
    const struct {
        const char *key;
        bool *to;
    } flags[] = { { "push", &s->is_pushed },
                  { "push-by-digest", &s->by_digest },
                  { "store", &s->is_kept },
                  { "tar", &s->is_tar },
                  { "force-compression", &s->is_forced } };
    *is_known = true;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(key, flags[i].key) == 0)
            return read_bool(key, value, flags[i].to, err);
    if (strcmp(key, "oci-mediatypes") == 0) {
        if (read_bool(key, value, &flag, err))
            return -1;
        s->has_docker_types = !flag;
        return 0;
    }
    if (strcmp(key, "oci-artifact") == 0) {
        if (read_bool(key, value, &flag, err))
            return -1;
        s->has_no_artifact = !flag;
        return 0;
    }
    if (strcmp(key, "rewrite-timestamp") == 0) {
        if (read_bool(key, value, &flag, err))
            return -1;
        s->rewrites_times = flag;
        return 0;
    }
    *is_known = false;
    return 0;
}

static int set_key(struct export_spec *s, const char *key, const char *value, struct err *err)
{
    bool is_known = false;
    if (set_flag(s, key, value, &is_known, err) || is_known)
        return err->kind ? -1 : 0;
    if (strcmp(key, "type") == 0)
        return 0; /* read before */
    if (strcmp(key, "name") == 0)
        return set_names(s, value, err);
    if (strcmp(key, "dest") == 0) {
        free(s->dest);
        s->dest = xstrdup(value);
        return 0;
    }
    if (strcmp(key, "attestation-prefix") == 0) {
        free(s->attestation_prefix);
        s->attestation_prefix = xstrdup(value);
        return strchr(value, '/') ? err_set(err, ERR_INVALID, "%s=%s: has a slash", key, value) : 0;
    }
    if (strcmp(key, "compression") == 0)
        return set_compression(s, value, err);
    if (strcmp(key, "compression-level") == 0)
        return set_level(s, value, err);
    if (strncmp(key, "annotation", 10) == 0)
        return set_annotation(s, key, value, err);
    if (strcmp(key, "unpack") == 0 || strcmp(key, "name-canonical") == 0 ||
        strcmp(key, "dangling-name-prefix") == 0)
        return 0; /* said to a store that works in another way; nothing to do here */
    return err_set(err, ERR_INVALID, "%s: no such key of an output", key);
}

static int read_fields(const char *text, struct str_list *keys, struct str_list *values,
                       struct err *err)
{
    struct span rest = span_of(text);
    for (;;) {
        AUTO_FREE char *field = NULL;
        if (csv_next(&rest, &field, err))
            return -1;
        if (!field)
            return 0;
        const char *equals = strchr(field, '=');
        if (!*field)
            return err_set(err, ERR_INVALID, "an empty field");
        str_list_take(keys, equals ? xstrndup(field, (size_t)(equals - field)) : xstrdup(field));
        str_list_push(values, equals ? equals + 1 : "");
    }
}

static int check_spec(const struct export_spec *s, struct err *err)
{
    bool needs_dest = s->type == EXPORT_LOCAL || s->type == EXPORT_TAR || s->type == EXPORT_OCI;
    if (needs_dest && !s->dest)
        return err_set(err, ERR_INVALID, "dest= is missing: where shall it go?");
    if (needs_dest && !*s->dest)
        return err_set(err, ERR_INVALID, "dest= is empty");
    if (s->type == EXPORT_IMAGE && s->dest)
        return err_set(err, ERR_INVALID, "dest=%s: an image goes by its name", s->dest);
    if (s->is_pushed && s->type != EXPORT_IMAGE)
        return err_set(err, ERR_INVALID, "push=true: only type=image can be pushed");
    if (s->type == EXPORT_DOCKER && !s->is_tar && !s->dest)
        return err_set(err, ERR_INVALID, "tar=false: dest= is missing");
    bool is_folder = s->type == EXPORT_LOCAL ||
                     ((s->type == EXPORT_OCI || s->type == EXPORT_DOCKER) && !s->is_tar);
    if (is_folder && s->dest && strcmp(s->dest, "-") == 0)
        return err_set(err, ERR_INVALID, "dest=-: a folder cannot go to stdout");
    return 0;
}

static int fill_spec(const struct str_list *keys, const struct str_list *values,
                     struct export_spec *out, struct err *err)
{
    enum export_type type = EXPORT_IMAGE;
    bool has_type = false;
    for (size_t i = 0; i < keys->n; i++) {
        if (strcmp(keys->items[i], "type") != 0)
            continue;
        has_type = true;
        if (find_type(values->items[i], &type, err))
            return -1;
        export_spec_init(out, type);
        out->is_pushed = strcmp(values->items[i], "registry") == 0;
    }
    if (!has_type)
        return err_set(err, ERR_INVALID, "type= is missing");
    for (size_t i = 0; i < keys->n; i++)
        if (set_key(out, keys->items[i], values->items[i], err))
            return -1;
    return check_spec(out, err);
}

int export_spec_parse(const char *text, struct export_spec *out, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list keys = { 0 }, values = { 0 };
    if (!strchr(text, '=')) {
        export_spec_init(out, strcmp(text, "-") == 0 ? EXPORT_TAR : EXPORT_LOCAL);
        out->dest = xstrdup(text);
        return 0;
    }
    export_spec_init(out, EXPORT_IMAGE);
    if (read_fields(text, &keys, &values, err) || fill_spec(&keys, &values, out, err)) {
        export_spec_clear(out);
        return err_wrap(err, "output \"%s\"", text);
    }
    return 0;
}

void export_result_clear(struct export_result *r)
{
    descriptor_clear(&r->target);
    str_list_clear(&r->pinned);
    *r = (struct export_result){ 0 };
}
