/* How a registry is reached: mirrors, proxies, plain HTTP, TLS with and without trust. */
#include "script.h"

#include <sys/stat.h>

#include "base/net/http_server.h"

#define AT_TAG "/v2/lib/app/manifests/v1"
#define FOUND_HEADERS                                                                              \
    "Content-Type: " MEDIA_OCI_MANIFEST "\r\nDocker-Content-Digest: " HELLO_DIGEST "\r\n"
#define FOUND .status = 200, .headers = FOUND_HEADERS, .body = "{}"

static int resolve(const char *text)
{
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    AUTO_VALUE(reference_clear) struct reference there = { 0 };
    EXPECT_OK(reference_parse(span_of(text), &there, &err), &err);
    return remote_resolve(remote, &there, &d, NULL, &err);
}

static int pull_hello(const char *text)
{
    AUTO_VALUE(descriptor_clear) struct descriptor blob = hello_blob();
    AUTO_VALUE(reference_clear) struct reference there = { 0 };
    EXPECT_OK(reference_parse(span_of(text), &there, &err), &err);
    return remote_pull_blob(remote, &there, &blob, store, NULL, &err);
}

static void tls_handle(void *arg, struct http_exchange *x)
{
    (void)arg;
    bool is_base = strcmp(exchange_path(x), "/v2/") == 0;
    if (!is_base) {
        exchange_set_header(x, "Content-Type", MEDIA_OCI_MANIFEST);
        exchange_set_header(x, "Docker-Content-Digest", HELLO_DIGEST);
    }
    exchange_reply(x, is_base || strcmp(exchange_path(x), AT_TAG) == 0 ? 200 : 404, SPAN("{}"));
}

/* The client anew, with the scripted registry as a mirror of one that nobody can reach. */
static void use_mirror(const char *first)
{
    AUTO_VALUE(map_clear) struct map mirrors = STR_MAP;
    AUTO_FREE char *name = registry_name();
    AUTO_FREE char *list = xasprintf("%s%s", first, name);
    map_set_str(&mirrors, "127.0.0.1:1", list);
    close_client();
    open_client((struct remote_options){ .mirrors = &mirrors });
}

TEST("mirrors are asked first, in order; what they do not have comes from the registry")
{
    static const struct rule rules[] = { { "HEAD " AT_TAG, FOUND },
                                         { "GET " HELLO_PATH, .status = 200, .body = HELLO } };
    setup(rules);
    use_mirror("127.0.0.1:2, ");
    EXPECT_OK(resolve("127.0.0.1:1/lib/app:v1"), &err);
    EXPECT_OK(pull_hello("127.0.0.1:1/lib/app:v1"), &err);
    EXPECT(resolve("127.0.0.1:1/lib/app:v2") != 0);
    EXPECT_CONTAINS(err.text, "127.0.0.1:1");
    expect_error(ERR_NETWORK, NULL, NULL);
    EXPECT_INT(count_requests("HEAD /v2/lib/app/manifests/v2"), 1);
    teardown();
}

TEST("a mirror that gives other bytes is passed over")
{
    /* The scripted registry is both, the mirror by another name. */
    static const struct rule rules[] = {
        { "GET " HELLO_PATH, .n = 1, .status = 200, .body = "hello, earth" },
        { "GET " HELLO_PATH, .needs = "range:", .status = 500 },
        { "GET " HELLO_PATH, .status = 200, .body = HELLO },
    };
    setup(rules);
    AUTO_VALUE(map_clear) struct map mirrors = STR_MAP;
    AUTO_FREE char *name = registry_name();
    AUTO_FREE char *other = xasprintf("localhost:%u", script.raw->port);
    AUTO_FREE char *target = xasprintf("%s/lib/app:v1", name);
    map_set_str(&mirrors, name, other);
    close_client();
    open_client((struct remote_options){ .mirrors = &mirrors });
    EXPECT_OK(pull_hello(target), &err);
    EXPECT_INT(count_requests("GET " HELLO_PATH), 2);
    teardown();
}

