/* tests/unit/frontend/dockerfile/dump.h - a parsed dockerfile as text, every field that is set, so
 * that a test compares the whole. */
#pragma once
#include <ctype.h>

#include "base/core/buf.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/instruction.h"
#include "tap.h"

/* "text" with line feeds and quotes escaped. */
static void dump_text(struct buf *b, const char *text)
{
    buf_putc(b, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '\n')
            buf_puts(b, "\\n");
        else if (*p == '\t')
            buf_puts(b, "\\t");
        else if (*p == '\r')
            buf_puts(b, "\\r");
        else if (*p == '"' || *p == '\\')
            buf_printf(b, "\\%c", *p);
        else
            buf_putc(b, *p);
    }
    buf_putc(b, '"');
}

static void dump_field(struct buf *b, const char *name, const char *text)
{
    if (!text[0])
        return;
    buf_printf(b, " %s=", name);
    dump_text(b, text);
}

static void dump_list(struct buf *b, const char *name, const struct strings *l)
{
    if (!l->n)
        return;
    buf_printf(b, " %s=[", name);
    for (size_t i = 0; i < l->n; i++) {
        if (i)
            buf_puts(b, ", ");
        dump_text(b, l->items[i]);
    }
    buf_putc(b, ']');
}

static void dump_number(struct buf *b, const char *name, int64_t n)
{
    if (n)
        buf_printf(b, " %s=%" PRId64, name, n);
}

static void dump_flag(struct buf *b, const char *name, bool is_set)
{
    if (is_set)
        buf_printf(b, " %s", name);
}

static void dump_heredocs(struct buf *b, const struct heredocs *docs)
{
    for (size_t i = 0; i < docs->n; i++) {
        const struct heredoc *d = &docs->items[i];
        buf_printf(b, "\n      heredoc %s", d->name);
        dump_number(b, "fd", d->fd);
        dump_flag(b, "expands", d->expands);
        dump_flag(b, "strips-tabs", d->strips_tabs);
        dump_field(b, "word", d->word);
        buf_puts(b, " content=");
        dump_text(b, d->content);
        if (strcmp(d->raw, d->content) != 0)
            dump_field(b, "raw", d->raw);
    }
}

static void dump_command(struct buf *b, const struct command_line *c)
{
    dump_flag(b, "shell-form", c->is_shell);
    dump_list(b, "args", &c->args);
}

static void dump_copy(struct buf *b, const struct copy *c)
{
    static const char *const tristates[] = { "", "false", "true" };
    dump_list(b, "sources", &c->sources);
    for (size_t i = 0; i < c->heredocs.n; i++)
        dump_field(b, "file", c->heredocs.items[i].name);
    dump_field(b, "dest", c->dest);
    dump_field(b, "from", c->from);
    dump_field(b, "chown", c->chown);
    dump_field(b, "chmod", c->chmod);
    dump_list(b, "excludes", &c->excludes);
    dump_flag(b, "link", c->is_link);
    dump_flag(b, "parents", c->keeps_parents);
    dump_field(b, "checksum", c->checksum);
    dump_field(b, "keep-git-dir", tristates[c->keep_git_dir]);
    dump_field(b, "unpack", tristates[c->unpack]);
}

static void dump_run(struct buf *b, const struct run *r)
{
    static const char *const networks[] = { "", "host", "none" };
    dump_command(b, &r->command);
    dump_flag(b, "script", r->is_script);
    dump_list(b, "mounts", &r->mounts);
    dump_field(b, "network", networks[r->network]);
    dump_flag(b, "insecure", r->security == SECURITY_INSECURE);
    for (size_t i = 0; i < r->n_devices; i++) {
        dump_field(b, "device", r->devices[i].name);
        dump_flag(b, "required", r->devices[i].is_required);
    }
}

static void dump_pairs(struct buf *b, const struct key_values *pairs)
{
    for (size_t i = 0; i < pairs->n; i++) {
        buf_puts(b, "\n      ");
        dump_text(b, pairs->items[i].key);
        buf_puts(b, pairs->items[i].is_legacy ? " " : "=");
        dump_text(b, pairs->items[i].value);
    }
}

static void dump_args(struct buf *b, const struct args *args)
{
    for (size_t i = 0; i < args->n; i++) {
        const struct arg *arg = &args->items[i];
        buf_printf(b, "\n      %s", arg->name);
        if (arg->has_default)
            buf_puts(b, "=");
        if (arg->has_default)
            dump_text(b, arg->default_value);
        dump_field(b, "description", arg->description);
    }
}

static void dump_health(struct buf *b, const struct health_probe *h)
{
    dump_list(b, "test", &h->test);
    dump_number(b, "interval", h->interval_ns);
    dump_number(b, "timeout", h->timeout_ns);
    dump_number(b, "start-period", h->start_period_ns);
    dump_number(b, "start-interval", h->start_interval_ns);
    dump_number(b, "retries", h->retries);
}

