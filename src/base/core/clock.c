/* base/core/clock.c - time of day, durations, and RFC 3339 as Go reads and prints it. */
#include "base/core/clock.h"

#include "base/core/span.h"

/* The last second of year 9999: RFC 3339 has four digits for the year. */
#define LAST_SECOND UINT64_C(253402300799)
#define FIRST_SECOND INT64_C(-62167219200) /* year 0 */

int clock_init(struct clock *c, const char *source_date_epoch, struct err *err)
{
    *c = (struct clock){ 0 };
    if (!source_date_epoch)
        return 0;
    uint64_t seconds;
    if (!span_u64(span_of(source_date_epoch), LAST_SECOND, &seconds)) {
        err_set(err, ERR_INVALID, "SOURCE_DATE_EPOCH \"%s\": not a number of seconds",
                source_date_epoch);
        return err_hint(err,
                        "it is decimal seconds since 1970, such as $(git log -1 --format=%%ct)");
    }
    c->is_fixed = true;
    c->fixed.tv_sec = (time_t)seconds;
    return 0;
}

struct timespec clock_now(const struct clock *c)
{
    if (c->is_fixed)
        return c->fixed;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000U;
}

void time_print(struct timespec t, char text[TIME_TEXT_MAX])
{
    /* What no four-digit year can hold becomes the nearest that can. */
    time_t seconds = t.tv_sec;
    if (seconds > (time_t)LAST_SECOND)
        seconds = (time_t)LAST_SECOND;
    if (seconds < (time_t)FIRST_SECOND)
        seconds = (time_t)FIRST_SECOND;
    struct tm tm = { 0 };
    gmtime_r(&seconds, &tm);
    char fraction[16] = "";
    if (t.tv_nsec > 0 && t.tv_nsec < 1000000000) {
        int len = snprintf(fraction, sizeof fraction, ".%09d", (int)t.tv_nsec);
        while (fraction[len - 1] == '0')
            fraction[--len] = '\0';
    }
    snprintf(text, TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u%sZ",
             ((unsigned)tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
             (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
             (unsigned)tm.tm_sec % 100, fraction);
}

/* Reads exactly `digits` digits, 0 .. max, followed by `after` unless that is 0. */
static bool take_number(struct span *s, size_t digits, uint64_t max, char after, int *out)
{
    uint64_t n;
    if (s->len < digits || !span_u64(span_first(*s, digits), max, &n))
        return false;
    *s = span_skip(*s, digits);
    *out = (int)n;
    if (!after)
        return true;
    if (s->len == 0 || s->ptr[0] != after)
        return false;
    *s = span_skip(*s, 1);
    return true;
}

/* ".5" and so on; what is finer than a nanosecond is dropped. */
static bool take_fraction(struct span *s, long *nanoseconds)
{
    *nanoseconds = 0;
    if (s->len == 0 || s->ptr[0] != '.')
        return true;
    *s = span_skip(*s, 1);
    long unit = 100000000;
    size_t n = 0;
    for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++, unit /= 10)
        *nanoseconds += unit * (s->ptr[n] - '0');
    *s = span_skip(*s, n);
    return n > 0;
}

/* "Z", "+01:00", "-07:30" at the very end. */
static bool take_offset(struct span s, int *seconds)
{
    *seconds = 0;
    if (span_is(s, "Z"))
        return true;
    int sign = span_starts(s, "+") ? 1 : span_starts(s, "-") ? -1 : 0;
    int hours, minutes;
    s = span_skip(s, 1);
    if (!sign || !take_number(&s, 2, 23, ':', &hours) || !take_number(&s, 2, 59, 0, &minutes))
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return s.len == 0;
}

static bool time_read(struct span s, struct timespec *out)
{
    struct tm tm = { 0 };
    int offset;
    long nanoseconds;
    if (!take_number(&s, 4, 9999, '-', &tm.tm_year) || !take_number(&s, 2, 12, '-', &tm.tm_mon) ||
        !take_number(&s, 2, 31, 'T', &tm.tm_mday) || !take_number(&s, 2, 23, ':', &tm.tm_hour) ||
        !take_number(&s, 2, 59, ':', &tm.tm_min) || !take_number(&s, 2, 59, 0, &tm.tm_sec) ||
        !take_fraction(&s, &nanoseconds) || !take_offset(s, &offset))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int month = tm.tm_mon, day = tm.tm_mday;
    time_t seconds = timegm(&tm);
    if (tm.tm_mon != month || tm.tm_mday != day) /* 30 February */
        return false;
    *out = (struct timespec){ .tv_sec = seconds - offset, .tv_nsec = nanoseconds };
    return true;
}

int time_parse(const char *text, struct timespec *out, struct err *err)
{
    if (!time_read(span_of(text), out))
        return err_set(err, ERR_INVALID, "\"%s\" is not a time as RFC 3339 writes it",
                       text ? text : "");
    return 0;
}
