/* tests/unit/base/net/test_server.h - a server of ours with a handler that tests can steer by
 * paths.
 *
 *     /info     "METHOD|PATH|q|x-test|PEER"        /deny    401 without a look at the body
 *     /echo     the body                           /nothing returns without a reply
 *     /size     how long the body was              /file    the file `path`, range by from= and
 * size= /first    reads one byte, then answers       /wait    answers once `gate` is opened /to
 * redirects (status=, to=)           /count   the number of this connection's requests anything
 * else: 404. */
#pragma once
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/net/http_server.h"
#include "tap.h"

struct test_server {
    struct http_server *server;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool is_open; /* the gate */
    int n_waiting, n_handled;
    enum err_kind body_error; /* of the last body that failed */
    const char *path;         /* of /file */
    char authorization[256];  /* of the last request */
    char url[512];
};

__attribute__((unused)) static void reply_text(struct http_exchange *x, int status,
                                               const char *text)
{
    exchange_reply(x, status, span_of(text));
}

__attribute__((unused)) static void reply_body(struct test_server *t, struct http_exchange *x,
                                               bool is_echo)
{
    static _Thread_local char piece[1 << 18];
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 16 << 20);
    uint64_t total = 0;
    size_t n = 1;
    struct err err = { 0 };
    while (n && !reader_read(exchange_body(x), piece, sizeof piece, &n, &err)) {
        total += n;
        if (is_echo)
            buf_put(&b, span_bytes(piece, n));
    }
    if (err.kind) {
        pthread_mutex_lock(&t->mutex);
        t->body_error = err.kind;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->mutex);
        reply_text(x, 400, err.text);
        return;
    }
    AUTO_FREE char *text = xasprintf("%llu", (unsigned long long)total);
    exchange_reply(x, 200, is_echo ? buf_span(&b) : span_of(text));
}

__attribute__((unused)) static void serve_file(struct test_server *t, const char *path)
{
    pthread_mutex_lock(&t->mutex);
    t->path = path;
    pthread_mutex_unlock(&t->mutex);
}

__attribute__((unused)) static enum err_kind body_error_of(struct test_server *t)
{
    pthread_mutex_lock(&t->mutex);
    enum err_kind kind = t->body_error;
    pthread_mutex_unlock(&t->mutex);
    return kind;
}

__attribute__((unused)) static void reply_file(struct test_server *t, struct http_exchange *x)
{
    struct stat st;
    pthread_mutex_lock(&t->mutex);
    const char *path = t->path;
    pthread_mutex_unlock(&t->mutex);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        abort();
    const char *from = exchange_query(x, "from"), *size = exchange_query(x, "size");
    exchange_set_header(x, "Content-Type", "application/octet-stream");
    exchange_reply_file(x, from ? 206 : 200, fd, from ? strtoull(from, NULL, 10) : 0,
                        size ? strtoull(size, NULL, 10) : (uint64_t)st.st_size);
}

__attribute__((unused)) static void reply_info(struct http_exchange *x)
{
    const char *q = exchange_query(x, "q"), *h = exchange_header(x, "X-TEST");
    AUTO_FREE char *text = xasprintf("%s|%s|%s|%s|%s", exchange_method(x), exchange_path(x),
                                     q ? q : "-", h ? h : "-", exchange_peer(x));
    reply_text(x, 200, text);
}

__attribute__((unused)) static void wait_at_gate(struct test_server *t)
{
    pthread_mutex_lock(&t->mutex);
    t->n_waiting++;
    pthread_cond_broadcast(&t->changed);
    while (!t->is_open)
        pthread_cond_wait(&t->changed, &t->mutex);
    t->n_waiting--;
    pthread_mutex_unlock(&t->mutex);
}

__attribute__((unused)) static void open_gate(struct test_server *t)
{
    pthread_mutex_lock(&t->mutex);
    t->is_open = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

__attribute__((unused)) static void test_handle(void *arg, struct http_exchange *x)
{
    struct test_server *t = arg;
    const char *path = exchange_path(x), *authorization = exchange_header(x, "authorization");
    pthread_mutex_lock(&t->mutex);
    t->n_handled++;
    pthread_cond_broadcast(&t->changed);
    snprintf(t->authorization, sizeof t->authorization, "%s", authorization ? authorization : "-");
    pthread_mutex_unlock(&t->mutex);
    char first;
    size_t n;
    struct err err = { 0 };
    if (span_starts(span_of(path), "/info")) {
        reply_info(x);
    } else if (!strcmp(path, "/echo") || !strcmp(path, "/size")) {
        reply_body(t, x, !strcmp(path, "/echo"));
    } else if (!strcmp(path, "/file")) {
        reply_file(t, x);
    } else if (!strcmp(path, "/deny")) {
        exchange_set_header(x, "WWW-Authenticate", "Bearer realm=\"x\"");
        reply_text(x, 401, "who are you?");
    } else if (!strcmp(path, "/first")) {
        EXPECT_OK(reader_read(exchange_body(x), &first, 1, &n, &err), &err);
        reply_text(x, 413, "enough");
    } else if (!strcmp(path, "/wait")) {
        wait_at_gate(t);
        reply_text(x, 200, "waited");
    } else if (!strcmp(path, "/to")) {
        exchange_set_header(x, "Location", exchange_query(x, "to"));
        reply_text(x, (int)strtol(exchange_query(x, "status"), NULL, 10), "elsewhere");
    } else if (strcmp(path, "/nothing")) {
        reply_text(x, 404, "not here");
    }
}

__attribute__((unused)) static struct test_server *
test_server_start(const struct http_server_options *more)
{
    struct test_server *t = xcalloc(1, sizeof *t);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, NULL);
    struct http_server_options o = more ? *more : (struct http_server_options){ 0 };
    o.handle = test_handle;
    o.arg = t;
    struct err err = { 0 };
    EXPECT_OK(http_server_start(&o, &t->server, &err), &err);
    if (!t->server)
        abort();
    return t;
}

__attribute__((unused)) static void test_server_stop(struct test_server *t)
{
    http_server_stop(t->server, 1000);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

__attribute__((unused)) static const char *test_url(struct test_server *t, const char *path)
{
    snprintf(t->url, sizeof t->url, "http://127.0.0.1:%u%s", http_server_port(t->server), path);
    return t->url;
}
