/* tests/unit/base/net/test_http_pair.c - our client and our server together; connections,
 * redirects, proxies. */
#include "base/net/http_client.h"

#include "base/codec/digest.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "raw_server.h"
#include "test_server.h"

static struct http_client *client_new(void)
{
    struct http_client *c = NULL;
    struct err err = { 0 };
    EXPECT_OK(http_client_new(NULL, &c, &err), &err);
    return c;
}

/* The body of the answer, or NULL; *status may be NULL. */
static char *get(struct http_client *c, const char *url, const struct map *headers, int *status)
{
    struct http_request q = {
        .method = "GET", .url = url, .headers = headers, .follows_redirects = true
    };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    if (http_send(c, &q, &r, &err)) {
        tap_fail(__FILE__, __LINE__, "%s", err.text);
        return NULL;
    }
    if (status)
        *status = r.status;
    return r.body.len ? buf_take(&r.body) : xstrdup("");
}

/* ---- streams ---- */

struct pattern { /* `left` bytes that depend on their place */
    struct reader reader;
    uint64_t left, at;
};

static int pattern_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    (void)err;
    struct pattern *p = (struct pattern *)r;
    if (cap > p->left)
        cap = (size_t)p->left;
    for (size_t i = 0; i < cap; i++)
        ((unsigned char *)to)[i] = (unsigned char)((p->at + i) * 2654435761u >> 13);
    p->at += cap;
    p->left -= cap;
    *n = cap;
    return 0;
}
static const struct reader_ops pattern_ops = { .read = pattern_read };

static int compare_write(struct writer *w, struct span bytes, struct err *err);
static const struct writer_ops compare_ops = { .write = compare_write };
struct compare {
    struct writer writer;
    struct pattern want;
};

static int compare_write(struct writer *w, struct span bytes, struct err *err)
{
    struct compare *c = (struct compare *)w;
    AUTO_FREE char *want = xmalloc(bytes.len + 1);
    size_t n = 0;
    if (pattern_read(&c->want.reader, want, bytes.len, &n, err) || n != bytes.len ||
        memcmp(want, bytes.ptr, n) != 0)
        return err_set(err, ERR_CORRUPT, "other bytes than were sent");
    return 0;
}

TEST("a body streams through both and comes back unchanged, with a length and in chunks")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = test_server_start(NULL);
    const uint64_t size = 10 * MIB + 7;
    for (int chunked = 0; chunked < 2; chunked++) {
        struct pattern body = { .reader.ops = &pattern_ops, .left = size };
        struct compare sink = { .writer.ops = &compare_ops, .want.left = size };
        struct http_request q = { .method = chunked ? "POST" : "PUT",
                                  .url = test_url(t, "/echo"),
                                  .body_stream = &body.reader,
                                  .body_size = chunked ? UINT64_MAX : size };
        AUTO_VALUE(http_response_clear) struct http_response r;
        struct err err = { 0 };
        EXPECT_OK(http_fetch(c, &q, &r, &sink.writer, &err), &err);
        EXPECT_INT(r.status, 200);
        EXPECT_INT(sink.want.left, 0);
    }
    test_server_stop(t);
}

TEST("an answer that comes before the body was sent is heard")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = test_server_start(NULL);
    struct pattern body = { .reader.ops = &pattern_ops, .left = 10 * MIB };
    struct http_request q = { .method = "PUT",
                              .url = test_url(t, "/deny"),
                              .body_stream = &body.reader,
                              .body_size = 10 * MIB };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    EXPECT_INT(r.status, 401);
    EXPECT_STR(map_find_str(&r.headers, "www-authenticate"), "Bearer realm=\"x\"");
    test_server_stop(t);
}

struct broken_reader {
    struct reader reader;
    int n_good;
};

static int broken_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    struct broken_reader *b = (struct broken_reader *)r;
    if (b->n_good-- <= 0)
        return err_set(err, ERR_CORRUPT, "layer is broken");
    memset(to, 'x', cap);
    *n = cap;
    return 0;
}
static const struct reader_ops broken_ops = { .read = broken_read };