TEST("a download that a mirror broke off starts anew at the registry")
{
    static const struct rule rules[] = {
        { "GET " HELLO_PATH, .n = 1, .status = 200, .body = "hellish beginnings", .cut_after = 6 },
        { "GET " HELLO_PATH, .n = 1, .needs = "range: bytes=6-", .status = 404 },
        { "GET " HELLO_PATH, .needs = "range:", .status = 500 },
        { "GET " HELLO_PATH, .status = 200, .body = HELLO },
    };
    setup(rules);
    AUTO_VALUE(map_clear) struct map mirrors = STR_MAP;
    AUTO_FREE char *name = registry_name();
    AUTO_FREE char *other = xasprintf("localhost:%u", script.raw->port);
    AUTO_FREE char *target = xasprintf("%s/lib/app:v1", name);
    map_set_str(&mirrors, name, other);
    close_client();
    open_client((struct remote_options){ .mirrors = &mirrors });
    EXPECT_OK(pull_hello(target), &err);
    EXPECT_INT(count_requests("GET " HELLO_PATH), 3);
    teardown();
}

TEST("a mirror that gives another manifest is passed over")
{
    static const char text[] = "{\"schemaVersion\":2,\"manifests\":[]}";
    struct digest d = digest_of(SPAN(text));
    AUTO_FREE char *request = xasprintf("GET /v2/lib/app/manifests/%s", digest_text(&d).s);
    struct rule rules[] = {
        { request, .n = 1, .status = 200, .headers = "Content-Type: " MEDIA_OCI_INDEX "\r\n",
          .body = "{\"schemaVersion\":2,\"manifests\":[] }" },
        { request, .status = 200, .headers = "Content-Type: " MEDIA_OCI_INDEX "\r\n",
          .body = text },
    };
    setup(rules);
    AUTO_VALUE(map_clear) struct map mirrors = STR_MAP;
    AUTO_FREE char *name = registry_name();
    AUTO_FREE char *other = xasprintf("localhost:%u", script.raw->port);
    map_set_str(&mirrors, name, other);
    close_client();
    open_client((struct remote_options){ .mirrors = &mirrors });
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor got = { 0 };
    buf_init(&b, LIMIT_MANIFEST);
    EXPECT_OK(remote_manifest(remote, &ref, &d, &b, &got, NULL, &err), &err);
    EXPECT_STR(b.data, text);
    EXPECT_INT(count_requests(request), 2);
    teardown();
}

static void endless_handle(void *arg, struct http_exchange *x)
{
    (void)arg;
    exchange_set_header(x, "Link", "</v2/lib/app/tags/list?last=a>; rel=\"next\"");
    exchange_reply(x, 200, SPAN("{\"tags\":[\"a\"]}"));
}

TEST("a list without an end has one")
{
    struct http_server *s = NULL;
    struct http_server_options o = { .handle = endless_handle };
    setup_n(NULL, 0, (struct remote_options){ 0 });
    REQUIRE_OK(http_server_start(&o, &s, &err), &err);
    AUTO_FREE char *target = xasprintf("127.0.0.1:%u/lib/app:v1", http_server_port(s));
    reference_clear(&ref);
    EXPECT_OK(reference_parse(span_of(target), &ref, &err), &err);
    AUTO_VALUE(str_list_clear) struct str_list tags = { 0 };
    EXPECT(remote_tags(remote, &ref, &tags, NULL, &err) != 0);
    EXPECT_CONTAINS(err.text, "has more than 1000 pages of them");
    expect_error(ERR_LIMIT, NULL, "");
    teardown();
    http_server_stop(s, 1000);
}

TEST("an IPv6 address is a registry too")
{
    struct http_server *s = NULL;
    struct http_server_options o = { .address = "::1", .handle = tls_handle };
    if (http_server_start(&o, &s, &err)) {
        err_clear(&err);
        SKIP("needs IPv6");
    }
    setup_n(NULL, 0, (struct remote_options){ 0 });
    AUTO_FREE char *target = xasprintf("[::1]:%u/lib/app:v1", http_server_port(s));
    EXPECT_OK(resolve(target), &err); /* loopback: plain HTTP */
    teardown();
    http_server_stop(s, 1000);
}

/* ---- proxies ---- */

/* A proxy that answers for every registry itself, and refuses tunnels. */
static void proxy_serve(struct raw_server *s, int fd)
{
    if (!raw_read(s, fd))
        return;
    pthread_mutex_lock(&s->mutex);
    bool is_tunnel = strncmp(s->request, "CONNECT ", 8) == 0;
    pthread_mutex_unlock(&s->mutex);
    raw_puts(fd, is_tunnel ? "HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                           : "HTTP/1.1 200 OK\r\nConnection: close\r\n" FOUND_HEADERS
                             "Content-Length: 2\r\n\r\n{}");
}

