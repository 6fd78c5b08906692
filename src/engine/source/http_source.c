/* engine/source/http_source.c - see http_source.h.
 *
 * One GET does all: with what is known of the URL as its conditions, it ends in 304, or in a 200
 * that carries the known ETag (servers that ignore conditions; the body is left unread), or the new
 * content streams into the store.
 *
 * Broken connections, time-outs, 408, 429 and 5xx are tried again after 0.2, 0.4, 0.8 seconds.  A
 * body that broke off goes on where it did (Range, If-Range) when its ETag says that it is the
 * same. */
#include "engine/source/http_source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/net/http_client.h"
#include "base/net/url.h"
#include "engine/source/http_kept.h"
#include "image/store/blob.h"
#include "image/store/ingest.h"

enum { RETRIES = 3, RETRY_FIRST_MS = 200 };

struct http_source {
    struct store *store; /* borrowed */
    struct http_client *client;
};

int http_source_open(struct store *st, struct http_source **out, struct err *err)
{
    AUTO(http_source_close) struct http_source *s = xcalloc(1, sizeof *s);
    s->store = st;
    if (http_client_new(&(struct http_client_options){ 0 }, &s->client, err) ||
        http_kept_open(st, err))
        return -1;
    *out = STEAL(s);
    return 0;
}

void http_source_close(struct http_source *s)
{
    if (!s)
        return;
    http_client_free(s->client);
    free(s);
}

/* ---- dates ---- */

bool http_date_parse(const char *text, int64_t *out)
{
    /* What is sent, and two older forms that must be understood: RFC 9110 5.6.7. */
    static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                         "%a %b %e %H:%M:%S %Y" };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = { 0 };
        const char *end = strptime(text, forms[i], &tm);
        if (end && !*end) {
            *out = timegm(&tm);
            return true;
        }
    }
    return false;
}

char *http_date_text(int64_t at_s)
{
    char text[64] = "";
    time_t t = at_s;
    struct tm tm;
    if (gmtime_r(&t, &tm))
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return xstrdup(text);
}

/* ---- one try ---- */

/* The body on its way, through several tries: into the store, hashed by the way in which its digest
 * was promised. */
struct download {
    struct writer writer; /* what the client writes to */
    struct http_source *source;
    const struct http_wish *wish;
    const struct http_kept *known;        /* NULL: nothing */
    const struct http_response *response; /* of this try */
    struct ingest *ingest;
    struct writer *store, *hashing; /* hashing is over store */
    uint64_t size, total;
    char *etag;               /* of what came so far, where it is a strong one; owned */
    bool has_begun, is_known; /* of this try; is_known: it is what is known already */
};

/* ETags are compared weakly, as for If-None-Match. */
static struct span etag_value(const char *text)
{
    struct span s = span_of(text);
    return span_starts(s, "W/") ? span_skip(s, 2) : s;
}

static bool is_same_tag(const struct http_kept *known, const struct http_response *r)
{
    const char *tag = map_find_str(&r->headers, "etag");
    return known && *known->etag && tag && span_equal(etag_value(tag), etag_value(known->etag));
}

static void download_clear(struct download *d)
{
    writer_close(d->hashing);
    writer_close(d->store);
    ingest_close(d->ingest);
    free(d->etag);
}

/* Forgets what came so far. */
static int download_restart(struct download *d, struct err *err)
{
    const struct digest *want = &d->wish->want;
    writer_close(STEAL(d->hashing));
    writer_close(STEAL(d->store));
    d->size = 0;
    if (d->ingest ? ingest_restart(d->ingest, err)
                  : ingest_open(d->source->store, NULL, UINT64_MAX, &d->ingest, err))
        return -1;
    d->store = writer_to_ingest(d->ingest);
    d->hashing = writer_hashing(d->store, digest_is_set(want) ? want->algorithm : DIGEST_SHA256);
    return 0;
}

