/* tests/unit/base/net/test_http_client.c - the client against servers that answer well, badly or
 * not. */
#include "base/net/http_client.h"

#include <fcntl.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "raw_server.h"
#include "tap.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: a\r\nx-one:  b \r\n\r\nhello"

static struct http_client *client_new(int idle_timeout_ms)
{
    struct http_client_options o = { .idle_timeout_ms = idle_timeout_ms };
    struct http_client *c = NULL;
    struct err err = { 0 };
    EXPECT_OK(http_client_new(&o, &c, &err), &err);
    return c;
}

/* A sink that refuses what comes after `n_accepted` bytes. */
struct picky {
    struct writer writer;
    size_t n_accepted;
    struct cancel *cancel; /* fired by the first byte, when there is one */
};

static int picky_write(struct writer *w, struct span bytes, struct err *err)
{
    struct picky *p = (struct picky *)w;
    if (p->cancel)
        cancel_fire(p->cancel);
    if (bytes.len > p->n_accepted)
        return err_set(err, ERR_CORRUPT, "no more of this");
    p->n_accepted -= bytes.len;
    return 0;
}
static const struct writer_ops picky_ops = { .write = picky_write };

TEST("a body is read whole, names of headers are lower case, repeated ones are joined")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_say, OK_HELLO);
    struct http_request q = { .method = "GET", .url = raw_url(s, "/p?q=1") };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    EXPECT_INT(r.status, 200);
    EXPECT_STR(r.body.data, "hello");
    EXPECT_STR(map_find_str(&r.headers, "x-one"), "a, b");
    EXPECT_STR(map_find_str(&r.headers, "content-length"), "5");
    EXPECT_STR(r.final_url, s->url);
    EXPECT_CONTAINS(s->request, "GET /p?q=1 HTTP/1.1\r\n");
    EXPECT_CONTAINS(s->request, "User-Agent: kiln/");
    raw_stop(s);
}

static const struct {
    const char *method, *body, *want; /* want: a line of the request */
} method_rows[] = {
    { "GET", NULL, "GET /x HTTP/1.1" },       { "HEAD", NULL, "HEAD /x HTTP/1.1" },
    { "DELETE", NULL, "DELETE /x HTTP/1.1" }, { "POST", NULL, "Content-Length: 0" },
    { "PUT", NULL, "Content-Length: 0" },     { "PATCH", NULL, "Content-Length: 0" },
    { "POST", "abc", "Content-Length: 3" },   { "PUT", "abc", "Content-Length: 3" },
    { "PATCH", "abc", "Content-Length: 3" },  { "PATCH", "abc", "PATCH /x HTTP/1.1" },
    { "PUT", "abc", "\r\n\r\nabc" },          { "OPTIONS", NULL, "OPTIONS /x HTTP/1.1" },
    { "POST", "abc", "\r\n\r\nabc" },
};

TEST("methods and bodies arrive as they were given")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_keep_saying, "HTTP/1.1 204 No Content\r\n\r\n");
    for (size_t i = 0; i < sizeof method_rows / sizeof *method_rows; i++) {
        struct http_request q = { .method = method_rows[i].method,
                                  .url = raw_url(s, "/x"),
                                  .body = span_of(method_rows[i].body) };
        AUTO_VALUE(http_response_clear) struct http_response r;
        struct err err = { 0 };
        EXPECT_OK(http_send(c, &q, &r, &err), &err);
        EXPECT_INT(r.status, 204);
        EXPECT_INT(r.body.len, 0);
        EXPECT_CONTAINS(s->request, method_rows[i].want);
        EXPECT(!strstr(s->request, "Expect:"));
        EXPECT(!strstr(s->request, "Content-Type:"));
    }
    EXPECT_INT(raw_count(s), 1);
    raw_stop(s);
}

