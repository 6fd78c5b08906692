/* frontend/dockerfile/shell_lex.h - words of a Dockerfile: quotes, escapes and $variables.
 *
 * Not a shell: no commands, no globs, no arithmetic.  '...' is literal; "..." expands `$`, and the
 * escape token works only before '"', '$' and itself; elsewhere the escape token removes itself.
 * Variables: $NAME ${NAME} $1 $@ ..., and inside ${NAME...} the modifiers
 *
 *     :-word -word    word when NAME is unset (with ':' also when empty)
 *     :+word +word    word when NAME is set (with ':' and not empty), else nothing
 *     :?word ?word    fails when NAME is unset (with ':' or empty); word is the message
 *     #pat ##pat      without the shortest / longest match of pat at the front
 *     %pat %%pat      the same at the end
 *     /pat/rep //pat/rep   the first / every longest match of pat replaced
 *
 * where `word`, `pat` and `rep` may hold variables; a pattern knows `*`, `?` and a backslash that
 * makes the next character plain.
 *
 * Spec: dockerfile reference "Environment replacement"; BuildKit frontend/dockerfile/shell. */
#pragma once
#include <stdbool.h>

#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "engine/graph/op.h"

/* The value of `name`, or NULL when it is not set. */
typedef const char *(*shell_env_fn)(const void *env, const char *name);
const char *shell_env_map(const void *str_map,
                          const char *name);                   /* env: a `struct map` of strings */
const char *shell_env_none(const void *env, const char *name); /* nothing is set */

struct shell_lex {
    shell_env_fn find;   /* NULL: nothing is set */
    const void *env;     /* borrowed, handed to find */
    char escape;         /* '\\' or '`'; '\0' means '\\' */
    bool keeps_quotes;   /* '"' and '\'' do their work and stay in the result */
    bool keeps_escapes;  /* the escape token stays too */
    bool ignores_quotes; /* quotes are plain characters: bodies of heredocs */
    bool keeps_unset;    /* $NAME that is not set stays as written instead of becoming nothing */
};

/* Names of variables, each once, in order of first use. */
struct shell_result {
    const char *text;     /* shell_lex_word: never NULL */
    struct strings words; /* shell_lex_words */
    struct strings used;  /* looked up, set or not */
    struct strings unset; /* looked up in vain, and nothing (":-") stood in for them */
};

/* Expands `word` to one string in result->text; blanks are kept.  All results live in `a`.
 * Fails: INVALID with BuildKit's wording (an unmatched quote, "syntax error: bad substitution",
 * "unsupported modifier (x) in substitution", "NAME: is not allowed to be unset", ...); LIMIT when
 * the result passes LIMIT_DOCKERFILE bytes or ${} nests too deep. */
NODISCARD int shell_lex_word(const struct shell_lex *lex, const char *word, struct arena *a,
                             struct shell_result *result, struct err *err);
/* The same, and splits: at blanks outside of quotes, those inside of expanded variables included
 * ("$A" in quotes stays one word).  result->words may be empty; result->text is the whole, unsplit.
 */
NODISCARD int shell_lex_words(const struct shell_lex *lex, const char *text, struct arena *a,
                              struct shell_result *result, struct err *err);
