/* tests/unit/base/codec/test_compress.c - gzip and zstd written: the same bytes always, and read by
 * gzip, zstd, bsdtar and python. */
#include "base/codec/compress.h"

#include "samples.h"

/* ---- names ---- */

TEST("compressions are named, parsed and recognised by their first bytes")
{
    enum compression c;
    struct err err = { 0 };
    for (c = COMPRESSION_NONE; c <= COMPRESSION_ESTARGZ; c++) {
        enum compression back = COMPRESSION_NONE;
        EXPECT_OK(compression_parse(compression_name(c), &back, &err), &err);
        EXPECT_INT(back, c);
    }
    EXPECT_OK(compression_parse("none", &c, &err), &err);
    EXPECT_INT(c, COMPRESSION_NONE);
    EXPECT_ERR(compression_parse("xz", &c, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "\"xz\": is none of uncompressed, gzip, zstd, estargz");
    EXPECT_ERR(compression_parse(NULL, &c, &err), &err, ERR_INVALID);
    EXPECT_INT(compression_sniff(SPAN("\x1f\x8b\x08\0")), COMPRESSION_GZIP);
    EXPECT_INT(compression_sniff(SPAN("\x28\xb5\x2f\xfd")), COMPRESSION_ZSTD);
    EXPECT_INT(compression_sniff(SPAN("\x5e\x2a\x4d\x18")), COMPRESSION_ZSTD);
    EXPECT_INT(compression_sniff(SPAN("\x1f\x8b")), COMPRESSION_NONE);
    EXPECT_INT(compression_sniff(SPAN("")), COMPRESSION_NONE);
    EXPECT_INT(compression_sniff(SPAN("PK\3\4")), COMPRESSION_NONE);
}

/* ---- determinism ---- */

static void expect_same_bytes(enum compression c)
{
    AUTO_FREE char *bytes = make_mixed();
    struct span mixed = span_bytes(bytes, MIXED);
    AUTO_VALUE(buf_clear) struct buf want = compress(mixed, c, -1, 2, MIB);
    expect_content(buf_span(&want), c, mixed);
    static const struct {
        size_t n_threads, step;
    } rows[] = { { 0, MIB }, { 1, MIB }, { 8, MIB }, { 2, 1 }, { 8, 4097 }, { 1, MIXED } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_VALUE(buf_clear)
        struct buf got = compress(mixed, c, -1, rows[i].n_threads, rows[i].step);
        EXPECT(span_equal(buf_span(&got), buf_span(&want)));
    }
}

TEST("gzip is the same for any number of threads and any cut of the writes")
{
    expect_same_bytes(COMPRESSION_GZIP);
}

TEST("zstd is the same for any number of threads and any cut of the writes")
{
    expect_same_bytes(COMPRESSION_ZSTD);
}

TEST("zstd of several jobs is the same for any number of threads")
{
    enum { LEN = 9 * 1024 * 1024 + 77 };
    AUTO_FREE char *bytes = xmalloc(LEN);
    uint64_t state = 5;
    fill_text(bytes, LEN, &state);
    AUTO_VALUE(buf_clear)
    struct buf one = compress(span_bytes(bytes, LEN), COMPRESSION_ZSTD, -1, 1, 65536);
    AUTO_VALUE(buf_clear)
    struct buf four = compress(span_bytes(bytes, LEN), COMPRESSION_ZSTD, -1, 4, 1000003);
    EXPECT(span_equal(buf_span(&one), buf_span(&four)));
    expect_content(buf_span(&four), COMPRESSION_ZSTD, span_bytes(bytes, LEN));
}

TEST("every level gives the content back")
{
    AUTO_FREE char *bytes = make_mixed();
    struct span mixed = span_bytes(bytes, MIXED / 3);
    size_t previous = SIZE_MAX;
    for (int level = 0; level <= 10; level += 2) {
        AUTO_VALUE(buf_clear)
        struct buf gz = compress(mixed, COMPRESSION_GZIP, level, 2, MIB);
        expect_content(buf_span(&gz), COMPRESSION_GZIP, mixed);
        EXPECT(gz.len <= previous);
        previous = gz.len;
        AUTO_VALUE(buf_clear)
        struct buf zst = compress(mixed, COMPRESSION_ZSTD, level, 2, MIB);
        expect_content(buf_span(&zst), COMPRESSION_ZSTD, mixed);
    }
}

static void expect_lengths(enum compression c)
{
    AUTO_FREE char *bytes = make_mixed();
    static const size_t lengths[] = { 0,     1,     4095,           4096,           32767,
                                      32768, 32769, GZIP_BLOCK - 1, GZIP_BLOCK,     GZIP_BLOCK + 1,
                                      65535, 65536, 2 * GZIP_BLOCK, 3 * GZIP_BLOCK, 4 };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (size_t from = 0; from < 200000; from += 199999) {
            struct span content = span_bytes(bytes + from, lengths[i]);
            AUTO_VALUE(buf_clear) struct buf b = compress(content, c, -1, 2, MIB);
            EXPECT(b.len > 0);
            expect_content(buf_span(&b), c, content);
        }
}

TEST("gzip of lengths around every boundary, nothing included, comes back")
{
    expect_lengths(COMPRESSION_GZIP);
}

TEST("zstd of lengths around every boundary, nothing included, comes back")
{
    expect_lengths(COMPRESSION_ZSTD);
}

TEST("uncompressed passes bytes in both directions")
{
    AUTO_VALUE(buf_clear) struct buf b = compress(SPAN("hello"), COMPRESSION_NONE, -1, 0, 2);
    EXPECT(span_is(buf_span(&b), "hello"));
    expect_content(SPAN("hello"), COMPRESSION_NONE, SPAN("hello"));
}

/* ---- witnesses ---- */

/* `command` with %s for the file prints the content. */
static void expect_witness(const char *program, const char *arguments, enum compression c,
                           struct span content)
{
    AUTO_VALUE(buf_clear) struct buf b = compress(content, c, -1, 2, MIB);
    AUTO_FREE char *path = put_file("compressed", buf_span(&b));
    AUTO_FREE char *command = xasprintf("%s %s <%s", program, arguments, path);
    int status;
    AUTO_VALUE(buf_clear) struct buf got = run(command, &status);
    EXPECT_INT(status, 0);
    EXPECT(span_equal(buf_span(&got), content));
}

static void expect_all_read(const char *program, const char *arguments, enum compression c)
{
    if (!has_program(program))
        SKIP("the witness is not installed");
    AUTO_FREE char *bytes = make_mixed();
    expect_witness(program, arguments, c, span_bytes(bytes, MIXED));
    expect_witness(program, arguments, c, span_bytes(bytes, 100));
    expect_witness(program, arguments, c, span_bytes(bytes, 0));
}

TEST("gzip(1) reads ours")
{
    expect_all_read("gzip", "-dc", COMPRESSION_GZIP);
}

TEST("python reads ours")
{
    expect_all_read("python3",
                    "-c 'import gzip,sys; sys.stdout.buffer.write("
                    "gzip.GzipFile(fileobj=sys.stdin.buffer).read())'",
                    COMPRESSION_GZIP);
}

TEST("zstd(1) reads ours")
{
    expect_all_read("zstd", "-dc", COMPRESSION_ZSTD);
}

static void expect_bsdtar_reads(enum compression c)
{
    if (!has_program("bsdtar") || !has_program("tar"))
        SKIP("needs bsdtar and tar");
    AUTO_FREE char *bytes = make_mixed();
    free(put_file("content", span_bytes(bytes, MIXED)));
    AUTO_FREE char *pack = xasprintf("tar -C %s -cf - content", tap_dir());
    int status;
    AUTO_VALUE(buf_clear) struct buf tar = run(pack, &status);
    EXPECT_INT(status, 0);
    AUTO_VALUE(buf_clear) struct buf b = compress(buf_span(&tar), c, -1, 2, MIB);
    AUTO_FREE char *path = put_file("layer", buf_span(&b));
    AUTO_FREE char *unpack = xasprintf("bsdtar -xOf %s content", path);
    AUTO_VALUE(buf_clear) struct buf got = run(unpack, &status);
    EXPECT_INT(status, 0);
    EXPECT(span_equal(buf_span(&got), span_bytes(bytes, MIXED)));
}

TEST("bsdtar reads a layer of ours in gzip")
{
    expect_bsdtar_reads(COMPRESSION_GZIP);
}

TEST("bsdtar reads a layer of ours in zstd")
{
    expect_bsdtar_reads(COMPRESSION_ZSTD);
}

TEST("layers of machine code and text are no larger than gzip -6 makes them")
{
    int status;
    AUTO_VALUE(buf_clear)
    struct buf tar =
        run("tar -C / -cf - usr/bin/git usr/bin/perl usr/lib/x86_64-linux-gnu/perl-base "
            "usr/share/doc/git usr/share/perl 2>/dev/null | head -c 16000000",
            &status);
    if (tar.len < 8000000 || !has_program("gzip"))
        SKIP("needs gzip, git and perl");
    AUTO_FREE char *path = put_file("tar", buf_span(&tar));
    AUTO_FREE char *command = xasprintf("gzip -6 -c %s", path);
    AUTO_VALUE(buf_clear) struct buf theirs = run(command, &status);
    AUTO_VALUE(buf_clear)
    struct buf ours = compress(buf_span(&tar), COMPRESSION_GZIP, -1, 2, MIB);
    printf("# %zu bytes, gzip -6 %zu, ours %zu\n", tar.len, theirs.len, ours.len);
    EXPECT(ours.len <= theirs.len);
}

TEST("what cannot be compressed is stored at a cost of less than 0.1 %")
{
    enum { LEN = 4 * 1024 * 1024 };
    AUTO_FREE char *bytes = xmalloc(LEN);
    uint64_t state = 7;
    fill_random(bytes, LEN, &state);
    AUTO_VALUE(buf_clear)
    struct buf b = compress(span_bytes(bytes, LEN), COMPRESSION_GZIP, -1, 2, MIB);
    EXPECT(b.len > LEN && b.len < LEN + LEN / 1000);
    memcpy(bytes + 20000, bytes, 20000); /* looks random, but repeats */
    memcpy(bytes + 40000, bytes, 20000);
    AUTO_VALUE(buf_clear)
    struct buf c = compress(span_bytes(bytes, 60000), COMPRESSION_GZIP, -1, 2, MIB);
    EXPECT(c.len < 35000);
}

/* ---- faults and threads ---- */

/* A writer that takes `left` bytes and then fails. */
struct short_writer {
    struct writer base;
    size_t left;
};

static int short_write(struct writer *base, struct span bytes, struct err *err)
{
    struct short_writer *w = (struct short_writer *)base;
    if (bytes.len > w->left)
        return err_set(err, ERR_LIMIT, "disk full");
    w->left -= bytes.len;
    return 0;
}

static const struct writer_ops short_ops = { .write = short_write };

TEST("a failure below comes up, whenever it happens, and all is freed")
{
    AUTO_FREE char *bytes = make_mixed();
    for (enum compression c = COMPRESSION_GZIP; c <= COMPRESSION_ZSTD; c++)
        for (size_t room = 0; room < 500000; room += 124999) {
            AUTO(pool_free) struct pool *pool = pool_new(2);
            struct short_writer below = { .base.ops = &short_ops, .left = room };
            AUTO(writer_close) struct writer *w = writer_compressing(&below.base, c, -1, pool);
            struct err err = { 0 };
            int result = 0;
            for (size_t at = 0; at < MIXED && result == 0; at += 50000)
                result = writer_write(
                    w, span_bytes(bytes + at, MIXED - at < 50000 ? MIXED - at : 50000), &err);
            if (result == 0)
                result = writer_finish(w, &err);
            EXPECT_INT(result, -1);
            EXPECT_INT(err.kind, ERR_LIMIT);
        }
}

TEST("a writer closed before its end leaves nothing running")
{
    AUTO_FREE char *bytes = make_mixed();
    for (enum compression c = COMPRESSION_GZIP; c <= COMPRESSION_ZSTD; c++) {
        AUTO(pool_free) struct pool *pool = pool_new(2);
        AUTO(writer_close) struct writer *to = writer_discard();
        AUTO(writer_close) struct writer *w = writer_compressing(to, c, -1, pool);
        struct err err = { 0 };
        EXPECT_OK(writer_write(w, span_bytes(bytes, MIXED), &err), &err);
    }
}

struct nested {
    struct pool *pool;
    struct span content;
    struct buf out;
};

static int compress_in_task(void *arg, struct err *err)
{
    struct nested *n = arg;
    AUTO(writer_close) struct writer *to = writer_to_buf(&n->out);
    AUTO(writer_close)
    struct writer *w = writer_compressing(to, COMPRESSION_GZIP, -1, n->pool);
    return writer_write(w, n->content, err) < 0 ? -1 : writer_finish(w, err);
}

TEST("writers inside tasks of the same pool finish, with one thread and with two")
{
    AUTO_FREE char *bytes = make_mixed();
    struct span content = span_bytes(bytes, MIXED);
    AUTO_VALUE(buf_clear) struct buf want = compress(content, COMPRESSION_GZIP, -1, 0, MIB);
    for (size_t n_threads = 1; n_threads <= 2; n_threads++) {
        AUTO(pool_free) struct pool *pool = pool_new(n_threads);
        AUTO(task_group_free) struct task_group *g = task_group_new(pool, 0);
        struct nested all[3];
        for (size_t i = 0; i < 3; i++) {
            all[i] = (struct nested){ .pool = pool, .content = content };
            buf_init(&all[i].out, (size_t)(64 * MIB));
            task_group_add(g, compress_in_task, &all[i]);
        }
        struct err err = { 0 };
        EXPECT_OK(task_group_wait(g, &err), &err);
        for (size_t i = 0; i < 3; i++) {
            EXPECT(span_equal(buf_span(&all[i].out), buf_span(&want)));
            buf_clear(&all[i].out);
        }
    }
}

/* ---- cuts ---- */

/* Cut before each of `at` (ascending, n); where the members begin in `offsets`. */
static struct buf compress_cut(struct span content, struct pool *pool, const size_t *at, size_t n,
                               uint64_t *offsets)
{
    struct buf out;
    struct err err = { 0 };
    size_t done = 0;
    buf_init(&out, (size_t)(64 * MIB));
    AUTO(writer_close) struct writer *to = writer_to_buf(&out);
    AUTO(writer_close) struct writer *w = writer_compressing(to, COMPRESSION_GZIP, -1, pool);
    for (size_t i = 0; i < n; i++) {
        struct span part = span_first(span_skip(content, done), at[i] - done);
        EXPECT_OK(writer_write(w, part, &err), &err);
        EXPECT_OK(gzip_writer_cut(w, &offsets[i], &err), &err);
        done = at[i];
        if (i == n / 2)
            EXPECT_OK(gzip_writer_flush(w, &err), &err);
    }
    EXPECT_OK(writer_write(w, span_skip(content, done), &err), &err);
    EXPECT_OK(writer_finish(w, &err), &err);
    return out;
}

TEST("gzip that is cut is read from each cut on, whatever the threads")
{
    AUTO_FREE char *bytes = make_mixed();
    struct span content = span_bytes(bytes, MIXED);
    static const size_t at[] = { 0, 0, 1, 5000, GZIP_BLOCK - 1, GZIP_BLOCK, GZIP_BLOCK + 1, MIXED };
    enum { N = sizeof at / sizeof *at };
    uint64_t first[N];
    AUTO_VALUE(buf_clear) struct buf want = compress_cut(content, NULL, at, N, first);
    expect_content(buf_span(&want), COMPRESSION_GZIP, content);
    for (size_t i = 0; i < N; i++)
        if (at[i] < MIXED)
            expect_content(span_skip(buf_span(&want), first[i]), COMPRESSION_GZIP,
                           span_skip(content, at[i]));
    EXPECT_INT(first[N - 1], want.len);
    for (size_t n_threads = 1; n_threads <= 4; n_threads += 3) {
        uint64_t offsets[N];
        AUTO(pool_free) struct pool *pool = pool_new(n_threads);
        AUTO_VALUE(buf_clear) struct buf got = compress_cut(content, pool, at, N, offsets);
        EXPECT(span_equal(buf_span(&got), buf_span(&want)));
        EXPECT(memcmp(offsets, first, sizeof first) == 0);
    }
}

TEST("there may be more cuts than a block can hold")
{
    enum { N = 3000 };
    static size_t at[N];
    static uint64_t offsets[N];
    AUTO_FREE char *bytes = make_mixed();
    struct span content = span_bytes(bytes, MIXED);
    for (size_t i = 0; i < N; i++)
        at[i] = i;
    AUTO_VALUE(buf_clear) struct buf got = compress_cut(content, NULL, at, N, offsets);
    expect_content(buf_span(&got), COMPRESSION_GZIP, content);
    for (size_t i = 0; i < N; i += 499)
        expect_content(span_skip(buf_span(&got), offsets[i]), COMPRESSION_GZIP,
                       span_skip(content, at[i]));
}

TAP_MAIN()
