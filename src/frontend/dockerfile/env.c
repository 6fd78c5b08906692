/* frontend/dockerfile/env.c - names and values in the order in which they were last set.
 *
 * Threads: values. */
#include "frontend/dockerfile/env.h"

#include <string.h>

#include "base/core/mem.h"

void env_clear(struct env *e)
{
    vec_clear(e);
}

void env_copy(struct env *to, const struct env *from)
{
    vec_each (from, v)
        *vec_push(to) = *v;
}

void env_set(struct env *e, const char *name, const char *value)
{
    for (size_t i = 0; i < e->n; i++) {
        if (strcmp(e->items[i].key, name) != 0)
            continue;
        memmove(&e->items[i], &e->items[i + 1], (e->n - i - 1) * sizeof *e->items);
        e->n--;
        break;
    }
    *vec_push(e) = (struct pair){ name, value };
}

const char *env_find(const void *env, const char *name)
{
    const struct env *e = env;
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->items[i].key, name) == 0)
            return e->items[i].value;
    return NULL;
}

struct strings env_strings(const struct env *e, struct arena *a)
{
    const char **items = arena_alloc(a, size_mul(e->n + 1, sizeof *items));
    for (size_t i = 0; i < e->n; i++)
        items[i] = arena_printf(a, "%s=%s", e->items[i].key, e->items[i].value);
    return (struct strings){ .items = items, .n = e->n };
}
