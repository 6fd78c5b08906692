/* engine/remotecache/place.c - the places that there are. */
#include "engine/remotecache/place.h"

#include "engine/remotecache/internal.h"

int cache_place_open(const struct export_host *h, const struct cache_spec *spec,
                     bool is_for_writing, struct cache_place **out, struct err *err)
{
    switch (spec->type) {
    case CACHE_REGISTRY:
        return repository_open(h, spec->ref, out, err);
    case CACHE_LOCAL:
        return folder_open(h, spec, is_for_writing, out, err);
    case CACHE_INLINE:
        break;
    }
    return err_set(err, ERR_INVALID, "a cache inside an image has no place of its own");
}

void cache_place_close(struct cache_place *p)
{
    if (p)
        p->ops->close(p);
}
