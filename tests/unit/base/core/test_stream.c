#include "base/core/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "base/core/mem.h"
#include "base/core/pool.h"
#include "tap.h"

/* A source that gives `chunk` bytes a time and fails at call `fails_at`. */
struct faulty_reader {
    struct reader base;
    struct span rest;
    size_t chunk;
    int n_calls, fails_at, n_closed;
};

static int faulty_read(struct reader *base, void *to, size_t cap, size_t *n, struct err *err)
{
    struct faulty_reader *r = (struct faulty_reader *)base;
    if (++r->n_calls == r->fails_at)
        return err_set(err, ERR_NETWORK, "connection reset");
    *n = cap < r->chunk ? cap : r->chunk;
    if (*n > r->rest.len)
        *n = r->rest.len;
    if (*n)
        memcpy(to, r->rest.ptr, *n);
    r->rest = span_skip(r->rest, *n);
    return 0;
}

static void faulty_close(struct reader *base)
{
    ((struct faulty_reader *)base)->n_closed++;
    errno = EBADF;
}

static const struct reader_ops faulty_reader_ops = { .read = faulty_read, .close = faulty_close };

struct faulty_writer {
    struct writer base;
    int n_calls, fails_at, n_finished, n_closed;
    bool finish_fails;
};

static int faulty_write(struct writer *base, struct span bytes, struct err *err)
{
    struct faulty_writer *w = (struct faulty_writer *)base;
    (void)bytes;
    return ++w->n_calls == w->fails_at ? err_set(err, ERR_SYSTEM, "disk full") : 0;
}

static int faulty_finish(struct writer *base, struct err *err)
{
    struct faulty_writer *w = (struct faulty_writer *)base;
    w->n_finished++;
    return w->finish_fails ? err_set(err, ERR_LIMIT, "trailer") : 0;
}

static const struct writer_ops faulty_writer_ops = { .write = faulty_write,
                                                     .finish = faulty_finish };

TEST("a reader that failed fails in the same kind and is not asked again")
{
    struct err err = { 0 };
    struct faulty_reader r = {
        .base.ops = &faulty_reader_ops, .rest = SPAN("abcdef"), .chunk = 2, .fails_at = 2
    };
    char to[10];
    size_t n;
    EXPECT_OK(reader_read(&r.base, to, sizeof to, &n, &err), &err);
    EXPECT_INT(n, 2);
    EXPECT_ERR(reader_read(&r.base, to, sizeof to, &n, &err), &err, ERR_NETWORK);
    EXPECT_INT(n, 0);
    EXPECT_ERR(reader_read(&r.base, to, sizeof to, &n, &err), &err, ERR_NETWORK);
    EXPECT_ERR(reader_read_all(&r.base, to, 1, &err), &err, ERR_NETWORK);
    EXPECT_ERR(reader_skip(&r.base, 1, &err), &err, ERR_NETWORK);
    EXPECT_INT(r.n_calls, 2);
}

TEST("after the end a reader is not asked again")
{
    struct err err = { 0 };
    struct faulty_reader r = { .base.ops = &faulty_reader_ops, .chunk = 2 };
    char to[10];
    size_t n = 9;
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(reader_read(&r.base, to, sizeof to, &n, &err), &err);
        EXPECT_INT(n, 0);
    }
    EXPECT_INT(r.n_calls, 1);
}

TEST("short reads are put together, an early end is CORRUPT and says where")
{
    struct err err = { 0 };
    struct faulty_reader r = { .base.ops = &faulty_reader_ops, .rest = SPAN("abcdef"), .chunk = 1 };
    char to[10] = "";
    EXPECT_OK(reader_read_all(&r.base, to, 4, &err), &err);
    EXPECT_STR(to, "abcd");
    EXPECT_OK(reader_read_all(&r.base, to, 0, &err), &err);
    EXPECT_ERR(reader_read_all(&r.base, to, 5, &err), &err, ERR_CORRUPT);
    EXPECT_STR(err.text, "ends after 2 of 5 bytes");
}

TEST("bytes are skipped, and an early end is CORRUPT")
{
    struct err err = { 0 };
    AUTO_FREE char *bytes = xcalloc(1, 100000);
    bytes[99999] = 'z';
    AUTO(reader_close) struct reader *r = reader_of_span(span_bytes(bytes, 100000));
    char last;
    EXPECT_OK(reader_skip(r, 0, &err), &err);
    EXPECT_OK(reader_skip(r, 99999, &err), &err);
    EXPECT_OK(reader_read_all(r, &last, 1, &err), &err);
    EXPECT_INT(last, 'z');
    EXPECT_ERR(reader_skip(r, UINT64_MAX, &err), &err, ERR_CORRUPT);
    EXPECT_STR(err.text, "ends after 0 of 18446744073709551615 bytes");
}

