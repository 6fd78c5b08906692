/* frontend/dockerfile/capture.h - what stages take from their user, noted while they are converted.
 *
 * In a build nobody asks and converter.capture is NULL; then these functions do nothing.
 * Threads: a converter belongs to one thread. */
#pragma once
#include "frontend/dockerfile/convert_internal.h"
#include "frontend/dockerfile/outline.h"

struct captured {
    const struct build_stage *stage;
    struct outline_item item;
    bool is_global; /* an ARG without value of its own: the global one's is meant */
};
struct capture {
    vec(struct captured) items;
};
/* An ARG of a stage; value NULL: none. */
void capture_arg(struct dispatch *d, const struct arg *arg, const char *value);
/* A --mount of RUN. */
void capture_mount(struct dispatch *d, enum outline_kind kind, const char *id, bool is_required);
