/* Manifests in, out and away. */
#include "served.h"

TEST("a manifest put under a tag is there by tag and by digest, byte for byte")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *image = image_text("one", ",\"annotations\":{\"a\": \"b\"} ");
    AUTO_FREE char *by_digest = digest_path("/v2/lib/app/manifests/", span_of(image));
    const char *digest = strstr(by_digest, "sha256:");
    EXPECT_INT(ask_with("PUT", "/v2/lib/app/manifests/v1", OCI_MANIFEST, span_of(image)), 201);
    EXPECT_STR(answer_header("location"), by_digest);
    EXPECT_STR(answer_header("docker-content-digest"), digest);
    EXPECT_STR(answer_header("oci-subject"), NULL);
    const char *const paths[] = { "/v2/lib/app/manifests/v1", by_digest };
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(ask("GET", paths[i]), 200);
        EXPECT_STR(answer_text(), image);
        EXPECT_STR(answer_header("content-type"), "application/vnd.oci.image.manifest.v1+json");
        EXPECT_STR(answer_header("docker-content-digest"), digest);
        EXPECT_INT(ask("HEAD", paths[i]), 200);
        AUTO_FREE char *size = xasprintf("%zu", strlen(image));
        EXPECT_STR(answer_header("content-length"), size);
        EXPECT_STR(answer_header("docker-content-digest"), digest);
    }
    AUTO_FREE char *same = xasprintf("If-None-Match: \"%s\"", digest);
    EXPECT_INT(ask_with("GET", paths[0], same, (struct span){ 0 }), 304);
    serve_end();
}

TEST("a tag moves to what was put last; the one before stays by digest")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *one = image_text("one", NULL);
    AUTO_FREE char *two = image_text("two", NULL);
    AUTO_FREE char *first = digest_path("/v2/app/manifests/", span_of(one));
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/v1", OCI_MANIFEST, span_of(one)), 201);
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/v1", OCI_MANIFEST, span_of(two)), 201);
    EXPECT_INT(ask("GET", "/v2/app/manifests/v1"), 200);
    EXPECT_STR(answer_text(), two);
    EXPECT_INT(ask("GET", first), 200);
    EXPECT_STR(answer_text(), one);
    serve_end();
}

TEST("manifests are of their repository")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *image = image_text("one", NULL);
    AUTO_FREE char *elsewhere = digest_path("/v2/other/manifests/", span_of(image));
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/v1", OCI_MANIFEST, span_of(image)), 201);
    EXPECT_INT(ask("GET", elsewhere), 404);
    EXPECT_STR(answer_code(), "MANIFEST_UNKNOWN");
    EXPECT_INT(ask("GET", "/v2/other/manifests/v1"), 404);
    EXPECT_INT(ask("HEAD", "/v2/app/v1/manifests/v1"), 404);
    EXPECT_INT(ask("GET", "/v2/app/manifests/.INVALID_MANIFEST_NAME"), 404);
    EXPECT_STR(answer_code(), "MANIFEST_UNKNOWN");
    EXPECT_INT(ask("GET", "/v2/app/manifests/sha256:12"), 400);
    EXPECT_STR(answer_code(), "DIGEST_INVALID");
    serve_end();
}

TEST("a manifest whose config or layer is not here is refused, and nothing of it is kept")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *image = image_text("one", NULL);
    AUTO_FREE char *layer = digest_path("/v2/app/blobs/", SPAN("one"));
    AUTO_FREE char *by_digest = digest_path("/v2/app/manifests/", span_of(image));
    EXPECT_INT(ask("DELETE", layer), 202);
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/v1", OCI_MANIFEST, span_of(image)), 400);
    EXPECT_STR(answer_code(), "MANIFEST_BLOB_UNKNOWN");
    EXPECT_CONTAINS(answer_text(), strstr(layer, "sha256:"));
    EXPECT_INT(ask("GET", "/v2/app/manifests/v1"), 404);
    EXPECT_INT(ask("GET", by_digest), 404);
    serve_end();
}

