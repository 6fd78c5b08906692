/* engine/source/http_source.h - files from the web, fetched once as long as they stay the same.
 *
 * A file is a blob of the store under its own digest.  What a server said of a URL (ETag,
 * Last-Modified) and which content it gave then is kept in kiln.db (table http_file), so that
 * asking again costs one request and no body.  The URL itself is not kept, a hash of it is: it may
 * have a password in it.
 *
 * Spec: RFC 9110 "Conditional Requests"; BuildKit source/http.  Threads: locked inside. */
#pragma once
#include "base/codec/digest.h"
#include "base/core/cancel.h"
#include "image/store/store.h"

struct http_source;
NODISCARD int http_source_open(struct store *st, struct http_source **out, struct err *err);
void http_source_close(struct http_source *s);
DEFINE_AUTO(struct http_source, http_source_close)

struct http_wish {
    const char *url; /* http:// or https:// */
    const char
        *authorization; /* value of the header, a secret; goes to the URL's host only; NULL */
    struct digest want; /* what the content must be; not set: anything */
    /* Told how much has come (total 0: not known); may be NULL. */
    void (*moved)(void *arg, uint64_t current, uint64_t total);
    void *moved_arg;
    const struct cancel *cancel;
};
struct http_file {
    struct digest digest; /* SHA-256: names the blob; with want.algorithm SHA-512 that is another */
    bool has_time;
    int64_t modified_s; /* Last-Modified, since 1970 */
};

/* What is at the URL now.  Nothing is downloaded when the server says that it is what it was; then
 * the blob may have been collected meanwhile.  Fails: DENIED, NOT_FOUND and others by status;
 * CORRUPT (not what was wanted, naming both digests); NETWORK and TIMEOUT after some tries; LIMIT.
 */
NODISCARD int http_source_ask(struct http_source *s, const struct http_wish *q,
                              struct http_file *out, struct err *err);
/* The same, and the content is a blob of the store afterwards.  What the store has of this URL and
 * is what was wanted is not asked for again. */
NODISCARD int http_source_fetch(struct http_source *s, const struct http_wish *q,
                                struct http_file *out, struct err *err);

/* A date as HTTP writes it; false: none. */
bool http_date_parse(const char *text, int64_t *out);
/* "Sun, 06 Nov 1994 08:49:37 GMT", the caller's. */
char *http_date_text(int64_t at_s);