TEST("slurping takes exactly the ceiling, and one byte more is LIMIT")
{
    for (size_t ceiling = 4; ceiling <= 6; ceiling++) {
        struct err err = { 0 };
        AUTO_VALUE(buf_clear) struct buf b;
        buf_init(&b, ceiling);
        struct faulty_reader r = { .base.ops = &faulty_reader_ops,
                                   .rest = SPAN("abcde"),
                                   .chunk = 2 };
        if (ceiling < 5) {
            EXPECT_ERR(reader_slurp(&r.base, &b, &err), &err, ERR_LIMIT);
        } else {
            EXPECT_OK(reader_slurp(&r.base, &b, &err), &err);
            EXPECT_STR(b.data, "abcde");
        }
    }
}

TEST("a limited reader gives all within its limit, and one byte more is LIMIT for good")
{
    struct err err = { 0 };
    char to[10] = "";
    size_t n;
    AUTO(reader_close) struct reader *exact = reader_of_span(SPAN("abcd"));
    AUTO(reader_close) struct reader *within = reader_limited(exact, 4);
    EXPECT_OK(reader_read_all(within, to, 4, &err), &err);
    EXPECT_OK(reader_read(within, to, 4, &n, &err), &err);
    EXPECT_INT(n, 0);
    AUTO(reader_close) struct reader *more = reader_of_span(SPAN("abcd"));
    AUTO(reader_close) struct reader *past = reader_limited(more, 3);
    EXPECT_OK(reader_read(past, to, 10, &n, &err), &err);
    EXPECT_INT(n, 3);
    EXPECT_ERR(reader_read(past, to, 10, &n, &err), &err, ERR_LIMIT);
    EXPECT_STR(err.text, "more than 3 bytes");
    EXPECT_ERR(reader_read(past, to, 10, &n, &err), &err, ERR_LIMIT);
}

TEST("a writer that failed fails in the same kind, its finish too")
{
    struct err err = { 0 };
    struct faulty_writer w = { .base.ops = &faulty_writer_ops, .fails_at = 2 };
    EXPECT_OK(writer_write(&w.base, SPAN("a"), &err), &err);
    EXPECT_OK(writer_write(&w.base, SPAN(""), &err), &err);
    EXPECT_ERR(writer_write(&w.base, SPAN("b"), &err), &err, ERR_SYSTEM);
    EXPECT_ERR(writer_write(&w.base, SPAN("c"), &err), &err, ERR_SYSTEM);
    EXPECT_ERR(writer_finish(&w.base, &err), &err, ERR_SYSTEM);
    EXPECT_INT(w.n_calls, 2);
    EXPECT_INT(w.n_finished, 0);
}

TEST("finishing happens once; a failed finish stays failed")
{
    struct err err = { 0 };
    struct faulty_writer good = { .base.ops = &faulty_writer_ops };
    EXPECT_OK(writer_finish(&good.base, &err), &err);
    EXPECT_OK(writer_finish(&good.base, &err), &err);
    EXPECT_INT(good.n_finished, 1);
    struct faulty_writer bad = { .base.ops = &faulty_writer_ops, .finish_fails = true };
    EXPECT_ERR(writer_finish(&bad.base, &err), &err, ERR_LIMIT);
    EXPECT_ERR(writer_finish(&bad.base, &err), &err, ERR_LIMIT);
    EXPECT_INT(bad.n_finished, 1);
}

TEST("closing nothing is fine, and closing keeps errno")
{
    reader_close(NULL);
    writer_close(NULL);
    struct faulty_reader r = { .base.ops = &faulty_reader_ops };
    errno = 5;
    reader_close(&r.base);
    EXPECT_INT(errno, 5);
    EXPECT_INT(r.n_closed, 1);
}

