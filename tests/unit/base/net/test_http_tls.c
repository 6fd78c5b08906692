/* tests/unit/base/net/test_http_tls.c - TLS of client and server; openssl, python and nghttpd as
 * witnesses.
 *
 * The certificates are made by the openssl command when the tests start: a CA, a server for
 * localhost and 127.0.0.1, a client. */
#include "base/net/http_client.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "base/sys/process.h"
#include "raw_server.h"
#include "test_server.h"

static const char make_certificates[] =
    "set -e; cd \"$0\"\n"
    "key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
    "sign() { key $1\n"
    "  openssl req -new -key $1.key -subj /CN=$1 -out $1.csr\n"
    "  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
    "-extfile $1.ext -out $1.pem 2>/dev/null; }\n"
    "key ca\n"
    "openssl req -x509 -new -key ca.key -subj /CN=test-ca -days 2 -out ca.pem\n"
    "key other; openssl req -x509 -new -key other.key -subj /CN=other-ca -days 2 -out other.pem\n"
    "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' >server.ext; sign server\n"
    "printf 'subjectAltName=DNS:elsewhere.invalid\\n' >elsewhere.ext; sign elsewhere\n"
    "printf 'extendedKeyUsage=clientAuth\\n' >client.ext; sign client\n"
    "cat client.pem client.key >both.pem\n";

/* "DIR/NAME", freed at exit of the program only. */
static const char *file(const char *name)
{
    static char *paths[64];
    static size_t n;
    paths[n] = xasprintf("%s/%s", tap_dir(), name);
    return paths[n++ % 64];
}

static bool has_certificates(void)
{
    const char *argv[] = { "sh", "-c", make_certificates, tap_dir(), NULL };
    struct process_options o = { .argv = argv };
    struct process_result r;
    struct err err = { 0 };
    if (process_run(&o, &r, &err))
        return false;
    bool is_good = r.exit_status == 0;
    if (!is_good)
        printf("# openssl: %s\n", r.log.data ? r.log.data : "");
    process_result_clear(&r);
    return is_good;
}

static struct http_client *client_new(void)
{
    struct http_client_options o = { .idle_timeout_ms = 10000 };
    struct http_client *c = NULL;
    struct err err = { 0 };
    EXPECT_OK(http_client_new(&o, &c, &err), &err);
    return c;
}

static struct test_server *tls_server(const char *name)
{
    AUTO_FREE char *pem = xasprintf("%s/%s.pem", tap_dir(), name);
    AUTO_FREE char *key = xasprintf("%s/%s.key", tap_dir(), name);
    struct http_server_options o = { .tls_cert = pem, .tls_key = key };
    return test_server_start(&o);
}

static int fetch(struct http_client *c, const char *scheme, unsigned port,
                 const struct http_tls *tls, char **body, struct err *err)
{
    AUTO_FREE char *url = xasprintf("%s://127.0.0.1:%u/info", scheme, port);
    struct http_request q = { .method = "GET", .url = url, .tls = tls };
    AUTO_VALUE(http_response_clear) struct http_response r;
    int failed = http_send(c, &q, &r, err);
    *body = failed ? NULL : buf_take(&r.body);
    return failed;
}

