/* tests/unit/engine/source/test_http_source.c - files from a server that is honest, slow-witted,
 * broken or lying; its log and sha256sum are the witnesses. */
#include "engine/source/http_source.h"

#include <sys/stat.h>

#include "fixture.h"
#include "image/store/blob.h"
#include "image/store/object.h"
#include "served.h"

struct lab {
    struct served served;
    struct store *store;
    struct http_source *source;
};

static bool lab_open(struct lab *l)
{
    AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
    *l = (struct lab){ 0 };
    err_clear(&err);
    if (!served_start(&l->served))
        return false;
    shell("printf hello >served/files/f; touch -d @1500000000 served/files/f");
    EXPECT_OK(store_open(path, NULL, &l->store, &err), &err);
    EXPECT_OK(http_source_open(l->store, &l->source, &err), &err);
    return l->source != NULL;
}

static void lab_close(struct lab *l)
{
    http_source_close(l->source);
    store_close(l->store);
    served_stop(&l->served);
}

#define LAB(l)                                                                                     \
    struct lab l;                                                                                  \
    if (!lab_open(&l))                                                                             \
    return

static char *url_of(const struct lab *l, const char *path)
{
    return xasprintf("http://127.0.0.1:%d/%s", l->served.http_port, path);
}

static int ask(struct lab *l, const char *path, struct http_wish q, struct http_file *out)
{
    AUTO_FREE char *url = strstr(path, "://") ? xstrdup(path) : url_of(l, path);
    q.url = url;
    err_clear(&err);
    return digest_is_set(&q.want) ? http_source_fetch(l->source, &q, out, &err)
                                  : http_source_ask(l->source, &q, out, &err);
}

#define HELLO "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define HELLO_512                                                                                  \
    "sha512:9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7ac" \
    "c6e14b8c5da0c4663475c2e5c3adef46f73bcdec043"
#define OTHER "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static struct digest digest_from(const char *text)
{
    struct digest d = { 0 };
    EXPECT_OK(digest_parse(span_of(text), &d, &err), &err);
    return d;
}

TEST("a file that stays the same is not sent again, if its server can tell")
{
    static const struct {
        const char *path, *conditions; /* of the second request */
        bool has_time;
    } rows[] = {
        { "file/f", "If-None-Match If-Modified-Since", true },
        { "tagged/f", "If-None-Match", false }, /* known by the ETag of the 200 */
        { "modified/f", "If-Modified-Since", true },
        { "plain/f", "", false },
    };
    LAB(l);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_file first, second;
        AUTO_FREE char *want = xasprintf("GET /%s%s%s\n", rows[i].path,
                                         *rows[i].conditions ? " " : "", rows[i].conditions);
        REQUIRE_OK(ask(&l, rows[i].path, (struct http_wish){ 0 }, &first), &err);
        REQUIRE_OK(ask(&l, rows[i].path, (struct http_wish){ 0 }, &second), &err);
        EXPECT_STR(digest_text(&first.digest).s, HELLO);
        EXPECT_STR(digest_text(&second.digest).s, HELLO);
        EXPECT_INT(first.has_time, rows[i].has_time);
        EXPECT_INT(second.has_time, rows[i].has_time);
        EXPECT(!first.has_time ||
               (first.modified_s == 1500000000 && second.modified_s == 1500000000));
        EXPECT(served_count(&l.served, want) >= 1);
    }
    lab_close(&l);
}

TEST("a changed file is another")
{
    static const char *const paths[] = { "file/f", "tagged/f", "modified/f", "plain/f" };
    LAB(l);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 4; i++) {
            struct http_file got;
            REQUIRE_OK(ask(&l, paths[i], (struct http_wish){ 0 }, &got), &err);
            EXPECT((strcmp(digest_text(&got.digest).s, HELLO) == 0) == (round == 0));
            if (i == 3)
                shell("printf changed >served/files/f");
        }
    lab_close(&l);
}

TEST("content is a blob; one that was collected is fetched again")
{
    LAB(l);
    struct http_file got;
    bool is_there = false;
    REQUIRE_OK(ask(&l, "file/f", (struct http_wish){ 0 }, &got), &err);
    REQUIRE_OK(blob_find(l.store, &got.digest, &is_there, NULL, &err), &err);
    EXPECT(is_there);
    for (int round = 0; round < 2; round++) {
        if (round)
            REQUIRE_OK(object_remove(l.store, HELLO, &err), &err);
        REQUIRE_OK(ask(&l, "file/f", (struct http_wish){ .want = got.digest }, &got), &err);
        REQUIRE_OK(blob_find(l.store, &got.digest, &is_there, NULL, &err), &err);
        EXPECT(is_there);
        EXPECT_INT(served_count(&l.served, "GET"), round + 1);
        EXPECT_INT(got.modified_s, 1500000000);
    }
    lab_close(&l);
}

