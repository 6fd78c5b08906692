/* engine/sandbox/mount.c - mounting onto open descriptors, so that no path is resolved twice.
 *
 * Targets are opened inside the root (point.c) and reached by mount(2) as /proc/self/fd/N, which
 * names the very file that was opened.  Spec: mount(2), open_tree(2), move_mount(2) (Linux 5.2),
 * mount_setattr(2) (5.12; older kernels get a remount). */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "engine/sandbox/internal.h"

struct fd_path {
    char s[32];
};
static struct fd_path fd_path(int fd)
{
    struct fd_path p;
    snprintf(p.s, sizeof p.s, "/proc/self/fd/%d", fd);
    return p;
}

int mount_on(int target_fd, const char *type, unsigned long flags, const char *data)
{
    return mount(type, fd_path(target_fd).s, type, flags, data);
}

int tree_clone(int dir_fd, const char *path, bool is_recursive, int *out)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
    *out = open_tree(dir_fd, path, is_recursive ? flags | AT_RECURSIVE : flags);
    return *out < 0 ? -1 : 0;
}

int tree_attach(int tree_fd, int target_fd)
{
    return move_mount(tree_fd, "", target_fd, "",
                      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* What a remount has to repeat, else it would be taken away (and may not, in a user namespace). */
static unsigned long kept_flags(int fd)
{
    struct statvfs st;
    if (fstatvfs(fd, &st) < 0)
        return 0;
    static const struct {
        unsigned long has, flag;
    } rows[] = {
        { ST_RDONLY, MS_RDONLY },     { ST_NOSUID, MS_NOSUID },   { ST_NODEV, MS_NODEV },
        { ST_NOEXEC, MS_NOEXEC },     { ST_NOATIME, MS_NOATIME }, { ST_NODIRATIME, MS_NODIRATIME },
        { ST_RELATIME, MS_RELATIME },
    };
    unsigned long flags = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (st.f_flag & rows[i].has)
            flags |= rows[i].flag;
    }
    return flags;
}

/* Sets one attribute: `attr` is the new call's, `flag` the old one's. */
static int tree_set(int tree_fd, bool is_recursive, uint64_t attr_set, unsigned long flag)
{
    struct mount_attr attr = { .attr_set = attr_set };
    unsigned flags = AT_EMPTY_PATH | (is_recursive ? AT_RECURSIVE : 0);
    if (mount_setattr(tree_fd, "", flags, &attr, sizeof attr) == 0)
        return 0;
    if (errno != ENOSYS)
        return -1;
    return mount(NULL, fd_path(tree_fd).s, NULL, MS_REMOUNT | MS_BIND | flag | kept_flags(tree_fd),
                 NULL);
}

int tree_make_readonly(int tree_fd, bool is_recursive)
{
    return tree_set(tree_fd, is_recursive, MOUNT_ATTR_RDONLY, MS_RDONLY);
}

int tree_forbid_devices(int tree_fd, bool is_recursive)
{
    return tree_set(tree_fd, is_recursive, MOUNT_ATTR_NODEV, MS_NODEV);
}

int bind_on(int source_fd, const char *path, int target_fd, bool is_readonly)
{
    AUTO_FD int tree = -1;
    if (tree_clone(source_fd, path, true, &tree) < 0 || tree_attach(tree, target_fd) < 0)
        return -1;
    return is_readonly ? tree_make_readonly(tree, true) : 0;
}
