/* base/core/buf.c - growing bytes; the memory doubles, but never past the ceiling. */
#include "base/core/buf.h"

#include <stdarg.h>

#include "base/core/mem.h"

void buf_init(struct buf *b, size_t ceiling)
{
    *b = (struct buf){ .ceiling = ceiling };
}

void buf_clear(struct buf *b)
{
    auto_free_pointer(&b->data);
    buf_init(b, b->ceiling);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

size_t buf_room(const struct buf *b)
{
    return b->ceiling - b->len;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (n > buf_room(b)) {
        fprintf(stderr, "fatal: %zu bytes more do not fit a buffer of at most %zu\n", n,
                b->ceiling);
        abort();
    }
    size_t need = size_add(size_add(b->len, n), 1);
    if (need > b->cap) {
        size_t cap = b->cap < SIZE_MAX / 2 ? b->cap * 2 : need;
        if (cap < 64)
            cap = 64;
        if (cap > b->ceiling)
            cap = size_add(b->ceiling, 1);
        b->cap = cap < need ? need : cap;
        b->data = xrealloc(b->data, b->cap);
        b->data[b->len] = '\0';
    }
    return b->data + b->len;
}

void buf_grown(struct buf *b, size_t n)
{
    if (n >= b->cap - b->len)
        abort(); /* more than was reserved */
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_put(struct buf *b, struct span bytes)
{
    char *to = buf_reserve(b, bytes.len);
    if (bytes.len)
        memcpy(to, bytes.ptr, bytes.len);
    buf_grown(b, bytes.len);
}

int buf_append(struct buf *b, struct span bytes, struct err *err)
{
    if (bytes.len > buf_room(b))
        return err_set(err, ERR_LIMIT, "more than %zu bytes", b->ceiling);
    buf_put(b, bytes);
    return 0;
}

void buf_puts(struct buf *b, const char *text)
{
    buf_put(b, span_of(text));
}

void buf_putc(struct buf *b, char c)
{
    buf_put(b, (struct span){ .ptr = &c, .len = 1 });
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        abort();
    char *to = buf_reserve(b, (size_t)len);
    vsnprintf(to, (size_t)len + 1, fmt, again);
    va_end(again);
    buf_grown(b, (size_t)len);
}

struct span buf_span(const struct buf *b)
{
    return (struct span){ .ptr = b->data, .len = b->len };
}

char *buf_take(struct buf *b)
{
    char *text = b->data ? b->data : xcalloc(1, 1);
    buf_init(b, b->ceiling);
    return text;
}
