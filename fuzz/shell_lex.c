/* fuzz/shell_lex.c - any word expands or is refused; one without special characters stays as it is,
 * and its parts are never more than the whole. */
#include <assert.h>
#include <string.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/shell_lex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *find(const void *env, const char *name)
{
    (void)env;
    if (strcmp(name, "A") == 0)
        return "a value with \u00fcnicode, *stars* and\nlines";
    return strcmp(name, "E") == 0 ? "" : NULL;
}

static void expand(const struct shell_lex *lex, const char *text)
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct shell_result word, words;
    struct err err = { 0 };
    int failed = shell_lex_word(lex, text, a, &word, &err);
    assert(!failed || err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
    int also_failed = shell_lex_words(lex, text, a, &words, &err);
    assert(failed == also_failed);
    if (failed)
        return;
    assert(strcmp(word.text, words.text) == 0);
    assert(word.used.n >= word.unset.n);
    if (!strpbrk(text, "$\\`'\"<"))
        assert(strcmp(word.text, text) == 0);
    size_t len = 0;
    for (size_t i = 0; i < words.words.n; i++) {
        assert(words.words.items[i][0]);
        len += strlen(words.words.items[i]);
    }
    assert(len <= strlen(word.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    static const struct shell_lex rules[] = {
        { .find = find },
        { .find = find, .escape = '`' },
        { .find = find, .ignores_quotes = true },
        { .find = find, .keeps_quotes = true, .keeps_escapes = true, .keeps_unset = true },
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        expand(&rules[i], text);
    return 0;
}
