/* base/net/http_server.c - the server: its socket, its exchanges, and the callbacks of
 * libmicrohttpd.
 *
 * Each connection has a thread of libmicrohttpd's, which reads the header, calls on_request() for
 * each piece of body and once more at its end, and sends the answer (files by sendfile).  How a
 * handler gets to read the body is told in server_internal.h.  That an answer can only be given
 * before the first or after the last piece of body is libmicrohttpd's rule; hence what happens to
 * bodies that nobody reads: small ones are read and dropped so that the connection can be kept,
 * large ones end it.
 *
 * Spec:    RFC 9110, RFC 9112.
 * Threads: locked inside. */
#include "base/net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/net/server_internal.h"
#include "base/sys/fs.h"

enum {
    N_CONNECTIONS = 256,
    IDLE_TIMEOUT_MS = 60000,
    /* Of one connection: half of it takes header or body, so header and its index fit. */
    CONNECTION_SIZE = 256 * 1024,
    TLS_PIECE = 64 * 1024,
};
/* Of a body that nobody reads; generous, for a client that is cut off while it sends seldom hears
 * why. */
#define DROPPED_MAX (256 * MIB)
#define LIMIT_PEM ((size_t)(1 * MIB))

struct http_server {
    pthread_mutex_t mutex; /* guards running, n_running, is_stopping, is_started, complaint */
    pthread_cond_t ended;
    struct http_exchange *running; /* begun and not yet completed */
    size_t n_running;
    bool is_stopping, is_started;
    char complaint[256]; /* libmicrohttpd's last words while it starts */
    /* none of these changes once it runs */
    struct MHD_Daemon *daemon; /* owned */
    uint16_t port;
    unsigned idle_timeout_s;
    bool is_tls;
    void (*handle)(void *arg, struct http_exchange *x);
    void *arg;
};

/* ---- exchanges ---- */

static void list_add(struct http_exchange *x)
{
    struct http_server *s = x->server;
    pthread_mutex_lock(&s->mutex);
    x->next = s->running;
    x->link = &s->running;
    if (x->next)
        x->next->link = &x->next;
    s->running = x;
    s->n_running++;
    bool is_stopping = s->is_stopping;
    pthread_mutex_unlock(&s->mutex);
    if (is_stopping && !x->status)
        exchange_reply(x, MHD_HTTP_SERVICE_UNAVAILABLE, SPAN("the server is stopping\n"));
}

static void list_remove(struct http_exchange *x)
{
    struct http_server *s = x->server;
    pthread_mutex_lock(&s->mutex);
    *x->link = x->next;
    if (x->next)
        x->next->link = x->link;
    s->n_running--;
    pthread_cond_signal(&s->ended);
    pthread_mutex_unlock(&s->mutex);
}

static enum MHD_Result copy_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    exchange_add_header(arg, name, value ? value : "");
    return MHD_YES;
}

static void copy_peer(struct http_exchange *x, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info)
        return;
    if (info->client_addr->sa_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)info->client_addr)->sin_addr, x->peer,
                  sizeof x->peer);
    else if (info->client_addr->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)info->client_addr)->sin6_addr, x->peer,
                  sizeof x->peer);
}

static void begin(struct http_exchange *x, struct MHD_Connection *connection, const char *method)
{
    MHD_get_connection_values(connection, MHD_HEADER_KIND, copy_header, x);
    copy_peer(x, connection);
    exchange_begin(x, method);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info && info->header_size > LIMIT_HTTP_HEADER && !x->status)
        exchange_reply(x, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, SPAN("header too large\n"));
    list_add(x);
}

static void handle(struct http_exchange *x)
{
    x->server->handle(x->server->arg, x);
    if (!x->status)
        exchange_reply(x, MHD_HTTP_INTERNAL_SERVER_ERROR, SPAN(""));
}

static void handle_on_thread(void *arg)
{
    struct http_exchange *x = arg;
    handle(x);
    body_done(&x->body);
}

static void start_handler(struct http_exchange *x)
{
    struct err err = { 0 };
    if (!x->status && thread_start(&x->thread, "http handler", handle_on_thread, x, &err))
        exchange_reply(x, MHD_HTTP_SERVICE_UNAVAILABLE, span_of(err.text));
    if (!x->thread)
        body_done(&x->body);
}

static void join_handler(struct http_exchange *x)
{
    thread_join(x->thread);
    x->thread = NULL;
}

/* ---- answers ---- */

/* A file for a TLS answer: there libmicrohttpd would read it in pieces of 4 KiB. */
struct file_piece {
    int fd; /* owned */
    uint64_t offset;
};

static ssize_t read_piece(void *arg, uint64_t at, char *to, size_t cap)
{
    struct file_piece *f = arg;
    ssize_t n;
    do
        n = pread(f->fd, to, cap, (off_t)(f->offset + at));
    while (n < 0 && errno == EINTR);
    return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR; /* it became shorter meanwhile */
}

