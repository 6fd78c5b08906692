/* Blobs in: at once, in two requests, in pieces, resumed, mounted; and what is refused. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "served.h"

#define HELLO_DIGEST "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define OCTETS "Content-Type: application/octet-stream\n"

static char *with_digest(const char *target, const char *digest)
{
    return xasprintf("%s?digest=%s", target, digest);
}

static void expect_blob(const char *digest, const char *want)
{
    AUTO_FREE char *path = xasprintf("/v2/other/blobs/%s", digest);
    EXPECT_INT(ask("GET", path), 200);
    EXPECT_STR(answer_text(), want);
}

TEST("POST with a digest takes a blob at once")
{
    serve((struct registry_options){ 0 });
    AUTO_FREE char *post = with_digest("/v2/a/b/blobs/uploads/", HELLO_DIGEST);
    EXPECT_INT(ask_with("POST", post, OCTETS, SPAN("hello")), 201);
    EXPECT_STR(answer_header("location"), "/v2/a/b/blobs/" HELLO_DIGEST);
    EXPECT_STR(answer_header("docker-content-digest"), HELLO_DIGEST);
    expect_blob(HELLO_DIGEST, "hello");
    EXPECT_INT(ask_with("POST", post, OCTETS, SPAN("hello")), 201); /* again is fine */
    serve_end();
}

TEST("POST, then PUT with the bytes")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    EXPECT_STR(answer_header("range"), "0-0");
    EXPECT(answer_header("docker-upload-uuid"));
    AUTO_FREE char *put = with_digest(served.location, HELLO_DIGEST);
    EXPECT_INT(ask_with("PUT", put, OCTETS, SPAN("hello")), 201);
    EXPECT_STR(answer_header("location"), "/v2/a/blobs/" HELLO_DIGEST);
    expect_blob(HELLO_DIGEST, "hello");
    EXPECT_INT(ask_with("PUT", put, OCTETS, SPAN("hello")), 404); /* the session has ended */
    EXPECT_STR(answer_code(), "BLOB_UPLOAD_UNKNOWN");
    serve_end();
}

TEST("a SHA-512 digest is kept and found as such")
{
    serve((struct registry_options){ 0 });
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA512);
    hasher_update(h, SPAN("hello"));
    struct digest d = hasher_final(h);
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *put = with_digest(served.location, digest_text(&d).s);
    EXPECT_INT(ask_with("PUT", put, OCTETS, SPAN("hello")), 201);
    expect_blob(digest_text(&d).s, "hello");
    serve_end();
}

TEST("the empty blob can be pushed")
{
    serve((struct registry_options){ 0 });
    struct digest d = digest_of(SPAN(""));
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *put = with_digest(served.location, digest_text(&d).s);
    EXPECT_INT(ask("PUT", put), 201);
    expect_blob(digest_text(&d).s, "");
    serve_end();
}

TEST("chunks in order, the last with the closing PUT")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *at = xstrdup(served.location);
    EXPECT_INT(ask_with("PATCH", at, OCTETS "Content-Range: 0-1", SPAN("he")), 202);
    EXPECT_STR(answer_header("range"), "0-1");
    EXPECT_STR(answer_header("location"), at);
    EXPECT_INT(ask_with("PATCH", at, OCTETS "Content-Range: bytes 2-3/*", SPAN("ll")), 202);
    EXPECT_STR(answer_header("range"), "0-3");
    AUTO_FREE char *put = with_digest(at, HELLO_DIGEST);
    EXPECT_INT(ask_with("PUT", put, OCTETS "Content-Range: 4-4", SPAN("o")), 201);
    expect_blob(HELLO_DIGEST, "hello");
    serve_end();
}

TEST("a chunk out of order is 416 and says where to go on; the session lives")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *at = xstrdup(served.location);
    EXPECT_INT(ask_with("PATCH", at, OCTETS "Content-Range: 0-1", SPAN("he")), 202);
    static const char *const ranges[] = { "0-1", "1-2", "3-4", "five", "4-2" };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        AUTO_FREE char *headers = xasprintf(OCTETS "Content-Range: %s", ranges[i]);
        EXPECT_INT(ask_with("PATCH", at, headers, SPAN("ll")), 416);
        EXPECT_STR(answer_code(), "BLOB_UPLOAD_INVALID");
        EXPECT_STR(answer_header("location"), at);
    }
    AUTO_FREE char *put = with_digest(at, HELLO_DIGEST);
    EXPECT_INT(ask_with("PUT", put, OCTETS "Content-Range: 0-4", SPAN("hello")), 416);
    EXPECT_STR(answer_header("range"), "0-1");
    EXPECT_INT(ask("GET", at), 204);
    EXPECT_STR(answer_header("range"), "0-1");
    EXPECT_INT(ask_with("PUT", put, OCTETS "Content-Range: 2-4", SPAN("llo")), 201);
    serve_end();
}

