/* tests/unit/base/codec/test_decompress.c - gzip and zstd read: what other programs wrote, and what
 * is cut, damaged or hostile. */
#include "base/codec/compress.h"

#include "samples.h"

static void expect_reads(const char *program, const char *arguments, enum compression c)
{
    if (!has_program(program))
        SKIP("the witness is not installed");
    AUTO_FREE char *bytes = make_mixed();
    for (size_t len = 0; len <= MIXED; len = len ? len * 40 : 1) {
        AUTO_FREE char *path = put_file("content", span_bytes(bytes, len));
        AUTO_FREE char *command = xasprintf("%s %s %s", program, arguments, path);
        int status;
        AUTO_VALUE(buf_clear) struct buf compressed = run(command, &status);
        EXPECT_INT(status, 0);
        EXPECT_INT(compression_sniff(buf_span(&compressed)), c);
        expect_content(buf_span(&compressed), c, span_bytes(bytes, len));
    }
}

TEST("what gzip(1) wrote, with name and time, is read")
{
    expect_reads("gzip", "-9 -N -c", COMPRESSION_GZIP);
}

TEST("what zstd(1) wrote is read")
{
    expect_reads("zstd", "-19 -q -c", COMPRESSION_ZSTD);
}

/* ---- refusals ---- */

/* A small file with a stored and a compressed part, in `c`. */
static struct buf make_small(enum compression c, struct buf *content)
{
    uint64_t state = 3;
    buf_init(content, 65536);
    fill_random(buf_reserve(content, 300), 300, &state);
    buf_grown(content, 300);
    for (int i = 0; i < 40; i++)
        buf_printf(content, "line %d of a text\n", i % 7);
    return compress(buf_span(content), c, -1, 0, 100);
}

static void expect_truncation_seen(enum compression c)
{
    AUTO_VALUE(buf_clear) struct buf content;
    AUTO_VALUE(buf_clear) struct buf b = make_small(c, &content);
    for (size_t len = 0; len < b.len; len++) {
        AUTO_VALUE(buf_clear) struct buf got;
        buf_init(&got, 65536);
        struct err err = { 0 };
        EXPECT_ERR(decompress(span_first(buf_span(&b), len), c, &got, &err), &err, ERR_CORRUPT);
    }
}

TEST("gzip cut short anywhere is corrupt")
{
    expect_truncation_seen(COMPRESSION_GZIP);
}

TEST("zstd cut short anywhere is corrupt")
{
    expect_truncation_seen(COMPRESSION_ZSTD);
}

static void expect_damage_seen(enum compression c)
{
    AUTO_VALUE(buf_clear) struct buf content;
    AUTO_VALUE(buf_clear) struct buf b = make_small(c, &content);
    int n_refused = 0;
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        AUTO_VALUE(buf_clear) struct buf got;
        buf_init(&got, 65536);
        struct err err = { 0 };
        b.data[bit / 8] ^= (char)(1 << bit % 8);
        if (decompress(buf_span(&b), c, &got, &err) == 0)
            EXPECT(span_equal(buf_span(&got), buf_span(&content))); /* it was no content */
        else
            n_refused++;
        b.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    EXPECT(n_refused > 7 * (int)b.len);
}

TEST("no flipped bit of gzip changes content unseen")
{
    expect_damage_seen(COMPRESSION_GZIP);
}

TEST("no flipped bit of zstd changes content unseen")
{
    expect_damage_seen(COMPRESSION_ZSTD);
}

static int decompress_joined(struct span a, struct span b, enum compression c, struct buf *out,
                             struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf joined;
    buf_init(&joined, MIB);
    buf_put(&joined, a);
    buf_put(&joined, b);
    buf_init(out, MIB);
    return decompress(buf_span(&joined), c, out, err);
}

static void expect_joining(enum compression c)
{
    AUTO_VALUE(buf_clear) struct buf one = compress(SPAN("one "), c, -1, 0, 1);
    AUTO_VALUE(buf_clear) struct buf two = compress(SPAN("two"), c, -1, 0, 1);
    AUTO_VALUE(buf_clear) struct buf none = compress(SPAN(""), c, -1, 0, 1);
    AUTO_VALUE(buf_clear) struct buf got;
    AUTO_VALUE(buf_clear) struct buf more;
    struct err err = { 0 };
    EXPECT_OK(decompress_joined(buf_span(&one), buf_span(&two), c, &got, &err), &err);
    EXPECT_STR(got.data, "one two");
    EXPECT_OK(decompress_joined(buf_span(&none), buf_span(&two), c, &more, &err), &err);
    EXPECT_STR(more.data, "two");
}

TEST("gzip members that follow each other are read as one")
{
    expect_joining(COMPRESSION_GZIP);
}

TEST("zstd frames that follow each other are read as one")
{
    expect_joining(COMPRESSION_ZSTD);
}

TEST("zero bytes may follow gzip data, anything else may not")
{
    static const char zeros[100000];
    AUTO_VALUE(buf_clear) struct buf one = compress(SPAN("one"), COMPRESSION_GZIP, -1, 0, 1);
    AUTO_VALUE(buf_clear) struct buf padded;
    struct err err = { 0 };
    EXPECT_OK(decompress_joined(buf_span(&one), span_bytes(zeros, sizeof zeros), COMPRESSION_GZIP,
                                &padded, &err),
              &err);
    EXPECT_STR(padded.data, "one");
    static const struct span behind[] = {
        SPAN("x"),       SPAN("\0x"), SPAN("\x1f"), SPAN("\x1f\x8b"), SPAN("\0\x1f\x8b\x08"),
        SPAN("\x1f\x8c")
    };
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        AUTO_VALUE(buf_clear) struct buf got;
        EXPECT_ERR(decompress_joined(buf_span(&one), behind[i], COMPRESSION_GZIP, &got, &err), &err,
                   ERR_CORRUPT);
    }
}

