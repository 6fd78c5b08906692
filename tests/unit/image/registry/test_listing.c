/* Resolving, manifests, tags and referrers. */
#include "script.h"

#define MANIFEST_TEXT                                                                              \
    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST                                     \
    "\",\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" HELLO_DIGEST             \
    "\",\"size\":12},\"layers\":[]}"
#define TYPE "Content-Type: " MEDIA_OCI_MANIFEST "\r\n"
#define AT_TAG "/v2/lib/app/manifests/v1"

static struct digest_text manifest_digest(void)
{
    struct digest d = digest_of(SPAN(MANIFEST_TEXT));
    return digest_text(&d);
}

static void expect_resolved(void)
{
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    EXPECT_OK(remote_resolve(remote, &ref, &d, NULL, &err), &err);
    EXPECT_STR(digest_text(&d.digest).s, manifest_digest().s);
    EXPECT_STR(d.media_type, MEDIA_OCI_MANIFEST);
    EXPECT_INT(d.size, strlen(MANIFEST_TEXT));
}

TEST("a tag is resolved by HEAD alone")
{
    AUTO_FREE char *headers = xasprintf(TYPE "Docker-Content-Digest: %s\r\n", manifest_digest().s);
    struct rule rules[] = {
        { "HEAD " AT_TAG, .needs = "accept: " MEDIA_OCI_MANIFEST ", " MEDIA_OCI_INDEX,
          .status = 200, .headers = headers, .body = MANIFEST_TEXT },
    };
    setup(rules);
    expect_resolved();
    expect_requests("HEAD " AT_TAG "\n");
    teardown();
}

TEST("without a digest header, a useful type or HEAD at all, GET tells")
{
    static const struct rule heads[] = {
        { "HEAD " AT_TAG, .status = 200, .headers = TYPE, .body = MANIFEST_TEXT },
        { "HEAD " AT_TAG, .status = 200, .body = MANIFEST_TEXT,
          .headers = "Docker-Content-Digest: sha256:nonsense\r\n" TYPE },
        { "HEAD " AT_TAG, .status = 200, .body = MANIFEST_TEXT,
          .headers = "Content-Type: text/html\r\nDocker-Content-Digest: " HELLO_DIGEST "\r\n" },
        { "HEAD " AT_TAG, .status = 405 },
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct rule rules[] = {
            heads[i],
            { "GET " AT_TAG, .status = 200, .headers = TYPE, .body = MANIFEST_TEXT },
        };
        setup(rules);
        expect_resolved();
        teardown();
    }
}

TEST("a name that is not there, or not for us")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, .n = 1, .status = 404 },
        { "HEAD " AT_TAG, .n = 1, .status = 401 },
        { "HEAD " AT_TAG, .n = 1, .status = 403 },
    };
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    setup(rules);
    EXPECT_FAILS(remote_resolve(remote, &ref, &d, NULL, &err), ERR_NOT_FOUND,
                 "resolve v1: HOST/lib/app answers 404, not found", "");
    EXPECT_FAILS(remote_resolve(remote, &ref, &d, NULL, &err), ERR_DENIED,
                 "resolve v1: HOST/lib/app answers 401, not authorized",
                 "no credentials for HOST in DIR/auth.json; kiln login HOST stores them");
    EXPECT_FAILS(remote_resolve(remote, &ref, &d, NULL, &err), ERR_DENIED,
                 "resolve v1: HOST/lib/app answers 403, forbidden",
                 "no credentials for HOST in DIR/auth.json; kiln login HOST stores them");
    teardown();
}

static int get_manifest(const struct digest *want, size_t ceiling)
{
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    buf_init(&b, ceiling);
    int status = remote_manifest(remote, &ref, want, &b, &d, NULL, &err);
    if (status == 0) {
        EXPECT_STR(b.data, MANIFEST_TEXT);
        EXPECT_STR(d.media_type, MEDIA_OCI_MANIFEST);
    }
    return status;
}

