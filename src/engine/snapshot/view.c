/* engine/snapshot/view.c - looking into a snapshot; see snapshot.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/sys/fs.h"
#include "engine/snapshot/driver.h"

int view_open(struct snapshots *all, struct snapshot *s, const struct cancel *cancel,
              struct view **out, struct err *err)
{
    AUTO(view_close) struct view *v = xcalloc(1, sizeof *v);
    *v = (struct view){ .all = all, .of = snapshot_ref(s), .fd = -1 };
    if (all->driver->view_open(v, cancel, err) ||
        fs_open(AT_FDCWD, v->path, O_RDONLY | O_DIRECTORY, 0, &v->fd, err))
        return err_wrap(err, "look into %s", s ? s->id : "scratch");
    *out = STEAL(v);
    return 0;
}

const char *view_path(const struct view *v)
{
    return v->path;
}

int view_fd(const struct view *v)
{
    return v->fd;
}

void view_close(struct view *v)
{
    if (!v)
        return;
    int code = errno;
    auto_close_fd(&v->fd);
    v->all->driver->view_close(v);
    snapshot_unref(v->of);
    free(v->path);
    free(v);
    errno = code;
}
