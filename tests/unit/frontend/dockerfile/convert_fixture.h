/* tests/unit/frontend/dockerfile/convert_fixture.h - a host without network, and conversions as
 * text.
 *
 * Options are lines named as BuildKit's front end names them: "target=x", "platform=linux/arm64",
 * "build-arg:A=b", "label:a=b", "context:NAME=VALUE", "no-cache=" or "no-cache=stage",
 * "file:.dockerignore=a\n!b" (a file of the context) and so on. */
#pragma once
#include "base/codec/json.h"
#include "fixture.h"
#include "frontend/dockerfile/convert.h"

struct conversion {
    struct dockerfile_options options;
    struct map build_args, labels, contexts, files;
    struct str_list texts, no_cache;
    struct exec_host hosts[4];
    struct exec_ulimit ulimits[4];
    struct buf calls; /* what the host was asked */
    struct dockerfile_result result;
    struct err err;
    bool has_failed;
};

/* Images that the host knows; all others are not found. */
static const struct {
    const char *name, *config;
} known_images[] = {
    { "docker.io/library/alpine:3.20",
      "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2024-01-01T00:00:00Z\","
      "\"container\":\"unknown to us\",\"config\":{\"Env\":[\"PATH=/usr/bin:/bin\"],"
      "\"Cmd\":[\"/bin/sh\"],\"Labels\":{\"from\":\"alpine\"}},\"rootfs\":{\"type\":\"layers\","
      "\"diff_ids\":[\"sha256:"
      "1111111111111111111111111111111111111111111111111111111111111111\"]},"
      "\"history\":[{\"created\":\"2024-01-01T00:00:00Z\",\"created_by\":\"ADD alpine.tar /\"},"
      "{\"created\":\"2024-01-01T00:00:00Z\",\"created_by\":\"CMD [sh]\",\"empty_layer\":true}]}" },
    { "docker.io/library/alpine:latest",
      "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\","
      "\"diff_ids\":[\"sha256:"
      "1111111111111111111111111111111111111111111111111111111111111111\"]}}" },
    { "docker.io/library/node:20",
      "{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"somebody\",\"config\":{"
      "\"Env\":[\"PATH=/usr/local/bin:/bin\",\"NODE_VERSION=20\"],\"User\":\"node\","
      "\"WorkingDir\":\"/srv\",\"Entrypoint\":[\"docker-entrypoint.sh\"],\"Cmd\":[\"node\"]},"
      "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"
      "2222222222222222222222222222222222222222222222222222222222222222\"]}}" },
    { "docker.io/library/trigger:1",
      "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"OnBuild\":[\"COPY . /app\","
      "\"COPY --from=node:20 /bin/node /bin/node\",\"RUN make /app\"],\"Env\":[\"A=image\"]},"
      "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"
      "3333333333333333333333333333333333333333333333333333333333333333\"]}}" },
    { "docker.io/library/bad-trigger:1",
      "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"OnBuild\":[\"FROM x\"]}}" },
    { "docker.io/library/failing-trigger:1",
      "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"OnBuild\":[\"COPY "
      "--from=7 a b\"]}}" },
    { "docker.io/library/empty:1",
      "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"E=1\"]},\"history\":[{"
      "\"created_by\":\"ENV E=1\",\"empty_layer\":true}]}" },
    { "docker.io/library/old:1",
      "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"history\":[{\"created_by\":"
      "\"ADD\"}]}" },
    { "docker.io/library/foreign:1",
      "{\"architecture\":\"arm64\",\"variant\":\"v8\",\"os\":\"linux\",\"config\":{},\"rootfs\":{"
      "\"type\":\"layers\",\"diff_ids\":[\"sha256:"
      "4444444444444444444444444444444444444444444444444444444444444444\"]}}" },
};

static int host_resolve(void *arg, const struct reference *ref, const struct platform *p,
                        enum image_resolve mode, struct image_meta *out, struct err *err)
{
    struct conversion *v = arg;
    AUTO_FREE char *name = reference_text(ref);
    buf_printf(&v->calls, "resolve %s for %s%s\n", name, platform_text(p).s,
               mode == IMAGE_RESOLVE_PULL    ? " from the registry"
               : mode == IMAGE_RESOLVE_LOCAL ? " from the store"
                                             : "");
    for (size_t i = 0; i < sizeof known_images / sizeof *known_images; i++) {
        if (strcmp(known_images[i].name, name) != 0)
            continue;
        out->digest = digest_of(span_of(name));
        return image_config_parse(span_of(known_images[i].config), &out->config, err);
    }
    return err_set(err, ERR_NOT_FOUND, "not in any registry");
}

