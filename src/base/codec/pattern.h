/* base/codec/pattern.h - patterns of paths: Go's filepath.Match, and lists of patterns as
 * .dockerignore has them.
 *
 * One pattern: `*` any bytes but '/', `?` one character but '/', `[a-z]` `[^a]` a class, a
 * backslash makes the next character plain; it matches the whole of a name.
 *
 * A list: the same, and `**` stands for any number of folders; a line excludes what it matches and
 * all below that; `!` in front takes back in; the last line that matches decides.  Lines are
 * trimmed and their paths cleaned ("./a//b/" is "a/b"); empty ones say nothing.  Names compared
 * are relative, clean, with '/', without a leading one.
 *
 * Spec: Go path/filepath "Match"; dockerfile reference ".dockerignore file"; moby/patternmatcher.
 * As there, a class in a list may match '/'; other than there, `*` and `?` inside of a class are
 * plain characters.
 *
 * Threads: a list never changes; any number of threads may use it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/core/err.h"
#include "base/core/span.h"

/* Fails: INVALID `pattern "[a": syntax error in pattern`. */
NODISCARD int pattern_check(const char *pattern, struct err *err);
/* Whether one pattern matches the whole of `name`; a malformed one matches nothing. */
bool pattern_match(const char *pattern, const char *name);
/* Whether there is anything in it that is more than plain text. */
bool pattern_has_wildcard(const char *pattern);
/* The path as Go's filepath.Clean gives it: "." for "", owned by the caller. */
char *pattern_clean(struct span path);

struct pattern_line {
    const char *text; /* "!docs" */
    int line;         /* of the file it stands in */
};
struct pattern_list;
/* Copies the lines.  Fails: INVALID `line 3: illegal exclusion pattern: "!"`, or as
 * pattern_check(). */
NODISCARD int pattern_list_new(const struct pattern_line *lines, size_t n,
                               struct pattern_list **out, struct err *err);
/* The same of plain texts; their lines are 1, 2, ... */
NODISCARD int pattern_list_of(const char *const *texts, size_t n, struct pattern_list **out,
                              struct err *err);
void pattern_list_free(struct pattern_list *l);
DEFINE_AUTO(struct pattern_list, pattern_list_free)

/* Whether the path, or a folder that it lies in, is excluded.  *line (may be NULL): of the line
 * that decided, be it for or against; 0 when none matches. */
bool pattern_list_excludes(const struct pattern_list *l, const char *path, int *line);
/* Whether nothing below an excluded folder is taken back in, so that it need not be looked into.
 * Never true when that is wrong; may be false for nothing. */
bool pattern_list_prunes(const struct pattern_list *l, const char *folder);
/* For lists that say what is wanted: whether something below `folder` could match a line without
 * '!'.  Never false when that is wrong. */
bool pattern_list_reaches(const struct pattern_list *l, const char *folder);
