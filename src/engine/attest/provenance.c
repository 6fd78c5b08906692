/* engine/attest/provenance.c - see provenance.h. */
#include "engine/attest/provenance.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/attest/internal.h"

#define BUILD_TYPE_1                                                                               \
    "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"
#define BUILD_TYPE_02 "https://mobyproject.org/buildkit@v1"

const char *provenance_predicate_type(enum slsa_version v)
{
    return v == SLSA_02 ? PROVENANCE_PREDICATE_02 : PROVENANCE_PREDICATE_1;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- what the graph tells ---- */

static bool has_local(const struct graph *g)
{
    for (size_t i = 0; i < g->n_vertices; i++)
        if (g->vertices[i]->type == OP_SOURCE &&
            starts(g->vertices[i]->source.identifier, "local://"))
            return true;
    return false;
}

static bool has_network(const struct graph *g)
{
    for (size_t i = 0; i < g->n_vertices; i++)
        if (g->vertices[i]->type == OP_EXEC && g->vertices[i]->exec.network != NETWORK_NONE)
            return true;
    return false;
}

/* Names once each, sorted: {"name": ...} */
static void put_locals(struct json *o, const struct provenance *p)
{
    const struct graph *g = p->graph;
    AUTO_VALUE(map_clear) struct map names = { 0 };
    struct json *list = json_new_array();
    for (size_t i = 0; i < g->n_vertices; i++) {
        const struct vertex *v = g->vertices[i];
        if (v->type == OP_SOURCE && starts(v->source.identifier, "local://"))
            map_set(&names, v->source.identifier + strlen("local://"), NULL);
    }
    if (!p->config_uri)
        map_set(&names, "dockerfile", NULL); /* the Dockerfile itself is read as such */
    map_sort(&names);
    map_each (&names, e) {
        struct json *local = json_new_object();
        json_set_str(local, "name", e->key);
        json_push(list, local);
    }
    if (names.n)
        json_set(o, "locals", list);
    else
        json_free(list);
}

/* Ids to whether they are optional everywhere. */
static void list_ids(const struct graph *g, enum mount_type type, struct map *out)
{
    static char yes[] = "1";
    for (size_t i = 0; i < g->n_vertices; i++) {
        const struct op_exec *e = &g->vertices[i]->exec;
        if (g->vertices[i]->type != OP_EXEC)
            continue;
        for (size_t k = 0; k < e->n_mounts; k++)
            if (e->mounts[k].type == type)
                map_set(out, e->mounts[k].id, e->mounts[k].is_optional ? yes : NULL);
        for (size_t k = 0; type == MOUNT_SECRET && k < e->n_secret_env; k++)
            map_set(out, e->secret_env[k].id, e->secret_env[k].is_optional ? yes : NULL);
    }
    map_sort(out);
}

static void put_ids(struct json *o, const char *key, const struct graph *g, enum mount_type type)
{
    AUTO_VALUE(map_clear) struct map ids = { 0 };
    struct json *list = json_new_array();
    list_ids(g, type, &ids);
    map_each (&ids, e) {
        struct json *one = json_new_object();
        json_set_str(one, "id", e->key);
        if (e->value)
            json_set_bool(one, "optional", true);
        json_push(list, one);
    }
    if (ids.n)
        json_set(o, key, list);
    else
        json_free(list);
}

/* ---- the request ---- */

/* In mode=min neither build arguments nor labels: they may be what nobody shall read. */
static struct json *request_json(const struct provenance *p, bool *is_complete)
{
    AUTO_VALUE(map_clear) struct map sorted = STR_MAP;
    struct json *o = json_new_object(), *args = json_new_object();
    *is_complete = true;
    map_copy_str(&sorted, p->args);
    map_sort(&sorted);
    map_each (&sorted, e) {
        bool is_private = starts(e->key, "build-arg:") || starts(e->key, "label:");
        if (starts(e->key, "vcs:"))
            continue;
        *is_complete &= p->is_max || !is_private;
        AUTO_FREE char *value = urls_redacted(e->value);
        if (p->is_max || !is_private)
            json_set_str(args, e->key, value);
    }
    json_set_str(o, "frontend", p->frontend);
    json_set(o, "args", args);
    if (!json_len(args))
        json_remove(o, "args");
    if (p->is_max) {
        put_ids(o, "secrets", p->graph, MOUNT_SECRET);
        put_ids(o, "ssh", p->graph, MOUNT_SSH);
    }
    put_locals(o, p);
    return o;
}

static void put_digest(struct json *o, const struct material *m)
{
    struct json *digest = json_new_object();
    if (m->algorithm)
        json_set_str(digest, m->algorithm, m->hex);
    if (m->algorithm)
        json_set(o, "digest", digest);
    else
        json_free(digest);
}

static struct json *config_json(const struct provenance *p)
{
    struct json *o = json_new_object();
    if (p->config_uri) {
        AUTO_FREE char *uri = urls_redacted(p->config_uri);
        json_set_str(o, "uri", uri);
        for (size_t i = 0; i < p->n_materials; i++) {
            size_t len = strlen(p->materials[i].uri); /* a folder in a repository may follow */
            if (strncmp(p->materials[i].uri, p->config_uri, len) == 0 &&
                (!p->config_uri[len] || p->config_uri[len] == ':'))
                put_digest(o, &p->materials[i]);
        }
    }
    if (p->config_path)
        json_set_str(o, p->version == SLSA_1 ? "path" : "entryPoint", p->config_path);
    return o;
}

static struct json *materials_json(const struct provenance *p)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < p->n_materials; i++) {
        struct json *o = json_new_object();
        AUTO_FREE char *uri = urls_redacted(p->materials[i].uri);
        json_set_str(o, "uri", uri);
        put_digest(o, &p->materials[i]);
        json_push(list, o);
    }
    return list;
}

