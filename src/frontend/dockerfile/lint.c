/* frontend/dockerfile/lint.c - the build checks that look at the text alone: they are made of every
 * stage, whether it is built or not.
 *
 * Each check walks the instructions once; the list is sorted by line at the end.  Which of them the
 * user wants to hear is the caller's to ask of directives_skips().  Checks of stages that are built
 * and of values are in lint_values.c.
 *
 * Spec: docs.docker.com/reference/build-checks. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontend/dockerfile/parse_internal.h"

struct linting {
    const struct dockerfile *df;
    struct warning_list *out;
};

static void warn(struct linting *l, enum check_rule_id rule, struct source_lines where,
                 const char *text)
{
    *vec_push(l->out) =
        (struct dockerfile_warning){ .rule = check_rules[rule].name, .text = text, .where = where };
}

static bool is_lower(const char *text)
{
    return text[strcspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool is_upper(const char *text)
{
    return text[strcspn(text, "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

/* The majority of the stages' instructions is what the others should look like. */
static void check_casing(struct linting *l, const struct raw_dockerfile *raw)
{
    size_t n_lower = 0, n_upper = 0, first = l->df->n_global_args;
    for (size_t i = first; i < raw->n; i++) {
        n_lower += is_lower(raw->items[i].name);
        n_upper += is_upper(raw->items[i].name);
    }
    bool wants_lower = n_lower > n_upper;
    for (size_t i = first; i < raw->n; i++) {
        const char *name = raw->items[i].name;
        if (wants_lower ? is_lower(name) : is_upper(name))
            continue;
        warn(l, RULE_CONSISTENT_INSTRUCTION_CASING, raw->items[i].where,
             arena_printf(l->df->arena,
                          "Command '%s' should match the case of the command majority (%s)", name,
                          wants_lower ? "lowercase" : "uppercase"));
    }
}

/* FROM's words as written: the name of the instruction and its "as". */
static void check_as_casing(struct linting *l, const struct raw_instruction *raw)
{
    struct strings words = words_split(raw->args, l->df->arena);
    if (words.n != 3)
        return;
    const char *as = words.items[1];
    bool is_mixed = !is_lower(raw->name) && !is_upper(raw->name);
    if (is_mixed || (is_lower(raw->name) ? is_lower(as) : is_upper(as)))
        return;
    warn(l, RULE_FROM_AS_CASING, raw->where,
         arena_printf(l->df->arena, "'%s' and '%s' keywords' casing do not match", as, raw->name));
}

static void check_stage(struct linting *l, const struct stage *stage)
{
    struct arena *a = l->df->arena;
    if (!stage->name[0])
        return;
    if (!is_lower(stage->written_name))
        warn(l, RULE_STAGE_NAME_CASING, stage->where,
             arena_printf(a, "Stage name '%s' should be lowercase", stage->written_name));
    if (strcmp(stage->name, "scratch") == 0 || strcmp(stage->name, "context") == 0)
        warn(l, RULE_RESERVED_STAGE_NAME, stage->where,
             arena_printf(a, "Stage name should not use the same name as reserved stage %s",
                          quoted(a, stage->name)));
}

static void check_stage_names(struct linting *l)
{
    struct map seen = { 0 };
    struct arena *a = l->df->arena;
    for (size_t i = 0; i < l->df->n_stages; i++) {
        const struct stage *stage = &l->df->stages[i];
        if (stage->name[0] && map_has(&seen, stage->name))
            warn(l, RULE_DUPLICATE_STAGE_NAME, stage->where,
                 arena_printf(a, "Duplicate stage name %s, stage names should be unique",
                              quoted(a, stage->name)));
        map_set(&seen, stage->name, NULL);
    }
    map_clear(&seen);
}

/* A comment right above should describe one of `names`: "NAME what it is for". */
static void check_description(struct linting *l, const char *instruction, const char *comment,
                              struct source_lines where, const struct strings *names)
{
    const char *last = strrchr(comment, '\n'), *line = last ? last + 1 : comment;
    struct span rest = span_of(line), word = span_cut(&rest, ' ');
    if (!comment[0] || !names->n)
        return;
    for (size_t i = 0; i < names->n; i++)
        if (span_is(word, names->items[i]))
            return;
    warn(l, RULE_INVALID_DEFINITION_DESCRIPTION, where,
         arena_printf(l->df->arena, "Comment for %s should follow the format: `# %s <description>`",
                      instruction, names->n > 1 ? "<arg_key>" : names->items[0]));
}

static void check_args(struct linting *l, const struct instruction *in)
{
    const char **names = arena_alloc(l->df->arena, (in->args.n + 1) * sizeof *names);
    for (size_t i = 0; i < in->args.n; i++)
        names[i] = in->args.items[i].name;
    const struct strings list = { names, in->args.n };
    check_description(l, "ARG", in->comment, in->where, &list);
}

static void check_pairs(struct linting *l, const struct instruction *in,
                        const struct key_values *pairs)
{
    const char *name = instruction_type_name(in->type);
    for (size_t i = 0; i < pairs->n; i++)
        if (pairs->items[i].is_legacy)
            warn(l, RULE_LEGACY_KEY_VALUE_FORMAT, in->where,
                 arena_printf(l->df->arena,
                              "\"%s key=value\" should be used instead of legacy \"%s key value\" "
                              "format",
                              name, name));
}

static void check_instruction(struct linting *l, const struct instruction *in)
{
    if (in->type == INSTRUCTION_MAINTAINER)
        warn(l, RULE_MAINTAINER_DEPRECATED, in->where,
             "Maintainer instruction is deprecated in favor of using label");
    if (in->type == INSTRUCTION_ENV)
        check_pairs(l, in, &in->env);
    if (in->type == INSTRUCTION_LABEL)
        check_pairs(l, in, &in->labels);
    if (in->type == INSTRUCTION_ARG)
        check_args(l, in);
}

static int by_line(const void *x, const void *y)
{
    const struct dockerfile_warning *a = x, *b = y;
    if (a->where.first != b->where.first)
        return a->where.first < b->where.first ? -1 : 1;
    int order = strcmp(a->rule, b->rule);
    return order ? order : strcmp(a->text, b->text);
}

void lint_dockerfile(const struct raw_dockerfile *raw, const struct dockerfile *df,
                     struct warning_list *out)
{
    struct linting l = { .df = df, .out = out };
    for (size_t i = 0; i < raw->warnings.n; i++)
        *vec_push(out) = raw->warnings.items[i];
    check_casing(&l, raw);
    for (size_t i = 0; i < raw->n; i++)
        if (strcasecmp(raw->items[i].name, "FROM") == 0)
            check_as_casing(&l, &raw->items[i]);
    for (size_t i = 0; i < df->n_global_args; i++)
        check_instruction(&l, &df->global_args[i]);
    check_stage_names(&l);
    for (size_t i = 0; i < df->n_stages; i++) {
        const struct stage *stage = &df->stages[i];
        const struct strings name = { &stage->name, stage->name[0] != '\0' };
        check_stage(&l, stage);
        check_description(&l, "FROM", stage->comment, stage->where, &name);
        for (size_t k = 0; k < stage->n_instructions; k++)
            check_instruction(&l, &stage->instructions[k]);
    }
    if (out->n)
        qsort(out->items, out->n, sizeof *out->items, by_line);
}
