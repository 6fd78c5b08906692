/* base/net/url.h - URLs as RFC 3986, the parts that HTTP and git need.
 *
 * Parts are kept percent-encoded as they were written; scheme and host are lower case.  An IPv6
 * host is kept without its brackets.
 *
 * Threads: values. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/core/err.h"
#include "base/core/span.h"

struct url {
    char *scheme, *user, *password, *host, *path, *query,
        *fragment; /* owned; NULL when absent; path "" */
    uint16_t port; /* 0 when absent */
};
/* A URL with a scheme; http and https need a host.  Fails: INVALID, LIMIT past LIMIT_URL; the text
 * of the error has no user, password or query in it. */
NODISCARD int url_parse(struct span text, struct url *out, struct err *err);
void url_clear(struct url *u);
char *url_text(const struct url *u); /* whole */
/* For messages: password and query values become "xxxxx"; so does a lone user of http and https,
 * which is a token more often than a name. */
char *url_text_redacted(const struct url *u);
/* `reference` (a Location header) against `base`, as RFC 3986 5.2.  Fails as url_parse(). */
NODISCARD int url_resolve(const struct url *base, struct span reference, struct url *out,
                          struct err *err);
