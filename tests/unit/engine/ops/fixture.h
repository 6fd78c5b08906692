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
#include "shell.h"

static struct err err;

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
