/* tests/unit/engine/source/fixture.h - trees made by the shell in the case's own folder. */
#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/tree.h"
#include "tap.h"

static struct err err;

/* Runs a script in the case's folder; the case fails when it does. */
__attribute__((unused, format(printf, 1, 2))) static void shell(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *script = xvasprintf(fmt, args);
    va_end(args);
    AUTO_FREE char *command = xasprintf("set -e; cd %s; umask 022; %s", tap_dir(), script);
    int status = system(command);
    if (status)
        tap_fail(__FILE__, __LINE__, "status %d of: %s", status, command);
}

/* The folder `name` of the case as a build context. */
__attribute__((unused)) static struct tree *context(struct store *st, const char *name,
                                                    const struct pattern_list *ignore)
{
    struct tree *t = NULL;
    AUTO_FREE char *path = xasprintf("%s/%s", tap_dir(), name);
    err_clear(&err);
    EXPECT_OK(tree_of_context(st, path, ignore, &t, &err), &err);
    return t;
}

/* Lines separated by blanks, as of an ignore file. */
__attribute__((unused)) static struct pattern_list *patterns(const char *text)
{
    struct pattern_list *l = NULL;
    AUTO_VALUE(str_list_clear) struct str_list lines = { 0 };
    struct span rest = span_of(text);
    while (rest.ptr && rest.len)
        str_list_take(&lines, span_dup(span_cut(&rest, ' ')));
    EXPECT_OK(pattern_list_of((const char *const *)lines.items, lines.n, &l, &err), &err);
    return l;
}
