/* tests/unit/base/codec/test_digest.c - digests as values and as filters; sha256sum and sha512sum
 * are witnesses. */
#include "base/codec/digest.h"

#include "witness.h"

#define EMPTY_HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

TEST("a digest is read and printed back")
{
    struct digest d;
    struct err err = { 0 };
    REQUIRE_OK(digest_parse(SPAN("sha256:" EMPTY_HEX), &d, &err), &err);
    EXPECT_STR(digest_text(&d).s, "sha256:" EMPTY_HEX);
    EXPECT_STR(digest_hex(&d).s, EMPTY_HEX);
    struct digest empty = digest_of(SPAN(""));
    EXPECT(digest_equal(&d, &empty));
    REQUIRE_OK(digest_parse(SPAN("sha512:" EMPTY_HEX EMPTY_HEX), &d, &err), &err);
    EXPECT_STR(digest_text(&d).s, "sha512:" EMPTY_HEX EMPTY_HEX);
    EXPECT(!digest_equal(&d, &empty));
}

TEST("no digest prints as nothing")
{
    struct digest none = { 0 };
    EXPECT_STR(digest_text(&none).s, "");
    EXPECT_STR(digest_hex(&none).s, "");
    EXPECT(!digest_is_set(&none));
}

static const struct {
    const char *text;
    enum err_kind kind;
} refused[] = {
    { "", ERR_INVALID },
    { "sha256", ERR_INVALID },
    { "sha256:", ERR_INVALID },
    { ":" EMPTY_HEX, ERR_INVALID },
    { EMPTY_HEX, ERR_INVALID },
    { "sha256:e3b0", ERR_INVALID },
    { "sha256:" EMPTY_HEX "0", ERR_INVALID },
    { "sha256:E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ERR_INVALID },
    { "sha256:x3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ERR_INVALID },
    { "SHA256:" EMPTY_HEX, ERR_INVALID },
    { "sha512:" EMPTY_HEX, ERR_INVALID },
    { "sha256+:" EMPTY_HEX, ERR_INVALID },
    { "sha256:../../../../etc/passwd", ERR_INVALID },
    { "blake3:" EMPTY_HEX, ERR_UNSUPPORTED },
    { "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", ERR_UNSUPPORTED },
};

TEST("what is no digest is refused, other algorithms as unsupported")
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct digest d = { .algorithm = DIGEST_NONE };
        struct err err = { 0 };
        EXPECT_ERR(digest_parse(span_of(refused[i].text), &d, &err), &err, refused[i].kind);
        EXPECT(!digest_is_set(&d));
    }
}

TEST("digests have an order")
{
    struct digest a = digest_of(SPAN("a")), b = digest_of(SPAN("b"));
    EXPECT(digest_compare(&a, &b) > 0); /* ca97... and 3e23... */
    EXPECT(digest_compare(&b, &a) < 0);
    EXPECT_INT(digest_compare(&a, &a), 0);
}

/* Any bytes, the same each time. */
static char *make_bytes(size_t len)
{
    char *bytes = xmalloc(len + 1);
    uint32_t x = 1;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (char)(x >> 24);
    }
    return bytes;
}

static void expect_like(const char *program, enum digest_algorithm a)
{
    if (!has_program(program))
        SKIP("needs sha256sum and sha512sum");
    enum { LEN = 300001 };
    AUTO_FREE char *bytes = make_bytes(LEN);
    AUTO_FREE char *path = put_file("bytes", span_bytes(bytes, LEN));
    AUTO_FREE char *command = xasprintf("%s <%s", program, path);
    int status;
    AUTO_VALUE(buf_clear) struct buf want = run(command, &status);
    AUTO_VALUE(buf_clear) struct buf passed;
    buf_init(&passed, MIB);
    AUTO(writer_close) struct writer *to = writer_to_buf(&passed);
    AUTO(writer_close) struct writer *w = writer_hashing(to, a);
    struct err err = { 0 };
    for (size_t at = 0, n = 1; at < LEN; at += n, n = n * 2 < LEN - at ? n * 2 : LEN - at)
        REQUIRE_OK(writer_write(w, span_bytes(bytes + at, n), &err), &err);
    REQUIRE_OK(writer_finish(w, &err), &err);
    struct digest got = writer_hashing_digest(w);
    EXPECT_INT(writer_hashing_size(w), LEN);
    EXPECT(span_starts(buf_span(&want), digest_hex(&got).s));
    EXPECT(span_equal(buf_span(&passed), span_bytes(bytes, LEN)));
    got = writer_hashing_digest(w);
    EXPECT(span_starts(buf_span(&want), digest_hex(&got).s));
}

TEST("a hashing writer agrees with sha256sum and passes all bytes")
{
    expect_like("sha256sum", DIGEST_SHA256);
}

TEST("a hashing writer agrees with sha512sum")
{
    expect_like("sha512sum", DIGEST_SHA512);
}

TEST("a hashing writer without one below only counts and hashes")
{
    AUTO(writer_close) struct writer *w = writer_hashing(NULL, DIGEST_SHA256);
    struct err err = { 0 };
    REQUIRE_OK(writer_finish(w, &err), &err);
    struct digest got = writer_hashing_digest(w);
    EXPECT_STR(digest_hex(&got).s, EMPTY_HEX);
    EXPECT_INT(writer_hashing_size(w), 0);
}

TEST("framed input cannot be moved between fields")
{
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    hasher_update_framed(h, SPAN("ab"));
    hasher_update_framed(h, SPAN("c"));
    struct digest first = hasher_final(h);
    hasher_update_framed(h, SPAN("a"));
    hasher_update_framed(h, SPAN("bc"));
    struct digest second = hasher_final(h);
    EXPECT(!digest_equal(&first, &second));
    struct digest plain = digest_of(SPAN("\2\0\0\0\0\0\0\0ab\1\0\0\0\0\0\0\0c"));
    EXPECT(digest_equal(&first, &plain));
}

static int slurp_verified(const char *content, const char *promised, uint64_t size, struct err *err)
{
    struct digest want = digest_of(span_of(promised));
    AUTO(reader_close) struct reader *below = reader_of_span(span_of(content));
    AUTO(reader_close) struct reader *r = reader_verified(below, &want, size);
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 64);
    int result = reader_slurp(r, &b, err);
    if (result == 0)
        EXPECT(span_is(buf_span(&b), content));
    return result;
}

TEST("a verified reader passes what was promised")
{
    struct err err = { 0 };
    EXPECT_OK(slurp_verified("hello", "hello", 5, &err), &err);
    EXPECT_OK(slurp_verified("hello", "hello", UINT64_MAX, &err), &err);
    EXPECT_OK(slurp_verified("", "", 0, &err), &err);
}

TEST("a verified reader refuses other content, less and more")
{
    struct err err = { 0 };
    EXPECT_ERR(slurp_verified("hellO", "hello", 5, &err), &err, ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, "the content has digest sha256:");
    EXPECT_ERR(slurp_verified("hell", "hello", 5, &err), &err, ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, "ends after 4 of 5 bytes");
    EXPECT_ERR(slurp_verified("hello!", "hello", 5, &err), &err, ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, "more than 5 bytes");
    EXPECT_ERR(slurp_verified("hello!", "hello", UINT64_MAX, &err), &err, ERR_CORRUPT);
    EXPECT_ERR(slurp_verified("", "hello", 5, &err), &err, ERR_CORRUPT);
}

TAP_MAIN()
