/* base/sys/fs.h - files and folders: checked system calls and the few patterns the house relies on.
 *
 * Paths given to the *_in_root calls come from images and contexts: they are resolved with
 * openat2(RESOLVE_IN_ROOT) below a directory descriptor, so that no symlink and no ".." leaves it.
 * All descriptors are close-on-exec.  Threads: no state. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "base/core/vec.h"

/* Opens `path` below `root_fd`, which symlinks see as "/".  O_CLOEXEC is added.
 * Fails by errno: NOT_FOUND, DENIED, SYSTEM. */
NODISCARD int fs_open_in_root(int root_fd, const char *path, int flags, mode_t mode, int *out,
                              struct err *err);
/* Opens a regular file to read it.  Others are not opened at all, since opening a device acts: a
 * tape rewinds, a watchdog starts to count.  Fails by errno; INVALID: it is something else. */
NODISCARD int fs_open_file_in_root(int root_fd, const char *path, int *out, struct err *err);
/* Plain openat(2) with O_CLOEXEC, for our own paths. */
NODISCARD int fs_open(int dir_fd, const char *path, int flags, mode_t mode, int *out,
                      struct err *err);
NODISCARD int fs_read_file(int dir_fd, const char *path, struct buf *out,
                           struct err *err); /* LIMIT past out's ceiling */
NODISCARD int fs_read_fd(int fd, struct buf *out, struct err *err);
NODISCARD int fs_write_all(int fd, struct span bytes, struct err *err);
/* Writes a file that appears whole or not at all: temporary file, optional fsync, rename. */
NODISCARD int fs_write_file(int dir_fd, const char *path, struct span bytes, mode_t mode, bool sync,
                            struct err *err);
/* A nameless file in the folder (O_TMPFILE; a random name that fs_publish() removes where the file
 * system has no O_TMPFILE). */
NODISCARD int fs_open_temporary(int dir_fd, mode_t mode, int *out, struct err *err);
/* Gives the nameless file its name below dir_fd; one that is there already is a success. */
NODISCARD int fs_publish(int fd, int dir_fd, const char *path, struct err *err);
/* mkdir -p below dir_fd; "" and "." are fine. */
NODISCARD int fs_make_dirs(int dir_fd, const char *path, mode_t mode, struct err *err);
/* rm -rf: never follows symlinks, makes unreadable folders of ours readable first, absent is a
 * success. */
NODISCARD int fs_remove_tree(int dir_fd, const char *path, struct err *err);
/* Copies the first `size` bytes of one open file to another at their current offsets: reflink, else
 * copy_file_range, else read and write. */
NODISCARD int fs_copy_bytes(int from_fd, int to_fd, uint64_t size, struct err *err);
/* Names in a folder but "." and "..", sorted bytewise. */
NODISCARD int fs_list(int dir_fd, const char *path, struct str_list *out, struct err *err);
bool fs_exists(int dir_fd, const char *path); /* lstat succeeds */
/* Text of a symlink.  Fails as readlinkat(2). */
NODISCARD int fs_read_link(int dir_fd, const char *path, char **out, struct err *err);
/* An advisory lock for the life of *out_fd (flock on a created file).  wait false: fails with
 * EXISTS when somebody holds it. */
NODISCARD int fs_lock(int dir_fd, const char *path, bool is_exclusive, bool wait, int *out_fd,
                      struct err *err);

/* Extended attributes of a path that is not followed (llistxattr below a descriptor via
 * /proc/self/fd or *at calls).  A missing attribute gives 0 with *is_there false. */
NODISCARD int fs_get_xattr(int dir_fd, const char *path, const char *name, struct buf *value,
                           bool *is_there, struct err *err);
NODISCARD int fs_list_xattrs(int dir_fd, const char *path, struct str_list *names,
                             struct err *err); /* sorted */
NODISCARD int fs_set_xattr(int dir_fd, const char *path, const char *name, struct span value,
                           struct err *err);