TEST("layers that live elsewhere need not be here")
{
    serve((struct registry_options){ 0 });
    struct digest_text config = put_blob(SPAN("{\"rootfs\":{}}"));
    AUTO_FREE char *image = xasprintf(
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+"
        "json\",\"config\":{\"mediaType\":\"application/vnd.docker.container.image.v1+json\","
        "\"digest\":\"%s\",\"size\":13},\"layers\":[{\"mediaType\":\"application/"
        "vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"sha256:%064d\",\"size\":3,"
        "\"urls\":[\"https://example.com/x\"]}]}",
        config.s, 7);
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/v1",
                        "Content-Type: application/vnd.docker.distribution.manifest.v2+json",
                        span_of(image)),
               201);
    serve_end();
}

static char *index_text(const char *entries)
{
    return xasprintf("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+"
                     "json\",\"manifests\":[%s]}",
                     entries);
}

TEST("an index needs its manifests in the same repository")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *image = image_text("one", NULL);
    struct digest d = digest_of(span_of(image));
    AUTO_FREE char *entry =
        xasprintf("{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\","
                  "\"size\":%zu}",
                  digest_text(&d).s, strlen(image));
    AUTO_FREE char *index = index_text(entry);
    EXPECT_INT(ask_with("PUT", "/v2/b/manifests/v1", OCI_MANIFEST, span_of(image)), 201);
    EXPECT_INT(ask_with("PUT", "/v2/a/manifests/all", OCI_INDEX, span_of(index)), 400);
    EXPECT_STR(answer_code(), "MANIFEST_BLOB_UNKNOWN");
    AUTO_FREE char *by_digest = digest_path("/v2/a/manifests/", span_of(image));
    EXPECT_INT(ask_with("PUT", by_digest, OCI_MANIFEST, span_of(image)), 201);
    EXPECT_INT(ask_with("PUT", "/v2/a/manifests/all", OCI_INDEX, span_of(index)), 201);
    EXPECT_INT(ask("GET", "/v2/a/manifests/all"), 200);
    EXPECT_STR(answer_header("content-type"), "application/vnd.oci.image.index.v1+json");
    serve_end();
}

TEST("an index of layers, as BuildKit keeps its cache, needs the blobs")
{
    serve((struct registry_options){ 0 });
    struct digest_text d = put_blob(SPAN("layer"));
    AUTO_FREE char *entry =
        xasprintf("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"%s\""
                  ",\"size\":5}",
                  d.s);
    AUTO_FREE char *index = index_text(entry);
    EXPECT_INT(ask_with("PUT", "/v2/a/manifests/cache", OCI_INDEX, span_of(index)), 201);
    AUTO_FREE char *absent = index_text(
        "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:"
        "0000000000000000000000000000000000000000000000000000000000000000\",\"size\":5}");
    EXPECT_INT(ask_with("PUT", "/v2/a/manifests/cache", OCI_INDEX, span_of(absent)), 400);
    EXPECT_STR(answer_code(), "MANIFEST_BLOB_UNKNOWN");
    serve_end();
}

TEST("what is no manifest is refused")
{
    static const struct {
        const char *headers, *body, *code;
        int status;
    } rows[] = {
        { OCI_MANIFEST, "no JSON", "MANIFEST_INVALID", 400 },
        { OCI_MANIFEST, "", "MANIFEST_INVALID", 400 },
        { OCI_MANIFEST, "{}", "MANIFEST_INVALID", 400 },
        { OCI_MANIFEST, "{\"schemaVersion\":2}", "MANIFEST_INVALID", 400 },
        { OCI_INDEX, "{\"schemaVersion\":2,\"layers\":[],\"config\":{}}", "MANIFEST_INVALID", 400 },
        { OCI_MANIFEST, "{\"schemaVersion\":1,\"fsLayers\":[]}", "MANIFEST_INVALID", 400 },
        { "Content-Type: text/plain", "{\"schemaVersion\":2}", "MANIFEST_INVALID", 400 },
        { NULL, "{\"schemaVersion\":2}", "MANIFEST_INVALID", 400 },
        { OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"x\",\"size\":1}]}",
          "MANIFEST_INVALID", 400 },
    };
    serve((struct registry_options){ 0 });
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf("# row %zu\n", i);
        EXPECT_INT(ask_with("PUT", "/v2/app/manifests/v1", rows[i].headers, span_of(rows[i].body)),
                   rows[i].status);
        EXPECT_STR(answer_code(), rows[i].code);
    }
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/-bad", OCI_MANIFEST, SPAN("{}")), 400);
    EXPECT_STR(answer_code(), "MANIFEST_INVALID");
    EXPECT_INT(ask("GET", "/v2/app/manifests/v1"), 404);
    serve_end();
}

