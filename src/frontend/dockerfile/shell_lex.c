/* frontend/dockerfile/shell_lex.c - words of a Dockerfile: quotes, escapes and $variables.
 *
 * One pass from left to right that appends to the result as it goes.  Splitting is done in the same
 * pass, for it must know where each character came from: a blank splits when it was written bare or
 * came out of a bare $NAME, and does not when it was quoted or escaped.
 *
 * Names of variables are ASCII here; Go takes any Unicode letter, which no shell can set.
 *
 * Threads: each call has its own state. */
#include "frontend/dockerfile/shell_lex.h"

#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/parse_internal.h"

enum { LEX_MAX_DEPTH = 64 };

/* Words as they form.  A word that is empty when it ends is none, so '' alone gives no word. */
struct splitter {
    struct buf word;
    struct text_list words;
    struct arena *arena;
};

struct lexer {
    const struct shell_lex *rules;
    struct arena *arena;
    const char *p, *end;
    char escape;
    bool keeps_escapes; /* as rules, but for the words inside of ${} */
    int depth;
    struct map used, unset; /* names, without values */
    struct splitter splitter;
};

static int lex_until(struct lexer *l, char stop, struct buf *out, struct splitter *split,
                     struct err *err);

const char *shell_env_map(const void *str_map, const char *name)
{
    return map_find_str(str_map, name);
}

const char *shell_env_none(const void *env, const char *name)
{
    (void)env, (void)name;
    return NULL;
}

static void end_word(struct splitter *s)
{
    if (s->word.len)
        *vec_push(&s->words) = arena_strndup(s->arena, s->word.data, s->word.len);
    buf_reset(&s->word);
}

/* Adds what is in the result already, so it cannot pass the ceiling. */
static void split_raw(struct splitter *s, struct span bytes)
{
    if (s)
        buf_put(&s->word, bytes);
}

static void split_at_blanks(struct splitter *s, struct span bytes)
{
    if (!s || !bytes.len)
        return;
    const char *end = bytes.ptr + bytes.len;
    for (const char *p = bytes.ptr; p < end;) {
        size_t blank = blank_len(p, end);
        if (blank)
            end_word(s);
        else
            buf_put(&s->word, span_bytes(p, 1));
        p += blank ? blank : 1;
    }
}

static int put_char(struct buf *out, char c, struct err *err)
{
    return buf_append(out, span_bytes(&c, 1), err);
}

static struct strings names_keep(const struct map *names, struct arena *a)
{
    struct text_list list = { 0 };
    map_each (names, e)
        *vec_push(&list) = arena_strdup(a, e->key);
    return text_list_keep(&list, a);
}

