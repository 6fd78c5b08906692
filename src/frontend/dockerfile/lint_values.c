/* frontend/dockerfile/lint_values.c - the build checks of stages and values: they need the
 * environment of the moment, or are made only of stages that are converted.
 *
 * Spec: docs.docker.com/reference/build-checks.  Threads: a converter belongs to one thread. */
#include <string.h>
#include <strings.h>

#include "frontend/dockerfile/convert_internal.h"

/* " (did you mean $X?)", or "" when no option is near. */
static const char *suggestion(struct converter *c, const char *word, const char *sign,
                              const struct strings *options)
{
    const char *near = nearest_word(word, options->items, options->n, c->arena);
    return near ? arena_printf(c->arena, " (did you mean %s%s?)", sign, near) : "";
}

/* --- FROM --- */

static bool is_global_arg(const struct converter *c, const char *name)
{
    vec_each (&c->global_args, g)
        if (strcmp(g->arg->name, name) == 0)
            return true;
    return false;
}

void check_from(struct converter *c, const struct stage *st, const struct shell_result *r)
{
    size_t max = c->global_args.n + c->globals.n, n = 0;
    const char **names = arena_alloc(c->arena, (max + 1) * sizeof *names);
    vec_each (&c->global_args, g)
        names[n++] = g->arg->name;
    vec_each (&c->globals, v)
        names[n++] = v->key;
    const struct strings known = { names, n };
    for (size_t i = 0; i < r->unset.n; i++) {
        const char *name = r->unset.items[i];
        if (!is_global_arg(c, name))
            warn_at(c, RULE_UNDEFINED_ARG_IN_FROM, st->where,
                    arena_printf(c->arena, "FROM argument '%s' is not declared%s", name,
                                 suggestion(c, name, "", &known)));
    }
}

void check_from_platform(struct converter *c, const struct stage *st, const struct shell_result *r)
{
    struct platform p;
    struct err ignored = { 0 };
    const char *target = env_find(&c->globals, "TARGETPLATFORM");
    check_from(c, st, r);
    if (r->used.n == 1 && !r->unset.n && strcmp(r->used.items[0], "TARGETPLATFORM") == 0 &&
        target && strcmp(r->text, target) == 0)
        warn_at(c, RULE_REDUNDANT_TARGET_PLATFORM, st->where,
                arena_printf(c->arena,
                             "Setting platform to predefined %s in FROM is redundant as this is "
                             "the default behavior",
                             st->platform));
    if (r->used.n || platform_parse(span_of(r->text), &p, &ignored))
        return;
    /* A stage that is named after its platform means it. */
    if (!strstr(st->name, p.os) && !strstr(st->name, p.architecture))
        warn_at(c, RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED, st->where,
                arena_printf(c->arena, "FROM --platform flag should not use constant value %s",
                             quoted(c->arena, r->text)));
}

void check_from_default(struct converter *c, const struct stage *st)
{
    const struct shell_lex lex = { .find = env_find,
                                   .env = &c->default_globals,
                                   .escape = c->df->directives.escape };
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    struct shell_result r;
    struct err ignored = { 0 };
    if (shell_lex_word(&lex, st->base, c->arena, &r, &ignored) ||
        reference_parse(span_of(r.text), &ref, &ignored) == 0)
        return;
    warn_at(c, RULE_INVALID_DEFAULT_ARG_IN_FROM, st->where,
            arena_printf(c->arena,
                         "Default value for ARG %s results in empty or invalid base image name",
                         st->base));
}

void check_base_platform(struct converter *c, const struct build_stage *s, const char *image,
                         const struct platform *have)
{
    const struct platform *want = s->platform.is_set ? &s->platform : &c->target_platform;
    if (!have->is_set || !s->parsed ||
        (strcmp(have->os, want->os) == 0 && strcmp(have->architecture, want->architecture) == 0))
        return;
    warn_at(c, RULE_INVALID_BASE_IMAGE_PLATFORM, s->where,
            arena_printf(c->arena,
                         "Base image %s was pulled with platform \"%s\", expected \"%s\" for "
                         "current build",
                         image, platform_text(have).s, platform_text(want).s));
}

/* --- values --- */

/* Whether an ARG of the stage declares it, with or without a value. */
static bool is_declared(const struct build_stage *s, const char *name)
{
    vec_each (&s->state.args, arg)
        if (strcmp(arg->name, name) == 0)
            return true;
    return false;
}

