/* image/oci/config_print.c - the image config as JSON.
 *
 * One made here has BuildKit's order: its exporter writes the outer object with sorted keys, and
 * inside `config` the order of Docker's Go type.  One that was read keeps its own order, and what
 * did not change keeps its bytes.
 *
 * Spec: image-spec config.md; docker-image-spec.  Threads: values. */
#include <string.h>

#include "image/oci/config.h"
#include "image/oci/internal.h"

static struct json *healthcheck_write(const struct healthcheck *h, const struct json *raw)
{
    if (!h)
        return NULL;
    struct json *o = object_from(json_type(raw) == JSON_OBJECT ? raw : NULL);
    field_set_list(o, "Test", &h->test);
    field_set_count(o, "Interval", h->interval_ns);
    field_set_count(o, "Timeout", h->timeout_ns);
    field_set_count(o, "StartPeriod", h->start_period_ns);
    field_set_count(o, "StartInterval", h->start_interval_ns);
    field_set_count(o, "Retries", h->retries);
    return o;
}

static struct json *config_write(const struct image_config *c, const struct json *raw)
{
    struct json *o = object_from(json_type(raw) == JSON_OBJECT ? raw : NULL);
    field_set_str(o, "User", c->user);
    field_set_keys(o, "ExposedPorts", &c->exposed_ports);
    field_set_list(o, "Env", &c->env);
    field_set_list(o, "Entrypoint", &c->entrypoint);
    field_set_list(o, "Cmd", &c->cmd);
    field_set_keys(o, "Volumes", &c->volumes);
    field_set_str(o, "WorkingDir", c->working_dir);
    field_set_map(o, "Labels", &c->labels);
    field_set_str(o, "StopSignal", c->stop_signal);
    field_set_bool(o, "ArgsEscaped", c->args_escaped);
    field_set(o, "Healthcheck", healthcheck_write(c->healthcheck, json_get(o, "Healthcheck")));
    field_set_list(o, "OnBuild", &c->on_build);
    field_set_list(o, "Shell", &c->shell);
    return o;
}

/* `raw` is the entry at the same place of what was read: unknown fields belong to it only as long
 * as it is the same step. */
static struct json *history_write(const struct history *h, const struct json *raw)
{
    const char *by = json_get_str(raw, "created_by");
    bool is_same = json_type(raw) == JSON_OBJECT &&
                   strcmp(by ? by : "", h->created_by ? h->created_by : "") == 0;
    struct json *o = object_from(is_same ? raw : NULL);
    field_set_str(o, "created", h->created);
    field_set_str(o, "created_by", h->created_by);
    field_set_str(o, "author", h->author);
    field_set_str(o, "comment", h->comment);
    field_set_bool(o, "empty_layer", h->is_empty_layer);
    return o;
}

static struct json *histories_write(const struct image_config *c, const struct json *raw)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < c->history.n; i++)
        json_push(array, history_write(&c->history.items[i], json_at(raw, i)));
    return array;
}

/* Without layers diff_ids is null, as BuildKit writes it. */
static struct json *rootfs_write(const struct image_config *c, const struct json *raw)
{
    struct json *o = object_from(json_type(raw) == JSON_OBJECT ? raw : NULL);
    if (!raw || c->diff_ids.n || json_len(json_get(raw, "diff_ids"))) {
        struct json *ids = c->diff_ids.n ? json_new_array() : json_new_null();
        vec_each (&c->diff_ids, d)
            json_push(ids, json_new_str(digest_text(d).s));
        field_set_str(o, "type", "layers");
        json_set(o, "diff_ids", ids);
    }
    return o;
}

void image_config_print(const struct image_config *c, struct buf *out)
{
    AUTO(json_free) struct json *o = object_from(c->raw);
    field_set_str(o, "architecture", c->platform.architecture);
    field_set_str(o, "os", c->platform.os);
    field_set_str(o, "os.version", c->platform.os_version);
    field_set_str(o, "variant", c->platform.variant);
    field_set_str(o, "created", c->created);
    field_set_str(o, "author", c->author);
    if (!c->raw || json_get(o, "config"))
        json_set(o, "config", config_write(c, json_get(o, "config")));
    else
        field_set(o, "config", config_write(c, NULL));
    if (!c->raw || json_get(o, "rootfs"))
        json_set(o, "rootfs", rootfs_write(c, json_get(o, "rootfs")));
    else if (c->diff_ids.n)
        json_set(o, "rootfs", rootfs_write(c, NULL));
    field_set(o, "history", histories_write(c, json_get(o, "history")));
    if (!c->raw)
        json_sort_keys(o);
    json_print(o, out);
}