TEST("headers of the request are sent, an empty one too; line breaks in them are refused")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_keep_saying, OK_HELLO);
    struct map headers = STR_MAP;
    map_set_str(&headers, "Accept", "application/json");
    map_set_str(&headers, "Content-Type", "text/plain");
    map_set_str(&headers, "X-Empty", "");
    struct http_request q = {
        .method = "POST", .url = raw_url(s, "/"), .headers = &headers, .body = SPAN("x")
    };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    EXPECT_CONTAINS(s->request, "\r\nAccept: application/json\r\n");
    EXPECT_CONTAINS(s->request, "\r\nContent-Type: text/plain\r\n");
    EXPECT_CONTAINS(s->request, "\r\nX-Empty:\r\n");
    map_set_str(&headers, "X-Evil", "a\r\nX-Other: b");
    AUTO_VALUE(http_response_clear) struct http_response none;
    EXPECT_ERR(http_send(c, &q, &none, &err), &err, ERR_INVALID);
    map_clear(&headers);
    raw_stop(s);
}

TEST("a stream of known size is sent with its length, one of unknown size in chunks")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_keep_saying, OK_HELLO);
    static const char *const methods[] = { "PUT", "POST", "PATCH" };
    for (size_t i = 0; i < 6; i++) {
        AUTO(reader_close) struct reader *body = reader_of_span(SPAN("streamed"));
        struct http_request q = { .method = methods[i % 3],
                                  .url = raw_url(s, "/"),
                                  .body_stream = body,
                                  .body_size = i < 3 ? 8 : UINT64_MAX };
        AUTO_VALUE(http_response_clear) struct http_response r;
        struct err err = { 0 };
        EXPECT_OK(http_send(c, &q, &r, &err), &err);
        EXPECT_CONTAINS(s->request, methods[i % 3]);
        EXPECT_CONTAINS(s->request,
                        i < 3 ? "Content-Length: 8\r\n" : "Transfer-Encoding: chunked\r\n");
        EXPECT_CONTAINS(s->request, i < 3 ? "\r\n\r\nstreamed" : "8\r\nstreamed\r\n0\r\n");
    }
    raw_stop(s);
}

TEST("a stream that ends too early fails the request, one that is longer is cut")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_keep_saying, OK_HELLO);
    AUTO(reader_close) struct reader *body = reader_of_span(SPAN("streamed"));
    struct http_request q = {
        .method = "PUT", .url = raw_url(s, "/"), .body_stream = body, .body_size = 9
    };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_ERR(http_send(c, &q, &r, &err), &err, ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, "ends after 8 of 9 bytes");
    AUTO(reader_close) struct reader *longer = reader_of_span(SPAN("streamed"));
    q.body_stream = longer;
    q.body_size = 6;
    AUTO_VALUE(http_response_clear) struct http_response cut;
    EXPECT_OK(http_send(c, &q, &cut, &err), &err);
    EXPECT_CONTAINS(s->request, "\r\n\r\nstream");
    EXPECT(!strstr(s->request, "streamed"));
    raw_stop(s);
}

TEST("a 2xx body goes to the sink, another is kept for the message")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_say, OK_HELLO);
    struct raw_server *lost = raw_start(raw_say, "HTTP/1.1 404 Not Found\r\nRetry-After: 3\r\n"
                                                 "Content-Length: 4\r\n\r\nlost");
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 100);
    AUTO(writer_close) struct writer *sink = writer_to_buf(&b);
    struct http_request q = { .method = "GET", .url = raw_url(s, "/") };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_fetch(c, &q, &r, sink, &err), &err);
    EXPECT_STR(b.data, "hello");
    EXPECT_INT(r.body.len, 0);
    q.url = raw_url(lost, "/");
    AUTO_VALUE(http_response_clear) struct http_response r2;
    EXPECT_OK(http_fetch(c, &q, &r2, sink, &err), &err);
    EXPECT_INT(r2.status, 404);
    EXPECT_STR(r2.body.data, "lost");
    EXPECT_STR(map_find_str(&r2.headers, "retry-after"), "3");
    EXPECT_STR(b.data, "hello");
    raw_stop(s);
    raw_stop(lost);
}

TEST("an error of the sink ends the transfer and is returned as it is")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s =
        raw_start(raw_say_and_stall, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"
                                     "\r\nhello");
    struct picky sink = { .writer.ops = &picky_ops, .n_accepted = 4 };
    struct http_request q = { .method = "GET", .url = raw_url(s, "/") };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_ERR(http_fetch(c, &q, &r, &sink.writer, &err), &err, ERR_CORRUPT);
    EXPECT_STR(err.text, "no more of this");
    raw_stop(s);
}

