/* frontend/dockerfile/parser.h - the lines of a Dockerfile, joined into raw instructions.
 *
 * This level knows comments, line continuation, flags and heredocs, and no instruction's grammar;
 * instruction.h makes typed instructions from what comes out here and is what most callers want.
 *
 * Spec: dockerfile reference "Format", "Here-Documents"; BuildKit frontend/dockerfile/parser. */
#pragma once
#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "frontend/dockerfile/directives.h"
#include "frontend/dockerfile/source.h"

struct raw_instruction {
    const char *name;     /* as written: "from" */
    const char *text;     /* the whole: continuations joined, comments gone, heredocs left out */
    const char *line;     /* the same with the blanks at its end */
    struct strings flags; /* as written: "--from=x" */
    const char *args;     /* what follows name and flags, blanks trimmed; "" when nothing */
    struct heredocs heredocs;
    struct source_lines where; /* heredocs included */
    const char *comment;       /* the lines of comment right above, without '#'; "" when none */
};
struct raw_dockerfile {
    struct directives directives;
    const struct raw_instruction *items;
    size_t n;
    struct dockerfile_warnings warnings; /* NoEmptyContinuation */
};

/* Splits `text` (called `name` in errors); the result lives in `a` and borrows nothing.  On failure
 * *where holds the lines at fault.  Fails: INVALID, LIMIT. */
NODISCARD int dockerfile_split(struct span text, const char *name, struct arena *a,
                               struct raw_dockerfile *out, struct source_lines *where,
                               struct err *err);
