/* tests/unit/base/codec/test_compress.c - gzip and zstd in both directions; gzip, zstd, bsdtar and
 * python are witnesses. */
#include "base/codec/compress.h"

#include "witness.h"

/* What layers are made of, three and a half blocks: text, zeros, bytes that cannot be compressed in
 * runs long and short, and a tail. */
enum { MIXED = 3 * GZIP_BLOCK + GZIP_BLOCK / 2 + 12345 };

static uint32_t random32(uint64_t *state)
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(*state >> 32);
}

static void fill_random(char *to, size_t len, uint64_t *state)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (char)(random32(state) >> 24);
}

static void fill_text(char *to, size_t len, uint64_t *state)
{
    static const char *const words[] = { "layer ",  "digest ", "manifest\n", "struct ", "int ",
                                         "return ", "if (",    ") {\n",      "}\n",     "0x1f, " };
    for (size_t i = 0; i < len;) {
        const char *word = words[random32(state) % 10];
        for (; *word && i < len; i++)
            to[i] = *word++;
    }
}

static char *make_mixed(void)
{
    char *bytes = xcalloc(1, MIXED);
    uint64_t state = 1;
    size_t at = 0;
    for (int i = 0; at < MIXED; i++) {
        size_t len = 1000 + random32(&state) % 150000;
        len = len < MIXED - at ? len : MIXED - at;
        if (i % 3 == 0)
            fill_text(bytes + at, len, &state);
        else if (i % 3 == 1)
            fill_random(bytes + at, len, &state);
        at += len;
    }
    return bytes;
}

/* Compresses by writes of `step` bytes on `n_threads` (0: without a pool). */
static struct buf compress(struct span bytes, enum compression c, int level, size_t n_threads,
                           size_t step)
{
    struct buf b;
    struct err err = { 0 };
    buf_init(&b, (size_t)(256 * MIB));
    AUTO(pool_free) struct pool *pool = n_threads ? pool_new(n_threads) : NULL;
    AUTO(writer_close) struct writer *to = writer_to_buf(&b);
    AUTO(writer_close) struct writer *w = writer_compressing(to, c, level, pool);
    for (; bytes.len; bytes = span_skip(bytes, step))
        EXPECT_OK(writer_write(w, span_first(bytes, step), &err), &err);
    EXPECT_OK(writer_finish(w, &err), &err);
    return b;
}

static int decompress(struct span bytes, enum compression c, struct buf *out, struct err *err)
{
    AUTO(reader_close) struct reader *below = reader_of_span(bytes);
    AUTO(reader_close) struct reader *r = reader_decompressing(below, c);
    return reader_slurp(r, out, err);
}

static void expect_content(struct span compressed, enum compression c, struct span want)
{
    AUTO_VALUE(buf_clear) struct buf got;
    buf_init(&got, want.len + 100);
    struct err err = { 0 };
    EXPECT_OK(decompress(compressed, c, &got, &err), &err);
    EXPECT(span_equal(buf_span(&got), want));
}

/* ---- names ---- */

TEST("compressions are named, parsed and recognised by their first bytes")
{
    enum compression c;
    struct err err = { 0 };
    for (c = COMPRESSION_NONE; c <= COMPRESSION_ZSTD; c++) {
        enum compression back = COMPRESSION_NONE;
        EXPECT_OK(compression_parse(compression_name(c), &back, &err), &err);
        EXPECT_INT(back, c);
    }
    EXPECT_OK(compression_parse("none", &c, &err), &err);
    EXPECT_INT(c, COMPRESSION_NONE);
    EXPECT_ERR(compression_parse("xz", &c, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "\"xz\": is none of uncompressed, gzip, zstd");
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
    AUTO_FREE char *content = put_file("content", span_bytes(bytes, MIXED));
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
