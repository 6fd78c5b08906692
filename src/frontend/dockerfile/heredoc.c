/* frontend/dockerfile/heredoc.c - finding heredocs on a line: `RUN <<EOF`, `COPY <<-'a' 3<<b
 * /dest`.
 *
 * A heredoc is a word of the form [number]<<[-]delimiter.  The line is cut into words with quotes
 * and escapes kept, so that a quoted "<<EOF" does not look like one.  The delimiter is then read
 * once without and once with its quotes: that some were taken away means that it was quoted.  The
 * escape is always the backslash here, whatever the file's, as in BuildKit.
 *
 * Threads: values. */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/parse_internal.h"

enum { HEREDOC_MAX_FD = 1 << 20 };

static size_t count_quotes(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\'' || *text == '"';
    return n;
}

/* The delimiter behind "<<" and "<<-", or NULL when `word` is no heredoc. */
static const char *find_delimiter(const char *word, struct heredoc *out)
{
    size_t digits = strspn(word, "0123456789");
    const char *p = word + digits;
    if (strncmp(p, "<<", 2) != 0)
        return NULL;
    p += 2;
    uint64_t fd = 0;
    for (size_t i = 0; i < digits && fd < HEREDOC_MAX_FD; i++)
        fd = fd * 10 + (uint64_t)(word[i] - '0');
    out->fd = (int)(fd < HEREDOC_MAX_FD ? fd : HEREDOC_MAX_FD);
    out->strips_tabs = *p == '-';
    p += out->strips_tabs;
    p += strspn(p, "\t\n\f\r ");
    return *p && !strchr(p, '<') ? p : NULL;
}

int heredoc_parse_word(const char *word, struct arena *a, bool *is_heredoc, struct heredoc *out,
                       struct err *err)
{
    *is_heredoc = false;
    struct heredoc doc = { .raw = "", .content = "", .word = arena_strdup(a, word) };
    const char *delimiter = find_delimiter(word, &doc);
    if (!delimiter)
        return 0;
    struct shell_lex lex = { .keeps_unset = true };
    struct shell_result bare, with_quotes;
    if (shell_lex_words(&lex, delimiter, a, &bare, err))
        return -1;
    if (bare.words.n != 1)
        return 0;
    lex.keeps_quotes = true;
    if (shell_lex_words(&lex, delimiter, a, &with_quotes, err))
        return -1;
    doc.name = bare.words.items[0];
    doc.expands = count_quotes(bare.text) == count_quotes(with_quotes.text);
    *is_heredoc = true;
    *out = doc;
    return 0;
}

struct heredoc_list {
    struct heredoc *items; /* owned */
    size_t n, cap;
};

static void heredoc_list_clear(struct heredoc_list *l)
{
    vec_clear(l);
}

int heredocs_of_line(const char *line, struct arena *a, struct heredoc **out, size_t *n,
                     struct err *err)
{
    *out = NULL;
    *n = 0;
    if (!strstr(line, "<<"))
        return 0;
    const struct shell_lex lex = { .keeps_quotes = true,
                                   .keeps_escapes = true,
                                   .keeps_unset = true };
    struct shell_result words;
    struct err ignored = { 0 };
    /* A shell's line need not be ours: RUN echo don't <<EOF has no heredoc. */
    if (shell_lex_words(&lex, line, a, &words, &ignored))
        return 0;
    AUTO_VALUE(heredoc_list_clear) struct heredoc_list docs = { 0 };
    for (size_t i = 0; i < words.words.n; i++) {
        bool is_heredoc;
        struct heredoc doc;
        if (heredoc_parse_word(words.words.items[i], a, &is_heredoc, &doc, err))
            return -1;
        if (is_heredoc && docs.n == LIMIT_DOCKERFILE_HEREDOCS)
            return err_set(err, ERR_LIMIT, "more than %d heredocs", LIMIT_DOCKERFILE_HEREDOCS);
        if (is_heredoc)
            *vec_push(&docs) = doc;
    }
    if (!docs.n)
        return 0;
    *n = docs.n;
    *out = arena_alloc(a, docs.n * sizeof **out);
    memcpy(*out, docs.items, docs.n * sizeof **out);
    return 0;
}

const char *heredoc_strip_tabs(const char *raw, struct arena *a)
{
    char *content = arena_strdup(a, raw), *to = content;
    bool is_at_start = true;
    for (const char *p = raw; *p; p++) {
        if (is_at_start && *p == '\t')
            continue;
        is_at_start = *p == '\n';
        *to++ = *p;
    }
    *to = '\0';
    return content;
}
