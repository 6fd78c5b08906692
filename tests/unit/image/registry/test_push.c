/* Uploads: found there, mounted, sent, cut and gone on with. */
#include "script.h"

#include <pthread.h>

#include "image/store/ingest.h"

#define UPLOADS "/v2/lib/app/blobs/uploads/"
#define POST_UPLOAD                                                                                \
    {                                                                                              \
        "POST " UPLOADS, .status = 202, .headers = "Location: " UPLOADS "s1?state=a\r\n"           \
    }
#define PUT_WHOLE "PUT " UPLOADS "s1?state=a&digest=" HELLO_DIGEST
#define PUT_REST "PUT " UPLOADS "s1?state=b&digest=" HELLO_DIGEST

static bool was_there;

static int push_from(const char *mount_from)
{
    AUTO_VALUE(descriptor_clear) struct descriptor blob = hello_blob();
    return remote_push_blob(remote, &ref, &blob, mount_from, store, &was_there, NULL, &err);
}

static void keep_hello(void)
{
    struct digest d;
    EXPECT_OK(blob_put(store, SPAN(HELLO), &d, &err), &err);
}

TEST("a blob that is there is not sent")
{
    static const struct rule rules[] = { { "HEAD " HELLO_PATH, .status = 200 } };
    setup(rules);
    EXPECT_OK(push_from(NULL), &err); /* not even in our store */
    EXPECT(was_there);
    expect_requests("HEAD " HELLO_PATH "\n");
    teardown();
}

TEST("a blob goes in one POST and one PUT")
{
    static const struct rule rules[] = { POST_UPLOAD, { PUT_WHOLE, .status = 201 } };
    setup(rules);
    keep_hello();
    EXPECT_OK(push_from(NULL), &err);
    EXPECT(!was_there);
    EXPECT_STR(script.last_body, HELLO);
    expect_requests("HEAD " HELLO_PATH "\nPOST " UPLOADS "\n" PUT_WHOLE "\n");
    teardown();
}

static void *push_too(void *status)
{
    AUTO_VALUE(descriptor_clear) struct descriptor blob = hello_blob();
    struct err own = { 0 };
    *(int *)status = remote_push_blob(remote, &ref, &blob, NULL, store, NULL, NULL, &own);
    return NULL;
}

