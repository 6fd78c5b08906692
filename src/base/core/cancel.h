/* base/core/cancel.h - "stop now", from one place to every loop and wait.
 *
 * Threads: locked inside; cancel_fire() is async-signal-safe. */
#pragma once
#include <stdbool.h>

#include "base/core/err.h"

struct cancel;
struct cancel *cancel_new(void);
/* One that is also fired when `above` (borrowed, outlives it; NULL: none) is, and not the other way
 * round: for a part of the work that may fail and be tried in another way. */
struct cancel *cancel_new_below(const struct cancel *above);
void cancel_free(struct cancel *c);
DEFINE_AUTO(struct cancel, cancel_free)

void cancel_fire(struct cancel *c);
bool cancel_fired(const struct cancel *c); /* NULL is never fired */
/* A descriptor that becomes readable (and stays so) once fired: for poll(); -1 for NULL. */
int cancel_fd(const struct cancel *c);
/* 0, or -1 with CANCELED "canceled". */
NODISCARD int cancel_check(const struct cancel *c, struct err *err);
/* Sleeps; returns -1 with CANCELED when fired meanwhile. */
NODISCARD int cancel_sleep_ms(const struct cancel *c, int timeout_ms, struct err *err);
