/* engine/sandbox/rootfs.c - a step's mounts, and the way into its root.
 *
 * What is bound is cloned while the init is still in kiln's mount namespace (rootfs_collect), since
 * a mount can only be cloned where it is; the clones are attached in the step's own one.  There:
 *
 *   a tmpfs on "/" (a mount there covers nobody who is inside already) holds the plan's files;
 *   the root file system goes on top of it; the mounts of /proc, /sys, /dev, then those of the
 *   plan; pivot_root, and all else is let go, the tmpfs included.
 *
 * Only the nodes that dev.c makes open a device: all else is mounted "nodev", since root has
 * CAP_MKNOD and an image may bring nodes along.
 *
 * Spec: pivot_root(2) 'pivot_root(".", ".")'.  Threads: one, as the whole launcher. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/sandbox/internal.h"

int rootfs_collect(struct step_job *job, struct err *err)
{
    const struct step_plan *p = &job->plan;
    if (tree_clone(p->root_fd, "", false, &job->root) < 0)
        return err_sys(err, "mount the root file system");
    job->sources = arena_alloc(job->arena, (p->n_mounts + 1) * sizeof *job->sources);
    for (size_t i = 0; i < p->n_mounts; i++) {
        const struct step_mount *m = &p->mounts[i];
        job->sources[i] = -1;
        if (m->type == STEP_BIND && tree_clone(m->source_fd, "", true, &job->sources[i]) < 0)
            return err_sys(err, "mount on %s", m->dest);
    }
    return 0;
}

/* A tmpfs over "/", out of everybody's sight but through *out. */
static int staging_mount(int *out, struct err *err)
{
    AUTO_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_sys(err, "mount a tmpfs for files");
    AUTO_FD int tree =
        fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (tree < 0 || move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_sys(err, "mount a tmpfs for files");
    *out = STEAL_FD(tree);
    return 0;
}

/* A file with the mount's content in the staging tmpfs. */
static int file_stage(int staging, const char *name, const struct step_mount *m, struct err *err)
{
    AUTO_FD int fd = -1;
    if (fs_open(staging, name, O_CREAT | O_EXCL | O_WRONLY, 0600, &fd, err) < 0 ||
        fs_write_all(fd, m->content, err) < 0)
        return -1;
    if (fchown(fd, m->uid, m->gid) < 0)
        return err_sys(err, "give it to %u:%u", m->uid, m->gid);
    return fchmod(fd, m->mode ? m->mode & 07777 : 0400) < 0 ? err_sys(err, "set its mode") : 0;
}

static int mount_file(int staging, size_t i, const struct step_mount *m, int target,
                      struct err *err)
{
    char name[32];
    snprintf(name, sizeof name, "%zu", i);
    if (file_stage(staging, name, m, err) < 0)
        return err_wrap(err, "mount a file on %s", m->dest);
    return bind_on(staging, name, target, m->is_readonly) < 0
               ? err_sys(err, "mount a file on %s", m->dest)
               : 0;
}

static int mount_tmpfs(const struct step_mount *m, int target, struct err *err)
{
    char data[64];
    int len = snprintf(data, sizeof data, "mode=%o", m->mode ? m->mode & 07777 : 01777U);
    if (m->size > 0)
        snprintf(data + len, sizeof data - (size_t)len, ",size=%ju", (uintmax_t)m->size);
    unsigned long flags = MS_NOSUID | MS_NODEV | (m->is_readonly ? MS_RDONLY : 0);
    return mount_on(target, "tmpfs", flags, data) < 0 ? err_sys(err, "mount tmpfs on %s", m->dest)
                                                      : 0;
}

static bool is_folder(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int mount_source(const struct step_job *job, int source, const struct step_mount *m,
                        int target, struct err *err)
{
    if (tree_attach(source, target) < 0 ||
        (!job->plan.is_insecure && !m->is_device && tree_forbid_devices(source, true) < 0) ||
        (m->is_readonly && tree_make_readonly(source, true) < 0))
        return err_sys(err, "mount on %s", m->dest);
    return 0;
}

static int mount_one(struct step_job *job, int staging, size_t i, struct err *err)
{
    const struct step_mount *m = &job->plan.mounts[i];
    bool is_dir = m->type == STEP_TMPFS || (m->type == STEP_BIND && is_folder(job->sources[i]));
    AUTO_FD int target = -1;
    if (point_open(job->root, m->dest, is_dir, NULL, &target, err) < 0)
        return err_wrap(err, "mount on %s", m->dest);
    switch (m->type) {
    case STEP_BIND:
        return mount_source(job, job->sources[i], m, target, err);
    case STEP_TMPFS:
        return mount_tmpfs(m, target, err);
    case STEP_FILE:
        return mount_file(staging, i, m, target, err);
    }
    return err_set(err, ERR_INVALID, "mount on %s: no such type %d", m->dest, (int)m->type);
}

/* True when nothing is mounted over our root, where ".." of it would lead. */
static bool is_root_bare(void)
{
    struct statx root, above;
    unsigned wanted = STATX_INO | STATX_MNT_ID;
    if (statx(AT_FDCWD, "/", 0, wanted, &root) < 0 || statx(AT_FDCWD, "/..", 0, wanted, &above) < 0)
        return false;
    if ((root.stx_mask & above.stx_mask & STATX_MNT_ID) && root.stx_mnt_id != above.stx_mnt_id)
        return false;
    return root.stx_ino == above.stx_ino && root.stx_dev_major == above.stx_dev_major &&
           root.stx_dev_minor == above.stx_dev_minor;
}

/* The old root now lies over the new one, and over that what was mounted on it, the staging tmpfs
 * at least: each umount(2) takes the uppermost. */
static int pivot(int root, struct err *err)
{
    if (fchdir(root) < 0)
        return err_sys(err, "enter the root file system");
    if (syscall(SYS_pivot_root, ".", ".") < 0) {
        err_sys(err, "make it the root file system");
        return err_hint(err, "kiln itself must not run in a chroot or an initramfs");
    }
    enum { STAGING_AND_OLD_ROOT = 2, MOST = 16 };
    for (int i = 0; i < STAGING_AND_OLD_ROOT || (i < MOST && !is_root_bare()); i++) {
        if (umount2(".", MNT_DETACH) < 0)
            return err_sys(err, "leave the old root file system");
    }
    if (chdir("/") < 0 || !is_root_bare())
        return err_set(err, ERR_SYSTEM, "leave the old root file system: it is still there");
    return 0;
}

int rootfs_enter(struct step_job *job, struct err *err)
{
    AUTO_FD int staging = -1;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(err, "make mounts private");
    if (staging_mount(&staging, err) < 0)
        return -1;
    if (tree_attach(job->root, staging) < 0 ||
        (!job->plan.is_insecure && tree_forbid_devices(job->root, false) < 0))
        return err_sys(err, "mount the root file system");
    if (kernel_mount(job, err) < 0 || dev_mount(job, err) < 0 ||
        (!job->plan.is_insecure && kernel_mask(job, err) < 0))
        return -1;
    for (size_t i = 0; i < job->plan.n_mounts; i++) {
        if (mount_one(job, staging, i, err) < 0)
            return -1;
        fd_close(&job->sources[i]);
    }
    if (job->plan.has_terminal && terminal_open(job, err) < 0)
        return -1;
    if (job->plan.is_root_readonly && tree_make_readonly(job->root, false) < 0)
        return err_sys(err, "make the root file system read-only");
    return pivot(job->root, err);
}
