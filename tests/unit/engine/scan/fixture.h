/* tests/unit/engine/scan/fixture.h - root file systems made by scripts, and what is found there. */
#pragma once
#include <fcntl.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/scan/scan.h"
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
    AUTO_FREE char *path = xasprintf("%s/script", tap_dir());
    AUTO_FREE char *whole =
        xasprintf("set -e; export LC_ALL=C TZ=UTC; cd %s; umask 022\n%s\n", tap_dir(), script);
    AUTO_FREE char *command = xasprintf("bash %s", path);
    struct buf out;
    buf_init(&out, 64 * MIB);
    if (fs_write_file(AT_FDCWD, path, span_of(whole), 0600, false, &err))
        abort();
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

__attribute__((unused)) static bool has_program(const char *name)
{
    AUTO_FREE char *look = xasprintf("command -v %s >/dev/null 2>&1", name);
    return system(look) == 0;
}

/* Scans the folder "root". */
static int scan_folder(struct scan_result *out)
{
    AUTO_FREE char *path = xasprintf("%s/root", tap_dir());
    AUTO_FD int fd = -1;
    err_clear(&err);
    *out = (struct scan_result){ 0 };
    return fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &fd, &err) ||
                   scan_root(fd, NULL, out, &err)
               ? -1
               : 0;
}

/* All of it as text: `columns` of p purl, n name, v version, a architecture, l license, s supplier,
 * o origin; then what could not be read.  The case fails when the scan does. */
static char *found(const char *columns)
{
    AUTO_VALUE(scan_result_clear) struct scan_result r = { 0 };
    struct buf out;
    buf_init(&out, 64 * MIB);
    buf_puts(&out, "");
    if (scan_folder(&r))
        tap_fail(__FILE__, __LINE__, "scan: %s", err.text);
    vec_each (&r.packages, p)
        for (const char *c = columns; *c; c++) {
            const char *text = *c == 'p'   ? p->purl
                               : *c == 'n' ? p->name
                               : *c == 'v' ? p->version
                               : *c == 'a' ? p->arch
                               : *c == 'l' ? p->license
                               : *c == 's' ? p->supplier
                                           : p->origin;
            buf_printf(&out, "%s%s", text ? text : "-", c[1] ? " " : "\n");
        }
    vec_each (&r.unread, line)
        buf_printf(&out, "unread %s\n", *line);
    if (out.len)
        out.data[--out.len] = '\0';
    return buf_take(&out);
}

/* Writes a text into the case's folder. */
__attribute__((unused)) static void keep(const char *name, const char *text)
{
    AUTO_FREE char *path = xasprintf("%s/%s", tap_dir(), name);
    if (fs_write_file(AT_FDCWD, path, span_of(text), 0644, false, &err))
        tap_fail(__FILE__, __LINE__, "%s", err.text);
}
