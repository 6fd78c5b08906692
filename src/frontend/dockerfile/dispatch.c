/* frontend/dockerfile/dispatch.c - one instruction: the table of all, and what each needs:
 * expansion, names of steps, history.
 *
 * Threads: a converter belongs to one thread. */
#include <string.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/convert_internal.h"

static const dispatch_fn dispatchers[] = {
    [INSTRUCTION_ADD] = dispatch_copy,
    [INSTRUCTION_ARG] = dispatch_arg,
    [INSTRUCTION_CMD] = dispatch_cmd,
    [INSTRUCTION_COPY] = dispatch_copy,
    [INSTRUCTION_ENTRYPOINT] = dispatch_entrypoint,
    [INSTRUCTION_ENV] = dispatch_env,
    [INSTRUCTION_EXPOSE] = dispatch_expose,
    [INSTRUCTION_HEALTHCHECK] = dispatch_healthcheck,
    [INSTRUCTION_LABEL] = dispatch_label,
    [INSTRUCTION_MAINTAINER] = dispatch_maintainer,
    [INSTRUCTION_ONBUILD] = dispatch_onbuild,
    [INSTRUCTION_RUN] = dispatch_run,
    [INSTRUCTION_SHELL] = dispatch_shell,
    [INSTRUCTION_STOPSIGNAL] = dispatch_stop_signal,
    [INSTRUCTION_USER] = dispatch_user,
    [INSTRUCTION_VOLUME] = dispatch_volume,
    [INSTRUCTION_WORKDIR] = dispatch_workdir,
};

int dispatch_step(struct converter *c, struct build_stage *s, const struct step *step,
                  struct err *err)
{
    struct dispatch d = { c, s, step, step->in, c->arena };
    if (dispatchers[step->in->type](&d, err) == 0)
        return 0;
    const char *text = step->in->text;
    return blame(c, step->where,
                 step->is_trigger ? arena_printf(c->arena, "ONBUILD %s", text) : text, err);
}

int expand(struct dispatch *d, const char *word, const char **out, struct err *err)
{
    const struct shell_lex lex = {
        .find = env_find,
        .env = &d->stage->state.env,
        .escape = d->c->df->directives.escape,
    };
    struct shell_result r;
    if (shell_lex_word(&lex, word, d->arena, &r, err) || spend(d->c, strlen(r.text), err))
        return -1;
    check_unset(d, &r);
    *out = r.text;
    return 0;
}

int expand_all(struct dispatch *d, const struct strings *words, struct strings *out,
               struct err *err)
{
    const char **items = arena_alloc(d->arena, (words->n + 1) * sizeof *items);
    for (size_t i = 0; i < words->n; i++)
        if (expand(d, words->items[i], &items[i], err))
            return -1;
    *out = (struct strings){ .items = items, .n = words->n };
    return 0;
}

/* The platform that the stage's TARGET* arguments tell; false when it declares none. */
static bool target_of_env(const struct env *env, const struct platform *base, struct platform *out)
{
    struct err ignored = { 0 };
    const char *whole = env_find(env, "TARGETPLATFORM");
    if (whole && platform_parse(span_of(whole), out, &ignored) == 0)
        return true;
    const char *os = env_find(env, "TARGETOS"), *arch = env_find(env, "TARGETARCH"),
               *variant = env_find(env, "TARGETVARIANT");
    *out = (struct platform){ .is_set = true };
    snprintf(out->os, sizeof out->os, "%s", os && os[0] ? os : base->os);
    snprintf(out->architecture, sizeof out->architecture, "%s",
             arch && arch[0] ? arch : base->architecture);
    snprintf(out->variant, sizeof out->variant, "%s", variant ? variant : "");
    platform_normalize(out);
    return os || arch || variant;
}

/* "linux/amd64->arm64 ": the platform of the step and, where it differs, that of its product. */
static const char *platform_prefix(struct converter *c, const struct build_stage *s,
                                   const struct platform *p, bool has_env)
{
    struct platform target;
    const char *own = platform_text(p).s, *arrow = "";
    own = arena_strdup(c->arena, own);
    if (has_env && target_of_env(&s->state.env, p, &target)) {
        bool is_same_os = strcmp(target.os, p->os) == 0;
        if (!is_same_os)
            arrow = arena_printf(c->arena, "->%s", platform_text(&target).s);
        else if (strcmp(target.architecture, p->architecture) != 0)
            arrow = arena_printf(c->arena, "->%s%s%s", target.architecture,
                                 target.variant[0] ? "/" : "", target.variant);
    }
    return arena_printf(c->arena, "%s%s ", own, arrow);
}

const char *step_prefix(struct converter *c, struct build_stage *s, const struct platform *p,
                        bool is_trigger, bool has_env)
{
    if (!s->n_steps_named)
        return "";
    int width = 1;
    for (size_t n = s->n_steps_named; n >= 10; n /= 10)
        width++;
    const char *platform = c->o->is_multi_platform ? platform_prefix(c, s, p, has_env) : "";
    return arena_printf(c->arena, "[%s%s%s%*zu/%zu] %s", platform, s->label, s->label[0] ? " " : "",
                        width, ++s->state.step_index, s->n_steps_named,
                        is_trigger ? "ONBUILD " : "");
}

int step_text(struct dispatch *d, const char *text, bool is_run, const char **out, struct err *err)
{
    struct err ignored = { 0 };
    const struct shell_lex lex = {
        .find = env_find,
        .env = &d->stage->state.env,
        .escape = d->c->df->directives.escape,
        .keeps_quotes = is_run,
        .keeps_unset = is_run,
    };
    struct shell_result r;
    if (shell_lex_word(&lex, text, d->arena, &r, &ignored) == 0)
        text = r.text;
    size_t len = strcspn(text, " ");
    *out = arena_printf(d->arena, "%s%s", upper_case(d->arena, arena_strndup(d->arena, text, len)),
                        text + len);
    return spend(d->c, strlen(text), err);
}

struct vertex_about step_about(struct dispatch *d, const char *name, struct source_range *range)
{
    *range = (struct source_range){
        .file = d->c->file,
        .start_line = d->step->where.first,
        .end_line = d->step->where.last,
    };
    return (struct vertex_about){
        .platform = &d->stage->state.platform,
        .name = name,
        .ignores_cache = d->stage->ignores_cache,
        .ranges = range,
        .n_ranges = 1,
    };
}

int history_add(struct dispatch *d, const char *text, bool has_layer, struct err *err)
{
    *vec_push(&d->stage->state.config.history) = (struct history){
        .created = xstrdup_or_null(d->c->created),
        .created_by = xstrdup(text),
        .comment = xstrdup(HISTORY_COMMENT),
        .is_empty_layer = !has_layer,
    };
    return spend(d->c, strlen(text), err);
}

const char *joined(const struct strings *l, struct arena *a)
{
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, SIZE_MAX);
    for (size_t i = 0; i < l->n; i++)
        buf_printf(&out, "%s%s", i ? " " : "", l->items[i]);
    return arena_strndup(a, out.data ? out.data : "", out.len);
}
