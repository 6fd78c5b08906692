/* tests/harness/shell.h - what the shell and other programs say, in the case's own folder. */
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/core/buf.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "tap.h"

/* What a script prints that runs in the case's folder, without the last line's end; the case fails
 * when the script does.  The result is the caller's. */
__attribute__((unused, format(printf, 1, 2))) static char *shell(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *script = xvasprintf(fmt, args);
    va_end(args);
    AUTO_FREE char *command =
        xasprintf("set -e; export LC_ALL=C TZ=UTC; cd %s; umask 022; %s", tap_dir(), script);
    struct buf out;
    buf_init(&out, 16 * MIB);
    FILE *pipe = popen(command, "r");
    char part[4096];
    for (size_t n; pipe && (n = fread(part, 1, sizeof part, pipe)) > 0;)
        buf_put(&out, span_bytes(part, n));
    int status = pipe ? pclose(pipe) : -1;
    buf_puts(&out, "");
    if (status)
        tap_fail(__FILE__, __LINE__, "status %d of: %s\n%s", status, script, out.data);
    if (out.len && out.data[out.len - 1] == '\n')
        out.data[out.len - 1] = '\0';
    return buf_take(&out);
}
#define RUN(...)                                                                                   \
    do {                                                                                           \
        AUTO_FREE char *ignored_ = shell(__VA_ARGS__);                                             \
    } while (0)

static inline bool has_program(const char *name)
{
    AUTO_FREE char *look = xasprintf("command -v %s >/dev/null 2>&1", name);
    return system(look) == 0;
}
