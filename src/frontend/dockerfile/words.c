/* frontend/dockerfile/words.c - cutting a line into words, in each of the ways the language has.
 *
 * FROM, COPY and EXPOSE split at blanks and know no quotes; ENV, LABEL and ARG keep quoted blanks
 * together; the exec forms are JSON; the options of a mount are one record of CSV.
 *
 * Threads: values. */
#include <string.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/parse_internal.h"

void text_list_clear(struct text_list *l)
{
    vec_clear(l);
}

struct strings text_list_keep(struct text_list *l, struct arena *a)
{
    if (!l->n)
        return (struct strings){ 0 };
    const char **items = arena_alloc(a, size_mul(l->n, sizeof *items));
    memcpy(items, l->items, l->n * sizeof *items);
    struct strings kept = { .items = items, .n = l->n };
    text_list_clear(l);
    return kept;
}

bool strings_have(const struct strings *l, const char *text)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->items[i], text) == 0)
            return true;
    return false;
}

size_t blank_len(const char *p, const char *end)
{
    if (p >= end)
        return 0;
    if (*p == ' ' || (*p >= '\t' && *p <= '\r'))
        return 1;
    if ((*p & 0xc0) != 0xc0)
        return 0;
    /* Unicode's White_Space beyond ASCII, as UTF-8. */
    static const char *const wide[] = {
        "\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
        "\u2004",   "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
        "\u2028",   "\u2029", "\u202f", "\u205f", "\u3000",
    };
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        size_t n = strlen(wide[i]);
        if ((size_t)(end - p) >= n && memcmp(p, wide[i], n) == 0)
            return n;
    }
    return 0;
}

struct span trim_blanks(struct span s)
{
    if (!s.len)
        return SPAN(""); /* never a NULL to count from */
    const char *p = s.ptr, *end = p + s.len, *last = p;
    for (size_t n; (n = blank_len(p, end));)
        p += n;
    for (const char *q = last = p; q < end;) {
        size_t n = blank_len(q, end);
        q += n ? n : 1;
        if (!n)
            last = q;
    }
    return span_bytes(p, (size_t)(last - p));
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

bool next_word(struct span *rest, struct span *word)
{
    size_t start = 0;
    while (start < rest->len && is_separator(rest->ptr[start]))
        start++;
    size_t end = start;
    while (end < rest->len && !is_separator(rest->ptr[end]))
        end++;
    *word = span_bytes(rest->ptr + start, end - start);
    *rest = span_skip(*rest, end);
    return word->len > 0;
}

struct strings words_split(const char *text, struct arena *a)
{
    struct text_list words = { 0 };
    struct span rest = span_of(text), word;
    while (next_word(&rest, &word))
        *vec_push(&words) = arena_strndup(a, word.ptr, word.len);
    return text_list_keep(&words, a);
}

/* One word of words_quoted(); *pos stands at its first character and ends behind its last. */
static const char *quoted_word(const char **pos, const char *end, char escape, struct arena *a)
{
    struct buf word;
    buf_init(&word, LIMIT_DOCKERFILE);
    char quote = '\0';
    const char *p = *pos;
    for (; p < end && (quote || !blank_len(p, end)); p++) {
        if (!quote && (*p == '\'' || *p == '"')) {
            quote = *p;
        } else if (quote && *p == quote) {
            quote = '\0';
        } else if (*p == escape && quote != '\'') {
            if (p + 1 == end) /* an escape with nothing behind it vanishes */
                continue;
            buf_putc(&word, *p++);
        }
        buf_putc(&word, *p);
    }
    *pos = p;
    const char *kept = arena_strndup(a, word.data ? word.data : "", word.len);
    buf_clear(&word);
    return kept;
}

struct strings words_quoted(const char *text, char escape, struct arena *a)
{
    struct text_list words = { 0 };
    const char *p = text, *end = text + strlen(text);
    while (p < end) {
        size_t blank = blank_len(p, end);
        p += blank;
        if (blank || p == end)
            continue;
        const char *word = quoted_word(&p, end, escape, a);
        if (word[0])
            *vec_push(&words) = word;
    }
    return text_list_keep(&words, a);
}

int words_json(const char *text, struct arena *a, bool *is_json, struct strings *out,
               struct err *err)
{
    *is_json = false;
    struct span s = trim_blanks(span_of(text));
    struct err ignored = { 0 };
    AUTO(json_free) struct json *array = NULL;
    if (!span_starts(s, "[") || json_parse(s, &array, &ignored))
        return 0;
    struct text_list words = { 0 };
    for (size_t i = 0; i < json_len(array); i++) {
        const struct json *item = json_at(array, i);
        if (json_type(item) != JSON_STRING) {
            text_list_clear(&words);
            return err_set(
                err, ERR_INVALID,
                "when using JSON array syntax, arrays must be comprised of strings only");
        }
        *vec_push(&words) = arena_strdup(a, json_str(item));
    }
    *is_json = true;
    *out = text_list_keep(&words, a);
    return 0;
}

/* One field of words_csv(); *pos stands at its first character and ends behind it. */
static int csv_field(const char **pos, struct arena *a, const char **out, struct err *err)
{
    const char *p = *pos;
    size_t bare = strcspn(p, ",\"");
    if (*p != '"') {
        if (p[bare] == '"')
            return err_set(err, ERR_INVALID,
                           "parse error on line 1, column %zu: bare \" in "
                           "non-quoted-field",
                           bare + 1);
        *out = arena_strndup(a, p, bare);
        *pos = p + bare;
        return 0;
    }
    char *field = arena_alloc(a, strlen(p) + 1);
    size_t n = 0;
    for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
        p += *p == '"';
        field[n++] = *p;
    }
    if (!*p || (p[1] && p[1] != ','))
        return err_set(err, ERR_INVALID,
                       "parse error on line 1: extraneous or missing \" in "
                       "quoted-field");
    *out = field;
    *pos = p + 1;
    return 0;
}

int words_csv(const char *text, struct arena *a, struct strings *out, struct err *err)
{
    if (!text[0])
        return err_set(err, ERR_INVALID, "EOF");
    AUTO_VALUE(text_list_clear) struct text_list fields = { 0 };
    for (const char *p = text;; p++) {
        const char *field = NULL;
        if (csv_field(&p, a, &field, err))
            return -1;
        *vec_push(&fields) = field;
        if (!*p)
            break;
    }
    *out = text_list_keep(&fields, a);
    return 0;
}