TEST("a server whose CA is given is trusted, another is not, unless all are")
{
    if (!has_certificates())
        SKIP("no openssl");
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = tls_server("server");
    unsigned port = http_server_port(t->server);
    struct str_list cas = { 0 };
    struct http_tls tls = { .ca_files = &cas };
    struct err err = { 0 };
    AUTO_FREE char *none = NULL, *good = NULL, *any = NULL, *again = NULL;
    EXPECT_ERR(fetch(c, "https", port, &tls, &none, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "verify the certificate of 127.0.0.1:");
    EXPECT_CONTAINS(err.hint, "--insecure");
    str_list_push(&cas, file("other.pem"));
    EXPECT_ERR(fetch(c, "https", port, &tls, &none, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.hint, file("other.pem"));
    str_list_push(&cas, file("ca.pem"));
    EXPECT_OK(fetch(c, "https", port, &tls, &good, &err), &err);
    EXPECT_STR(good, "GET|/info|-|-|127.0.0.1");
    struct http_tls unverified = { .is_unverified = true };
    EXPECT_OK(fetch(c, "https", port, &unverified, &any, &err), &err);
    EXPECT_STR(any, good);
    /* and an unverified connection is not lent to a request that verifies */
    EXPECT_ERR(fetch(c, "https", port, NULL, &again, &err), &err, ERR_INVALID);
    str_list_clear(&cas);
    test_server_stop(t);
}

TEST("a certificate for another name is refused as that")
{
    if (!has_certificates())
        SKIP("no openssl");
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = tls_server("elsewhere");
    struct str_list cas = { 0 };
    str_list_push(&cas, file("ca.pem"));
    struct http_tls tls = { .ca_files = &cas };
    struct err err = { 0 };
    AUTO_FREE char *body = NULL;
    EXPECT_ERR(fetch(c, "https", http_server_port(t->server), &tls, &body, &err), &err,
               ERR_INVALID);
    EXPECT_CONTAINS(err.hint, "host name that is in the certificate");
    str_list_clear(&cas);
    test_server_stop(t);
}

TEST("a CA file that is not there or no PEM is named")
{
    if (!has_certificates())
        SKIP("no openssl");
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = tls_server("server");
    struct str_list cas = { 0 };
    str_list_push(&cas, file("absent.pem"));
    struct http_tls tls = { .ca_files = &cas };
    struct err err = { 0 };
    AUTO_FREE char *body = NULL;
    EXPECT_ERR(fetch(c, "https", http_server_port(t->server), &tls, &body, &err), &err,
               ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "read CA certificates");
    EXPECT_CONTAINS(err.text, "absent.pem");
    struct http_tls client = { .is_unverified = true, .client_cert = file("absent.pem") };
    EXPECT_ERR(fetch(c, "https", http_server_port(t->server), &client, &body, &err), &err,
               ERR_INVALID);
    EXPECT_CONTAINS(err.text, "absent.pem");
    str_list_clear(&cas);
    test_server_stop(t);
}

/* serve: what Go's servers do with bytes that are no HTTP. */
static void say_at_once(struct raw_server *s, int fd)
{
    char bytes[4096];
    if (recv(fd, bytes, sizeof bytes, 0) > 0)
        raw_puts(fd, s->text);
}

TEST("TLS to a plain port and plain HTTP to a TLS port are refused with the remedy")
{
    if (!has_certificates())
        SKIP("no openssl");
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = tls_server("server"), *plain = test_server_start(NULL);
    struct raw_server *raw = raw_start(say_at_once, "HTTP/1.1 400 Bad Request\r\n\r\n");
    struct err err = { 0 };
    AUTO_FREE char *body = NULL;
    EXPECT(fetch(c, "https", http_server_port(plain->server), NULL, &body, &err) != 0);
    EXPECT_ERR(fetch(c, "https", raw->port, NULL, &body, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.hint, "plain HTTP");
    EXPECT_CONTAINS(err.hint, "--insecure");
    EXPECT_ERR(fetch(c, "http", http_server_port(t->server), NULL, &body, &err), &err, ERR_NETWORK);
    EXPECT_CONTAINS(err.hint, "https://");
    raw_stop(raw);
    test_server_stop(t);
    test_server_stop(plain);
}

TEST("bodies stream through TLS both ways, and the connection is kept")
{
    if (!has_certificates())
        SKIP("no openssl");
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = tls_server("server");
    AUTO_FREE char *url = xasprintf("https://127.0.0.1:%u/echo", http_server_port(t->server));
    AUTO_FREE char *body = xmalloc(3 << 20);
    for (size_t i = 0; i < 3 << 20; i++)
        body[i] = (char)(i * 2654435761u >> 9);
    struct http_tls tls = { .is_unverified = true };
    for (int i = 0; i < 2; i++) {
        struct http_request q = { .method = "PUT",
                                  .url = url,
                                  .tls = &tls,
                                  .body = span_bytes(body, 3 << 20),
                                  .n_body_ceiling = 4 << 20 };
        AUTO_VALUE(http_response_clear) struct http_response r;
        struct err err = { 0 };
        EXPECT_OK(http_send(c, &q, &r, &err), &err);
        EXPECT(span_equal(buf_span(&r.body), q.body));
    }
    test_server_stop(t);
}

TEST("a file, and a range of it, comes through TLS as it is")
{
    if (!has_certificates())
        SKIP("no openssl");
    AUTO(http_client_free) struct http_client *c = client_new();
    struct test_server *t = tls_server("server");
    AUTO_VALUE(buf_clear) struct buf content;
    struct err err = { 0 };
    buf_init(&content, 1 << 20);
    while (content.len < 300000)
        buf_printf(&content, "%zu ", content.len);
    EXPECT_OK(fs_write_file(AT_FDCWD, file("content"), buf_span(&content), 0600, false, &err),
              &err);
    serve_file(t, file("content"));
    static const struct {
        const char *query;
        uint64_t from, size;
    } rows[] = { { "", 0, UINT64_MAX }, { "?from=123&size=200000", 123, 200000 } };
    struct http_tls tls = { .is_unverified = true };
    for (size_t i = 0; i < 2; i++) {
        AUTO_FREE char *url =
            xasprintf("https://127.0.0.1:%u/file%s", http_server_port(t->server), rows[i].query);
        struct http_request q = { .method = "GET", .url = url, .tls = &tls };
        AUTO_VALUE(http_response_clear) struct http_response r;
        EXPECT_OK(http_send(c, &q, &r, &err), &err);
        struct span want = span_skip(buf_span(&content), rows[i].from);
        EXPECT(span_equal(buf_span(&r.body), span_first(want, rows[i].size)));
    }
    test_server_stop(t);
}

/* ---- other programs as servers ---- */

struct peer {
    pid_t pid;
    unsigned port;
};

static unsigned free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&a, size) || getsockname(fd, (struct sockaddr *)&a, &size))
        abort();
    return ntohs(a.sin_port);
}