static const char *look_up(struct lexer *l, const char *name)
{
    map_set(&l->used, name, NULL);
    return l->rules->find ? l->rules->find(l->rules->env, name) : NULL;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* A name, a number or one special parameter; "" when there is none. */
static const char *lex_name(struct lexer *l)
{
    const char *start = l->p;
    if (l->p < l->end && strchr("@*#?-$!", *l->p)) {
        l->p++;
    } else if (l->p < l->end && *l->p >= '0' && *l->p <= '9') {
        while (l->p < l->end && *l->p >= '0' && *l->p <= '9')
            l->p++;
    } else {
        while (l->p < l->end && is_name_char(*l->p))
            l->p++;
    }
    return arena_strndup(l->arena, start, (size_t)(l->p - start));
}

static int missing_brace(struct err *err)
{
    err_set(err, ERR_INVALID, "syntax error: missing '}'");
    return err_hint(err, "write ${NAME}, or \\$ for a dollar sign");
}

/* Reads to `stop` inside of ${}: any error that comes with the end of the text is a missing `stop`.
 */
static int lex_word(struct lexer *l, char stop, bool keeps_escapes, struct buf *out,
                    struct err *err)
{
    bool kept = l->keeps_escapes;
    l->keeps_escapes = keeps_escapes;
    int failed = lex_until(l, stop, out, NULL, err);
    l->keeps_escapes = kept;
    if (failed && err->kind == ERR_INVALID && l->p == l->end)
        return stop == '}' ? missing_brace(err)
                           : err_set(err, ERR_INVALID, "syntax error: missing '/' in ${}");
    return failed;
}

/* A variable that is not set, written back as it was. */
static int put_unset(struct buf *out, const char *name, const char *modifier, const char *word,
                     struct err *err)
{
    AUTO_FREE char *text = xasprintf("${%s%s%s}", name, modifier, word);
    return buf_append(out, span_of(text), err);
}

static int cut_match(const char *word, const char *value, char side, struct buf *out,
                     struct err *err)
{
    bool is_longest = word[0] == side;
    AUTO_VALUE(glob_clear) struct glob g = { 0 };
    if (glob_parse(word + is_longest, &g, err))
        return -1;
    struct span left = span_of(value);
    ptrdiff_t len;
    if (side == '#' ? glob_match_front(&g, left, is_longest, &len, err)
                    : glob_match_end(&g, left, is_longest, &len, err))
        return -1;
    if (len > 0)
        left =
            side == '#' ? span_skip(left, (size_t)len) : span_first(left, left.len - (size_t)len);
    return buf_append(out, left, err);
}

/* The result of ${NAME<modifier>word}; `modifier` is "-", ":-", "#", ... */
static int put_modified(struct lexer *l, const char *name, const char *modifier, const char *word,
                        struct buf *out, struct err *err)
{
    char kind = modifier[strlen(modifier) - 1];
    const char *value = look_up(l, name);
    bool is_there = value && (modifier[0] != ':' || value[0]);
    if (!value && l->rules->keeps_unset)
        return put_unset(out, name, modifier, word, err);
    switch (kind) {
    case '-':
        return buf_append(out, span_of(is_there ? value : word), err);
    case '+':
        return is_there ? buf_append(out, span_of(word), err) : 0;
    case '?':
        if (!is_there)
            return err_set(err, ERR_INVALID, "%s: %s", name,
                           word[0] ? word
                           : value ? "is not allowed to be empty"
                                   : "is not allowed to be unset");
        return buf_append(out, span_of(value), err);
    default: /* '#', '%' */
        if (!value)
            map_set(&l->unset, name, NULL);
        return cut_match(word, value ? value : "", kind, out, err);
    }
}

static int lex_replace(struct lexer *l, const char *name, struct buf *out, struct err *err)
{
    bool replaces_all = l->p < l->end && *l->p == '/';
    l->p += replaces_all;
    AUTO_VALUE(buf_clear) struct buf pattern, by;
    buf_init(&pattern, LIMIT_DOCKERFILE);
    buf_init(&by, LIMIT_DOCKERFILE);
    if (lex_word(l, '/', true, &pattern, err) || lex_word(l, '}', true, &by, err))
        return -1;
    const char *value = look_up(l, name), *pat = pattern.len ? pattern.data : "";
    if (!value && l->rules->keeps_unset) {
        AUTO_FREE char *rest = xasprintf("%s/%.*s", pat, SPAN_ARG(buf_span(&by)));
        return put_unset(out, name, "/", rest, err);
    }
    if (!value)
        map_set(&l->unset, name, NULL);
    AUTO_VALUE(glob_clear) struct glob g = { 0 };
    if (glob_parse(pat, &g, err))
        return -1;
    return glob_replace(&g, span_of(value ? value : ""), buf_span(&by), replaces_all, out, err);
}

static int unsupported_modifier(struct lexer *l, const char *start, struct err *err)
{
    while (l->p < l->end && (*l->p & 0xc0) == 0x80)
        l->p++;
    err_set(err, ERR_INVALID, "unsupported modifier (%.*s) in substitution", (int)(l->p - start),
            start);
    return err_hint(err, "known are :- - :+ + :? ? # ## %% %%%% / and //");
}

static int put_variable(struct lexer *l, const char *name, bool has_braces, struct buf *out,
                        struct err *err)
{
    const char *value = look_up(l, name);
    if (value)
        return buf_append(out, span_of(value), err);
    map_set(&l->unset, name, NULL);
    if (!l->rules->keeps_unset)
        return 0;
    if (has_braces)
        return put_unset(out, name, "", "", err);
    return put_char(out, '$', err) || buf_append(out, span_of(name), err) ? -1 : 0;
}

/* Behind the name of ${NAME...; the closing brace is read too. */
static int lex_modifier(struct lexer *l, const char *name, struct buf *out, struct err *err)
{
    const char *start = l->p;
    char c = *l->p++;
    if (c == '}')
        return put_variable(l, name, true, out, err);
    if (c == '/')
        return lex_replace(l, name, out, err);
    if (c == ':') {
        if (l->p == l->end)
            return missing_brace(err);
        c = *l->p++;
    }
    if (!strchr("-+?#%", c))
        return unsupported_modifier(l, start, err);
    char modifier[3] = { 0 };
    memcpy(modifier, start, (size_t)(l->p - start));
    AUTO_VALUE(buf_clear) struct buf word;
    buf_init(&word, LIMIT_DOCKERFILE);
    if (lex_word(l, '}', c == '#' || c == '%', &word, err))
        return -1;
    return put_modified(l, name, modifier, word.len ? word.data : "", out, err);
}

static int lex_dollar(struct lexer *l, struct buf *out, struct err *err)
{
    l->p++;
    if (l->p == l->end || *l->p != '{') {
        const char *name = lex_name(l);
        return name[0] ? put_variable(l, name, false, out, err) : put_char(out, '$', err);
    }
    l->p++;
    if (l->p == l->end)
        return missing_brace(err);
    if (strchr("{}:", *l->p))
        return err_set(err, ERR_INVALID, "syntax error: bad substitution");
    const char *name = lex_name(l);
    if (l->p == l->end)
        return missing_brace(err);
    if (l->depth == LEX_MAX_DEPTH)
        return err_set(err, ERR_LIMIT, "${} nested more than %d deep", LEX_MAX_DEPTH);
    l->depth++;
    int failed = lex_modifier(l, name, out, err);
    l->depth--;
    return failed;
}

static int unmatched(const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "unexpected end of statement while looking for matching %s",
                   what);
}

