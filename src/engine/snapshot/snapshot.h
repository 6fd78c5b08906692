/* engine/snapshot/snapshot.h - root file systems as chains of layers.
 *
 * A snapshot is a chain: the layer on top of its parent's.  NULL is the empty one, scratch.  It
 * never changes, and is lazy in both directions: a layer that came from an image is fetched and
 * unpacked when somebody looks inside (view_open(), work_open()); a layer that a step made becomes
 * a blob when somebody wants to export it (snapshot_seal()).
 *
 * How a chain becomes a folder is the driver's business (`overlay`, `directory`; see driver.h). All
 * drivers give the same layers, byte for byte: what changed is decided by one rule (type, mode,
 * owner, size, mtime but of folders, link target, device, xattrs, content), never by how it was
 * noticed.
 *
 * Snapshots are kept in the store under an id and found again by later builds; they are objects of
 * the store
 * ("snapshot:ID") that need their parent.  Layers of images are shared by those with the same
 * chainID and the same blobs.  A snapshot is found again by who can read its folder: the same
 * driver with the same rights.
 *
 * Spec: image-spec layer.md, config.md "Layer ChainID".  Threads: locked inside; a work belongs to
 * one thread. */
#pragma once
#include "base/codec/compress.h"
#include "base/core/cancel.h"
#include "base/core/pool.h"
#include "base/sys/user.h"
#include "image/oci/layer.h"
#include "image/store/store.h"

/* What was done so far to a layer, for progress displays. */
struct layer_watch {
    void (*moved)(void *arg, const struct digest *blob, const char *what, uint64_t current,
                  uint64_t total);
    void *arg;
};

struct snapshots;
struct snapshots_options {
    struct store *store;    /* borrowed */
    struct pool *pool;      /* borrowed: compressing */
    struct pool *transfers; /* borrowed: fetching and unpacking; NULL: `pool` */
    struct id_map ids;      /* of the namespace that we are in */
    const char
        *driver; /* "overlay", "directory"; NULL: the best that works here, found by trying */
    /* Brings a blob into the store that is not there.  `origin`: what the layer was made known
     * with. */
    int (*fetch)(void *arg, const char *origin, const struct descriptor *blob,
                 const struct cancel *cancel, struct err *err);
    void *fetch_arg;
    struct layer_watch watch;
};
/* Fails: UNSUPPORTED (the driver asked for does not work here, and why), SYSTEM. */
NODISCARD int snapshots_open(const struct snapshots_options *o, struct snapshots **out,
                             struct err *err);
void snapshots_close(struct snapshots *s); /* every view and work was closed before */
DEFINE_AUTO(struct snapshots, snapshots_close)
const char *snapshots_driver(const struct snapshots *s);
/* How many layers could not be had so far although somebody had promised them.  They were
 * forgotten, with all results that need them: who comes again finds none of these. */
size_t snapshots_n_lost(const struct snapshots *s);

struct snapshot;
struct snapshot *snapshot_ref(struct snapshot *s); /* NULL is fine */
void snapshot_unref(struct snapshot *s);
DEFINE_AUTO(struct snapshot, snapshot_unref)
const char *snapshot_id(const struct snapshot *s);
struct snapshot *snapshot_parent(const struct snapshot *s); /* borrowed; NULL: scratch */
/* When a step made it, in seconds since 1970; else 0. */
int64_t snapshot_created_s(const struct snapshot *s);
size_t snapshot_depth(const struct snapshot *s); /* layers; 0 for NULL */

/* The chain of an image's layers (layers[0] is the base); nothing is fetched.  n 0 gives NULL.
 * `origin` says where a missing blob comes from ("docker.io/library/debian"), kept with the layer.
 */
NODISCARD int snapshot_of_layers(struct snapshots *s, const struct layer_ref *layers, size_t n,
                                 const char *origin, struct snapshot **out, struct err *err);
/* When the layers of `s` were made, the lowest first, in seconds since 1970 (0: not known), as
 * somebody else says; kept where it is not known here. */
NODISCARD int snapshot_set_created(struct snapshots *all, struct snapshot *s,
                                   const int64_t *created_s, struct err *err);
/* Finds one by its id; counts as a use.  Absent (collected meanwhile): *out NULL. */
NODISCARD int snapshot_find(struct snapshots *s, const char *id, struct snapshot **out,
                            struct err *err);

/* To look inside.  Read-only by agreement: nobody writes there.  `s` NULL: an empty folder. */
struct view;
NODISCARD int view_open(struct snapshots *all, struct snapshot *s, const struct cancel *cancel,
                        struct view **out, struct err *err);
const char *view_path(const struct view *v);
int view_fd(const struct view *v); /* borrowed */
void view_close(struct view *v);
DEFINE_AUTO(struct view, view_close)

/* To change it: a folder with the content of `parent`, the changes to which become a snapshot or
 * vanish. */
struct work;
NODISCARD int work_open(struct snapshots *all, struct snapshot *parent, const struct cancel *cancel,
                        struct work **out, struct err *err);
const char *work_path(const struct work *w);
int work_fd(const struct work *w); /* borrowed */
/* The changes become a snapshot on top of the parent, also when there are none.  The work is only
 * good for closing afterwards. */
NODISCARD int work_commit(struct work *w, const struct cancel *cancel, struct snapshot **out,
                          struct err *err);
void work_close(struct work *w); /* uncommitted changes vanish */
DEFINE_AUTO(struct work, work_close)

struct seal_options {
    enum compression compression;
    int level;       /* -1: the default */
    bool has_epoch;  /* mtimes after it become it */
    int64_t epoch_s; /* SOURCE_DATE_EPOCH */
    /* A layer that came from elsewhere keeps its times and, unless is_forced, its compression: so
     * those of a base image.  Those of a cache are this build's own and do not. */
    bool keeps_pulled;
    bool is_forced;
    const struct cancel *cancel;
};
/* The top layer of `s` as a blob in the store: packed, hashed and compressed in one pass, once for
 * each set of options; a layer that is as wanted already is what its image says it is, and is
 * not fetched.  Of COMPRESSION_ESTARGZ the descriptor has the annotations, and diffID is another.
 * Several threads may ask at once. *out is the caller's. */
NODISCARD int snapshot_seal(struct snapshots *all, struct snapshot *s, const struct seal_options *o,
                            struct layer_ref *out, struct err *err);
/* Sees to it that a blob of the top layer is in the store (it may be known by digest alone). */
NODISCARD int snapshot_fetch_blob(struct snapshots *all, struct snapshot *s,
                                  const struct descriptor *blob, const struct cancel *cancel,
                                  struct err *err);
/* The layers of `upper` (NULL: none) on top of `base` (NULL: scratch), nothing of which is looked
 * at: each is sealed as `o` says and stands for itself from then on; exported it is sealed anew
 * where that was otherwise.  `o` has no epoch and no level, and asks for no estargz, whose table
 * would be seen in the root file system.  Of `from` (an ancestor of
 * `upper`, NULL: scratch) and below nothing is taken.  Fails: INVALID when `from` is no ancestor.
 */
NODISCARD int snapshot_stack(struct snapshots *all, struct snapshot *base, struct snapshot *from,
                             struct snapshot *upper, const struct seal_options *o,
                             struct snapshot **out, struct err *err);
/* Where the layer came from, for mounting across repositories; NULL for one made here. */
const char *snapshot_origin(const struct snapshot *s);
