/* tests/unit/image/oci/test_reference.c - image names. */
#include "image/oci/reference.h"

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "tap.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA256 "sha256:" HEX64
#define SHA512 "sha512:" HEX64 HEX64
#define N16(c) c c c c c c c c c c c c c c c c
#define A128 N16("aaaaaaaa")
#define A247 N16("aaaaaaaaaaaaaaa") "aaaaaaa"
#define A255 N16("aaaaaaaaaaaaaaa") "aaaaaaaaaaaaaaa"

static char *parse_and_print(const char *text, char *(*print)(const struct reference *))
{
    AUTO_VALUE(reference_clear) struct reference r = { 0 };
    struct err err = { 0 };
    if (reference_parse(span_of(text), &r, &err)) {
        EXPECT_INT(err.kind, ERR_INVALID);
        return NULL;
    }
    return print(&r);
}

static const struct {
    const char *text, *want, *familiar; /* want NULL: refused */
} names[] = {
    { "alpine", "docker.io/library/alpine:latest", "alpine:latest" },
    { "alpine:3.19", "docker.io/library/alpine:3.19", "alpine:3.19" },
    { "user/app", "docker.io/user/app:latest", "user/app:latest" },
    { "library/alpine", "docker.io/library/alpine:latest", "alpine:latest" },
    { "docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest" },
    { "docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest" },
    { "index.docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest" },
    { "index.docker.io/user/app:1", "docker.io/user/app:1", "user/app:1" },
    { "registry-1.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest" },
    { "registry.hub.docker.com/alpine", "docker.io/library/alpine:latest", "alpine:latest" },
    { "quay.io/app", "quay.io/app:latest", "quay.io/app:latest" },
    { "quay.io/a/b/c/d:x", "quay.io/a/b/c/d:x", "quay.io/a/b/c/d:x" },
    { "localhost/app", "localhost/app:latest", "localhost/app:latest" },
    { "localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest" },
    { "localhost:5000/app:5000", "localhost:5000/app:5000", "localhost:5000/app:5000" },
    { "registry:5000/app", "registry:5000/app:latest", "registry:5000/app:latest" },
    { "localhost", "docker.io/library/localhost:latest", "localhost:latest" },
    { "host:80", "docker.io/library/host:80", "host:80" },
    { "127.0.0.1:5000/x", "127.0.0.1:5000/x:latest", "127.0.0.1:5000/x:latest" },
    { "[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest" },
    { "[2001:db8::1]/x:t", "[2001:db8::1]/x:t", "[2001:db8::1]/x:t" },
    { "Registry.Example.COM/app", "Registry.Example.COM/app:latest",
      "Registry.Example.COM/app:latest" },
    { "alpine@" SHA256, "docker.io/library/alpine@" SHA256, "alpine@" SHA256 },
    { "alpine:3@" SHA256, "docker.io/library/alpine:3@" SHA256, "alpine:3@" SHA256 },
    { "quay.io/a/b@" SHA512, "quay.io/a/b@" SHA512, "quay.io/a/b@" SHA512 },
    { "a.b/c_d/e__f/g-h/i--j.k", "a.b/c_d/e__f/g-h/i--j.k:latest",
      "a.b/c_d/e__f/g-h/i--j.k:latest" },
    { "docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest" },
    { "a:T_.-0", "docker.io/library/a:T_.-0", "a:T_.-0" },
    { "a:" A128, "docker.io/library/a:" A128, "a:" A128 },
    { "q.io/" A255, "q.io/" A255 ":latest", "q.io/" A255 ":latest" },
    { "", NULL, NULL },
    { "Alpine", NULL, NULL },
    { "quay.io/App", NULL, NULL },
    { "Foo/bar", NULL, NULL },
    { "a:" A128 "a", NULL, NULL },
    { "q.io/" A255 "a", NULL, NULL },
    { A247, "docker.io/library/" A247 ":latest", A247 ":latest" },
    { A247 "a", NULL, NULL },          /* "library/" counts too */
    { A247 "aaaaaa.a/b", NULL, NULL }, /* a host has at most 253 bytes */
    { "docker.io/localhost/a", "docker.io/localhost/a:latest", "docker.io/localhost/a:latest" },
    { "a:", NULL, NULL },
    { "a:-x", NULL, NULL },
    { "a:.x", NULL, NULL },
    { "a:x/y", NULL, NULL },
    { "a@", NULL, NULL },
    { "a@sha256:abc", NULL, NULL },
    { "a@" SHA256 "0", NULL, NULL },
    { "a@SHA256:" HEX64, NULL, NULL },
    { "@" SHA256, NULL, NULL },
    { ":tag", NULL, NULL },
    { "/a", NULL, NULL },
    { "a/", NULL, NULL },
    { "a//b", NULL, NULL },
    { "a..b", NULL, NULL },
    { "a___b", NULL, NULL },
    { "a.-b", NULL, NULL },
    { "-a", NULL, NULL },
    { "a-", NULL, NULL },
    { "a b", NULL, NULL },
    { "a\n", NULL, NULL },
    { "\xc3\xa4", NULL, NULL },
    { "https://quay.io/a", NULL, NULL },
    { "docker://alpine", NULL, NULL },
    { HEX64, NULL, NULL },
    { "quay.io:/a", NULL, NULL },
    { "quay.io:65536/a", NULL, NULL },
    { "quay.io:x/a", NULL, NULL },
    { ".quay.io/a", NULL, NULL },
    { "quay..io/a", NULL, NULL },
    { "-quay.io/a", NULL, NULL },
    { "qu_ay.io/a", NULL, NULL },
    { "[::1/a", NULL, NULL },
    { "[]/a", NULL, NULL },
    { "[::g]/a", NULL, NULL },
    { "quay.io/", NULL, NULL },
    { "../a", NULL, NULL },
    { "a/../b", NULL, NULL },
};

