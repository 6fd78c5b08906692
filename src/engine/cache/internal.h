/* engine/cache/internal.h - what the files of the room share. */
#pragma once
#include <stdatomic.h>

#include "engine/cache/cache.h"

struct cache {
    struct store *store; /* borrowed */
    struct cache_codec codec;
    struct solver_cache ops;
    atomic_bool has_claims; /* their folder is there */
};

/* Members of `struct solver_cache`. */
NODISCARD int cache_claim(void *arg, const struct digest *key, void **out, struct err *err);
void cache_release(void *arg, void *claim);
