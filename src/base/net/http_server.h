/* base/net/http_server.h - an HTTP/1.1 server (libmicrohttpd behind our header).
 *
 * The handler is called once per request with a streaming body; it answers with bytes, a file range
 * or nothing.  Threads: the handler runs on the server's threads, several at once. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/core/err.h"
#include "base/core/map.h"
#include "base/core/stream.h"

struct http_server;
struct http_exchange; /* one request and its answer */

struct http_server_options {
    const char *address;            /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;                  /* 0: the kernel chooses */
    unsigned n_connections;         /* ceiling; 0: 256 */
    unsigned n_threads;             /* 0: one per connection as needed */
    int idle_timeout_ms;            /* 0: 60 s */
    const char *tls_cert, *tls_key; /* PEM files, both or none */
    /* Reads the whole request and calls one of exchange_reply*().  Returning without a reply
     * answers 500. */
    void (*handle)(void *arg, struct http_exchange *x);
    void *arg;
};
NODISCARD int http_server_start(const struct http_server_options *o, struct http_server **out,
                                struct err *err);
uint16_t http_server_port(const struct http_server *s);
/* Stops taking connections, lets running exchanges end for at most `grace_ms`, then closes. */
void http_server_stop(struct http_server *s, int grace_ms);

const char *exchange_method(const struct http_exchange *x);
const char *exchange_path(const struct http_exchange *x); /* decoded once, no query */
const char *exchange_query(const struct http_exchange *x,
                           const char *key); /* decoded, NULL when absent */
const char *exchange_header(const struct http_exchange *x, const char *name); /* NULL when absent */
struct reader *
exchange_body(struct http_exchange *x); /* borrowed; blocks for bytes as they arrive */
const char *exchange_peer(const struct http_exchange *x); /* address, for logs */

void exchange_set_header(struct http_exchange *x, const char *name, const char *value);
void exchange_reply(struct http_exchange *x, int status, struct span body); /* copies body */
/* `size` bytes of the file from `offset`; takes fd. HEAD sends headers only (content-length is
 * set). */
void exchange_reply_file(struct http_exchange *x, int status, int fd, uint64_t offset,
                         uint64_t size);
