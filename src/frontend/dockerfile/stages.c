/* frontend/dockerfile/stages.c - stages, what they stand on and take from, and which are needed.
 *
 * A stage depends on its base and on what its COPY --from and RUN --mount=from name.  Only stages
 * that the target depends on are looked at any further; nothing is asked about the images of the
 * others.  Triggers of a base may name new sources, so resolving goes on until nothing new comes.
 *
 * Threads: a converter belongs to one thread. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontend/dockerfile/convert_internal.h"

void build_stage_free(struct build_stage *s)
{
    if (!s)
        return;
    vec_clear(&s->steps);
    vec_clear(&s->deps);
    stage_state_clear(&s->state);
    free(s);
}

void stage_uses_path(struct build_stage *s, const char *path)
{
    while (s->base_type == BASE_STAGE)
        s = s->base;
    if (s->base_type == BASE_CONTEXT)
        map_set(&s->context->paths, path, NULL);
}

/* The last stage of this name among those read so far; NULL when there is none. */
static struct build_stage *find_named(const struct converter *c, const char *name)
{
    return map_find(&c->stages_by_name, lower_case(c->arena, name));
}

/* FROM's words know the global arguments alone. */
static int expand_from(struct converter *c, const char *word, struct shell_result *out,
                       struct err *err)
{
    const struct shell_lex lex = { env_find, &c->globals, c->df->directives.escape, 0, 0, 0, 0 };
    return shell_lex_word(&lex, word, c->arena, out, err);
}

static int read_platform(struct converter *c, struct build_stage *s, struct err *err)
{
    const struct stage *st = s->parsed;
    struct shell_result r;
    if (!st->platform[0])
        return 0;
    if (expand_from(c, st->platform, &r, err))
        return err_wrap(err, "failed to process arguments for platform %s", st->platform);
    check_from_platform(c, st, &r);
    s->platform_args = r.used;
    if (!r.text[0]) {
        err_set(err, ERR_INVALID, "empty platform value from expression %s", st->platform);
        return err_hint(err, "declare the argument with ARG before the first FROM");
    }
    if (platform_parse(span_of(r.text), &s->platform, err))
        return err_wrap(err, "failed to parse platform %s", st->platform);
    return 0;
}

static bool is_numbered(enum instruction_type type)
{
    return type == INSTRUCTION_ADD || type == INSTRUCTION_COPY || type == INSTRUCTION_RUN ||
           type == INSTRUCTION_WORKDIR;
}

static void count_steps(struct build_stage *s)
{
    s->n_steps_named = s->base_type != BASE_STAGE && strcmp(s->base_name, "scratch") != 0;
    vec_each (&s->steps, step)
        s->n_steps_named += is_numbered(step->in->type);
}

static bool ignores_cache(const struct converter *c, const struct build_stage *s)
{
    if (c->o->ignores_cache)
        return true;
    for (size_t i = 0; i < c->o->no_cache_stages.n; i++)
        if (s->name[0] && strcasecmp(c->o->no_cache_stages.items[i], s->name) == 0)
            return true;
    return false;
}

static int read_stage(struct converter *c, size_t number, struct build_stage *s, struct err *err)
{
    const struct stage *st = &c->df->stages[number];
    *s = (struct build_stage){ .parsed = st, .name = st->name, .where = st->where };
    s->label = st->name[0] ? st->name : arena_printf(c->arena, "stage-%zu", number);
    struct shell_result r;
    check_from_default(c, st);
    if (expand_from(c, st->base, &r, err))
        return -1;
    check_from(c, st, &r);
    s->base_name = r.text;
    s->base_args = r.used;
    if (!s->base_name[0]) {
        err_set(err, ERR_INVALID, "base name (%s) should not be blank", st->base);
        return err_hint(err, "declare the argument with a value before the first FROM, or pass it "
                             "with --build-arg");
    }
    if (read_platform(c, s, err))
        return -1;
    base_replace(c, s);
    if (!s->is_replaced && (s->base = find_named(c, s->base_name)))
        s->base_type = BASE_STAGE;
    s->ignores_cache = ignores_cache(c, s);
    return 0;
}

static int add_stages(struct converter *c, struct err *err)
{
    for (size_t i = 0; i < c->df->n_stages; i++) {
        struct build_stage *s = xcalloc(1, sizeof *s);
        if (read_stage(c, i, s, err)) {
            build_stage_free(s);
            return blame(c, c->df->stages[i].where, c->df->stages[i].text, err);
        }
        *vec_push(&c->stages) = s;
        if (s->name[0])
            map_set(&c->stages_by_name, s->name, s);
    }
    return 0;
}

