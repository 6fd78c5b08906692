/* frontend/dockerfile/check.h - `build --check`: what the build checks say, without building.
 *
 * All stages are looked at, or those that the target needs when one is given.  Base images' configs
 * are asked of the host, since their variables and platforms count.  An image that cannot be
 * resolved would fail the build, and the report says so; yet the checks go on without it: what
 * needs its config (UndefinedVar, triggers, its platform) is left out in stages that stand on it.
 *
 * Spec: BuildKit's subrequest frontend.lint; its JSON and text.
 * Threads: none is used; the host's functions are called from the caller's thread. */
#pragma once
#include "base/codec/json.h"
#include "frontend/dockerfile/convert.h"

struct dockerfile_report {
    struct dockerfile_warnings warnings; /* by line */
    bool would_fail;                     /* a build would, because of `why` at `where` */
    struct err why;                      /* begins with "NAME:LINE: " */
    struct source_lines where;
    struct arena *arena; /* owned; warnings */
};
void dockerfile_report_clear(struct dockerfile_report *r);

void dockerfile_check(struct span text, const struct dockerfile_options *o,
                      const struct frontend_host *host, struct dockerfile_report *out);
/* frontend.lint's result.json: warnings, sources, buildError.  `text` and `name` are the
 * Dockerfile's. */
struct json *dockerfile_report_json(const struct dockerfile_report *r, struct span text,
                                    const char *name);
/* Its result.txt as buildx shows it: a first line that counts, then each warning with its lines.
 * The error is the caller's to show. */
void dockerfile_report_print(const struct dockerfile_report *r, struct span text, const char *name,
                             struct buf *out);

/* { "ranges": [{ "start": { "line": 1 }, "end": { "line": 2 } }] }, as these documents tell places;
 * empty when where.first is 0. */
struct json *source_lines_json(struct source_lines where);
