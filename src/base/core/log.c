/* base/core/log.c - one line, one write(2): lines of several threads do not mix. */
#include "base/core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_int current_level = LOG_WARN;

void log_set_level(enum log_level level)
{
    atomic_store(&current_level, (int)level);
}

bool log_is_on(enum log_level level)
{
    return (int)level <= atomic_load(&current_level);
}

void log_event(enum log_level level, const char *room, const char *fmt, ...)
{
    if (!log_is_on(level))
        return;
    static const char *const names[] = {
        [LOG_ERROR] = "error",
        [LOG_WARN] = "warn",
        [LOG_INFO] = "info",
        [LOG_DEBUG] = "debug",
    };
    int saved = errno;
    char line[2048];
    size_t len = (size_t)snprintf(line, sizeof line, "%s %.64s ", names[level], room);
    va_list args;
    va_start(args, fmt);
    int more = vsnprintf(line + len, sizeof line - len, fmt, args);
    va_end(args);
    if (more > 0)
        len += (size_t)more;
    if (len > sizeof line - 1)
        len = sizeof line - 1;
    /* A value from outside must not be able to write a line of its own or to steer a terminal. */
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' ';
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        errno = saved; /* nobody can be told */
    errno = saved;
}
