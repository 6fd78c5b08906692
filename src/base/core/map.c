/* base/core/map.c - an array of entries in insertion order, and a hash table of indexes into it.
 *
 * Keys come from outside (labels, headers, JSON), so the hash is SipHash-1-3 under a key that the
 * kernel drew for this process: nobody can prepare keys that collide.  The order of iteration does
 * not depend on it.  Small maps are searched without a table.
 *
 * slots[i] is the index of an entry plus 1, or 0; collisions go to the next slot. */
#include "base/core/map.h"

#include <assert.h>
#include <sys/auxv.h>

#include "base/core/mem.h"

enum { SMALL = 8 };

#define ROTATE(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = ROTATE(v[1], 13) ^ v[0];
    v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = ROTATE(v[1], 17) ^ v[2];
    v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] = ROTATE(v[2], 32);
}

static uint64_t hash(const char *key)
{
    uint64_t k[2] = { 0, 0 };
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    if (random)
        memcpy(k, random, sizeof k);
    uint64_t v[4] = { k[0] ^ 0x736f6d6570736575U, k[1] ^ 0x646f72616e646f6dU,
                      k[0] ^ 0x6c7967656e657261U, k[1] ^ 0x7465646279746573U };
    size_t len = strlen(key), left = len;
    for (; left >= 8; left -= 8, key += 8) {
        uint64_t word;
        memcpy(&word, key, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = 0;
    memcpy(&last, key, left);
    last |= (uint64_t)len << 56;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot that holds `key`, or the empty one where it belongs. */
static uint32_t *slot_of(const struct map *m, const char *key)
{
    size_t mask = m->n_slots - 1;
    for (size_t i = (size_t)hash(key) & mask;; i = (i + 1) & mask)
        if (m->slots[i] == 0 || strcmp(m->entries[m->slots[i] - 1].key, key) == 0)
            return &m->slots[i];
}

/* Makes the table anew, at most half full; none for a small map. */
static void index_again(struct map *m)
{
    size_t want = 4 * SMALL;
    while (want < m->n * 2)
        want = size_mul(want, 2);
    if (want > m->n_slots && m->n > SMALL) {
        free(m->slots);
        m->slots = xmalloc(size_mul(want, sizeof *m->slots));
        m->n_slots = want;
    }
    if (!m->slots)
        return;
    memset(m->slots, 0, m->n_slots * sizeof *m->slots);
    for (size_t i = 0; i < m->n; i++)
        *slot_of(m, m->entries[i].key) = (uint32_t)(i + 1);
}

static struct map_entry *entry_of(const struct map *m, const char *key)
{
    if (m->slots) {
        uint32_t at = *slot_of(m, key);
        return at ? &m->entries[at - 1] : NULL;
    }
    map_each (m, e)
        if (strcmp(e->key, key) == 0)
            return e;
    return NULL;
}

void map_set(struct map *m, const char *key, void *value)
{
    struct map_entry *e = entry_of(m, key);
    if (e) {
        if (m->free_value && e->value != value)
            m->free_value(e->value);
        e->value = value;
        return;
    }
    if (m->n >= UINT32_MAX / 2)
        abort();
    if (m->n == m->cap) {
        m->cap = m->cap ? size_mul(m->cap, 2) : SMALL;
        m->entries = xrealloc(m->entries, size_mul(m->cap, sizeof *m->entries));
    }
    assert(m->entries);
    m->entries[m->n++] = (struct map_entry){ .key = xstrdup(key), .value = value };
    if (m->n > SMALL && m->n * 2 > m->n_slots)
        index_again(m);
    else if (m->slots)
        *slot_of(m, key) = (uint32_t)m->n;
}

void *map_find(const struct map *m, const char *key)
{
    struct map_entry *e = entry_of(m, key);
    return e ? e->value : NULL;
}

bool map_has(const struct map *m, const char *key)
{
    return entry_of(m, key) != NULL;
}

bool map_remove(struct map *m, const char *key)
{
    struct map_entry *e = entry_of(m, key);
    if (!e)
        return false;
    if (m->free_value)
        m->free_value(e->value);
    free(e->key);
    size_t at = (size_t)(e - m->entries);
    m->n--;
    memmove(e, e + 1, (m->n - at) * sizeof *e);
    index_again(m);
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct map_entry *left = a, *right = b;
    return strcmp(left->key, right->key);
}

void map_sort(struct map *m)
{
    if (m->n < 2)
        return;
    qsort(m->entries, m->n, sizeof *m->entries, by_key);
    index_again(m);
}

void map_clear(struct map *m)
{
    map_each (m, e) {
        if (m->free_value)
            m->free_value(e->value);
        free(e->key);
    }
    free(m->entries);
    free(m->slots);
    *m = (struct map){ .free_value = m->free_value };
}

void map_free_string(void *value)
{
    free(value);
}

void map_set_str(struct map *m, const char *key, const char *value)
{
    map_set(m, key, xstrdup(value));
}

const char *map_find_str(const struct map *m, const char *key)
{
    return map_find(m, key);
}

void map_copy_str(struct map *to, const struct map *from)
{
    map_each (from, e)
        map_set_str(to, e->key, e->value);
}