void check_unset(struct dispatch *d, const struct shell_result *r)
{
    const struct env *env = &d->stage->state.env;
    if (!r->unset.n || d->stage->state.is_guess)
        return;
    const char **names = arena_alloc(d->arena, (env->n + 1) * sizeof *names);
    for (size_t i = 0; i < env->n; i++)
        names[i] = env->items[i].key;
    const struct strings known = { names, env->n };
    for (size_t i = 0; i < r->unset.n; i++) {
        const char *name = r->unset.items[i];
        if (!is_declared(d->stage, name))
            warn_at(d->c, RULE_UNDEFINED_VAR, d->step->where,
                    arena_printf(d->arena, "Usage of undefined variable '$%s'%s", name,
                                 suggestion(d->c, name, "$", &known)));
    }
}

/* Whether one of the words that '_' parts `name` into is in `list`. */
static bool has_token(const char *name, const char *const *list, size_t n)
{
    for (const char *p = name;; p++) {
        size_t len = strcspn(p, "_");
        for (size_t i = 0; i < n; i++)
            if (len == strlen(list[i]) && strncasecmp(p, list[i], len) == 0)
                return true;
        p += len;
        if (!*p)
            return false;
    }
}

void check_secret(struct dispatch *d, const char *name)
{
    static const char *const secret[] = {
        "apikey",   "auth",  "credential", "credentials", "key",
        "password", "pword", "passwd",     "secret",      "token"
    };
    static const char *const allowed[] = { "public", "file", "version" };
    if (!has_token(name, secret, sizeof secret / sizeof *secret) || has_token(name, allowed, 3))
        return;
    warn_at(d->c, RULE_SECRETS_USED_IN_ARG_OR_ENV, d->step->where,
            arena_printf(d->arena, "Do not use ARG or ENV instructions for sensitive data (%s %s)",
                         instruction_type_name(d->in->type), quoted(d->arena, name)));
}

/* All but the last of a stage are for nothing: the one before is told of. */
void check_once(struct dispatch *d, struct source_lines *last)
{
    if (last->first)
        warn_at(d->c, RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED, *last,
                arena_printf(d->arena,
                             "Multiple %s instructions should not be used in the same stage "
                             "because only the last one will be used",
                             d->in->name));
    *last = d->step->where;
}

void check_shell_form(struct dispatch *d)
{
    if (d->stage->state.config.shell.n)
        return;
    warn_at(d->c, RULE_JSON_ARGS_RECOMMENDED, d->step->where,
            arena_printf(d->arena,
                         "JSON arguments recommended for %s to prevent unintended behavior related "
                         "to OS signals",
                         d->in->name));
}

void check_workdir(struct dispatch *d, const char *path)
{
    struct stage_state *st = &d->stage->state;
    if (!st->has_workdir && path[0] != '/')
        warn_at(d->c, RULE_WORKDIR_RELATIVE_PATH, d->step->where,
                arena_printf(d->arena,
                             "Relative workdir %s can have unexpected results if the base image "
                             "changes",
                             quoted(d->arena, path)));
    st->has_workdir = true;
}

void check_port(struct dispatch *d, const char *text, bool is_lower, bool has_address)
{
    if (!is_lower)
        warn_at(d->c, RULE_EXPOSE_PROTO_CASING, d->step->where,
                arena_printf(d->arena,
                             "Defined protocol '%s' in EXPOSE instruction should be lowercase",
                             text));
    if (has_address)
        warn_at(d->c, RULE_EXPOSE_INVALID_FORMAT, d->step->where,
                arena_printf(d->arena,
                             "EXPOSE instruction should not define an IP address or host-port "
                             "mapping, found '%s'",
                             text));
}

void check_ignored(struct dispatch *d, const char *path)
{
    const struct context *x = &d->c->main;
    if (strcmp(path, "/") == 0 || pattern_has_wildcard(path) ||
        !pattern_list_excludes(x->ignore, path + 1, NULL))
        return;
    /* What is inside of an ignored folder may have been taken in again. */
    for (size_t i = 0; i < x->rules.n; i++)
        if (x->rules.lines[i].text[0] == '!')
            return;
    bool is_add = d->in->type == INSTRUCTION_ADD;
    warn_at(d->c, RULE_COPY_IGNORED_FILE, d->step->where,
            arena_printf(d->arena, "Attempting to %s file %s that is excluded by .dockerignore",
                         is_add ? "Add" : "Copy", quoted(d->arena, path + 1)));
}
