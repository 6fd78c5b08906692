/* image/store/internal.h - what the files of the room share. */
#pragma once
#include <pthread.h>
#include <sys/types.h>

#include "base/core/vec.h"
#include "image/store/object.h"
#include "image/store/store.h"

struct store {
    pthread_mutex_t lock;         /* guards unsettled, promised */
    vec(struct digest) unsettled; /* blobs published since store_settle() */
    uint64_t promised;            /* bytes that ingests may still write */
    char *path;                   /* absolute, owned */
    int fd;                       /* the folder */
    struct db *db;
    struct store_options options;
    vec(struct object_kind) kinds; /* filled before threads start */
};

struct blob_path {
    char s[sizeof "blobs/sha256/" + DIGEST_TEXT_MAX];
};
struct blob_path blob_path(const struct digest *d); /* "blobs/sha256/HEX" */

int64_t now_s(void); /* since 1970 */

/* Promises room for `bytes` more under the ceiling, collecting when needed, until
 * store_unreserve(). Other processes' promises are not known here.  Fails: LIMIT. */
NODISCARD int store_reserve(struct store *st, uint64_t bytes, struct err *err);
void store_unreserve(struct store *st, uint64_t bytes);
/* Writes index.json from the names. */
NODISCARD int layout_write_index(struct store *st, struct err *err);
/* Creates or checks oci-layout and the folders. */
NODISCARD int layout_prepare(struct store *st, struct err *err);
/* When the oldest living lease began; leases of dead processes are removed. */
NODISCARD int lease_oldest(struct store *st, int64_t *began_s, struct err *err);
/* Deletes what lies in trash/. */
void trash_empty(struct store *st);
/* Deletes the rows, and no file. */
NODISCARD int object_forget(struct store *st, const char *id, struct err *err);
/* Deletes the rows and calls the kind's hide; in a transaction. */
NODISCARD int object_hide(struct store *st, const char *id, struct err *err);
