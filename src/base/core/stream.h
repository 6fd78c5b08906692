/* base/core/stream.h - bytes in motion: readers and writers that stack.
 *
 * A reader or writer is a value that holds its operations and its state; filters hold a borrowed
 * pointer to the one below.  Errors are sticky: after a failure every later call fails with the
 * same kind.
 *
 * Threads: a stream belongs to one thread at a time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"

struct reader;
struct reader_ops {
    /* Reads 1..cap bytes (cap > 0) into `to`, their number into *n; *n 0 is the end. */
    int (*read)(struct reader *r, void *to, size_t cap, size_t *n, struct err *err);
    void (*close)(struct reader *r); /* frees r itself when it was allocated; may be NULL */
};
struct reader {
    const struct reader_ops *ops;
    bool has_failed;
    bool is_at_end;
    enum err_kind failure; /* valid when has_failed */
};

NODISCARD int reader_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err);
/* Reads exactly `len` bytes.  Fails: CORRUPT "ends after N of M bytes" at an early end. */
NODISCARD int reader_read_all(struct reader *r, void *to, size_t len, struct err *err);
/* Reads to the end into `b`.  Fails: LIMIT past the ceiling of `b`. */
NODISCARD int reader_slurp(struct reader *r, struct buf *b, struct err *err);
/* Drops `len` bytes. */
NODISCARD int reader_skip(struct reader *r, uint64_t len, struct err *err);
void reader_close(struct reader *r); /* NULL is fine; keeps errno */
DEFINE_AUTO(struct reader, reader_close)

struct writer;
struct writer_ops {
    int (*write)(struct writer *w, struct span bytes, struct err *err); /* all of bytes */
    int (*finish)(struct writer *w,
                  struct err *err);  /* trailer, flush; does not close; may be NULL */
    void (*close)(struct writer *w); /* may be NULL */
};
struct writer {
    const struct writer_ops *ops;
    bool has_failed;
    bool is_finished;
    enum err_kind failure; /* valid when has_failed */
};

NODISCARD int writer_write(struct writer *w, struct span bytes, struct err *err);
NODISCARD int writer_finish(struct writer *w, struct err *err); /* once; a second call is a no-op */
void writer_close(struct writer *w);
DEFINE_AUTO(struct writer, writer_close)

/* Copies all of `from` to `to` (not finishing it); *n_copied may be NULL. */
NODISCARD int stream_copy(struct reader *from, struct writer *to, uint64_t *n_copied,
                          struct err *err);

/* Sources and sinks.  Each returns an object freed by reader_close / writer_close. */
struct reader *reader_of_span(struct span bytes);                    /* borrows bytes */
struct reader *reader_of_fd(int fd, bool is_owner);                  /* read(2) */
struct reader *reader_limited(struct reader *below, uint64_t limit); /* borrows; LIMIT past it */
struct writer *writer_to_buf(struct buf *b);                         /* borrows b */
struct writer *writer_to_fd(int fd, bool is_owner);                  /* write(2), all of it */
struct writer *writer_tee(struct writer *a,
                          struct writer *b); /* borrows both; finish reaches both */
struct writer *writer_discard(void);
