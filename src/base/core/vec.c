/* base/core/vec.c - memory of growing arrays. */
#include "base/core/vec.h"

#include "base/core/mem.h"

void *vec_grow(void *items, size_t n, size_t *cap, size_t size)
{
    if (n == *cap) {
        *cap = *cap ? size_mul(*cap, 2) : 8;
        items = xrealloc(items, size_mul(*cap, size));
    }
    memset((char *)items + n * size, 0, size);
    return items;
}

void vec_release(void **items, size_t *n, size_t *cap)
{
    auto_free_pointer(items);
    *items = NULL;
    *n = *cap = 0;
}

void str_list_push(struct str_list *l, const char *text)
{
    str_list_take(l, xstrdup(text));
}

void str_list_take(struct str_list *l, char *text)
{
    *vec_push(l) = text;
}

void str_list_clear(struct str_list *l)
{
    vec_each (l, text)
        free(*text);
    vec_clear(l);
}

void str_list_copy(struct str_list *to, const struct str_list *from)
{
    vec_each (from, text)
        str_list_push(to, *text);
}

int str_list_has(const struct str_list *l, const char *text)
{
    vec_each (l, item)
        if (strcmp(*item, text) == 0)
            return 1;
    return 0;
}
