/* Downloads: what breaks, what lies, and what is mended. */
#include "script.h"

static int pull(void)
{
    AUTO_VALUE(descriptor_clear) struct descriptor blob = hello_blob();
    return remote_pull_blob(remote, &ref, &blob, store, NULL, &err);
}

static void expect_pulled(void)
{
    AUTO_VALUE(descriptor_clear) struct descriptor blob = hello_blob();
    EXPECT_OK(pull(), &err);
    expect_in_store(&blob, HELLO);
}

static void expect_nothing_kept(void)
{
    AUTO_VALUE(descriptor_clear) struct descriptor blob = hello_blob();
    EXPECT(!is_in_store(&blob));
}

TEST("a blob comes into the store; a second time nothing is asked")
{
    static const struct rule rules[] = { { "GET " HELLO_PATH, .status = 200, .body = HELLO } };
    setup(rules);
    expect_pulled();
    expect_pulled();
    expect_requests("GET " HELLO_PATH "\n");
    teardown();
}

TEST("429 and 503 are waited out")
{
    static const struct rule rules[] = {
        { "GET " HELLO_PATH, .n = 1, .status = 429, .headers = "Retry-After: 0\r\n" },
        { "GET " HELLO_PATH, .n = 1, .status = 503, .body = "busy" },
        { "GET " HELLO_PATH, .status = 200, .body = HELLO },
    };
    setup_n(rules, 3, (struct remote_options){ .n_retries = 2 });
    expect_pulled();
    EXPECT_INT(count_requests("GET " HELLO_PATH), 3);
    teardown();
}

TEST("429 to the end says so")
{
    static const struct rule rules[] = {
        { "GET /v2/lib/app", .status = 429, .headers = "Retry-After: 0\r\n",
          .body = "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"slow down\"}]}" },
    };
    setup(rules);
    log_in();
    EXPECT_FAILS(pull(), ERR_LIMIT,
                 "pull blob " HELLO_DIGEST ": HOST/lib/app answers 429, too many requests:"
                 " TOOMANYREQUESTS: slow down",
                 "");
    EXPECT_INT(count_requests("GET " HELLO_PATH), 2);
    teardown();
}

TEST("5xx to the end is the network's kind; 4xx is not tried again")
{
    static const struct rule rules[] = {
        { "GET " HELLO_PATH, .n = 2, .status = 502, .headers = "Retry-After: 0\r\n" },
        { "GET " HELLO_PATH, .status = 418 },
    };
    setup(rules);
    EXPECT_FAILS(pull(), ERR_NETWORK,
                 "pull blob " HELLO_DIGEST ": HOST/lib/app answers 502, refused", "");
    EXPECT_FAILS(pull(), ERR_INVALID,
                 "pull blob " HELLO_DIGEST ": HOST/lib/app answers 418, refused", "");
    EXPECT_INT(count_requests("GET " HELLO_PATH), 3);
    teardown();
}

TEST("a connection that is cut goes on where it stopped")
{
    static const struct rule rules[] = {
        { "GET " HELLO_PATH, .needs = "range: bytes=5-", .status = 206,
          .headers = "Content-Range: bytes 5-11/12\r\n", .body = ", world" },
        { "GET " HELLO_PATH, .n = 1, .status = 200, .body = HELLO, .cut_after = 5 },
    };
    setup(rules);
    expect_pulled();
    EXPECT_INT(count_requests("GET " HELLO_PATH), 2);
    teardown();
}

TEST("a server without ranges sends everything again")
{
    static const struct rule rules[] = {
        { "GET " HELLO_PATH, .n = 1, .status = 200, .body = HELLO, .cut_after = 5 },
        { "GET " HELLO_PATH, .needs = "range: bytes=5-", .status = 200, .body = HELLO },
    };
    setup(rules);
    expect_pulled();
    teardown();
}

TEST("an answer to another range than was asked is not believed; one from the start is")
{
    static const struct rule lies[] = {
        { "GET " HELLO_PATH, .n = 1, .status = 200, .body = HELLO, .cut_after = 5 },
        { "GET " HELLO_PATH, .status = 206, .headers = "Content-Range: bytes 3-11/12\r\n",
          .body = "lo, world" },
    };
    setup(lies);
    EXPECT_FAILS(
        pull(), ERR_CORRUPT,
        "pull from HOST/lib/app: blob " HELLO_DIGEST ": asked from byte 5, answered from 3", "");
    expect_nothing_kept();
    teardown();
    static const struct rule whole[] = {
        { "GET " HELLO_PATH, .n = 1, .status = 200, .body = HELLO, .cut_after = 5 },
        { "GET " HELLO_PATH, .status = 206, .headers = "Content-Range: bytes 0-11/12\r\n",
          .body = HELLO },
    };
    setup(whole);
    expect_pulled();
    teardown();
}

#define ARRIVED "pull from HOST/lib/app: blob " HELLO_DIGEST " arrived as sha256:"

