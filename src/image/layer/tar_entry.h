/* image/layer/tar_entry.h - one entry of a tar archive, as reader and writer both see it.
 *
 * Paths are clean: relative, without leading "/", empty or "." components; ".." takes away the
 * component before it and never rises above the root, as docker and containerd treat it.  The root
 * folder itself is "".
 *
 * Spec:    POSIX.1-2017 pax "Interchange Format"; GNU tar "Extensions"; OCI image-spec layer.md.
 * Threads: plain values. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/core/err.h"
#include "base/core/span.h"

enum tar_type {
    TAR_FILE,
    TAR_HARD_LINK, /* `link` names an entry of the archive (or a file of a lower layer), clean */
    TAR_SYMLINK,   /* `link` is the text of the symlink, untouched */
    TAR_CHAR_DEVICE,
    TAR_BLOCK_DEVICE,
    TAR_FOLDER,
    TAR_FIFO,
};

struct tar_xattr {
    const char *name; /* "security.capability", "user.mime_type", ... */
    struct span value;
};

struct tar_entry {
    enum tar_type type;
    const char *path; /* clean; "" is the root */
    const char *link; /* hard links and symlinks, else "" */
    uint64_t size;    /* of a file's content, holes included; 0 for everything else */
    mode_t mode;      /* permission bits with setuid, setgid, sticky: at most 07777 */
    uint32_t uid, gid;
    const char *user_name,
        *group_name;       /* as the archive says, "" when it does not; only kept, never used */
    struct timespec mtime; /* tv_sec may be negative */
    uint32_t dev_major, dev_minor;  /* of devices */
    const struct tar_xattr *xattrs; /* sorted by name, each name once */
    size_t n_xattrs;
    bool is_sparse; /* the archive tells where the holes are: see tar_reader_chunk() */
};

/* Cleans `path` as described above into `out`, LIMIT_PATH bytes large.
 * Fails: INVALID (a NUL inside); LIMIT (too long, too deep). */
NODISCARD int tar_path_clean(struct span path, char *out, struct err *err);
const char *tar_type_name(enum tar_type type); /* "file", "hard link", ...: for messages */
