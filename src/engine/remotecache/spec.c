/* engine/remotecache/spec.c - see spec.h. */
#include "engine/remotecache/spec.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec/csv.h"
#include "base/core/mem.h"

void cache_spec_clear(struct cache_spec *s)
{
    free(s->ref);
    free(s->folder);
    free(s->tag);
    str_list_clear(&s->mounts);
    *s = (struct cache_spec){ 0 };
}

void cache_specs_clear(struct cache_specs *l)
{
    vec_each (l, s)
        cache_spec_clear(s);
    vec_clear(l);
}

bool cache_spec_has_mount(const struct cache_spec *s, const char *id)
{
    /* Front ends put the build's namespace, "" mostly, and a slash before what a Dockerfile says.
     */
    return s->has_all_mounts || str_list_has(&s->mounts, id) ||
           (id[0] == '/' && str_list_has(&s->mounts, id + 1));
}

char *cache_spec_name(const struct cache_spec *s)
{
    return s->type == CACHE_REGISTRY ? xstrdup(s->ref)
           : s->type == CACHE_LOCAL  ? xasprintf("local:%s", s->folder)
                                     : xstrdup("inline");
}

/* ---- keys ---- */

static int read_bool(const char *key, const char *value, bool *out, struct err *err)
{
    if (span_bool(span_of(value), out))
        return 0;
    return err_set(err, ERR_INVALID, "%s=%s: true or false is expected", key, value);
}

static int set_type(struct cache_spec *s, const char *value, bool is_export, struct err *err)
{
    static const char *const elsewhere[] = { "gha", "s3", "azblob" };
    if (strcmp(value, "registry") == 0)
        s->type = CACHE_REGISTRY;
    else if (strcmp(value, "local") == 0)
        s->type = CACHE_LOCAL;
    else if (strcmp(value, "inline") == 0 && is_export)
        s->type = CACHE_INLINE;
    else if (strcmp(value, "inline") == 0) {
        err_set(err, ERR_INVALID, "type=inline: such a cache lies in an image");
        return err_hint(err, "name the image: type=registry,ref=IMAGE");
    } else {
        for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
            if (strcmp(value, elsewhere[i]) == 0)
                return err_set(err, ERR_UNSUPPORTED, "type=%s: caches of this kind are not there",
                               value);
        err_set(err, ERR_INVALID, "type=%s: no such kind of cache", value);
        return err_hint(err, "there are registry, local%s", is_export ? " and inline" : "");
    }
    return 0;
}

static int set_mode(struct cache_spec *s, const char *value, struct err *err)
{
    s->is_max = strcmp(value, "max") == 0;
    if (!s->is_max && strcmp(value, "min") != 0)
        return err_set(err, ERR_INVALID, "mode=%s: min or max is expected", value);
    return 0;
}

static int set_level(struct cache_spec *s, const char *value, struct err *err)
{
    uint64_t level = 0;
    if (!span_u64(span_of(value), 22, &level))
        return err_set(err, ERR_INVALID, "compression-level=%s: a number from 0 to 22 is expected",
                       value);
    s->compression_level = (int)level;
    return 0;
}

static int set_mounts(struct cache_spec *s, const char *value, struct err *err)
{
    struct span rest = span_of(value);
    s->has_all_mounts = strcmp(value, "all") == 0;
    str_list_clear(&s->mounts);
    if (s->has_all_mounts || strcmp(value, "none") == 0)
        return 0;
    while (rest.ptr) {
        struct span id = span_trim(span_cut(&rest, ','));
        if (!id.len)
            return err_set(err, ERR_INVALID, "mounts=%s: ids, all or none is expected", value);
        str_list_take(&s->mounts, span_dup(id));
    }
    return 0;
}

static void set_text(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

/* Keys with true or false. */
static bool find_flag(struct cache_spec *s, const char *key, bool **out)
{
    static const struct {
        const char *key;
        size_t offset;
    } flags[] = { { "force-compression", offsetof(struct cache_spec, is_forced) },
                  { "ignore-error", offsetof(struct cache_spec, ignores_errors) },
                  { "reset", offsetof(struct cache_spec, resets) } };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(key, flags[i].key) == 0) {
            *out = (bool *)((char *)s + flags[i].offset);
            return true;
        }
    return false;
}