/* The first bytes of an answer: whether they are the first of the file. */
static int download_begin(struct download *d, struct err *err)
{
    const struct http_response *r = d->response;
    const char *length = map_find_str(&r->headers, "content-length");
    const char *range = map_find_str(&r->headers, "content-range");
    const char *tag = map_find_str(&r->headers, "etag");
    d->has_begun = true;
    d->is_known = is_same_tag(d->known, r);
    AUTO_FREE char *wanted = xasprintf("bytes %" PRIu64 "-", d->size);
    bool goes_on = r->status == 206 && d->etag && range && span_starts(span_of(range), wanted);
    if (r->status == 206 && !goes_on)
        return err_set(err, ERR_NETWORK, "a part was sent that was not asked for");
    if (!goes_on && download_restart(d, err))
        return -1;
    if (!length || !span_u64(span_of(length), UINT64_MAX / 2, &d->total))
        d->total = 0;
    else
        d->total += d->size;
    free(d->etag);
    d->etag = tag && span_starts(span_of(tag), "\"") ? xstrdup(tag) : NULL;
    return 0;
}

static int download_write(struct writer *w, struct span bytes, struct err *err)
{
    struct download *d = (struct download *)w;
    if (!d->has_begun && download_begin(d, err))
        return -1;
    if (d->is_known)
        return err_set(err, ERR_EXISTS, "known already");
    if (writer_write(d->hashing, bytes, err))
        return -1;
    d->size += bytes.len;
    if (d->wish->moved)
        d->wish->moved(d->wish->moved_arg, d->size, d->total);
    return 0;
}

static const struct writer_ops download_ops = { .write = download_write };

static void set_headers(const struct download *d, struct map *out)
{
    const struct http_kept *known = d->known;
    if (d->wish->authorization)
        map_set_str(out, "Authorization", d->wish->authorization);
    if (d->size && d->etag) {
        AUTO_FREE char *range = xasprintf("bytes=%" PRIu64 "-", d->size);
        map_set_str(out, "Range", range);
        map_set_str(out, "If-Range", d->etag);
        return;
    }
    if (known && *known->etag)
        map_set_str(out, "If-None-Match", known->etag);
    if (known && *known->last_modified)
        map_set_str(out, "If-Modified-Since", known->last_modified);
}

static enum err_kind kind_of_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_DENIED;
    case 404:
    case 410:
        return ERR_NOT_FOUND;
    case 429:
        return ERR_LIMIT;
    default:
        return status >= 500 || status == 408 ? ERR_NETWORK : ERR_INVALID;
    }
}

static int fail_status(const struct http_wish *q, int status, struct err *err)
{
    const char *meaning = status == 401   ? ", not authorized"
                          : status == 403 ? ", forbidden"
                          : status == 404 ? ", not found"
                          : status == 410 ? ", gone"
                          : status == 429 ? ", too many requests"
                                          : "";
    err_set(err, kind_of_status(status), "the server answers %d%s", status, meaning);
    AUTO_VALUE(url_clear) struct url url = { 0 };
    struct err ignored = { 0 };
    if ((status == 401 || status == 403) && !url_parse(span_of(q->url), &url, &ignored))
        err_hint(err,
                 q->authorization ? "the secret that was given for %s is not taken there"
                                  : "--secret id=HTTP_AUTH_TOKEN_%s,src=FILE gives a bearer token",
                 url.host);
    return -1;
}

static int check_content(const struct download *d, struct err *err)
{
    const struct digest *want = &d->wish->want;
    struct digest got = writer_hashing_digest(d->hashing);
    if (!digest_is_set(want) || digest_equal(&got, want))
        return 0;
    err_set(err, ERR_CORRUPT, "its content is %s (%" PRIu64 " bytes), not %s", digest_text(&got).s,
            d->size, digest_text(want).s);
    return err_hint(err,
                    "it changed, or somebody tampers with it; compare with what its makers say");
}

/* From the answer to a file: the known one, or what was downloaded. */
static int take_answer(struct download *d, struct http_kept *now, struct err *err)
{
    const struct http_response *r = d->response;
    const char *tag = map_find_str(&r->headers, "etag");
    const char *time = map_find_str(&r->headers, "last-modified");
    if (d->known && (r->status == 304 || d->is_known)) {
        now->digest = d->known->digest;
        tag = tag ? tag : d->known->etag;
        time = time ? time : d->known->last_modified;
    } else if (r->status < 200 || r->status > 299) {
        return fail_status(d->wish, r->status, err);
    } else if ((!d->has_begun && download_restart(d, err)) || check_content(d, err) ||
               ingest_commit(d->ingest, &now->digest, err)) {
        return -1;
    }
    now->etag = xstrdup(tag ? tag : "");
    now->last_modified = xstrdup(time ? time : "");
    return http_kept_put(d->source->store, d->wish->url, now, err);
}