/* The stage, or what else `name` stands for: an image or a named context. */
static struct build_stage *source_named(struct converter *c, const char *name,
                                        struct source_lines where)
{
    struct build_stage *s = find_named(c, name);
    s = s ? s : map_find(&c->sources_by_name, name);
    if (s)
        return s;
    s = xcalloc(1, sizeof *s);
    *s = (struct build_stage){ .name = "", .label = "", .base_name = name, .where = where };
    *vec_push(&c->stages) = s;
    map_set(&c->sources_by_name, name, s);
    return s;
}

static int copy_source(struct converter *c, const struct step *step, struct build_stage **out,
                       struct err *err)
{
    const char *from = step->in->copy.from;
    const struct shell_lex lex = { .escape = c->df->directives.escape };
    struct shell_result r;
    uint64_t index;
    if (shell_lex_word(&lex, from, c->arena, &r, err))
        return -1;
    if (strcmp(r.text, from) != 0) {
        err_set(err, ERR_INVALID,
                "variable expansion is not supported for --from, define a new stage with FROM "
                "using ARG from global scope as a workaround");
        return err_hint(err, "put FROM %s AS source before this stage, and --from=source here",
                        from);
    }
    if (!unsigned_parse(from, 10, INT32_MAX, &index)) {
        *out = source_named(c, from, step->where);
        return 0;
    }
    if (index >= c->df->n_stages) {
        err_set(err, ERR_INVALID, "invalid stage index %s", from);
        return err_hint(err, "stages are counted from 0; the last one is %zu", c->df->n_stages - 1);
    }
    *out = c->stages.items[index];
    return 0;
}

/* Reads `from` and `type` of a mount, before anything in it can be expanded. */
static int mount_source(struct converter *c, const struct step *step, const char *mount,
                        struct build_stage **out, struct err *err)
{
    struct strings fields;
    const char *from = "", *type = "bind";
    if (words_csv(mount, c->arena, &fields, err))
        return -1;
    for (size_t i = 0; i < fields.n; i++) {
        if (strncasecmp(fields.items[i], "from=", 5) == 0)
            from = fields.items[i] + 5;
        if (strncasecmp(fields.items[i], "type=", 5) == 0)
            type = fields.items[i] + 5;
    }
    *out = from[0] && strcasecmp(type, "tmpfs") != 0 ? source_named(c, from, step->where) : NULL;
    return 0;
}

static int link_step(struct converter *c, struct step *step, struct err *err)
{
    const struct instruction *in = step->in;
    size_t n = in->type == INSTRUCTION_RUN                        ? in->run.mounts.n
               : in->type == INSTRUCTION_COPY && in->copy.from[0] ? 1
                                                                  : 0;
    step->sources = arena_alloc(c->arena, (n + 1) * sizeof *step->sources);
    step->n_sources = n;
    for (size_t i = 0; i < n; i++) {
        if (in->type == INSTRUCTION_COPY
                ? copy_source(c, step, &step->sources[i], err)
                : mount_source(c, step, in->run.mounts.items[i], &step->sources[i], err))
            return blame(c, step->where, in->text, err);
    }
    return 0;
}

static void add_deps(struct build_stage *s, const struct step *step)
{
    for (size_t i = 0; i < step->n_sources; i++)
        if (step->sources[i])
            *vec_push(&s->deps) = step->sources[i];
}

static int link_stages(struct converter *c, struct err *err)
{
    for (size_t i = 0; i < c->df->n_stages; i++) {
        struct build_stage *s = c->stages.items[i];
        for (size_t k = 0; !s->is_replaced && k < s->parsed->n_instructions; k++) {
            const struct instruction *in = &s->parsed->instructions[k];
            struct step step = { .in = in, .where = in->where };
            if (link_step(c, &step, err))
                return -1;
            *vec_push(&s->steps) = step;
            add_deps(s, &step);
        }
        count_steps(s);
    }
    return 0;
}

/* A stage that needs itself, below `s`; NULL when there is none. */
static struct build_stage *find_cycle(struct build_stage *s)
{
    if (s->visit != VISIT_NONE)
        return s->visit == VISIT_UNDER_WAY ? s : NULL;
    s->visit = VISIT_UNDER_WAY;
    struct build_stage *found = s->base_type == BASE_STAGE ? find_cycle(s->base) : NULL;
    for (size_t i = 0; !found && i < s->deps.n; i++)
        found = find_cycle(s->deps.items[i]);
    s->visit = VISIT_DONE;
    return found;
}

