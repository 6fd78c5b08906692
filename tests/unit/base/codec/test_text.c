/* tests/unit/base/codec/test_text.c - hex, base64, percent encoding. */
#include "base/codec/text.h"

#include "witness.h"

TEST("hex is printed in lower case and read in both")
{
    char text[9];
    struct err err = { 0 };
    hex_print(span_bytes("\x00\x7f\xab\xff", 4), text);
    EXPECT_STR(text, "007fabff");
    uint8_t bytes[4];
    REQUIRE_OK(hex_parse(SPAN("007fABfF"), bytes, &err), &err);
    EXPECT(memcmp(bytes, "\x00\x7f\xab\xff", 4) == 0);
    EXPECT_OK(hex_parse(SPAN(""), bytes, &err), &err);
}

TEST("hex with an odd number of digits or with anything else is refused")
{
    uint8_t bytes[4];
    struct err err = { 0 };
    EXPECT_ERR(hex_parse(SPAN("123"), bytes, &err), &err, ERR_INVALID);
    EXPECT_ERR(hex_parse(SPAN("1g"), bytes, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "position 1");
    EXPECT_ERR(hex_parse(SPAN("0x"), bytes, &err), &err, ERR_INVALID);
    EXPECT_ERR(hex_parse(SPAN("a\0"), bytes, &err), &err, ERR_INVALID);
}

/* RFC 4648 section 10, and what differs between the alphabets. */
static const struct {
    const char *bytes, *text;
} base64_rows[] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
    { "\xfb\xff\xfe", "+//+" },
};

static void expect_base64(const char *text, const char *want)
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 64);
    struct err err = { 0 };
    REQUIRE_OK(base64_parse(span_of(text), &b, &err), &err);
    EXPECT(span_is(buf_span(&b), want));
}

TEST("base64 of RFC 4648 goes both ways, padded or not")
{
    for (size_t i = 0; i < sizeof base64_rows / sizeof base64_rows[0]; i++) {
        AUTO_VALUE(buf_clear) struct buf b;
        buf_init(&b, 64);
        base64_print(span_of(base64_rows[i].bytes), &b);
        EXPECT(span_is(buf_span(&b), base64_rows[i].text));
        expect_base64(base64_rows[i].text, base64_rows[i].bytes);
        AUTO_FREE char *bare = xstrdup(base64_rows[i].text);
        bare[strcspn(bare, "=")] = '\0';
        expect_base64(bare, base64_rows[i].bytes);
    }
    expect_base64("-__-", "\xfb\xff\xfe");
}

TEST("base64 with wrong padding, other characters or loose bits is refused")
{
    static const char *const texts[] = { "Zg=",    "Zg===", "Z",    "Zm9vY", "Zm9v=",    "Zm 9v",
                                         "Zm9v\n", "Zh==",  "Zm9=", "=",     "Zg==Zg==", "Zm9*" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        AUTO_VALUE(buf_clear) struct buf b;
        buf_init(&b, 64);
        struct err err = { 0 };
        EXPECT_ERR(base64_parse(span_of(texts[i]), &b, &err), &err, ERR_INVALID);
    }
}

TEST("base64 stops at the ceiling of the buffer")
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 4);
    struct err err = { 0 };
    EXPECT_ERR(base64_parse(SPAN("Zm9vYmFy"), &b, &err), &err, ERR_LIMIT);
}

TEST("base64 of a megabyte agrees with base64(1)")
{
    if (!has_program("base64"))
        SKIP("needs base64");
    AUTO_FREE char *bytes = xmalloc(MIB + 1);
    for (size_t i = 0; i < MIB + 1; i++)
        bytes[i] = (char)(i * i >> 7 ^ i);
    AUTO_FREE char *path = put_file("bytes", span_bytes(bytes, MIB + 1));
    AUTO_FREE char *command = xasprintf("base64 -w0 %s", path);
    int status;
    AUTO_VALUE(buf_clear) struct buf want = run(command, &status);
    AUTO_VALUE(buf_clear) struct buf got;
    buf_init(&got, 2 * MIB);
    base64_print(span_bytes(bytes, MIB + 1), &got);
    EXPECT(span_equal(buf_span(&got), buf_span(&want)));
}

TEST("percent encoding keeps unreserved characters and those asked for")
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 128);
    percent_encode(span_bytes("a/b~c d%\0\xc3\xa4", 11), "/", &b);
    EXPECT_STR(b.data, "a/b~c%20d%25%00%C3%A4");
    AUTO_VALUE(buf_clear) struct buf back;
    buf_init(&back, 128);
    struct err err = { 0 };
    REQUIRE_OK(percent_decode(buf_span(&b), &back, &err), &err);
    EXPECT(span_equal(buf_span(&back), span_bytes("a/b~c d%\0\xc3\xa4", 11)));
}

TEST("user and password of a URL are not shown, wherever it stands")
{
    static const char *const rows[][2] = {
        { "https://a:b@host/x", "https://xxxxx:xxxxx@host/x" },
        { "ssh://git@host/x", "ssh://xxxxx@host/x" },
        { "https://host/a@b", "https://host/a@b" },
        { "x https://a:b@c@h https://t@i", "x https://xxxxx:xxxxx@h https://xxxxx@i" },
        { "plain@text", "plain@text" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = urls_redacted(rows[i][0]);
        EXPECT_STR(got, rows[i][1]);
    }
}

TEST("a percent sign without two hex digits is refused")
{
    static const char *const texts[] = { "%", "%1", "a%2", "%zz", "%1z", "%%20" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        AUTO_VALUE(buf_clear) struct buf b;
        buf_init(&b, 64);
        struct err err = { 0 };
        EXPECT_ERR(percent_decode(span_of(texts[i]), &b, &err), &err, ERR_INVALID);
    }
}

TEST("percent decoding stops at the ceiling of the buffer")
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 2);
    struct err err = { 0 };
    EXPECT_ERR(percent_decode(SPAN("%41bc"), &b, &err), &err, ERR_LIMIT);
}

TAP_MAIN()
