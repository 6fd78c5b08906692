/* image/layer/apply.h - the tar of a layer becomes files.
 *
 * Everything stays inside the root: parents are resolved with the root as "/" (symlinks on the way
 * are followed as a process chrooted there would), the last component is never followed.  Type,
 * owner, mode, mtime, devices (see node.h), security.capability and user.* attributes are set;
 * trusted.*, system.*, other security.* and what kiln and overlayfs keep for themselves is dropped.
 * A name that exists gives way to the entry, but a folder that meets a folder stays and takes the
 * entry's attributes.  Nobody else may change the root meanwhile.
 *
 * Spec:    image-spec layer.md "Applying Changesets".
 * Threads: no state; one root takes one apply at a time. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/codec/digest.h"
#include "base/core/cancel.h"
#include "base/core/stream.h"
#include "base/core/vec.h"
#include "base/sys/user.h"

enum layer_form {
    /* Onto the tree of the layers below: whiteouts remove what is there (of the layers below, not
     * what this layer adds, in whatever order they come). */
    LAYER_MERGED,
    /* Alone into its own folder, as a lower folder of overlayfs: a whiteout is a character device
     * 0:0, an opaque folder carries trusted.overlay.opaque=y. */
    LAYER_OVERLAY,
    /* As LAYER_OVERLAY, but user.overlay.opaque: for mounts with -o userxattr. */
    LAYER_OVERLAY_USER,
    /* Not a layer but an archive (ADD): names have no special meaning. */
    LAYER_PLAIN,
};

struct layer_owner {
    uint32_t uid, gid;
};

struct layer_apply_options {
    enum layer_form form;
    const struct id_map *ids;        /* NULL: the ids are tried; is_single saves failing chowns */
    const struct layer_owner *owner; /* not NULL: instead of what the entries say (ADD --chown) */
    const struct cancel *cancel;     /* may be NULL */
    /* Called for each regular file once it is written, with the SHA-256 of its content; NULL:
     * nothing is hashed.  `path` is the entry's, borrowed. */
    void (*on_file)(void *arg, const char *path, const struct digest *digest);
    void *arg;
};

struct layer_apply_result {
    uint64_t n_entries; /* read, whiteouts included */
    uint64_t n_bytes;   /* of content */
    /* OVERLAY forms: folders made (0755, ours) for entries below them although the layer has no
     * entry for them; where symlinks of this layer led on the way, the real path.  Ordered as
     * change_path_compare().  The driver gives them what the layers below have: their attributes,
     * or, where these have a symlink, moves the content to where it points. */
    struct str_list implied_parents;
    /* OVERLAY forms, set together with the error UNSUPPORTED: a hard link's target is not in
     * this layer.  Remove the folder and apply in LAYER_MERGED form onto the mounted chain. */
    bool needs_lower;
    uint64_t n_lost_owners; /* symlinks, fifos and devices whose owner could not be set */
};
void layer_apply_result_clear(struct layer_apply_result *r);

/* Reads `tar` (uncompressed) to its very end, trailing bytes included, so that a reader_verified()
 * below has checked everything when this succeeds.  `root_fd`: an open folder.  Fills *out (born
 * zeroed) as far as it came, also on failure; the root is then half-written and to be thrown away.
 * Fails: as tar_reader_next(); INVALID for entries that make no sense (a file as parent, a hard
 * link to nothing); UNSUPPORTED; CANCELED; SYSTEM, naming the path. */
NODISCARD int layer_apply(struct reader *tar, int root_fd,
                          const struct layer_apply_options *options, struct layer_apply_result *out,
                          struct err *err);