TEST("a manifest is held against its digest, its ceiling, and what manifests are")
{
    static const struct rule rules[] = {
        { "GET " AT_TAG, .n = 3, .status = 200, .headers = TYPE, .body = MANIFEST_TEXT },
        { "GET " AT_TAG, .n = 1, .status = 200, .headers = "Content-Type: text/plain\r\n",
          .body = MANIFEST_TEXT },
        { "GET " AT_TAG, .status = 200, .headers = "Content-Type: text/html\r\n",
          .body = "<html>" },
        { "GET /v2/lib/app/manifests/sha256:", .status = 200, .headers = TYPE,
          .body = MANIFEST_TEXT },
    };
    setup(rules);
    struct digest other = digest_of(SPAN("other")), right = digest_of(SPAN(MANIFEST_TEXT));
    EXPECT_OK(get_manifest(NULL, LIMIT_MANIFEST), &err);
    EXPECT_FAILS(get_manifest(NULL, 100), ERR_LIMIT, NULL, "");
    EXPECT_OK(get_manifest(NULL, LIMIT_MANIFEST), &err);
    EXPECT_OK(get_manifest(NULL, LIMIT_MANIFEST), &err); /* by its content */
    EXPECT_FAILS(get_manifest(NULL, LIMIT_MANIFEST), ERR_INVALID,
                 "get manifest v1: HOST/lib/app gave something that is no manifest (text/html)",
                 "");
    EXPECT_OK(get_manifest(&right, LIMIT_MANIFEST), &err);
    AUTO_FREE char *text =
        xasprintf("get manifest %s: HOST/lib/app gave %s for %s", digest_text(&other).s,
                  digest_text(&right).s, digest_text(&other).s);
    EXPECT_FAILS(get_manifest(&other, LIMIT_MANIFEST), ERR_CORRUPT, text, "");
    use_reference("@" HELLO_DIGEST);
    AUTO_FREE char *by_ref =
        xasprintf("get manifest " HELLO_DIGEST ": HOST/lib/app gave %s for " HELLO_DIGEST,
                  digest_text(&right).s);
    EXPECT_FAILS(get_manifest(NULL, LIMIT_MANIFEST), ERR_CORRUPT, by_ref, "");
    teardown();
}

static char *tags(void)
{
    AUTO_VALUE(str_list_clear) struct str_list list = { 0 };
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    buf_init(&b, 1 << 20);
    buf_puts(&b, "");
    if (remote_tags(remote, &ref, &list, NULL, &err))
        return NULL;
    vec_each (&list, tag)
        buf_printf(&b, "%s ", *tag);
    return buf_take(&b);
}

TEST("tags are listed over all pages, whatever form the link has")
{
    static const struct rule rules[] = {
        { "GET /v2/lib/app/tags/list?n=1000", .status = 200,
          .body = "{\"name\":\"lib/app\",\"tags\":[\"a\",\"b\"]}",
          .headers = "Link: </v2/lib/app/tags/list?last=b&n=2>; rel=\"next\"\r\n" },
        { "GET /v2/lib/app/tags/list?last=b", .status = 200,
          .body = "{\"name\":\"lib/app\",\"tags\":[\"c\"]}",
          .headers = "Link: <list?last=c>; rel=next\r\n" },
        { "GET /v2/lib/app/tags/list?last=c", .status = 200, .body = "{\"tags\":null}" },
    };
    setup(rules);
    AUTO_FREE char *got = tags();
    EXPECT_STR(got, "a b c ");
    EXPECT_INT(count_requests("GET /v2/lib/app/tags/"), 3);
    teardown();
}

