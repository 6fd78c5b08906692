/* base/net/curl_internal.h - what the three files of the HTTP client share; the only place that
 * includes libcurl.
 *
 * A lane is one curl handle with its own connections.  A request takes a lane and gives it back
 * with its connections still open, so n threads open n connections to a host however many requests
 * they send. */
#pragma once
#include <curl/curl.h>

#include "base/net/http_client.h"
#include "base/net/url.h"

struct lane {
    CURLM *multi;      /* owned; the connections live in it */
    CURL *easy;        /* owned */
    char *origin;      /* owned; "https://host:port" it spoke to last */
    struct lane *next; /* idle lanes, the last used one first */
};

/* What the transfers read of a client; none of it changes after http_client_new(). */
struct client_config {
    char *user_agent; /* owned */
    char *no_proxy;   /* owned; hosts that are spoken to directly */
    char
        *http_proxy; /* owned; HTTP_PROXY, which curl itself takes in small letters only; or NULL */
    char *ca_file,
        *ca_path; /* owned; instead of curl's own where the environment says so; or NULL */
    int connect_timeout_ms, idle_timeout_ms;
};

/* One request on one lane; lives on the stack of http_fetch(). */
struct transfer {
    const struct client_config *config; /* borrowed, as all below but what says owned */
    struct lane *lane;
    const struct http_request *request;
    struct http_response *response;
    struct writer *sink;          /* NULL: the body is kept whole */
    struct url url;               /* owned */
    char *name;                   /* owned; "GET https://host/path", fit for messages */
    struct curl_slist *headers;   /* owned */
    struct buf ca;                /* owned; the PEM texts of system and request */
    char reason[CURL_ERROR_SIZE]; /* curl's own words */
    size_t n_header_bytes;
    uint64_t n_sent;      /* of the body */
    uint64_t active_ms;   /* when a byte moved last */
    curl_off_t n_moved;   /* bytes by then, both ways */
    bool has_answer;      /* the header of the final answer began ... */
    bool is_header_whole; /* ... and ended with its empty line */
    struct err fault;     /* what a callback of ours ran into; NONE otherwise */
};

NODISCARD int transfer_run(struct transfer *t, struct err *err);

/* Turns curl's code into our error; `t->fault` was looked at before. */
int http_fault(const struct transfer *t, CURLcode code, struct err *err);
