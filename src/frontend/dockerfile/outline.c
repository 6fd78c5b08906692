/* frontend/dockerfile/outline.c - what a target takes from its user, and which targets there are.
 *
 * Threads: see outline.h. */
#include "frontend/dockerfile/outline.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/dockerfile/capture.h"
#include "frontend/dockerfile/syntax.h"

void dockerfile_outline_clear(struct dockerfile_outline *o)
{
    arena_free(o->arena);
    *o = (struct dockerfile_outline){ 0 };
}

void dockerfile_targets_clear(struct dockerfile_targets *l)
{
    arena_free(l->arena);
    *l = (struct dockerfile_targets){ 0 };
}

/* --- outline --- */

struct walk {
    const struct converter *c;
    const struct capture *capture;
    vec(struct outline_item) items;
    struct map seen[OUTLINE_CACHE + 1]; /* names of each kind */
};

static void walk_clear(struct walk *w)
{
    vec_clear(&w->items);
    for (size_t i = 0; i <= OUTLINE_CACHE; i++)
        map_clear(&w->seen[i]);
}

/* Of several with one name the first that is met counts; false for the others. */
static bool add_item(struct walk *w, const struct outline_item *item)
{
    struct map *seen = &w->seen[item->kind];
    if (map_has(seen, item->name))
        return false;
    map_set(seen, item->name, NULL);
    *vec_push(&w->items) = *item;
    return true;
}

/* A global ARG and those that its default is made of. */
static void add_global(struct walk *w, const char *name)
{
    const struct global_arg *found = NULL;
    vec_each (&w->c->global_args, g)
        if (strcmp(g->arg->name, name) == 0)
            found = g;
    if (!found)
        return;
    const struct outline_item item = { .kind = OUTLINE_ARG,
                                       .name = name,
                                       .value = found->value ? found->value : "",
                                       .description = found->arg->description,
                                       .where = found->where };
    if (add_item(w, &item))
        for (size_t i = 0; i < found->used.n; i++)
            add_global(w, found->used.items[i]);
}

static void add_globals(struct walk *w, const struct strings *names)
{
    for (size_t i = 0; i < names->n; i++)
        add_global(w, names->items[i]);
}

static void walk_stage(struct walk *w, struct build_stage *s)
{
    if (s->visit == VISIT_DONE)
        return;
    s->visit = VISIT_DONE;
    vec_each (&w->capture->items, found) {
        if (found->stage != s)
            continue;
        if (found->is_global)
            add_global(w, found->item.name);
        else
            add_item(w, &found->item);
    }
    add_globals(w, &s->base_args);
    add_globals(w, &s->platform_args);
    if (s->base_type == BASE_STAGE)
        walk_stage(w, s->base);
    vec_each (&s->deps, dep)
        walk_stage(w, *dep);
}

static int compare_items(const void *a, const void *b)
{
    const struct outline_item *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->where.first != y->where.first)
        return x->where.first < y->where.first ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void keep_items(const struct walk *w, struct dockerfile_outline *out)
{
    struct arena *a = out->arena;
    struct outline_item *kept = arena_alloc(a, (w->items.n + 1) * sizeof *kept);
    for (size_t i = 0; i < w->items.n; i++) {
        kept[i] = w->items.items[i];
        kept[i].name = arena_strdup(a, kept[i].name);
        kept[i].value = arena_strdup(a, kept[i].value);
        kept[i].description = arena_strdup(a, kept[i].description);
    }
    qsort(kept, w->items.n, sizeof *kept, compare_items);
    out->items = kept;
    out->n = w->items.n;
}

static void outline_of(struct converter *c, struct dockerfile_outline *out)
{
    AUTO_VALUE(walk_clear) struct walk w = { .c = c, .capture = c->capture };
    const struct stage *target = c->target->parsed;
    vec_each (&c->stages, s)
        (*s)->visit = VISIT_NONE;
    walk_stage(&w, c->target);
    keep_items(&w, out);
    out->name = arena_strdup(out->arena, target->name);
    out->description = arena_strdup(out->arena, target->description);
}

int dockerfile_outline_read(struct span text, const struct dockerfile_options *o,
                            const struct frontend_host *host, struct dockerfile_outline *out,
                            struct err *err)
{
    AUTO_VALUE(converter_clear) struct converter c;
    struct dockerfile_result result;
    struct unknown unknown = { 0 };
    struct capture capture = { 0 };
    *out = (struct dockerfile_outline){ .arena = arena_new() };
    converter_init(&c, text, o, host, &result);
    c.unknown = &unknown;
    c.capture = &capture;
    int failed = converter_load(&c, err) || converter_pass(&c, true, err) ? -1 : 0;
    out->unknown = unknown.why;
    out->where = result.where;
    if (!failed)
        outline_of(&c, out);
    vec_clear(&capture.items);
    dockerfile_result_clear(&result);
    return failed;
}

/* --- targets --- */

int dockerfile_targets_read(struct span text, const struct dockerfile_options *o,
                            struct dockerfile_targets *out, struct err *err)
{
    AUTO(dockerfile_free) struct dockerfile *df = NULL;
    const char *name = o->filename ? o->filename : "Dockerfile";
    const char *syntax = o->build_args ? map_find_str(o->build_args, "BUILDKIT_SYNTAX") : NULL;
    *out = (struct dockerfile_targets){ .arena = arena_new() };
    if (syntax_check(text, syntax, &out->where, err))
        return out->where.first ? err_wrap(err, "%s:%d", name, out->where.first)
                                : err_wrap(err, "%s", name);
    if (dockerfile_parse(text, name, &df, &out->where, err))
        return -1;
    struct arena *a = out->arena;
    struct dockerfile_target *items = arena_alloc(a, df->n_stages * sizeof *items);
    for (size_t i = 0; i < df->n_stages; i++) {
        const struct stage *s = &df->stages[i];
        items[i] = (struct dockerfile_target){ .name = arena_strdup(a, s->name),
                                               .description = arena_strdup(a, s->description),
                                               .base = arena_strdup(a, s->base),
                                               .platform = arena_strdup(a, s->platform),
                                               .is_default = i + 1 == df->n_stages,
                                               .where = s->where };
    }
    out->items = items;
    out->n = df->n_stages;
    return 0;
}
