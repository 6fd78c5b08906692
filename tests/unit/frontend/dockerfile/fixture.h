/* tests/unit/frontend/dockerfile/fixture.h - files of tests/fixtures/dockerfile. */
#pragma once
#include <dirent.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/core/span.h"
#include "tap.h"

__attribute__((unused)) static char *fixture_path(const char *name)
{
    const char *root = getenv("KILN_FIXTURES");
    return xasprintf("%s/dockerfile/%s", root ? root : "tests/fixtures", name);
}

/* The whole file, owned by the caller; NULL when it is not there. */
__attribute__((unused)) static char *fixture_read(const char *name, size_t *len)
{
    AUTO_FREE char *path = fixture_path(name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *bytes = xcalloc(1, MIB + 1);
    *len = fread(bytes, 1, MIB, f);
    fclose(f);
    return bytes;
}

/* Calls `use` for each file of `folder` ("" or "convert/") whose name starts with `prefix` and ends
 * with ".Dockerfile"; their number. */
__attribute__((unused)) static int fixture_each(const char *folder, const char *prefix,
                                                void (*use)(const char *name, struct span text))
{
    AUTO_FREE char *path = fixture_path(folder);
    DIR *d = opendir(path);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct span name = span_of(e->d_name);
        if (!span_starts(name, prefix) || !span_ends(name, ".Dockerfile"))
            continue;
        size_t len;
        AUTO_FREE char *file = xasprintf("%s%s", folder, e->d_name);
        AUTO_FREE char *text = fixture_read(file, &len);
        use(e->d_name, span_bytes(text, len));
        n++;
    }
    if (d)
        closedir(d);
    return n;
}