TEST("an error of the body's stream ends the request on both sides")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = test_server_start(NULL);
    struct broken_reader body = { .reader.ops = &broken_ops, .n_good = 2 };
    struct http_request q = { .method = "PUT",
                              .url = test_url(t, "/size"),
                              .body_stream = &body.reader,
                              .body_size = 100 * MIB };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_ERR(http_send(c, &q, &r, &err), &err, ERR_CORRUPT);
    EXPECT_STR(err.text, "layer is broken");
    pthread_mutex_lock(&t->mutex);
    while (!t->body_error)
        pthread_cond_wait(&t->changed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
    EXPECT_INT(body_error_of(t), ERR_NETWORK);
    test_server_stop(t);
}

/* ---- connections ---- */

static pthread_barrier_t both_connected;

/* serve: the first answer of a connection waits until there are two of them. */
static void say_when_two(struct raw_server *s, int fd)
{
    for (int i = 0; raw_read(s, fd); i++) {
        if (!i)
            pthread_barrier_wait(&both_connected);
        raw_puts(fd, s->text);
    }
}

struct puller {
    struct http_client *client;
    char *url; /* owned */
};

static void *pull_five(void *arg)
{
    struct puller *p = arg;
    for (int i = 0; i < 5; i++) {
        AUTO_FREE char *body = get(p->client, p->url, NULL, NULL);
        EXPECT_STR(body, "blob");
    }
    return NULL;
}

TEST("ten blobs pulled by two threads take two connections, and later pulls none")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct raw_server *s =
        raw_start(say_when_two, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nblob");
    struct puller p = { .client = c, .url = xstrdup(raw_url(s, "/")) };
    pthread_barrier_init(&both_connected, NULL, 2);
    for (int round = 0; round < 2; round++) {
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, pull_five, &p);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        EXPECT_INT(raw_count(s), 2);
    }
    pthread_barrier_destroy(&both_connected);
    free(p.url);
    raw_stop(s);
}

TEST("more hosts than lanes stay idle are asked in turn, and each answers")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct raw_server *servers[20];
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 20; i++) {
            if (!round)
                servers[i] =
                    raw_start(raw_keep_saying, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            AUTO_FREE char *body = get(c, raw_url(servers[i], "/"), NULL, NULL);
            EXPECT_STR(body, "ok");
        }
    for (size_t i = 0; i < 20; i++)
        raw_stop(servers[i]);
}

static void *pull_mixed(void *arg)
{
    void **both = arg;
    struct test_server *t = both[1];
    for (int i = 0; i < 50; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%u/info/%d", http_server_port(t->server), i);
        AUTO_FREE char *body = get(both[0], url, NULL, NULL);
        EXPECT_CONTAINS(body, "GET|/info/");
    }
    return NULL;
}

TEST("eight threads share one client and one server")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = test_server_start(NULL);
    void *both[] = { c, t };
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, pull_mixed, both);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    EXPECT_INT(t->n_handled, 400);
    test_server_stop(t);
}

TEST("nothing of a request is left for the next on its connection")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct raw_server *s =
        raw_start(raw_keep_saying, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    struct map headers = STR_MAP;
    map_set_str(&headers, "Authorization", "Bearer secret");
    AUTO_FREE char *with_user = xasprintf("http://me:pw@127.0.0.1:%u/", s->port);
    AUTO_FREE char *a = get(c, with_user, NULL, NULL);
    EXPECT_STR(a, "ok");
    EXPECT_CONTAINS(s->request, "Authorization: Basic bWU6cHc=");
    AUTO_FREE char *b = get(c, raw_url(s, "/"), &headers, NULL);
    EXPECT_STR(b, "ok");
    EXPECT_CONTAINS(s->request, "Authorization: Bearer secret");
    AUTO_FREE char *d = get(c, raw_url(s, "/"), NULL, NULL);
    EXPECT_STR(d, "ok");
    EXPECT(!strcasestr(s->request, "authorization"));
    EXPECT_INT(raw_count(s), 1);
    map_clear(&headers);
    raw_stop(s);
}

