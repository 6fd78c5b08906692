/* tests/unit/image/oci/test_descriptor.c - descriptors to and from JSON. */
#include "image/oci/descriptor.h"

#include "base/core/mem.h"
#include "tap.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD                                                                                       \
    "{\"mediaType\":\"text/plain\",\"digest\":\"sha256:" HEX64 "\",\"size\":9223372036854775807"

static int read_text(const char *text, struct descriptor *out, struct err *err)
{
    AUTO(json_free) struct json *o = NULL;
    if (json_parse(span_of(text), &o, err))
        return -1;
    return descriptor_read(o, out, err);
}

static char *print(const struct descriptor *d)
{
    AUTO(json_free) struct json *o = descriptor_write(d);
    struct buf b;
    buf_init(&b, 1 << 16);
    json_print(o, &b);
    return buf_take(&b);
}

static const char *const texts[] = {
    HEAD "}",
    HEAD
    ",\"annotations\":{\"z\":\"1\",\"a\":\"2\"},\"platform\":{\"os\":\"linux\",\"architecture\":"
    "\"arm64\",\"os.features\":[\"x\"],\"variant\":\"v8\"},\"urls\":[\"https://a/"
    "b\"],\"data\":\"e30=\"}",
    "{\"x\":[1,{\"b\":1,\"a\":null}],\"size\":0,\"digest\":\"sha512:" HEX64 HEX64
    "\",\"mediaType\":\"a/b\",\"artifactType\":\"c/d\",\"annotations\":{}}",
};

TEST("what was read is printed as it was, unknown fields included")
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
        AUTO_VALUE(descriptor_clear) struct descriptor copy = { 0 };
        struct err err = { 0 };
        REQUIRE_OK(read_text(texts[i], &d, &err), &err);
        descriptor_copy(&copy, &d);
        AUTO_FREE char *again = print(&d);
        AUTO_FREE char *of_copy = print(&copy);
        EXPECT_STR(again, texts[i]);
        EXPECT_STR(of_copy, texts[i]);
    }
}

TEST("a made one has mediaType, digest and size first")
{
    struct digest digest = { 0 };
    struct err err = { 0 };
    REQUIRE_OK(digest_parse(SPAN("sha256:" HEX64), &digest, &err), &err);
    AUTO_VALUE(descriptor_clear) struct descriptor d = descriptor_make("text/plain", &digest, 42);
    map_set_str(&d.annotations, "b", "2");
    map_set_str(&d.annotations, "a", "<1>");
    d.platform = (struct platform){ .is_set = true, .os = "linux", .architecture = "amd64" };
    AUTO_FREE char *text = print(&d);
    EXPECT_STR(text, "{\"mediaType\":\"text/plain\",\"digest\":\"sha256:" HEX64
                     "\",\"size\":42,\"annotations\":{\"a\":\"\\u003c1\\u003e\",\"b\":\"2\"},"
                     "\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}");
}

TEST("a changed field is replaced in place, a removed one is gone")
{
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    struct err err = { 0 };
    REQUIRE_OK(read_text("{\"x\":1,\"size\":5,\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX64
                         "\",\"urls\":[\"u\"],\"annotations\":{\"k\":\"v\"}}",
                         &d, &err),
               &err);
    d.size = 6;
    str_list_clear(&d.urls);
    map_set_str(&d.annotations, "a", "w");
    AUTO_FREE char *text = print(&d);
    EXPECT_STR(text, "{\"x\":1,\"size\":6,\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX64
                     "\",\"annotations\":{\"a\":\"w\",\"k\":\"v\"}}");
}

static const struct {
    const char *text, *why;
    enum err_kind kind;
} refusals[] = {
    { "[]", "is not an object", ERR_INVALID },
    { "{\"mediaType\":\"a/b\",\"size\":1}", "field digest", ERR_INVALID },
    { "{\"mediaType\":\"a/b\",\"size\":1,\"digest\":null}", "field digest", ERR_INVALID },
    { "{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"sha256:12\"}", "field digest", ERR_INVALID },
    { "{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"blake3:" HEX64 "\"}", "field digest",
      ERR_UNSUPPORTED },
    { "{\"size\":1,\"digest\":\"sha256:" HEX64 "\"}", "field mediaType", ERR_INVALID },
    { "{\"mediaType\":\"\",\"size\":1,\"digest\":\"sha256:" HEX64 "\"}", "field mediaType",
      ERR_INVALID },
    { "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX64 "\"}", "field size", ERR_INVALID },
    { "{\"mediaType\":\"a/b\",\"size\":-1,\"digest\":\"sha256:" HEX64 "\"}", "field size",
      ERR_INVALID },
    { "{\"mediaType\":\"a/b\",\"size\":1.5,\"digest\":\"sha256:" HEX64 "\"}", "field size",
      ERR_INVALID },
    { HEAD ",\"annotations\":[]}", "field annotations", ERR_INVALID },
    { HEAD ",\"annotations\":{\"a\":1}}", "value of \"a\"", ERR_INVALID },
    { HEAD ",\"urls\":[1]}", "field urls", ERR_INVALID },
    { HEAD ",\"platform\":\"linux\"}", "field platform", ERR_INVALID },
    { HEAD ",\"platform\":{\"os\":1}}", "field platform: field os", ERR_INVALID },
    { HEAD ",\"artifactType\":{}}", "field artifactType", ERR_INVALID },
};

TEST("a broken descriptor is refused by the name of its field")
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct descriptor d = { 0 };
        struct err err = { 0 };
        EXPECT_ERR(read_text(refusals[i].text, &d, &err), &err, refusals[i].kind);
        EXPECT_CONTAINS(err.text, refusals[i].why);
    }
}

TAP_MAIN()
