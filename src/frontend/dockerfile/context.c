/* frontend/dockerfile/context.c - the source of a build context: a folder with its ignore rules, a
 * git repository, a file from a server, or an archive that is unpacked.
 *
 * Spec: dockerfile reference ".dockerignore"; BuildKit frontend/dockerui.
 * Threads: a converter belongs to one thread. */
#include <stdlib.h>
#include <string.h>

#include "base/codec/json.h"
#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/convert_internal.h"
#include "frontend/dockerfile/remote_url.h"

void context_main_set(struct converter *c)
{
    const char *source = c->o->context ? c->o->context : "context";
    c->main = (struct context){ .type = context_type_of(source),
                                .source = source,
                                .is_archive = c->o->has_archive };
}

void context_clear(struct context *x)
{
    map_clear(&x->paths);
    pattern_list_free(x->ignore);
}

enum context_type context_type_of(const char *source)
{
    return url_is_git(source) ? CONTEXT_GIT : url_is_http(source) ? CONTEXT_HTTP : CONTEXT_LOCAL;
}

static int read_rules(struct converter *c, struct context *x, const char *context, const char *file,
                      bool *is_there, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, LIMIT_IGNORE_FILE);
    if (c->host->read_context_file(c->host->arg, context, file, &text, is_there, err))
        return err_wrap(err, "read %s", file);
    if (!*is_there)
        return 0;
    x->ignore_file = arena_strdup(c->arena, file);
    if (ignore_parse(buf_span(&text), file, c->arena, &x->rules, err))
        return -1;
    return pattern_list_new(x->rules.lines, x->rules.n, &x->ignore, err);
}

int context_open(struct converter *c, struct context *x, struct err *err)
{
    bool is_there = false;
    if (x->has_rules || x->type != CONTEXT_LOCAL || x->is_archive)
        return 0;
    x->has_rules = true;
    const char *own = arena_printf(c->arena, "%s.dockerignore", c->file_name);
    if (!x->name && read_rules(c, x, "dockerfile", own, &is_there, err))
        return -1;
    return is_there ? 0 : read_rules(c, x, x->source, ".dockerignore", &is_there, err);
}

static const char *json_text(struct json *v, struct arena *a)
{
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, SIZE_MAX);
    json_print(v, &out);
    json_free(v);
    return arena_strndup(a, out.data, out.len);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The paths in use, relative and sorted, as JSON; NULL when all of the context is. */
static const char *follow_paths(const struct context *x, struct arena *a)
{
    if (!x->paths.n || map_has(&x->paths, "/"))
        return NULL;
    AUTO_FREE const char **paths = xcalloc(x->paths.n, sizeof *paths);
    size_t n = 0;
    map_each (&x->paths, e)
        paths[n++] = e->key + 1;
    qsort(paths, n, sizeof *paths, compare_texts);
    struct json *list = json_new_array();
    for (size_t i = 0; i < n; i++)
        json_push(list, json_new_str(paths[i]));
    return json_text(list, a);
}

static const char *exclude_patterns(const struct context *x, struct arena *a)
{
    if (!x->rules.n)
        return NULL;
    struct json *list = json_new_array();
    for (size_t i = 0; i < x->rules.n; i++)
        json_push(list, json_new_str(x->rules.lines[i].text));
    return json_text(list, a);
}

static const char *rule_lines(const struct context *x, struct arena *a)
{
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, LIMIT_IGNORE_FILE * 2);
    for (size_t i = 0; i < x->rules.n; i++)
        buf_printf(&out, "%s%d", i ? " " : "", x->rules.lines[i].line);
    return arena_strndup(a, out.data ? out.data : "", out.len);
}

