/* image/store/object.h - what takes room in the store, what needs what, and when it was used last.
 *
 * An object is a blob (id "sha256:..."), a snapshot ("snapshot:...", of engine/snapshot) or a cache
 * record
 * ("record:...", of engine/cache).  An object keeps alive what it needs.  Collection starts from
 * names (image/store/ name.h) and takes, least recently used first, objects that nothing needs.
 *
 * Threads: locked inside. */
#pragma once
#include "base/core/err.h"
#include "base/core/vec.h"
#include "image/store/store.h"

/* How the objects of a kind ("snapshot") are taken off the disk.  `hide` runs inside the
 * transaction that forgets the object and must be quick: rows deleted, folders renamed to trash/
 * (store_trash()).  Without one, forgetting the object is all. */
struct object_kind {
    const char *prefix; /* "snapshot:" */
    int (*hide)(void *arg, struct store *st, const char *id, struct err *err);
    void *arg;
};
void object_kind_add(struct store *st,
                     const struct object_kind *kind); /* copies; replaces one of the same prefix */

/* Records an object, or records it anew; what it needs should be there.  Counts as a use of it. */
NODISCARD int object_put(struct store *st, const char *id, uint64_t size,
                         const struct str_list *needs, struct err *err);
/* A use of it and of all that it needs.  *is_there false: it is gone, or something that it needs is
 * gone (then it is forgotten as well).  In a transaction with what led to the id, this is how a
 * find becomes safe from collection. */
NODISCARD int object_touch(struct store *st, const char *id, bool *is_there, struct err *err);
/* Forgets it and everything that needs it. */
NODISCARD int object_remove(struct store *st, const char *id, struct err *err);
/* Moves a file or folder of the store to trash/, from where it is deleted after the transaction. */
NODISCARD int store_trash(struct store *st, const char *path, struct err *err);
