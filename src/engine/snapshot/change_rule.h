/* engine/snapshot/change_rule.h - when something counts as changed: the one rule of all drivers.
 *
 * A path is changed when a layer's entry for it would differ: type, mode (of symlinks: none),
 * owner, size, mtime (not of folders), device, link target, security.capability, content.  Of two
 * mtimes in the same second, of which one has no fraction (it came from a layer), no difference is
 * known; fractions that differ are a difference, else it would be chance whether a touched file
 * is in the layer.  Sockets are not there at all.  Inode numbers, ctime, atime and link counts
 * mean nothing.  Threads: no state. */
#pragma once
#include "base/codec/digest.h"
#include "base/core/cancel.h"
#include "image/layer/node.h"

/* Of what node_stat() tells: all but link target, capability and content. */
bool change_rule_metadata(const struct node_stat *a, const struct node_stat *b);
/* Of two things with the same metadata: target, capability and, byte by byte, content. */
NODISCARD int change_rule_rest(int a_fd, int b_fd, const char *name, mode_t mode,
                               const struct cancel *cancel, bool *is_changed, struct err *err);
/* Only content. */
NODISCARD int change_rule_content(int a_fd, int b_fd, const char *name, const struct cancel *cancel,
                                  bool *is_changed, struct err *err);
/* SHA-256 of a file. */
NODISCARD int change_rule_digest(int dir_fd, const char *name, const struct cancel *cancel,
                                 struct digest *out, struct err *err);
