/* frontend/dockerfile/lint.c - the build checks that need neither environment nor base image.
 *
 * Each check walks the instructions once; the list is sorted by line at the end.  Which of them the
 * user wants to hear is the caller's to ask of directives_skips().  Checks that depend on values
 * (UndefinedVar, WorkdirRelativePath, JSONArgsRecommended, ...) are the converter's.
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

static void warn(struct linting *l, const char *rule, struct source_lines where, const char *text)
{
    *vec_push(l->out) = (struct dockerfile_warning){ .rule = rule, .text = text, .where = where };
}

static bool is_lower(const char *text)
{
    return text[strcspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool is_upper(const char *text)
{
    return text[strcspn(text, "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

/* The majority of the file's instructions is what the others should look like. */
static void check_casing(struct linting *l, const struct raw_dockerfile *raw)
{
    size_t n_lower = 0, n_upper = 0;
    for (size_t i = 0; i < raw->n; i++) {
        n_lower += is_lower(raw->items[i].name);
        n_upper += is_upper(raw->items[i].name);
    }
    bool wants_lower = n_lower > n_upper;
    for (size_t i = 0; i < raw->n; i++) {
        const char *name = raw->items[i].name;
        if (wants_lower ? is_lower(name) : is_upper(name))
            continue;
        warn(l, "ConsistentInstructionCasing", raw->items[i].where,
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
    if ((is_lower(as) && is_lower(raw->name)) || (is_upper(as) && is_upper(raw->name)))
        return;
    warn(l, "FromAsCasing", raw->where,
         arena_printf(l->df->arena, "'%s' and '%s' keywords' casing do not match", as, raw->name));
}

static void check_stage(struct linting *l, size_t i)
{
    struct arena *a = l->df->arena;
    const struct stage *stage = &l->df->stages[i];
    if (stage->platform[0] && !strchr(stage->platform, '$'))
        warn(l, "FromPlatformFlagConstDisallowed", stage->where,
             arena_printf(a, "FROM --platform flag should not use constant value %s",
                          quoted(a, stage->platform)));
    if (!stage->name[0])
        return;
    if (!is_lower(stage->written_name))
        warn(l, "StageNameCasing", stage->where,
             arena_printf(a, "Stage name '%s' should be lowercase", stage->written_name));
    if (strcmp(stage->name, "scratch") == 0 || strcmp(stage->name, "context") == 0)
        warn(l, "ReservedStageName", stage->where,
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
            warn(l, "DuplicateStageName", stage->where,
                 arena_printf(a, "Duplicate stage name %s, stage names should be unique",
                              quoted(a, stage->name)));
        map_set(&seen, stage->name, NULL);
    }
    map_clear(&seen);
}

/* CMD, ENTRYPOINT and HEALTHCHECK: all but the last of a stage are for nothing. */
static void check_repeated(struct linting *l, const struct stage *stage)
{
    static const enum instruction_type types[] = { INSTRUCTION_CMD, INSTRUCTION_ENTRYPOINT,
                                                   INSTRUCTION_HEALTHCHECK };
    for (size_t t = 0; t < 3; t++) {
        const struct instruction *last = NULL;
        for (size_t i = 0; i < stage->n_instructions; i++) {
            const struct instruction *in = &stage->instructions[i];
            if (in->type != types[t])
                continue;
            if (last)
                warn(l, "MultipleInstructionsDisallowed", last->where,
                     arena_printf(l->df->arena,
                                  "Multiple %s instructions should not be used in the same stage "
                                  "because only the last one will be used",
                                  instruction_type_name(in->type)));
            last = in;
        }
    }
}

/* Whether one of the words that make up `key` ("MY_API-TOKEN") is in `list`. */
static bool has_token(const char *key, const char *const *list, size_t n)
{
    for (const char *p = key; *p;) {
        size_t len = strcspn(p, "_-. ");
        for (size_t i = 0; i < n; i++)
            if (len == strlen(list[i]) && strncasecmp(p, list[i], len) == 0)
                return true;
        p += len;
        p += strspn(p, "_-. ");
    }
    return false;
}

static void check_secret(struct linting *l, const struct instruction *in, const char *key)
{
    static const char *const secret[] = {
        "apikey",   "auth",  "credential", "credentials", "key",
        "password", "pword", "passwd",     "secret",      "token"
    };
    static const char *const allowed[] = { "public", "file", "version" };
    if (!has_token(key, secret, sizeof secret / sizeof *secret) || has_token(key, allowed, 3))
        return;
    struct arena *a = l->df->arena;
    warn(l, "SecretsUsedInArgOrEnv", in->where,
         arena_printf(a, "Do not use ARG or ENV instructions for sensitive data (%s %s)",
                      instruction_type_name(in->type), quoted(a, key)));
}

static void check_pairs(struct linting *l, const struct instruction *in,
                        const struct key_values *pairs)
{
    const char *name = instruction_type_name(in->type);
    for (size_t i = 0; i < pairs->n; i++) {
        if (pairs->items[i].is_legacy)
            warn(l, "LegacyKeyValueFormat", in->where,
                 arena_printf(l->df->arena,
                              "\"%s key=value\" should be used instead of legacy \"%s key value\" "
                              "format",
                              name, name));
        if (in->type == INSTRUCTION_ENV)
            check_secret(l, in, pairs->items[i].key);
    }
}

static void check_instruction(struct linting *l, const struct instruction *in)
{
    if (in->type == INSTRUCTION_MAINTAINER)
        warn(l, "MaintainerDeprecated", in->where,
             "Maintainer instruction is deprecated in favor of using label");
    if (in->type == INSTRUCTION_ENV)
        check_pairs(l, in, &in->env);
    if (in->type == INSTRUCTION_LABEL)
        check_pairs(l, in, &in->labels);
    for (size_t i = 0; in->type == INSTRUCTION_ARG && i < in->args.n; i++)
        check_secret(l, in, in->args.items[i].name);
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
        check_stage(&l, i);
        check_repeated(&l, &df->stages[i]);
        for (size_t k = 0; k < df->stages[i].n_instructions; k++)
            check_instruction(&l, &df->stages[i].instructions[k]);
    }
    if (out->n)
        qsort(out->items, out->n, sizeof *out->items, by_line);
}
