/* image/layer/tar_writer.h - tar archives as a function of their entries alone.
 *
 * Each header is plain ustar when all values fit (a long path is split at a "/" into prefix and
 * name); else a PAX header goes before it with exactly the records that Go's archive/tar would
 * write: path and linkpath when too long or not ASCII, size, uid, gid and mtime when too large or
 * with a fraction, uname and gname likewise, SCHILY.xattr.* always; records are sorted by key.
 * Hence a layer has the same bytes as one that BuildKit makes of the same entries.  No clock, no
 * process id, no user names of its own; the archive ends with two zero blocks.
 *
 * Spec:    POSIX.1-2017 pax "Interchange Format".
 * Threads: a tar_writer belongs to one thread. */
#pragma once
#include "base/core/err.h"
#include "base/core/own.h"
#include "base/core/stream.h"
#include "image/layer/tar_entry.h"

struct tar_writer;
/* Who looks on while an archive is written, and may add to it at both ends. */
struct tar_watch {
    /* Before the first entry, and after the last one. */
    int (*begin)(void *arg, struct tar_writer *t, struct err *err);
    int (*end)(void *arg, struct tar_writer *t, struct err *err);
    /* The header of `e` has gone to the writer below, which gets its content next: path as written
     * there, with a folder's "/", e->mtime too. */
    void (*entry)(void *arg, const char *path, const struct tar_entry *e);
    void *arg;
};

struct tar_writer_options {
    bool has_epoch; /* SOURCE_DATE_EPOCH: mtimes after `epoch` become it */
    int64_t epoch;  /* seconds */
    bool keeps_ns;  /* false: mtimes are cut to whole seconds, as in BuildKit's layers */
    const struct tar_watch *watch; /* borrowed; NULL: nobody */
};

/* Borrows `below`; copies `options` (NULL: all false). */
struct tar_writer *tar_writer_new(struct writer *below, const struct tar_writer_options *options);
void tar_writer_free(struct tar_writer *t);
DEFINE_AUTO(struct tar_writer, tar_writer_free)

/* Writes the header of `e`; a file's e->size bytes must follow through tar_writer_write() before
 * the next entry.  The path of a folder gets its trailing "/", the root is "./". Fails: INVALID
 * when the content before was incomplete or a value cannot be told in PAX (a "=" or NUL in an
 * xattr's name, a NUL in a path); what `below` fails with. */
NODISCARD int tar_writer_entry(struct tar_writer *t, const struct tar_entry *e, struct err *err);
/* Content of the entry begun last.  Fails: INVALID past its size. */
NODISCARD int tar_writer_write(struct tar_writer *t, struct span bytes, struct err *err);
/* Ends the archive; does not finish `below`.  Fails: INVALID when content is missing. */
NODISCARD int tar_writer_finish(struct tar_writer *t, struct err *err);
