/* tests/unit/image/registry/script.h - a registry that follows a script, lies and faults included,
 * and a client with a store, credentials and a reference to use against it.
 *
 * A script is a table of rules; a request is answered by the first rule that fits and is not used
 * up; GET /v2/ has an answer without one, anything else is 404.  Every request is kept as a line,
 * "METHOD TARGET", with " +auth" where it had credentials or a token.
 *
 * In whatever a case makes fail, `teardown` looks for secrets: in errors that went through
 * expect_error() and in all that was logged at the level of debugging. */
#pragma once
#include <fcntl.h>

#include "../../base/net/raw_server.h"
#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "image/registry/remote.h"
#include "image/store/blob.h"
#include "tap.h"

/* Whom the tests log in as.  None of these texts may be seen anywhere. */
#define USER "me"
#define SECRET "hunter2-hush"
#define SECRET_BASIC "bWU6aHVudGVyMi1odXNo" /* me:hunter2-hush */
#define TOKEN "tok-3n-of-gold"
#define IDENTITY "refresh-me-softly"

struct rule {
    const char *request; /* how "METHOD TARGET" begins */
    const char *needs;   /* what the header must have, in any case; NULL: nothing */
    int n;               /* how often; 0: always */
    int status;
    const char *headers; /* "Name: value\r\n..." or NULL */
    const char *body;    /* NULL: none */
    size_t cut_after;    /* of the answer's body: then the connection ends; 0: whole */
    size_t takes;        /* of the request's body: then the connection ends; 0: whole */
    bool no_length;      /* the answer says no Content-Length */
};

static struct {
    struct raw_server *raw;
    const struct rule *rules;
    size_t n_rules;
    int used[64];
    struct str_list requests;
    char *last_body; /* of the last request that had one */
} script;

static struct remote *remote;
static struct store *store;
static struct reference ref; /* of repository "lib/app" at the scripted registry */
static struct err err;
static int saved_stderr = -1;

__attribute__((unused)) static bool header_has(const char *request, const char *part)
{
    const char *end = strstr(request, "\r\n\r\n");
    AUTO_FREE char *head = xstrndup(request, end ? (size_t)(end - request) : strlen(request));
    return strcasestr(head, part) != NULL;
}

/* Notes the request and chooses its rule.  Called with the lock. */
__attribute__((unused)) static const struct rule *choose(const char *request)
{
    size_t len = strcspn(request, "\r\n");
    AUTO_FREE char *line = xstrndup(request, len);
    char *version = strstr(line, " HTTP/1.1");
    if (version)
        *version = '\0';
    AUTO_FREE char *noted =
        xasprintf("%s%s", line, header_has(request, "\r\nauthorization:") ? " +auth" : "");
    str_list_push(&script.requests, noted);
    for (size_t i = 0; i < script.n_rules; i++) {
        const struct rule *r = &script.rules[i];
        if (strncmp(line, r->request, strlen(r->request)) != 0 ||
            (r->needs && !header_has(request, r->needs)) || (r->n && script.used[i] >= r->n))
            continue;
        script.used[i]++;
        return r;
    }
    static const struct rule base = { .status = 200 }, absent = { .status = 404 };
    return strcmp(line, "GET /v2/") == 0 ? &base : &absent;
}

__attribute__((unused)) static void say(int fd, const struct rule *r, bool is_head)
{
    size_t len = r->body ? strlen(r->body) : 0;
    AUTO_FREE char *length = xasprintf("Content-Length: %zu\r\n", len);
    AUTO_FREE char *head =
        xasprintf("HTTP/1.1 %d So\r\nConnection: close\r\n%s%s\r\n", r->status,
                  r->headers ? r->headers : "", r->no_length || r->status == 204 ? "" : length);
    raw_puts(fd, head);
    if (!is_head && len)
        raw_send(fd, r->body, r->cut_after ? r->cut_after : len);
}

