/* engine/export/spec.c - reading -o: type=TYPE,key=value,...
 *
 * Spec: docker buildx build "--output"; a field with a comma or a quote is quoted as in CSV (RFC
 * 4180). */
#include <stdlib.h>
#include <string.h>

#include "base/codec/csv.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/export/internal.h"

void export_spec_init(struct export_spec *s, enum export_type type)
{
    *s = (struct export_spec){ .type = type,
                               .is_kept = true,
                               .is_tar = type == EXPORT_OCI || type == EXPORT_DOCKER,
                               .compression = COMPRESSION_GZIP,
                               .compression_level = -1,
                               .rewrites_times = -1,
                               .splits_platforms = -1,
                               .has_docker_types = type == EXPORT_DOCKER };
}

void export_spec_clear(struct export_spec *s)
{
    str_list_clear(&s->names);
    free(s->dest);
    free(s->attestation_prefix);
    free(s->dangling_prefix);
    free(s->epoch);
    annotations_clear(&s->annotations);
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

/* Levels as the programs of these names have them. */
static int check_level(const struct export_spec *s, struct err *err)
{
    static const int highest[] = {
        [COMPRESSION_GZIP] = 9, [COMPRESSION_ESTARGZ] = 9, [COMPRESSION_ZSTD] = 22
    };
    const char *name = compression_name(s->compression);
    if (s->compression_level < 0)
        return 0;
    if (s->compression == COMPRESSION_NONE)
        return err_set(err, ERR_INVALID, "compression-level=%d: %s has none", s->compression_level,
                       name);
    if (s->compression_level > highest[s->compression])
        return err_set(err, ERR_INVALID, "compression-level=%d: %s has levels from 0 to %d",
                       s->compression_level, name, highest[s->compression]);
    return 0;
}

/* What only OCI's media types can tell brings them with it, as in BuildKit. */
static void choose_types(struct export_spec *s)
{
    if (s->compression == COMPRESSION_ESTARGZ || annotations_need_oci(&s->annotations))
        s->has_docker_types = false;
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
    if (s->by_digest && !s->is_pushed)
        return err_set(err, ERR_INVALID, "push-by-digest=true: push=true is missing");
    return check_level(s, err);
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
        if (spec_set(out, keys->items[i], values->items[i], err))
            return -1;
    choose_types(out);
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

int export_spec_annotate(struct export_spec *s, const char *text, struct err *err)
{
    if (annotations_parse(&s->annotations, text, err))
        return -1;
    choose_types(s);
    return 0;
}

bool export_is_image(const struct export_spec *s)
{
    return s->type == EXPORT_IMAGE || s->type == EXPORT_OCI || s->type == EXPORT_DOCKER;
}

void export_result_clear(struct export_result *r)
{
    descriptor_clear(&r->target);
    str_list_clear(&r->pinned);
    *r = (struct export_result){ 0 };
}
