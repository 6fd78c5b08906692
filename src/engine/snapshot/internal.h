/* engine/snapshot/internal.h - what the files of the room share: nodes, records, places.
 *
 * On disk, below $store/snapshots:
 *
 *     NAME/fs            the content of one layer, in the form of its driver; NAME is random
 *     tmp/OWNER/lock     locked while the process lives that owns the folder
 *     tmp/OWNER/KIND-N   layers that are being unpacked, works, mount points
 *
 * Threads: struct snapshots and its nodes are guarded by snapshots.lock. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/core/map.h"
#include "base/core/mem.h"
#include "engine/snapshot/snapshot.h"

struct snapshot_driver;
struct snapshots {
    pthread_mutex_t lock; /* guards nodes, and of each node what is said there */
    pthread_cond_t changed;
    struct snapshots_options options;
    const struct snapshot_driver *driver;
    char *form;   /* owned: "overlay", "overlay-user", ...: who can read the folders */
    bool is_user; /* not privileged: overlay keeps its marks in user.* attributes */
    char *path;   /* owned, absolute: $store/snapshots */
    int fd;       /* the same */
    char *own;    /* owned, "tmp/OWNER" below it */
    int own_lock; /* the lock file, held */
    atomic_uint n_places;
    atomic_size_t n_lost; /* layers that were forgotten because nobody has them any more */
    struct map nodes;     /* id -> struct snapshot, borrowed */
    void *state;          /* the driver's */
};

struct snapshot {
    struct snapshots *all;
    struct snapshot *parent; /* owned reference */
    char *id;
    size_t depth;
    bool is_step;           /* made here; else a layer of an image */
    int64_t created_s;      /* of steps; else 0 */
    struct digest diff_id;  /* of images' layers, and of steps that have a tar; else not set */
    char *origin;           /* or NULL */
    struct descriptor blob; /* media_type NULL: none; of a step: its uncompressed tar */
    /* guarded by all->lock */
    size_t refs;
    char *folder;      /* below snapshots/; NULL: there is none (yet); never changes once set */
    bool is_unpacking; /* somebody makes the folder */
    bool is_sealing;
    struct shared_mount *mount; /* the driver's; NULL: not mounted */
};

/* ---- record.c: the database ---- */

struct record {
    char *id, *parent, *origin, *form, *folder;
    bool is_step;
    int64_t created_s;      /* of steps; else 0 */
    struct layer_ref layer; /* blob.media_type NULL: none; diff_id may be not set */
};
void record_clear(struct record *r);
NODISCARD int record_prepare(struct db *db, struct err *err);
NODISCARD int record_find(struct db *db, const char *id, struct record *out, bool *is_there,
                          struct err *err);
NODISCARD int record_add(struct db *db, const struct record *r, struct err *err);
/* The folder that a layer has from now on; *was_set false: it has one already. */
NODISCARD int record_set_folder(struct db *db, const char *id, const char *folder, bool *was_set,
                                struct err *err);
NODISCARD int record_set_origin(struct db *db, const char *id, const char *origin, struct err *err);
NODISCARD int record_set_created(struct db *db, const char *id, int64_t created_s, struct err *err);
NODISCARD int record_drop(struct db *db, const char *id, struct err *err);
NODISCARD int record_has_folder(struct db *db, const char *folder, bool *out, struct err *err);

/* How a layer was sealed. */
struct seal_key {
    enum compression compression;
    int level;
    bool has_epoch;
    int64_t epoch_s;
};
NODISCARD int sealed_find(struct db *db, const char *id, const struct seal_key *key,
                          struct layer_ref *out, bool *is_there, struct err *err);
NODISCARD int sealed_put(struct db *db, const char *id, const struct seal_key *key,
                         const struct layer_ref *layer, struct err *err);

/* ---- place.c: folders of this process ---- */

NODISCARD int place_prepare(struct snapshots *s, struct err *err);
void place_release(struct snapshots *s);
/* A new empty folder "tmp/OWNER/KIND-N", below s->fd. */
NODISCARD int place_make(struct snapshots *s, const char *kind, char **out, struct err *err);
void place_remove(struct snapshots *s, const char *path); /* NULL is fine */
/* A free random name for a layer's folder. */
NODISCARD int place_name(struct snapshots *s, char **out, struct err *err);
char *random_text(const char *prefix, size_t n_bytes); /* prefix and hex digits */
/* Bytes that a tree takes, about. */
NODISCARD int place_size(int dir_fd, const char *path, uint64_t *out, struct err *err);

/* ---- snapshot.c ---- */

void snapshots_wait(struct snapshots *s); /* for a change, 50 ms at most; the lock is held */
/* Makes the node of a record, or finds it.  Takes `parent`. */
struct snapshot *node_of_record(struct snapshots *s, const struct record *r,
                                struct snapshot *parent);
/* Makes, or finds, the layer of an image on top of `parent`, which it takes; in a transaction. */
NODISCARD int layer_node(struct snapshots *s, const struct layer_ref *layer, const char *origin,
                         struct snapshot *parent, struct snapshot **out, struct err *err);
/* The object's needs: parent, and `blob` when not NULL. */
NODISCARD int node_put_object(struct snapshot *s, uint64_t size, const struct digest *blob,
                              struct err *err);

/* ---- unpack.c ---- */

/* Has the blob in the store. */
NODISCARD int blob_ensure(struct snapshot *s, const struct descriptor *blob,
                          const struct cancel *cancel, struct err *err);
struct layer_apply_options;
struct layer_apply_result;
/* Fetches the layer's blob, decompresses it, and applies it to the folder; verifies the diffID. */
NODISCARD int unpack_layer(struct snapshot *s, int root_fd,
                           const struct layer_apply_options *options,
                           struct layer_apply_result *result, struct err *err);
/* The uncompressed tar of a layer that is a blob, verified when read to its end. */
struct tar_source {
    struct reader *file, *watched, *plain, *verified; /* owned */
};
NODISCARD int tar_source_open(struct snapshot *s, const struct cancel *cancel,
                              struct tar_source *out, struct reader **tar, struct err *err);
void tar_source_close(struct tar_source *t);
