/* base/core/span.c - looking at borrowed bytes. */
#include "base/core/span.h"

#include "base/core/mem.h"

struct span span_of(const char *text)
{
    return (struct span){ .ptr = text, .len = text ? strlen(text) : 0 };
}

struct span span_bytes(const void *ptr, size_t len)
{
    return (struct span){ .ptr = ptr, .len = len };
}

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_is(struct span s, const char *text)
{
    return span_equal(s, span_of(text));
}

bool span_starts(struct span s, const char *prefix)
{
    return span_equal(span_first(s, strlen(prefix)), span_of(prefix));
}

bool span_ends(struct span s, const char *suffix)
{
    size_t len = strlen(suffix);
    return len <= s.len && span_equal(span_skip(s, s.len - len), span_of(suffix));
}

struct span span_skip(struct span s, size_t n)
{
    if (n > s.len)
        n = s.len;
    if (n == 0) /* NULL + 0 is undefined */
        return s;
    return (struct span){ .ptr = s.ptr + n, .len = s.len - n };
}

struct span span_first(struct span s, size_t n)
{
    return (struct span){ .ptr = s.ptr, .len = n < s.len ? n : s.len };
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = span_skip(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

ptrdiff_t span_find(struct span s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? at - s.ptr : -1;
}

ptrdiff_t span_rfind(struct span s, char c)
{
    const char *at = s.len ? memrchr(s.ptr, c, s.len) : NULL;
    return at ? at - s.ptr : -1;
}

struct span span_cut(struct span *rest, char sep)
{
    struct span all = *rest;
    ptrdiff_t at = span_find(all, sep);
    if (at < 0) {
        *rest = (struct span){ 0 };
        return all;
    }
    *rest = span_skip(all, (size_t)at + 1);
    return span_first(all, (size_t)at);
}

char *span_dup(struct span s)
{
    char *copy = xmalloc(size_add(s.len, 1));
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

bool span_u64(struct span s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) || __builtin_add_overflow(n, digit, &n))
            return false;
    }
    if (s.len == 0 || n > max)
        return false;
    *out = n;
    return true;
}

bool span_bool(struct span s, bool *out)
{
    static const char *const words[] = { "0", "f", "F", "FALSE", "false", "False",
                                         "1", "t", "T", "TRUE",  "true",  "True" };
    enum { N = sizeof words / sizeof *words };
    for (size_t i = 0; i < N; i++) {
        if (!span_is(s, words[i]))
            continue;
        *out = i >= N / 2;
        return true;
    }
    return false;
}