TEST("a chunk that is not as long as it says is refused")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    EXPECT_INT(ask_with("PATCH", served.location, OCTETS "Content-Range: 0-9", SPAN("he")), 400);
    EXPECT_STR(answer_code(), "SIZE_INVALID");
    serve_end();
}

TEST("a stream without a length is appended, as docker sends it")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *url =
        xasprintf("http://127.0.0.1:%u%s", registry_port(served.registry), served.location);
    AUTO(reader_close) struct reader *body = reader_of_span(SPAN("hello"));
    struct http_request q = {
        .method = "PATCH", .url = url, .body_stream = body, .body_size = UINT64_MAX
    };
    struct err err = { 0 };
    AUTO_VALUE(http_response_clear) struct http_response answer = { 0 };
    EXPECT_OK(http_send(served.http, &q, &answer, &err), &err);
    EXPECT_INT(answer.status, 202);
    EXPECT_STR(map_find_str(&answer.headers, "range"), "0-4");
    AUTO_FREE char *put = with_digest(served.location, HELLO_DIGEST);
    EXPECT_INT(ask("PUT", put), 201);
    expect_blob(HELLO_DIGEST, "hello");
    serve_end();
}

/* Sends the head and some bytes of a PATCH of five; the connection. */
static int begin_half(const char *target, const char *bytes)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(registry_port(served.registry)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    AUTO_FREE char *text = xasprintf("PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                                     "Content-Range: 0-4\r\n\r\n%s",
                                     target, bytes);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) ||
        write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    return fd;
}

/* Sends some bytes of a PATCH, then goes away. */
static void send_half(const char *target, const char *bytes)
{
    int fd = begin_half(target, bytes);
    shutdown(fd, SHUT_WR);
    char drain[256];
    while (read(fd, drain, sizeof drain) > 0)
        ; /* until the registry has closed too */
    close(fd);
}

TEST("a connection that breaks leaves what came, and the rest follows")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *at = xstrdup(served.location);
    send_half(at, "hel");
    EXPECT_INT(ask("GET", at), 204);
    EXPECT_STR(answer_header("range"), "0-2");
    EXPECT_STR(answer_header("location"), at);
    EXPECT_INT(ask_with("PATCH", at, OCTETS "Content-Range: 3-4", SPAN("lo")), 202);
    AUTO_FREE char *put = with_digest(at, HELLO_DIGEST);
    EXPECT_INT(ask("PUT", put), 201);
    expect_blob(HELLO_DIGEST, "hello");
    serve_end();
}

TEST("an upload belongs to one request at a time; others may ask how far it is")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *at = xstrdup(served.location);
    int fd = begin_half(at, "hel");
    for (int i = 0; i < 2000; i++) { /* until the three bytes are there */
        EXPECT_INT(ask("GET", at), 204);
        if (strcmp(answer_header("range"), "0-2") == 0)
            break;
        usleep(1000);
    }
    EXPECT_STR(answer_header("range"), "0-2");
    EXPECT_INT(ask_with("PATCH", at, OCTETS, SPAN("lo")), 409);
    EXPECT_STR(answer_code(), "BLOB_UPLOAD_INVALID");
    EXPECT_INT(ask("DELETE", at), 409);
    EXPECT_INT(write(fd, "lo", 2), 2);
    char first[16] = "";
    EXPECT(read(fd, first, sizeof first - 1) > 0);
    EXPECT_CONTAINS(first, "HTTP/1.1 202");
    close(fd);
    AUTO_FREE char *put = with_digest(at, HELLO_DIGEST);
    EXPECT_INT(ask("PUT", put), 201);
    serve_end();
}

TEST("a digest that does not fit, is no digest, or is missing")
{
    serve((struct registry_options){ 0 });
    struct digest other = digest_of(SPAN("other"));
    AUTO_FREE char *post = with_digest("/v2/a/blobs/uploads/", digest_text(&other).s);
    EXPECT_INT(ask_with("POST", post, OCTETS, SPAN("hello")), 400);
    EXPECT_STR(answer_code(), "DIGEST_INVALID");
    EXPECT_INT(ask_with("POST", "/v2/a/blobs/uploads/?digest=sha256:1", OCTETS, SPAN("hello")),
               400);
    EXPECT_STR(answer_code(), "DIGEST_INVALID");
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *put = with_digest(served.location, digest_text(&other).s);
    EXPECT_INT(ask_with("PUT", served.location, OCTETS, SPAN("hello")), 400);
    EXPECT_STR(answer_code(), "DIGEST_INVALID");
    EXPECT_INT(ask_with("PUT", put, OCTETS, SPAN("hello")), 400);
    EXPECT_STR(answer_code(), "DIGEST_INVALID");
    AUTO_FREE char *blob = xasprintf("/v2/a/blobs/%s", HELLO_DIGEST);
    EXPECT_INT(ask("HEAD", blob), 404); /* nothing of it is kept */
    serve_end();
}

