/* frontend/dockerfile/instruction.c - from a raw instruction to a typed one: the table of all, FROM
 * and ONBUILD.
 *
 * Threads: values. */
#include "frontend/dockerfile/instruction.h"

#include <string.h>
#include <strings.h>

#include "frontend/dockerfile/parse_internal.h"

enum { N_INSTRUCTIONS = INSTRUCTION_WORKDIR + 1 };

/* In the order of the enum; FROM is read by stage_parse(). */
static const struct {
    const char *name;
    instruction_fn parse;
} instructions[N_INSTRUCTIONS] = {
    [INSTRUCTION_ADD] = { "ADD", parse_add },
    [INSTRUCTION_ARG] = { "ARG", parse_arg },
    [INSTRUCTION_CMD] = { "CMD", parse_command },
    [INSTRUCTION_COPY] = { "COPY", parse_copy },
    [INSTRUCTION_ENTRYPOINT] = { "ENTRYPOINT", parse_command },
    [INSTRUCTION_ENV] = { "ENV", parse_env },
    [INSTRUCTION_EXPOSE] = { "EXPOSE", parse_expose },
    [INSTRUCTION_FROM] = { "FROM", NULL },
    [INSTRUCTION_HEALTHCHECK] = { "HEALTHCHECK", parse_healthcheck },
    [INSTRUCTION_LABEL] = { "LABEL", parse_label },
    [INSTRUCTION_MAINTAINER] = { "MAINTAINER", parse_maintainer },
    [INSTRUCTION_ONBUILD] = { "ONBUILD", parse_onbuild },
    [INSTRUCTION_RUN] = { "RUN", parse_run },
    [INSTRUCTION_SHELL] = { "SHELL", parse_shell },
    [INSTRUCTION_STOPSIGNAL] = { "STOPSIGNAL", parse_stop_signal },
    [INSTRUCTION_USER] = { "USER", parse_user },
    [INSTRUCTION_VOLUME] = { "VOLUME", parse_volume },
    [INSTRUCTION_WORKDIR] = { "WORKDIR", parse_workdir },
};

const char *instruction_type_name(enum instruction_type type)
{
    return instructions[type].name;
}

bool instruction_type_find(const char *name, enum instruction_type *out)
{
    for (size_t i = 0; i < N_INSTRUCTIONS; i++) {
        if (strcasecmp(name, instructions[i].name) == 0) {
            *out = (enum instruction_type)i;
            return true;
        }
    }
    return false;
}

static int unknown_instruction(const char *name, struct err *err)
{
    const char *names[N_INSTRUCTIONS];
    for (size_t i = 0; i < N_INSTRUCTIONS; i++)
        names[i] = instructions[i].name;
    err_set(err, ERR_INVALID, "unknown instruction: %s", name);
    err_hint(err, "a line that goes on needs a backslash at the end of the line above");
    return did_you_mean(err, name, names, N_INSTRUCTIONS, true);
}

int instruction_parse(const struct parse_input *input, struct instruction *in, struct err *err)
{
    const struct raw_instruction *raw = input->raw;
    *in = (struct instruction){
        .text = raw->text,
        .name = raw->name,
        .flags = raw->flags,
        .heredocs = raw->heredocs,
        .where = raw->where,
        .comment = raw->comment,
    };
    if (!instruction_type_find(raw->name, &in->type))
        return unknown_instruction(raw->name, err);
    return instructions[in->type].parse(input, in, err);
}

const char *comment_about(const char *comment, const char *name, struct arena *a)
{
    size_t len = strlen(name);
    struct span rest = span_of(comment);
    while (len && rest.len) {
        struct span line = span_cut(&rest, '\n');
        if (line.len > len && memcmp(line.ptr, name, len) == 0 && line.ptr[len] == ' ')
            return arena_strndup(a, line.ptr + len + 1, line.len - len - 1);
    }
    return "";
}

static bool is_stage_name(const char *name)
{
    if (name[0] < 'a' || name[0] > 'z')
        return false;
    return !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")];
}

int stage_parse(const struct parse_input *input, struct stage *out, struct err *err)
{
    const struct raw_instruction *raw = input->raw;
    struct arena *a = input->arena;
    struct strings words = words_split(raw->args, a);
    bool has_name = words.n == 3 && strcasecmp(words.items[1], "as") == 0;
    if (words.n != 1 && !has_name) {
        err_set(err, ERR_INVALID, "FROM requires either one or three arguments");
        return err_hint(err, "write FROM IMAGE or FROM IMAGE AS NAME");
    }
    *out = (struct stage){
        .written_name = has_name ? words.items[2] : "",
        .base = words.items[0],
        .platform = "",
        .text = raw->text,
        .comment = raw->comment,
        .where = raw->where,
    };
    out->name = lower_case(a, out->written_name);
    out->description = comment_about(raw->comment, out->name, a);
    if (has_name && !is_stage_name(out->name))
        return err_set(
            err, ERR_INVALID,
            "invalid name for build stage: %s, name can't start with a number or contain "
            "symbols",
            quoted(a, out->written_name));
    const struct flag_spec specs[] = { { "platform", FLAG_TEXT, &out->platform } };
    return flags_parse(&raw->flags, specs, 1, a, err);
}

/* The line behind the word ONBUILD, with the heredocs below it. */
static const char *trigger_text(const struct raw_instruction *raw, struct arena *a)
{
    struct span rest = span_of(raw->line), name;
    next_word(&rest, &name);
    for (size_t n; (n = blank_len(rest.ptr, rest.ptr + rest.len));)
        rest = span_skip(rest, n);
    struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_put(&text, rest);
    for (size_t i = 0; i < raw->heredocs.n; i++)
        buf_printf(&text, "\n%s%s", raw->heredocs.items[i].raw, raw->heredocs.items[i].name);
    const char *kept = arena_strndup(a, text.data, text.len);
    buf_clear(&text);
    return kept;
}

int trigger_check(enum instruction_type type, struct err *err)
{
    if (type == INSTRUCTION_ONBUILD)
        return err_set(err, ERR_INVALID, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (type == INSTRUCTION_FROM || type == INSTRUCTION_MAINTAINER)
        return err_set(err, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger",
                       instruction_type_name(type));
    return 0;
}

int parse_onbuild(const struct parse_input *input, struct instruction *in, struct err *err)
{
    const struct raw_instruction *raw = input->raw;
    struct arena *a = input->arena;
    if (!raw->args[0])
        return err_set(err, ERR_INVALID, "ONBUILD requires at least one argument");
    if (flags_parse(&raw->flags, NULL, 0, a, err))
        return -1;
    struct raw_instruction *sub = arena_alloc(a, sizeof *sub);
    raw_instruction_of_line(span_of(raw->args), a, sub);
    sub->heredocs = raw->heredocs;
    sub->where = raw->where;
    enum instruction_type type;
    if (instruction_type_find(sub->name, &type) && trigger_check(type, err))
        return -1;
    struct instruction *trigger = arena_alloc(a, sizeof *trigger);
    const struct parse_input sub_input = { .raw = sub, .escape = input->escape, .arena = a };
    if (instruction_parse(&sub_input, trigger, err))
        return -1;
    in->onbuild = (struct onbuild){ .trigger = trigger_text(raw, a), .instruction = trigger };
    return 0;
}
