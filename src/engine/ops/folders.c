/* engine/ops/folders.c - the way to what a file operation makes: folders, symlinks, times.
 *
 * Symlinks lead inside the root; one that leads nowhere is followed all the same, and what it names
 * is made. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/ops/internal.h"

enum { LINKS_MAX = 40 }; /* as the kernel */

int set_time(int dir_fd, const char *name, struct timespec t, struct err *err)
{
    struct timespec times[2] = { t, t };
    if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "set the time of %s", name);
    return 0;
}

int set_timestamp(int dir_fd, const char *name, int64_t timestamp_ns, struct err *err)
{
    if (timestamp_ns == TIMESTAMP_NONE)
        return 0;
    struct timespec t = timespec_of(timestamp_ns);
    return set_time(dir_fd, name, t, err) || set_time(dir_fd, ".", t, err) ? -1 : 0;
}

struct timespec timespec_of(int64_t timestamp_ns)
{
    return (struct timespec){ .tv_sec = timestamp_ns / 1000000000,
                              .tv_nsec = timestamp_ns % 1000000000 };
}

/* Where the symlink `name` in the folder `parent` points to; NULL when it is none. */
static char *link_target(int root_fd, const char *parent, const char *name)
{
    AUTO_FD int fd = -1;
    AUTO_FREE char *target = NULL;
    struct err absent = { 0 };
    if (fs_open_in_root(root_fd, *parent ? parent : "/", O_PATH | O_DIRECTORY, 0, &fd, &absent) ||
        fs_read_link(fd, name, &target, &absent))
        return NULL;
    AUTO_FREE char *joined =
        target[0] == '/' ? xstrdup(target) : xasprintf("%s/%s", parent, target);
    return pattern_clean(span_of(joined));
}

char *follow_links(int root_fd, const char *path)
{
    AUTO_FREE char *rooted = xasprintf("/%s", path);
    char *at = pattern_clean(span_of(rooted));
    for (int n = 0; n < LINKS_MAX; n++) {
        const char *slash = strrchr(at, '/');
        AUTO_FREE char *folder = xstrndup(at, (size_t)(slash - at));
        char *target = link_target(root_fd, folder, slash + 1);
        if (!target)
            break;
        free(at);
        at = target;
    }
    return at;
}

/* Makes `name` in the folder `parent`, which had none.  A forced time of the parent is set again.
 */
static int make_one(int root_fd, const char *parent, const char *name, const struct new_folder *f,
                    struct err *err)
{
    AUTO_FD int fd = -1;
    if (fs_open_in_root(root_fd, *parent ? parent : "/", O_RDONLY | O_DIRECTORY, 0, &fd, err))
        return -1;
    if (mkdirat(fd, name, 0700) < 0)
        return err_sys(err, "make %s", name);
    if (node_set_attributes(fd, name, f->owner.uid, f->owner.gid, f->mode, err))
        return -1;
    return set_timestamp(fd, name, f->timestamp_ns, err);
}

static int make_all(int root_fd, const char *path, const struct new_folder *f, int n_links,
                    struct err *err)
{
    AUTO_FREE char *done = xstrdup("");
    struct span rest = span_of(path);
    while (rest.ptr && rest.len > 0) {
        struct span part = span_cut(&rest, '/');
        if (part.len == 0 || span_is(part, "."))
            continue;
        AUTO_FREE char *parent = STEAL(done);
        AUTO_FREE char *name = span_dup(part);
        done = xasprintf("%s/%s", parent, name);
        AUTO_FD int fd = -1;
        if (fs_open_in_root(root_fd, done, O_PATH | O_DIRECTORY, 0, &fd, err) == 0)
            continue;
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        AUTO_FREE char *target = link_target(root_fd, parent, name);
        if (target && n_links == LINKS_MAX)
            return -1;
        err_clear(err);
        if (target ? make_all(root_fd, target, f, n_links + 1, err)
                   : make_one(root_fd, parent, name, f, err))
            return -1;
    }
    return 0;
}

int make_folders(int root_fd, const char *path, const struct new_folder *f, struct err *err)
{
    if (make_all(root_fd, path, f, 0, err))
        return err_wrap(err, "make the folder %s", path);
    return 0;
}
