/* base/core/clock.h - the only place where time comes from.
 *
 * Output depends on input alone: what goes into an image takes its time from a `struct clock`,
 * which stands still at SOURCE_DATE_EPOCH when there is one.  Durations use clock_monotonic_ms().
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/core/err.h"

struct clock {
    bool is_fixed;
    struct timespec fixed; /* valid when is_fixed */
};

/* `source_date_epoch`: decimal seconds, or NULL for the running clock.  Fails: INVALID. */
NODISCARD int clock_init(struct clock *c, const char *source_date_epoch, struct err *err);
struct timespec clock_now(const struct clock *c); /* CLOCK_REALTIME, or the fixed time */
uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_ns(void);

enum { TIME_TEXT_MAX = 40 };
/* RFC 3339 in UTC, fraction without trailing zeros as Go prints it: "2023-11-14T22:13:20Z". */
void time_print(struct timespec t, char text[TIME_TEXT_MAX]);
/* Reads RFC 3339 with any offset.  Fails: INVALID. */
NODISCARD int time_parse(const char *text, struct timespec *out, struct err *err);