/* Reads the head, then the body as far as the rule takes it; answers. */
__attribute__((unused)) static void follow_script(struct raw_server *s, int fd)
{
    (void)s;
    AUTO_FREE char *text = xcalloc(1, RAW_REQUEST * 4);
    size_t len = 0, cap = RAW_REQUEST * 4 - 1;
    while (!strstr(text, "\r\n\r\n")) {
        ssize_t n = recv(fd, text + len, 1, 0);
        if (n <= 0 || len + 1 >= cap)
            return;
        len++;
    }
    pthread_mutex_lock(&s->mutex);
    const struct rule *r = choose(text);
    pthread_mutex_unlock(&s->mutex);
    if (header_has(text, "expect: 100-continue"))
        raw_puts(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    size_t head = len;
    while (!raw_is_whole(text, len) && (!r->takes || len - head < r->takes)) {
        ssize_t n = recv(fd, text + len, cap - len, 0);
        if (n <= 0)
            return;
        len += (size_t)n;
    }
    pthread_mutex_lock(&s->mutex);
    if (len > head) {
        free(script.last_body);
        script.last_body = xstrndup(text + head, len - head);
    }
    pthread_mutex_unlock(&s->mutex);
    if (!r->takes)
        say(fd, r, strncmp(text, "HEAD ", 5) == 0);
}

/* ---- set-up ---- */

__attribute__((unused)) static char *in_dir(const char *name)
{
    return xasprintf("%s/%s", tap_dir(), name);
}

__attribute__((unused)) static char *write_text(const char *name, const char *text)
{
    char *path = in_dir(name);
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f))
        abort();
    return path;
}

__attribute__((unused)) static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = xcalloc(1, 1 << 20);
    if (f && fread(text, 1, (1 << 20) - 1, f) == 0)
        text[0] = '\0';
    if (f)
        fclose(f);
    return text;
}

__attribute__((unused)) static char *registry_name(void)
{
    return xasprintf("127.0.0.1:%u", script.raw->port);
}

__attribute__((unused)) static void use_reference(const char *tag_or_digest)
{
    AUTO_FREE char *text = xasprintf("127.0.0.1:%u/lib/app%s", script.raw->port, tag_or_digest);
    reference_clear(&ref);
    EXPECT_OK(reference_parse(span_of(text), &ref, &err), &err);
}

/* Everything that is logged goes to a file from here on. */
__attribute__((unused)) static void catch_log(void)
{
    AUTO_FREE char *path = in_dir("log");
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    fflush(stderr);
    saved_stderr = dup(2);
    if (fd < 0 || dup2(fd, 2) < 0)
        abort();
    close(fd);
    log_set_level(LOG_DEBUG);
}

__attribute__((unused)) static void expect_no_secret(const char *where, const char *text)
{
    static const char *const secrets[] = { SECRET, SECRET_BASIC, TOKEN, IDENTITY };
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (strstr(text, secrets[i]))
            tap_fail(__FILE__, __LINE__, "%s shows the secret %s:\n%s", where, secrets[i], text);
}

__attribute__((unused)) static void release_log(void)
{
    fflush(stderr);
    dup2(saved_stderr, 2);
    close(saved_stderr);
    log_set_level(LOG_WARN);
    AUTO_FREE char *path = in_dir("log");
    AUTO_FREE char *text = read_text(path);
    expect_no_secret("the log", text);
}

__attribute__((unused)) static void open_client(struct remote_options o)
{
    AUTO_FREE char *auth = in_dir("auth.json");
    AUTO_FREE char *certs = in_dir("certs.d");
    AUTO_FREE char *root = in_dir("store");
    if (!o.auth_file)
        o.auth_file = auth;
    if (!o.certs_dir)
        o.certs_dir = certs;
    if (!o.n_retries)
        o.n_retries = 1;
    err_clear(&err);
    EXPECT_OK(remote_open(&o, &remote, &err), &err);
    if (!store)
        EXPECT_OK(store_open(root, NULL, &store, &err), &err);
}

/* A scripted registry and a client for it. */
#define setup(table) setup_n(table, sizeof(table) / sizeof(table)[0], (struct remote_options){ 0 })
__attribute__((unused)) static void setup_n(const struct rule *rules, size_t n,
                                            struct remote_options o)
{
    script.rules = rules;
    script.n_rules = n;
    memset(script.used, 0, sizeof script.used);
    script.raw = raw_start(follow_script, NULL);
    catch_log();
    open_client(o);
    use_reference(":v1");
}

/* Credentials for the scripted registry in the file that the client reads. */
__attribute__((unused)) static void log_in(void)
{
    AUTO_FREE char *name = registry_name();
    AUTO_FREE char *text = xasprintf("{\"auths\":{\"%s\":{\"auth\":\"%s\"}}}", name, SECRET_BASIC);
    free(write_text("auth.json", text));
}

