/* tests/unit/engine/ops/fixture.h - roots and contexts made by the shell in the case's own folder.
 */
#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/ops/internal.h"
#include "tap.h"

static struct err err;

/* What a script prints that runs in the case's folder, without the last line's end; the case fails
 * when the script does.  The result is the caller's. */
__attribute__((unused, format(printf, 1, 2))) static char *shell(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *script = xvasprintf(fmt, args);
    va_end(args);
    AUTO_FREE char *command =
        xasprintf("set -e; export LC_ALL=C; cd %s; umask 022; %s", tap_dir(), script);
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

/* The folder `name` of the case, open; closed by the caller. */
__attribute__((unused)) static int folder(const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", tap_dir(), name);
    int fd = -1;
    EXPECT_OK(fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &fd, &err), &err);
    return fd;
}

/* As COPY makes it. */
__attribute__((unused)) static struct op_action copy_action(const char *dest)
{
    return (struct op_action){ .type = ACTION_COPY,
                               .path = dest,
                               .mode = MODE_KEEP,
                               .mode_text = "",
                               .timestamp_ns = TIMESTAMP_NONE,
                               .follows_symlinks = true,
                               .copies_dir_contents = true,
                               .creates_dest_path = true };
}