static int host_read(void *arg, const char *context, const char *path, struct buf *out,
                     bool *is_there, struct err *err)
{
    struct conversion *v = arg;
    AUTO_FREE char *key = xasprintf("%s/%s", context, path);
    buf_printf(&v->calls, "read %s\n", key);
    const char *text = map_find_str(&v->files, key);
    if (text && strcmp(text, "broken") == 0)
        return err_set(err, ERR_SYSTEM, "Input/output error");
    *is_there = text != NULL;
    return text ? buf_append(out, span_of(text), err) : 0;
}

/* Everything is of 2001-09-09T01:46:40Z; what is called "timeless" has no time. */
static int host_time(void *arg, const struct graph *g, bool *has_time, int64_t *seconds,
                     struct err *err)
{
    struct conversion *v = arg;
    const struct vertex *last = g->results[0].vertex;
    const char *name = last->type == OP_SOURCE ? last->source.identifier : "an archive";
    buf_printf(&v->calls, "time of %s\n", name);
    (void)err;
    *has_time = !strstr(name, "timeless");
    *seconds = 1000000000;
    return 0;
}

static const char *keep_text(struct conversion *v, const char *text)
{
    str_list_push(&v->texts, text);
    return v->texts.items[v->texts.n - 1];
}

/* "\n" in a value is a line feed. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *p = text; *p; p++, to++) {
        bool is_feed = p[0] == '\\' && p[1] == 'n';
        *to = is_feed ? '\n' : *p;
        p += is_feed;
    }
    *to = '\0';
}

static void set_mapped(struct conversion *v, const char *key, const char *value)
{
    static const char *const prefixes[] = { "build-arg:", "label:", "context:", "file:" };
    struct map *maps[] = { &v->build_args, &v->labels, &v->contexts, &v->files };
    for (size_t i = 0; i < 4; i++)
        if (span_starts(span_of(key), prefixes[i]))
            return map_set_str(maps[i], key + strlen(prefixes[i]), value);
    tap_fail(__FILE__, __LINE__, "unknown option %s", key);
}

static void set_option(struct conversion *v, const char *key, const char *value)
{
    struct dockerfile_options *o = &v->options;
    struct err err = { 0 };
    if (strcmp(key, "target") == 0)
        o->target = value;
    else if (strcmp(key, "filename") == 0)
        o->filename = value;
    else if (strcmp(key, "platform") == 0)
        EXPECT_OK(platform_parse(span_of(value), &o->target_platform, &err), &err);
    else if (strcmp(key, "build-platform") == 0)
        EXPECT_OK(platform_parse(span_of(value), &o->build_platform, &err), &err);
    else if (strcmp(key, "multi-platform") == 0)
        o->is_multi_platform = true;
    else if (strcmp(key, "context") == 0)
        o->context = value;
    else if (strcmp(key, "archive") == 0)
        o->has_archive = true;
    else if (strcmp(key, "created") == 0)
        o->created = value;
    else if (strcmp(key, "source-date-epoch") == 0)
        o->source_date_epoch = value;
    else if (strcmp(key, "image-resolve-mode") == 0)
        o->resolve_mode = value[0] == 'p'   ? IMAGE_RESOLVE_PULL
                          : value[0] == 'l' ? IMAGE_RESOLVE_LOCAL
                                            : IMAGE_RESOLVE_DEFAULT;
    else if (strcmp(key, "force-network-mode") == 0)
        o->network = value[0] == 'h' ? NETWORK_HOST : NETWORK_NONE;
    else if (strcmp(key, "hostname") == 0)
        o->hostname = value;
    else if (strcmp(key, "cgroup-parent") == 0)
        o->cgroup_parent = value;
    else if (strcmp(key, "shm-size") == 0)
        o->shm_size = strtoll(value, NULL, 10);
    else if (strcmp(key, "add-host") == 0)
        v->hosts[o->n_hosts++] = (struct exec_host){ value, "10.0.0.1" };
    else if (strcmp(key, "ulimit") == 0)
        v->ulimits[o->n_ulimits++] = (struct exec_ulimit){ value, 10, 20 };
    else if (strcmp(key, "no-cache") == 0 && !value[0])
        o->ignores_cache = true;
    else if (strcmp(key, "no-cache") == 0)
        str_list_push(&v->no_cache, value);
    else
        set_mapped(v, key, value);
}

static void conversion_init(struct conversion *v)
{
    struct err err = { 0 };
    *v = (struct conversion){
        .build_args = STR_MAP, .labels = STR_MAP, .contexts = STR_MAP, .files = STR_MAP
    };
    buf_init(&v->calls, MIB);
    EXPECT_OK(platform_parse(SPAN("linux/amd64"), &v->options.build_platform, &err), &err);
}

static void conversion_clear(struct conversion *v)
{
    dockerfile_result_clear(&v->result);
    map_clear(&v->build_args);
    map_clear(&v->labels);
    map_clear(&v->contexts);
    map_clear(&v->files);
    str_list_clear(&v->texts);
    str_list_clear(&v->no_cache);
    buf_clear(&v->calls);
}

/* Ready for a question, with options given as lines. */
static void conversion_setup(struct conversion *v, const char *options)
{
    conversion_init(v);
    AUTO_FREE char *copy = xstrdup(options);
    for (char *rest = copy, *line; (line = strsep(&rest, "\n"));) {
        char *value = strchrnul(line, '=');
        if (!line[0] || line[0] == '#')
            continue;
        if (*value)
            *value++ = '\0';
        unescape(value);
        set_option(v, keep_text(v, line), keep_text(v, value));
    }
    struct dockerfile_options *o = &v->options;
    o->build_args = &v->build_args;
    o->labels = &v->labels;
    o->named_contexts = &v->contexts;
    o->hosts = v->hosts;
    o->ulimits = v->ulimits;
    o->no_cache_stages = strings_of(&v->no_cache);
}

