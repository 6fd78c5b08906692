/* engine/export/sink.c - a file that appears when it is whole, or stdout. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "engine/export/internal.h"

int sink_open(const char *dest, struct sink *out, struct err *err)
{
    *out = (struct sink){ .fd = STDOUT_FILENO };
    if (strcmp(dest, "-") == 0) {
        if (isatty(STDOUT_FILENO)) {
            err_set(err, ERR_INVALID, "write to stdout: that is a terminal");
            return err_hint(err, "redirect it, or give dest=FILE");
        }
        out->writer = writer_to_fd(STDOUT_FILENO, false);
        return 0;
    }
    out->path = xstrdup(dest);
    out->temporary = xasprintf("%s.kiln-%ld", dest, (long)getpid());
    out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (out->fd < 0)
        return err_sys(err, "create %s", out->temporary);
    out->writer = writer_to_fd(out->fd, false);
    return 0;
}

int sink_commit(struct sink *s, struct err *err)
{
    if (writer_finish(s->writer, err))
        return -1;
    if (!s->path)
        return 0;
    if (fsync(s->fd) < 0 || rename(s->temporary, s->path) < 0)
        return err_sys(err, "write %s", s->path);
    free(s->temporary);
    s->temporary = NULL;
    return 0;
}

void sink_close(struct sink *s)
{
    int saved = errno;
    writer_close(s->writer);
    if (s->path && s->fd >= 0)
        close(s->fd);
    if (s->temporary)
        unlink(s->temporary);
    free(s->temporary);
    free(s->path);
    errno = saved;
}