TEST("a manifest larger than allowed is 413")
{
    serve((struct registry_options){ .limits = { .manifest_size = 1000 } });
    AUTO_FREE char *large = xasprintf("{\"schemaVersion\":2,\"x\":\"%01000d\"}", 1);
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/v1", OCI_MANIFEST, span_of(large)), 413);
    EXPECT_STR(answer_code(), "MANIFEST_INVALID");
    serve_end();
}

TEST("the digest of the path must be the document's; SHA-512 is one too")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *image = image_text("one", NULL);
    AUTO_FREE char *wrong = digest_path("/v2/app/manifests/", SPAN("other"));
    EXPECT_INT(ask_with("PUT", wrong, OCI_MANIFEST, span_of(image)), 400);
    EXPECT_STR(answer_code(), "DIGEST_INVALID");
    EXPECT_INT(ask("GET", wrong), 404);
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA512);
    hasher_update(h, span_of(image));
    struct digest d = hasher_final(h);
    AUTO_FREE char *right = xasprintf("/v2/app/manifests/%s", digest_text(&d).s);
    EXPECT_INT(ask_with("PUT", right, OCI_MANIFEST, span_of(image)), 201);
    EXPECT_STR(answer_header("docker-content-digest"), digest_text(&d).s);
    EXPECT_INT(ask("GET", right), 200);
    EXPECT_STR(answer_text(), image);
    EXPECT_STR(answer_header("docker-content-digest"), digest_text(&d).s);
    serve_end();
}

TEST("a content type with parameters, or one that says nothing, is understood")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *image = image_text("one", NULL);
    AUTO_FREE char *with = xasprintf("%s; charset=utf-8", OCI_MANIFEST);
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/a", with, span_of(image)), 201);
    EXPECT_INT(
        ask_with("PUT", "/v2/app/manifests/b", "Content-Type: application/json", span_of(image)),
        201);
    EXPECT_INT(ask("GET", "/v2/app/manifests/b"), 200);
    EXPECT_STR(answer_header("content-type"), "application/vnd.oci.image.manifest.v1+json");
    serve_end();
}

TEST("deleting a tag leaves the digest; deleting a digest takes its tags")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *image = image_text("one", NULL);
    AUTO_FREE char *other = image_text("two", NULL);
    AUTO_FREE char *by_digest = digest_path("/v2/app/manifests/", span_of(image));
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/a", OCI_MANIFEST, span_of(image)), 201);
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/b", OCI_MANIFEST, span_of(image)), 201);
    EXPECT_INT(ask_with("PUT", "/v2/app/manifests/c", OCI_MANIFEST, span_of(other)), 201);
    EXPECT_INT(ask_with("PUT", "/v2/apps/manifests/a", OCI_MANIFEST, span_of(image)), 201);
    EXPECT_INT(ask("DELETE", "/v2/app/manifests/a"), 202);
    EXPECT_INT(ask("DELETE", "/v2/app/manifests/a"), 404);
    EXPECT_INT(ask("GET", "/v2/app/manifests/b"), 200);
    EXPECT_INT(ask("DELETE", by_digest), 202);
    EXPECT_INT(ask("GET", "/v2/app/manifests/b"), 404);
    EXPECT_INT(ask("GET", by_digest), 404);
    EXPECT_INT(ask("DELETE", by_digest), 404);
    EXPECT_INT(ask("GET", "/v2/app/manifests/c"), 200);
    EXPECT_INT(ask("GET", "/v2/apps/manifests/a"), 200);
    serve_end();
}

TEST("what was pushed is in the store under its name, and in index.json")
{
    serve((struct registry_options){ 0 });
    struct err err = { 0 };
    AUTO_FREE char *image = image_text("one", NULL);
    EXPECT_INT(ask_with("PUT", "/v2/lib/app/manifests/v1", OCI_MANIFEST, span_of(image)), 201);
    AUTO_VALUE(descriptor_clear) struct descriptor found = { 0 };
    bool is_there = false;
    EXPECT_OK(name_find(served.store, NAME_SERVED, "lib/app:v1", &found, &is_there, &err), &err);
    EXPECT(is_there);
    EXPECT_INT(found.size, strlen(image));
    serve_end();
}

TAP_MAIN()