TEST("a checksum is checked; what is wrong is told with both digests and not kept")
{
    LAB(l);
    struct http_file got;
    struct digest hello = digest_from(HELLO);
    bool is_there = true;
    EXPECT_ERR(ask(&l, "file/f", (struct http_wish){ .want = digest_from(OTHER) }, &got), &err,
               ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, HELLO);
    EXPECT_CONTAINS(err.text, OTHER);
    EXPECT_CONTAINS(err.text, "/file/f: its content is");
    REQUIRE_OK(blob_find(l.store, &hello, &is_there, NULL, &err), &err);
    EXPECT(!is_there);
    EXPECT_OK(ask(&l, "file/f", (struct http_wish){ .want = digest_from(HELLO_512) }, &got), &err);
    EXPECT_STR(digest_text(&got.digest).s, HELLO);
    EXPECT_OK(ask(&l, "file/f", (struct http_wish){ .want = hello }, &got), &err);
    EXPECT_INT(served_count(&l.served, "GET"), 2); /* the last one was known */
    lab_close(&l);
}

TEST("servers that fail for a while are asked again, others are not")
{
    static const struct {
        const char *path;
        enum err_kind kind; /* NONE: it works in the end */
        int n_requests;
    } rows[] = {
        { "flaky/2/f", ERR_NONE, 3 },      { "broken/1/f", ERR_NONE, 2 },
        { "reset/1/f", ERR_NONE, 2 },      { "flaky/99/f", ERR_NETWORK, 4 },
        { "file/none", ERR_NOT_FOUND, 1 }, { "status/410", ERR_NOT_FOUND, 1 },
        { "status/403", ERR_DENIED, 1 },   { "status/418", ERR_INVALID, 1 },
    };
    LAB(l);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_file got = { 0 };
        int status = ask(&l, rows[i].path, (struct http_wish){ 0 }, &got);
        if (err.kind != rows[i].kind || (status == 0) != (rows[i].kind == ERR_NONE))
            tap_fail(__FILE__, __LINE__, "%s: %d, %s", rows[i].path, status, err.text);
        EXPECT_INT(served_count(&l.served, rows[i].path), rows[i].n_requests);
        if (status == 0)
            EXPECT_STR(digest_text(&got.digest).s, HELLO);
    }
    lab_close(&l);
}

static void sum(void *arg, uint64_t current, uint64_t total)
{
    uint64_t *seen = arg;
    seen[0] = current;
    seen[1] = total;
}

TEST("a body that broke off goes on where it did, unless it is another by then")
{
    static const struct {
        const char *path;
        int n_range, n_requests;
    } rows[] = { { "broken/1/f", 1, 2 }, { "changed/2/f", 2, 3 } };
    LAB(l);
    for (size_t i = 0; i < 2; i++) {
        struct http_file got;
        AUTO_FREE char *ranged = xasprintf("%s Range", rows[i].path);
        uint64_t seen[2] = { 0 };
        REQUIRE_OK(ask(&l, rows[i].path,
                       (struct http_wish){
                           .want = digest_from(HELLO_512), .moved = sum, .moved_arg = seen },
                       &got),
                   &err);
        EXPECT_STR(digest_text(&got.digest).s, HELLO);
        EXPECT_INT(served_count(&l.served, ranged), rows[i].n_range);
        EXPECT_INT(served_count(&l.served, rows[i].path), rows[i].n_requests);
        EXPECT_INT(seen[0], 5);
        EXPECT_INT(seen[1], 5);
    }
    lab_close(&l);
}