/* What only an export has. */
static int set_export_key(struct cache_spec *s, const char *key, const char *value, struct err *err)
{
    bool *flag, yes = true;
    if (find_flag(s, key, &flag))
        return read_bool(key, value, flag, err);
    if (strcmp(key, "mode") == 0)
        return set_mode(s, value, err);
    if (strcmp(key, "compression") == 0)
        return compression_parse(value, &s->compression, err);
    if (strcmp(key, "compression-level") == 0)
        return set_level(s, value, err);
    if (strcmp(key, "oci-mediatypes") == 0) {
        if (read_bool(key, value, &yes, err))
            return -1;
        s->has_docker_types = !yes;
        return 0;
    }
    if (strcmp(key, "image-manifest") == 0) {
        if (read_bool(key, value, &yes, err))
            return -1;
        s->is_index = !yes;
        return 0;
    }
    return err_set(err, ERR_INVALID, "%s: no such key of --cache-to", key);
}

static int set_key(struct cache_spec *s, const char *key, const char *value, bool is_export,
                   struct err *err)
{
    if (strcmp(key, "type") == 0)
        return set_type(s, value, is_export, err);
    if (strcmp(key, "mounts") == 0)
        return set_mounts(s, value, err);
    if (strcmp(key, "ref") == 0)
        set_text(&s->ref, value);
    else if (strcmp(key, is_export ? "dest" : "src") == 0)
        set_text(&s->folder, value);
    else if (strcmp(key, "tag") == 0)
        set_text(&s->tag, value);
    else if (is_export)
        return set_export_key(s, key, value, err);
    else if (strcmp(key, "digest") == 0)
        return digest_parse(span_of(value), &s->digest, err);
    else
        return err_set(err, ERR_INVALID, "%s: no such key of --cache-from", key);
    return 0;
}

/* ---- flags ---- */

static int check(struct cache_spec *s, bool is_export, bool has_index_key, struct err *err)
{
    if (s->type == CACHE_REGISTRY && (!s->ref || !*s->ref))
        return err_set(err, ERR_INVALID, "type=registry: ref= is missing");
    if (s->type == CACHE_LOCAL && (!s->folder || !*s->folder))
        return err_set(err, ERR_INVALID, "type=local: %s= is missing", is_export ? "dest" : "src");
    if (s->type == CACHE_INLINE && s->is_max)
        return err_set(err, ERR_INVALID, "type=inline: it has the image's own layers, mode=min");
    if (s->type == CACHE_INLINE && (s->has_all_mounts || s->mounts.n))
        return err_set(err, ERR_INVALID, "type=inline: an image has no place for cache mounts");
    if (s->has_docker_types && !has_index_key)
        s->is_index = true; /* Docker's manifests cannot hold caches, its lists can */
    if (s->has_docker_types && !s->is_index)
        return err_set(err, ERR_INVALID, "oci-mediatypes=false: image-manifest=true needs OCI's");
    return 0;
}

static struct cache_spec spec_new(bool is_export)
{
    return (struct cache_spec){ .type = CACHE_REGISTRY,
                                .tag = xstrdup("latest"),
                                .compression = COMPRESSION_GZIP,
                                .compression_level = -1,
                                .has_all_mounts = !is_export };
}

static int read_fields(const char *text, bool is_export, struct cache_spec *s, struct err *err)
{
    struct span rest = span_of(text);
    bool has_type = false, has_index_key = false;
    for (;;) {
        AUTO_FREE char *field = NULL;
        if (csv_next(&rest, &field, err))
            return -1;
        if (!field)
            break;
        char *value = strchr(field, '=');
        if (!value)
            return err_set(err, ERR_INVALID, "%s: KEY=VALUE is expected", field);
        *value++ = '\0';
        has_type |= strcmp(field, "type") == 0;
        has_index_key |= strcmp(field, "image-manifest") == 0;
        if (set_key(s, field, value, is_export, err))
            return -1;
    }
    if (!has_type)
        return err_set(err, ERR_INVALID, "type= is missing");
    return check(s, is_export, has_index_key, err);
}

static int read_names(const char *text, bool is_export, struct cache_specs *out, struct err *err)
{
    struct span rest = span_of(text);
    while (rest.ptr) {
        struct span name = span_trim(span_cut(&rest, ','));
        if (!name.len)
            return err_set(err, ERR_INVALID, "an empty name");
        struct cache_spec *s = vec_push(out);
        *s = spec_new(is_export);
        s->ref = span_dup(name);
    }
    return 0;
}

int cache_specs_parse(const char *text, bool is_export, struct cache_specs *out, struct err *err)
{
    int status;
    if (strchr(text, '=')) {
        struct cache_spec *s = vec_push(out);
        *s = spec_new(is_export);
        status = read_fields(text, is_export, s, err);
    } else {
        status = read_names(text, is_export, out, err);
    }
    return status ? err_wrap(err, "--cache-%s %s", is_export ? "to" : "from", text) : 0;
}
