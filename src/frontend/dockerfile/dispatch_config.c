/* frontend/dockerfile/dispatch_config.c - the instructions that change the image config.
 *
 * Threads: a converter belongs to one thread. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/capture.h"
#include "frontend/dockerfile/convert_internal.h"

static struct image_config *config_of(struct dispatch *d)
{
    return &d->stage->state.config;
}

static void list_replace(struct str_list *l, const struct strings *items)
{
    str_list_clear(l);
    for (size_t i = 0; i < items->n; i++)
        str_list_push(l, items->items[i]);
}

static void list_add_once(struct str_list *l, const char *item)
{
    if (!str_list_has(l, item))
        str_list_push(l, item);
}

/* ["a" "b"], as Go prints a list with %q. */
static const char *quoted_list(const struct strings *l, struct arena *a)
{
    const char **items = arena_alloc(a, (l->n + 1) * sizeof *items);
    for (size_t i = 0; i < l->n; i++)
        items[i] = quoted(a, l->items[i]);
    return arena_printf(a, "[%s]", joined(&(struct strings){ items, l->n }, a));
}

/* --- names and values --- */

/* Expands all pairs first: each sees the values from before the instruction. */
static int expand_pairs(struct dispatch *d, const struct key_values *l, struct pair *out,
                        struct err *err)
{
    for (size_t i = 0; i < l->n; i++) {
        if (expand(d, l->items[i].key, &out[i].key, err) ||
            expand(d, l->items[i].value, &out[i].value, err))
            return -1;
        if (!out[i].key[0])
            return err_set(err, ERR_INVALID, "%s names can not be blank",
                           instruction_type_name(d->in->type));
    }
    return 0;
}

static const char *pairs_text(const char *name, const struct pair *pairs, size_t n, struct arena *a)
{
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, SIZE_MAX);
    buf_puts(&out, name);
    for (size_t i = 0; i < n; i++)
        buf_printf(&out, " %s=%s", pairs[i].key, pairs[i].value);
    return arena_strndup(a, out.data, out.len);
}

/* Far beyond what a kernel passes to a process. */
static int check_count(const struct stage_state *st, struct err *err)
{
    enum { MAX_VARIABLES = 10000 };
    if (st->env.n <= MAX_VARIABLES && st->args.n <= MAX_VARIABLES)
        return 0;
    return err_set(err, ERR_LIMIT, "the stage has more than %d variables", MAX_VARIABLES);
}

int dispatch_env(struct dispatch *d, struct err *err)
{
    size_t n = d->in->env.n;
    struct pair *pairs = arena_alloc(d->arena, (n + 1) * sizeof *pairs);
    if (expand_pairs(d, &d->in->env, pairs, err))
        return -1;
    for (size_t i = 0; i < n; i++) {
        check_secret(d, pairs[i].key);
        env_set(&d->stage->state.env, pairs[i].key, pairs[i].value);
        image_config_set_env(config_of(d), pairs[i].key, pairs[i].value);
        if (check_count(&d->stage->state, err))
            return -1;
    }
    return history_add(d, pairs_text("ENV", pairs, n, d->arena), false, err);
}

int dispatch_label(struct dispatch *d, struct err *err)
{
    size_t n = d->in->labels.n;
    struct pair *pairs = arena_alloc(d->arena, (n + 1) * sizeof *pairs);
    if (expand_pairs(d, &d->in->labels, pairs, err))
        return -1;
    for (size_t i = 0; i < n; i++)
        map_set_str(&config_of(d)->labels, pairs[i].key, pairs[i].value);
    return history_add(d, pairs_text("LABEL", pairs, n, d->arena), false, err);
}

/* --build-arg, then the default, then the global argument. */
static int arg_value(struct dispatch *d, const struct arg *arg, const char **value, struct err *err)
{
    *value = build_arg(d->c, arg->name);
    if (*value)
        return 0;
    if (arg->has_default)
        return expand(d, arg->default_value, value, err);
    *value = env_find(&d->c->globals, arg->name);
    return 0;
}

int dispatch_arg(struct dispatch *d, struct err *err)
{
    struct stage_state *st = &d->stage->state;
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_puts(&text, "ARG");
    for (size_t i = 0; i < d->in->args.n; i++) {
        const struct arg *arg = &d->in->args.items[i];
        const char *value;
        check_secret(d, arg->name);
        if (arg_value(d, arg, &value, err))
            return -1;
        capture_arg(d, arg, value);
        bool is_for_scan = scan_arg(d, arg->name, value);
        if (value && !is_for_scan)
            env_set(&st->env, arg->name, value);
        *vec_push(&st->args) = (struct arg_value){ arg->name, value };
        buf_printf(&text, " %s%s%s", arg->name, value ? "=" : "", value ? value : "");
        if (check_count(st, err) || (value && spend(d->c, strlen(value), err)))
            return -1;
    }
    return history_add(d, text.data, false, err);
}

