/* frontend/dockerfile/directives.h - "# syntax=", "# escape=" and "# check=" at the top of a file.
 *
 * Directives stand before any other comment, blank line or instruction; the first line that is none
 * ends them.  A "#!" line may stand above them; "escape" is then a plain comment.  Spec: dockerfile
 * reference "Parser directives". */
#pragma once
#include <stdbool.h>

#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "engine/graph/op.h"
#include "frontend/dockerfile/rules.h"
#include "frontend/dockerfile/source.h"

struct directives {
    char escape;             /* '\\' unless the directive says '`' */
    const char *syntax;      /* "docker/dockerfile:1", "" when none; kiln reads its own language */
    const char *syntax_args; /* what followed the image's name, "" */
    struct source_lines syntax_where;
    struct strings skipped_checks; /* names of rules; "all" for every one */
    struct strings experimental_checks;
    bool fails_on_warnings; /* check=error=true */
    int n_lines;            /* of the file that were directives, a "#!" line above them included */
};

/* Reads the directives at the start of `text` (behind a byte order mark).  *where tells the line of
 * an error.  Fails: INVALID: an escape other than '\\' and '`', a directive given twice, a bad
 * check option; the text has no "NAME:LINE: " yet. */
NODISCARD int directives_parse(struct span text, struct arena *a, struct directives *out,
                               struct source_lines *where, struct err *err);
/* The value of a check directive, also for the build argument BUILDKIT_DOCKERFILE_CHECK:
 * "skip=A,B;error=true;experimental=X".  Fills the three check fields.  Fails: INVALID. */
NODISCARD int directives_parse_check(const char *value, struct arena *a, struct directives *out,
                                     struct err *err);
/* Whether the user does not want to hear of this rule.  Experimental ones must be asked for, and
 * are then heard whatever is skipped. */
bool directives_skips(const struct directives *d, const struct check_rule *rule);
/* The front-end image that `text` asks for in any of the ways BuildKit knows: "# syntax=" (also
 * after a "#!" line), "// syntax=" or a JSON object with "syntax"; *where is the line.  "" when
 * none. */
const char *directives_find_syntax(struct span text, struct arena *a, struct source_lines *where);
