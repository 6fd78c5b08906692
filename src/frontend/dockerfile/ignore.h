/* frontend/dockerfile/ignore.h - .dockerignore: its lines, cleaned, with their numbers.
 *
 * A '#' in the first column makes a comment; blanks around a line go; what is left is a path
 * pattern of base/codec/pattern.h, cleaned, without a leading '/', '!' kept in front.
 *
 * Spec: dockerfile reference ".dockerignore file". */
#pragma once
#include "base/codec/pattern.h"
#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/core/span.h"

struct ignore_rules {
    const struct pattern_line *lines; /* in order; texts as BuildKit hands them on */
    size_t n;
};
/* Reads the text; lines live in `a`.  `name` is the file's, for errors.  Fails: INVALID
 * `.dockerignore:3: illegal exclusion pattern: "!"`, a pattern that is malformed; LIMIT. */
NODISCARD int ignore_parse(struct span text, const char *name, struct arena *a,
                           struct ignore_rules *out, struct err *err);