static int lex_single_quoted(struct lexer *l, struct buf *out, struct err *err)
{
    const char *start = l->p++;
    const char *close = memchr(l->p, '\'', (size_t)(l->end - l->p));
    if (!close) {
        l->p = l->end;
        return unmatched("single-quote", err);
    }
    l->p = close + 1;
    if (l->rules->keeps_quotes)
        return buf_append(out, span_bytes(start, (size_t)(l->p - start)), err);
    return buf_append(out, span_bytes(start + 1, (size_t)(close - start - 1)), err);
}

/* An escape inside of double quotes: it works before '"', '$' and itself, else it stays. */
static int lex_quoted_escape(struct lexer *l, struct buf *out, struct err *err)
{
    char c = *l->p++;
    if (l->keeps_escapes && put_char(out, c, err))
        return -1;
    if (l->p == l->end)
        return 0;
    if (*l->p == '"' || *l->p == '$' || *l->p == l->escape)
        c = *l->p++;
    return put_char(out, c, err);
}

static int lex_double_quoted(struct lexer *l, struct buf *out, struct err *err)
{
    bool keeps = l->rules->keeps_quotes;
    int failed = keeps ? put_char(out, '"', err) : 0;
    l->p++;
    while (!failed && l->p < l->end) {
        char c = *l->p;
        if (c == '"') {
            l->p++;
            return keeps ? put_char(out, '"', err) : 0;
        }
        if (c == '$')
            failed = lex_dollar(l, out, err);
        else if (c == l->escape)
            failed = lex_quoted_escape(l, out, err);
        else
            failed = put_char(out, *l->p++, err);
    }
    return failed ? -1 : unmatched("double-quote", err);
}