static void free_piece(void *arg)
{
    struct file_piece *f = arg;
    close(f->fd);
    free(f);
}

static struct MHD_Response *response_of_file(struct http_exchange *x)
{
    struct MHD_Response *r;
    if (x->server->is_tls) {
        struct file_piece *f = xmalloc(sizeof *f);
        *f = (struct file_piece){ .fd = x->fd, .offset = x->offset };
        r = MHD_create_response_from_callback(x->size, TLS_PIECE, read_piece, f, free_piece);
        if (!r)
            free(f);
    } else {
        r = MHD_create_response_from_fd_at_offset64(x->size, x->fd, x->offset);
    }
    if (r)
        x->fd = -1; /* taken */
    return r;
}

static struct MHD_Response *response_of(struct http_exchange *x)
{
    if (x->fd >= 0 && x->size)
        return response_of_file(x);
    if (!x->answer_len)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(x->answer_len, x->answer, MHD_RESPMEM_MUST_FREE);
    if (r)
        x->answer = NULL;
    return r;
}

static enum MHD_Result answer(struct http_exchange *x, struct MHD_Connection *connection)
{
    struct MHD_Response *r = response_of(x);
    if (!r)
        return MHD_NO;
    map_each (&x->answer_headers, e) {
        if (MHD_add_response_header(r, e->key, e->value) != MHD_YES)
            log_event(LOG_WARN, "net", "a header of the answer is none name=%s", e->key);
    }
    pthread_mutex_lock(&x->server->mutex);
    bool is_stopping = x->server->is_stopping;
    pthread_mutex_unlock(&x->server->mutex);
    if (is_stopping)
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)x->status, r);
    MHD_destroy_response(r);
    return queued;
}

/* ---- callbacks ---- */

/* The time that a handler takes is not the client's: the clock of the connection stands still. */
static void stop_clock(struct MHD_Connection *connection)
{
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
}

static void start_clock(struct http_exchange *x, struct MHD_Connection *connection)
{
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, x->server->idle_timeout_s);
}

/* After the header: a handler that answers without a look at a body that the client holds back, or
 * that is too large to drop, is heard at once; the connection ends then. */
static enum MHD_Result on_header(struct http_exchange *x, struct MHD_Connection *connection)
{
    if (!x->has_body)
        return MHD_YES;
    start_handler(x);
    stop_clock(connection);
    body_wait_wanted(&x->body);
    start_clock(x, connection);
    if (body_is_wanted(&x->body))
        return MHD_YES;
    join_handler(x);
    uint64_t size = 0;
    const char *length = exchange_header(x, "content-length");
    bool is_large = length && span_u64(span_of(length), UINT64_MAX, &size) && size > DROPPED_MAX;
    return is_large || exchange_header(x, "expect") ? answer(x, connection) : MHD_YES;
}

static enum MHD_Result on_piece(struct http_exchange *x, struct MHD_Connection *connection,
                                struct span bytes)
{
    if (body_is_done(&x->body)) {
        x->n_unwanted += bytes.len;
        return x->n_unwanted > DROPPED_MAX ? MHD_NO : MHD_YES;
    }
    bytes = span_skip(bytes, body_offer(&x->body, bytes));
    if (bytes.len) {
        stop_clock(connection);
        body_push(&x->body, bytes);
        start_clock(x, connection);
    }
    return MHD_YES;
}

static enum MHD_Result on_whole(struct http_exchange *x, struct MHD_Connection *connection)
{
    stop_clock(connection);
    body_end(&x->body);
    join_handler(x);
    if (!x->status)
        handle(x);
    start_clock(x, connection);
    return answer(x, connection);
}

// NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *size, void **exchange)
{
    (void)arg, (void)url, (void)version;
    struct http_exchange *x = *exchange;
    if (!x->is_begun) {
        begin(x, connection, method);
        return on_header(x, connection);
    }
    if (!*size)
        return on_whole(x, connection);
    struct span piece = { .ptr = bytes, .len = *size };
    *size = 0;
    return on_piece(x, connection, piece);
}

static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    (void)connection;
    return exchange_new(arg, target);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **exchange,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    struct http_exchange *x = *exchange;
    if (!x)
        return;
    if (x->thread) { /* the client went away in mid-body */
        body_break(&x->body);
        join_handler(x);
    }
    if (x->is_begun)
        list_remove(x);
    exchange_free(x);
    *exchange = NULL;
}