TEST("a tee writes and finishes both; the failure of either is its own")
{
    struct err err = { 0 };
    struct faulty_writer a = { .base.ops = &faulty_writer_ops };
    struct faulty_writer b = { .base.ops = &faulty_writer_ops, .fails_at = 2 };
    AUTO(writer_close) struct writer *tee = writer_tee(&a.base, &b.base);
    EXPECT_OK(writer_write(tee, SPAN("x"), &err), &err);
    EXPECT_ERR(writer_write(tee, SPAN("y"), &err), &err, ERR_SYSTEM);
    EXPECT_ERR(writer_finish(tee, &err), &err, ERR_SYSTEM);
    EXPECT_INT(a.n_calls, 2);
    struct faulty_writer c = { .base.ops = &faulty_writer_ops };
    struct faulty_writer d = { .base.ops = &faulty_writer_ops };
    AUTO(writer_close) struct writer *both = writer_tee(&c.base, &d.base);
    EXPECT_OK(writer_finish(both, &err), &err);
    EXPECT_INT(c.n_finished + d.n_finished, 2);
}

struct feed {
    int fd;
    size_t n;
};

static void feed_pipe(void *arg)
{
    struct feed *feed = arg;
    struct err err = { 0 };
    AUTO(writer_close) struct writer *w = writer_to_fd(feed->fd, true);
    char piece[997];
    for (size_t done = 0; done < feed->n; done += sizeof piece) {
        memset(piece, (int)(done & 0x7f), sizeof piece);
        if (writer_write(w, span_bytes(piece, sizeof piece), &err) < 0)
            return;
    }
}

TEST("a pipe gives short reads and short writes, and every byte arrives")
{
    struct err err = { 0 };
    int fd[2];
    REQUIRE(pipe(fd) == 0);
    struct feed feed = { .fd = fd[1], .n = 997 * 700 };
    struct thread *t = NULL;
    REQUIRE_OK(thread_start(&t, "feed", feed_pipe, &feed, &err), &err);
    AUTO(reader_close) struct reader *r = reader_of_fd(fd[0], true);
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 1 << 20);
    AUTO(writer_close) struct writer *w = writer_to_buf(&b);
    uint64_t n = 0;
    EXPECT_OK(stream_copy(r, w, &n, &err), &err);
    thread_join(t);
    EXPECT_INT(n, 997 * 700);
    REQUIRE(b.len == 997 * 700);
    for (size_t i = 0; i < b.len; i++)
        if (b.data[i] != (char)((i / 997 * 997) & 0x7f)) {
            tap_fail(__FILE__, __LINE__, "byte %zu is wrong", i);
            break;
        }
}

TEST("descriptors that cannot be read or written tell why")
{
    struct err err = { 0 };
    char to[4];
    size_t n;
    AUTO(reader_close) struct reader *r = reader_of_fd(open("/", O_RDONLY | O_CLOEXEC), true);
    EXPECT_ERR(reader_read(r, to, 4, &n, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "read: is a directory");
    AUTO(writer_close)
    struct writer *w = writer_to_fd(open("/dev/full", O_WRONLY | O_CLOEXEC), true);
    EXPECT_ERR(writer_write(w, SPAN("x"), &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "write: no space left on device");
    EXPECT_INT(err.sys, ENOSPC);
}

TEST("a stream closes the descriptor that it owns and no other")
{
    int owned = open("/dev/null", O_RDWR | O_CLOEXEC), lent = open("/dev/null", O_RDWR | O_CLOEXEC);
    reader_close(reader_of_fd(owned, true));
    writer_close(writer_to_fd(lent, false));
    EXPECT_INT(fcntl(owned, F_GETFD), -1);
    EXPECT(fcntl(lent, F_GETFD) >= 0);
    close(lent);
}

TEST("a copy stops at the first failure of either end")
{
    struct err err = { 0 };
    struct faulty_reader r = {
        .base.ops = &faulty_reader_ops, .rest = SPAN("abcdef"), .chunk = 2, .fails_at = 3
    };
    AUTO(writer_close) struct writer *nowhere = writer_discard();
    EXPECT_ERR(stream_copy(&r.base, nowhere, NULL, &err), &err, ERR_NETWORK);
    struct faulty_writer w = { .base.ops = &faulty_writer_ops, .fails_at = 1 };
    AUTO(reader_close) struct reader *text = reader_of_span(SPAN("abc"));
    EXPECT_ERR(stream_copy(text, &w.base, NULL, &err), &err, ERR_SYSTEM);
    AUTO_VALUE(buf_clear) struct buf small;
    buf_init(&small, 2);
    AUTO(writer_close) struct writer *to_small = writer_to_buf(&small);
    EXPECT_ERR(writer_write(to_small, SPAN("abc"), &err), &err, ERR_LIMIT);
}

TAP_MAIN()