TEST("a gzip header with extra field, name and comment is read")
{
    AUTO_VALUE(buf_clear) struct buf plain = compress(SPAN("one"), COMPRESSION_GZIP, -1, 0, 1);
    AUTO_VALUE(buf_clear) struct buf got;
    struct err err = { 0 };
    static const char header[] = "\x1f\x8b\x08\x1c\1\2\3\4\2\3\5\0extraname\0comment";
    EXPECT_OK(decompress_joined(span_bytes(header, sizeof header), span_skip(buf_span(&plain), 10),
                                COMPRESSION_GZIP, &got, &err),
              &err);
    EXPECT_STR(got.data, "one");
}

TEST("what is neither gzip nor zstd is refused as such")
{
    static const enum compression cs[] = { COMPRESSION_GZIP, COMPRESSION_ZSTD };
    for (size_t i = 0; i < 2; i++) {
        AUTO_VALUE(buf_clear) struct buf got;
        buf_init(&got, MIB);
        struct err err = { 0 };
        EXPECT_ERR(decompress(SPAN("<!doctype html>"), cs[i], &got, &err), &err, ERR_CORRUPT);
        EXPECT_ERR(decompress(SPAN(""), cs[i], &got, &err), &err, ERR_CORRUPT);
        EXPECT_ERR(decompress(SPAN("\0\0\0\0\0\0\0\0"), cs[i], &got, &err), &err, ERR_CORRUPT);
    }
}

static void expect_bomb_stopped(enum compression c)
{
    enum { LEN = 32 * 1024 * 1024 };
    AUTO_FREE char *zeros = xcalloc(1, LEN);
    AUTO_VALUE(buf_clear) struct buf bomb = compress(span_bytes(zeros, LEN), c, -1, 2, LEN);
    EXPECT(bomb.len < 100000);
    AUTO(reader_close) struct reader *below = reader_of_span(buf_span(&bomb));
    AUTO(reader_close) struct reader *r = reader_decompressing(below, c);
    AUTO(reader_close) struct reader *limited = reader_limited(r, MIB);
    struct err err = { 0 };
    EXPECT_ERR(reader_skip(limited, LEN, &err), &err, ERR_LIMIT);
}

TEST("a small gzip that grows without end stops at the reader's ceiling")
{
    expect_bomb_stopped(COMPRESSION_GZIP);
}

TEST("a small zstd that grows without end stops at the reader's ceiling")
{
    expect_bomb_stopped(COMPRESSION_ZSTD);
}

TEST("zstd that asks for a window of more than 128 MiB is refused, 128 MiB are taken")
{
    if (!has_program("zstd"))
        SKIP("needs zstd");
    int status;
    AUTO_VALUE(buf_clear) struct buf fits = run("echo x | zstd -q -c --long=27", &status);
    AUTO_VALUE(buf_clear) struct buf wide = run("echo x | zstd -q -c --long=28", &status);
    AUTO_VALUE(buf_clear) struct buf got;
    buf_init(&got, MIB);
    struct err err = { 0 };
    expect_content(buf_span(&fits), COMPRESSION_ZSTD, SPAN("x\n"));
    EXPECT_ERR(decompress(buf_span(&wide), COMPRESSION_ZSTD, &got, &err), &err, ERR_LIMIT);
    EXPECT_CONTAINS(err.text, "128 MiB");
}

TEST("a failure of the reader below comes up")
{
    AUTO_VALUE(buf_clear) struct buf content;
    for (enum compression c = COMPRESSION_GZIP; c <= COMPRESSION_ZSTD; c++) {
        AUTO_VALUE(buf_clear) struct buf b = make_small(c, &content);
        AUTO(reader_close) struct reader *below = reader_of_span(buf_span(&b));
        AUTO(reader_close) struct reader *cut = reader_limited(below, 100);
        AUTO(reader_close) struct reader *r = reader_decompressing(cut, c);
        AUTO_VALUE(buf_clear) struct buf got;
        buf_init(&got, MIB);
        struct err err = { 0 };
        EXPECT_ERR(reader_slurp(r, &got, &err), &err, ERR_LIMIT);
        buf_clear(&content);
    }
}

TEST("bytes are read one by one as well")
{
    AUTO_VALUE(buf_clear) struct buf content;
    for (enum compression c = COMPRESSION_GZIP; c <= COMPRESSION_ZSTD; c++) {
        AUTO_VALUE(buf_clear) struct buf b = make_small(c, &content);
        AUTO(reader_close) struct reader *below = reader_of_span(buf_span(&b));
        AUTO(reader_close) struct reader *r = reader_decompressing(below, c);
        struct err err = { 0 };
        for (size_t i = 0; i <= content.len; i++) {
            char one;
            size_t n;
            REQUIRE_OK(reader_read(r, &one, 1, &n, &err), &err);
            EXPECT_INT(n, i < content.len);
            if (n)
                EXPECT_INT(one, content.data[i]);
        }
        buf_clear(&content);
    }
}

TAP_MAIN()
