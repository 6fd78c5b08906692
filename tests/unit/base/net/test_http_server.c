/* tests/unit/base/net/test_http_server.c - the server against raw sockets and curl, the program. */
#include "base/net/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/core/limits.h"
#include "base/sys/fs.h"
#include "base/sys/process.h"
#include "test_server.h"

static int dial(struct test_server *t)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(http_server_port(t->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a))
        abort();
    return fd;
}

static void say(int fd, struct span text)
{
    while (text.len) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text = span_skip(text, (size_t)n);
    }
}

/* All that comes until the server closes. */
static char *hear_all(int fd)
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 64 << 20);
    buf_puts(&b, "");
    ssize_t n;
    while ((n = recv(fd, buf_reserve(&b, 65536), 65536, 0)) > 0)
        buf_grown(&b, (size_t)n);
    return b.len ? buf_take(&b) : xstrdup("");
}

static char *ask(struct test_server *t, struct span request)
{
    AUTO_FD int fd = dial(t);
    say(fd, request);
    return hear_all(fd);
}

static const char *body_in(const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    return body ? body + 4 : "";
}

#define ASK(target) "GET " target " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

static const struct {
    const char *name;
    struct span request;
    const char *want; /* body, or status line when it starts with HTTP/ */
} request_rows[] = {
    { "path, query, header", SPAN(ASK("/info?q=1") "X-Test: v\r\n\r\n"),
      "GET|/info|1|v|127.0.0.1" },
    { "header names in any case, repeated", SPAN(ASK("/info") "x-tEST: a\r\nX-TEST: b\r\n\r\n"),
      "GET|/info|-|a, b|127.0.0.1" },
    { "decoded exactly once", SPAN(ASK("/info%2525/%41?q=%252B") "\r\n"),
      "GET|/info%25/A|%2B|-|127.0.0.1" },
    { "an encoded slash and question mark", SPAN(ASK("/info/a%2Fb%3Fq=1") "\r\n"),
      "GET|/info/a/b?q=1|-|-|127.0.0.1" },
    { "slashes in a run are one", SPAN(ASK("//info///a//") "\r\n"), "GET|/info/a/|-|-|127.0.0.1" },
    { "plus is a space in queries only", SPAN(ASK("/info+a?q=a+b%2Bc") "\r\n"),
      "GET|/info+a|a b+c|-|127.0.0.1" },
    { "the first of several", SPAN(ASK("/info?p=0&q=1&q=2") "\r\n"), "GET|/info|1|-|127.0.0.1" },
    { "a key without value", SPAN(ASK("/info?q") "\r\n"), "GET|/info||-|127.0.0.1" },
    { "a full URL as target", SPAN(ASK("http://x/info?q=1") "\r\n"), "GET|/info|1|-|127.0.0.1" },
    { "other bytes than ASCII", SPAN(ASK("/info/%C3%B6") "\r\n"),
      "GET|/info/\xc3\xb6|-|-|127.0.0.1" },
    { "dots stay", SPAN(ASK("/info/../x") "\r\n"), "GET|/info/../x|-|-|127.0.0.1" },
    { "NUL in the path", SPAN(ASK("/info%00") "\r\n"), "HTTP/1.1 400 " },
    { "NUL in the query", SPAN(ASK("/info?q=%00") "\r\n"), "HTTP/1.1 400 " },
    { "a broken escape", SPAN(ASK("/info%zz") "\r\n"), "HTTP/1.1 400 " },
    { "no path", SPAN(ASK("info") "\r\n"), "HTTP/1.1 400 " },
    { "no Host", SPAN("GET /info HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 " },
    { "no such page", SPAN(ASK("/other") "\r\n"), "HTTP/1.1 404 " },
    { "no reply", SPAN(ASK("/nothing") "\r\n"), "HTTP/1.1 500 " },
    { "another method", SPAN("PATCH /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
      "PATCH|/info|-|-|127.0.0.1" },
    { "a body",
      SPAN("PUT /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"),
      "abc" },
    { "a body in chunks",
      SPAN("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
           "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n4;x=y\r\ncdef\r\n0\r\n\r\n"),
      "abcdef" },
    { "an empty body",
      SPAN("PUT /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), "" },
    { "an empty body in chunks",
      SPAN("POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
           "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      "0" },
    { "a chunk size that is no number",
      SPAN("POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
           "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
      "HTTP/1.1 400 " },
    { "no HTTP", SPAN("hello\r\n\r\n"), "" },
};

TEST("requests are understood as RFC 9112 says, or refused")
{
    struct test_server *t = test_server_start(NULL);
    for (size_t i = 0; i < sizeof request_rows / sizeof *request_rows; i++) {
        AUTO_FREE char *answer = ask(t, request_rows[i].request);
        bool is_status = span_starts(span_of(request_rows[i].want), "HTTP/");
        const char *got = is_status ? answer : body_in(answer);
        if (is_status ? !span_starts(span_of(got), request_rows[i].want)
                      : strcmp(got, request_rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "%s: got\n%s", request_rows[i].name, answer);
    }
    test_server_stop(t);
}

TEST("a header above the limit is refused without the handler")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t size = LIMIT_HTTP_HEADER + 100; size <= 512 * KIB; size *= 2) {
        buf_reset(&b);
        buf_puts(&b, ASK("/info"));
        while (b.len < size)
            buf_puts(&b, "X-Filler: 0123456789012345678901234567890123456789\r\n");
        buf_puts(&b, "\r\n");
        AUTO_FREE char *answer = ask(t, buf_span(&b));
        EXPECT(!strstr(answer, "200 OK")); /* 431, or a reset that swallowed it */
    }
    EXPECT_INT(t->n_handled, 0);
    buf_reset(&b);
    buf_puts(&b, ASK("/info"));
    while (b.len < LIMIT_HTTP_HEADER - 100)
        buf_puts(&b, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    buf_puts(&b, "\r\n");
    AUTO_FREE char *answer = ask(t, buf_span(&b));
    EXPECT_CONTAINS(answer, "HTTP/1.1 200 OK");
    test_server_stop(t);
}

TEST("a connection is kept for the next request, with or without a body, wanted or not")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_FREE char *answer =
        ask(t, SPAN("PUT /deny HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                    "PUT /first HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                    "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                    "POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
                    "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" ASK("/info/last") "\r\n"));
    EXPECT_CONTAINS(answer, "HTTP/1.1 401 Unauthorized");
    EXPECT_CONTAINS(answer, "HTTP/1.1 413 ");
    EXPECT_CONTAINS(answer, "\r\n\r\nabc");
    EXPECT_CONTAINS(answer, "POST|/info|");
    EXPECT_CONTAINS(answer, "HTTP/1.1 500 ");
    EXPECT_CONTAINS(answer, "GET|/info/last|");
    test_server_stop(t);
}

TEST("100-continue is sent when the body is wanted, and only then")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_FD int fd = dial(t);
    say(fd, SPAN("PUT /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
                 "Content-Length: 3\r\n\r\n"));
    char go[26] = "";
    EXPECT_INT(recv(fd, go, 25, MSG_WAITALL), 25);
    EXPECT_STR(go, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, SPAN("abc"));
    AUTO_FREE char *answer = hear_all(fd);
    EXPECT_STR(body_in(answer), "abc");
    AUTO_FREE char *denied = ask(t, SPAN("PUT /deny HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                                         "Content-Length: 1000000000\r\n\r\n"));
    EXPECT_CONTAINS(denied, "HTTP/1.1 401 ");
    EXPECT_CONTAINS(denied, "WWW-Authenticate: Bearer");
    EXPECT(!strstr(denied, "100 Continue"));
    test_server_stop(t);
}

TEST("a client that goes away in mid-body makes the body fail as NETWORK")
{
    struct test_server *t = test_server_start(NULL);
    static const char *const rows[] = {
        "PUT /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "PUT /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    };
    for (size_t i = 0; i < 2; i++) {
        t->body_error = ERR_NONE;
        int fd = dial(t);
        say(fd, span_of(rows[i]));
        close(fd);
        pthread_mutex_lock(&t->mutex);
        while (!t->body_error)
            pthread_cond_wait(&t->changed, &t->mutex);
        EXPECT_INT(t->body_error, ERR_NETWORK);
        pthread_mutex_unlock(&t->mutex);
    }
    test_server_stop(t);
}

TEST("a client that stops sending is dropped after the idle time")
{
    struct http_server_options o = { .idle_timeout_ms = 1000 };
    struct test_server *t = test_server_start(&o);
    AUTO_FREE char *answer =
        ask(t, SPAN("PUT /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"));
    EXPECT_STR(answer, "");
    EXPECT_INT(body_error_of(t), ERR_NETWORK);
    test_server_stop(t);
}

TEST("a stop waits for running exchanges, and breaks bodies that never end")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_FD int waiting = dial(t);
    AUTO_FD int idle = dial(t);
    AUTO_FD int sending = dial(t);
    say(waiting, SPAN("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
    say(idle, SPAN("GET /info HTTP/1.1\r\nHost: x\r\n\r\n"));
    say(sending, SPAN("PUT /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"));
    pthread_mutex_lock(&t->mutex);
    while (t->n_waiting < 1 || t->n_handled < 3)
        pthread_cond_wait(&t->changed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
    open_gate(t);
    http_server_stop(t->server, 100);
    AUTO_FREE char *answer = hear_all(waiting);
    EXPECT_CONTAINS(answer, "waited");
    EXPECT_INT(t->body_error, ERR_NETWORK);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

TEST("a stop cuts a download that its client does not read")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_FREE char *path = xasprintf("%s/big", tap_dir());
    AUTO_FD int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    EXPECT(ftruncate(file, 1 << 30) == 0);
    serve_file(t, path);
    AUTO_FD int fd = dial(t);
    char byte;
    say(fd, SPAN("GET /file HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_INT(recv(fd, &byte, 1, 0), 1);
    http_server_stop(t->server, 20);
    t->server = NULL;
    test_server_stop(t);
}

TEST("a connection above the ceiling is closed, until another ended")
{
    struct http_server_options o = { .n_connections = 1 };
    struct test_server *t = test_server_start(&o);
    int first = dial(t);
    char byte;
    say(first, SPAN("GET /info HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_INT(recv(first, &byte, 1, 0), 1);
    AUTO_FREE char *refused = ask(t, SPAN(ASK("/info") "\r\n"));
    EXPECT_STR(refused, "");
    close(first);
    bool is_answered = false;
    for (int i = 0; i < 1000 && !is_answered; i++) {
        AUTO_FREE char *answer = ask(t, SPAN(ASK("/info") "\r\n"));
        is_answered = strstr(answer, "200 OK") != NULL;
        usleep(is_answered ? 0 : 1000);
    }
    EXPECT(is_answered);
    test_server_stop(t);
}

TEST("an endless body that nobody reads ends the connection")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_FD int fd = dial(t);
    AUTO_FREE char *zeros = xcalloc(1, 1 << 20);
    say(fd, SPAN("PUT /first HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n"));
    int n = 0;
    while (n < 400 && send(fd, zeros, 1 << 20, MSG_NOSIGNAL) > 0)
        n++;
    EXPECT(n >= 200 && n < 400);
    AUTO_FREE char *answer = ask(t, SPAN(ASK("/info") "\r\n"));
    EXPECT_CONTAINS(answer, "200 OK");
    test_server_stop(t);
}

TEST("a file that is shorter than the answer promises is answered with 500")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_FREE char *path = xasprintf("%s/short", tap_dir());
    struct err err = { 0 };
    EXPECT_OK(fs_write_file(AT_FDCWD, path, SPAN("short"), 0600, false, &err), &err);
    serve_file(t, path);
    static const struct {
        struct span request;
        const char *want;
    } rows[] = {
        { SPAN(ASK("/file?size=5") "\r\n"), "200 OK" },
        { SPAN(ASK("/file?size=6") "\r\n"), "500 Internal" },
        { SPAN(ASK("/file?from=4&size=2") "\r\n"), "500 Internal" },
        { SPAN(ASK("/file?from=18446744073709551615&size=6") "\r\n"), "500 Internal" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *answer = ask(t, rows[i].request);
        EXPECT_CONTAINS(answer, rows[i].want);
    }
    test_server_stop(t);
}

TEST("addresses and ports that cannot be had are refused with the reason")
{
    struct test_server *t = test_server_start(NULL);
    struct http_server *s = NULL;
    struct err err = { 0 };
    struct http_server_options o = { .handle = test_handle, .port = http_server_port(t->server) };
    EXPECT_ERR(http_server_start(&o, &s, &err), &err, ERR_EXISTS);
    EXPECT_CONTAINS(err.text, "listen on 127.0.0.1 port ");
    o = (struct http_server_options){ .handle = test_handle, .address = "localhost" };
    EXPECT_ERR(http_server_start(&o, &s, &err), &err, ERR_INVALID);
    o = (struct http_server_options){ .handle = test_handle,
                                      .tls_cert = "/nonexistent",
                                      .tls_key = "/x" };
    EXPECT_ERR(http_server_start(&o, &s, &err), &err, ERR_NOT_FOUND);
    AUTO_FREE char *path = xasprintf("%s/no.pem", tap_dir());
    EXPECT_OK(fs_write_file(AT_FDCWD, path, SPAN("no PEM"), 0600, false, &err), &err);
    o = (struct http_server_options){ .handle = test_handle, .tls_cert = path, .tls_key = path };
    EXPECT_ERR(http_server_start(&o, &s, &err), &err, ERR_INVALID);
    test_server_stop(t);
}

TEST("IPv6 is served, and :: serves IPv4 too")
{
    struct http_server_options o = { .address = "::" };
    struct http_server *s = NULL;
    struct err err = { 0 };
    o.handle = test_handle;
    if (http_server_start(&o, &s, &err))
        SKIP("no IPv6 here");
    http_server_stop(s, 0);
    struct test_server *t = test_server_start(&o);
    AUTO_FREE char *answer = ask(t, SPAN(ASK("/info") "\r\n"));
    EXPECT_CONTAINS(answer, "GET|/info|-|-|::ffff:127.0.0.1");
    struct sockaddr_in6 a = { .sin6_family = AF_INET6,
                              .sin6_port = htons(http_server_port(t->server)),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    AUTO_FD int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) {
        say(fd, SPAN(ASK("/info") "\r\n"));
        AUTO_FREE char *six = hear_all(fd);
        EXPECT_CONTAINS(six, "GET|/info|-|-|::1");
    }
    test_server_stop(t);
}

/* ---- curl, the program, as witness ---- */

/* What curl prints; NULL when there is no curl. */
static char *curl(const char *const *more)
{
    const char *argv[24] = { "curl", "-sS", "--noproxy", "*", "--max-time", "20" };
    size_t n = 6;
    while (*more)
        argv[n++] = *more++;
    struct process_options o = { .argv = argv, .out_ceiling = 64 << 20 };
    struct process_result r;
    struct err err = { 0 };
    if (process_run(&o, &r, &err)) {
        EXPECT_INT(err.kind, ERR_NOT_FOUND);
        return NULL;
    }
    if (r.exit_status)
        tap_fail(__FILE__, __LINE__, "curl %s: exit %d: %s", argv[n - 1], r.exit_status,
                 r.log.data);
    buf_puts(&r.out, "");
    char *out = xstrdup(r.out.data);
    process_result_clear(&r);
    return out;
}
#define CURL(...) curl((const char *const[]){ __VA_ARGS__, NULL })

static char *make_file(const char *name, size_t size, struct buf *content)
{
    buf_init(content, size + 8);
    for (uint32_t i = 0; content->len < size; i++)
        buf_put(content, span_bytes(&(uint32_t){ i * 2654435761u }, 4));
    content->len = size;
    char *path = xasprintf("%s/%s", tap_dir(), name);
    struct err err = { 0 };
    EXPECT_OK(fs_write_file(AT_FDCWD, path, buf_span(content), 0600, false, &err), &err);
    return path;
}

static void expect_file(const char *path, struct span want)
{
    AUTO_VALUE(buf_clear) struct buf got;
    struct err err = { 0 };
    buf_init(&got, want.len + 100);
    EXPECT_OK(fs_read_file(AT_FDCWD, path, &got, &err), &err);
    EXPECT(span_equal(buf_span(&got), want));
}

TEST("curl fetches a file, a range of it, an empty one, and its headers by HEAD")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_VALUE(buf_clear) struct buf content;
    AUTO_FREE char *path = make_file("big", 9000001, &content);
    AUTO_FREE char *got = xasprintf("%s/got", tap_dir());
    serve_file(t, path);
    AUTO_FREE char *out = CURL("-o", got, test_url(t, "/file"));
    if (!out) {
        test_server_stop(t);
        SKIP("no curl");
    }
    expect_file(got, buf_span(&content));
    AUTO_FREE char *out2 = CURL("-o", got, test_url(t, "/file?from=1234567&size=3333333"));
    EXPECT_STR(out2, "");
    expect_file(got, span_first(span_skip(buf_span(&content), 1234567), 3333333));
    AUTO_FREE char *head = CURL("-I", test_url(t, "/file"));
    EXPECT_CONTAINS(head, "HTTP/1.1 200 OK");
    EXPECT_CONTAINS(head, "Content-Length: 9000001\r\n");
    EXPECT_CONTAINS(head, "Content-Type: application/octet-stream\r\n");
    AUTO_FREE char *info = CURL("-I", test_url(t, "/info"));
    EXPECT_CONTAINS(info, "Content-Length: 24\r\n");
    AUTO_FREE char *empty = CURL("-i", test_url(t, "/file?from=0&size=0"));
    EXPECT_CONTAINS(empty, "Content-Length: 0\r\n");
    test_server_stop(t);
}

TEST("curl sends a body with length, in chunks, with and without Expect")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_VALUE(buf_clear) struct buf content;
    AUTO_FREE char *path = make_file("big", 9000001, &content);
    AUTO_FREE char *got = xasprintf("%s/got", tap_dir());
    AUTO_FREE char *out = CURL("-T", path, "-o", got, test_url(t, "/echo"));
    if (!out) {
        test_server_stop(t);
        SKIP("no curl");
    }
    expect_file(got, buf_span(&content));
    AUTO_FREE char *out2 =
        CURL("-T", path, "-H", "Transfer-Encoding: chunked", "-o", got, test_url(t, "/echo"));
    EXPECT_STR(out2, "");
    expect_file(got, buf_span(&content));
    AUTO_FREE char *out3 = CURL("-T", path, "-H", "Expect:", test_url(t, "/size"));
    EXPECT_STR(out3, "9000001");
    AUTO_FREE char *denied = CURL("-T", path, "-w", "%{http_code}", test_url(t, "/deny"));
    EXPECT_STR(denied, "who are you?401");
    AUTO_FREE char *dropped =
        CURL("-T", path, "-H", "Expect:", "-w", "%{http_code}", test_url(t, "/deny"));
    EXPECT_STR(dropped, "who are you?401");
    AUTO_FREE char *first = CURL("-T", path, "-w", "%{http_code}", test_url(t, "/first"));
    EXPECT_STR(first, "enough413");
    test_server_stop(t);
}

TEST("curl keeps one connection for many requests")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_FREE char *url = xstrdup(test_url(t, "/info"));
    AUTO_FREE char *out = CURL("-w", " %{num_connects}\n", url, url, url);
    if (!out) {
        test_server_stop(t);
        SKIP("no curl");
    }
    EXPECT_STR(out, "GET|/info|-|-|127.0.0.1 1\nGET|/info|-|-|127.0.0.1 0\n"
                    "GET|/info|-|-|127.0.0.1 0\n");
    test_server_stop(t);
}

TEST("a client that goes away in mid-download leaves the server alive")
{
    struct test_server *t = test_server_start(NULL);
    AUTO_VALUE(buf_clear) struct buf content;
    AUTO_FREE char *path = make_file("big", 30000000, &content);
    serve_file(t, path);
    for (int i = 0; i < 5; i++) {
        int fd = dial(t);
        char byte;
        say(fd, SPAN("GET /file HTTP/1.1\r\nHost: x\r\n\r\n"));
        EXPECT_INT(recv(fd, &byte, 1, 0), 1);
        close(fd);
    }
    AUTO_FREE char *answer = ask(t, SPAN(ASK("/info") "\r\n"));
    EXPECT_CONTAINS(answer, "200 OK");
    test_server_stop(t);
}

TAP_MAIN()