/* --- what runs --- */

struct strings with_shell(const struct build_stage *s, const struct strings *args, struct arena *a)
{
    static const char *const unix_shell[] = { "/bin/sh", "-c" };
    static const char *const windows_shell[] = { "cmd", "/S", "/C" };
    const struct str_list *own = &s->state.config.shell;
    bool is_windows = strcmp(s->state.config.platform.os, "windows") == 0;
    struct strings shell = own->n       ? strings_of(own)
                           : is_windows ? (struct strings){ windows_shell, 3 }
                                        : (struct strings){ unix_shell, 2 };
    const char **items = arena_alloc(a, (shell.n + 1) * sizeof *items);
    for (size_t i = 0; i < shell.n; i++)
        items[i] = arena_strdup(a, shell.items[i]);
    items[shell.n] = joined(args, a);
    return (struct strings){ items, shell.n + 1 };
}

static struct strings command_args(struct dispatch *d)
{
    const struct command_line *line = &d->in->command;
    if (!line->is_shell)
        return line->args;
    check_shell_form(d);
    return with_shell(d->stage, &line->args, d->arena);
}

int dispatch_cmd(struct dispatch *d, struct err *err)
{
    struct image_config *config = config_of(d);
    check_once(d, &d->stage->state.last_cmd);
    struct strings args = command_args(d);
    list_replace(&config->cmd, &args);
    config->has_cmd = args.n > 0;
    config->args_escaped = true;
    d->stage->state.has_cmd = true;
    return history_add(d, arena_printf(d->arena, "CMD %s", quoted_list(&args, d->arena)), false,
                       err);
}

int dispatch_entrypoint(struct dispatch *d, struct err *err)
{
    struct image_config *config = config_of(d);
    check_once(d, &d->stage->state.last_entrypoint);
    struct strings args = command_args(d);
    list_replace(&config->entrypoint, &args);
    config->has_entrypoint = args.n > 0;
    if (!d->stage->state.has_cmd) {
        str_list_clear(&config->cmd);
        config->has_cmd = false;
    }
    return history_add(d, arena_printf(d->arena, "ENTRYPOINT %s", quoted_list(&args, d->arena)),
                       false, err);
}

int dispatch_shell(struct dispatch *d, struct err *err)
{
    list_replace(&config_of(d)->shell, &d->in->shell);
    return history_add(d, arena_printf(d->arena, "SHELL [%s]", joined(&d->in->shell, d->arena)),
                       false, err);
}

int dispatch_onbuild(struct dispatch *d, struct err *err)
{
    (void)err;
    str_list_push(&config_of(d)->on_build, d->in->onbuild.trigger);
    return 0;
}

int dispatch_maintainer(struct dispatch *d, struct err *err)
{
    struct image_config *config = config_of(d);
    free(config->author);
    config->author = xstrdup(d->in->maintainer);
    return history_add(d, arena_printf(d->arena, "MAINTAINER %s", d->in->maintainer), false, err);
}

int dispatch_user(struct dispatch *d, struct err *err)
{
    struct image_config *config = config_of(d);
    const char *user;
    if (expand(d, d->in->user, &user, err))
        return -1;
    free(config->user);
    config->user = xstrdup(user);
    d->stage->state.user = user;
    return history_add(d, arena_printf(d->arena, "USER %s", user), false, err);
}

int dispatch_volume(struct dispatch *d, struct err *err)
{
    struct strings volumes;
    if (expand_all(d, &d->in->volumes, &volumes, err))
        return -1;
    for (size_t i = 0; i < volumes.n; i++) {
        if (!volumes.items[i][0])
            return err_set(err, ERR_INVALID, "VOLUME specified can not be an empty string");
        list_add_once(&config_of(d)->volumes, volumes.items[i]);
    }
    return history_add(d, arena_printf(d->arena, "VOLUME [%s]", joined(&volumes, d->arena)), false,
                       err);
}

/* Linux's names, with and without SIG; RTMIN+1 and its like too. */
static bool is_signal(const char *text)
{
    static const char *const names[] = {
        "ABRT",   "ALRM",  "BUS",  "CHLD", "CLD",   "CONT",  "FPE",  "HUP",  "ILL",  "INT",
        "IO",     "IOT",   "KILL", "PIPE", "POLL",  "PROF",  "PWR",  "QUIT", "SEGV", "STKFLT",
        "STOP",   "SYS",   "TERM", "TRAP", "TSTP",  "TTIN",  "TTOU", "URG",  "USR1", "USR2",
        "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX", "EMT",
    };
    uint64_t number;
    if (unsigned_parse(text, 10, 64, &number))
        return number > 0;
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    bool is_min = strncasecmp(name, "RTMIN+", 6) == 0, is_max = strncasecmp(name, "RTMAX-", 6) == 0;
    return (is_min && unsigned_parse(name + 6, 10, 15, &number)) ||
           (is_max && unsigned_parse(name + 6, 10, 14, &number));
}

