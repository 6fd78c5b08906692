/* base/core/nearest.h - which known word somebody meant who misspelt it.
 *
 * Threads: no state. */
#pragma once
#include <stddef.h>

/* The most similar of `names` (n), or NULL when none is near.  A word's beginning is near. */
const char *nearest(const char *word, const char *const *names, size_t n);
