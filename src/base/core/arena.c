/* base/core/arena.c - blocks that fill up from the front; the newest block is tried, never the
 * older.
 *
 * Blocks double up to a ceiling.  What is large against a block gets one of its own, put behind the
 * newest, so that the rest of the newest is not lost. */
#include "base/core/arena.h"

#include <stdint.h>

#include "base/core/mem.h"

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 256 * 1024 };

struct block {
    struct block *next;
    size_t used, cap;
    _Alignas(ALIGN) char bytes[];
};

struct arena {
    struct block *newest;
    size_t next_cap;
};

struct arena *arena_new(void)
{
    struct arena *a = xcalloc(1, sizeof *a);
    a->next_cap = FIRST_BLOCK;
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct block *b = a->newest, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

static struct block *block_new(size_t cap)
{
    struct block *b = xcalloc(1, size_add(sizeof *b, cap));
    b->cap = cap;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t need = size_add(size ? size : 1, ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct block *b = a->newest;
    if (!b || b->cap - b->used < need) {
        bool is_large = need > a->next_cap / 4;
        b = block_new(is_large ? need : a->next_cap);
        if (is_large && a->newest) {
            b->next = a->newest->next;
            a->newest->next = b;
        } else {
            b->next = a->newest;
            a->newest = b;
        }
        if (!is_large && a->next_cap < LARGEST_BLOCK)
            a->next_cap *= 2;
    }
    void *p = b->bytes + b->used;
    b->used += need;
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    size_t len = strlen(s);
    return memcpy(arena_alloc(a, size_add(len, 1)), s, len);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *copy = arena_alloc(a, size_add(len, 1));
    size_t actual = s ? strnlen(s, len) : 0;
    if (actual)
        memcpy(copy, s, actual);
    return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        abort();
    char *text = arena_alloc(a, size_add((size_t)len, 1));
    vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}
