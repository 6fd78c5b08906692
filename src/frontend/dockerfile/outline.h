/* frontend/dockerfile/outline.h - what a Dockerfile offers its user: the targets, and what a target
 * takes: build arguments, secrets, ssh agents, caches.
 *
 * Descriptions are the comments right above FROM and ARG that begin with the name.  Targets are
 * read from the text alone.  An outline follows the stages that the target needs, so base images'
 * configs are asked of the host (their triggers may take something too); one that cannot be
 * resolved is told in `unknown`, and the outline lacks what it would have added.
 *
 * Spec: BuildKit's subrequests frontend.outline and frontend.targets; their JSON and text.
 * Threads: none is used; the host's functions are called from the caller's thread. */
#pragma once
#include "base/codec/json.h"
#include "frontend/dockerfile/convert.h"

enum outline_kind { OUTLINE_ARG, OUTLINE_SECRET, OUTLINE_SSH, OUTLINE_CACHE };
struct outline_item {
    enum outline_kind kind;
    const char *name;
    const char *value;       /* an argument's, "" when none */
    const char *description; /* an argument's, "" when none */
    bool is_required;        /* secrets, ssh */
    struct source_lines where;
};
struct dockerfile_outline {
    const char *name, *description;   /* of the target, "" when it has none */
    const struct outline_item *items; /* by line within each kind */
    size_t n;
    struct err unknown;        /* the first image that could not be resolved; kind ERR_NONE: none */
    struct source_lines where; /* on failure */
    struct arena *arena;       /* owned; all of it */
};
void dockerfile_outline_clear(struct dockerfile_outline *o);
/* Fails: as dockerfile_convert() does but for images. */
NODISCARD int dockerfile_outline_read(struct span text, const struct dockerfile_options *o,
                                      const struct frontend_host *host,
                                      struct dockerfile_outline *out, struct err *err);
struct json *dockerfile_outline_json(const struct dockerfile_outline *o, struct span text);
void dockerfile_outline_print(const struct dockerfile_outline *o, struct buf *out);

struct dockerfile_target {
    const char *name, *description, *base, *platform; /* as written, "" when there is none */
    bool is_default;                                  /* the last */
    struct source_lines where;
};
struct dockerfile_targets {
    const struct dockerfile_target *items; /* in order */
    size_t n;
    struct source_lines where; /* on failure */
    struct arena *arena;       /* owned */
};
void dockerfile_targets_clear(struct dockerfile_targets *l);
/* Takes of the options filename and BUILDKIT_SYNTAX alone.  Fails: INVALID, LIMIT, UNSUPPORTED. */
NODISCARD int dockerfile_targets_read(struct span text, const struct dockerfile_options *o,
                                      struct dockerfile_targets *out, struct err *err);
struct json *dockerfile_targets_json(const struct dockerfile_targets *l, struct span text);
void dockerfile_targets_print(const struct dockerfile_targets *l, struct buf *out);
