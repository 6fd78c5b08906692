/* image/layer/pack.h - a list of changes becomes the tar of a layer.
 *
 * Entries come in the list's order: DELETE as an empty file `.wh.NAME` (mode 0, owner 0:0, mtime
 * the epoch or 0), all else as the tree shows it.  Of several names of one inode in the list the
 * first is the file, later ones are hard links to it.  Sockets are left out.  Of extended
 * attributes only security.capability enters a layer, as in BuildKit's.  Owners, modes and devices
 * are what node_stat() says.  Folders on the way to an entry are written before it, listed or not,
 * as they are: extractors that unpack a layer into a folder of its own (containers/storage) would
 * else make them anew with attributes of their own.  The root is never written.
 *
 * Memory is bounded by the number of hard-linked files, never by their size.
 * Threads: no state. */
#pragma once
#include <stdint.h>

#include "base/core/cancel.h"
#include "base/core/stream.h"
#include "base/sys/user.h"
#include "image/layer/change.h"
#include "image/layer/tar_writer.h"

struct layer_pack_options {
    struct tar_writer_options tar; /* SOURCE_DATE_EPOCH and the grain of mtimes */
    const struct id_map *ids; /* as node_may_override() takes it; NULL: overrides are looked for */
    const struct cancel *cancel; /* may be NULL */
};

/* Writes the tar of `changes` below `root_fd` to `out` (uncompressed), without finishing `out`.
 * Borrows all.  options NULL: defaults. Fails: NOT_FOUND (a listed path is not there), CORRUPT (a
 * file changed its size while being read), CANCELED, SYSTEM, each naming the path; what `out` fails
 * with. */
NODISCARD int layer_pack(int root_fd, const struct change_list *changes,
                         const struct layer_pack_options *options, struct writer *out,
                         struct err *err);