static const struct {
    const char *name, *answer;
    enum err_kind kind;
} bad_rows[] = {
    { "content-length promises more", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
      ERR_NETWORK },
    { "a chunk is cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nhello",
      ERR_NETWORK },
    { "the last chunk is missing",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ERR_NETWORK },
    { "a chunk size is no number",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", ERR_NETWORK },
    { "the header is cut", "HTTP/1.1 200 OK\r\nContent-Len", ERR_NETWORK },
    { "no answer at all", "", ERR_NETWORK },
    { "not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", ERR_NETWORK },
    { "a TLS alert", "\x15\x03\x01\x00\x02\x02\x46", ERR_NETWORK },
};

TEST("answers that are cut or no HTTP fail as NETWORK and name host and request")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        struct raw_server *s = raw_start(raw_say, bad_rows[i].answer);
        struct http_request q = { .method = "GET", .url = raw_url(s, "/x?token=secret") };
        AUTO_VALUE(http_response_clear) struct http_response r;
        struct err err = { 0 };
        if (http_send(c, &q, &r, &err) == 0 || err.kind != bad_rows[i].kind)
            tap_fail(__FILE__, __LINE__, "%s: %s: %s", bad_rows[i].name, err_kind_name(err.kind),
                     err.text);
        EXPECT_CONTAINS(err.text, "GET http://127.0.0.1:");
        EXPECT_CONTAINS(err.text, "/x?token=xxxxx: ");
        EXPECT(!strstr(err.text, "secret"));
        raw_stop(s);
    }
}

TEST("a body above its ceiling fails as LIMIT, one at the ceiling does not")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_say, OK_HELLO);
    struct http_request q = { .method = "GET", .url = raw_url(s, "/"), .n_body_ceiling = 5 };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    q.n_body_ceiling = 4;
    AUTO_VALUE(http_response_clear) struct http_response r2;
    EXPECT_ERR(http_send(c, &q, &r2, &err), &err, ERR_LIMIT);
    raw_stop(s);
}

static void say_long_header(struct raw_server *s, int fd)
{
    if (!raw_read(s, fd))
        return;
    raw_puts(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for (size_t i = 0; i < LIMIT_HTTP_HEADER / 64 + 1; i++)
        raw_puts(fd, "X-Long: 0123456789012345678901234567890123456789012345678901234\r\n");
    raw_puts(fd, "\r\n");
}

TEST("headers above their ceiling fail as LIMIT")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(say_long_header, NULL);
    struct http_request q = { .method = "GET", .url = raw_url(s, "/") };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_ERR(http_send(c, &q, &r, &err), &err, ERR_LIMIT);
    raw_stop(s);
}

TEST("a server that falls silent is given up after the idle time")
{
    AUTO(http_client_free) struct http_client *c = client_new(100);
    static const char *const rows[] = { "", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" };
    for (size_t i = 0; i < 2; i++) {
        struct raw_server *s = raw_start(raw_say_and_stall, rows[i]);
        struct http_request q = { .method = "GET", .url = raw_url(s, "/") };
        AUTO_VALUE(http_response_clear) struct http_response r;
        struct err err = { 0 };
        EXPECT_ERR(http_send(c, &q, &r, &err), &err, ERR_TIMEOUT);
        EXPECT_CONTAINS(err.text, "127.0.0.1 sent no byte for 100 ms");
        raw_stop(s);
    }
}

struct slow_reader { /* takes longer than the idle time for each byte */
    struct reader reader;
    int left;
};

static int slow_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    struct slow_reader *s = (struct slow_reader *)r;
    (void)err, (void)cap;
    usleep(60000);
    *n = s->left ? 1 : 0;
    memcpy(to, "x", *n);
    s->left -= (int)*n;
    return 0;
}
static const struct reader_ops slow_ops = { .read = slow_read };

TEST("the time that our own stream takes is not held against the server")
{
    AUTO(http_client_free) struct http_client *c = client_new(50);
    struct raw_server *s = raw_start(raw_say, OK_HELLO);
    struct slow_reader body = { .reader.ops = &slow_ops, .left = 3 };
    struct http_request q = {
        .method = "PUT", .url = raw_url(s, "/"), .body_stream = &body.reader, .body_size = 3
    };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    raw_stop(s);
}

