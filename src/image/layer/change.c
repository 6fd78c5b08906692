/* image/layer/change.c - see change.h. */
#include "image/layer/change.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/core/mem.h"
#include "base/core/vec.h"

struct change_list *change_list_new(void)
{
    struct change_list *l = xcalloc(1, sizeof *l);
    l->arena = arena_new();
    return l;
}

void change_list_free(struct change_list *l)
{
    if (!l)
        return;
    vec_clear(l);
    arena_free(l->arena);
    free(l);
}

void change_list_add(struct change_list *l, const char *path, enum change_kind kind)
{
    *vec_push(l) = (struct change){ .path = arena_strdup(l->arena, path), .kind = kind };
}

/* Rank of a byte: the end of a path, then "/", then all others. */
static int rank(char c)
{
    if (c == '\0')
        return 0;
    return c == '/' ? 1 : 1 + (unsigned char)c;
}

int change_path_compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return rank(*a) - rank(*b);
}

static int compare(const void *a, const void *b)
{
    return change_path_compare(((const struct change *)a)->path, ((const struct change *)b)->path);
}

void change_list_sort(struct change_list *l)
{
    bool is_sorted = true;
    for (size_t i = 1; i < l->n && is_sorted; i++)
        is_sorted = compare(&l->items[i - 1], &l->items[i]) <= 0;
    if (!is_sorted)
        qsort(l->items, l->n, sizeof *l->items, compare);
}

const struct change *change_list_find(const struct change_list *l, const char *path)
{
    struct change key = { .path = path };
    return l->n ? bsearch(&key, l->items, l->n, sizeof *l->items, compare) : NULL;
}

const char *change_kind_name(enum change_kind k)
{
    static const char *const names[] = {
        [CHANGE_ADD] = "add",
        [CHANGE_MODIFY] = "modify",
        [CHANGE_DELETE] = "delete",
    };
    return names[k];
}
