/* base/core/log.h - events for people who look for a reason: `level room message key=value`.
 *
 * Lines go to stderr.  Logging changes no behaviour.  The level is the program's only mutable
 * global beside the signal flag. */
#pragma once
#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* starts as LOG_WARN */
bool log_is_on(enum log_level level);
/* log_event(LOG_DEBUG, "solver", "cache miss vertex=%s", name) */
void log_event(enum log_level level, const char *room, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
