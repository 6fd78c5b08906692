/* base/net/http_transfer.c - one request on one lane, from options to the last byte.
 *
 * The transfer is driven through curl's multi interface, because only there a cancel wakes the wait
 * at once.  Idleness is measured here and not by curl: time that our own reader or sink takes is
 * not the server's.
 *
 * Threads: a transfer belongs to one. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/net/curl_internal.h"

enum {
    N_REDIRECTS = 10,
    RECEIVE_SIZE = 256 * 1024,
    SEND_SIZE = 512 * 1024,
    WAIT_MS = 1000,
};
#define LIMIT_CA ((size_t)(16 * MIB))

/* Set an option that can fail only for lack of memory. */
#define SET(t, option, value)                                                                      \
    do {                                                                                           \
        if (curl_easy_setopt((t)->lane->easy, option, value) != CURLE_OK)                          \
            abort();                                                                               \
    } while (0)

/* ---- what arrives ---- */

static long status_of(const struct transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->lane->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct span got = span_bytes(bytes, size * n);
    long status = status_of(t);
    int failed;
    if (t->sink && status >= 200 && status <= 299) {
        t->response->status = (int)status;
        failed = writer_write(t->sink, got, &t->fault);
    } else {
        failed = buf_append(&t->response->body, got, &t->fault);
        if (failed)
            err_set(&t->fault, ERR_LIMIT, "%s: the answer (status %ld) is larger than %zu bytes",
                    t->name, status, t->response->body.ceiling);
    }
    t->active_ms = clock_monotonic_ms();
    return failed ? CURL_WRITEFUNC_ERROR : got.len;
}

static void add_header(struct map *headers, struct span name, struct span value)
{
    AUTO_FREE char *key = span_dup(name);
    for (char *p = key; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    const char *before = map_find_str(headers, key);
    AUTO_FREE char *text =
        before ? xasprintf("%s, %.*s", before, SPAN_ARG(value)) : span_dup(value);
    map_set_str(headers, key, text);
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct span line = span_bytes(bytes, size * n);
    if (span_starts(line, "HTTP/")) { /* a later answer replaces 1xx and redirects */
        map_clear(&t->response->headers);
        t->n_header_bytes = 0;
        t->has_answer = true;
        t->is_header_whole = false;
    }
    if (span_is(line, "\r\n") || span_is(line, "\n"))
        t->is_header_whole = true;
    t->n_header_bytes += line.len;
    if (t->n_header_bytes > LIMIT_HTTP_HEADER) {
        err_set(&t->fault, ERR_LIMIT, "%s: the header of the answer is larger than %zu bytes",
                t->name, LIMIT_HTTP_HEADER);
        return CURL_WRITEFUNC_ERROR;
    }
    struct span value = span_trim(line), name = span_cut(&value, ':');
    if (value.ptr && name.len)
        add_header(&t->response->headers, name, span_trim(value));
    return line.len;
}

/* ---- what is sent ---- */

static size_t send_span(struct transfer *t, char *to, size_t cap)
{
    struct span rest = span_first(span_skip(t->request->body, (size_t)t->n_sent), cap);
    if (rest.len)
        memcpy(to, rest.ptr, rest.len);
    t->n_sent += rest.len;
    return rest.len;
}

static size_t on_send(char *to, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    const struct http_request *q = t->request;
    size_t cap = size * n, got = 0;
    if (!q->body_stream)
        return send_span(t, to, cap);
    bool is_sized = q->body_size != UINT64_MAX;
    if (is_sized && cap > q->body_size - t->n_sent)
        cap = (size_t)(q->body_size - t->n_sent);
    if (!cap)
        return 0;
    int failed = reader_read(q->body_stream, to, cap, &got, &t->fault);
    if (!failed && !got && is_sized)
        failed = err_set(&t->fault, ERR_CORRUPT, "%s: the body ends after %llu of %llu bytes",
                         t->name, (unsigned long long)t->n_sent, (unsigned long long)q->body_size);
    if (failed)
        return CURL_READFUNC_ABORT;
    t->n_sent += got;
    t->active_ms = clock_monotonic_ms();
    return got;
}

/* curl rewinds for a redirect, or when a kept connection turns out to be closed. */
static int on_rewind(void *arg, curl_off_t offset, int origin)
{
    struct transfer *t = arg;
    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_FAIL;
    if (!t->request->body_stream)
        t->n_sent = (uint64_t)offset;
    return (uint64_t)offset == t->n_sent ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
}

static bool has_request_header(const struct http_request *q, const char *name)
{
    if (!q->headers)
        return false;
    map_each (q->headers, e) {
        if (!strcasecmp(e->key, name))
            return true;
    }
    return false;
}

static void push_header(struct transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (!longer)
        abort();
    t->headers = longer;
}

static int set_headers(struct transfer *t, struct err *err)
{
    const struct http_request *q = t->request;
    for (size_t i = 0; q->headers && i < q->headers->n; i++) {
        const char *name = q->headers->entries[i].key, *value = q->headers->entries[i].value;
        if (!*name || strpbrk(name, "\r\n: \t") || strpbrk(value, "\r\n"))
            return err_set(err, ERR_INVALID, "%s: header %zu is no header", t->name, i + 1);
        AUTO_FREE char *line = *value ? xasprintf("%s: %s", name, value) : xasprintf("%s;", name);
        push_header(t, line);
    }
    /* Many servers do not know it, and curl waits a second for them. */
    if (!has_request_header(q, "expect"))
        push_header(t, "Expect:");
    if (!has_request_header(q, "content-type"))
        push_header(t, "Content-Type:"); /* else curl calls a POST a form */
    if (q->body_stream && q->body_size == UINT64_MAX && !strcmp(q->method, "POST"))
        push_header(t, "Transfer-Encoding: chunked");
    SET(t, CURLOPT_HTTPHEADER, t->headers);
    return 0;
}

static void set_body(struct transfer *t)
{
    const struct http_request *q = t->request;
    curl_off_t size = (curl_off_t)q->body.len;
    if (q->body_stream)
        size = q->body_size == UINT64_MAX ? -1 : (curl_off_t)q->body_size;
    if (!strcmp(q->method, "POST")) {
        SET(t, CURLOPT_POST, 1L);
        SET(t, CURLOPT_POSTFIELDSIZE_LARGE, size);
    } else {
        SET(t, CURLOPT_UPLOAD, 1L);
        SET(t, CURLOPT_INFILESIZE_LARGE, size);
        if (strcmp(q->method, "PUT") != 0)
            SET(t, CURLOPT_CUSTOMREQUEST, q->method);
    }
    SET(t, CURLOPT_READFUNCTION, on_send);
    SET(t, CURLOPT_READDATA, t);
    SET(t, CURLOPT_SEEKFUNCTION, on_rewind);
    SET(t, CURLOPT_SEEKDATA, t);
    SET(t, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_SIZE);
}

static void set_method(struct transfer *t)
{
    const struct http_request *q = t->request;
    const char *m = q->method;
    if (q->body.len || q->body_stream || !strcmp(m, "POST") || !strcmp(m, "PUT") ||
        !strcmp(m, "PATCH"))
        set_body(t);
    else if (!strcmp(m, "HEAD"))
        SET(t, CURLOPT_NOBODY, 1L);
    else if (!strcmp(m, "GET"))
        SET(t, CURLOPT_HTTPGET, 1L);
    else
        SET(t, CURLOPT_CUSTOMREQUEST, m);
}

/* ---- TLS ---- */

static int append_file(struct buf *b, const char *path, struct err *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "read CA certificates: %s", path);
    AUTO(reader_close) struct reader *r = reader_of_fd(fd, false);
    if (reader_slurp(r, b, err) || buf_append(b, SPAN("\n"), err))
        return err_wrap(err, "read CA certificates: %s", path);
    return 0;
}

