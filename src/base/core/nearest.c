/* base/core/nearest.c - see nearest.h. */
#include "base/core/nearest.h"

#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 40 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, with neighbours that changed places as one step. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t step = least(d[i - 1][j] + 1, d[i][j - 1] + 1);
            d[i][j] = least(step, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

const char *nearest(const char *word, const char *const *names, size_t n)
{
    size_t len = strlen(word), best = SIZE_MAX;
    const char *found = NULL;
    if (!len || len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t name_len = strlen(names[i]);
        if (name_len > WORD_MAX)
            continue;
        size_t far = distance(word, len, names[i], name_len);
        /* "--plat" is the start of --platform: near, however much is missing. */
        if (len >= 3 && !strncmp(word, names[i], len))
            far = 1;
        if (far < best && far <= 1 + len / 4) {
            best = far;
            found = names[i];
        }
    }
    return found;
}
