/* engine/snapshot/mount.c - see mount.h.
 *
 * The options: no index and no redirects, so that a layer is a plain folder which can be a layer of
 * another mount (the kernel then answers EXDEV when a folder of a lower layer is renamed, and
 * programs copy); no metacopy, so that a file in the upper folder is whole; volatile, because what
 * a step does not sync itself need not be synced for it. */
#include "engine/snapshot/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/core/buf.h"
#include "base/core/mem.h"
#include "base/core/pool.h"

/* ---- the new way ---- */

static int set_path(const struct overlay_mount *m, int fs, const char *key, const char *path)
{
    AUTO_FREE char *full = xasprintf("/proc/self/fd/%d/%s", m->base_fd, path);
    return fsconfig(fs, FSCONFIG_SET_STRING, key, full, 0);
}

static int configure(const struct overlay_mount *m, int fs, bool is_volatile)
{
    for (size_t i = 0; i < m->n_lowers; i++)
        if (set_path(m, fs, "lowerdir+", m->lowers[i]))
            return -1;
    if (m->upper && (set_path(m, fs, "upperdir", m->upper) || set_path(m, fs, "workdir", m->work)))
        return -1;
    if (m->is_user) {
        if (fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0))
            return -1;
    } else if (fsconfig(fs, FSCONFIG_SET_STRING, "redirect_dir", "nofollow", 0) ||
               fsconfig(fs, FSCONFIG_SET_STRING, "metacopy", "off", 0)) {
        return -1;
    }
    if (is_volatile && fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0))
        return -1;
    if (fsconfig(fs, FSCONFIG_SET_STRING, "index", "off", 0))
        return -1;
    return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

static int mount_new(const struct overlay_mount *m)
{
    AUTO_FD int fs = fsopen("overlay", FSOPEN_CLOEXEC);
    if (fs < 0 || configure(m, fs, m->upper != NULL))
        return -1;
    AUTO_FD int mounted = fsmount(fs, FSMOUNT_CLOEXEC, m->upper ? 0 : MOUNT_ATTR_RDONLY);
    if (mounted < 0)
        return -1;
    return move_mount(mounted, "", AT_FDCWD, m->target, MOVE_MOUNT_F_EMPTY_PATH);
}

/* ---- the old way ---- */

struct old_mount {
    const struct overlay_mount *m;
    const char *options;
    int code; /* errno */
};

static void mount_old_thread(void *arg)
{
    struct old_mount *o = arg;
    const struct overlay_mount *m = o->m;
    o->code = 0;
    if (unshare(CLONE_FS) || fchdir(m->base_fd) ||
        mount("overlay", m->target, "overlay", m->upper ? 0 : MS_RDONLY, o->options))
        o->code = errno;
}

static void print_options(const struct overlay_mount *m, bool is_volatile, struct buf *out)
{
    buf_puts(out,
             m->is_user ? "userxattr,index=off" : "index=off,redirect_dir=nofollow,metacopy=off");
    if (is_volatile)
        buf_puts(out, ",volatile");
    if (m->upper)
        buf_printf(out, ",upperdir=%s,workdir=%s", m->upper, m->work);
    for (size_t i = 0; i < m->n_lowers; i++)
        buf_printf(out, "%s%s", i == 0 ? ",lowerdir=" : ":", m->lowers[i]);
}

static int mount_old(const struct overlay_mount *m, bool is_volatile, int *code, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf options;
    buf_init(&options, 1 << 20);
    print_options(m, is_volatile, &options);
    if (options.len >= (size_t)sysconf(_SC_PAGESIZE)) {
        err_set(err, ERR_LIMIT, "mount %zu layers: more than this kernel takes", m->n_lowers);
        return err_hint(err, "Linux 6.8 and newer take 500 layers; or join layers (--squash)");
    }
    struct old_mount o = { .m = m, .options = options.data };
    struct thread *t = NULL;
    if (thread_start(&t, "mount", mount_old_thread, &o, err))
        return -1;
    thread_join(t);
    *code = o.code;
    return 0;
}

int overlay_mount(const struct overlay_mount *m, struct err *err)
{
    if (!m->is_old && mount_new(m) == 0)
        return 0;
    int code = 0;
    /* "volatile" came with Linux 5.10. */
    if (mount_old(m, m->upper != NULL, &code, err) ||
        (code == EINVAL && m->upper && mount_old(m, false, &code, err)))
        return -1;
    if (code == 0)
        return 0;
    errno = code;
    err_sys(err, "mount an overlay of %zu layers on %s", m->n_lowers, m->target);
    if (code == EINVAL || code == ENODEV || code == EOPNOTSUPP || code == ENOSYS)
        err->kind = ERR_UNSUPPORTED;
    return -1;
}

void overlay_unmount(const char *target)
{
    int code = errno;
    umount2(target, MNT_DETACH);
    errno = code;
}