TEST("proxies of the environment are used, but not for loopback")
{
    static const struct rule rules[] = { { "HEAD " AT_TAG, FOUND } };
    struct raw_server *proxy = raw_start(proxy_serve, NULL);
    setenv("http_proxy", raw_url(proxy, ""), 1);
    setenv("https_proxy", raw_url(proxy, ""), 1);
    setup_n(rules, 1, (struct remote_options){ .is_all_insecure = true });
    EXPECT_OK(resolve("registry.test:5000/lib/app:v1"), &err);
    EXPECT_CONTAINS(proxy->request, "HEAD http://registry.test:5000" AT_TAG " HTTP/1.1");
    int n = raw_count(proxy);
    AUTO_FREE char *name = registry_name();
    AUTO_FREE char *target = xasprintf("%s/lib/app:v1", name);
    EXPECT_OK(resolve(target), &err);
    EXPECT_INT(raw_count(proxy), n);
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    teardown();
    raw_stop(proxy);
}

/* ---- TLS ---- */

/* A registry of TLS with a certificate of its own; NULL without openssl. */
static struct http_server *tls_start(void)
{
    struct http_server *s = NULL;
    AUTO_FREE char *cert = in_dir("cert.pem");
    AUTO_FREE char *key = in_dir("key.pem");
    AUTO_FREE char *command =
        xasprintf("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
                  " -subj /CN=kiln-test -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s"
                  " 2>/dev/null",
                  key, cert);
    if (system(command) != 0)
        return NULL;
    struct http_server_options o = { .tls_cert = cert, .tls_key = key, .handle = tls_handle };
    EXPECT_OK(http_server_start(&o, &s, &err), &err);
    return s;
}

static void expect_distrust(const char *target)
{
    EXPECT(resolve(target) != 0);
    EXPECT_CONTAINS(err.text, "certificate");
    expect_error(ERR_INVALID, NULL, NULL);
}

TEST("a certificate that nobody vouches for is refused, unless that was allowed")
{
    struct http_server *s = tls_start();
    if (!s)
        SKIP("needs openssl");
    setup_n(NULL, 0, (struct remote_options){ 0 });
    AUTO_FREE char *name = xasprintf("127.0.0.1:%u", http_server_port(s));
    AUTO_FREE char *target = xasprintf("%s/lib/app:v1", name);
    expect_distrust(target);
    AUTO_VALUE(str_list_clear) struct str_list insecure = { 0 };
    str_list_push(&insecure, name);
    close_client();
    open_client((struct remote_options){ .insecure = &insecure });
    EXPECT_OK(resolve(target), &err);
    close_client();
    open_client((struct remote_options){ .is_all_insecure = true });
    EXPECT_OK(resolve(target), &err);
    close_client();
    open_client((struct remote_options){ 0 });
    remote_allow_insecure(remote, name);
    EXPECT_OK(resolve(target), &err);
    teardown();
    http_server_stop(s, 1000);
}

TEST("certs.d holds the authority of one registry, by host and port")
{
    struct http_server *s = tls_start();
    if (!s)
        SKIP("needs openssl");
    setup_n(NULL, 0, (struct remote_options){ 0 });
    AUTO_FREE char *target = xasprintf("127.0.0.1:%u/lib/app:v1", http_server_port(s));
    AUTO_FREE char *elsewhere = xasprintf("mkdir -p %s/certs.d/127.0.0.1:1 && cp %s/cert.pem"
                                          " %s/certs.d/127.0.0.1:1/ca.crt",
                                          tap_dir(), tap_dir(), tap_dir());
    EXPECT_INT(system(elsewhere), 0);
    expect_distrust(target);
    AUTO_FREE char *here = xasprintf("mv %s/certs.d/127.0.0.1:1 %s/certs.d/127.0.0.1:%u", tap_dir(),
                                     tap_dir(), http_server_port(s));
    EXPECT_INT(system(here), 0);
    close_client();
    open_client((struct remote_options){ 0 });
    EXPECT_OK(resolve(target), &err);
    teardown();
    http_server_stop(s, 1000);
}

TAP_MAIN()
