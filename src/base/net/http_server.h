/* base/net/http_server.h - an HTTP/1.1 server (libmicrohttpd behind our header).
 *
 * The handler is called once per request with a streaming body; it answers with bytes, a file range
 * or nothing.  Requests that are no HTTP, whose header is larger than LIMIT_HTTP_HEADER or whose
 * path or query cannot be decoded are answered without it.
 *
 * Threads: the handler runs on the server's threads, several at once; an exchange belongs to the
 * thread that the handler runs on.  SIGPIPE is blocked there. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/core/err.h"
#include "base/core/map.h"
#include "base/core/stream.h"

struct http_server;
struct http_exchange; /* one request and its answer */

struct http_server_options {
    const char *address;    /* "127.0.0.1", "::1", "0.0.0.0", "::" (IPv4 too); NULL: "127.0.0.1" */
    uint16_t port;          /* 0: the kernel chooses */
    unsigned n_connections; /* ceiling, more are closed at once; each has a thread; 0: 256 */
    int idle_timeout_ms; /* no byte from or to the client for so long: closed; whole seconds; 0: 60
                            s */
    const char *tls_cert, *tls_key; /* PEM files, both or none */
    /* Reads the request as far as it wants and calls one of exchange_reply*() once.  Returning
     * without a reply answers 500. */
    void (*handle)(void *arg, struct http_exchange *x);
    void *arg;
};
/* Copies what it keeps of `o`.  Fails: INVALID (address, certificate or key), EXISTS (the port is
 * taken), by errno. */
NODISCARD int http_server_start(const struct http_server_options *o, struct http_server **out,
                                struct err *err);
uint16_t http_server_port(const struct http_server *s);
/* Stops taking connections, lets running exchanges end for at most `grace_ms`, then closes: bodies
 * that are still being read fail, and the handlers are waited for.  NULL is fine. */
void http_server_stop(struct http_server *s, int grace_ms);

const char *exchange_method(const struct http_exchange *x);
/* Percent-decoded once, without query; runs of "/" that were not encoded are one.  ".." is left as
 * it is. */
const char *exchange_path(const struct http_exchange *x);
/* Decoded ("+" is a space), the first of several; NULL when absent. */
const char *exchange_query(const struct http_exchange *x, const char *key);
/* Any case; repeated ones joined with ", "; NULL when absent. */
const char *exchange_header(const struct http_exchange *x, const char *name);
/* Borrowed; blocks for bytes as they arrive.  Fails: NETWORK when the client goes away, or stops
 * sending for the idle time.  A client that asked ("Expect: 100-continue") sends its body only once
 * this is read. */
struct reader *exchange_body(struct http_exchange *x);
const char *exchange_peer(const struct http_exchange *x); /* address, for logs */

/* Of the answer; replaces.  A name or value that is no header (line breaks) is left out and logged.
 */
void exchange_set_header(struct http_exchange *x, const char *name, const char *value);
void exchange_reply(struct http_exchange *x, int status, struct span body); /* copies body */
/* `size` bytes of the file from `offset`; takes fd. HEAD sends headers only (content-length is
 * set).  A file that has not so many bytes is answered with 500; it must not become shorter before
 * the answer is sent. */
void exchange_reply_file(struct http_exchange *x, int status, int fd, uint64_t offset,
                         uint64_t size);
