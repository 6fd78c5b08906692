/* engine/source/http_kept.h - what servers said of URLs: the table http_file of kiln.db.
 *
 * url (SHA-256 of it, as text) -> etag, last_modified (both as sent; empty when they were not),
 * digest (SHA-256 of the content), at (when it was asked last).  Rows that nobody asked for in a
 * year go. */
#pragma once
#include "base/codec/digest.h"
#include "image/store/store.h"

struct http_kept {
    char *etag, *last_modified; /* owned; "" when not sent */
    struct digest digest;
};
void http_kept_clear(struct http_kept *k);
NODISCARD int http_kept_open(struct store *st, struct err *err);
NODISCARD int http_kept_find(struct store *st, const char *url, struct http_kept *out,
                             bool *is_there, struct err *err);
NODISCARD int http_kept_put(struct store *st, const char *url, const struct http_kept *k,
                            struct err *err);