static void dump_instruction(struct buf *b, const struct instruction *in);

static void dump_body(struct buf *b, const struct instruction *in)
{
    switch (in->type) {
    case INSTRUCTION_ADD:
    case INSTRUCTION_COPY:
        dump_copy(b, &in->copy);
        break;
    case INSTRUCTION_ARG:
        dump_args(b, &in->args);
        break;
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
        dump_command(b, &in->command);
        break;
    case INSTRUCTION_ENV:
        dump_pairs(b, &in->env);
        break;
    case INSTRUCTION_LABEL:
        dump_pairs(b, &in->labels);
        break;
    case INSTRUCTION_EXPOSE:
        dump_list(b, "ports", &in->ports);
        break;
    case INSTRUCTION_HEALTHCHECK:
        dump_health(b, &in->healthcheck);
        break;
    case INSTRUCTION_MAINTAINER:
        dump_field(b, "author", in->maintainer);
        break;
    case INSTRUCTION_ONBUILD:
        dump_field(b, "trigger", in->onbuild.trigger);
        buf_puts(b, "\n    ");
        dump_instruction(b, in->onbuild.instruction);
        break;
    case INSTRUCTION_RUN:
        dump_run(b, &in->run);
        break;
    case INSTRUCTION_SHELL:
        dump_list(b, "shell", &in->shell);
        break;
    case INSTRUCTION_STOPSIGNAL:
        dump_field(b, "signal", in->stop_signal);
        break;
    case INSTRUCTION_USER:
        dump_field(b, "user", in->user);
        break;
    case INSTRUCTION_VOLUME:
        dump_list(b, "volumes", &in->volumes);
        break;
    case INSTRUCTION_WORKDIR:
        dump_field(b, "path", in->workdir);
        break;
    case INSTRUCTION_FROM:
        break;
    }
}

static void dump_instruction(struct buf *b, const struct instruction *in)
{
    buf_printf(b, "  %d-%d %s", in->where.first, in->where.last, instruction_type_name(in->type));
    dump_flag(b, "json", in->is_json);
    dump_list(b, "flags", &in->flags);
    dump_body(b, in);
    dump_heredocs(b, &in->heredocs);
    dump_field(b, "comment", in->comment);
}

static void dump_directives(struct buf *b, const struct directives *d)
{
    if (d->n_lines)
        buf_printf(b, "directives escape=%c", d->escape);
    dump_field(b, "syntax", d->syntax);
    dump_field(b, "syntax-args", d->syntax_args);
    dump_list(b, "skip", &d->skipped_checks);
    dump_list(b, "experimental", &d->experimental_checks);
    dump_flag(b, "error", d->fails_on_warnings);
    if (d->n_lines)
        buf_putc(b, '\n');
}

/* Owned by the caller. */
__attribute__((unused)) static char *dump_dockerfile(const struct dockerfile *df)
{
    struct buf b;
    buf_init(&b, 16 * MIB);
    dump_directives(&b, &df->directives);
    for (size_t i = 0; i < df->n_global_args; i++) {
        dump_instruction(&b, &df->global_args[i]);
        buf_putc(&b, '\n');
    }
    for (size_t i = 0; i < df->n_stages; i++) {
        const struct stage *s = &df->stages[i];
        buf_printf(&b, "%d-%d FROM", s->where.first, s->where.last);
        dump_field(&b, "base", s->base);
        dump_field(&b, "name", s->name);
        dump_field(&b, "platform", s->platform);
        dump_field(&b, "description", s->description);
        buf_putc(&b, '\n');
        for (size_t k = 0; k < s->n_instructions; k++) {
            dump_instruction(&b, &s->instructions[k]);
            buf_putc(&b, '\n');
        }
    }
    for (size_t i = 0; i < df->warnings.n; i++) {
        const struct dockerfile_warning *w = &df->warnings.items[i];
        buf_printf(&b, "warning %d-%d %s: %s\n", w->where.first, w->where.last, w->rule, w->text);
    }
    return buf_take(&b);
}

/* Parses `text` as "Dockerfile"; the dump, or "error: TEXT\nhint: HINT\nlines FIRST-LAST\n" with
 * the source excerpt below it.  Owned by the caller. */
__attribute__((unused)) static char *parse_and_dump(struct span text)
{
    AUTO(dockerfile_free) struct dockerfile *df = NULL;
    struct source_lines where;
    struct err err = { 0 };
    if (dockerfile_parse(text, "Dockerfile", &df, &where, &err) == 0)
        return dump_dockerfile(df);
    EXPECT(err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
    struct buf b;
    buf_init(&b, MIB);
    buf_printf(&b, "error: %s\n", err.text);
    if (err.hint[0])
        buf_printf(&b, "hint: %s\n", err.hint);
    dockerfile_excerpt(text, "Dockerfile", where, &b);
    return buf_take(&b);
}