static int local_edge(struct converter *c, struct context *x, struct edge *out, struct err *err)
{
    struct arena *a = c->arena;
    struct pair attrs[3], words[2];
    size_t n_attrs = 0, n_words = 0;
    if (context_open(c, x, err))
        return -1;
    const char *exclude = exclude_patterns(x, a);
    const char *follow = c->is_last_pass && !x->is_archive ? follow_paths(x, a) : NULL;
    if (exclude) {
        attrs[n_attrs++] = (struct pair){ ATTR_LOCAL_EXCLUDE, exclude };
        words[n_words++] = (struct pair){ "kiln.ignore.file", x->ignore_file };
        words[n_words++] = (struct pair){ "kiln.ignore.lines", rule_lines(x, a) };
    }
    if (follow)
        attrs[n_attrs++] = (struct pair){ ATTR_LOCAL_FOLLOW, follow };
    attrs[n_attrs++] =
        (struct pair){ ATTR_LOCAL_SHARED_KEY,
                       x->name ? arena_printf(a, "context:%s-", x->name) : x->source };
    const struct vertex_about about = {
        .name = x->name ? arena_printf(a, "[context %s] load from client", x->name)
                        : "[internal] load build context",
        .description = { words, n_words },
    };
    const struct op_source op = {
        .identifier = arena_printf(a, "local://%s", x->source),
        .attrs = { attrs, n_attrs },
    };
    return graph_add_source(c->builder, &op, &about, out, err);
}

/* The main context of old clients' --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR. */
static int keep_git_dir(struct converter *c, const struct context *x, struct git_ref *g,
                        struct err *err)
{
    const char *text = x->name ? NULL : build_arg(c, "BUILDKIT_CONTEXT_KEEP_GIT_DIR");
    bool is_kept = false;
    if (!text || !*text || g->keep_git_dir != FLAG_UNSET)
        return 0;
    if (!span_bool(span_of(text), &is_kept))
        return err_set(err, ERR_INVALID,
                       "BUILDKIT_CONTEXT_KEEP_GIT_DIR=%s: true or false is "
                       "expected",
                       text);
    g->keep_git_dir = is_kept ? FLAG_TRUE : FLAG_FALSE;
    return 0;
}

static int git_edge(struct converter *c, struct context *x, struct edge *out, struct err *err)
{
    struct git_ref g;
    if (git_ref_parse(x->source, c->arena, &g, err) || keep_git_dir(c, x, &g, err))
        return -1;
    epoch_set_mtime(c, &g);
    const struct op_source op = git_source(&g, c->arena);
    AUTO_FREE char *shown = urls_redacted(x->source);
    const struct vertex_about about = {
        .name = arena_printf(c->arena, "[internal] load git source %s", shown),
    };
    return graph_add_source(c->builder, &op, &about, out, err);
}

/* One file, called "context". */
static int http_edge(struct converter *c, struct context *x, struct edge *out, struct err *err)
{
    const struct op_source op = http_source(x->source, "context", "", c->arena);
    AUTO_FREE char *shown = urls_redacted(x->source);
    const struct vertex_about about = {
        .name = x->name ? arena_printf(c->arena, "[context %s] %s", x->name, shown)
                        : "[internal] load remote build context",
    };
    return graph_add_source(c->builder, &op, &about, out, err);
}

static int unpacked_edge(struct converter *c, struct edge from, struct edge *out, struct err *err)
{
    const struct op_action unpack = {
        .type = ACTION_COPY,
        .from = from,
        .src = "/context",
        .path = "/",
        .mode = MODE_KEEP,
        .timestamp_ns = TIMESTAMP_NONE,
        .unpacks_archives = true,
    };
    const struct vertex_about about = { .name = "[internal] extracting build context" };
    return graph_add_file(c->builder, (struct edge){ 0 }, &unpack, 1, &about, out, err);
}

int context_edge(struct converter *c, struct context *x, struct edge *out, struct err *err)
{
    *out = x->edge;
    if (x->has_edge)
        return 0;
    int failed = x->type == CONTEXT_LOCAL ? local_edge(c, x, &x->edge, err)
                 : x->type == CONTEXT_GIT ? git_edge(c, x, &x->edge, err)
                                          : http_edge(c, x, &x->edge, err);
    if (failed || (x->is_archive && unpacked_edge(c, x->edge, &x->edge, err)))
        return -1;
    x->has_edge = true;
    *out = x->edge;
    return 0;
}
