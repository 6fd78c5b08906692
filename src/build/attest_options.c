/* build/attest_options.c - reading --attest, --sbom and --provenance.  Spec: docker buildx build.
 */
#include <stdlib.h>
#include <string.h>

#include "base/codec/csv.h"
#include "base/core/mem.h"
#include "build/attest.h"

void attest_options_clear(struct attest_options *o)
{
    free(o->builder_id);
    free(o->filename);
    *o = (struct attest_options){ 0 };
}

static int set_flag(const char *key, const char *value, bool *out, struct err *err)
{
    if (span_bool(span_of(value), out))
        return 0;
    return err_set(err, ERR_INVALID, "%s=%s: true or false is expected", key, value);
}

static void set_text(char **to, const char *value)
{
    free(*to);
    *to = xstrdup(value);
}

static int set_mode(struct attest_options *o, const char *value, struct err *err)
{
    o->is_max = strcmp(value, "max") == 0;
    if (o->is_max || strcmp(value, "min") == 0)
        return 0;
    return err_set(err, ERR_INVALID, "mode=%s: min or max is expected", value);
}

static int set_version(struct attest_options *o, const char *value, struct err *err)
{
    o->version = strcmp(value, "v0.2") == 0 ? SLSA_02 : SLSA_1;
    if (o->version == SLSA_02 || strcmp(value, "v1") == 0)
        return 0;
    return err_set(err, ERR_INVALID, "version=%s: v1 or v0.2 is expected", value);
}

static int set_filename(struct attest_options *o, const char *value, struct err *err)
{
    if (!*value || strchr(value, '/') || strcmp(value, "..") == 0 || strcmp(value, ".") == 0)
        return err_set(err, ERR_INVALID, "filename=%s: a name without slashes is expected", value);
    set_text(&o->filename, value);
    return 0;
}

static int set_provenance(struct attest_options *o, const char *key, const char *value,
                          struct err *err)
{
    if (strcmp(key, "mode") == 0)
        return set_mode(o, value, err);
    if (strcmp(key, "version") == 0)
        return set_version(o, value, err);
    if (strcmp(key, "reproducible") == 0)
        return set_flag(key, value, &o->is_reproducible, err);
    if (strcmp(key, "inline-only") == 0)
        return set_flag(key, value, &o->is_inline_only, err);
    if (strcmp(key, "filename") == 0)
        return set_filename(o, value, err);
    if (strcmp(key, "builder-id") != 0)
        return err_set(err, ERR_INVALID, "%s: no such key", key);
    set_text(&o->builder_id, value);
    return 0;
}

static int set_sbom(const char *key, const char *value, struct err *err)
{
    if (strcmp(key, "generator") != 0)
        return err_set(err, ERR_INVALID, "%s: no such key", key);
    err_set(err, ERR_UNSUPPORTED, "generator=%s: other scanners are not run", value);
    return err_hint(err, "leave generator= out: kiln makes the bill itself");
}

/* The fields that are there, but for type= and disabled=, which are found first: they may stand
 * anywhere. */
static int read_fields(const char *text, struct map *out, struct err *err)
{
    struct span rest = span_of(text);
    for (;;) {
        AUTO_FREE char *field = NULL;
        if (csv_next(&rest, &field, err))
            return -1;
        if (!field)
            return 0;
        char *equals = strchr(field, '=');
        if (!equals)
            return err_set(err, ERR_INVALID, "\"%s\": KEY=VALUE is expected", field);
        *equals = '\0';
        map_set_str(out, field, equals + 1);
    }
}

static int take_fields(struct map *fields, struct attest_options *o, struct err *err)
{
    const char *type = map_find_str(fields, "type"), *off = map_find_str(fields, "disabled");
    bool is_off = false;
    if (!type)
        return err_set(err, ERR_INVALID, "attestation type not specified");
    bool is_sbom = strcmp(type, "sbom") == 0;
    if (!is_sbom && strcmp(type, "provenance") != 0)
        return err_set(err, ERR_UNSUPPORTED, "type=%s: sbom and provenance are there", type);
    if (off && set_flag("disabled", off, &is_off, err))
        return -1;
    *(is_sbom ? &o->has_sbom : &o->has_provenance) = !is_off;
    map_each (fields, e) {
        if (strcmp(e->key, "type") == 0 || strcmp(e->key, "disabled") == 0)
            continue;
        if (is_sbom ? set_sbom(e->key, e->value, err) : set_provenance(o, e->key, e->value, err))
            return -1;
    }
    return 0;
}

int attest_options_parse(const char *text, struct attest_options *out, struct err *err)
{
    AUTO_VALUE(map_clear) struct map fields = STR_MAP;
    if (read_fields(text, &fields, err) || take_fields(&fields, out, err))
        return err_wrap(err, "--attest %s", text);
    return 0;
}

int attest_options_short(const char *type, const char *value, struct attest_options *out,
                         struct err *err)
{
    AUTO_VALUE(map_clear) struct map fields = STR_MAP;
    bool is_on = false;
    map_set_str(&fields, "type", type);
    if (span_bool(span_of(value), &is_on))
        map_set_str(&fields, "disabled", is_on ? "false" : "true");
    else if (*value && read_fields(value, &fields, err))
        return err_wrap(err, "--%s %s", type, value);
    return take_fields(&fields, out, err) ? err_wrap(err, "--%s %s", type, value) : 0;
}
