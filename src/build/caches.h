/* build/caches.h - the caches that a build takes from elsewhere and leaves for others.
 *
 * A cache that cannot be read is a warning: the build does its work itself.  One that cannot be
 * written is a failure unless it was told to be none (ignore-error=true).
 *
 * Threads: parts belong to one thread each, but for what the solver calls. */
#pragma once
#include "build/build.h"
#include "engine/remotecache/exporter.h"

struct engine;
struct caches;
/* NULL when the request has none; then everything below does nothing.  Begins to read. */
struct caches *caches_start(struct engine *e, const struct build_request *q,
                            const struct export_host *h, struct build_result *out);
void caches_free(struct caches *c);
DEFINE_AUTO(struct caches, caches_free)
/* Waits until all are read. */
void caches_settle(struct caches *c);
const struct cache_mount_source *caches_mounts(struct caches *c);

/* One platform's part of the build. */
struct caches_part;
/* Has the solve ask and tell; what `solving` tells goes on to whom it went before. */
struct caches_part *caches_join(struct caches *c, const struct graph *g,
                                struct solve_options *solving);
void caches_part_free(struct caches_part *p);
/* The result, and what its image is to carry in its config (NULL: nothing; the part's). */
NODISCARD int caches_result(struct caches_part *p, struct snapshot *result, const char **inlined,
                            struct err *err);
/* To all of --cache-to; parts[i] may be NULL when there are no caches. */
NODISCARD int caches_export(struct caches *c, struct caches_part *const *parts, size_t n,
                            struct err *err);
