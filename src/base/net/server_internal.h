/* base/net/server_internal.h - what the three files of the HTTP server share.
 *
 * libmicrohttpd calls back with pieces of a body on the connection's thread; a handler wants to
 * read. So a request with a body gets a second thread for its handler, and a `body_pipe` between
 * the two. A request without one is handled on the connection's thread. */
#pragma once
#include <netinet/in.h>
#include <pthread.h>

#include "base/core/pool.h"
#include "base/net/http_server.h"

/* A ring of bytes between the connection's thread, which pushes, and the handler's, which reads. */
struct body_pipe {
    struct reader reader; /* the handler's end */
    pthread_mutex_t
        mutex; /* guards what follows; bytes of the ring belong to the side whose turn they are */
    pthread_cond_t changed;
    char *ring; /* owned; NULL until the first push */
    size_t start, len;
    uint64_t n_read;
    bool is_wanted; /* the handler began to read */
    bool is_whole;  /* all was pushed */
    bool is_broken; /* no more will come */
    bool is_done;   /* the handler returned, nobody reads any more */
};

void body_init(struct body_pipe *p, bool is_empty);
void body_clear(struct body_pipe *p);
/* Pushes what there is room for, without waiting; returns how much.  All of it once the handler is
 * done. */
size_t body_offer(struct body_pipe *p, struct span bytes);
void body_push(struct body_pipe *p, struct span bytes); /* waits for room */
void body_wait_wanted(struct body_pipe *p);             /* until the handler reads, or is done */
void body_end(struct body_pipe *p);
void body_break(struct body_pipe *p); /* from any thread */
void body_done(struct body_pipe *p);
bool body_is_wanted(struct body_pipe *p);
bool body_is_done(struct body_pipe *p);

struct http_exchange {
    struct http_server *server;         /* borrowed */
    struct http_exchange *next, **link; /* in the server's list of running exchanges */
    char *target;                       /* owned; as sent */
    char *method, *path;                /* owned */
    char peer[INET6_ADDRSTRLEN];
    struct map query, headers; /* decoded; names of headers in lower case */
    bool is_begun, has_body;
    uint64_t n_unwanted; /* bytes of the body that came when nobody read any more */
    struct body_pipe body;
    struct thread *thread; /* the handler's, when there is a body */

    struct map answer_headers;
    int status;   /* of the answer; 0 until there is one */
    char *answer; /* owned */
    size_t answer_len;
    int fd; /* owned; the answer is `size` bytes of it from `offset`; -1 otherwise */
    uint64_t offset, size;
};

struct http_exchange *exchange_new(struct http_server *s, const char *target);
void exchange_free(struct http_exchange *x);
void exchange_add_header(struct http_exchange *x, const char *name, const char *value);
/* Takes the target apart, finds out whether there is a body; answers 400 when that fails. */
void exchange_begin(struct http_exchange *x, const char *method);
