/* base/codec/json_print.c - JSON values as text, byte for byte as Go's encoding/json prints them.
 *
 * Builders written in Go print image configs and manifests with json.Marshal; where our bytes equal
 * theirs, the same image has the same digest.  Go escapes <, > and & (for HTML), U+2028 and U+2029
 * (for JavaScript), control characters as \b \f \n \r \t or \u00XX, and nothing else; numbers have
 * the shortest digits that read back, and an exponent below 1e-6.  Go starts with exponents again
 * at 1e21, we at 1e18: json_parse() refuses integers beyond 64 bits and must read what we print.
 *
 * Spec: RFC 8259; ECMA-262 Number::toString.  Threads: no state. */
#include <math.h>
#include <string.h>

#include "base/codec/internal.h"
#include "base/codec/json.h"
#include "base/core/mem.h"

/* ---- UTF-8 ---- */

/* Bytes of the character at the start of `s`, or 0 when it is not right UTF-8 (RFC 3629: no
 * overlong form, no surrogate, nothing above U+10FFFF). */
static size_t utf8_len(struct span s)
{
    const uint8_t *p = (const uint8_t *)s.ptr;
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n > s.len)
        return 0;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

char *utf8_clean(struct span s)
{
    char *clean = xmalloc(size_add(size_mul(s.len, 3), 1)), *to = clean;
    while (s.len) {
        size_t n = s.ptr[0] ? utf8_len(s) : 0;
        memcpy(to, n ? s.ptr : "\xef\xbf\xbd", n ? n : 3);
        to += n ? n : 3;
        s = span_skip(s, n ? n : 1);
    }
    *to = '\0';
    return clean;
}

/* ---- scalars ---- */

static const char *short_escape(char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

static bool is_plain(char c)
{
    return (uint8_t)c >= ' ' && !strchr("\"\\<>&\xe2", c);
}

/* Prints what needs care at the start of `s`; returns how many bytes it was. */
static size_t print_special(const char *s, struct buf *out)
{
    if (strncmp(s, "\xe2\x80\xa8", 3) == 0 || strncmp(s, "\xe2\x80\xa9", 3) == 0) {
        buf_puts(out, s[2] == '\xa8' ? "\\u2028" : "\\u2029");
        return 3;
    }
    if (*s == '\xe2')
        buf_putc(out, *s);
    else if (short_escape(*s))
        buf_puts(out, short_escape(*s));
    else
        buf_printf(out, "\\u%04x", *s);
    return 1;
}

static void print_str(const char *s, struct buf *out)
{
    buf_putc(out, '"');
    while (*s) {
        size_t n = 0;
        while (s[n] && is_plain(s[n]))
            n++;
        buf_put(out, span_bytes(s, n));
        s += n;
        if (*s)
            s += print_special(s, out);
    }
    buf_putc(out, '"');
}

/* The shortest digits that read back as the same number: "d.ddde[+-]dd". */
static void shortest_digits(double d, char text[40])
{
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, 40, "%.*e", precision, d);
        double back = strtod(text, NULL);
        if (back >= d && back <= d)
            return;
    }
}

static void print_real(double d, struct buf *out)
{
    char text[40], digits[40];
    shortest_digits(d, text);
    char *e = strchr(text, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    *e = '\0';
    size_t n = 0;
    for (const char *p = text; *p; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    if (d < 0)
        buf_putc(out, '-');
    if (fabs(d) > 0 && (exponent < -6 || exponent >= 18)) {
        buf_put(out, span_bytes(digits, 1));
        if (n > 1)
            buf_printf(out, ".%.*s", (int)n - 1, digits + 1);
        buf_printf(out, "e%c%d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    size_t before = exponent < 0 ? 0 : (size_t)exponent + 1; /* digits before the point */
    if (before == 0)
        buf_printf(out, "0.%.*s", -exponent - 1, "000000");
    for (size_t i = 0; i < n || i < before; i++) {
        if (i == before && i > 0)
            buf_putc(out, '.');
        if (i < n)
            buf_putc(out, digits[i]);
        else
            buf_putc(out, '0');
    }
}

/* ---- values ---- */

enum { COMPACT = -1 };

/* A new line for people, at this depth. */
static void break_line(int depth, struct buf *out)
{
    if (depth == COMPACT)
        return;
    buf_putc(out, '\n');
    for (int i = 0; i < depth; i++)
        buf_puts(out, "  ");
}

static void print_value(const struct json *v, int depth, struct buf *out);

static void print_object(const struct json *v, int depth, struct buf *out)
{
    int inner = depth == COMPACT ? COMPACT : depth + 1;
    buf_putc(out, '{');
    for (void *first = json_first(v), *it = first; it; it = json_next(v, it)) {
        if (it != first)
            buf_putc(out, ',');
        break_line(inner, out);
        print_str(json_iter_key(it), out);
        buf_puts(out, depth == COMPACT ? ":" : ": ");
        print_value(json_iter_value(it), inner, out);
    }
    if (json_len(v))
        break_line(depth, out);
    buf_putc(out, '}');
}

static void print_array(const struct json *v, int depth, struct buf *out)
{
    int inner = depth == COMPACT ? COMPACT : depth + 1;
    buf_putc(out, '[');
    for (size_t i = 0; i < json_len(v); i++) {
        if (i)
            buf_putc(out, ',');
        break_line(inner, out);
        print_value(json_at(v, i), inner, out);
    }
    if (json_len(v))
        break_line(depth, out);
    buf_putc(out, ']');
}

static void print_value(const struct json *v, int depth, struct buf *out)
{
    switch (json_type(v)) {
    case JSON_NULL:
        buf_puts(out, "null");
        break;
    case JSON_BOOL:
        buf_puts(out, json_bool(v) ? "true" : "false");
        break;
    case JSON_INTEGER:
        buf_printf(out, "%lld", (long long)json_int(v));
        break;
    case JSON_REAL:
        print_real(json_double(v), out);
        break;
    case JSON_STRING:
        print_str(json_str(v), out);
        break;
    case JSON_ARRAY:
        print_array(v, depth, out);
        break;
    case JSON_OBJECT:
        print_object(v, depth, out);
        break;
    }
}

void json_print(const struct json *v, struct buf *out)
{
    print_value(v, COMPACT, out);
}

void json_print_pretty(const struct json *v, struct buf *out)
{
    print_value(v, 0, out);
}
