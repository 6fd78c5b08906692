/* frontend/dockerfile/instruction_simple.c - the instructions that take words and no more: ARG,
 * CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, MAINTAINER, SHELL, STOPSIGNAL, USER, VOLUME, WORKDIR.
 *
 * Threads: values. */
#include <stdlib.h>
#include <string.h>

#include "frontend/dockerfile/parse_internal.h"

static int at_least_one(const struct instruction *in, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s requires at least one argument",
                   instruction_type_name(in->type));
}

static int no_flags(const struct parse_input *input, struct err *err)
{
    return flags_parse(&input->raw->flags, NULL, 0, input->arena, err);
}

/* The descriptions in a comment by what they describe: the first word of each line. */
static void index_descriptions(const char *comment, struct arena *a, struct map *out)
{
    struct span rest = span_of(comment);
    while (rest.len) {
        struct span description = span_cut(&rest, '\n');
        struct span name = span_cut(&description, ' ');
        const char *key = arena_strndup(a, name.ptr, name.len);
        if (description.ptr && !map_has(out, key))
            map_set(out, key, arena_strndup(a, description.ptr, description.len));
    }
}

/* ARG does not look at flags, as in BuildKit. */
int parse_arg(const struct parse_input *input, struct instruction *in, struct err *err)
{
    struct arena *a = input->arena;
    struct strings words = words_quoted(input->raw->args, input->escape, a);
    if (!words.n)
        return at_least_one(in, err);
    AUTO_VALUE(map_clear) struct map descriptions = { 0 };
    index_descriptions(input->raw->comment, a, &descriptions);
    struct arg *args = arena_alloc(a, words.n * sizeof *args);
    for (size_t i = 0; i < words.n; i++) {
        const char *word = words.items[i], *equals = strchr(word, '=');
        if (equals == word)
            return err_set(err, ERR_INVALID, "ARG names can not be blank");
        args[i] = (struct arg){
            .name = equals ? arena_strndup(a, word, (size_t)(equals - word)) : word,
            .default_value = equals ? equals + 1 : "",
            .has_default = equals != NULL,
        };
        const char *description = map_find(&descriptions, args[i].name);
        args[i].description = description ? description : "";
    }
    in->args = (struct args){ .items = args, .n = words.n };
    return 0;
}

/* "ENV key the rest of the line". */
static int parse_legacy_pair(const struct parse_input *input, const char *name,
                             struct key_values *out, struct err *err)
{
    struct arena *a = input->arena;
    struct span rest = span_of(input->raw->args), key;
    next_word(&rest, &key);
    rest = trim_blanks(rest);
    if (!rest.len) {
        err_set(err, ERR_INVALID, "%s must have two arguments", name);
        return err_hint(err, "write %s %.*s=VALUE", name, SPAN_ARG(key));
    }
    struct key_value *pair = arena_alloc(a, sizeof *pair);
    *pair = (struct key_value){
        .key = arena_strndup(a, key.ptr, key.len),
        .value = arena_strndup(a, rest.ptr, rest.len),
        .is_legacy = true,
    };
    *out = (struct key_values){ .items = pair, .n = 1 };
    return 0;
}

static int parse_pairs(const struct parse_input *input, struct instruction *in,
                       struct key_values *out, struct err *err)
{
    struct arena *a = input->arena;
    const char *name = instruction_type_name(in->type);
    struct strings words = words_quoted(input->raw->args, input->escape, a);
    if (no_flags(input, err))
        return -1;
    if (!words.n)
        return at_least_one(in, err);
    if (!strchr(words.items[0], '='))
        return parse_legacy_pair(input, name, out, err);
    struct key_value *pairs = arena_alloc(a, words.n * sizeof *pairs);
    for (size_t i = 0; i < words.n; i++) {
        const char *word = words.items[i], *equals = strchr(word, '=');
        if (!equals) {
            err_set(err, ERR_INVALID,
                    "Syntax error - can't find = in %s. Must be of the form: name=value",
                    quoted(a, word));
            return err_hint(err, "put a value with blanks in quotes: %s NAME=\"a b\"", name);
        }
        if (equals == word)
            return err_set(err, ERR_INVALID, "%s names can not be blank", name);
        pairs[i].key = arena_strndup(a, word, (size_t)(equals - word));
        pairs[i].value = equals + 1;
    }
    *out = (struct key_values){ .items = pairs, .n = words.n };
    return 0;
}