/* "<<" holds the blanks behind it, so that the word of a heredoc may stand apart. */
static int lex_less(struct lexer *l, struct buf *out, struct err *err)
{
    const char *start = l->p++;
    if (l->p < l->end && *l->p == '<') {
        l->p++;
        for (size_t n; (n = blank_len(l->p, l->end));)
            l->p += n;
    }
    return buf_append(out, span_bytes(start, (size_t)(l->p - start)), err);
}

static int lex_escape(struct lexer *l, struct buf *out, struct err *err)
{
    const char *start = l->p++;
    if (l->keeps_escapes && put_char(out, *start, err))
        return -1;
    return l->p < l->end ? put_char(out, *l->p++, err) : 0;
}

/* One character, blank or quoted text; *splits: blanks in what it gave end a word. */
static int lex_piece(struct lexer *l, struct buf *out, bool *splits, struct err *err)
{
    char c = *l->p;
    bool has_quotes = !l->rules->ignores_quotes;
    *splits = c == '$';
    if (c == '$')
        return lex_dollar(l, out, err);
    if (has_quotes && c == '\'')
        return lex_single_quoted(l, out, err);
    if (has_quotes && c == '"')
        return lex_double_quoted(l, out, err);
    if (has_quotes && c == '<')
        return lex_less(l, out, err);
    if (c == l->escape)
        return lex_escape(l, out, err);
    *splits = true;
    size_t blank = blank_len(l->p, l->end), len = blank ? blank : 1;
    l->p += len;
    return buf_append(out, span_bytes(l->p - len, len), err);
}

/* Reads until `stop`, which is read too; '\0': to the end. */
static int lex_until(struct lexer *l, char stop, struct buf *out, struct splitter *split,
                     struct err *err)
{
    while (l->p < l->end) {
        size_t before = out->len;
        bool splits;
        if (stop && *l->p == stop) {
            l->p++;
            return 0;
        }
        if (lex_piece(l, out, &splits, err))
            return -1;
        struct span piece = span_skip(buf_span(out), before);
        if (splits)
            split_at_blanks(split, piece);
        else
            split_raw(split, piece);
    }
    char what[2] = { stop };
    return stop ? unmatched(what, err) : 0;
}

static void lexer_clear(struct lexer *l)
{
    map_clear(&l->used);
    map_clear(&l->unset);
    text_list_clear(&l->splitter.words);
    buf_clear(&l->splitter.word);
}

static int lex_all(const struct shell_lex *lex, const char *text, bool splits, struct arena *a,
                   struct shell_result *result, struct err *err)
{
    AUTO_VALUE(lexer_clear)
    struct lexer l = {
        .rules = lex,
        .arena = a,
        .p = text,
        .end = text + strlen(text),
        .escape = lex->escape ? lex->escape : '\\',
        .keeps_escapes = lex->keeps_escapes,
        .splitter = { .arena = a },
    };
    buf_init(&l.splitter.word, LIMIT_DOCKERFILE);
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, LIMIT_DOCKERFILE);
    if (lex_until(&l, '\0', &out, splits ? &l.splitter : NULL, err))
        return err_wrap(err, "failed to process %s", quoted(a, text));
    end_word(&l.splitter);
    *result = (struct shell_result){
        .text = arena_strndup(a, out.data ? out.data : "", out.len),
        .words = text_list_keep(&l.splitter.words, a),
        .used = names_keep(&l.used, a),
        .unset = names_keep(&l.unset, a),
    };
    return 0;
}

int shell_lex_word(const struct shell_lex *lex, const char *word, struct arena *a,
                   struct shell_result *result, struct err *err)
{
    return lex_all(lex, word, false, a, result, err);
}

int shell_lex_words(const struct shell_lex *lex, const char *text, struct arena *a,
                    struct shell_result *result, struct err *err)
{
    return lex_all(lex, text, true, a, result, err);
}