/* ---- redirects ---- */

TEST("redirects are followed only when asked, and say where they ended")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = test_server_start(NULL);
    struct http_request q = { .method = "GET", .url = test_url(t, "/to?status=307&to=/info?q=1") };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    EXPECT_INT(r.status, 307);
    EXPECT_STR(map_find_str(&r.headers, "location"), "/info?q=1");
    EXPECT_STR(r.body.data, "elsewhere");
    q.follows_redirects = true;
    AUTO_VALUE(http_response_clear) struct http_response followed;
    EXPECT_OK(http_send(c, &q, &followed, &err), &err);
    EXPECT_INT(followed.status, 200);
    EXPECT_STR(followed.body.data, "GET|/info|1|-|127.0.0.1");
    EXPECT(!map_has(&followed.headers, "location"));
    EXPECT_STR(followed.final_url, test_url(t, "/info?q=1"));
    test_server_stop(t);
}

TEST("a redirect carries Authorization within its host, never to another")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = test_server_start(NULL), *other = test_server_start(NULL);
    struct map headers = STR_MAP;
    map_set_str(&headers, "Authorization", "Bearer secret");
    AUTO_FREE char *same = get(c, test_url(t, "/to?status=302&to=/info"), &headers, NULL);
    EXPECT_CONTAINS(same, "GET|/info|");
    EXPECT_STR(t->authorization, "Bearer secret");
    AUTO_FREE char *to =
        xasprintf("/to?status=302&to=http://127.0.0.1:%u/info", http_server_port(other->server));
    AUTO_FREE char *body = get(c, test_url(t, to), &headers, NULL);
    EXPECT_CONTAINS(body, "GET|/info|");
    EXPECT_STR(other->authorization, "-");
    AUTO_FREE char *with_user =
        xasprintf("http://me:pw@127.0.0.1:%u%s", http_server_port(t->server), to);
    AUTO_FREE char *body2 = get(c, with_user, NULL, NULL);
    EXPECT_CONTAINS(body2, "GET|/info|");
    EXPECT_STR(other->authorization, "-");
    map_clear(&headers);
    test_server_stop(t);
    test_server_stop(other);
}

