/* frontend/dockerfile/flags.c - "--name=value" between an instruction's name and its arguments.
 *
 * Flags come first and end at the first word that does not start with "--", or at "--" itself.
 * Quotes and backslashes work in them and do not stay.  Each instruction brings its own table.
 *
 * Threads: values. */
#include <assert.h>
#include <string.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/parse_internal.h"

enum { FLAGS_MAX = 16 };

/* One flag at the start of `line`, without quotes; returns how many bytes it took. */
static size_t flag_word(struct span line, struct buf *word)
{
    char quote = '\0';
    size_t i = 0;
    for (; i < line.len; i++) {
        char c = line.ptr[i];
        if (!quote && blank_len(line.ptr + i, line.ptr + line.len))
            break;
        if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? '\0' : c;
            continue;
        }
        if (c == '\\') {
            if (++i == line.len)
                break;
            c = line.ptr[i];
        }
        buf_putc(word, c);
    }
    return i;
}

void flags_split(struct span line, struct arena *a, struct strings *flags, struct span *rest)
{
    struct text_list list = { 0 };
    line = trim_blanks(line);
    for (;;) {
        for (size_t n; line.len && (n = blank_len(line.ptr, line.ptr + line.len));)
            line = span_skip(line, n);
        if (!span_starts(line, "--"))
            break;
        struct buf word;
        buf_init(&word, LIMIT_DOCKERFILE);
        line = span_skip(line, flag_word(line, &word));
        bool is_end = span_is(buf_span(&word), "--");
        if (!is_end)
            *vec_push(&list) = arena_strndup(a, word.data, word.len);
        buf_clear(&word);
        if (is_end)
            break;
    }
    *rest = trim_blanks(line);
    *flags = text_list_keep(&list, a);
}

static int unknown_flag(const char *name, const struct flag_spec *specs, size_t n, struct err *err)
{
    const char *names[FLAGS_MAX];
    struct buf known;
    buf_init(&known, ERR_HINT_MAX);
    for (size_t i = 0; i < n; i++) {
        names[i] = specs[i].name;
        buf_printf(&known, "%s--%s", i == 0 ? "known are " : i + 1 < n ? ", " : " and ", names[i]);
    }
    err_set(err, ERR_INVALID, "unknown flag: --%s", name);
    err_hint(err, "%s", n ? known.data : "this instruction takes no flags");
    buf_clear(&known);
    return did_you_mean(err, name, names, n, false);
}

static int set_flag(const struct flag_spec *spec, const char *value, struct arena *a,
                    struct err *err)
{
    if (spec->kind == FLAG_BOOL) {
        const char *text = value ? lower_case(a, value) : "true";
        if (!text[0])
            return err_set(err, ERR_INVALID, "missing a value on flag: --%s", spec->name);
        bool is_true = strcmp(text, "true") == 0;
        if (!is_true && strcmp(text, "false") != 0)
            return err_set(err, ERR_INVALID, "expecting boolean value for flag --%s, not: %s",
                           spec->name, value);
        *(enum tristate *)spec->out = is_true ? FLAG_TRUE : FLAG_FALSE;
        return 0;
    }
    if (!value)
        return err_set(err, ERR_INVALID, "missing a value on flag: --%s", spec->name);
    if (spec->kind == FLAG_TEXT)
        *(const char **)spec->out = value;
    else
        *vec_push((struct text_list *)spec->out) = value;
    return 0;
}

int flags_parse(const struct strings *flags, const struct flag_spec *specs, size_t n,
                struct arena *a, struct err *err)
{
    assert(n <= FLAGS_MAX);
    uint32_t seen = 0;
    for (size_t i = 0; i < flags->n; i++) {
        const char *flag = flags->items[i] + 2, *equals = strchr(flag, '=');
        const char *name = equals ? arena_strndup(a, flag, (size_t)(equals - flag)) : flag;
        size_t k = 0;
        while (k < n && strcmp(specs[k].name, name) != 0)
            k++;
        if (k == n)
            return unknown_flag(name, specs, n, err);
        if (seen & (1u << k) && specs[k].kind != FLAG_LIST)
            return err_set(err, ERR_INVALID, "duplicate flag specified: --%s", name);
        seen |= 1u << k;
        if (set_flag(&specs[k], equals ? equals + 1 : NULL, a, err))
            return -1;
    }
    return 0;
}