TEST("other bytes, fewer and more than promised are refused and nothing is kept")
{
    static const struct {
        const char *body, *text;
    } rows[] = {
        { "hello, earth", ARRIVED "138db61321b352c9ad51f3b707dddc54f00cffbc67b7c578972ec45dd5be2d63"
                                  " (12 bytes)" },
        { "hello", ARRIVED "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
                           " (5 bytes)" },
        { "", ARRIVED "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
                      " (0 bytes)" },
        { HELLO "!",
          "pull from HOST/lib/app: blob " HELLO_DIGEST " is longer than the 12 bytes promised" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rule rules[] = { { "GET " HELLO_PATH, .status = 200, .body = rows[i].body } };
        setup(rules);
        EXPECT_FAILS(pull(), ERR_CORRUPT, rows[i].text, "");
        expect_nothing_kept();
        EXPECT_INT(count_requests("GET " HELLO_PATH), 1);
        teardown();
    }
}

TEST("what is not there, forbidden, or too large to be told")
{
    static const struct rule rules[] = {
        { "GET " HELLO_PATH, .n = 1, .status = 404,
          .body = "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"blob unknown\"}]}" },
        { "GET " HELLO_PATH, .n = 1, .status = 403, .body = "<html>no</html>" },
    };
    setup(rules);
    log_in();
    EXPECT_FAILS(pull(), ERR_NOT_FOUND,
                 "pull blob " HELLO_DIGEST ": HOST/lib/app answers 404, not found: BLOB_UNKNOWN:"
                 " blob unknown",
                 "");
    EXPECT_FAILS(pull(), ERR_DENIED,
                 "pull blob " HELLO_DIGEST ": HOST/lib/app answers 403, forbidden",
                 "the credentials of user me from DIR/auth.json were used; kiln login HOST takes"
                 " others");
    teardown();
}

/* A second registry beside the scripted one, to which blobs are redirected. */
static char *redirect_target;

static void storage_serve(struct raw_server *s, int fd)
{
    if (raw_read(s, fd))
        raw_puts(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 12\r\n\r\n" HELLO);
}

TEST("a blob that lies elsewhere is fetched there, without the registry's credentials")
{
    struct raw_server *storage = raw_start(storage_serve, NULL);
    redirect_target = xasprintf("Location: http://127.0.0.1:%u/bucket/x?sig=1\r\n", storage->port);
    struct rule rules[] = {
        { "GET " HELLO_PATH, .needs = SECRET_BASIC, .status = 307, .headers = redirect_target },
        { "GET " HELLO_PATH, .status = 401, .headers = "WWW-Authenticate: Basic realm=\"x\"\r\n" },
    };
    setup(rules);
    log_in();
    expect_pulled();
    expect_requests("GET " HELLO_PATH "\nGET " HELLO_PATH " +auth\n");
    EXPECT_CONTAINS(storage->request, "GET /bucket/x?sig=1 HTTP/1.1");
    EXPECT(!strcasestr(storage->request, "authorization"));
    teardown();
    raw_stop(storage);
    free(redirect_target);
}

/* Asks for credentials itself, and would give a token for them. */
static void thief_serve(struct raw_server *s, int fd)
{
    if (!raw_read(s, fd))
        return;
    AUTO_FREE char *answer =
        xasprintf("HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 0\r\n"
                  "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%u/token\",service=\"s\"\r\n"
                  "\r\n",
                  s->port);
    raw_puts(fd, answer);
}

TEST("who asks for credentials where a redirect leads does not get the registry's")
{
    struct raw_server *thief = raw_start(thief_serve, NULL);
    redirect_target = xasprintf("Location: http://127.0.0.1:%u/bucket/x\r\n", thief->port);
    struct rule rules[] = {
        { "GET " HELLO_PATH, .status = 307, .headers = redirect_target },
    };
    setup(rules);
    log_in();
    if (pull() == 0)
        tap_fail(__FILE__, __LINE__, "a blob of a thief");
    EXPECT_INT(err.kind, ERR_DENIED);
    expect_requests("GET " HELLO_PATH "\n");
    EXPECT_CONTAINS(thief->request, "GET /bucket/x HTTP/1.1");
    EXPECT(!strcasestr(thief->request, "authorization"));
    err_clear(&err);
    teardown();
    raw_stop(thief);
    free(redirect_target);
}

TEST("a download that is canceled ends as canceled")
{
    static const struct rule rules[] = { { "GET " HELLO_PATH, .status = 503 } };
    setup(rules);
    AUTO(cancel_free) struct cancel *c = cancel_new();
    AUTO_VALUE(descriptor_clear) struct descriptor blob = hello_blob();
    cancel_fire(c);
    EXPECT_FAILS(remote_pull_blob(remote, &ref, &blob, store, c, &err), ERR_CANCELED, NULL, "");
    teardown();
}

TEST("nobody listens: the error names the host")
{
    setup_n(NULL, 0, (struct remote_options){ 0 });
    int port = script.raw->port;
    raw_stop(script.raw);
    script.raw = NULL;
    if (pull() == 0)
        tap_fail(__FILE__, __LINE__, "a blob from nowhere");
    EXPECT_INT(err.kind, ERR_NETWORK);
    AUTO_FREE char *host = xasprintf("127.0.0.1:%d", port);
    EXPECT_CONTAINS(err.text, host);
    err_clear(&err);
    teardown();
}

TAP_MAIN()
