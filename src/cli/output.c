/* cli/output.c - results on stdout: lines, tables, JSON; sizes and times as people write them. */
#include <stdarg.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "cli/cli.h"

/* Names, versions and what servers say come from strangers: a terminal must not obey them.  A
 * control character becomes "?", those of two bytes (U+0080 to U+009F) too; lines and tabs stay. */
static char *make_harmless(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        unsigned char c = (unsigned char)*from, next = (unsigned char)from[1];
        bool is_long = c == 0xc2 && next >= 0x80 && next <= 0x9f;
        bool is_control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || is_long;
        from += is_long;
        *to++ = is_control ? '?' : (char)c;
    }
    *to = '\0';
    return text;
}

void say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *text = xvasprintf(fmt, args);
    va_end(args);
    puts(make_harmless(text));
}

void note(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *text = xvasprintf(fmt, args);
    va_end(args);
    fprintf(stderr, "%s\n", make_harmless(text));
}

void say_json(const struct json *v)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 8 * LIMIT_JSON);
    json_print_pretty(v, &text);
    say("%s", text.data);
}

int say_flush(struct err *err)
{
    return fflush(stdout) || ferror(stdout) ? err_sys(err, "write to stdout") : 0;
}

/* ---- tables ---- */

void table_say(struct table *t)
{
    AUTO_FREE size_t *widths = xcalloc(t->n_columns, sizeof *widths);
    for (size_t i = 0; i < t->cells.n; i++) {
        make_harmless(t->cells.items[i]);
        size_t len = strlen(t->cells.items[i]), *width = &widths[i % t->n_columns];
        *width = len > *width ? len : *width;
    }
    for (size_t i = 0; i < t->cells.n; i++) {
        bool is_last = i % t->n_columns == t->n_columns - 1;
        printf("%-*s%s", is_last ? 0 : (int)widths[i % t->n_columns], t->cells.items[i],
               is_last ? "\n" : "   ");
    }
}

void table_clear(struct table *t)
{
    str_list_clear(&t->cells);
}

/* ---- sizes and times ---- */

struct ago_text ago_text(int64_t seconds)
{
    static const struct {
        int64_t length;
        const char *name;
    } units[] = { { 365 * 86400, "year" }, { 30 * 86400, "month" }, { 7 * 86400, "week" },
                  { 86400, "day" },        { 3600, "hour" },        { 60, "minute" } };
    struct ago_text t = { "now" };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t n = seconds / units[i].length;
        if (n < 1)
            continue;
        snprintf(t.s, sizeof t.s, "%d %s%s ago", (int)n, units[i].name, n > 1 ? "s" : "");
        return t;
    }
    if (seconds >= 1)
        snprintf(t.s, sizeof t.s, "%d second%s ago", (int)seconds, seconds > 1 ? "s" : "");
    return t;
}

static struct span digits(struct span s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    return span_first(s, n);
}

int bytes_parse(const char *text, uint64_t *out, struct err *err)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = { { "", 1 },
                  { "b", 1 },
                  { "k", 1000 },
                  { "kb", 1000 },
                  { "kib", KIB },
                  { "m", 1000000 },
                  { "mb", 1000000 },
                  { "mib", MIB },
                  { "g", 1000000000 },
                  { "gb", 1000000000 },
                  { "gib", GIB },
                  { "t", 1000000000000 },
                  { "tb", 1000000000000 },
                  { "tib", 1024 * GIB } };
    struct span number = digits(span_of(text));
    const char *unit = text + number.len;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (!strcasecmp(unit, units[i].name) &&
            span_u64(number, UINT64_MAX / units[i].factor, out)) {
            *out *= units[i].factor;
            return 0;
        }
    return err_set(err, ERR_INVALID, "%s: no size such as 500MB, 10GB or 4GiB", text);
}

static uint64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 7 * 86400;
    default:
        return 0;
    }
}

int seconds_parse(const char *text, uint64_t *seconds, struct err *err)
{
    struct span rest = span_of(text);
    *seconds = 0;
    while (rest.len) {
        struct span number = digits(rest);
        uint64_t n = 0, unit = number.len < rest.len ? unit_seconds(rest.ptr[number.len]) : 0;
        if (!unit || !span_u64(number, UINT32_MAX, &n))
            break;
        *seconds += n * unit;
        rest = span_skip(rest, number.len + 1);
    }
    if (rest.len || !*text)
        return err_set(err, ERR_INVALID, "%s: no duration such as 90s, 1h30m or 7d", text);
    return 0;
}
