/* Blobs out: whole, in part, on condition, and their deletion. */
#include "served.h"

static const char text[] = "0123456789abcdef";
#define BYTES ((struct span){ text, sizeof text - 1 })

TEST("a blob that a build put into the store is there in any repository, at once")
{
    serve((struct registry_options){ 0 });
    struct digest_text d = put_blob(BYTES);
    AUTO_FREE char *path = xasprintf("/v2/some/where/blobs/%s", d.s);
    EXPECT_INT(ask("HEAD", path), 200);
    EXPECT_STR(answer_header("content-length"), "16");
    EXPECT_STR(answer_header("docker-content-digest"), d.s);
    EXPECT_STR(answer_header("content-type"), "application/octet-stream");
    EXPECT_STR(answer_header("accept-ranges"), "bytes");
    EXPECT_STR(answer_header("docker-distribution-api-version"), "registry/2.0");
    EXPECT_STR(answer_text(), "");
    EXPECT_INT(ask("GET", path), 200);
    EXPECT_STR(answer_text(), text);
    serve_end();
}

TEST("ranges are answered as RFC 9110 says")
{
    static const struct {
        const char *range;
        int status;
        const char *body, *content_range;
    } rows[] = {
        { "bytes=0-3", 206, "0123", "bytes 0-3/16" },
        { "bytes=4-", 206, "456789abcdef", "bytes 4-15/16" },
        { "bytes=-3", 206, "def", "bytes 13-15/16" },
        { "bytes=-99", 206, text, "bytes 0-15/16" },
        { "bytes=10-99", 206, "abcdef", "bytes 10-15/16" },
        { "Bytes=15-15", 206, "f", "bytes 15-15/16" },
        { "bytes=16-", 416, "", "bytes */16" },
        { "bytes=99-100", 416, "", "bytes */16" },
        { "bytes=-0", 416, "", "bytes */16" },
        { "bytes=5-4", 200, text, NULL },
        { "bytes=a-b", 200, text, NULL },
        { "bytes=-", 200, text, NULL },
        { "bytes=3", 200, text, NULL },
        { "bytes=0-1,3-4", 200, text, NULL },
        { "lines=0-1", 200, text, NULL },
        { "bytes=0-1\nIf-Range: \"sha256:other\"", 200, text, NULL },
        { "bytes=99999999999999999999-", 200, text, NULL },
    };
    serve((struct registry_options){ 0 });
    struct digest_text d = put_blob(BYTES);
    AUTO_FREE char *path = xasprintf("/v2/a/blobs/%s", d.s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_FREE char *header = xasprintf("Range: %s", rows[i].range);
        printf("# row %zu\n", i);
        EXPECT_INT(ask_with("GET", path, header, (struct span){ 0 }), rows[i].status);
        EXPECT_STR(answer_text(), rows[i].body);
        EXPECT_STR(answer_header("content-range"), rows[i].content_range);
    }
    serve_end();
}

TEST("a client that has the blob already gets 304")
{
    serve((struct registry_options){ 0 });
    struct digest_text d = put_blob(BYTES);
    AUTO_FREE char *path = xasprintf("/v2/a/blobs/%s", d.s);
    AUTO_FREE char *same = xasprintf("If-None-Match: W/\"x\", \"%s\"", d.s);
    EXPECT_INT(ask_with("GET", path, same, (struct span){ 0 }), 304);
    EXPECT_STR(answer_text(), "");
    EXPECT_INT(ask_with("GET", path, "If-None-Match: \"sha256:00\"", (struct span){ 0 }), 200);
    serve_end();
}

TEST("the empty blob has no bytes and no ranges")
{
    serve((struct registry_options){ 0 });
    struct digest_text d = put_blob(SPAN(""));
    AUTO_FREE char *path = xasprintf("/v2/a/blobs/%s", d.s);
    EXPECT_INT(ask("GET", path), 200);
    EXPECT_STR(answer_header("content-length"), "0");
    EXPECT_INT(ask_with("GET", path, "Range: bytes=0-", (struct span){ 0 }), 416);
    serve_end();
}

TEST("what is not here, and what is no digest")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *absent = digest_path("/v2/a/blobs/", SPAN("absent"));
    EXPECT_INT(ask("GET", absent), 404);
    EXPECT_STR(answer_code(), "BLOB_UNKNOWN");
    EXPECT_INT(ask("HEAD", absent), 404);
    EXPECT_INT(ask("DELETE", absent), 404);
    EXPECT_INT(ask("GET", "/v2/a/blobs/sha256:123"), 400);
    EXPECT_STR(answer_code(), "DIGEST_INVALID");
    EXPECT_INT(ask("GET", "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e"), 400);
    EXPECT_STR(answer_code(), "DIGEST_INVALID");
    EXPECT_INT(ask("GET", "/v2/a/blobs/..%2f..%2fkiln.db"), 404);
    serve_end();
}

TEST("a blob whose file is gone or cut is not here any more")
{
    serve((struct registry_options){ 0 });
    struct digest_text d = put_blob(BYTES);
    AUTO_FREE char *path = xasprintf("/v2/a/blobs/%s", d.s);
    AUTO_FREE char *file = xasprintf("%s/blobs/sha256/%s", store_path(served.store), d.s + 7);
    EXPECT_INT(truncate(file, 3), 0);
    EXPECT_INT(ask("GET", path), 404);
    serve_end();
}

TEST("a blob is deleted unless a manifest needs it")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *image = image_text("layer", NULL);
    struct digest_text lone = put_blob(BYTES);
    AUTO_FREE char *lone_path = xasprintf("/v2/a/blobs/%s", lone.s);
    AUTO_FREE char *layer_path = digest_path("/v2/b/blobs/", SPAN("layer"));
    AUTO_FREE char *manifest_path = digest_path("/v2/a/manifests/", span_of(image));
    EXPECT_INT(ask_with("PUT", "/v2/a/manifests/v1", OCI_MANIFEST, span_of(image)), 201);
    EXPECT_INT(ask("DELETE", lone_path), 202);
    EXPECT_INT(ask("HEAD", lone_path), 404);
    EXPECT_INT(ask("DELETE", layer_path), 405);
    EXPECT_STR(answer_code(), "UNSUPPORTED");
    EXPECT_INT(ask("HEAD", layer_path), 200);
    EXPECT_INT(ask("DELETE", manifest_path), 202);
    EXPECT_INT(ask("DELETE", layer_path), 202);
    EXPECT_INT(ask("HEAD", layer_path), 404);
    serve_end();
}

TAP_MAIN()
