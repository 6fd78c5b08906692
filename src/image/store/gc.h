/* image/store/gc.h - making room.
 *
 * Taken are objects that no name leads to and that were not used since the oldest living lease
 * (image/store/lease.h) began, least recently used first, each only when nothing else needs it any
 * more.  Threads: locked inside; several processes may collect at once. */
#pragma once
#include "base/core/cancel.h"
#include "base/core/err.h"
#include "image/store/store.h"

struct gc_options {
    uint64_t keep;         /* bytes that may stay; 0: take all that may be taken */
    uint64_t unused_for_s; /* only what was not used for so long */
    bool is_dry;           /* only count; nothing is taken */
    const struct cancel *cancel;
};
struct gc_result {
    uint64_t n_objects, size; /* taken */
    uint64_t kept;            /* bytes that stay */
};
NODISCARD int store_gc(struct store *st, const struct gc_options *o, struct gc_result *out,
                       struct err *err);
/* Bytes and number of all objects; with a prefix ("sha256:", "snapshot:") of one kind. */
NODISCARD int store_usage(struct store *st, const char *prefix, uint64_t *n_objects, uint64_t *size,
                          struct err *err);
