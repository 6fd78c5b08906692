/* base/core/stream.c - what every stream promises, kept in one place, and the simple ends of a
 * chain. */
#include "base/core/stream.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/core/mem.h"

enum { CHUNK = 64 * 1024 };

int reader_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    assert(cap > 0);
    *n = 0;
    if (r->has_failed)
        return err_set(err, r->failure, "read: the stream has failed before");
    if (r->is_at_end)
        return 0;
    if (r->ops->read(r, to, cap, n, err) < 0) {
        r->has_failed = true;
        r->failure = err->kind;
        *n = 0;
        return -1;
    }
    assert(*n <= cap);
    r->is_at_end = *n == 0;
    return 0;
}

int reader_read_all(struct reader *r, void *to, size_t len, struct err *err)
{
    for (size_t done = 0, n; done < len; done += n) {
        if (reader_read(r, (char *)to + done, len - done, &n, err) < 0)
            return -1;
        if (n == 0)
            return err_set(err, ERR_CORRUPT, "ends after %zu of %zu bytes", done, len);
    }
    return 0;
}

int reader_slurp(struct reader *r, struct buf *b, struct err *err)
{
    for (;;) {
        size_t room = buf_room(b), n;
        if (room == 0) { /* full: right if this is the end */
            char one;
            if (reader_read(r, &one, 1, &n, err) < 0)
                return -1;
            return n ? err_set(err, ERR_LIMIT, "more than %zu bytes", b->ceiling) : 0;
        }
        size_t want = room < CHUNK ? room : CHUNK;
        if (reader_read(r, buf_reserve(b, want), want, &n, err) < 0)
            return -1;
        if (n == 0)
            return 0;
        buf_grown(b, n);
    }
}

int reader_skip(struct reader *r, uint64_t len, struct err *err)
{
    char scratch[16 * 1024];
    uint64_t done = 0;
    while (done < len) {
        size_t want = len - done < sizeof scratch ? (size_t)(len - done) : sizeof scratch, n;
        if (reader_read(r, scratch, want, &n, err) < 0)
            return -1;
        if (n == 0)
            return err_set(err, ERR_CORRUPT, "ends after %" PRIu64 " of %" PRIu64 " bytes", done,
                           len);
        done += n;
    }
    return 0;
}

void reader_close(struct reader *r)
{
    if (!r || !r->ops->close)
        return;
    int saved = errno;
    r->ops->close(r);
    errno = saved;
}

static int writer_fail(struct writer *w, const struct err *err)
{
    w->has_failed = true;
    w->failure = err->kind;
    return -1;
}

int writer_write(struct writer *w, struct span bytes, struct err *err)
{
    assert(!w->is_finished);
    if (w->has_failed)
        return err_set(err, w->failure, "write: the stream has failed before");
    if (bytes.len == 0)
        return 0;
    return w->ops->write(w, bytes, err) < 0 ? writer_fail(w, err) : 0;
}

int writer_finish(struct writer *w, struct err *err)
{
    if (w->has_failed)
        return err_set(err, w->failure, "finish: the stream has failed before");
    if (w->is_finished)
        return 0;
    if (w->ops->finish && w->ops->finish(w, err) < 0)
        return writer_fail(w, err);
    w->is_finished = true;
    return 0;
}

void writer_close(struct writer *w)
{
    if (!w || !w->ops->close)
        return;
    int saved = errno;
    w->ops->close(w);
    errno = saved;
}

int stream_copy(struct reader *from, struct writer *to, uint64_t *n_copied, struct err *err)
{
    AUTO_FREE char *chunk = xmalloc(CHUNK);
    uint64_t total = 0;
    size_t n;
    do {
        if (reader_read(from, chunk, CHUNK, &n, err) < 0 ||
            writer_write(to, span_bytes(chunk, n), err) < 0)
            return -1;
        total += n;
    } while (n > 0);
    if (n_copied)
        *n_copied = total;
    return 0;
}

/* ---- a span ---- */

struct span_reader {
    struct reader base;
    struct span rest; /* borrowed */
};

static int span_read(struct reader *base, void *to, size_t cap, size_t *n, struct err *err)
{
    struct span_reader *r = (struct span_reader *)base;
    (void)err;
    *n = cap < r->rest.len ? cap : r->rest.len;
    if (*n)
        memcpy(to, r->rest.ptr, *n);
    r->rest = span_skip(r->rest, *n);
    return 0;
}

static void reader_free(struct reader *base)
{
    free(base);
}

struct reader *reader_of_span(struct span bytes)
{
    static const struct reader_ops ops = { .read = span_read, .close = reader_free };
    struct span_reader *r = xcalloc(1, sizeof *r);
    *r = (struct span_reader){ .base.ops = &ops, .rest = bytes };
    return &r->base;
}

/* ---- a descriptor ---- */

struct fd_reader {
    struct reader base;
    int fd; /* owned when is_owner */
    bool is_owner;
};

