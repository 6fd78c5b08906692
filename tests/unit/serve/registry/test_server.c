/* The registry as a whole: start, stop, methods, read-only, TLS, the log. */
#include "served.h"

#include "base/sys/fs.h"
#include "image/store/gc.h"

static struct {
    pthread_mutex_t lock;
    char line[512];
    int n;
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void remember(void *arg, const struct registry_event *e)
{
    (void)arg;
    pthread_mutex_lock(&seen.lock);
    snprintf(seen.line, sizeof seen.line, "%s %s %s %s %d %" PRIu64 " %s", e->peer,
             e->user ? e->user : "-", e->method, e->path, e->status, e->size,
             e->error ? e->error : "-");
    seen.n++;
    pthread_mutex_unlock(&seen.lock);
}

TEST("/v2/ says which API this is")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("GET", "/v2/"), 200);
    EXPECT_STR(answer_text(), "{}");
    EXPECT_STR(answer_header("docker-distribution-api-version"), "registry/2.0");
    EXPECT_INT(ask("HEAD", "/v2/"), 200);
    EXPECT_INT(ask("GET", "/v2"), 200);
    EXPECT_INT(ask("GET", "/"), 404);
    EXPECT_INT(ask("GET", "/v2/UPPER/tags/list"), 400);
    EXPECT_STR(answer_code(), "NAME_INVALID");
    serve_end();
}

TEST("a method that an endpoint does not have is 405 and says which it has")
{
    static const struct {
        const char *method, *target, *allow;
    } rows[] = {
        { "POST", "/v2/", "GET, HEAD" },
        { "PUT", "/v2/_catalog", "GET, HEAD" },
        { "PATCH", "/v2/a/manifests/v1", "GET, HEAD, PUT, DELETE" },
        { "PUT", "/v2/a/blobs/sha256:0", "GET, HEAD, DELETE" },
        { "GET", "/v2/a/blobs/uploads/", "POST" },
        { "POST", "/v2/a/blobs/uploads/1", "GET, HEAD, PATCH, PUT, DELETE" },
        { "DELETE", "/v2/a/tags/list", "GET, HEAD" },
        { "BREW", "/v2/a/referrers/sha256:0", "GET, HEAD" },
    };
    serve((struct registry_options){ 0 });
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EXPECT_INT(ask(rows[i].method, rows[i].target), 405);
        EXPECT_STR(answer_code(), "UNSUPPORTED");
        EXPECT_STR(answer_header("allow"), rows[i].allow);
    }
    serve_end();
}

TEST("a read-only registry serves and takes nothing")
{
    serve((struct registry_options){ .is_readonly = true });
    struct digest_text d = put_blob(SPAN("hello"));
    AUTO_FREE char *blob = xasprintf("/v2/a/blobs/%s", d.s);
    EXPECT_INT(ask("GET", blob), 200);
    EXPECT_INT(ask("DELETE", blob), 405);
    EXPECT_STR(answer_header("allow"), "GET, HEAD");
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 405);
    EXPECT_STR(answer_code(), "UNSUPPORTED");
    EXPECT_INT(ask_with("PUT", "/v2/a/manifests/v1", OCI_MANIFEST, SPAN("{}")), 405);
    EXPECT_INT(ask("DELETE", "/v2/a/manifests/v1"), 405);
    EXPECT_INT(ask("GET", "/v2/_catalog"), 200);
    serve_end();
}

TEST("a store that was opened read-only can be served")
{
    struct err err = { 0 };
    serve((struct registry_options){ 0 });
    AUTO_FREE char *image = image_text("one", NULL);
    EXPECT_INT(ask_with("PUT", "/v2/a/manifests/v1", OCI_MANIFEST, span_of(image)), 201);
    AUTO_FREE char *root = xstrdup(store_path(served.store));
    serve_end();
    struct store_options readonly = { .is_readonly = true };
    struct registry_options o = { .is_readonly = true };
    REQUIRE_OK(store_open(root, &readonly, &served.store, &err), &err);
    o.store = served.store;
    struct http_client_options http = { 0 };
    REQUIRE_OK(registry_start(&o, &served.registry, &err), &err);
    REQUIRE_OK(http_client_new(&http, &served.http, &err), &err);
    EXPECT_INT(ask("GET", "/v2/a/manifests/v1"), 200);
    EXPECT_STR(answer_text(), image);
    AUTO_FREE char *layer = digest_path("/v2/a/blobs/", SPAN("one"));
    EXPECT_INT(ask("GET", layer), 200);
    serve_end();
}

TEST("each request is told to the log, without control characters")
{
    serve((struct registry_options){ .log = remember });
    put_blob(SPAN("hello"));
    AUTO_FREE char *path = digest_path("/v2/a/blobs/", SPAN("hello"));
    AUTO_FREE char *want = xasprintf("127.0.0.1 - GET %s 200 5 -", path);
    EXPECT_INT(ask("GET", path), 200);
    EXPECT_STR(seen.line, want);
    EXPECT_INT(ask("GET", "/v2/a%0ab%1b/tags/list"), 400);
    EXPECT_CONTAINS(seen.line, "127.0.0.1 - GET /v2/a?b?/tags/list 400 ");
    EXPECT_INT(seen.n, 2);
    serve_end();
}