/* Decoding is ours. */
static size_t on_unescape(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg, (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *arg, const char *fmt, va_list args)
{
    struct http_server *s = arg;
    char text[sizeof s->complaint];
    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = '\0';
    pthread_mutex_lock(&s->mutex);
    if (!s->is_started)
        memcpy(s->complaint, text, sizeof text);
    pthread_mutex_unlock(&s->mutex);
    log_event(LOG_DEBUG, "net", "%s", text);
}

/* ---- start and stop ---- */

static int open_listener(const char *address, uint16_t port, int *out, struct err *err)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return err_set(err, ERR_INVALID, "listen on %s: no IP address", address);
    const struct sockaddr *name = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    AUTO_FD int fd =
        socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1, no = 0;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
        (!is_v4 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no)) ||
        bind(fd, name, is_v4 ? sizeof v4 : sizeof v6) || listen(fd, SOMAXCONN)) {
        err_sys(err, "listen on %s port %u", address, port);
        if (err->sys == EADDRINUSE)
            err->kind = ERR_EXISTS;
        return -1;
    }
    *out = STEAL_FD(fd);
    return 0;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name = { 0 };
    socklen_t size = sizeof name;
    if (getsockname(fd, &name.any, &size))
        return 0;
    return ntohs(name.any.sa_family == AF_INET ? name.v4.sin_port : name.v6.sin6_port);
}

/* `fd` stays the caller's. */
static int start_daemon(struct http_server *s, const struct http_server_options *o, int fd,
                        const char *cert, const char *key, struct err *err)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG | (cert ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1" },
        { MHD_OPTION_END, 0, NULL },
    };
    s->is_tls = cert != NULL;
    int theirs = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (theirs < 0)
        return err_sys(err, "start the HTTP server");
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
        MHD_OPTION_LISTEN_SOCKET, theirs, MHD_OPTION_CONNECTION_LIMIT,
        o->n_connections ? o->n_connections : (unsigned)N_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, s->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_SIZE, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
        on_target, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_UNESCAPE_CALLBACK,
        on_unescape, s, MHD_OPTION_ARRAY, cert ? tls : tls + 3, MHD_OPTION_END);
    if (!s->daemon) {
        /* libmicrohttpd has closed its copy, or not, as it likes; it shall not listen in any case
         */
        shutdown(fd, SHUT_RDWR);
        return err_set(err, ERR_INVALID, "start the HTTP server: %s",
                       s->complaint[0] ? s->complaint : "libmicrohttpd refuses");
    }
    pthread_mutex_lock(&s->mutex);
    s->is_started = true;
    pthread_mutex_unlock(&s->mutex);
    return 0;
}

static int read_pem(const char *path, struct buf *b, struct err *err)
{
    buf_init(b, LIMIT_PEM);
    if (!path)
        return 0;
    if (fs_read_file(AT_FDCWD, path, b, err))
        return err_wrap(err, "start the HTTP server");
    buf_puts(b, "");
    return 0;
}

static void server_free(struct http_server *s)
{
    pthread_cond_destroy(&s->ended);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}
DEFINE_AUTO(struct http_server, server_free)

static struct http_server *server_new(const struct http_server_options *o)
{
    struct http_server *s = xcalloc(1, sizeof *s);
    int idle_ms = o->idle_timeout_ms ? o->idle_timeout_ms : IDLE_TIMEOUT_MS;
    s->idle_timeout_s = (unsigned)(idle_ms + 999) / 1000;
    s->handle = o->handle;
    s->arg = o->arg;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return s;
}

int http_server_start(const struct http_server_options *o, struct http_server **out,
                      struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf cert, key;
    AUTO_FD int fd = -1;
    AUTO(server_free) struct http_server *s = server_new(o);
    buf_init(&key, LIMIT_PEM);
    if (read_pem(o->tls_cert, &cert, err) || read_pem(o->tls_key, &key, err) ||
        open_listener(o->address ? o->address : "127.0.0.1", o->port, &fd, err))
        return -1;
    s->port = port_of(fd);
    if (start_daemon(s, o, fd, o->tls_cert ? cert.data : NULL, key.data, err))
        return -1;
    *out = STEAL(s);
    return 0;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

static void wait_for_running(struct http_server *s, int grace_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += grace_ms / 1000;
    until.tv_nsec += grace_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&s->mutex);
    while (s->n_running && !pthread_cond_timedwait(&s->ended, &s->mutex, &until))
        ;
    pthread_mutex_unlock(&s->mutex);
}

void http_server_stop(struct http_server *s, int grace_ms)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->mutex);
    s->is_stopping = true;
    pthread_mutex_unlock(&s->mutex);
    int fd = MHD_quiesce_daemon(s->daemon);
    wait_for_running(s, grace_ms);
    pthread_mutex_lock(&s->mutex);
    for (struct http_exchange *x = s->running; x; x = x->next)
        body_break(&x->body);
    pthread_mutex_unlock(&s->mutex);
    MHD_stop_daemon(s->daemon);
    if (fd >= 0)
        close(fd);
    server_free(s);
}