static int try_once(struct download *d, struct http_kept *now, int *status, struct err *err)
{
    AUTO_VALUE(map_clear) struct map headers = STR_MAP;
    AUTO_VALUE(http_response_clear) struct http_response r = { 0 };
    set_headers(d, &headers);
    struct http_request request = { .method = "GET",
                                    .url = d->wish->url,
                                    .headers = &headers,
                                    .follows_redirects = true,
                                    .cancel = d->wish->cancel };
    d->writer = (struct writer){ .ops = &download_ops };
    d->response = &r;
    d->has_begun = d->is_known = false;
    int failed = http_fetch(d->source->client, &request, &r, &d->writer, err);
    *status = r.status;
    if (failed && d->is_known) {
        err_clear(err);
        failed = 0;
    }
    return failed ? -1 : take_answer(d, now, err);
}

/* ---- tries ---- */

static bool is_worth_a_retry(int status, const struct err *err)
{
    return err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT || status == 429;
}

static int get(struct http_source *s, const struct http_wish *q, const struct http_kept *known,
               struct http_kept *now, struct err *err)
{
    AUTO_VALUE(download_clear)
    struct download d = { .source = s, .wish = q, .known = known };
    for (int n = 0;; n++) {
        int status = 0;
        if (try_once(&d, now, &status, err) == 0)
            return 0;
        bool is_past_end = status == 416 && d.etag; /* of what it is by now: from the start then */
        if (is_past_end)
            free(STEAL(d.etag));
        if (n == RETRIES || !(is_past_end || is_worth_a_retry(status, err)))
            return -1;
        log_event(LOG_INFO, "source", "try again in_ms=%d status=%d error=\"%s\"",
                  RETRY_FIRST_MS << n, status, err->text);
        err_clear(err);
        if (cancel_sleep_ms(q->cancel, RETRY_FIRST_MS << n, err))
            return -1;
    }
}

static int fail(const struct http_wish *q, struct err *err)
{
    AUTO_VALUE(url_clear) struct url url = { 0 };
    struct err ignored = { 0 };
    bool is_told = span_starts(span_of(err->text), "GET "); /* the client names the URL too */
    if (err->kind == ERR_CANCELED || is_told || url_parse(span_of(q->url), &url, &ignored))
        return -1;
    AUTO_FREE char *shown = url_text_redacted(&url);
    return err_wrap(err, "fetch %s", shown);
}

static void file_of(const struct http_kept *k, struct http_file *out)
{
    *out = (struct http_file){ .digest = k->digest };
    out->has_time = http_date_parse(k->last_modified, &out->modified_s);
}

static int check_scheme(const struct http_wish *q, struct err *err)
{
    struct span url = span_of(q->url);
    if (span_starts(url, "http://") || span_starts(url, "https://"))
        return 0;
    return err_set(err, ERR_UNSUPPORTED, "only http:// and https:// are fetched from");
}

int http_source_ask(struct http_source *s, const struct http_wish *q, struct http_file *out,
                    struct err *err)
{
    AUTO_VALUE(http_kept_clear) struct http_kept known = { 0 };
    AUTO_VALUE(http_kept_clear) struct http_kept now = { 0 };
    bool is_there = false;
    if (check_scheme(q, err) || http_kept_find(s->store, q->url, &known, &is_there, err) ||
        get(s, q, is_there ? &known : NULL, &now, err))
        return fail(q, err);
    file_of(&now, out);
    return 0;
}

int http_source_fetch(struct http_source *s, const struct http_wish *q, struct http_file *out,
                      struct err *err)
{
    AUTO_VALUE(http_kept_clear) struct http_kept known = { 0 };
    AUTO_VALUE(http_kept_clear) struct http_kept now = { 0 };
    bool is_known = false, is_there = false;
    if (check_scheme(q, err) || http_kept_find(s->store, q->url, &known, &is_known, err))
        return fail(q, err);
    if (is_known && digest_is_set(&q->want) && digest_equal(&q->want, &known.digest) &&
        blob_find(s->store, &known.digest, &is_there, NULL, err))
        return fail(q, err);
    if (is_there) {
        file_of(&known, out);
        return 0;
    }
    if (get(s, q, NULL, &now, err))
        return fail(q, err);
    file_of(&now, out);
    return 0;
}
