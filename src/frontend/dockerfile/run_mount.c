/* frontend/dockerfile/run_mount.c - the value of RUN --mount: "type=cache,target=/root/.cache".
 *
 * A mount is read twice.  The first time, when the file is parsed, nothing can be expanded, so a
 * mount with anything to expand is only checked for what must never be expanded.  The second time
 * is the converter's.  Keys are told from left to right: `required` is refused before
 * `type=secret`.
 *
 * Threads: values. */
#include <string.h>

#include "frontend/dockerfile/parse_internal.h"

static const char *const mount_types[] = { "bind", "secret", "ssh", "cache", "tmpfs" };
static const char *const sharings[] = { "shared", "private", "locked" };

/* A mount while it is read. */
struct mount_state {
    struct run_mount *m;
    struct arena *arena;
    bool has_sharing, has_readonly;
};

/* Index of `text` in `names`, n when it is not there. */
static size_t index_of(const char *text, const char *const *names, size_t n)
{
    size_t i = 0;
    while (i < n && strcmp(names[i], text) != 0)
        i++;
    return i;
}

static int set_type(struct mount_state *s, const char *value, struct err *err)
{
    size_t i = index_of(lower_case(s->arena, value), mount_types, 5);
    if (i == 5) {
        err_set(err, ERR_INVALID, "unsupported mount type %s", quoted(s->arena, value));
        err_hint(err, "known are bind, cache, secret, ssh and tmpfs");
        return did_you_mean(err, value, mount_types, 5, false);
    }
    s->m->type = (enum mount_type)i; /* mount_types is in the enum's order */
    return 0;
}

static int set_sharing(struct mount_state *s, const char *value, struct err *err)
{
    size_t i = index_of(lower_case(s->arena, value), sharings, 3);
    if (i == 3) {
        err_set(err, ERR_INVALID, "unsupported sharing value %s", quoted(s->arena, value));
        err_hint(err, "known are shared, private and locked");
        return did_you_mean(err, value, sharings, 3, false);
    }
    s->m->sharing = (enum cache_sharing)i;
    s->has_sharing = true;
    return 0;
}

static int invalid_value(const char *key, const char *value, struct err *err)
{
    return err_set(err, ERR_INVALID, "invalid value for %s: %s", key, value);
}

static int wrong_type_for(struct mount_state *s, const char *key, struct err *err)
{
    err_set(err, ERR_INVALID, "unexpected key '%s' for mount type '%s'", key,
            mount_types[s->m->type]);
    return err_hint(err, "put the type first: type=%s,%s",
                    strcmp(key, "size") == 0 ? "tmpfs" : "secret", key);
}

static int set_required(struct mount_state *s, const char *key, const char *value, struct err *err)
{
    if (s->m->type != MOUNT_SECRET && s->m->type != MOUNT_SSH)
        return wrong_type_for(s, key, err);
    return span_bool(span_of(value), &s->m->is_required) ? 0 : invalid_value(key, value, err);
}

static int set_readonly(struct mount_state *s, const char *key, const char *value, struct err *err)
{
    bool is_on;
    if (!span_bool(span_of(value), &is_on))
        return invalid_value(key, value, err);
    bool is_write = strcmp(key, "rw") == 0 || strcmp(key, "readwrite") == 0;
    s->m->is_readonly = is_on != is_write;
    s->has_readonly = true;
    return 0;
}

static int set_size(struct mount_state *s, const char *value, struct err *err)
{
    if (s->m->type != MOUNT_TMPFS)
        return wrong_type_for(s, "size", err);
    return ram_size_parse(value, &s->m->size) ? 0 : invalid_value("size", value, err);
}

static int set_number(const char *key, const char *value, int base, bool *has, uint32_t *out,
                      struct err *err)
{
    uint64_t n;
    if (!unsigned_parse(value, base, UINT32_MAX, &n))
        return err_set(err, ERR_INVALID, "invalid value %s for %s", value, key);
    *has = true;
    *out = (uint32_t)n;
    return 0;
}

/* Where a key that takes any text puts it; NULL when `key` is none of these. */
static const char **text_field(struct run_mount *m, const char *key)
{
    static const struct {
        const char *key;
        size_t offset;
    } fields[] = {
        { "from", offsetof(struct run_mount, from) },
        { "source", offsetof(struct run_mount, source) },
        { "src", offsetof(struct run_mount, source) },
        { "target", offsetof(struct run_mount, target) },
        { "dst", offsetof(struct run_mount, target) },
        { "destination", offsetof(struct run_mount, target) },
        { "id", offsetof(struct run_mount, id) },
        { "env", offsetof(struct run_mount, env) },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].key, key) == 0)
            return (const char **)((char *)m + fields[i].offset);
    return NULL;
}

static int unexpected_key(const char *key, const char *field, struct err *err)
{
    static const char *const known[] = { "type", "from",    "source",    "target", "readonly",
                                         "id",   "sharing", "required",  "size",   "mode",
                                         "uid",  "gid",     "src",       "dst",    "destination",
                                         "ro",   "rw",      "readwrite", "env" };
    err_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, field);
    return did_you_mean(err, key, known, sizeof known / sizeof *known, false);
}

