/* engine/export/sink.c - a file that appears when it is whole, or stdout. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/export/internal.h"

/* Devices and pipes are written to as they are: a rename would replace /dev/null. */
static int open_special(const char *dest, struct sink *out, bool *is_special, struct err *err)
{
    struct stat st;
    *is_special = stat(dest, &st) == 0 && !S_ISREG(st.st_mode);
    if (!*is_special)
        return 0;
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "write %s: that is a folder", dest);
    if (fs_open(AT_FDCWD, dest, O_WRONLY, 0, &out->fd, err))
        return -1;
    out->writer = writer_to_fd(out->fd, false);
    return 0;
}

static int open_stdout(struct sink *out, struct err *err)
{
    if (isatty(STDOUT_FILENO)) {
        err_set(err, ERR_INVALID, "write to stdout: that is a terminal");
        return err_hint(err, "redirect it, or give dest=FILE");
    }
    out->writer = writer_to_fd(STDOUT_FILENO, false);
    return 0;
}

int sink_open(const char *dest, struct sink *out, struct err *err)
{
    bool is_special = false;
    *out = (struct sink){ .fd = -1 };
    if (strcmp(dest, "-") == 0)
        return open_stdout(out, err);
    if (open_special(dest, out, &is_special, err) || is_special)
        return err->kind ? -1 : 0;
    out->path = xstrdup(dest);
    out->temporary = xasprintf("%s.kiln-%ld", dest, (long)getpid());
    if (fs_open(AT_FDCWD, out->temporary, O_WRONLY | O_CREAT | O_EXCL, 0644, &out->fd, err)) {
        free(out->temporary);
        out->temporary = NULL; /* it is not ours */
        return -1;
    }
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
    if (s->fd >= 0)
        close(s->fd);
    if (s->temporary)
        unlink(s->temporary);
    free(s->temporary);
    free(s->path);
    errno = saved;
}
