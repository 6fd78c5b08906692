/* engine/snapshot/directory_known.c - digests of files by inode, noted while they were written, so
 * that nothing is read again only to be hashed. */
#include <stdlib.h>

#include "engine/snapshot/directory_table.h"

static int by_inode(const void *a, const void *b)
{
    const struct known_digest *x = a, *y = b;
    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void known_digests_sort(struct known_digests *k)
{
    if (k->n == 0)
        return;
    qsort(k->items, k->n, sizeof *k->items, by_inode);
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++)
        if (i + 1 == k->n || k->items[i + 1].ino != k->items[i].ino)
            k->items[n++] = k->items[i];
    k->n = n;
}

const struct known_digest *known_digests_find(const struct known_digests *k, uint64_t ino)
{
    size_t low = 0, high = k ? k->n : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (k->items[middle].ino == ino)
            return &k->items[middle];
        if (k->items[middle].ino < ino)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
