/* tests/unit/base/codec/witness.h - other programs as witnesses: files in tap_dir() and their
 * output. */
#pragma once
#include "base/core/buf.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/core/span.h"
#include "tap.h"

__attribute__((unused)) static bool has_program(const char *name)
{
    AUTO_FREE char *command = xasprintf("command -v %s >/dev/null 2>&1", name);
    return system(command) == 0;
}

/* Writes `bytes` to tap_dir()/name; returns the path, owned by the caller. */
__attribute__((unused)) static char *put_file(const char *name, struct span bytes)
{
    char *path = xasprintf("%s/%s", tap_dir(), name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes.ptr ? bytes.ptr : "", 1, bytes.len, f) != bytes.len || fclose(f) != 0)
        abort();
    return path;
}

/* What a shell command prints; its exit status in *status.  Owned by the caller. */
__attribute__((unused)) static struct buf run(const char *command, int *status)
{
    struct buf b;
    buf_init(&b, (size_t)(256 * MIB));
    FILE *f = popen(command, "r");
    if (!f)
        abort();
    for (size_t n = 1; n > 0; buf_grown(&b, n))
        n = fread(buf_reserve(&b, 65536), 1, 65536, f);
    *status = pclose(f);
    return b;
}
