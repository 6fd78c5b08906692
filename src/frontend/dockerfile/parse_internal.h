/* frontend/dockerfile/parse_internal.h - what the files of the first half (text to instructions)
 * share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "base/core/vec.h"
#include "engine/graph/op.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/dockerfile/parser.h"

/* A list of strings while it grows; the strings are the arena's. */
struct text_list {
    const char **items; /* owned */
    size_t n, cap;
};
void text_list_clear(struct text_list *l);
struct strings text_list_keep(struct text_list *l, struct arena *a); /* moves it to the arena */
bool strings_have(const struct strings *l, const char *text);

/* words.c - cutting a line into words. */

/* Length in bytes of the white space (Unicode's) at p, 0 when there is none. */
size_t blank_len(const char *p, const char *end);
struct span trim_blanks(struct span s);
/* The next run of anything but tab, VT, FF, CR and blank; false at the end.  *rest is advanced. */
bool next_word(struct span *rest, struct span *word);
struct strings words_split(const char *text, struct arena *a);
/* Splits as ENV, LABEL and ARG do: blanks in quotes or behind `escape` do not split.  The words
 * keep their quotes and escapes. */
struct strings words_quoted(const char *text, char escape, struct arena *a);
/* A JSON array of strings.  Text that is no JSON array at all is no error: *is_json tells.
 * Fails: INVALID when an item is no string. */
NODISCARD int words_json(const char *text, struct arena *a, bool *is_json, struct strings *out,
                         struct err *err);
/* One record of comma-separated values: `a,"b,c"`.  Fails: INVALID. */
NODISCARD int words_csv(const char *text, struct arena *a, struct strings *out, struct err *err);

/* values.c - single values in Go's notation, and hints. */

/* In double quotes, escaped as Go's %q does. */
const char *quoted(struct arena *a, const char *text);
const char *upper_case(struct arena *a, const char *text);
const char *lower_case(struct arena *a, const char *text);
bool unsigned_parse(const char *text, int base, uint64_t max, uint64_t *out);
/* "1h2m3.5s", "300ms", "0".  Fails: INVALID `time: invalid duration "x"`. */
NODISCARD int duration_parse(const char *text, struct arena *a, int64_t *ns, struct err *err);
bool ram_size_parse(const char *text, int64_t *bytes); /* "64m", "1.5GiB", "100" */
/* The option that is nearly `word`; NULL when there is none, or one that is equal. */
const char *nearest_word(const char *word, const char *const *options, size_t n, struct arena *a);
/* Adds " (did you mean X?)" to the text and a hint when one of `options` is nearly `word`.
 * Returns -1. */
int did_you_mean(struct err *err, const char *word, const char *const *options, size_t n,
                 bool ignores_case);

/* heredoc.c */

/* Whether `word` starts a heredoc; fills name, word, fd, expands and strips_tabs of *out.
 * Fails: INVALID: a quote without its match. */
NODISCARD int heredoc_parse_word(const char *word, struct arena *a, bool *is_heredoc,
                                 struct heredoc *out, struct err *err);
/* The heredocs that a whole instruction line announces, in order, without their bodies. */
NODISCARD int heredocs_of_line(const char *line, struct arena *a, struct heredoc **out, size_t *n,
                               struct err *err);
const char *heredoc_strip_tabs(const char *raw, struct arena *a);

/* flags.c - "--name=value" behind an instruction's name. */

enum flag_kind { FLAG_BOOL, FLAG_TEXT, FLAG_LIST };
struct flag_spec {
    const char *name;
    enum flag_kind kind;
    void *out; /* enum tristate *, const char **, struct text_list * */
};
/* Splits "--a=b --c rest": flags without their quotes, and what follows them. */
void flags_split(struct span line, struct arena *a, struct strings *flags, struct span *rest);
NODISCARD int flags_parse(const struct strings *flags, const struct flag_spec *specs, size_t n,
                          struct arena *a, struct err *err);

/* shell_glob.c - patterns of ${NAME#pattern} and its like. */

struct glob_token {
    enum { GLOB_BYTE, GLOB_ANY, GLOB_STAR } kind;
    char byte;
};
struct glob {
    struct glob_token *items; /* owned */
    size_t n, cap;
};
/* Fails: INVALID "invalid pattern (p) in substitution: invalid escape '\x'". */
NODISCARD int glob_parse(const char *pattern, struct glob *out, struct err *err);
void glob_clear(struct glob *g);
/* Length of the shortest or longest match at the front (end) of value; -1: none.
 * Fails: LIMIT when pattern and value together are too long. */
NODISCARD int glob_match_front(const struct glob *g, struct span value, bool is_longest,
                               ptrdiff_t *len, struct err *err);
NODISCARD int glob_match_end(const struct glob *g, struct span value, bool is_longest,
                             ptrdiff_t *len, struct err *err);
NODISCARD int glob_replace(const struct glob *g, struct span value, struct span by,
                           bool replaces_all, struct buf *out, struct err *err);

/* instruction*.c - one function for each instruction: fills the union of *in from raw.  `escape` is
 * the file's.  Errors have no place yet. */

struct parse_input {
    const struct raw_instruction *raw;
    char escape;
    struct arena *arena;
};
typedef int (*instruction_fn)(const struct parse_input *input, struct instruction *in,
                              struct err *err);
int parse_add(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_arg(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_command(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_copy(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_env(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_expose(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_healthcheck(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_label(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_maintainer(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_onbuild(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_run(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_shell(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_stop_signal(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_user(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_volume(const struct parse_input *input, struct instruction *in, struct err *err);
int parse_workdir(const struct parse_input *input, struct instruction *in, struct err *err);
/* The exec or shell form in `text`. */
NODISCARD int command_line_parse(const struct parse_input *input, const char *text, bool *is_json,
                                 struct command_line *out, struct err *err);

/* instruction.c */

/* Looks up `name` whatever its case; false when it is no instruction. */
bool instruction_type_find(const char *name, enum instruction_type *out);
NODISCARD int instruction_parse(const struct parse_input *input, struct instruction *in,
                                struct err *err);
/* Whether an instruction may be a trigger.  Fails: INVALID. */
NODISCARD int trigger_check(enum instruction_type type, struct err *err);
/* Fills *out from the FROM line.  Fails: INVALID. */
NODISCARD int stage_parse(const struct parse_input *input, struct stage *out, struct err *err);
/* The rest of the first comment line that starts with "NAME ", "" when none. */
const char *comment_about(const char *comment, const char *name, struct arena *a);

/* directives.c */
struct span skip_byte_order_mark(struct span text);

/* parser.c */

/* One instruction from its joined line; heredocs and lines are the caller's to fill.  The args of
 * an ONBUILD go through this too. */
void raw_instruction_of_line(struct span line, struct arena *a, struct raw_instruction *out);
/* Whether the instruction may have heredocs: RUN, COPY, ADD, ONBUILD of these, not in JSON form. */
bool raw_instruction_takes_heredocs(const struct raw_instruction *raw, struct arena *a);

/* lint.c - the build checks of the text alone. */

struct warning_list {
    struct dockerfile_warning *items; /* owned */
    size_t n, cap;
};
/* Adds what the checks find, in the order of lines. */
void lint_dockerfile(const struct raw_dockerfile *raw, const struct dockerfile *df,
                     struct warning_list *out);