static int set_option(struct mount_state *s, const char *key, const char *value, const char *field,
                      struct err *err)
{
    struct run_mount *m = s->m;
    const char **text = text_field(m, key);
    if (text) {
        *text = value;
        return 0;
    }
    if (strcmp(key, "type") == 0)
        return set_type(s, value, err);
    if (strcmp(key, "sharing") == 0)
        return set_sharing(s, value, err);
    if (strcmp(key, "required") == 0)
        return set_required(s, key, value, err);
    if (strcmp(key, "size") == 0)
        return set_size(s, value, err);
    if (strcmp(key, "mode") == 0)
        return set_number(key, value, 8, &m->has_mode, &m->mode, err);
    if (strcmp(key, "uid") == 0)
        return set_number(key, value, 10, &m->has_uid, &m->uid, err);
    if (strcmp(key, "gid") == 0)
        return set_number(key, value, 10, &m->has_gid, &m->gid, err);
    static const char *const modes[] = { "ro", "readonly", "rw", "readwrite" };
    if (index_of(key, modes, 4) < 4)
        return set_readonly(s, key, value, err);
    return unexpected_key(key, field, err);
}

/* An option without "=": only those that are true or false. */
static int set_bare(struct mount_state *s, const char *key, const char *field, struct err *err)
{
    static const char *const bare[] = { "ro", "readonly", "rw", "readwrite", "required" };
    if (index_of(key, bare, 5) == 5)
        return err_set(err, ERR_INVALID, "invalid field '%s' must be a key=value pair", field);
    return set_option(s, key, "true", field, err);
}

static int check_secret(const struct mount_state *s, struct err *err)
{
    const struct run_mount *m = s->m;
    if (m->from[0])
        return err_set(err, ERR_INVALID, "secret mount should not have a from");
    if (s->has_sharing)
        return err_set(err, ERR_INVALID, "secret mount should not define sharing");
    if (!m->source[0] && !m->target[0] && !m->id[0])
        return err_set(err, ERR_INVALID, "invalid secret mount. one of source, target required");
    if (m->source[0] && m->id[0])
        return err_set(err, ERR_INVALID, "both source and id can't be set");
    return 0;
}

static int check_mount(struct mount_state *s, struct err *err)
{
    struct run_mount *m = s->m;
    const char *type = mount_types[m->type];
    if (m->type == MOUNT_BIND || m->type == MOUNT_TMPFS) {
        const char *key = m->has_mode ? "mode" : m->has_uid ? "uid" : m->has_gid ? "gid" : NULL;
        if (key)
            return err_set(err, ERR_INVALID, "%s not allowed for \"%s\" type mounts", key, type);
    }
    if (!s->has_readonly)
        m->is_readonly = m->type != MOUNT_CACHE && m->type != MOUNT_TMPFS;
    if (m->type == MOUNT_SECRET && check_secret(s, err))
        return -1;
    if (s->has_sharing && m->type != MOUNT_CACHE)
        return err_set(err, ERR_INVALID, "invalid cache sharing set for %s mount", type);
    if (m->type == MOUNT_SSH && m->source[0])
        return err_set(err, ERR_INVALID, "ssh does not support source");
    return 0;
}

static int refuse_variable_from(const char *key, const char *value, struct err *err)
{
    const char *dollar = strchr(value, '$');
    if (strcmp(key, "from") != 0 || !dollar || !dollar[1])
        return 0;
    err_set(err, ERR_INVALID, "'%s' doesn't support variable expansion, define alias stage instead",
            key);
    return err_hint(err, "put FROM %s AS alias before this stage, and from=alias here", value);
}

/* Whether something in the options is to be expanded; refuses where it must not. */
static int find_variables(const struct strings *fields, struct arena *a, bool *has_some,
                          struct err *err)
{
    *has_some = false;
    for (size_t i = 0; i < fields->n; i++) {
        const char *equals = strchr(fields->items[i], '=');
        if (!equals)
            continue;
        const char *key =
            lower_case(a, arena_strndup(a, fields->items[i], (size_t)(equals - fields->items[i])));
        if (refuse_variable_from(key, equals + 1, err))
            return -1;
        *has_some |= strpbrk(equals + 1, "$\\`'\"") != NULL;
    }
    return 0;
}

int run_mount_parse(const char *text, mount_expand_fn expand, void *arg, struct arena *a,
                    struct run_mount *out, struct err *err)
{
    *out = (struct run_mount){ .from = "", .source = "", .target = "", .id = "", .env = "" };
    struct mount_state s = { .m = out, .arena = a };
    struct strings fields;
    bool has_variables;
    if (words_csv(text, a, &fields, err))
        return err_wrap(err, "failed to parse csv mounts");
    if (find_variables(&fields, a, &has_variables, err))
        return -1;
    if (!expand && has_variables)
        return 0;
    for (size_t i = 0; i < fields.n; i++) {
        const char *field = fields.items[i], *equals = strchr(field, '=');
        const char *key =
            lower_case(a, equals ? arena_strndup(a, field, (size_t)(equals - field)) : field);
        const char *value = equals ? equals + 1 : NULL;
        if (!value) {
            if (set_bare(&s, key, field, err))
                return -1;
            continue;
        }
        if (expand && strcmp(key, "from") != 0 && expand(arg, value, &value, err))
            return -1;
        if (set_option(&s, key, value, field, err))
            return -1;
    }
    return check_mount(&s, err);
}