/* Converts `text`. */
__attribute__((unused)) static void conversion_run(struct conversion *v, struct span text,
                                                   const char *options)
{
    conversion_setup(v, options);
    const struct frontend_host host = { v, host_resolve, NULL, host_read, host_time };
    v->has_failed = dockerfile_convert(text, &v->options, &host, &v->result, &v->err) != 0;
}

/* The graph as JSON whose vertices are numbered instead of named by digest. */
__attribute__((unused)) static struct json *graph_json(const struct graph *g)
{
    AUTO_VALUE(buf_clear) struct buf text;
    struct json *array = NULL;
    struct err err = { 0 };
    buf_init(&text, 16 * MIB);
    graph_print_json(g, &text);
    EXPECT_OK(json_parse(buf_span(&text), &array, &err), &err);
    for (size_t i = 0; i < g->n_vertices; i++) {
        struct json *o = json_at(array, i);
        struct json *inputs = json_new_array();
        for (size_t k = 0; k < g->vertices[i]->n_inputs; k++) {
            AUTO_FREE char *name = xasprintf("#%zu:%u", g->vertices[i]->inputs[k].vertex->position,
                                             g->vertices[i]->inputs[k].index);
            json_push(inputs, json_new_str(name));
        }
        json_remove(o, "digest");
        if (g->vertices[i]->n_inputs)
            json_set(o, "inputs", inputs);
        else
            json_free(inputs);
    }
    return array;
}

/* All that came out, as text for people. */
__attribute__((unused)) static void conversion_print(const struct conversion *v, struct buf *out)
{
    const struct dockerfile_result *r = &v->result;
    if (v->has_failed) {
        buf_printf(out, "lines %d-%d\nerror: %s\n", r->where.first, r->where.last, v->err.text);
        if (v->err.hint[0])
            buf_printf(out, "hint: %s\n", v->err.hint);
        return;
    }
    AUTO(json_free) struct json *array = graph_json(r->graph);
    for (size_t i = 0; i < json_len(array); i++) {
        buf_printf(out, "#%zu ", i);
        json_print(json_at(array, i), out);
        buf_putc(out, '\n');
    }
    if (r->graph->results[0].vertex)
        buf_printf(out, "result #%zu:%u\n", r->graph->results[0].vertex->position,
                   r->graph->results[0].index);
    else
        buf_puts(out, "result scratch\n");
    AUTO_VALUE(buf_clear) struct buf config;
    AUTO(json_free) struct json *json = NULL;
    struct err err = { 0 };
    buf_init(&config, MIB);
    image_config_print(&r->config, &config);
    EXPECT_OK(json_parse(buf_span(&config), &json, &err), &err);
    AUTO(json_free) struct json *history = json_ref(json_get(json, "history"));
    json_remove(json, "history");
    buf_puts(out, "config ");
    json_print(json, out);
    buf_putc(out, '\n');
    for (size_t i = 0; i < json_len(history); i++) {
        buf_puts(out, i < r->n_base_history ? "base history " : "history ");
        json_print(json_at(history, i), out);
        buf_putc(out, '\n');
    }
    for (size_t i = 0; i < r->warnings.n; i++)
        buf_printf(out, "warning: %s: %s (line %d)\n", r->warnings.items[i].rule,
                   r->warnings.items[i].text, r->warnings.items[i].where.first);
    for (size_t i = 0; i < r->n_base_images; i++)
        buf_printf(out, "base %s %s %.15s\n", r->base_images[i].reference,
                   platform_text(&r->base_images[i].platform).s,
                   digest_text(&r->base_images[i].digest).s);
    if (r->has_epoch)
        buf_printf(out, "epoch %jd\n", (intmax_t)r->epoch);
    buf_puts(out, v->calls.data ? v->calls.data : "");
}