TEST("lists that are none, a repository that is not there")
{
    static const struct rule rules[] = {
        { "GET /v2/lib/app/tags/", .n = 1, .status = 200, .body = "{\"tags\":[1]}" },
        { "GET /v2/lib/app/tags/", .n = 1, .status = 200, .body = "<html>" },
        { "GET /v2/lib/app/tags/", .n = 1, .status = 200, .body = "{\"tags\":[\"a\"]}",
          .headers = "Link: <ht tp://[>; rel=\"next\"\r\n" },
        { "GET /v2/lib/app/tags/", .status = 404,
          .body = "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"who?\"}]}" },
    };
    setup(rules);
    EXPECT(!tags());
    expect_error(ERR_INVALID, "list the tags: HOST/lib/app: the list of tags is no list of texts",
                 "");
    EXPECT(!tags());
    expect_error(ERR_INVALID, NULL, "");
    EXPECT(!tags());
    expect_error(ERR_INVALID, NULL, "");
    EXPECT(!tags());
    expect_error(ERR_NOT_FOUND,
                 "list the tags: HOST/lib/app answers 404, not found: NAME_UNKNOWN: who?", "");
    teardown();
}

/* ---- referrers ---- */

#define ENTRY(digit, type)                                                                         \
    "{\"mediaType\":\"" MEDIA_OCI_MANIFEST                                                         \
    "\",\"digest\":\"sha256:" digit digit digit digit digit digit digit digit                      \
    "\",\"size\":7,\"artifactType\":\"" type "\"}"
#define INDEX_OF(entries)                                                                          \
    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[" entries "]}"
#define ONE ENTRY("11111111", "a/one")
#define TWO ENTRY("22222222", "a/two")
#define REFERRERS "/v2/lib/app/referrers/" HELLO_DIGEST

static int referrers(const char *type, char **out)
{
    AUTO_VALUE(descriptors_clear) struct descriptors list = { 0 };
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    struct digest subject = digest_of(SPAN(HELLO));
    buf_init(&b, 1 << 20);
    buf_puts(&b, "");
    int status = remote_referrers(remote, &ref, &subject, type, &list, NULL, &err);
    vec_each (&list, d)
        buf_printf(&b, "%s ", d->artifact_type);
    *out = buf_take(&b);
    return status;
}

TEST("referrers come from the API, page by page, filtered here where the registry does not")
{
    static const struct rule rules[] = {
        { "GET " REFERRERS "?page=2", .status = 200, .body = INDEX_OF(TWO) },
        { "GET " REFERRERS, .status = 200, .body = INDEX_OF(ONE),
          .headers = "Link: <" REFERRERS "?page=2>; rel=\"next\"\r\n" },
    };
    setup(rules);
    AUTO_FREE char *all = NULL;
    AUTO_FREE char *some = NULL;
    EXPECT_OK(referrers(NULL, &all), &err);
    EXPECT_STR(all, "a/one a/two ");
    EXPECT_OK(referrers("a/two", &some), &err);
    EXPECT_STR(some, "a/two ");
    teardown();
}

TEST("a registry without the API has them under the tag of the schema, or not at all")
{
    static const struct rule rules[] = {
        { "GET /v2/lib/app/manifests/sha256-09ca7e4eaa6e8ae9c7d261167129184883644d07dfba7cbfbc4c8a"
          "2e08360d5b",
          .n = 1, .status = 200, .headers = "Content-Type: " MEDIA_OCI_INDEX "\r\n",
          .body = INDEX_OF(ONE "," TWO) },
    };
    setup(rules);
    AUTO_FREE char *tagged = NULL;
    AUTO_FREE char *none = NULL;
    EXPECT_OK(referrers(NULL, &tagged), &err);
    EXPECT_STR(tagged, "a/one a/two ");
    EXPECT_OK(referrers(NULL, &none), &err);
    EXPECT_STR(none, "");
    teardown();
}

TEST("referrers that are no descriptors are refused")
{
    static const struct rule rules[] = {
        { "GET " REFERRERS, .status = 200, .body = INDEX_OF("{\"mediaType\":\"x\"}") },
    };
    setup(rules);
    AUTO_FREE char *got = NULL;
    EXPECT_FAILS(referrers(NULL, &got), ERR_INVALID, NULL, "");
    teardown();
}

TAP_MAIN()