int dispatch_stop_signal(struct dispatch *d, struct err *err)
{
    struct image_config *config = config_of(d);
    const char *name;
    if (expand(d, d->in->stop_signal, &name, err))
        return -1;
    if (!is_signal(name)) {
        err_set(err, ERR_INVALID, "invalid signal: %s", name);
        return err_hint(err, "a name such as SIGTERM or a number from 1 to 64");
    }
    free(config->stop_signal);
    config->stop_signal = xstrdup(name);
    return history_add(d, arena_printf(d->arena, "STOPSIGNAL %s", name), false, err);
}

/* --- HEALTHCHECK --- */

/* A duration as Go prints it: "1h2m3.5s", "300ms", "0s". */
static const char *duration_text(int64_t ns, struct arena *a)
{
    static const struct {
        int64_t below, unit;
        const char *name;
    } small[] = { { 1000, 1, "ns" }, { 1000000, 1000, "\u00b5s" }, { 1000000000, 1000000, "ms" } };
    int64_t unit = 1000000000;
    const char *name = "s", *front = "";
    if (ns == 0)
        return "0s";
    for (int i = 2; i >= 0 && ns < small[i].below; i--) {
        unit = small[i].unit;
        name = small[i].name;
    }
    int64_t whole = ns / unit, rest = ns % unit;
    if (unit == 1000000000 && whole >= 3600)
        front =
            arena_printf(a, "%lldh%lldm", (long long)(whole / 3600), (long long)(whole / 60 % 60));
    else if (unit == 1000000000 && whole >= 60)
        front = arena_printf(a, "%lldm", (long long)(whole / 60));
    if (unit == 1000000000)
        whole %= 60;
    char fraction[16] = "";
    if (rest) {
        int width = unit == 1000 ? 3 : unit == 1000000 ? 6 : 9;
        int len = snprintf(fraction, sizeof fraction, ".%0*lld", width, (long long)rest);
        while (fraction[len - 1] == '0')
            fraction[--len] = '\0';
    }
    return arena_printf(a, "%s%lld%s%s", front, (long long)whole, fraction, name);
}

/* A number as Go prints it with %q: the character that it stands for.  BuildKit's history has the
 * retries like that. */
static const char *rune_text(int n, struct arena *a)
{
    static const char escapes[] = "\a\b\t\n\v\f\r", letters[] = "abtnvfr";
    const char *escape = n > 0 && n < 0x20 ? strchr(escapes, n) : NULL;
    if (escape)
        return arena_printf(a, "'\\%c'", letters[escape - escapes]);
    if (n < 0x20 || n == 0x7f)
        return arena_printf(a, "'\\x%02x'", (unsigned)n);
    if (n < 0x7f)
        return arena_printf(a, n == '\'' || n == '\\' ? "'\\%c'" : "'%c'", n);
    if (n > 0xa0 && n <= 0xff && n != 0xad)
        return arena_printf(a, "'%c%c'", 0xc0 | n >> 6, 0x80 | (n & 0x3f));
    return arena_printf(a, n < 0x10000 ? "'\\u%04x'" : "'\\U%08x'", (unsigned)n);
}

int dispatch_healthcheck(struct dispatch *d, struct err *err)
{
    const struct health_probe *in = &d->in->healthcheck;
    struct image_config *config = config_of(d);
    struct arena *a = d->arena;
    check_once(d, &d->stage->state.last_healthcheck);
    if (!config->healthcheck)
        config->healthcheck = xcalloc(1, sizeof *config->healthcheck);
    struct healthcheck *h = config->healthcheck;
    list_replace(&h->test, &in->test);
    h->interval_ns = in->interval_ns;
    h->timeout_ns = in->timeout_ns;
    h->start_period_ns = in->start_period_ns;
    h->start_interval_ns = in->start_interval_ns;
    h->retries = in->retries;
    return history_add(
        d,
        arena_printf(a, "HEALTHCHECK &{%s \"%s\" \"%s\" \"%s\" \"%s\" %s}",
                     quoted_list(&in->test, a), duration_text(in->interval_ns, a),
                     duration_text(in->timeout_ns, a), duration_text(in->start_period_ns, a),
                     duration_text(in->start_interval_ns, a), rune_text(in->retries, a)),
        false, err);
}
