/* base/core/map.h - string keys to pointers or strings; iterates in insertion order.
 *
 *     struct map m = { 0 };               born zeroed; set .free_value to own the values
 *     map_set(&m, "arch", value);
 *     map_each(&m, e) use(e->key, e->value);
 *     map_clear(&m); */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    char *key;   /* owned */
    void *value; /* owned when the map has a free_value */
};

struct map {
    void (*free_value)(void *); /* NULL: values are borrowed */
    struct map_entry *entries;  /* in insertion order; removal keeps the order */
    size_t n, cap;
    uint32_t *slots; /* internal: index of entries */
    size_t n_slots;
};

#define map_each(m, e) for (struct map_entry *e = (m)->entries; e && e < (m)->entries + (m)->n; e++)

void map_set(struct map *m, const char *key,
             void *value); /* copies key, takes value; replaces in place */
void *map_find(const struct map *m, const char *key); /* NULL when absent */
bool map_has(const struct map *m, const char *key);
bool map_remove(struct map *m, const char *key);
void map_sort(struct map *m); /* by key, bytewise */
void map_clear(struct map *m);

/* string -> string: values are copied and owned.  Start from `struct map m = STR_MAP;`. */
#define STR_MAP                                                                                    \
    {                                                                                              \
        .free_value = map_free_string                                                              \
    }
void map_free_string(void *value);
void map_set_str(struct map *m, const char *key, const char *value);
const char *map_find_str(const struct map *m, const char *key);
void map_copy_str(struct map *to, const struct map *from); /* to gets copies of all of from */
