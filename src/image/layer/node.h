/* image/layer/node.h - attributes that the file system cannot hold, and how they are held all the
 * same.
 *
 * In a user namespace with one id a chown to another id fails, in any user namespace mknod of a
 * device fails, and without privilege a mode that shuts the owner out would shut us out too.  Then
 * the file gets the nearest attributes possible, and the wanted ones are kept in its extended
 * attribute `user.kiln.node`.  Whoever in kiln asks for attributes asks here and is told the wanted
 * ones.
 *
 * The attribute's value is text: fields `KEY=NUMBER` separated by one blank, each at most once, in
 * this order, each only when it differs from what the file system holds: u, g   owner and group,
 * decimal m      permission bits, octal, at most 7777 (only where the real ones had to be wider) c,
 * b   this empty file stands for a character or block device MAJOR:MINOR, decimal A capability that
 * may not be set is kept in `user.kiln.capability`, byte by byte.
 *
 * A process that is not root counts as root of what it owns: its files without an override are 0:0.
 *
 * What is lost: symlinks, fifos, sockets and real devices cannot carry user.* attributes, so where
 * their owner cannot be set they keep ours, which layers then show as 0:0.
 *
 * Paths here are one name, or names whose parents are no symlinks (as walks give): symlinked
 * parents would be followed outside the root; "." is the folder itself.  The last component is
 * never followed. Threads: no state. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/sys/user.h"

#define NODE_XATTR "user.kiln.node"
#define NODE_XATTR_CAPABILITY "user.kiln.capability"
#define NODE_XATTR_PREFIX "user.kiln." /* never shown to, never taken from images */

struct node_stat {
    mode_t mode; /* type and permission bits */
    uint32_t uid, gid;
    dev_t rdev;    /* of devices */
    uint64_t size; /* 0 for a device that an empty file stands for */
    struct timespec mtime, ctime;
    dev_t dev;
    uint64_t ino;
    uint64_t nlink;
    bool has_override; /* some value above comes from NODE_XATTR */
};

/* Whether overrides can occur in trees that a process like this one writes: false only for uid 0
 * with the whole id range and the capabilities to chown, mknod and override modes (then one system
 * call per file is saved).  So a store belongs to one kind of process.  ids NULL: true. */
bool node_may_override(const struct id_map *ids);
/* Whether modes bind this process: one without read for the owner would shut it out. */
bool node_is_shut_out(void);

/* As lstat.  `ids` as in node_may_override().  Fails by errno; CORRUPT for an override that is
 * none. */
NODISCARD int node_stat(int dir_fd, const char *path, const struct id_map *ids,
                        struct node_stat *out, struct err *err);
/* The same for an open file or folder (no O_PATH descriptor). */
NODISCARD int node_stat_fd(int fd, const struct id_map *ids, struct node_stat *out,
                           struct err *err);
/* The same when fstat or fstatat was done already: completes `st` by the override of dir_fd/path.
 */
NODISCARD int node_stat_from(const struct stat *st, int dir_fd, const char *path,
                             const struct id_map *ids, struct node_stat *out, struct err *err);

/* Gives owner and permission bits: chown where it works, then chmod, else the override; removes an
 * override that is no longer needed.  Content that chown strips (setuid bits, capabilities) is the
 * caller's order to keep: owner and mode first, capability after.  mode: 07777 at most; ignored for
 * symlinks.  Fails: UNSUPPORTED with a hint where the file system
 * has no user.* attributes; SYSTEM, DENIED. */
NODISCARD int node_set_attributes(int dir_fd, const char *path, uint32_t uid, uint32_t gid,
                                  mode_t mode, struct err *err);
/* Only the owner or only the mode; the other is kept as node_stat() shows it. */
NODISCARD int node_set_owner(int dir_fd, const char *path, uint32_t uid, uint32_t gid,
                             struct err *err);
NODISCARD int node_set_mode(int dir_fd, const char *path, mode_t mode, struct err *err);

/* What a new device is to be. */
struct node_device {
    mode_t mode; /* S_IFCHR or S_IFBLK, and permission bits */
    dev_t rdev;
    uint32_t uid, gid;
};
/* Makes a device, or an empty file with an override where mknod is forbidden.
 * Fails: EXISTS; UNSUPPORTED; SYSTEM. */
NODISCARD int node_make_device(int dir_fd, const char *name, const struct node_device *device,
                               struct err *err);

/* security.capability of a file, wherever it is kept; *is_there false when it has none. */
NODISCARD int node_get_capability(int dir_fd, const char *path, struct buf *value, bool *is_there,
                                  struct err *err);
NODISCARD int node_set_capability(int dir_fd, const char *path, struct span value, struct err *err);