TEST("a blob that is here is mounted, whoever brought it; another becomes an upload")
{
    serve((struct registry_options){ 0 });
    put_blob(SPAN("hello"));
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/?from=b&mount=" HELLO_DIGEST), 201);
    EXPECT_STR(answer_header("location"), "/v2/a/blobs/" HELLO_DIGEST);
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/?mount=" HELLO_DIGEST), 201);
    AUTO_FREE char *absent = digest_path("/v2/a/blobs/uploads/?from=b&mount=", SPAN("absent"));
    EXPECT_INT(ask("POST", absent), 202);
    EXPECT_INT(ask("GET", served.location), 204);
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/?from=b&mount=nonsense"), 202);
    serve_end();
}

TEST("an upload is of its repository, and is gone once deleted")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *at = xstrdup(served.location);
    AUTO_FREE char *elsewhere = xasprintf("/v2/b%s", at + strlen("/v2/a"));
    EXPECT_INT(ask("GET", elsewhere), 404);
    EXPECT_INT(ask_with("PATCH", elsewhere, OCTETS, SPAN("x")), 404);
    EXPECT_INT(ask("DELETE", elsewhere), 404);
    EXPECT_INT(ask("DELETE", at), 204);
    EXPECT_INT(ask("GET", at), 404);
    EXPECT_STR(answer_code(), "BLOB_UPLOAD_UNKNOWN");
    EXPECT_INT(ask("DELETE", at), 404);
    EXPECT_INT(ask("GET", "/v2/a/blobs/uploads/nonsense"), 404);
    serve_end();
}

TEST("there are no more sessions than allowed, and idle ones make room")
{
    serve((struct registry_options){ .limits = { .n_uploads = 2 } });
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 429);
    EXPECT_STR(answer_code(), "TOOMANYREQUESTS");
    EXPECT_INT(ask("DELETE", served.location), 204);
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    serve_end();

    serve((struct registry_options){ .limits = { .n_uploads = 1, .upload_idle_ms = 1 } });
    for (int i = 0; i < 3; i++) {
        EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
        usleep(2000); /* longer than a session may be idle */
        EXPECT_INT(ask("GET", served.location), 404);
    }
    serve_end();
}

TEST("a blob larger than allowed is refused, however it comes")
{
    serve((struct registry_options){ .limits = { .upload_size = 4 } });
    AUTO_FREE char *post = with_digest("/v2/a/blobs/uploads/", HELLO_DIGEST);
    EXPECT_INT(ask_with("POST", post, OCTETS, SPAN("hello")), 413);
    EXPECT_STR(answer_code(), "SIZE_INVALID");
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 202);
    AUTO_FREE char *at = xstrdup(served.location);
    EXPECT_INT(ask_with("PATCH", at, OCTETS, SPAN("hell")), 202);
    EXPECT_INT(ask_with("PATCH", at, OCTETS, SPAN("o")), 413);
    EXPECT_INT(ask("GET", at), 404);
    serve_end();
}

static void *push_one(void *arg)
{
    const int *number = arg;
    struct err err = { 0 };
    AUTO_FREE char *bytes = xmalloc(300000);
    memset(bytes, *number, 300000);
    AUTO_FREE char *target = digest_path("/v2/a/blobs/uploads/?digest=", span_bytes(bytes, 300000));
    AUTO_FREE char *url =
        xasprintf("http://127.0.0.1:%u%s", registry_port(served.registry), target);
    struct http_request q = { .method = "POST", .url = url, .body = span_bytes(bytes, 300000) };
    AUTO_VALUE(http_response_clear) struct http_response answer = { 0 };
    return http_send(served.http, &q, &answer, &err) == 0 && answer.status == 201 ? arg : NULL;
}

TEST("many at once, the same among them")
{
    serve((struct registry_options){ 0 });
    int numbers[12];
    pthread_t threads[12];
    for (int i = 0; i < 12; i++) {
        numbers[i] = i % 5;
        if (pthread_create(&threads[i], NULL, push_one, &numbers[i]))
            abort();
    }
    for (int i = 0; i < 12; i++) {
        void *is_good = NULL;
        pthread_join(threads[i], &is_good);
        EXPECT(is_good);
    }
    serve_end();
}

TAP_MAIN()