TEST("a stalled answer can be canceled, and a canceled request is not even sent")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s =
        raw_start(raw_say_and_stall, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi");
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    struct picky sink = { .writer.ops = &picky_ops, .n_accepted = 100, .cancel = cancel };
    struct http_request q = { .method = "GET", .url = raw_url(s, "/"), .cancel = cancel };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_ERR(http_fetch(c, &q, &r, &sink.writer, &err), &err, ERR_CANCELED);
    AUTO_VALUE(http_response_clear) struct http_response r2;
    EXPECT_ERR(http_fetch(c, &q, &r2, &sink.writer, &err), &err, ERR_CANCELED);
    EXPECT_INT(raw_count(s), 1);
    raw_stop(s);
}

static void *fire_when_connected(void *arg)
{
    void **both = arg;
    while (raw_count(both[0]) == 0)
        usleep(1000);
    cancel_fire(both[1]);
    return NULL;
}

TEST("a cancel from another thread wakes the wait at once")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_say_and_stall, "");
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    void *both[] = { s, cancel };
    pthread_t thread;
    pthread_create(&thread, NULL, fire_when_connected, both);
    struct http_request q = { .method = "GET", .url = raw_url(s, "/"), .cancel = cancel };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_ERR(http_send(c, &q, &r, &err), &err, ERR_CANCELED);
    pthread_join(thread, NULL);
    raw_stop(s);
}

TEST("connection refused, unknown hosts and no URLs are told apart")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_say, "");
    AUTO_FREE char *url = xstrdup(raw_url(s, "/"));
    raw_stop(s);
    AUTO_FREE char *place = xstrndup(url + 7, strlen(url) - 8);
    struct http_request q = { .method = "GET", .url = url };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_ERR(http_send(c, &q, &r, &err), &err, ERR_NETWORK);
    AUTO_FREE char *port = xstrdup(strrchr(place, ':') + 1);
    AUTO_FREE char *want =
        xasprintf("GET %s: connect to 127.0.0.1 port %s: Connection refused", url, port);
    EXPECT_STR(err.text, want);
    EXPECT_CONTAINS(err.hint, place);
    q.url = "https://u:secret@no-such-host.invalid/x";
    AUTO_VALUE(http_response_clear) struct http_response r2;
    EXPECT_ERR(http_send(c, &q, &r2, &err), &err, ERR_NETWORK);
    EXPECT_CONTAINS(err.text, "no-such-host.invalid");
    EXPECT(!strstr(err.text, "secret"));
    AUTO_VALUE(http_response_clear) struct http_response again; /* a retry says the same */
    EXPECT_ERR(http_send(c, &q, &again, &err), &err, ERR_NETWORK);
    q.url = "ftp://127.0.0.1/x";
    AUTO_VALUE(http_response_clear) struct http_response r3;
    EXPECT_ERR(http_send(c, &q, &r3, &err), &err, ERR_INVALID);
    q.url = "127.0.0.1/x";
    AUTO_VALUE(http_response_clear) struct http_response r4;
    EXPECT_ERR(http_send(c, &q, &r4, &err), &err, ERR_INVALID);
}

TEST("a kept connection that the server closed meanwhile is replaced, the body sent again")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_say, OK_HELLO);
    struct http_request q = { .method = "PUT", .url = raw_url(s, "/"), .body = SPAN("once more") };
    for (int i = 0; i < 3; i++) {
        AUTO_VALUE(http_response_clear) struct http_response r;
        struct err err = { 0 };
        EXPECT_OK(http_send(c, &q, &r, &err), &err);
        EXPECT_CONTAINS(s->request, "\r\n\r\nonce more");
    }
    EXPECT_INT(raw_count(s), 3);
    raw_stop(s);
}

TEST("connections are not inherited by programs that are started meanwhile")
{
    AUTO(http_client_free) struct http_client *c = client_new(0);
    struct raw_server *s = raw_start(raw_keep_saying, OK_HELLO);
    struct http_request q = { .method = "GET", .url = raw_url(s, "/") };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    int n_found = 0;
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer = { 0 };
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) || ntohs(peer.sin_port) != s->port)
            continue;
        n_found++;
        EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    EXPECT_INT(n_found, 1);
    raw_stop(s);
}

TAP_MAIN()
