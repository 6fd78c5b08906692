/* engine/cache/claim.c - who makes what a key stands for: a locked file of the store for each
 * claim.
 *
 * The lock goes with the process that holds it, however that ends; the file is taken away before
 * the lock is given up, so that no folder fills with names.  A claim that is held keeps threads of
 * the same process out too, since each opens the file anew. */
#include <stdlib.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/cache/internal.h"

#define FOLDER "claims"

struct claim {
    char *path;
    int fd;
};

int cache_claim(void *arg, const struct digest *key, void **out, struct err *err)
{
    struct cache *c = arg;
    int store = store_fd(c->store), fd = -1;
    AUTO_FREE char *path = xasprintf(FOLDER "/%s", digest_hex(key).s);
    *out = NULL;
    if (!atomic_load(&c->has_claims)) {
        if (fs_make_dirs(store, FOLDER, 0700, err))
            return -1;
        atomic_store(&c->has_claims, true);
    }
    if (fs_lock(store, path, true, false, &fd, err)) {
        if (err->kind != ERR_EXISTS)
            return -1;
        err_clear(err);
        return 0;
    }
    struct claim *claim = xcalloc(1, sizeof *claim);
    *claim = (struct claim){ .path = STEAL(path), .fd = fd };
    *out = claim;
    return 0;
}

void cache_release(void *arg, void *held)
{
    struct cache *c = arg;
    struct claim *claim = held;
    unlinkat(store_fd(c->store), claim->path, 0);
    close(claim->fd);
    free(claim->path);
    free(claim);
}