TEST("endless redirects and those to other protocols are refused")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct raw_server *s = raw_start(raw_keep_saying, "HTTP/1.1 302 Found\r\nLocation: /again\r\n"
                                                      "Content-Length: 0\r\n\r\n");
    struct http_request q = { .method = "GET", .url = raw_url(s, "/"), .follows_redirects = true };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_ERR(http_send(c, &q, &r, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "more redirects");
    raw_stop(s);
    s = raw_start(
        raw_say, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    q.url = raw_url(s, "/");
    AUTO_VALUE(http_response_clear) struct http_response r2;
    EXPECT(http_send(c, &q, &r2, &err) != 0);
    EXPECT_INT(r2.body.len, 0);
    raw_stop(s);
}

TEST("a body of bytes is sent again after a 307, a stream is refused")
{
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = test_server_start(NULL);
    struct http_request q = { .method = "PUT",
                              .url = test_url(t, "/to?status=307&to=/echo"),
                              .body = SPAN("again"),
                              .follows_redirects = true };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    EXPECT_STR(r.body.data, "again");
    AUTO(reader_close) struct reader *body = reader_of_span(SPAN("again"));
    q.body = (struct span){ 0 };
    q.body_stream = body;
    q.body_size = 5;
    AUTO_VALUE(http_response_clear) struct http_response r2;
    EXPECT_ERR(http_send(c, &q, &r2, &err), &err, ERR_NETWORK);
    EXPECT_CONTAINS(err.text, "wants the body again");
    test_server_stop(t);
}

/* ---- proxies ---- */

static void clear_proxies(void)
{
    static const char *const names[] = { "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                         "no_proxy",   "NO_PROXY",   "all_proxy",   "ALL_PROXY" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static const struct {
    const char *variable, *url, *no_proxy;
    const char *want; /* the first line that the proxy gets; NULL: it is not asked */
} proxy_rows[] = {
    { "HTTP_PROXY", "http://host.invalid/x", NULL, "GET http://host.invalid/x HTTP/1.1\r\n" },
    { "http_proxy", "http://host.invalid/x", NULL, "GET http://host.invalid/x HTTP/1.1\r\n" },
    { "HTTPS_PROXY", "https://host.invalid/x", NULL, "CONNECT host.invalid:443 HTTP/1.1\r\n" },
    { "https_proxy", "https://host.invalid/x", NULL, "CONNECT host.invalid:443 HTTP/1.1\r\n" },
    { "HTTP_PROXY", "https://host.invalid/x", NULL, NULL },
    { "HTTPS_PROXY", "http://host.invalid/x", NULL, NULL },
    { "HTTP_PROXY", "http://host.invalid/x", "other.invalid",
      "GET http://host.invalid/x HTTP/1.1\r\n" },
    { "HTTP_PROXY", "http://host.invalid/x", "host.invalid", NULL },
    { "HTTP_PROXY", "http://a.host.invalid/x", ".host.invalid", NULL },
    { "HTTP_PROXY", "http://host.invalid/x", "*", NULL },
    { "HTTP_PROXY", "http://127.0.0.1:1/x", NULL, NULL },
    { "HTTP_PROXY", "http://127.9.9.9:1/x", "other.invalid", NULL },
    { "HTTP_PROXY", "http://localhost:1/x", NULL, NULL },
    { "HTTP_PROXY", "http://[::1]:1/x", NULL, NULL },
};

TEST("proxies come from the environment, loopback and NO_PROXY go past them")
{
    for (size_t i = 0; i < sizeof proxy_rows / sizeof *proxy_rows; i++) {
        struct raw_server *proxy = raw_start(raw_say, "HTTP/1.1 502 Bad Gateway\r\n"
                                                      "Content-Length: 0\r\n\r\n");
        clear_proxies();
        AUTO_FREE char *value = xasprintf("http://me:proxysecret@127.0.0.1:%u", proxy->port);
        setenv(proxy_rows[i].variable, value, 1);
        if (proxy_rows[i].no_proxy)
            setenv(i % 2 ? "NO_PROXY" : "no_proxy", proxy_rows[i].no_proxy, 1);
        AUTO(http_client_free) struct http_client *c = client_new();
        struct http_request q = { .method = "GET", .url = proxy_rows[i].url };
        AUTO_VALUE(http_response_clear) struct http_response r;
        struct err err = { 0 };
        int failed = http_send(c, &q, &r, &err);
        EXPECT(!strstr(err.text, "proxysecret") && !strstr(err.hint, "proxysecret"));
        if (proxy_rows[i].want) {
            EXPECT(span_starts(span_of(proxy->request), proxy_rows[i].want));
            EXPECT_CONTAINS(proxy->request, "Proxy-Authorization: Basic ");
        } else {
            EXPECT(failed && !raw_count(proxy));
        }
        if ((proxy_rows[i].want != NULL) != (raw_count(proxy) == 1))
            tap_fail(__FILE__, __LINE__, "row %zu: %s %s", i, proxy_rows[i].url, err.text);
        raw_stop(proxy);
    }
    clear_proxies();
}

TEST("a proxy that is not there is named, without its password")
{
    struct raw_server *gone = raw_start(raw_say, "");
    AUTO_FREE char *value = xasprintf("http://me:proxysecret@127.0.0.1:%u", gone->port);
    AUTO_FREE char *want = xasprintf("GET http://host.invalid/x: connect to 127.0.0.1 port %u: "
                                     "Connection refused",
                                     gone->port);
    raw_stop(gone);
    clear_proxies();
    setenv("http_proxy", value, 1);
    AUTO(http_client_free) struct http_client *c = client_new();
    struct http_request q = { .method = "GET", .url = "http://host.invalid/x" };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_ERR(http_send(c, &q, &r, &err), &err, ERR_NETWORK);
    EXPECT_STR(err.text, want);
    EXPECT_CONTAINS(err.hint, "the proxy");
    clear_proxies();
}

TAP_MAIN()
