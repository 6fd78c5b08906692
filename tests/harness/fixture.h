/* tests/harness/fixture.h - files of tests/fixtures/<folder>. */
#pragma once
#include <dirent.h>

#include "base/core/buf.h"
#include "base/core/mem.h"
#include "base/core/span.h"
#include "tap.h"

__attribute__((unused)) static char *fixture_path(const char *folder, const char *name)
{
    const char *root = getenv("KILN_FIXTURES");
    return xasprintf("%s/%s/%s", root ? root : "tests/fixtures", folder, name);
}

/* The whole file, owned by the caller; aborts when it is not there. */
__attribute__((unused)) static struct span fixture_read(const char *folder, const char *name)
{
    AUTO_FREE char *path = fixture_path(folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "fixture %s: cannot be opened\n", path);
        abort();
    }
    char *bytes = xmalloc(1 << 20);
    size_t len = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    if (len == 1 << 20)
        abort(); /* a fixture is small */
    return span_bytes(bytes, len);
}

/* Calls `use` with each file whose name starts with `prefix`; returns their number. */
__attribute__((unused)) static int fixture_each(const char *folder, const char *prefix,
                                                void (*use)(const char *name, struct span bytes))
{
    AUTO_FREE char *path = fixture_path(folder, "");
    DIR *d = opendir(path);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
            continue;
        struct span bytes = fixture_read(folder, e->d_name);
        use(e->d_name, bytes);
        free((void *)(uintptr_t)bytes.ptr);
        n++;
    }
    if (d)
        closedir(d);
    return n;
}
