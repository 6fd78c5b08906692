/* tests/unit/image/oci/test_platform.c - platforms: names, normal form, what runs on what. */
#include "image/oci/platform.h"

#include "base/core/mem.h"
#include "tap.h"

static const char *parse_and_print(const char *text, struct platform_text *to)
{
    struct platform p = { 0 };
    struct err err = { 0 };
    if (platform_parse(span_of(text), &p, &err)) {
        EXPECT_INT(err.kind, ERR_INVALID);
        return NULL;
    }
    EXPECT(p.is_set);
    *to = platform_text(&p);
    return to->s;
}

static const struct {
    const char *text, *want; /* NULL: refused */
} parses[] = {
    { "linux/amd64", "linux/amd64" },
    { "linux/amd64/v1", "linux/amd64" },
    { "linux/amd64/v3", "linux/amd64/v3" },
    { "linux/x86_64", "linux/amd64" },
    { "linux/x86-64", "linux/amd64" },
    { "x86_64", "linux/amd64" },
    { "linux/i386", "linux/386" },
    { "arm64", "linux/arm64" },
    { "aarch64", "linux/arm64" },
    { "linux/arm64/v8", "linux/arm64" },
    { "linux/arm64/8", "linux/arm64" },
    { "linux/aarch64/v8", "linux/arm64" },
    { "linux/arm64/v9", "linux/arm64/v9" },
    { "linux/arm64/v9.0", "linux/arm64/v9" },
    { "linux/arm", "linux/arm/v7" },
    { "linux/arm/7", "linux/arm/v7" },
    { "linux/arm/6", "linux/arm/v6" },
    { "linux/arm/v5", "linux/arm/v5" },
    { "armhf", "linux/arm/v7" },
    { "armel", "linux/arm/v6" },
    { "linux/armel", "linux/arm/v6" },
    { "Linux/AMD64", "linux/amd64" },
    { "windows/amd64", "windows/amd64" },
    { "macos/arm64", "darwin/arm64" },
    { "linux/riscv64", "linux/riscv64" },
    { "s390x", "linux/s390x" },
    { "", NULL },
    { "/", NULL },
    { "linux/", NULL },
    { "/amd64", NULL },
    { "linux/amd64/v1/x", NULL },
    { "linux/amd 64", NULL },
    { "linux,amd64", NULL },
    { "toaster", NULL },
    { "linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
};

TEST("platforms are read in all spellings, or refused")
{
    for (size_t i = 0; i < sizeof parses / sizeof parses[0]; i++) {
        struct platform_text got;
        EXPECT_STR(parse_and_print(parses[i].text, &got), parses[i].want);
    }
}

TEST("an operating system alone takes this machine's architecture")
{
    struct platform p = { 0 }, host = platform_host();
    struct err err = { 0 };
    REQUIRE_OK(platform_parse(SPAN("linux"), &p, &err), &err);
    EXPECT_STR(platform_text(&p).s, platform_text(&host).s);
}

static const struct {
    const char *want, *best, *worse, *never; /* NULL: no such case */
} matches[] = {
    { "linux/amd64", "linux/amd64", NULL, "linux/386" },
    { "linux/amd64", "linux/x86_64/v1", NULL, "linux/amd64/v2" },
    { "linux/amd64/v3", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64/v4" },
    { "linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/arm64" },
    { "linux/arm/v7", "linux/arm/v7", "linux/arm/v6", "linux/arm/v8" },
    { "linux/arm/v7", "linux/arm/v6", "linux/arm/v5", "linux/arm64" },
    { "linux/arm/v6", "linux/armel", "linux/arm/v5", "linux/arm/v7" },
    { "linux/arm64", "linux/arm64/v8", "linux/arm/v7", "linux/amd64" },
    { "linux/arm64", "linux/arm/v8", "linux/arm/v5", "linux/arm64/v9" },
    { "linux/arm64/v9", "linux/arm64/v9", "linux/arm64/v8.5", "linux/arm64/v8.6" },
    { "linux/arm64/v9", "linux/arm64/v8.5", "linux/arm64", "linux/arm64/v9.1" },
    { "linux/arm64/v8.2", "linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64/v8.3" },
    { "linux/riscv64", "linux/riscv64", NULL, "linux/arm64" },
    { "linux/amd64", "linux/amd64", NULL, "windows/amd64" },
};

static struct platform parsed(const char *text)
{
    struct platform p = { 0 };
    struct err err = { 0 };
    if (platform_parse(span_of(text), &p, &err))
        abort();
    return p;
}

TEST("the best fit is chosen in containerd's order, and 386 never for amd64")
{
    for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
        struct platform want = parsed(matches[i].want), best = parsed(matches[i].best);
        struct platform never = parsed(matches[i].never);
        int rank = platform_match(&want, &best);
        EXPECT(rank >= 0);
        EXPECT_INT(platform_match(&want, &never), -1);
        if (matches[i].worse) {
            struct platform worse = parsed(matches[i].worse);
            EXPECT(platform_match(&want, &worse) > rank);
        }
        EXPECT_INT(platform_match(&want, &want), 0);
    }
}

TEST("platforms are equal after normalisation")
{
    struct platform a = {
        .is_set = true, .os = "Linux", .architecture = "aarch64", .variant = "v8"
    };
    struct platform b = { .is_set = true, .os = "linux", .architecture = "arm64" };
    EXPECT(platform_equal(&a, &b));
    snprintf(b.os_version, sizeof b.os_version, "10");
    EXPECT(!platform_equal(&a, &b));
}

TEST("JSON has the fields in the order of the specification")
{
    struct platform p = { .is_set = true,
                          .os = "windows",
                          .architecture = "arm",
                          .variant = "v7",
                          .os_version = "10.0.1" };
    AUTO(json_free) struct json *o = platform_write(&p);
    AUTO_VALUE(buf_clear) struct buf text;
    struct platform again = { 0 };
    struct err err = { 0 };
    buf_init(&text, 1000);
    json_print(o, &text);
    EXPECT_STR(text.data, "{\"architecture\":\"arm\",\"os\":\"windows\",\"os.version\":\"10.0.1\","
                          "\"variant\":\"v7\"}");
    REQUIRE_OK(platform_read(o, &again, &err), &err);
    EXPECT(platform_equal(&p, &again));
}

TAP_MAIN()
