/* frontend/dockerfile/dockerfile.c - instructions grouped into stages, each opened by its FROM.
 *
 * Threads: a parsed dockerfile never changes; any number of threads may read it. */
#include <string.h>
#include <strings.h>

#include "base/core/mem.h"
#include "frontend/dockerfile/parse_internal.h"

struct instruction_list {
    struct instruction *items; /* owned */
    size_t n, cap;
};

/* A dockerfile while its instructions are read. */
struct building {
    struct dockerfile *df;
    struct instruction_list current; /* of the last stage, or the global ARGs before the first */
    vec(struct stage) stages;
};

static void building_clear(struct building *b)
{
    vec_clear(&b->current);
    vec_clear(&b->stages);
}

/* Hands the instructions read so far to the stage that they belong to. */
static void close_stage(struct building *b)
{
    struct dockerfile *df = b->df;
    size_t n = b->current.n;
    struct instruction *kept = arena_alloc(df->arena, n * sizeof *kept);
    if (n)
        memcpy(kept, b->current.items, n * sizeof *kept);
    vec_clear(&b->current);
    if (!b->stages.n) {
        df->global_args = kept;
        df->n_global_args = n;
        return;
    }
    struct stage *stage = &b->stages.items[b->stages.n - 1];
    stage->instructions = kept;
    stage->n_instructions = n;
}

static int add_instruction(struct building *b, const struct parse_input *input, struct err *err)
{
    if (strcasecmp(input->raw->name, "FROM") == 0) {
        struct stage stage;
        if (stage_parse(input, &stage, err))
            return -1;
        close_stage(b);
        *vec_push(&b->stages) = stage;
        return 0;
    }
    struct instruction in;
    if (instruction_parse(input, &in, err))
        return -1;
    if (!b->stages.n && in.type != INSTRUCTION_ARG) {
        err_set(err, ERR_INVALID, "no build stage in current context");
        return err_hint(err, "only ARG may stand before the first FROM");
    }
    *vec_push(&b->current) = in;
    return 0;
}

static void keep_stages(struct building *b)
{
    struct dockerfile *df = b->df;
    struct stage *stages = arena_alloc(df->arena, b->stages.n * sizeof *stages);
    memcpy(stages, b->stages.items, b->stages.n * sizeof *stages);
    df->stages = stages;
    df->n_stages = b->stages.n;
}

static void keep_warnings(struct dockerfile *df, const struct raw_dockerfile *raw)
{
    struct warning_list list = { 0 };
    lint_dockerfile(raw, df, &list);
    if (list.n) {
        struct dockerfile_warning *kept = arena_alloc(df->arena, list.n * sizeof *kept);
        memcpy(kept, list.items, list.n * sizeof *kept);
        df->warnings = (struct dockerfile_warnings){ .items = kept, .n = list.n };
    }
    vec_clear(&list);
}

static int read_stages(struct dockerfile *df, const struct raw_dockerfile *raw,
                       struct source_lines *where, struct err *err)
{
    AUTO_VALUE(building_clear) struct building b = { .df = df };
    for (size_t i = 0; i < raw->n; i++) {
        const struct parse_input input = {
            .raw = &raw->items[i],
            .escape = raw->directives.escape,
            .arena = df->arena,
        };
        if (add_instruction(&b, &input, err)) {
            *where = raw->items[i].where;
            return err_wrap(err, "%s:%d", df->name, where->first);
        }
    }
    close_stage(&b);
    if (!b.stages.n) {
        err_set(err, ERR_INVALID, "%s: dockerfile contains no stages to build", df->name);
        return err_hint(err, "begin with FROM IMAGE, or FROM scratch");
    }
    keep_stages(&b);
    return 0;
}

int dockerfile_parse(struct span text, const char *name, struct dockerfile **out,
                     struct source_lines *where, struct err *err)
{
    AUTO(dockerfile_free) struct dockerfile *df = xcalloc(1, sizeof *df);
    df->arena = arena_new();
    df->name = arena_strdup(df->arena, name);
    struct raw_dockerfile raw;
    if (dockerfile_split(text, name, df->arena, &raw, where, err) ||
        read_stages(df, &raw, where, err))
        return -1;
    df->directives = raw.directives;
    keep_warnings(df, &raw);
    *out = STEAL(df);
    return 0;
}

void dockerfile_free(struct dockerfile *df)
{
    if (!df)
        return;
    arena_free(df->arena);
    free(df);
}

int dockerfile_parse_trigger(const char *trigger, struct arena *a, const struct instruction **out,
                             struct err *err)
{
    struct raw_dockerfile raw;
    struct source_lines where;
    if (dockerfile_split(span_of(trigger), "ONBUILD", a, &raw, &where, err))
        return -1;
    if (raw.n != 1)
        return err_set(err, ERR_INVALID,
                       "ONBUILD: onbuild trigger should be a single expression: %s", trigger);
    enum instruction_type type;
    struct instruction *in = arena_alloc(a, sizeof *in);
    const struct parse_input input = { .raw = &raw.items[0], .escape = '\\', .arena = a };
    if (instruction_type_find(raw.items[0].name, &type) && trigger_check(type, err))
        return err_wrap(err, "ONBUILD %s", trigger);
    if (instruction_parse(&input, in, err))
        return err_wrap(err, "ONBUILD %s", trigger);
    *out = in;
    return 0;
}
