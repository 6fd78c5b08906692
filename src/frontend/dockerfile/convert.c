/* frontend/dockerfile/convert.c - the whole conversion: options, stages, two passes, result.
 *
 * Threads: a converter belongs to one thread. */
#include "frontend/dockerfile/convert.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/convert_internal.h"
#include "frontend/dockerfile/syntax.h"

void image_meta_clear(struct image_meta *m)
{
    image_config_clear(&m->config);
    *m = (struct image_meta){ 0 };
}

void dockerfile_result_clear(struct dockerfile_result *r)
{
    graph_free(r->graph);
    image_config_clear(&r->config);
    arena_free(r->arena);
    *r = (struct dockerfile_result){ 0 };
}

enum { MAX_BLAMED_TEXT = 120 };

int blame(struct converter *c, struct source_lines where, const char *text, struct err *err)
{
    c->result->where = where;
    size_t len = strcspn(text, "\n");
    bool is_cut = len > MAX_BLAMED_TEXT;
    return err_wrap(err, "%s:%d: %.*s%s", c->file_name, where.first,
                    is_cut ? MAX_BLAMED_TEXT : (int)len, text, is_cut ? "..." : "");
}

int spend(struct converter *c, size_t n, struct err *err)
{
    c->n_bytes = n > SIZE_MAX - c->n_bytes ? SIZE_MAX : c->n_bytes + n;
    if (c->n_bytes <= LIMIT_GRAPH_BYTES)
        return 0;
    err_set(err, ERR_LIMIT, "variables expand to more than %zu bytes", LIMIT_GRAPH_BYTES);
    return err_hint(err, "put large values into files and COPY them");
}

void warn_at(struct converter *c, enum check_rule_id rule, struct source_lines where,
             const char *text)
{
    *vec_push(&c->warnings) = (struct dockerfile_warning){ check_rules[rule].name, text, where };
}

const char *build_arg(const struct converter *c, const char *name)
{
    return c->o->build_args ? map_find_str(c->o->build_args, name) : NULL;
}

const char *rooted_path(const char *p, struct arena *a)
{
    AUTO_FREE char *text = xasprintf("/%s", p);
    AUTO_FREE char *clean = pattern_clean(span_of(text));
    return arena_strdup(a, clean);
}

/* --- passes --- */

static void begin_pass(struct converter *c, bool is_last)
{
    if (!c->builder)
        c->n_early_warnings = c->warnings.n;
    c->warnings.n = c->n_early_warnings; /* those of the pass before come again */
    graph_builder_free(c->builder);
    c->builder = graph_builder_new();
    c->is_last_pass = is_last;
    c->n_bytes = 0;
    c->file = graph_add_source_file(c->builder, c->file_name, "Dockerfile", c->text);
    c->main.has_edge = false;
    vec_each (&c->contexts, x)
        (*x)->has_edge = false;
    vec_each (&c->stages, s)
        stage_state_clear(&(*s)->state);
}

int converter_pass(struct converter *c, bool is_last, struct err *err)
{
    begin_pass(c, is_last);
    for (size_t i = 0; i < c->df->n_stages; i++) {
        struct build_stage *s = c->stages.items[i];
        if (!s->is_reachable || s->state.is_done)
            continue;
        if (base_begin(c, s, err))
            return blame(c, s->where, s->parsed->text, err);
        vec_each (&s->steps, step)
            if (dispatch_step(c, s, step, err))
                return -1;
        s->state.is_done = true;
    }
    stage_uses_path(c->target, "/");
    return 0;
}

/* --- the result --- */

static int compare_warnings(const void *a, const void *b)
{
    const struct dockerfile_warning *x = a, *y = b;
    if (x->where.first != y->where.first)
        return x->where.first < y->where.first ? -1 : 1;
    int order = strcmp(x->rule, y->rule);
    return order ? order : strcmp(x->text, y->text);
}