/* ---- the steps ---- */

static char *step_name(const struct vertex *v)
{
    return xasprintf("step%zu", v->position);
}

/* A definition ends with an operation that does nothing but name the result. */
static struct json *result_json(const struct graph *g, size_t i)
{
    struct json *step = json_new_object(), *inputs = json_new_array(), *op = json_new_object();
    AUTO_FREE char *name = xasprintf("step%zu", g->n_vertices + i);
    AUTO_FREE char *input =
        xasprintf("step%zu:%u", g->results[i].vertex->position, g->results[i].index);
    json_set_str(step, "id", name);
    json_set(op, "Op", json_new_null());
    json_set(step, "op", op);
    json_push(inputs, json_new_str(input));
    json_set(step, "inputs", inputs);
    return step;
}

static struct json *steps_json(const struct graph *g)
{
    struct json *o = json_new_object(), *steps = json_new_array(), *names = json_new_object();
    for (size_t i = 0; i < g->n_vertices; i++) {
        const struct vertex *v = g->vertices[i];
        struct json *step = json_new_object(), *inputs = json_new_array();
        AUTO_FREE char *name = step_name(v);
        json_set_str(step, "id", name);
        json_set(step, "op", op_json(v));
        for (size_t k = 0; k < v->n_inputs; k++) {
            AUTO_FREE char *input =
                xasprintf("step%zu:%u", v->inputs[k].vertex->position, v->inputs[k].index);
            json_push(inputs, json_new_str(input));
        }
        json_set(step, "inputs", inputs);
        if (!v->n_inputs)
            json_remove(step, "inputs");
        json_push(steps, step);
        json_set_str(names, digest_text(&v->digest).s, name);
    }
    for (size_t i = 0; i < g->n_results; i++)
        if (g->results[i].vertex)
            json_push(steps, result_json(g, i));
    json_sort_keys(names);
    json_set(o, "digestMapping", names);
    json_set(o, "llbDefinition", steps);
    return o;
}

static struct json *place_json(int32_t line, int32_t character)
{
    struct json *o = json_new_object();
    json_set_int(o, "line", line);
    if (character)
        json_set_int(o, "character", character);
    return o;
}

static struct json *locations_json(const struct graph *g, const struct vertex *v)
{
    struct json *o = json_new_object(), *list = json_new_array();
    for (size_t i = 0; i < v->n_ranges; i++) {
        const struct source_range *r = &v->ranges[i];
        struct json *location = json_new_object(), *ranges = json_new_array();
        struct json *range = json_new_object();
        for (size_t k = 1; k < g->n_files; k++)
            if (g->files[k] == r->file)
                json_set_int(location, "sourceIndex", (int64_t)k);
        json_set(range, "start", place_json(r->start_line, r->start_character));
        json_set(range, "end", place_json(r->end_line, r->end_character));
        json_push(ranges, range);
        json_set(location, "ranges", ranges);
        json_push(list, location);
    }
    json_set(o, "locations", list);
    if (!v->n_ranges)
        json_remove(o, "locations");
    return o;
}

static struct json *source_json(const struct graph *g)
{
    struct json *o = json_new_object(), *locations = json_new_object(), *infos = json_new_array();
    for (size_t i = 0; i < g->n_vertices; i++) {
        AUTO_FREE char *name = step_name(g->vertices[i]);
        json_set(locations, name, locations_json(g, g->vertices[i]));
    }
    for (size_t i = 0; i < g->n_files; i++) {
        struct json *info = json_new_object();
        AUTO_VALUE(buf_clear) struct buf data = { 0 };
        buf_init(&data, 2 * LIMIT_DOCKERFILE);
        buf_puts(&data, "");
        base64_print(g->files[i]->data, &data);
        json_set_str(info, "filename", g->files[i]->name);
        json_set_str(info, "language", g->files[i]->language);
        json_set_str(info, "data", data.data);
        json_push(infos, info);
    }
    json_set(o, "locations", locations);
    json_set(o, "infos", infos);
    return o;
}

