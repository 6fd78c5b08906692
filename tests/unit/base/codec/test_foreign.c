/* tests/unit/base/codec/test_foreign.c - bzip2, xz and lzma, written by their own programs. */
#include "base/codec/foreign.h"

#include "samples.h"

static int read_foreign(struct span bytes, struct buf *out, struct err *err)
{
    AUTO(reader_close) struct reader *below = reader_of_span(bytes);
    AUTO(reader_close) struct reader *plain = NULL;
    buf_init(out, 64 * 1024 * 1024);
    return reader_of_foreign(below, &plain, err) || reader_slurp(plain, out, err) ? -1 : 0;
}

static struct buf pack(const char *program, const char *arguments, struct span content)
{
    AUTO_FREE char *path = put_file("content", content);
    AUTO_FREE char *command = xasprintf("%s %s %s", program, arguments, path);
    int status;
    struct buf packed = run(command, &status);
    EXPECT_INT(status, 0);
    return packed;
}

static void expect_read(struct span packed, struct span content)
{
    AUTO_VALUE(buf_clear) struct buf got = { 0 };
    struct err err = { 0 };
    EXPECT(foreign_is_compressed(span_first(packed, 6)));
    EXPECT_OK(read_foreign(packed, &got, &err), &err);
    EXPECT_INT(got.len, content.len);
    EXPECT(got.len == 0 || memcmp(got.data, content.ptr, got.len) == 0);
}

static const struct {
    const char *program, *arguments;
} writers[] = { { "bzip2", "-9 -c" },
                { "xz", "-6 -c" },
                { "xz", "-0 -T2 --block-size=65536 -c" },
                { "xz", "--format=lzma -c" } };
enum { N_WRITERS = sizeof writers / sizeof *writers };

TEST("what bzip2(1) and xz(1) wrote is read, empty files too")
{
    if (!has_program("bzip2") || !has_program("xz"))
        SKIP("the witnesses are not installed");
    AUTO_FREE char *bytes = make_mixed();
    for (size_t i = 0; i < N_WRITERS; i++)
        for (size_t len = 0; len <= MIXED; len = len ? len * 40 : 1) {
            struct span content = span_bytes(bytes, len);
            AUTO_VALUE(buf_clear)
            struct buf packed = pack(writers[i].program, writers[i].arguments, content);
            expect_read(buf_span(&packed), content);
        }
}

TEST("several streams of bzip2 or xz are one content")
{
    if (!has_program("bzip2") || !has_program("xz"))
        SKIP("the witnesses are not installed");
    for (size_t i = 0; i < 2; i++) {
        AUTO_VALUE(buf_clear)
        struct buf a = pack(writers[i].program, writers[i].arguments, SPAN("one ")),
                   b = pack(writers[i].program, writers[i].arguments, SPAN("two"));
        struct err err = { 0 };
        EXPECT_OK(buf_append(&a, buf_span(&b), &err), &err);
        expect_read(buf_span(&a), SPAN("one two"));
    }
}

TEST("a stream cut short anywhere is corrupt")
{
    if (!has_program("bzip2") || !has_program("xz"))
        SKIP("the witnesses are not installed");
    for (size_t i = 0; i < 2; i++) {
        AUTO_VALUE(buf_clear)
        struct buf packed =
            pack(writers[i].program, writers[i].arguments, SPAN("a text that is soon over"));
        for (size_t len = 0; len < packed.len; len++) {
            AUTO_VALUE(buf_clear) struct buf got = { 0 };
            struct err err = { 0 };
            EXPECT_ERR(read_foreign(span_first(buf_span(&packed), len), &got, &err), &err,
                       ERR_CORRUPT);
        }
    }
}

TEST("a damaged stream is corrupt, and what it is gets named")
{
    if (!has_program("bzip2") || !has_program("xz"))
        SKIP("the witnesses are not installed");
    AUTO_FREE char *bytes = make_mixed();
    for (size_t i = 0; i < 2; i++) {
        AUTO_VALUE(buf_clear)
        struct buf packed =
            pack(writers[i].program, writers[i].arguments, span_bytes(bytes, 100000));
        packed.data[packed.len / 2] ^= 0x40;
        AUTO_VALUE(buf_clear) struct buf got = { 0 };
        struct err err = { 0 };
        EXPECT_ERR(read_foreign(buf_span(&packed), &got, &err), &err, ERR_CORRUPT);
        EXPECT(strstr(err.text, i == 0 ? "bzip2" : "xz") != NULL);
    }
}

TEST("xz that wants more memory than 128 MiB is refused with a hint")
{
    if (!has_program("xz"))
        SKIP("the witness is not installed");
    AUTO_VALUE(buf_clear)
    struct buf packed = pack("xz", "--lzma2=preset=0,dict=512MiB -c", SPAN("little"));
    AUTO_VALUE(buf_clear) struct buf got = { 0 };
    struct err err = { 0 };
    EXPECT_ERR(read_foreign(buf_span(&packed), &got, &err), &err, ERR_LIMIT);
    EXPECT(strstr(err.hint, "xz -9") != NULL);
}

TAP_MAIN()