static int fd_read(struct reader *base, void *to, size_t cap, size_t *n, struct err *err)
{
    struct fd_reader *r = (struct fd_reader *)base;
    ssize_t got;
    do
        got = read(r->fd, to, cap);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_sys(err, "read");
    *n = (size_t)got;
    return 0;
}

static void fd_reader_close(struct reader *base)
{
    struct fd_reader *r = (struct fd_reader *)base;
    if (r->is_owner)
        auto_close_fd(&r->fd);
    free(r);
}

struct reader *reader_of_fd(int fd, bool is_owner)
{
    static const struct reader_ops ops = { .read = fd_read, .close = fd_reader_close };
    struct fd_reader *r = xcalloc(1, sizeof *r);
    *r = (struct fd_reader){ .base.ops = &ops, .fd = fd, .is_owner = is_owner };
    return &r->base;
}

struct fd_writer {
    struct writer base;
    int fd; /* owned when is_owner */
    bool is_owner;
};

static int fd_write(struct writer *base, struct span bytes, struct err *err)
{
    struct fd_writer *w = (struct fd_writer *)base;
    while (bytes.len) {
        ssize_t n = write(w->fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "write");
        bytes = span_skip(bytes, (size_t)n);
    }
    return 0;
}

static void fd_writer_close(struct writer *base)
{
    struct fd_writer *w = (struct fd_writer *)base;
    if (w->is_owner)
        auto_close_fd(&w->fd);
    free(w);
}

struct writer *writer_to_fd(int fd, bool is_owner)
{
    static const struct writer_ops ops = { .write = fd_write, .close = fd_writer_close };
    struct fd_writer *w = xcalloc(1, sizeof *w);
    *w = (struct fd_writer){ .base.ops = &ops, .fd = fd, .is_owner = is_owner };
    return &w->base;
}

/* ---- filters and sinks ---- */

struct limited_reader {
    struct reader base;
    struct reader *below; /* borrowed */
    uint64_t limit, left;
};

static int limited_read(struct reader *base, void *to, size_t cap, size_t *n, struct err *err)
{
    struct limited_reader *r = (struct limited_reader *)base;
    char one;
    if (r->left == 0) { /* right if this is the end */
        if (reader_read(r->below, &one, 1, n, err) < 0)
            return -1;
        return *n ? err_set(err, ERR_LIMIT, "more than %" PRIu64 " bytes", r->limit) : 0;
    }
    if (reader_read(r->below, to, cap < r->left ? cap : (size_t)r->left, n, err) < 0)
        return -1;
    r->left -= *n;
    return 0;
}

struct reader *reader_limited(struct reader *below, uint64_t limit)
{
    static const struct reader_ops ops = { .read = limited_read, .close = reader_free };
    struct limited_reader *r = xcalloc(1, sizeof *r);
    *r = (struct limited_reader){ .base.ops = &ops, .below = below, .limit = limit, .left = limit };
    return &r->base;
}

struct buf_writer {
    struct writer base;
    struct buf *buf; /* borrowed */
};

static int buf_write(struct writer *base, struct span bytes, struct err *err)
{
    return buf_append(((struct buf_writer *)base)->buf, bytes, err);
}

static void writer_free(struct writer *base)
{
    free(base);
}

struct writer *writer_to_buf(struct buf *b)
{
    static const struct writer_ops ops = { .write = buf_write, .close = writer_free };
    struct buf_writer *w = xcalloc(1, sizeof *w);
    *w = (struct buf_writer){ .base.ops = &ops, .buf = b };
    return &w->base;
}

struct tee_writer {
    struct writer base;
    struct writer *a, *b; /* borrowed */
};

static int tee_write(struct writer *base, struct span bytes, struct err *err)
{
    struct tee_writer *w = (struct tee_writer *)base;
    return writer_write(w->a, bytes, err) < 0 ? -1 : writer_write(w->b, bytes, err);
}

static int tee_finish(struct writer *base, struct err *err)
{
    struct tee_writer *w = (struct tee_writer *)base;
    return writer_finish(w->a, err) < 0 ? -1 : writer_finish(w->b, err);
}

struct writer *writer_tee(struct writer *a, struct writer *b)
{
    static const struct writer_ops ops = { .write = tee_write,
                                           .finish = tee_finish,
                                           .close = writer_free };
    struct tee_writer *w = xcalloc(1, sizeof *w);
    *w = (struct tee_writer){ .base.ops = &ops, .a = a, .b = b };
    return &w->base;
}

static int discard_write(struct writer *base, struct span bytes, struct err *err)
{
    (void)base, (void)bytes, (void)err;
    return 0;
}

struct writer *writer_discard(void)
{
    static const struct writer_ops ops = { .write = discard_write, .close = writer_free };
    struct writer *w = xcalloc(1, sizeof *w);
    w->ops = &ops;
    return w;
}
