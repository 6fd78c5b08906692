/* base/core/buf.h - bytes that grow, up to a ceiling given at birth.
 *
 * `data` is always NUL-terminated once anything was appended, so text can be used as a C string. */
#pragma once
#include "base/core/err.h"
#include "base/core/span.h"

struct buf {
    char *data; /* owned; NULL while empty */
    size_t len;
    size_t cap;
    size_t ceiling;
};

void buf_init(struct buf *b, size_t ceiling);
void buf_clear(struct buf *b); /* frees; the ceiling stays, so the buf can be filled again */
/* Forgets the bytes, keeps the memory. */
void buf_reset(struct buf *b);

/* Appends.  Fails: LIMIT above the ceiling (nothing is appended then). */
NODISCARD int buf_append(struct buf *b, struct span bytes, struct err *err);
/* The same for text that is ours and bounded: passing the ceiling aborts. */
void buf_put(struct buf *b, struct span bytes);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for `n` more bytes and returns where they go; buf_grown() then adds what was written.
 * Aborts above the ceiling: ask buf_room() first when `n` comes from outside. */
char *buf_reserve(struct buf *b, size_t n);
void buf_grown(struct buf *b, size_t n);
size_t buf_room(const struct buf *b); /* ceiling - len */
struct span buf_span(const struct buf *b);
/* The bytes as a NUL-terminated string, owned by the caller; the buf is empty afterwards. */
char *buf_take(struct buf *b);