__attribute__((unused)) static void close_client(void)
{
    remote_close(remote);
    remote = NULL;
}

__attribute__((unused)) static void teardown(void)
{
    close_client();
    if (script.raw)
        raw_stop(script.raw);
    script.raw = NULL;
    store_close(store);
    store = NULL;
    reference_clear(&ref);
    str_list_clear(&script.requests);
    free(script.last_body);
    script.last_body = NULL;
    release_log();
}

/* The requests so far as one text, a line each; the port of the registry is left out. */
__attribute__((unused)) static char *requests(void)
{
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    buf_init(&b, 1 << 20);
    buf_puts(&b, "");
    pthread_mutex_lock(&script.raw->mutex);
    vec_each (&script.requests, line)
        if (strcmp(*line, "GET /v2/") != 0) /* how the client finds the scheme */
            buf_printf(&b, "%s\n", *line);
    pthread_mutex_unlock(&script.raw->mutex);
    return buf_take(&b);
}

__attribute__((unused)) static void expect_requests(const char *want)
{
    AUTO_FREE char *got = requests();
    EXPECT_STR(got, want);
}

__attribute__((unused)) static int count_requests(const char *start)
{
    int n = 0;
    pthread_mutex_lock(&script.raw->mutex);
    vec_each (&script.requests, line)
        n += strncmp(*line, start, strlen(start)) == 0;
    pthread_mutex_unlock(&script.raw->mutex);
    return n;
}

/* `text` with the registry's own name as HOST and the case's folder as DIR. */
__attribute__((unused)) static char *neutral(const char *text)
{
    AUTO_FREE char *name = registry_name();
    const char *const from[] = { name, tap_dir() }, *const to[] = { "HOST", "DIR" };
    char *copy = xstrdup(text);
    for (int i = 0; i < 2; i++)
        for (char *at; (at = strstr(copy, from[i]));) {
            char *next = xasprintf("%.*s%s%s", (int)(at - copy), copy, to[i], at + strlen(from[i]));
            free(copy);
            copy = next;
        }
    return copy;
}

/* What the last failing call said: kind, text and hint, compared whole (NULL: not compared). */
__attribute__((unused)) static void expect_error(enum err_kind kind, const char *text,
                                                 const char *hint)
{
    AUTO_FREE char *got = neutral(err.text);
    AUTO_FREE char *got_hint = neutral(err.hint);
    EXPECT_STR(err_kind_name(err.kind), err_kind_name(kind));
    if (text)
        EXPECT_STR(got, text);
    if (hint)
        EXPECT_STR(got_hint, hint);
    expect_no_secret("the error", err.text);
    expect_no_secret("the hint", err.hint);
    err_clear(&err);
}

#define EXPECT_FAILS(call, kind, text, hint)                                                       \
    do {                                                                                           \
        if ((call) == 0)                                                                           \
            tap_fail(__FILE__, __LINE__, "%s succeeded, expected %s", #call, err_kind_name(kind)); \
        else                                                                                       \
            expect_error(kind, text, hint);                                                        \
    } while (0)

/* ---- content ---- */

#define HELLO "hello, world"
#define HELLO_DIGEST "sha256:09ca7e4eaa6e8ae9c7d261167129184883644d07dfba7cbfbc4c8a2e08360d5b"
#define HELLO_PATH "/v2/lib/app/blobs/" HELLO_DIGEST

__attribute__((unused)) static struct descriptor hello_blob(void)
{
    struct digest d = digest_of(SPAN(HELLO));
    EXPECT_STR(digest_text(&d).s, HELLO_DIGEST);
    return descriptor_make(MEDIA_OCI_LAYER, &d, strlen(HELLO));
}

__attribute__((unused)) static void expect_in_store(const struct descriptor *d, const char *want)
{
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    buf_init(&b, 1 << 20);
    EXPECT_OK(blob_read(store, &d->digest, &b, &err), &err);
    EXPECT_STR(b.data ? b.data : "", want);
}

__attribute__((unused)) static bool is_in_store(const struct descriptor *d)
{
    bool is_there = false;
    EXPECT_OK(blob_find(store, &d->digest, &is_there, NULL, &err), &err);
    return is_there;
}