static bool is_listening(unsigned port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
}

/* Starts `script` with the folder as $0 and the port as $1; false when the program is absent. */
static bool peer_start(struct peer *p, const char *program, const char *script)
{
    extern char **environ;
    AUTO_FREE char *has = xasprintf("command -v %s >/dev/null", program);
    if (system(has)) // NOLINT(cert-env33-c)
        return false;
    p->port = free_port();
    AUTO_FREE char *port = xasprintf("%u", p->port);
    char *argv[] = {
        (char[]){ "sh" }, (char[]){ "-c" }, xstrdup(script), xstrdup(tap_dir()), port, NULL
    };
    bool is_started = posix_spawnp(&p->pid, "sh", NULL, NULL, argv, environ) == 0;
    free(argv[2]);
    free(argv[3]);
    for (int i = 0; is_started && !is_listening(p->port); i++) {
        if (i > 1000 || waitpid(p->pid, NULL, WNOHANG) == p->pid)
            return false;
        usleep(10000);
    }
    return is_started;
}

static void peer_stop(struct peer *p)
{
    kill(p->pid, SIGTERM);
    waitpid(p->pid, NULL, 0);
}

TEST("openssl s_server asks for a client certificate and gets it")
{
    struct peer p;
    if (!has_certificates() ||
        !peer_start(
            &p, "openssl",
            "cd \"$0\"; exec openssl s_server -quiet -www -accept 127.0.0.1:$1 -cert server.pem "
            "-key server.key -CAfile ca.pem -Verify 2 >/dev/null 2>&1"))
        SKIP("no openssl");
    AUTO(http_client_free) struct http_client *c = client_new();
    struct str_list cas = { 0 };
    str_list_push(&cas, file("ca.pem"));
    struct http_tls tls = { .ca_files = &cas };
    struct err err = { 0 };
    AUTO_FREE char *none = NULL, *apart = NULL, *both = NULL;
    EXPECT_ERR(fetch(c, "https", p.port, &tls, &none, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.hint, "client certificate");
    tls.client_cert = file("client.pem");
    tls.client_key = file("client.key");
    EXPECT_OK(fetch(c, "https", p.port, &tls, &apart, &err), &err);
    EXPECT_CONTAINS(apart, "Subject: CN=client");
    tls.client_cert = file("both.pem");
    tls.client_key = NULL;
    EXPECT_OK(fetch(c, "https", p.port, &tls, &both, &err), &err);
    EXPECT_CONTAINS(both, "Subject: CN=client");
    str_list_clear(&cas);
    peer_stop(&p);
}

TEST("a file comes from python's server as it is")
{
    struct peer p;
    if (!has_certificates() ||
        !peer_start(&p, "python3",
                    "cd \"$0\"; cp ca.pem info; exec python3 -m http.server --bind 127.0.0.1 $1 "
                    ">/dev/null 2>&1"))
        SKIP("no python3");
    AUTO(http_client_free) struct http_client *c = client_new();
    struct err err = { 0 };
    AUTO_FREE char *body = NULL;
    EXPECT_OK(fetch(c, "http", p.port, NULL, &body, &err), &err);
    EXPECT_CONTAINS(body, "-----BEGIN CERTIFICATE-----");
    AUTO_FREE char *url = xasprintf("http://127.0.0.1:%u/absent", p.port);
    struct http_request q = { .method = "GET", .url = url };
    AUTO_VALUE(http_response_clear) struct http_response r;
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    EXPECT_INT(r.status, 404);
    peer_stop(&p);
}

TEST("HTTP/2 is spoken where the server has it: files, headers, a body, a reset")
{
    struct peer p;
    if (!has_certificates() ||
        !peer_start(
            &p, "nghttpd",
            "cd \"$0\"; cp ca.pem info; exec nghttpd -a 127.0.0.1 -d . --echo-upload $1 server.key "
            "server.pem >/dev/null 2>&1"))
        SKIP("no nghttpd (nghttp2-server)");
    AUTO(http_client_free) struct http_client *c = client_new();
    struct str_list cas = { 0 };
    str_list_push(&cas, file("ca.pem"));
    struct http_tls tls = { .ca_files = &cas };
    AUTO_FREE char *url = xasprintf("https://127.0.0.1:%u/info", p.port);
    struct http_request q = { .method = "GET", .url = url, .tls = &tls };
    AUTO_VALUE(http_response_clear) struct http_response r;
    struct err err = { 0 };
    EXPECT_OK(http_send(c, &q, &r, &err), &err);
    EXPECT_INT(r.status, 200);
    EXPECT_CONTAINS(map_find_str(&r.headers, "server"), "nghttpd");
    EXPECT_CONTAINS(r.body.data, "-----BEGIN CERTIFICATE-----");
    for (int i = 0; i < 2; i++) {
        AUTO(reader_close) struct reader *body = reader_of_span(SPAN("streamed"));
        q.method = i ? "POST" : "PUT";
        q.body_stream = body;
        q.body_size = i ? UINT64_MAX : 8;
        AUTO_VALUE(http_response_clear) struct http_response echo;
        EXPECT_OK(http_send(c, &q, &echo, &err), &err);
        EXPECT_STR(echo.body.data, "streamed");
    }
    str_list_clear(&cas);
    peer_stop(&p);
}

TAP_MAIN()