void converter_keep_warnings(struct converter *c)
{
    struct arena *a = c->result->arena;
    if (!c->df)
        return;
    const struct dockerfile_warnings *of_file = &c->df->warnings;
    size_t max = of_file->n + c->warnings.n, n = 0;
    struct dockerfile_warning *kept = arena_alloc(a, (max + 1) * sizeof *kept);
    for (size_t i = 0; i < max; i++) {
        struct dockerfile_warning w =
            i < of_file->n ? of_file->items[i] : c->warnings.items[i - of_file->n];
        if (directives_skips(&c->df->directives, check_rule_find(w.rule)))
            continue;
        w.text = arena_strdup(a, w.text);
        kept[n++] = w;
    }
    qsort(kept, n, sizeof *kept, compare_warnings);
    c->result->warnings = (struct dockerfile_warnings){ kept, n };
}

int converter_fail_on_warnings(struct converter *c, struct err *err)
{
    const struct dockerfile_warnings *w = &c->result->warnings;
    if (!w->n || !c->df->directives.fails_on_warnings)
        return 0;
    struct text_list rules = { 0 };
    for (size_t i = 0; i < w->n; i++)
        if (!strings_have(&(struct strings){ rules.items, rules.n }, w->items[i].rule))
            *vec_push(&rules) = w->items[i].rule;
    const struct strings list = text_list_keep(&rules, c->arena);
    err_set(err, ERR_INVALID, "lint violation found for rules: %s", joined(&list, c->arena));
    err_hint(err, "%s", w->items[0].text);
    c->result->where = w->items[0].where;
    return err_wrap(err, "%s:%d", c->file_name, w->items[0].where.first);
}

static void keep_base_images(struct converter *c)
{
    struct arena *a = c->result->arena;
    struct base_image *images = arena_alloc(a, (c->images.n + 1) * sizeof *images);
    size_t n = 0;
    vec_each (&c->images, image)
        if (!(*image)->layout)
            images[n++] = (struct base_image){ arena_strdup(a, (*image)->name), (*image)->platform,
                                               (*image)->meta.digest };
    c->result->base_images = images;
    c->result->n_base_images = n;
}

/* An explicit target platform is what the image says it is for. */
static void set_result_platform(struct converter *c, struct platform *p)
{
    const struct platform *want = &c->target_platform;
    if (c->o->target_platform.is_set) {
        bool is_same =
            strcmp(want->os, p->os) == 0 && strcmp(want->architecture, p->architecture) == 0;
        struct platform old = *p;
        *p = *want;
        if (is_same && !want->variant[0])
            memcpy(p->variant, old.variant, sizeof p->variant);
        if (is_same && !want->os_version[0])
            memcpy(p->os_version, old.os_version, sizeof p->os_version);
    }
    p->is_set = true;
    platform_normalize(p);
}

static size_t count_base_history(const struct build_stage *s)
{
    while (s->base_type == BASE_STAGE)
        s = s->base;
    return s->base_type == BASE_IMAGE ? s->image->meta.config.history.n : 0;
}

static int finish(struct converter *c, struct err *err)
{
    struct dockerfile_result *r = c->result;
    struct stage_state *st = &c->target->state;
    struct edge *edges = arena_alloc(c->arena, (c->stages.n + 2) * sizeof *edges);
    size_t n = 1;
    edges[0] = st->root;
    converter_keep_warnings(c);
    if (converter_fail_on_warnings(c, err) || scan_targets(c, edges, &n, err) ||
        graph_builder_finish(c->builder, edges, n, &r->graph, err))
        return -1;
    image_config_copy(&r->config, &st->config);
    if (c->o->labels)
        map_copy_str(&r->config.labels, c->o->labels);
    r->config.created = xstrdup_or_null(c->created);
    set_result_platform(c, &r->config.platform);
    r->n_base_history = count_base_history(c->target);
    keep_base_images(c);
    return 0;
}