TEST("a secret goes to its host and nowhere else, and into no message")
{
    LAB(l);
    struct http_file got;
    struct http_wish q = { .authorization = "Bearer s3cret" };
    AUTO_FREE char *away = xasprintf("to/localhost:%d/file/f?away", l.served.http_port);
    AUTO_FREE char *stay = xasprintf("to/127.0.0.1:%d/auth/f?stay", l.served.http_port);
    AUTO_FREE char *user =
        xasprintf("http://me:s3cret@127.0.0.1:%d/status/401", l.served.http_port);
    shell("echo Bearer s3cret >served/authorization");
    EXPECT_OK(ask(&l, "auth/f", q, &got), &err);
    EXPECT_OK(ask(&l, stay, q, &got), &err);
    EXPECT_OK(ask(&l, away, q, &got), &err);
    EXPECT_INT(served_count(&l.served, "GET /file/f?away"), 1);
    EXPECT_INT(served_count(&l.served, "GET /file/f?away Authorization"), 0);
    EXPECT_ERR(ask(&l, "auth/f", (struct http_wish){ 0 }, &got), &err, ERR_DENIED);
    EXPECT_CONTAINS(err.hint, "--secret id=HTTP_AUTH_TOKEN_127.0.0.1");
    q.authorization = "Bearer 0ther-s3cret";
    EXPECT_ERR(ask(&l, "auth/f", q, &got), &err, ERR_DENIED);
    EXPECT(!strstr(err.text, "s3cret") && !strstr(err.hint, "s3cret"));
    EXPECT_ERR(ask(&l, user, (struct http_wish){ 0 }, &got), &err, ERR_DENIED);
    EXPECT(!strstr(err.text, "s3cret") && !strstr(err.hint, "s3cret"));
    shell("! grep -ra s3cret store");
    lab_close(&l);
}

TEST("only http and https are fetched from, also where a redirect leads")
{
    static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/x",
                                        "scp://127.0.0.1/x" };
    LAB(l);
    struct http_file got;
    for (size_t i = 0; i < 3; i++)
        EXPECT_ERR(ask(&l, urls[i], (struct http_wish){ 0 }, &got), &err, ERR_UNSUPPORTED);
    EXPECT(ask(&l, "toscheme/file:///etc/passwd", (struct http_wish){ 0 }, &got) != 0);
    lab_close(&l);
}

TEST("the environment's proxy is gone through, for others than this machine")
{
    LAB(l);
    struct http_file got;
    AUTO_FREE char *proxy = url_of(&l, "");
    setenv("HTTP_PROXY", proxy, 1);
    http_source_close(STEAL(l.source));
    REQUIRE_OK(http_source_open(l.store, &l.source, &err), &err);
    unsetenv("HTTP_PROXY");
    EXPECT_OK(ask(&l, "http://example.invalid/file/f", (struct http_wish){ 0 }, &got), &err);
    EXPECT_OK(ask(&l, "file/f?direct", (struct http_wish){ 0 }, &got), &err);
    EXPECT_INT(served_count(&l.served, "GET /file/f proxied"), 1);
    EXPECT_INT(served_count(&l.served, "GET /file/f?direct\n"), 1);
    lab_close(&l);
}

TEST("who cancels waits no longer")
{
    LAB(l);
    struct http_file got;
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    cancel_fire(cancel);
    EXPECT_ERR(ask(&l, "flaky/99/f", (struct http_wish){ .cancel = cancel }, &got), &err,
               ERR_CANCELED);
    lab_close(&l);
}

TEST("a large file streams, and tells how far it is")
{
    LAB(l);
    struct http_file got;
    uint64_t seen[2] = { 0 }, size = 0;
    bool is_there = false;
    shell("head -c 20000000 /dev/zero >served/files/big");
    REQUIRE_OK(ask(&l, "plain/big", (struct http_wish){ .moved = sum, .moved_arg = seen }, &got),
               &err);
    REQUIRE_OK(blob_find(l.store, &got.digest, &is_there, &size, &err), &err);
    EXPECT_INT(size, 20000000);
    EXPECT_INT(seen[0], 20000000);
    EXPECT_INT(seen[1], 20000000);
    lab_close(&l);
}

TEST("dates are read in all three forms, and written in one")
{
    static const struct {
        const char *text;
        int64_t want; /* -1: none */
    } rows[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
        { "Sun Nov  6 08:49:37 1994", 784111777 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "", -1 },
        { "yesterday", -1 },
        { "Sun, 06 Nov 1994 08:49:37 GMT and more", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t got = -1;
        EXPECT_INT(http_date_parse(rows[i].text, &got), rows[i].want >= 0);
        EXPECT_INT(got, rows[i].want);
    }
    AUTO_FREE char *text = http_date_text(784111777);
    EXPECT_STR(text, rows[0].text);
}

TAP_MAIN()