int parse_env(const struct parse_input *input, struct instruction *in, struct err *err)
{
    return parse_pairs(input, in, &in->env, err);
}

int parse_label(const struct parse_input *input, struct instruction *in, struct err *err)
{
    return parse_pairs(input, in, &in->labels, err);
}

/* The whole rest of the line as one argument. */
static int parse_one(const struct parse_input *input, struct instruction *in, const char **out,
                     struct err *err)
{
    if (!input->raw->args[0])
        return err_set(err, ERR_INVALID, "%s requires exactly one argument",
                       instruction_type_name(in->type));
    *out = input->raw->args;
    return 0;
}

int parse_maintainer(const struct parse_input *input, struct instruction *in, struct err *err)
{
    return parse_one(input, in, &in->maintainer, err) || no_flags(input, err) ? -1 : 0;
}

/* STOPSIGNAL does not look at flags, as in BuildKit. */
int parse_stop_signal(const struct parse_input *input, struct instruction *in, struct err *err)
{
    return parse_one(input, in, &in->stop_signal, err);
}

int parse_user(const struct parse_input *input, struct instruction *in, struct err *err)
{
    return parse_one(input, in, &in->user, err) || no_flags(input, err) ? -1 : 0;
}

int parse_workdir(const struct parse_input *input, struct instruction *in, struct err *err)
{
    return parse_one(input, in, &in->workdir, err) || no_flags(input, err) ? -1 : 0;
}

static int by_bytes(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

int parse_expose(const struct parse_input *input, struct instruction *in, struct err *err)
{
    struct strings words = words_split(input->raw->args, input->arena);
    if (!words.n)
        return at_least_one(in, err);
    if (no_flags(input, err))
        return -1;
    const char **sorted = arena_alloc(input->arena, words.n * sizeof *sorted);
    memcpy(sorted, words.items, words.n * sizeof *sorted);
    qsort(sorted, words.n, sizeof *sorted, by_bytes);
    in->ports = (struct strings){ .items = sorted, .n = words.n };
    return 0;
}

int parse_volume(const struct parse_input *input, struct instruction *in, struct err *err)
{
    struct arena *a = input->arena;
    struct strings words;
    if (words_json(input->raw->args, a, &in->is_json, &words, err))
        return -1;
    if (!in->is_json)
        words = words_split(input->raw->args, a);
    if (!words.n)
        return at_least_one(in, err);
    if (no_flags(input, err))
        return -1;
    const char **paths = arena_alloc(a, words.n * sizeof *paths);
    for (size_t i = 0; i < words.n; i++) {
        struct span path = trim_blanks(span_of(words.items[i]));
        if (!path.len)
            return err_set(err, ERR_INVALID, "VOLUME specified can not be an empty string");
        paths[i] = arena_strndup(a, path.ptr, path.len);
    }
    in->volumes = (struct strings){ .items = paths, .n = words.n };
    return 0;
}

int parse_shell(const struct parse_input *input, struct instruction *in, struct err *err)
{
    if (words_json(input->raw->args, input->arena, &in->is_json, &in->shell, err) ||
        no_flags(input, err))
        return -1;
    if (!input->raw->args[0] || (in->is_json && !in->shell.n))
        return at_least_one(in, err);
    if (in->is_json)
        return 0;
    err_set(err, ERR_INVALID, "SHELL requires the arguments to be in JSON form");
    return err_hint(err, "write SHELL [\"/bin/sh\", \"-c\"]");
}

int command_line_parse(const struct parse_input *input, const char *text, bool *is_json,
                       struct command_line *out, struct err *err)
{
    struct arena *a = input->arena;
    if (words_json(text, a, is_json, &out->args, err))
        return -1;
    out->is_shell = !*is_json;
    if (*is_json || !text[0])
        return 0;
    struct text_list one = { 0 };
    *vec_push(&one) = text;
    out->args = text_list_keep(&one, a);
    return 0;
}

int parse_command(const struct parse_input *input, struct instruction *in, struct err *err)
{
    if (no_flags(input, err))
        return -1;
    return command_line_parse(input, input->raw->args, &in->is_json, &in->command, err);
}
