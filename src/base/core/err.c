/* base/core/err.c - building error texts.
 *
 * Every text is put together aside and copied, so that an argument may be the old text itself. */
#include "base/core/err.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>

#ifdef __clang_analyzer__ /* see the header */
#undef err_set
#undef err_sys
#undef err_wrap
#undef err_hint
#endif

/* The text of `code` in C's language, whatever the locale, and in the house's lower case. */
static void sys_text(int code, char *text, size_t size)
{
    const char *description = strerrordesc_np(code);
    if (!description) {
        snprintf(text, size, "error %d", code);
        return;
    }
    snprintf(text, size, "%s", description);
    if (isupper((unsigned char)text[0]) && islower((unsigned char)text[1]))
        text[0] = (char)tolower((unsigned char)text[0]);
}

static enum err_kind sys_kind(int code)
{
    switch (code) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_SYSTEM;
    }
}

/* "HEAD: TAIL", cut to what fits; a cut text ends in "...". */
static void join(char *text, size_t size, const char *head, const char *tail)
{
    int len = snprintf(text, size, "%s: %s", head, tail);
    if (len >= 0 && (size_t)len >= size)
        memcpy(text + size - 4, "...", 4);
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len >= (int)sizeof text)
        memcpy(text + sizeof text - 4, "...", 4);
    err->kind = kind;
    err->sys = 0;
    err->hint[0] = '\0';
    memcpy(err->text, text, sizeof text);
    return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
    int code = errno;
    char head[ERR_TEXT_MAX], why[128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(head, sizeof head, fmt, args);
    va_end(args);
    sys_text(code, why, sizeof why);
    err->kind = sys_kind(code);
    err->sys = code;
    err->hint[0] = '\0';
    join(err->text, sizeof err->text, head, why);
    errno = code;
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char head[ERR_TEXT_MAX], text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(head, sizeof head, fmt, args);
    va_end(args);
    join(text, sizeof text, head, err->text);
    memcpy(err->text, text, sizeof text);
    return -1;
}

int err_hint(struct err *err, const char *fmt, ...)
{
    char hint[ERR_HINT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(hint, sizeof hint, fmt, args);
    va_end(args);
    memcpy(err->hint, hint, sizeof hint);
    return -1;
}

void err_clear(struct err *err)
{
    err->kind = ERR_NONE;
    err->sys = 0;
    err->text[0] = err->hint[0] = '\0';
}

const char *err_kind_name(enum err_kind kind)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",         [ERR_NOT_FOUND] = "not found",
        [ERR_EXISTS] = "exists",     [ERR_DENIED] = "denied",
        [ERR_INVALID] = "invalid",   [ERR_CORRUPT] = "corrupt",
        [ERR_LIMIT] = "limit",       [ERR_NETWORK] = "network",
        [ERR_TIMEOUT] = "timeout",   [ERR_UNSUPPORTED] = "unsupported",
        [ERR_CANCELED] = "canceled", [ERR_SYSTEM] = "system",
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}
