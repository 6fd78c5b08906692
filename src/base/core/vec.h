/* base/core/vec.h - growing arrays of values.
 *
 *     vec(struct descriptor) layers;   a field or local, born zeroed
 *     *vec_push(&m->layers) = (struct descriptor){ ... };
 *     vec_each(&m->layers, layer) ...  `layer` points at each item in turn
 *     vec_clear(&m->layers);           frees the array, not what the items own
 *
 * Named types where a vec crosses functions: `struct str_list` below. */
#pragma once
#include <stddef.h>

#define vec(T)                                                                                     \
    struct {                                                                                       \
        T *items; /* owned */                                                                      \
        size_t n, cap;                                                                             \
    }
#define vec_push(v)                                                                                \
    ((v)->items = vec_grow((v)->items, (v)->n, &(v)->cap, sizeof *(v)->items),                     \
     &(v)->items[(v)->n++])
#define vec_each(v, it)                                                                            \
    for (__typeof__((v)->items + 0) it = (v)->items; it && it < (v)->items + (v)->n; it++)
#define vec_clear(v) vec_release((void **)&(v)->items, &(v)->n, &(v)->cap)

void *vec_grow(void *items, size_t n, size_t *cap, size_t size); /* new items are zeroed */
void vec_release(void **items, size_t *n, size_t *cap);

/* A list of owned strings, the commonest vec. */
struct str_list {
    char **items; /* owned, each owned */
    size_t n, cap;
};
void str_list_push(struct str_list *l, const char *text); /* copies */
void str_list_take(struct str_list *l, char *text);       /* takes `text` */
void str_list_clear(struct str_list *l);
void str_list_copy(struct str_list *to, const struct str_list *from); /* appends copies */
int str_list_has(const struct str_list *l, const char *text);         /* 1 or 0 */
