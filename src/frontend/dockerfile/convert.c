/* frontend/dockerfile/convert.c - the whole conversion: options, stages, two passes, result.
 *
 * Threads: a converter belongs to one thread. */
#include "frontend/dockerfile/convert.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/convert_internal.h"
#include "frontend/dockerfile/remote_url.h"

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

void warn_at(struct converter *c, const char *rule, struct source_lines where, const char *text)
{
    if (c->builder && !c->is_last_pass)
        return;
    *vec_push(&c->warnings) = (struct dockerfile_warning){ rule, text, where };
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

/* --- what is known before the first stage --- */

static void set_platforms(struct converter *c)
{
    const struct dockerfile_options *o = c->o;
    c->build_platform = o->build_platform.is_set ? o->build_platform : platform_host();
    c->target_platform = o->target_platform.is_set ? o->target_platform : c->build_platform;
    platform_normalize(&c->build_platform);
    platform_normalize(&c->target_platform);
}

static void set_global(struct converter *c, const char *name, const char *value)
{
    const char *given = build_arg(c, name);
    env_set(&c->globals, name, given ? given : value);
}

static void set_platform_args(struct converter *c, const char *front, const struct platform *p)
{
    struct arena *a = c->arena;
    set_global(c, arena_printf(a, "%sPLATFORM", front), arena_strdup(a, platform_text(p).s));
    set_global(c, arena_printf(a, "%sOS", front), p->os);
    set_global(c, arena_printf(a, "%sOSVERSION", front), p->os_version);
    set_global(c, arena_printf(a, "%sARCH", front), p->architecture);
    set_global(c, arena_printf(a, "%sVARIANT", front), p->variant);
}

/* The platform and the target as arguments; all may be overridden. */
static void set_automatic_args(struct converter *c)
{
    const char *target =
        c->o->target && c->o->target[0] ? c->o->target : c->df->stages[c->df->n_stages - 1].name;
    set_platform_args(c, "BUILD", &c->build_platform);
    set_platform_args(c, "TARGET", &c->target_platform);
    set_global(c, "TARGETSTAGE", target[0] ? target : "default");
}

static int set_global_arg(struct converter *c, const struct arg *arg, struct err *err)
{
    const struct shell_lex lex = { .find = env_find,
                                   .env = &c->globals,
                                   .escape = c->df->directives.escape };
    const char *value = build_arg(c, arg->name);
    struct shell_result r;
    if (!value && arg->has_default) {
        if (shell_lex_word(&lex, arg->default_value, c->arena, &r, err))
            return -1;
        value = r.text;
    }
    if (value)
        env_set(&c->globals, arg->name, value);
    return 0;
}

static int set_globals(struct converter *c, struct err *err)
{
    set_automatic_args(c);
    for (size_t i = 0; i < c->df->n_global_args; i++) {
        const struct instruction *in = &c->df->global_args[i];
        for (size_t k = 0; k < in->args.n; k++)
            if (set_global_arg(c, &in->args.items[k], err))
                return blame(c, in->where, in->text, err);
    }
    return 0;
}

static void set_proxy(struct converter *c)
{
    static const char *const names[] = { "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
                                         "all_proxy" };
    const char **fields[] = { &c->proxy.http, &c->proxy.https, &c->proxy.ftp, &c->proxy.no,
                              &c->proxy.all };
    /* Capitals sort first, so that of both spellings the small one counts. */
    for (int is_small = 0; is_small < 2; is_small++) {
        for (size_t i = 0; i < 5; i++) {
            const char *name = is_small ? names[i] : upper_case(c->arena, names[i]);
            const char *value = build_arg(c, name);
            if (!value)
                continue;
            *fields[i] = value;
            c->proxy.is_set = true;
        }
    }
}

/* The time that config and history tell. */
static int set_epoch(struct converter *c, struct err *err)
{
    const char *text =
        c->o->source_date_epoch ? c->o->source_date_epoch : build_arg(c, "SOURCE_DATE_EPOCH");
    text = text ? text : env_find(&c->globals, "SOURCE_DATE_EPOCH");
    struct dockerfile_result *r = c->result;
    c->created = c->o->created;
    if (!text || !text[0])
        return 0;
    uint64_t seconds;
    if (!unsigned_parse(text, 10, 253402300799, &seconds)) { /* the year 9999 */
        bool is_word = strcmp(text, "context") == 0;
        if (is_word && c->main.type == CONTEXT_LOCAL)
            return 0; /* a folder has no time of its own */
        err_set(err, is_word ? ERR_UNSUPPORTED : ERR_INVALID, "%s: invalid SOURCE_DATE_EPOCH: %s%s",
                c->file_name, text,
                is_word ? ": the time of a remote context is not supported yet" : "");
        return err_hint(err, "give seconds since 1970, for instance $(git log -1 --pretty=%%ct)");
    }
    r->has_epoch = true;
    r->epoch = (int64_t)seconds;
    time_t t = (time_t)seconds;
    struct tm tm;
    char date[32];
    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
    c->created = arena_strdup(c->arena, date);
    return 0;
}

static void set_main_context(struct converter *c)
{
    const char *source = c->o->context ? c->o->context : "context";
    c->main = (struct context){ .type = context_type_of(source), .source = source };
}

/* --- passes --- */

static void begin_pass(struct converter *c, bool is_last)
{
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

static int run_pass(struct converter *c, bool is_last, struct err *err)
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

/* Those of the file and ours that the user wants to hear, by line. */
static void keep_warnings(struct converter *c)
{
    struct arena *a = c->result->arena;
    const struct dockerfile_warnings *of_file = &c->df->warnings;
    size_t max = of_file->n + c->warnings.n, n = 0;
    struct dockerfile_warning *kept = arena_alloc(a, (max + 1) * sizeof *kept);
    for (size_t i = 0; i < max; i++) {
        struct dockerfile_warning w =
            i < of_file->n ? of_file->items[i] : c->warnings.items[i - of_file->n];
        if (directives_skips(&c->df->directives, w.rule, false))
            continue;
        w.rule = arena_strdup(a, w.rule);
        w.text = arena_strdup(a, w.text);
        kept[n++] = w;
    }
    qsort(kept, n, sizeof *kept, compare_warnings);
    c->result->warnings = (struct dockerfile_warnings){ kept, n };
}

static int fail_on_warnings(struct converter *c, struct err *err)
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
    for (size_t i = 0; i < c->images.n; i++) {
        const struct resolved_image *image = c->images.items[i];
        images[i] = (struct base_image){ arena_strdup(a, image->name), image->platform,
                                         image->meta.digest };
    }
    c->result->base_images = images;
    c->result->n_base_images = c->images.n;
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
    keep_warnings(c);
    if (fail_on_warnings(c, err) || graph_builder_finish(c->builder, &st->root, 1, &r->graph, err))
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

static void converter_clear(struct converter *c)
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
    env_clear(&c->globals);
    graph_builder_free(c->builder);
    dockerfile_free(c->df);
    arena_free(c->arena);
}

static int convert(struct converter *c, struct err *err)
{
    struct dockerfile_result *r = c->result;
    const char *checks = build_arg(c, "BUILDKIT_DOCKERFILE_CHECK");
    if (dockerfile_parse(c->text, c->file_name, &c->df, &r->where, err))
        return -1;
    if (checks && directives_parse_check(checks, c->arena, &c->df->directives, err))
        return err_wrap(err, "BUILDKIT_DOCKERFILE_CHECK");
    set_platforms(c);
    set_main_context(c);
    set_proxy(c);
    if (set_globals(c, err) || set_epoch(c, err) || stages_prepare(c, err))
        return -1;
    if (run_pass(c, false, err) || run_pass(c, true, err))
        return -1;
    return finish(c, err);
}

int dockerfile_convert(struct span text, const struct dockerfile_options *o,
                       const struct frontend_host *host, struct dockerfile_result *out,
                       struct err *err)
{
    *out = (struct dockerfile_result){ .arena = arena_new() };
    AUTO_VALUE(converter_clear)
    struct converter c = {
        .o = o,
        .host = host,
        .result = out,
        .arena = arena_new(),
        .file_name = o->filename ? o->filename : "Dockerfile",
        .text = text,
    };
    if (convert(&c, err) == 0)
        return 0;
    struct source_lines where = out->where;
    dockerfile_result_clear(out);
    out->where = where;
    return -1;
}
