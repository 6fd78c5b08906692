/* base/net/http_client.h - HTTP requests (libcurl behind our header).
 *
 * One client keeps connections, TLS sessions and DNS for all threads; HTTP/2 where the server has
 * it. Redirects are followed only when asked, never carrying credentials to another host.  Nothing
 * here retries: callers decide by err kind and status.
 *
 * Proxies come from the environment: http_proxy, https_proxy, all_proxy, no_proxy, small or
 * capital; loopback is never proxied.  Trusted CAs are the system's, or SSL_CERT_FILE and
 * SSL_CERT_DIR where set, and those of the request.
 *
 * Threads: a client is locked inside; a request belongs to one thread.  The environment must not
 * change meanwhile. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/cancel.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "base/core/stream.h"
#include "base/core/vec.h"

struct http_client;
struct http_client_options {
    const char *user_agent; /* NULL: "kiln/VERSION" */
    int connect_timeout_ms; /* until TLS is done; 0: 30 s */
    int idle_timeout_ms;    /* no byte either way for so long: TIMEOUT; 0: 60 s */
};
NODISCARD int http_client_new(const struct http_client_options *o, struct http_client **out,
                              struct err *err);
void http_client_free(struct http_client *c); /* no request may be running */
DEFINE_AUTO(struct http_client, http_client_free)

struct http_tls { /* for one host (redirects included); all borrowed during the call */
    bool is_unverified;
    const struct str_list *ca_files;      /* PEM, beside the system's */
    const char *client_cert, *client_key; /* PEM files; the key may be in client_cert */
};
struct http_request {
    const char *method; /* "GET" */
    const char *url;    /* http or https; user and password in it become basic authorization */
    const struct map *headers; /* string to string, may be NULL */
    const struct http_tls *tls;
    bool follows_redirects; /* at most 10; 301 to 303 turn POST into GET */
    /* body: none, bytes, or a stream of a known size (UINT64_MAX: unknown, chunked) */
    struct span body;
    struct reader *body_stream; /* borrowed */
    uint64_t body_size;
    const struct cancel *cancel; /* may be NULL */
    uint64_t n_body_ceiling;     /* of a response read whole; 0: LIMIT_HTTP_TEXT */
};
struct http_response {
    int status;
    struct map headers; /* lower-case names to values; repeated ones joined with ", " */
    struct buf body;    /* when read whole */
    char *final_url;    /* after redirects */
};
void http_response_clear(struct http_response *r);

/* Sends and reads the whole response.  Any status is a success here.  *out is set in any case and
 * must be cleared.
 * Fails: NETWORK (connect, reset, an answer that ends too early), TIMEOUT, CANCELED, LIMIT (headers
 * or body above their ceiling), INVALID (what no second try can mend: the request itself, a
 * certificate that is not trusted, no TLS where TLS was asked for, more redirects than 10), CORRUPT
 * (body_stream ends before body_size), NOT_FOUND and others by errno (a CA file), and with the
 * error of body_stream as it is.  Texts name method, URL (redacted) and host. */
NODISCARD int http_send(struct http_client *c, const struct http_request *q,
                        struct http_response *out, struct err *err);
/* Sends; the response's body is given to `sink` as it arrives when the status is 2xx (other bodies
 * are kept in out->body up to the ceiling).  An error of the sink ends the transfer and is returned
 * as it is.  The sink is not finished.  out->status is set before the sink gets its first byte. */
NODISCARD int http_fetch(struct http_client *c, const struct http_request *q,
                         struct http_response *out, struct writer *sink, struct err *err);
