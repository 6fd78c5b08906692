/* frontend/dockerfile/values.c - single values in the notation of Go's library, and near misses.
 *
 * BuildKit is written in Go, so its language takes Go's durations ("1h30m"), booleans and docker's
 * sizes ("64m"), and its messages quote as Go does; users and tools compare both.
 *
 * Threads: values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/parse_internal.h"

const char *quoted(struct arena *a, const char *text)
{
    static const char escaped[] = "\a\b\f\n\r\t\v\"\\", letters[] = "abfnrtv\"\\";
    struct buf out;
    buf_init(&out, SIZE_MAX);
    buf_putc(&out, '"');
    for (const char *p = text; *p; p++) {
        const char *known = strchr(escaped, *p);
        if (known)
            buf_printf(&out, "\\%c", letters[known - escaped]);
        else if ((unsigned char)*p < 0x20 || *p == 0x7f)
            buf_printf(&out, "\\x%02x", (unsigned char)*p);
        else
            buf_putc(&out, *p);
    }
    buf_putc(&out, '"');
    const char *kept = arena_strndup(a, out.data, out.len);
    buf_clear(&out);
    return kept;
}

const char *upper_case(struct arena *a, const char *text)
{
    char *copy = arena_strdup(a, text);
    for (char *p = copy; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    return copy;
}

const char *lower_case(struct arena *a, const char *text)
{
    char *copy = arena_strdup(a, text);
    for (char *p = copy; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return copy;
}

bool unsigned_parse(const char *text, int base, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p >= '0' + base)
            return false;
        n = n * (uint64_t)base + (uint64_t)(*p - '0');
        if (n > max)
            return false;
    }
    *out = n;
    return text[0] != '\0';
}

/* The nanoseconds of a unit at the start of p and its length. */
static bool unit_find(const char *p, double *ns, size_t *len)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = { { "ns", 1 },   { "us", 1e3 }, { "\u00b5s", 1e3 }, { "\u03bcs", 1e3 },
                  { "ms", 1e6 }, { "s", 1e9 },  { "m", 60e9 },      { "h", 3600e9 } };
    *len = strcspn(p, "0123456789.");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (*len == strlen(units[i].name) && memcmp(p, units[i].name, *len) == 0) {
            *ns = units[i].ns;
            return true;
        }
    }
    return false;
}

/* Digits with at most one dot at the start of p; their length, 0 when they are no number. */
static size_t decimal_len(const char *p)
{
    size_t n = strspn(p, "0123456789");
    size_t fraction = p[n] == '.' ? strspn(p + n + 1, "0123456789") : 0;
    if (n + fraction == 0)
        return 0;
    return p[n] == '.' ? n + 1 + fraction : n;
}

int duration_parse(const char *text, struct arena *a, int64_t *ns, struct err *err)
{
    const char *p = text + (text[0] == '-' || text[0] == '+');
    double total = 0, unit = 0;
    size_t len = 0;
    if (strcmp(p, "0") == 0) {
        *ns = 0;
        return 0;
    }
    bool is_valid = *p != '\0';
    while (is_valid && *p) {
        len = decimal_len(p);
        double number = len ? strtod(p, NULL) : 0;
        p += len;
        is_valid = len && len < 40;
        if (is_valid && !unit_find(p, &unit, &len)) {
            if (!len)
                return err_set(err, ERR_INVALID, "time: missing unit in duration %s",
                               quoted(a, text));
            return err_set(err, ERR_INVALID, "time: unknown unit %s in duration %s",
                           quoted(a, arena_strndup(a, p, len)), quoted(a, text));
        }
        total += number * unit;
        p += len;
    }
    if (!is_valid || total > 9.2e18)
        return err_set(err, ERR_INVALID, "time: invalid duration %s", quoted(a, text));
    *ns = (int64_t)llround(text[0] == '-' ? -total : total);
    return 0;
}

/* The factor that a unit of docker's sizes stands for: k, kb, kib, ... of 1024; false when unknown.
 */
static bool size_unit_find(const char *unit, double *factor)
{
    static const char *const units[] = { "b", "k", "m", "g", "t", "p" };
    *factor = 1;
    if (!unit[0])
        return true;
    for (int i = 0; i < 6; i++) {
        *factor = ldexp(1, 10 * i);
        const char *rest = unit + 1;
        if (strncasecmp(unit, units[i], 1) != 0)
            continue;
        return !rest[0] || (i > 0 && (strcasecmp(rest, "b") == 0 || strcasecmp(rest, "ib") == 0));
    }
    return false;
}

bool ram_size_parse(const char *text, int64_t *bytes)
{
    size_t len = decimal_len(text);
    const char *unit = text + len;
    double factor;
    if (!len || len > 30 || !size_unit_find(unit + (*unit == ' '), &factor))
        return false;
    double size = strtod(text, NULL) * factor;
    if (size > 9.2e18)
        return false;
    *bytes = (int64_t)size;
    return true;
}

enum { WORD_MAX = 40, NEAR = 3 };

/* Levenshtein's distance; NEAR when it is that or more. */
static size_t distance(const char *x, const char *y)
{
    size_t n = strlen(y), row[WORD_MAX + 1];
    if (strlen(x) > WORD_MAX || n > WORD_MAX)
        return NEAR;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; x[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t above = row[j + 1], best = diagonal + (x[i] != y[j]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j + 1] = above + 1 < best ? above + 1 : best;
            diagonal = above;
        }
    }
    return row[n] < NEAR ? row[n] : NEAR;
}

/* The nearest option, in lower case when `ignores_case`; NULL when none is near or one is equal.
 * Among those as near, one with the same first letter is more likely meant. */
static const char *find_nearest(const char *word, const char *const *options, size_t n,
                                bool ignores_case, struct arena *a)
{
    const char *mine = ignores_case ? lower_case(a, word) : word, *match = NULL;
    size_t best = 2 * NEAR;
    for (size_t i = 0; i < n; i++) {
        const char *option = ignores_case ? lower_case(a, options[i]) : options[i];
        size_t d = distance(mine, option), rank = 2 * d + (option[0] != mine[0]);
        if (d == 0)
            return NULL;
        if (rank < best) {
            best = rank;
            match = option;
        }
    }
    return match;
}

const char *nearest_word(const char *word, const char *const *options, size_t n, struct arena *a)
{
    return find_nearest(word, options, n, false, a);
}

int did_you_mean(struct err *err, const char *word, const char *const *options, size_t n,
                 bool ignores_case)
{
    AUTO(arena_free) struct arena *a = arena_new();
    const char *match = find_nearest(word, options, n, ignores_case, a);
    if (!match)
        return -1;
    bool is_upper = ignores_case && strcmp(word, lower_case(a, word)) != 0 &&
                    strcmp(word, upper_case(a, word)) == 0;
    if (is_upper)
        match = upper_case(a, match);
    AUTO_FREE char *text = xstrdup(err->text);
    err_set(err, err->kind, "%s (did you mean %s?)", text, match);
    return err_hint(err, "did you mean %s?", match);
}
