/* frontend/dockerfile/globals.c - what is known before the first stage: platforms, arguments, the
 * proxy, the main context.
 *
 * Spec: dockerfile reference "ARG", "Automatic platform ARGs".
 * Threads: a converter belongs to one thread. */
#include <string.h>

#include "frontend/dockerfile/convert_internal.h"

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

/* What the default says, in `env`; NULL when there is none. */
static int default_of(struct converter *c, const struct arg *arg, const struct env *env,
                      struct shell_result *out, struct err *err)
{
    const struct shell_lex lex = { .find = env_find,
                                   .env = env,
                                   .escape = c->df->directives.escape };
    *out = (struct shell_result){ 0 };
    return arg->has_default ? shell_lex_word(&lex, arg->default_value, c->arena, out, err) : 0;
}

static int set_global_arg(struct converter *c, const struct instruction *in, const struct arg *arg,
                          struct err *err)
{
    struct shell_result r = { .text = build_arg(c, arg->name) };
    if (!r.text && default_of(c, arg, &c->globals, &r, err))
        return blame(c, in->where, in->text, err);
    if (r.text)
        env_set(&c->globals, arg->name, r.text);
    *vec_push(&c->global_args) = (struct global_arg){ arg, in->where, r.text, r.used };
    return 0;
}

/* The same without build arguments; a default that cannot be expanded is told elsewhere. */
static void set_default_global(struct converter *c, const struct arg *arg)
{
    struct shell_result r;
    struct err ignored = { 0 };
    if (default_of(c, arg, &c->default_globals, &r, &ignored) == 0 && r.text)
        env_set(&c->default_globals, arg->name, r.text);
}

static int set_globals(struct converter *c, struct err *err)
{
    set_automatic_args(c);
    env_copy(&c->default_globals, &c->globals);
    for (size_t i = 0; i < c->df->n_global_args; i++) {
        const struct instruction *in = &c->df->global_args[i];
        for (size_t k = 0; k < in->args.n; k++) {
            set_default_global(c, &in->args.items[k]);
            if (set_global_arg(c, in, &in->args.items[k], err))
                return -1;
        }
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

int globals_set(struct converter *c, struct err *err)
{
    set_platforms(c);
    context_main_set(c);
    set_proxy(c);
    return set_globals(c, err);
}