TEST("names are completed as docker does, or refused")
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        AUTO_FREE char *got = parse_and_print(names[i].text, reference_text);
        AUTO_FREE char *familiar = parse_and_print(names[i].text, reference_familiar);
        EXPECT_STR(got, names[i].want);
        EXPECT_STR(familiar, names[i].familiar);
    }
}

TEST("a complete name and a familiar one mean the same reference")
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!names[i].want)
            continue;
        AUTO_FREE char *again = parse_and_print(names[i].want, reference_text);
        AUTO_FREE char *from_familiar = parse_and_print(names[i].familiar, reference_text);
        EXPECT_STR(again, names[i].want);
        EXPECT_STR(from_familiar, names[i].want);
    }
}

static const struct {
    const char *text, *why, *hint;
} refusals[] = {
    { "Alpine", "a repository is lower case", "write \"alpine\"" },
    { "quay.io/My/App:V1", "a repository is lower case", "write \"quay.io/my/app:v1\"" },
    { "https://quay.io/a", "is not a name but an URL", "leave out the scheme: \"quay.io/a\"" },
    { HEX64, "64 hex digits are an id", "name@sha256:" HEX64 },
    { "a:b c", "byte 3 is a blank", "" },
    { "a@sha256:12", "image reference \"a@sha256:12\"", "" },
    { "a:" A128 "a", "a tag has letters", "" },
    { "quay.io:99999/a", "the registry is no host[:port]", "" },
    { "quay.io/", "the repository is missing", "" },
};

TEST("a refusal says which part and what would be right")
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct reference r = { 0 };
        struct err err = { 0 };
        EXPECT_ERR(reference_parse(span_of(refusals[i].text), &r, &err), &err, ERR_INVALID);
        EXPECT_CONTAINS(err.text, refusals[i].why);
        EXPECT_CONTAINS(err.hint, refusals[i].hint);
    }
}

TEST("a name beyond the ceiling is refused without printing all of it")
{
    char text[LIMIT_REFERENCE + 2];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    struct reference r = { 0 };
    struct err err = { 0 };
    EXPECT_ERR(reference_parse(span_of(text), &r, &err), &err, ERR_INVALID);
    EXPECT(strlen(err.text) < 200);
}

TEST("the parts for the distribution API")
{
    AUTO_VALUE(reference_clear) struct reference r = { 0 };
    AUTO_VALUE(reference_clear) struct reference copy = { 0 };
    struct err err = { 0 };
    char text[DIGEST_TEXT_MAX];
    REQUIRE_OK(reference_parse(SPAN("alpine:3"), &r, &err), &err);
    EXPECT_STR(r.registry, "docker.io");
    EXPECT_STR(r.repository, "library/alpine");
    EXPECT_STR(reference_host(&r), "registry-1.docker.io");
    EXPECT_STR(reference_part(&r, text), "3");
    reference_clear(&r);
    REQUIRE_OK(reference_parse(SPAN("localhost:5000/a:t@" SHA256), &r, &err), &err);
    reference_copy(&copy, &r);
    EXPECT_STR(reference_host(&copy), "localhost:5000");
    EXPECT_STR(reference_part(&copy, text), SHA256);
    EXPECT_STR(copy.tag, "t");
    AUTO_FREE char *pinned = reference_pinned(&copy, &r.digest);
    EXPECT_STR(pinned, "localhost:5000/a@" SHA256);
}

TAP_MAIN()