static int check_cycles(struct converter *c, struct err *err)
{
    vec_each (&c->stages, s)
        (*s)->visit = VISIT_NONE;
    for (size_t i = 0; i < c->df->n_stages; i++) {
        struct build_stage *s = find_cycle(c->stages.items[i]);
        if (!s)
            continue;
        err_set(err, ERR_INVALID, "circular dependency detected on stage: %s", s->label);
        return blame(c, s->where, s->parsed->text, err);
    }
    return 0;
}

static int find_target(struct converter *c, struct err *err)
{
    const char *name = c->o->target;
    c->target = c->stages.items[c->df->n_stages - 1];
    if (!name || !name[0])
        return 0;
    struct build_stage *s = find_named(c, name); /* a number is no index here */
    if (s) {
        c->target = s;
        return 0;
    }
    AUTO_FREE const char **names = xcalloc(c->df->n_stages + 1, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < c->df->n_stages; i++)
        if (c->stages.items[i]->name[0])
            names[n++] = c->stages.items[i]->name;
    err_set(err, ERR_NOT_FOUND, "%s: target stage %s could not be found", c->file_name,
            quoted(c->arena, name));
    err_hint(err, n ? "stages with a name: %s" : "no stage has a name; write FROM ... AS %s",
             n ? joined(&(struct strings){ names, n }, c->arena) : name);
    return did_you_mean(err, name, names, n, true);
}

static void mark_reachable(struct build_stage *s)
{
    if (s->is_reachable)
        return;
    s->is_reachable = true;
    if (s->base_type == BASE_STAGE)
        mark_reachable(s->base);
    vec_each (&s->deps, dep)
        mark_reachable(*dep);
}

/* One trigger as a step of `s`. */
static int read_trigger(struct converter *c, struct build_stage *s, const char *text,
                        struct step *step, struct err *err)
{
    const struct instruction *in;
    if (dockerfile_parse_trigger(text, c->arena, &in, err))
        return blame(c, s->where, s->parsed->text, err);
    *step = (struct step){ .in = in, .where = s->where, .is_trigger = true };
    if (link_step(c, step, err))
        return -1;
    add_deps(s, step);
    return 0;
}

/* The texts of the triggers that the stage's base has. */
static void list_triggers(const struct build_stage *s, struct text_list *out)
{
    if (s->base_type == BASE_IMAGE)
        vec_each (&s->image->meta.config.on_build, text)
            *vec_push(out) = *text;
    if (s->base_type != BASE_STAGE)
        return;
    vec_each (&s->base->steps, step)
        if (step->in->type == INSTRUCTION_ONBUILD && !step->is_trigger)
            *vec_push(out) = step->in->onbuild.trigger;
}

/* Puts the triggers of the base in front of the stage's steps. */
static int add_triggers(struct converter *c, struct build_stage *s, struct err *err)
{
    AUTO_VALUE(text_list_clear) struct text_list triggers = { 0 };
    if (!s->parsed || s->is_replaced)
        return 0;
    list_triggers(s, &triggers);
    for (size_t i = 0; i < triggers.n; i++) {
        struct step step;
        if (read_trigger(c, s, triggers.items[i], &step, err))
            return -1;
        *vec_push(&s->steps) = step;
        memmove(&s->steps.items[i + 1], &s->steps.items[i],
                (s->steps.n - 1 - i) * sizeof *s->steps.items);
        s->steps.items[i] = step;
    }
    count_steps(s);
    return 0;
}

/* Resolves all that is needed; a trigger may need more. */
static int resolve_needed(struct converter *c, struct err *err)
{
    for (bool has_new = true; has_new;) {
        has_new = false;
        vec_each (&c->stages, s)
            (*s)->is_reachable = false;
        mark_reachable(c->target);
        for (size_t i = 0; c->wants_all_stages && i < c->df->n_stages; i++)
            mark_reachable(c->stages.items[i]);
        for (size_t i = 0; i < c->stages.n; i++) {
            struct build_stage *s = c->stages.items[i];
            if (!s->is_reachable || s->is_resolved)
                continue;
            s->is_resolved = has_new = true;
            if (base_resolve(c, s, err) || add_triggers(c, s, err))
                return -1;
        }
    }
    return check_cycles(c, err);
}

int stages_prepare(struct converter *c, struct err *err)
{
    if (add_stages(c, err) || find_target(c, err) || link_stages(c, err) || check_cycles(c, err))
        return -1;
    if (c->stages.n == 1)
        c->stages.items[0]->label = "";
    return resolve_needed(c, err);
}
