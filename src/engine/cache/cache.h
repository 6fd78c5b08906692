/* engine/cache/cache.h - what earlier builds on this store gave: the solver's cache over kiln.db.
 *
 * Table cache_record: key (text of a digest) -> content key, outputs (a text each, "" scratch), the
 * vertex's name, when.  Table cache_input: key -> what was read of each input ("" not known), for
 * those who export the cache later and do not want to look again.  A record is an object of the
 * store ("record:KEY") that needs the snapshots its outputs name: it vanishes with them, and keeps
 * them alive as long as it is itself used now and then.
 *
 * Threads: locked inside. */
#pragma once
#include "engine/solver/solver.h"
#include "image/store/store.h"

struct cache_codec {
    void *arg;
    char *(*save)(const struct result *r); /* NULL: not to be remembered */
    int (*load)(void *arg, const char *text, struct result **out,
                struct err *err); /* *out NULL: gone */
};
struct cache;
NODISCARD int cache_open(struct store *st, const struct cache_codec *codec, struct cache **out,
                         struct err *err);
void cache_close(struct cache *c);
DEFINE_AUTO(struct cache, cache_close)
const struct solver_cache *cache_ops(struct cache *c);
