/* image/oci/config.c - the image config: read, copied, asked.
 *
 * Spec: image-spec config.md; docker-image-spec for Healthcheck, OnBuild and Shell.  Threads:
 * values. */
#include "image/oci/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/oci/internal.h"

void image_config_init(struct image_config *c, const struct platform *p)
{
    *c = (struct image_config){ .platform = *p, .labels = STR_MAP };
}

void history_clear(struct history *h)
{
    free(h->created);
    free(h->created_by);
    free(h->author);
    free(h->comment);
    *h = (struct history){ 0 };
}

static void healthcheck_free(struct healthcheck *h)
{
    if (h)
        str_list_clear(&h->test);
    free(h);
}
DEFINE_AUTO(struct healthcheck, healthcheck_free)

void image_config_clear(struct image_config *c)
{
    free(c->created);
    free(c->author);
    free(c->user);
    str_list_clear(&c->exposed_ports);
    str_list_clear(&c->env);
    str_list_clear(&c->entrypoint);
    str_list_clear(&c->cmd);
    str_list_clear(&c->volumes);
    free(c->working_dir);
    map_clear(&c->labels);
    free(c->stop_signal);
    healthcheck_free(c->healthcheck);
    str_list_clear(&c->on_build);
    str_list_clear(&c->shell);
    vec_clear(&c->diff_ids);
    vec_each (&c->history, h)
        history_clear(h);
    vec_clear(&c->history);
    json_free(c->raw);
    *c = (struct image_config){ 0 };
}

static struct healthcheck *healthcheck_copy(const struct healthcheck *from)
{
    if (!from)
        return NULL;
    struct healthcheck *h = xcalloc(1, sizeof *h);
    *h = *from;
    h->test = (struct str_list){ 0 };
    str_list_copy(&h->test, &from->test);
    return h;
}

void image_config_copy(struct image_config *to, const struct image_config *from)
{
    image_config_init(to, &from->platform);
    to->created = xstrdup_or_null(from->created);
    to->author = xstrdup_or_null(from->author);
    to->user = xstrdup_or_null(from->user);
    str_list_copy(&to->exposed_ports, &from->exposed_ports);
    str_list_copy(&to->env, &from->env);
    str_list_copy(&to->entrypoint, &from->entrypoint);
    to->has_entrypoint = from->has_entrypoint;
    str_list_copy(&to->cmd, &from->cmd);
    to->has_cmd = from->has_cmd;
    str_list_copy(&to->volumes, &from->volumes);
    to->working_dir = xstrdup_or_null(from->working_dir);
    map_copy_str(&to->labels, &from->labels);
    to->stop_signal = xstrdup_or_null(from->stop_signal);
    to->args_escaped = from->args_escaped;
    to->healthcheck = healthcheck_copy(from->healthcheck);
    str_list_copy(&to->on_build, &from->on_build);
    str_list_copy(&to->shell, &from->shell);
    vec_each (&from->diff_ids, d)
        *vec_push(&to->diff_ids) = *d;
    vec_each (&from->history, h)
        *vec_push(&to->history) = (struct history){
            .created = xstrdup_or_null(h->created),
            .created_by = xstrdup_or_null(h->created_by),
            .author = xstrdup_or_null(h->author),
            .comment = xstrdup_or_null(h->comment),
            .is_empty_layer = h->is_empty_layer,
        };
    to->raw = from->raw ? json_copy(from->raw) : NULL;
}

static int read_healthcheck(const struct json *config, struct healthcheck **out, struct err *err)
{
    const struct json *v;
    if (field_find(config, "Healthcheck", JSON_OBJECT, &v, err))
        return -1;
    if (!v)
        return 0;
    AUTO(healthcheck_free) struct healthcheck *h = xcalloc(1, sizeof *h);
    if (field_read_list(v, "Test", &h->test, err) ||
        field_read_count(v, "Interval", &h->interval_ns, err) ||
        field_read_count(v, "Timeout", &h->timeout_ns, err) ||
        field_read_count(v, "StartPeriod", &h->start_period_ns, err) ||
        field_read_count(v, "StartInterval", &h->start_interval_ns, err) ||
        field_read_count(v, "Retries", &h->retries, err))
        return err_wrap(err, "Healthcheck");
    *out = STEAL(h);
    return 0;
}

static int read_command(const struct json *config, const char *key, struct str_list *out, bool *has,
                        struct err *err)
{
    if (field_read_list(config, key, out, err))
        return -1;
    *has = json_type(json_get(config, key)) == JSON_ARRAY;
    return 0;
}

static int read_config(const struct json *o, struct image_config *c, struct err *err)
{
    const struct json *v;
    if (field_find(o, "config", JSON_OBJECT, &v, err))
        return -1;
    if (!v)
        return 0;
    if (field_read_str(v, "User", &c->user, err) ||
        field_read_keys(v, "ExposedPorts", &c->exposed_ports, err) ||
        field_read_list(v, "Env", &c->env, err) ||
        read_command(v, "Entrypoint", &c->entrypoint, &c->has_entrypoint, err) ||
        read_command(v, "Cmd", &c->cmd, &c->has_cmd, err) ||
        field_read_keys(v, "Volumes", &c->volumes, err) ||
        field_read_str(v, "WorkingDir", &c->working_dir, err) ||
        field_read_map(v, "Labels", &c->labels, err) ||
        field_read_str(v, "StopSignal", &c->stop_signal, err) ||
        field_read_bool(v, "ArgsEscaped", &c->args_escaped, err) ||
        read_healthcheck(v, &c->healthcheck, err) ||
        field_read_list(v, "OnBuild", &c->on_build, err) ||
        field_read_list(v, "Shell", &c->shell, err))
        return err_wrap(err, "config");
    return 0;
}