/* curl takes one file only, so the system's and the request's CAs are joined in memory. */
static int set_more_cas(struct transfer *t, const struct str_list *ca_files, struct err *err)
{
    const char *system_file = t->config->ca_file;
    if (!system_file)
        system_file = curl_version_info(CURLVERSION_NOW)->cainfo;
    buf_init(&t->ca, LIMIT_CA);
    if (system_file && append_file(&t->ca, system_file, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return err_wrap(err, "%s", t->name);
        err_clear(err); /* a slim image has none, and the request's own are enough */
    }
    vec_each (ca_files, file) {
        if (append_file(&t->ca, *file, err))
            return err_wrap(err, "%s", t->name);
    }
    struct curl_blob blob = { .data = t->ca.data, .len = t->ca.len, .flags = CURL_BLOB_NOCOPY };
    SET(t, CURLOPT_CAINFO_BLOB, &blob);
    return 0;
}

static int set_tls(struct transfer *t, struct err *err)
{
    static const struct http_tls plain = { 0 };
    const struct http_tls *tls = t->request->tls ? t->request->tls : &plain;
    SET(t, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (t->config->ca_file)
        SET(t, CURLOPT_CAINFO, t->config->ca_file);
    if (t->config->ca_path)
        SET(t, CURLOPT_CAPATH, t->config->ca_path);
    if (tls->is_unverified) {
        SET(t, CURLOPT_SSL_VERIFYPEER, 0L);
        SET(t, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (tls->ca_files && tls->ca_files->n && set_more_cas(t, tls->ca_files, err)) {
        return -1;
    }
    if (tls->client_cert) {
        SET(t, CURLOPT_SSLCERT, tls->client_cert);
        SET(t, CURLOPT_SSLKEY, tls->client_key ? tls->client_key : tls->client_cert);
    }
    return 0;
}

/* ---- the run ---- */

/* curl's own sockets would be inherited by every program that is started meanwhile. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)arg, (void)purpose;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int set_options(struct transfer *t, struct err *err)
{
    SET(t, CURLOPT_URL, t->request->url);
    SET(t, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(t, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(t, CURLOPT_FOLLOWLOCATION, t->request->follows_redirects ? 1L : 0L);
    SET(t, CURLOPT_MAXREDIRS, (long)N_REDIRECTS);
    SET(t, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(t, CURLOPT_USERAGENT, t->config->user_agent);
    SET(t, CURLOPT_NOSIGNAL, 1L);
    SET(t, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(t, CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(t, CURLOPT_CONNECTTIMEOUT_MS, (long)t->config->connect_timeout_ms);
    /* A wish: refused (FAILED_INIT) by a handle that still has the buffer of a connection that
     * never came about. */
    curl_easy_setopt(t->lane->easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_SIZE);
    SET(t, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(t, CURLOPT_NOPROXY, t->config->no_proxy);
    if (t->config->http_proxy && !strcmp(t->url.scheme, "http"))
        SET(t, CURLOPT_PROXY, t->config->http_proxy);
    SET(t, CURLOPT_ERRORBUFFER, t->reason);
    SET(t, CURLOPT_WRITEFUNCTION, on_body);
    SET(t, CURLOPT_WRITEDATA, t);
    SET(t, CURLOPT_HEADERFUNCTION, on_header);
    SET(t, CURLOPT_HEADERDATA, t);
    set_method(t);
    return set_headers(t, err) || set_tls(t, err) ? -1 : 0;
}

/* Bytes that moved so far; the count may fall at a redirect, any change is a sign of life. */
static curl_off_t count_moved(const struct transfer *t)
{
    CURL *easy = t->lane->easy;
    curl_off_t up = 0, down = 0;
    long header = 0, request = 0;
    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &header);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request);
    return up + down + header + request;
}

static bool is_connected(const struct transfer *t)
{
    curl_off_t since = 0;
    curl_easy_getinfo(t->lane->easy, CURLINFO_PRETRANSFER_TIME_T, &since);
    return since > 0;
}

/* Fails with TIMEOUT when no byte moved for too long; else *left_ms is how long to wait for one. */
static int check_idle(struct transfer *t, int *left_ms, struct err *err)
{
    uint64_t now = clock_monotonic_ms();
    curl_off_t n_moved = count_moved(t);
    if (n_moved != t->n_moved || !is_connected(t))
        t->active_ms = now;
    t->n_moved = n_moved;
    uint64_t idle = now - t->active_ms, most = (uint64_t)t->config->idle_timeout_ms;
    if (idle >= most)
        return err_set(err, ERR_TIMEOUT, "%s: %s sent no byte for %d ms", t->name, t->url.host,
                       t->config->idle_timeout_ms);
    *left_ms = most - idle < WAIT_MS ? (int)(most - idle) : WAIT_MS;
    return 0;
}

/* Runs to the end; *code is curl's verdict. */
static int drive(struct transfer *t, CURLcode *code, struct err *err)
{
    const struct cancel *cancel = t->request->cancel;
    struct curl_waitfd wake = { .fd = cancel_fd(cancel), .events = CURL_WAIT_POLLIN };
    CURLM *multi = t->lane->multi;
    for (int running = 1;;) {
        CURLMcode failed = curl_multi_perform(multi, &running);
        int left_ms = 0;
        if (cancel_check(cancel, err))
            return err_wrap(err, "%s", t->name);
        if (!running)
            break;
        if (check_idle(t, &left_ms, err))
            return -1;
        if (!failed)
            failed = curl_multi_poll(multi, &wake, cancel ? 1 : 0, left_ms, NULL);
        if (failed)
            return err_set(err, ERR_SYSTEM, "%s: %s", t->name, curl_multi_strerror(failed));
    }
    int n_left;
    CURLMsg *message = curl_multi_info_read(multi, &n_left);
    assert(message && message->msg == CURLMSG_DONE);
    *code = message->data.result;
    return 0;
}

int transfer_run(struct transfer *t, struct err *err)
{
    if (set_options(t, err))
        return -1;
    t->active_ms = clock_monotonic_ms();
    CURLcode code = CURLE_OK;
    curl_multi_add_handle(t->lane->multi, t->lane->easy);
    int failed = drive(t, &code, err);
    if (!failed && t->fault.kind) {
        *err = t->fault;
        failed = -1;
    } else if (!failed && code != CURLE_OK) {
        failed = http_fault(t, code, err);
    } else if (!failed && !t->is_header_whole) { /* to curl that is the end of an empty answer */
        failed = err_set(err, ERR_NETWORK, "%s: the answer ends within its header", t->name);
    }
    const char *final_url = NULL;
    curl_easy_getinfo(t->lane->easy, CURLINFO_EFFECTIVE_URL, &final_url);
    t->response->final_url = xstrdup_or_null(final_url);
    t->response->status = (int)status_of(t);
    /* closes the connection unless the answer was read to its end */
    curl_multi_remove_handle(t->lane->multi, t->lane->easy);
    return failed;
}