TEST("a blob that four want to send at once goes once")
{
    static const struct rule rules[] = { POST_UPLOAD, { PUT_WHOLE, .status = 201 } };
    pthread_t threads[4];
    int status[4];
    setup(rules);
    keep_hello();
    for (size_t i = 0; i < 4; i++)
        EXPECT_INT(pthread_create(&threads[i], NULL, push_too, &status[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        EXPECT_INT(status[i], 0);
    }
    expect_requests("HEAD " HELLO_PATH "\nPOST " UPLOADS "\n" PUT_WHOLE "\n");
    teardown();
}

TEST("a mount that is accepted sends nothing")
{
    static const struct rule rules[] = { { "POST " UPLOADS "?mount=" HELLO_DIGEST "&from=lib/base",
                                           .status = 201 } };
    setup(rules);
    EXPECT_OK(push_from("lib/base"), &err);
    EXPECT(was_there);
    expect_requests("HEAD " HELLO_PATH "\nPOST " UPLOADS "?mount=" HELLO_DIGEST "&from=lib/base\n");
    teardown();
}

TEST("a mount that is refused becomes an upload")
{
    static const struct rule rules[] = { POST_UPLOAD, { PUT_WHOLE, .status = 201 } };
    setup(rules);
    keep_hello();
    EXPECT_OK(push_from("lib/base"), &err);
    EXPECT(!was_there);
    EXPECT_STR(script.last_body, HELLO);
    teardown();
}

TEST("neither there, nor mounted, nor in the store: the session is given up")
{
    static const struct rule rules[] = { POST_UPLOAD };
    setup(rules);
    AUTO_FREE char *text =
        xasprintf("open blob " HELLO_DIGEST ": not in the store %s", "DIR/store");
    EXPECT_FAILS(push_from("lib/base"), ERR_NOT_FOUND, text, "");
    EXPECT_INT(count_requests("DELETE " UPLOADS "s1?state=a"), 1);
    teardown();
}

TEST("a registry without HEAD gets the blob")
{
    static const struct rule rules[] = { { "HEAD " HELLO_PATH, .status = 405 },
                                         POST_UPLOAD,
                                         { PUT_WHOLE, .status = 201 } };
    setup(rules);
    keep_hello();
    EXPECT_OK(push_from(NULL), &err);
    EXPECT_STR(script.last_body, HELLO);
    teardown();
}

TEST("an upload that is cut goes on by PATCH from where the registry stands")
{
    static const struct rule rules[] = {
        POST_UPLOAD,
        { PUT_WHOLE, .takes = 5 },
        { "GET " UPLOADS "s1?state=a", .status = 204,
          .headers = "Range: 0-4\r\nLocation: " UPLOADS "s1?state=five\r\n" },
        { "PATCH " UPLOADS "s1?state=five", .needs = "content-range: 5-11", .status = 202,
          .headers = "Location: " UPLOADS "s1?state=b\r\nRange: 0-11\r\n" },
        { PUT_REST, .status = 201 },
    };
    setup(rules);
    keep_hello();
    EXPECT_OK(push_from(NULL), &err);
    EXPECT_STR(script.last_body, ", world"); /* the closing PUT has no body */
    expect_requests("HEAD " HELLO_PATH "\nPOST " UPLOADS "\n" PUT_WHOLE "\nGET " UPLOADS
                    "s1?state=a\nPATCH " UPLOADS "s1?state=five\n" PUT_REST "\n");
    teardown();
}

TEST("an upload whose session is gone starts anew")
{
    static const struct rule rules[] = {
        { "POST " UPLOADS, .n = 1, .status = 202, .headers = "Location: " UPLOADS "old\r\n" },
        { "PUT " UPLOADS "old", .takes = 5 },
        { "GET " UPLOADS "old", .status = 404,
          .body = "{\"errors\":[{\"code\":\"BLOB_UPLOAD_UNKNOWN\",\"message\":\"gone\"}]}" },
        { "POST " UPLOADS, .n = 1, .status = 202, .headers = "Location: " UPLOADS "new\r\n" },
        { "PATCH " UPLOADS "new", .needs = "content-range: 0-11", .status = 202,
          .headers = "Location: " UPLOADS "new\r\n" },
        { "PUT " UPLOADS "new?digest=" HELLO_DIGEST, .status = 201 },
    };
    setup(rules);
    keep_hello();
    EXPECT_OK(push_from(NULL), &err);
    EXPECT_STR(script.last_body, HELLO);
    teardown();
}

TEST("a registry that wants no PUT with a body gets everything by PATCH")
{
    static const struct rule rules[] = {
        POST_UPLOAD,
        { PUT_WHOLE, .status = 405 },
        { "GET " UPLOADS "s1?state=a", .status = 204, .headers = "Range: 0-0\r\n" },
        { "PATCH " UPLOADS "s1?state=a", .needs = "content-range: 0-11", .status = 202,
          .headers = "Location: " UPLOADS "s1?state=b\r\n" },
        { PUT_REST, .status = 201 },
    };
    setup(rules);
    keep_hello();
    EXPECT_OK(push_from(NULL), &err);
    EXPECT_STR(script.last_body, HELLO);
    teardown();
}

TEST("503 and 429 at the PUT are gone on with; 416 asks again where the registry stands")
{
    static const int statuses[] = { 503, 429, 416 };
    for (int i = 0; i < 3; i++) {
        struct rule rules[] = {
            POST_UPLOAD,
            { PUT_WHOLE, .n = 1, .status = statuses[i] },
            { "GET " UPLOADS "s1?state=a", .status = 204, .headers = "Range: 0-2\r\n" },
            { "PATCH " UPLOADS "s1?state=a", .needs = "content-range: 3-11", .status = 202,
              .headers = "Location: " UPLOADS "s1?state=b\r\n" },
            { PUT_REST, .status = 201 },
        };
        setup(rules);
        keep_hello();
        EXPECT_OK(push_from(NULL), &err);
        EXPECT_STR(script.last_body, "lo, world");
        teardown();
    }
}

TEST("what a registry refuses is told in its own words, and not tried again")
{
    static const struct rule rules[] = {
        POST_UPLOAD,
        { PUT_WHOLE, .n = 1, .status = 400,
          .body = "{\"errors\":[{\"code\":\"DIGEST_INVALID\",\"message\":\"other bytes\"}]}" },
        { PUT_WHOLE, .n = 1, .status = 413 },
    };
    setup(rules);
    log_in();
    keep_hello();
    EXPECT_FAILS(push_from(NULL), ERR_INVALID,
                 "push blob " HELLO_DIGEST ": HOST/lib/app answers 400, refused: DIGEST_INVALID:"
                 " other bytes",
                 "");
    EXPECT_FAILS(push_from(NULL), ERR_LIMIT,
                 "push blob " HELLO_DIGEST ": HOST/lib/app answers 413, too large", "");
    EXPECT_INT(count_requests(PUT_WHOLE), 2);
    teardown();
}

TEST("a session whose place is not told cannot be used")
{
    static const struct rule rules[] = { { "POST " UPLOADS, .status = 202 } };
    setup(rules);
    keep_hello();
    EXPECT_FAILS(push_from(NULL), ERR_INVALID, "push blob " HELLO_DIGEST ": HOST names no Location",
                 "");
    teardown();
}

static void storage_serve(struct raw_server *s, int fd)
{
    if (raw_read(s, fd))
        raw_puts(fd, "HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

TEST("bytes go where the registry sends them, credentials do not")
{
    struct raw_server *storage = raw_start(storage_serve, NULL);
    AUTO_FREE char *elsewhere =
        xasprintf("Location: http://127.0.0.1:%u/put/here?sig=1\r\n", storage->port);
    struct rule rules[] = {
        { "", .needs = SECRET_BASIC, .status = 202, .headers = elsewhere },
        { "", .status = 401, .headers = "WWW-Authenticate: Basic realm=\"x\"\r\n" },
    };
    rules[0].request = "POST " UPLOADS;
    static const struct rule absent = { "HEAD ", .needs = SECRET_BASIC, .status = 404 };
    struct rule all[] = { absent, rules[0], rules[1] };
    setup(all);
    log_in();
    keep_hello();
    EXPECT_OK(push_from(NULL), &err);
    EXPECT_CONTAINS(storage->request, "PUT /put/here?sig=1&digest=" HELLO_DIGEST);
    EXPECT(!strcasestr(storage->request, "authorization"));
    teardown();
    raw_stop(storage);
}

static struct {
    pthread_mutex_t lock;
    uint64_t last;
    int n;
} moved = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void on_moved(void *arg, const struct digest *blob, bool is_push, uint64_t current,
                     uint64_t total)
{
    (void)arg, (void)blob;
    pthread_mutex_lock(&moved.lock);
    moved.last = is_push && total == strlen(HELLO) ? current : 0;
    moved.n++;
    pthread_mutex_unlock(&moved.lock);
}

TEST("what moves is told")
{
    static const struct rule rules[] = { POST_UPLOAD, { PUT_WHOLE, .status = 201 } };
    setup_n(rules, 2, (struct remote_options){ .moved = on_moved });
    keep_hello();
    EXPECT_OK(push_from(NULL), &err);
    EXPECT_INT(moved.last, strlen(HELLO));
    EXPECT(moved.n >= 1);
    teardown();
}

TEST("manifests go under the tag, or their digest; refusals are told")
{
    static const char text[] = "{\"schemaVersion\":2}";
    static const struct rule rules[] = {
        { "PUT /v2/lib/app/manifests/v1", .needs = "content-type: " MEDIA_OCI_MANIFEST, .n = 1,
          .status = 201 },
        { "PUT /v2/lib/app/manifests/sha256:", .status = 201 },
        { "PUT /v2/lib/app/manifests/v1", .status = 400,
          .body = "{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\",\"message\":\"no layer\"}]}" },
    };
    setup(rules);
    EXPECT_OK(remote_push_manifest(remote, &ref, MEDIA_OCI_MANIFEST, SPAN(text), NULL, &err), &err);
    EXPECT_STR(script.last_body, text);
    EXPECT_FAILS(remote_push_manifest(remote, &ref, MEDIA_OCI_MANIFEST, SPAN(text), NULL, &err),
                 ERR_INVALID,
                 "push manifest v1: HOST/lib/app answers 400, refused: MANIFEST_BLOB_UNKNOWN:"
                 " no layer",
                 "");
    use_reference("@" HELLO_DIGEST);
    EXPECT_OK(remote_push_manifest(remote, &ref, MEDIA_OCI_MANIFEST, SPAN(text), NULL, &err), &err);
    teardown();
}

TEST("manifests are deleted, or it is told why not")
{
    static const struct rule rules[] = {
        { "DELETE /v2/lib/app/manifests/v1", .n = 1, .status = 202 },
        { "DELETE /v2/lib/app/manifests/v1", .n = 1, .status = 405,
          .body = "{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\"never\"}]}" },
    };
    setup(rules);
    EXPECT_OK(remote_delete_manifest(remote, &ref, NULL, &err), &err);
    EXPECT_FAILS(remote_delete_manifest(remote, &ref, NULL, &err), ERR_UNSUPPORTED,
                 "delete manifest v1: HOST/lib/app answers 405, refused: UNSUPPORTED: never", "");
    EXPECT_FAILS(remote_delete_manifest(remote, &ref, NULL, &err), ERR_NOT_FOUND,
                 "delete manifest v1: HOST/lib/app answers 404, not found", "");
    teardown();
}

TAP_MAIN()
