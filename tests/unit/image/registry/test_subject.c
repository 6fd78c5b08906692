/* Manifests about other ones: registries that list them, and those for which the client does. */
#include "script.h"

#define SUBJECT_HEX "00000000000000000000000000000000000000000000000000000000000000aa"
#define LIST "/v2/lib/app/manifests/sha256-" SUBJECT_HEX
#define INDEX_TYPE "Content-Type: " MEDIA_OCI_INDEX "\r\n"
#define ARTIFACT                                                                                   \
    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST                                     \
    "\",\"artifactType\":\"text/x\",\"config\":{\"mediaType\":\"" MEDIA_OCI_EMPTY                  \
    "\",\"digest\":\"" HELLO_DIGEST "\",\"size\":12},\"layers\":[],\"subject\":{\"mediaType\":"    \
    "\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" SUBJECT_HEX                                  \
    "\",\"size\":7},\"annotations\":{\"a\":\"b\"}}"

static struct digest_text own_digest(void)
{
    struct digest d = digest_of(SPAN(ARTIFACT));
    return digest_text(&d);
}

static int put(void)
{
    struct reference at = ref;
    at.tag = NULL;
    err_clear(&err);
    return remote_push_manifest(remote, &at, MEDIA_OCI_MANIFEST, SPAN(ARTIFACT), NULL, &err);
}

static void expect_requests_after_put(const char *rest)
{
    AUTO_FREE char *want = xasprintf("PUT /v2/lib/app/manifests/%s\n%s", own_digest().s, rest);
    expect_requests(want);
}

TEST("a registry that took note of the subject is told nothing more")
{
    struct rule rules[] = { { "PUT /v2/lib/app/manifests/sha256:", .status = 201,
                              .headers = "OCI-Subject: sha256:" SUBJECT_HEX "\r\n" } };
    setup(rules);
    EXPECT_OK(put(), &err);
    expect_requests_after_put("");
    teardown();
}

TEST("elsewhere the list of referrers is made, or gets one entry more")
{
    static const char *const lists[] = { NULL,
                                         "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
                                         "\",\"manifests\":[]}" };
    for (size_t i = 0; i < 2; i++) {
        struct rule rules[] = { { "PUT /v2/lib/app/manifests/sha256", .status = 201 },
                                { "GET " LIST, .status = lists[i] ? 200 : 404,
                                  .headers = INDEX_TYPE, .body = lists[i] } };
        setup(rules);
        EXPECT_OK(put(), &err);
        expect_requests_after_put("GET " LIST "\nPUT " LIST "\n");
        teardown();
    }
}

TEST("a list that has the entry already stays as it is")
{
    AUTO_FREE char *list = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
                                     "\",\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
                                     "\",\"digest\":\"%s\",\"size\":%zu}]}",
                                     own_digest().s, strlen(ARTIFACT));
    struct rule rules[] = { { "PUT /v2/lib/app/manifests/sha256:", .status = 201 },
                            { "GET " LIST, .status = 200, .headers = INDEX_TYPE, .body = list } };
    setup(rules);
    EXPECT_OK(put(), &err);
    expect_requests_after_put("GET " LIST "\n");
    teardown();
}

TEST("a manifest about nothing is put and no more")
{
    static const char plain[] = "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
                                "\",\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
                                "\",\"digest\":\"" HELLO_DIGEST "\",\"size\":12},\"layers\":[]}";
    struct rule rules[] = { { "PUT /v2/lib/app/manifests/v1", .status = 201 } };
    setup(rules);
    EXPECT_OK(remote_push_manifest(remote, &ref, MEDIA_OCI_MANIFEST, span_of(plain), NULL, &err),
              &err);
    expect_requests("PUT /v2/lib/app/manifests/v1\n");
    teardown();
}

TEST("a list that cannot be read, is none, or is not taken is an error")
{
    static const char other[] = "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
                                "\",\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
                                "\",\"digest\":\"" HELLO_DIGEST "\",\"size\":12},\"layers\":[]}";
    static const struct rule never = { "NEVER", .status = 500 };
    struct rule rows[][3] = {
        { { "PUT /v2/lib/app/manifests/sha256:", .status = 201 },
          { "GET " LIST, .status = 403 },
          never },
        { { "PUT /v2/lib/app/manifests/sha256:", .status = 201 },
          { "GET " LIST, .status = 200, .headers = "Content-Type: " MEDIA_OCI_MANIFEST "\r\n",
            .body = other },
          never },
        { { "PUT /v2/lib/app/manifests/sha256:", .status = 201 },
          { "GET " LIST, .status = 404 },
          { "PUT " LIST, .status = 403 } },
    };
    static const enum err_kind kinds[] = { ERR_DENIED, ERR_INVALID, ERR_DENIED };
    for (size_t i = 0; i < 3; i++) {
        setup(rows[i]);
        EXPECT_INT(put(), -1);
        EXPECT_CONTAINS(err.text, "list it as a referrer: ");
        expect_error(kinds[i], NULL, NULL);
        teardown();
    }
}

TAP_MAIN()
