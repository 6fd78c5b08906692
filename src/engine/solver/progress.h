/* engine/solver/progress.h - what a build tells about itself while it runs.
 *
 * Everything shown is an item: a vertex, or a task such as "exporting to image".  An item is named
 * by an id that is the same in all its events.
 *
 * Threads: events come from any thread, several at once; a sink locks inside and returns quickly.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/codec/digest.h"
#include "base/core/span.h"
#include "engine/graph/graph.h"

enum progress_kind {
    PROGRESS_START,
    PROGRESS_CACHED, /* ended without work; comes instead of START and DONE */
    PROGRESS_DONE,
    PROGRESS_FAIL,     /* `text` says why */
    PROGRESS_CANCELED, /* stopped because another item failed or somebody asked for it */
    PROGRESS_LOG,      /* bytes that a step printed, cut anywhere */
    PROGRESS_STATUS,   /* one part of an item's work: `part`, `current` of `total` */
    PROGRESS_WARN,
};

struct progress_event {
    enum progress_kind kind;
    const char *id;              /* the digest of a vertex, or a task's own */
    const char *name;            /* START, CACHED: for people; NULL otherwise */
    const struct vertex *vertex; /* NULL for a task */
    uint64_t at_ns;              /* clock_monotonic_ns() */
    int stream;                  /* LOG: 1 or 2 */
    struct span bytes;           /* LOG */
    const char *text;            /* FAIL, WARN */
    const char *part;            /* STATUS: "sha256:... extracting", "pushing layers" */
    uint64_t current, total;     /* STATUS: bytes; total 0: not known */
    bool is_part_done;           /* STATUS */
};

struct progress {
    void (*tell)(void *arg, const struct progress_event *e);
    void *arg;
};

/* These fill in the time; a NULL or empty `p` is fine. */
void progress_tell(const struct progress *p, struct progress_event e);
void progress_status(const struct progress *p, const char *id, const char *part, uint64_t current,
                     uint64_t total);
void progress_part_done(const struct progress *p, const char *id, const char *part, uint64_t total);
void progress_task_start(const struct progress *p, const char *id, const char *name);
/* status: what the task returned; `err` is told when it failed. */
void progress_task_end(const struct progress *p, const char *id, int status, const struct err *err);