TEST("what was uploaded lately is not collected, though nothing names it")
{
    serve((struct registry_options){ 0 });
    struct err err = { 0 };
    struct gc_result result;
    AUTO_FREE char *post = digest_path("/v2/a/blobs/uploads/?digest=", SPAN("hello"));
    AUTO_FREE char *blob = digest_path("/v2/a/blobs/", SPAN("hello"));
    EXPECT_INT(ask_with("POST", post, NULL, SPAN("hello")), 201);
    EXPECT_OK(store_gc(served.store, &(struct gc_options){ 0 }, &result, &err), &err);
    EXPECT_INT(ask("HEAD", blob), 200);
    serve_end();
}

/* The only lease there is, or whatever is listed first. */
static char *first_lease(void)
{
    struct err err = { 0 };
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    EXPECT_OK(fs_list(store_fd(served.store), "leases", &names, &err), &err);
    return xstrdup(names.n ? names.items[0] : "none");
}

TEST("the lease is renewed while the registry runs, and given back at its end")
{
    serve((struct registry_options){ .limits = { .upkeep_ms = 1 } });
    struct err err = { 0 };
    AUTO_FREE char *before = first_lease();
    bool is_same = true;
    for (int i = 0; i < 2000 && is_same; i++) {
        usleep(1000);
        AUTO_FREE char *now = first_lease();
        is_same = strcmp(now, before) == 0;
    }
    EXPECT(!is_same);
    AUTO_FREE char *folder = xasprintf("%s/leases", store_path(served.store));
    serve_end();
    AUTO_VALUE(str_list_clear) struct str_list left = { 0 };
    EXPECT_OK(fs_list(AT_FDCWD, folder, &left, &err), &err);
    EXPECT_INT(left.n, 0);
}

TEST("a full store is 507")
{
    struct err err = { 0 };
    AUTO_FREE char *root = xasprintf("%s/small", tap_dir());
    struct store_options small = { .ceiling = 100 };
    struct registry_options o = { 0 };
    struct http_client_options http = { 0 };
    REQUIRE_OK(store_open(root, &small, &served.store, &err), &err);
    o.store = served.store;
    REQUIRE_OK(registry_start(&o, &served.registry, &err), &err);
    REQUIRE_OK(http_client_new(&http, &served.http, &err), &err);
    char large[200];
    memset(large, 'x', sizeof large);
    AUTO_FREE char *post =
        digest_path("/v2/a/blobs/uploads/?digest=", span_bytes(large, sizeof large));
    EXPECT_INT(ask_with("POST", post, NULL, span_bytes(large, sizeof large)), 507);
    EXPECT_STR(answer_code(), "UNKNOWN");
    EXPECT(!strstr(answer_text(), "/tmp")); /* folders of the server are its own business */
    AUTO_FREE char *fits = digest_path("/v2/a/blobs/uploads/?digest=", SPAN("fits"));
    EXPECT_INT(ask_with("POST", fits, NULL, SPAN("fits")), 201);
    serve_end();
}

TEST("a taken port, an address that is none, half of TLS")
{
    serve((struct registry_options){ 0 });
    struct err err = { 0 };
    struct registry *r = NULL;
    struct registry_options taken = { .store = served.store,
                                      .port = registry_port(served.registry) };
    EXPECT_ERR(registry_start(&taken, &r, &err), &err, ERR_EXISTS);
    struct registry_options nowhere = { .store = served.store, .address = "nowhere" };
    EXPECT_ERR(registry_start(&nowhere, &r, &err), &err, ERR_INVALID);
    struct registry_options half = { .store = served.store, .tls_cert = "/nowhere/cert.pem" };
    EXPECT_ERR(registry_start(&half, &r, &err), &err, ERR_INVALID);
    registry_stop(NULL, 0);
    serve_end();
}

TEST("over TLS")
{
    struct err err = { 0 };
    AUTO_FREE char *cert = xasprintf("%s/cert.pem", tap_dir());
    AUTO_FREE char *key = xasprintf("%s/key.pem", tap_dir());
    AUTO_FREE char *command = xasprintf(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        " -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
        key, cert);
    if (system(command) != 0)
        SKIP("needs openssl");
    serve((struct registry_options){ .tls_cert = cert, .tls_key = key });
    AUTO_VALUE(str_list_clear) struct str_list trusted = { 0 };
    str_list_push(&trusted, cert);
    struct http_tls tls = { .ca_files = &trusted };
    AUTO_FREE char *url = xasprintf("https://127.0.0.1:%u/v2/", registry_port(served.registry));
    struct http_request q = { .method = "GET", .url = url, .tls = &tls };
    AUTO_VALUE(http_response_clear) struct http_response answer = { 0 };
    EXPECT_OK(http_send(served.http, &q, &answer, &err), &err);
    EXPECT_INT(answer.status, 200);
    serve_end();
}

TAP_MAIN()