void converter_init(struct converter *c, struct span text, const struct dockerfile_options *o,
                    const struct frontend_host *host, struct dockerfile_result *result)
{
    *result = (struct dockerfile_result){ .arena = arena_new() };
    *c = (struct converter){
        .o = o,
        .host = host,
        .result = result,
        .arena = arena_new(),
        .file_name = o->filename ? o->filename : "Dockerfile",
        .text = text,
    };
}

void converter_clear(struct converter *c)
{
    vec_each (&c->stages, s)
        build_stage_free(*s);
    vec_each (&c->contexts, x) {
        context_clear(*x);
        free(*x);
    }
    vec_each (&c->images, image) {
        image_meta_clear(&(*image)->meta);
        free(*image);
    }
    vec_clear(&c->stages);
    vec_clear(&c->contexts);
    vec_clear(&c->images);
    vec_clear(&c->warnings);
    map_clear(&c->stages_by_name);
    map_clear(&c->sources_by_name);
    context_clear(&c->main);
    vec_clear(&c->global_args);
    env_clear(&c->globals);
    env_clear(&c->default_globals);
    graph_builder_free(c->builder);
    dockerfile_free(c->df);
    arena_free(c->arena);
}

static int check_syntax(struct converter *c, struct err *err)
{
    struct source_lines *where = &c->result->where;
    if (syntax_check(c->text, build_arg(c, "BUILDKIT_SYNTAX"), where, err) == 0)
        return 0;
    if (!where->first)
        return err_wrap(err, "%s", c->file_name);
    return err_wrap(err, "%s:%d", c->file_name, where->first);
}

int converter_load(struct converter *c, struct err *err)
{
    struct dockerfile_result *r = c->result;
    const char *text = build_arg(c, "BUILDKIT_DOCKERFILE_CHECK");
    struct directives checks = { 0 };
    if (text && text[0] && directives_parse_check(text, c->arena, &checks, err))
        return err_wrap(err, "%s: BUILDKIT_DOCKERFILE_CHECK", c->file_name);
    if (check_syntax(c, err) || dockerfile_parse(c->text, c->file_name, &c->df, &r->where, err))
        return -1;
    if (text) {
        struct directives *d = &c->df->directives;
        d->skipped_checks = checks.skipped_checks;
        d->experimental_checks = checks.experimental_checks;
        d->fails_on_warnings = checks.fails_on_warnings;
    }
    return globals_set(c, err) || stages_prepare(c, err) ? -1 : 0;
}

static int convert(struct converter *c, struct err *err)
{
    if (converter_load(c, err) || epoch_set(c, err) || converter_pass(c, false, err) ||
        converter_pass(c, true, err))
        return -1;
    return finish(c, err);
}

int dockerfile_context_graph(const struct dockerfile_options *o, const struct frontend_host *host,
                             struct graph **out, struct err *err)
{
    struct dockerfile_result unused = { 0 };
    AUTO_VALUE(converter_clear)
    struct converter c = { .o = o,
                           .host = host,
                           .result = &unused,
                           .arena = arena_new(),
                           .file_name = "Dockerfile",
                           .builder = graph_builder_new() };
    struct edge edge = { 0 };
    context_main_set(&c);
    epoch_prepare(&c);
    return context_edge(&c, &c.main, &edge, err) ||
                   graph_builder_finish(c.builder, &edge, 1, out, err)
               ? -1
               : 0;
}

int dockerfile_convert(struct span text, const struct dockerfile_options *o,
                       const struct frontend_host *host, struct dockerfile_result *out,
                       struct err *err)
{
    AUTO_VALUE(converter_clear) struct converter c;
    converter_init(&c, text, o, host, out);
    if (convert(&c, err) == 0)
        return 0;
    converter_keep_warnings(&c);
    graph_free(out->graph);
    image_config_clear(&out->config);
    *out = (struct dockerfile_result){ .where = out->where,
                                       .warnings = out->warnings,
                                       .arena = out->arena };
    return -1;
}
