/* base/codec/text.h - hex, base64 and percent encoding; URLs without secrets. */
#pragma once
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"

void hex_print(struct span bytes, char *text); /* 2 * len digits and NUL, lower case */
NODISCARD int hex_parse(struct span text, void *bytes,
                        struct err *err);              /* len / 2 bytes; lower or upper case */
void base64_print(struct span bytes, struct buf *out); /* padded, standard alphabet */
/* Standard or URL alphabet, padded or not.  Fails: INVALID; LIMIT. */
NODISCARD int base64_parse(struct span text, struct buf *out, struct err *err);
void percent_encode(struct span text, const char *keep,
                    struct buf *out); /* keeps unreserved and `keep` */
NODISCARD int percent_decode(struct span text, struct buf *out, struct err *err);
/* The text with user and password of all URLs in it hidden, as BuildKit hides them:
 * "https://xxxxx:xxxxx@host/".  Owned by the caller. */
char *urls_redacted(const char *text);
