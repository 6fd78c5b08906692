/* base/net/url.h - URLs as RFC 3986, the parts that HTTP and git need. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/core/err.h"
#include "base/core/span.h"

struct url {
    char *scheme, *user, *password, *host, *path, *query, *fragment; /* owned; NULL when absent; path "" */
    uint16_t port; /* 0 when absent */
};
NODISCARD int url_parse(struct span text, struct url *out, struct err *err);
void url_clear(struct url *u);
char *url_text(const struct url *u);          /* whole */
char *url_text_redacted(const struct url *u); /* password and query values as "xxxxx", for messages */
/* `reference` (a Location header) against `base`, as RFC 3986 5.2. */
NODISCARD int url_resolve(const struct url *base, struct span reference, struct url *out, struct err *err);