static struct json *layers_json(const struct provenance *p)
{
    struct json *o = json_new_object();
    for (size_t i = 0; i < p->n_layers; i++) {
        const struct step_layers *s = &p->layers[i];
        struct json *chains = json_new_array(), *chain = json_new_array();
        AUTO_FREE char *name = xasprintf("step%zu:%u", s->vertex->position, s->index);
        for (size_t k = 0; k < s->n; k++)
            json_push(chain, descriptor_write(&s->layers[k]));
        json_push(chains, chain);
        json_set(o, name, chains);
    }
    return o;
}

/* "source", "layers", "vcs" */
static struct json *extension_json(const struct provenance *p)
{
    struct json *o = json_new_object(), *vcs = json_new_object();
    map_each (p->args, e) {
        AUTO_FREE char *value = urls_redacted(e->value);
        if (starts(e->key, "vcs:") && *value)
            json_set_str(vcs, e->key + strlen("vcs:"), value);
    }
    json_sort_keys(vcs);
    if (json_len(vcs))
        json_set(o, "vcs", json_ref(vcs));
    json_free(vcs);
    if (p->is_max) {
        json_set(o, "source", source_json(p->graph));
        json_set(o, "layers", layers_json(p));
    }
    return o;
}

/* ---- the predicate ---- */

static struct json *metadata_1(const struct provenance *p, bool is_complete)
{
    struct json *o = json_new_object(), *completeness = json_new_object();
    bool has_all = !has_local(p->graph);
    json_set_str(o, "invocationId", p->invocation_id);
    json_set_str(o, "startedOn", p->started);
    json_set_str(o, "finishedOn", p->finished);
    json_set(o, "buildkit_metadata", extension_json(p));
    if (has_all && !has_network(p->graph))
        json_set_bool(o, "buildkit_hermetic", true);
    json_set_bool(completeness, "request", is_complete);
    json_set_bool(completeness, "resolvedDependencies", has_all);
    json_set(o, "buildkit_completeness", completeness);
    if (p->is_reproducible)
        json_set_bool(o, "buildkit_reproducible", true);
    return o;
}

static struct json *predicate_1(const struct provenance *p)
{
    struct json *o = json_new_object(), *definition = json_new_object();
    struct json *external = json_new_object(), *internal = json_new_object();
    struct json *details = json_new_object(), *builder = json_new_object();
    bool is_complete = false;
    json_set(external, "configSource", config_json(p));
    json_set(external, "request", request_json(p, &is_complete));
    if (p->is_max)
        json_set(internal, "buildConfig", steps_json(p->graph));
    json_set_str(internal, "builderPlatform", platform_text(&p->builder_platform).s);
    json_set_str(definition, "buildType", BUILD_TYPE_1);
    json_set(definition, "externalParameters", external);
    json_set(definition, "internalParameters", internal);
    if (p->n_materials)
        json_set(definition, "resolvedDependencies", materials_json(p));
    json_set_str(builder, "id", p->builder_id ? p->builder_id : "");
    json_set(details, "builder", builder);
    json_set(details, "metadata", metadata_1(p, is_complete));
    json_set(o, "buildDefinition", definition);
    json_set(o, "runDetails", details);
    return o;
}

static struct json *metadata_02(const struct provenance *p, bool is_complete)
{
    struct json *o = json_new_object(), *completeness = json_new_object();
    bool has_all = !has_local(p->graph);
    json_set_str(o, "buildInvocationID", p->invocation_id);
    json_set_str(o, "buildStartedOn", p->started);
    json_set_str(o, "buildFinishedOn", p->finished);
    json_set_bool(completeness, "parameters", is_complete);
    json_set_bool(completeness, "environment", true);
    json_set_bool(completeness, "materials", has_all);
    json_set(o, "completeness", completeness);
    json_set_bool(o, "reproducible", p->is_reproducible);
    json_set(o, BUILD_TYPE_02 "#metadata", extension_json(p));
    if (has_all && !has_network(p->graph))
        json_set_bool(o, BUILD_TYPE_02 "#hermetic", true);
    return o;
}

static struct json *predicate_02(const struct provenance *p)
{
    struct json *o = json_new_object(), *builder = json_new_object();
    struct json *invocation = json_new_object(), *environment = json_new_object();
    bool is_complete = false;
    json_set_str(builder, "id", p->builder_id ? p->builder_id : "");
    json_set(o, "builder", builder);
    json_set_str(o, "buildType", BUILD_TYPE_02);
    if (p->n_materials)
        json_set(o, "materials", materials_json(p));
    json_set(invocation, "configSource", config_json(p));
    json_set(invocation, "parameters", request_json(p, &is_complete));
    json_set_str(environment, "platform", platform_text(&p->builder_platform).s);
    json_set(invocation, "environment", environment);
    json_set(o, "invocation", invocation);
    if (p->is_max)
        json_set(o, "buildConfig", steps_json(p->graph));
    json_set(o, "metadata", metadata_02(p, is_complete));
    return o;
}

void provenance_print(const struct provenance *p, struct buf *out)
{
    AUTO(json_free)
    struct json *o = p->version == SLSA_02 ? predicate_02(p) : predicate_1(p);
    json_print(o, out);
}