static int read_diff_ids(const struct json *rootfs, struct image_config *c, struct err *err)
{
    const struct json *array;
    if (field_find(rootfs, "diff_ids", JSON_ARRAY, &array, err))
        return -1;
    if (json_len(array) > LIMIT_LAYERS)
        return err_set(err, ERR_LIMIT, "field diff_ids: has %zu entries, more than %d",
                       json_len(array), LIMIT_LAYERS);
    for (size_t i = 0; i < json_len(array); i++) {
        const char *text = json_str(json_at(array, i));
        if (!text)
            return err_set(err, ERR_INVALID, "diff_ids[%zu]: is not a string", i);
        if (digest_parse(span_of(text), vec_push(&c->diff_ids), err))
            return err_wrap(err, "diff_ids[%zu]", i);
    }
    return 0;
}

static int read_rootfs(const struct json *o, struct image_config *c, struct err *err)
{
    const struct json *rootfs;
    if (field_find(o, "rootfs", JSON_OBJECT, &rootfs, err))
        return -1;
    if (!rootfs)
        return 0;
    AUTO_FREE char *type = NULL;
    if (field_read_str(rootfs, "type", &type, err))
        return -1;
    if (type && type[0] && strcmp(type, "layers") != 0)
        return err_set(err, ERR_INVALID, "rootfs: field type: is \"%s\", not \"layers\"", type);
    if (read_diff_ids(rootfs, c, err))
        return err_wrap(err, "rootfs");
    return 0;
}

static int read_history_entry(const struct json *o, struct history *h, struct err *err)
{
    if (json_type(o) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "is not an object");
    if (field_read_str(o, "created", &h->created, err) ||
        field_read_str(o, "created_by", &h->created_by, err) ||
        field_read_str(o, "author", &h->author, err) ||
        field_read_str(o, "comment", &h->comment, err) ||
        field_read_bool(o, "empty_layer", &h->is_empty_layer, err))
        return -1;
    return 0;
}

static int read_history(const struct json *o, struct image_config *c, struct err *err)
{
    const struct json *array;
    if (field_find(o, "history", JSON_ARRAY, &array, err))
        return -1;
    for (size_t i = 0; i < json_len(array); i++)
        if (read_history_entry(json_at(array, i), vec_push(&c->history), err))
            return err_wrap(err, "history[%zu]", i);
    return 0;
}

static int read_into(struct span bytes, struct image_config *c, struct err *err)
{
    if (bytes.len > LIMIT_CONFIG)
        return err_set(err, ERR_LIMIT, "is larger than %zu bytes", LIMIT_CONFIG);
    if (json_parse(bytes, &c->raw, err))
        return -1;
    const struct json *o = c->raw;
    if (json_type(o) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "is not a JSON object");
    if (platform_read(o, &c->platform, err) || field_read_str(o, "created", &c->created, err) ||
        field_read_str(o, "author", &c->author, err) || read_config(o, c, err) ||
        read_rootfs(o, c, err) || read_history(o, c, err))
        return -1;
    c->platform.is_set = c->platform.os[0] || c->platform.architecture[0];
    return 0;
}

int image_config_parse(struct span bytes, struct image_config *out, struct err *err)
{
    struct platform none = { 0 };
    AUTO_VALUE(image_config_clear) struct image_config c;
    image_config_init(&c, &none);
    if (read_into(bytes, &c, err))
        return err_wrap(err, "parse image config");
    *out = c;
    c = (struct image_config){ 0 };
    return 0;
}

/* The entry "NAME=..."; NULL when there is none. */
static char **env_find(const struct image_config *c, const char *name)
{
    size_t len = strlen(name);
    vec_each (&c->env, e)
        if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
            return e;
    return NULL;
}

const char *image_config_env(const struct image_config *c, const char *name)
{
    char **e = env_find(c, name);
    return e ? *e + strlen(name) + 1 : NULL;
}

void image_config_set_env(struct image_config *c, const char *name, const char *value)
{
    char *text = xasprintf("%s=%s", name, value);
    char **e = env_find(c, name);
    if (!e) {
        str_list_take(&c->env, text);
        return;
    }
    free(*e);
    *e = text;
}

struct digest chain_id(const struct digest *diff_ids, size_t n)
{
    assert(n >= 1);
    struct digest id = diff_ids[0];
    for (size_t i = 1; i < n; i++) {
        char text[2 * DIGEST_TEXT_MAX + 1];
        int len =
            snprintf(text, sizeof text, "%s %s", digest_text(&id).s, digest_text(&diff_ids[i]).s);
        id = digest_of(span_bytes(text, (size_t)len));
    }
    return id;
}
