/* engine/sandbox/dev.c - /dev, /proc and /sys of a step.
 *
 * Spec: runtime-spec config-linux.md "Default Devices", "Default Filesystems"; Docker's default
 * masked and read-only paths. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/sys/fs.h"
#include "engine/sandbox/internal.h"

/* ---- /dev ---- */

static const struct {
    const char *name;
    unsigned major, minor;
} devices[] = {
    { "null", 1, 3 }, { "zero", 1, 5 },   { "full", 1, 7 },
    { "tty", 5, 0 },  { "random", 1, 8 }, { "urandom", 1, 9 },
};
/* For steps that are trusted with everything: the host's, where it has them. */
static const char *const insecure_devices[] = {
    "fuse", "loop-control", "loop0", "loop1", "loop2", "loop3", "loop4", "loop5", "loop6", "loop7"
};

static int device_bind(int host_dev, int dev, const char *name)
{
    AUTO_FD int target = openat(dev, name, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0666);
    return target < 0 ? -1 : bind_on(host_dev, name, target, false);
}

/* Bound onto itself, a node stays a device when the folder around it allows no more of them. */
static int device_make(int dev, size_t i)
{
    if (mknodat(dev, devices[i].name, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) <
        0)
        return -1;
    AUTO_FD int target = openat(dev, devices[i].name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    return target < 0 ? -1 : bind_on(target, "", target, false);
}

/* A user namespace has no mknod(2) of devices: there the host's are bound. */
static int devices_make(int host_dev, int dev, struct err *err)
{
    bool may_mknod = true;
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        const char *name = devices[i].name;
        if (may_mknod && device_make(dev, i) == 0)
            continue;
        may_mknod = false;
        if (device_bind(host_dev, dev, name) < 0)
            return err_sys(err, "make /dev/%s", name);
    }
    return 0;
}

static void devices_add(int host_dev, int dev)
{
    for (size_t i = 0; i < sizeof insecure_devices / sizeof *insecure_devices; i++) {
        if (fs_exists(host_dev, insecure_devices[i]) &&
            device_bind(host_dev, dev, insecure_devices[i]) < 0)
            return; /* a convenience */
    }
}

static int links_make(int dev, struct err *err)
{
    static const char *const links[][2] = {
        { "/proc/self/fd", "fd" },       { "/proc/self/fd/0", "stdin" },
        { "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
        { "pts/ptmx", "ptmx" },
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        if (symlinkat(links[i][0], dev, links[i][1]) < 0)
            return err_sys(err, "make /dev/%s", links[i][1]);
    }
    return 0;
}

static int below_dev_mount(int dev, const char *name, const char *type, unsigned long flags,
                           const char *data, struct err *err)
{
    AUTO_FD int target = -1;
    if (mkdirat(dev, name, 0755) < 0)
        return err_sys(err, "make /dev/%s", name);
    if (fs_open(dev, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, &target, err) < 0)
        return -1;
    return mount_on(target, type, flags, data) < 0 ? err_sys(err, "mount %s on /dev/%s", type, name)
                                                   : 0;
}

static int pts_mount(int dev, const struct id_map *ids, struct err *err)
{
    /* Group 5 is "tty" everywhere; it may not exist here. */
    return below_dev_mount(dev, "pts", "devpts", MS_NOSUID | MS_NOEXEC,
                           ids->is_single || ids->n_ids <= 5
                               ? "newinstance,ptmxmode=0666,mode=0620"
                               : "newinstance,ptmxmode=0666,mode=0620,gid=5",
                           err);
}

int dev_mount(struct step_job *job, struct err *err)
{
    AUTO_FD int point = -1, dev = -1, host_dev = -1;
    if (point_open(job->root, "/dev", true, NULL, &point, err) < 0 ||
        fs_open(AT_FDCWD, "/dev", O_PATH | O_DIRECTORY, 0, &host_dev, err) < 0)
        return -1;
    if (mount_on(point, "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k") < 0)
        return err_sys(err, "mount tmpfs on /dev");
    if (fs_open_in_root(job->root, "dev", O_PATH | O_DIRECTORY, 0, &dev, err) < 0 ||
        devices_make(host_dev, dev, err) < 0 || links_make(dev, err) < 0 ||
        pts_mount(dev, &job->place->ids, err) < 0 ||
        below_dev_mount(dev, "shm", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV,
                        "mode=1777,size=65536k", err) < 0 ||
        below_dev_mount(dev, "mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL, err) < 0)
        return -1;
    if (job->plan.is_insecure)
        devices_add(host_dev, dev);
    else if (tree_forbid_devices(dev, false) < 0)
        return err_sys(err, "forbid more devices in /dev");
    return 0;
}

/* The step's terminal: the master goes to kiln, the other side stays in job->terminal. */
int terminal_open(struct step_job *job, struct err *err)
{
    AUTO_FD int master = -1;
    if (fs_open_in_root(job->root, "dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, &master, err) < 0)
        return err_wrap(err, "open a terminal");
    int unlock = 0;
    struct winsize size = { .ws_row = job->plan.rows ? job->plan.rows : 24,
                            .ws_col = job->plan.columns ? job->plan.columns : 80 };
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCSWINSZ, &size) < 0)
        return err_sys(err, "open a terminal");
    job->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (job->terminal < 0)
        return err_sys(err, "open a terminal");
    message_send(job->socket, &(struct step_message){ .type = STEP_TERMINAL }, master);
    return 0;
}

/* ---- /proc and /sys ---- */

enum { KERNEL_FLAGS = MS_NOSUID | MS_NOEXEC | MS_NODEV };

static int host_bind(const char *path, int target, bool is_readonly, struct err *err)
{
    AUTO_FD int host = -1;
    if (fs_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, &host, err) < 0)
        return -1;
    return bind_on(host, "", target, is_readonly) < 0 ? err_sys(err, "bind the host's %s", path)
                                                      : 0;
}

static int proc_mount(struct step_job *job, struct err *err)
{
    AUTO_FD int point = -1;
    if (point_open(job->root, "/proc", true, NULL, &point, err) < 0)
        return -1;
    if (!job->place->has_pid_namespace)
        return host_bind("/proc", point, false, err);
    return mount_on(point, "proc", KERNEL_FLAGS, NULL) < 0 ? err_sys(err, "mount proc on /proc")
                                                           : 0;
}

static int sys_mount(struct step_job *job, struct err *err)
{
    AUTO_FD int point = -1, cgroup = -1;
    if (point_open(job->root, "/sys", true, NULL, &point, err) < 0)
        return -1;
    unsigned long readonly = job->plan.is_insecure ? 0 : MS_RDONLY;
    if (mount_on(point, "sysfs", KERNEL_FLAGS | readonly, NULL) < 0) {
        if (errno != EPERM)
            return err_sys(err, "mount sysfs on /sys");
        /* A user namespace that does not own its network namespace may not mount a sysfs.  Where
         * there is none to bind either, a step does without. */
        if (host_bind("/sys", point, true, err) < 0)
            err_clear(err);
        return 0;
    }
    struct err ignored = { 0 }; /* tools read their limits there; without it they take the host's */
    if (job->place->has_cgroup2_mount &&
        fs_open_in_root(job->root, "sys/fs/cgroup", O_PATH | O_DIRECTORY, 0, &cgroup, &ignored) ==
            0 &&
        mount_on(cgroup, "cgroup2", KERNEL_FLAGS | readonly, NULL) < 0)
        return 0;
    return 0;
}

int kernel_mount(struct step_job *job, struct err *err)
{
    return proc_mount(job, err) < 0 ? -1 : sys_mount(job, err);
}

static const char *const masked[] = {
    "proc/asound",
    "proc/acpi",
    "proc/kcore",
    "proc/keys",
    "proc/latency_stats",
    "proc/timer_list",
    "proc/timer_stats",
    "proc/sched_debug",
    "proc/scsi",
    "sys/firmware",
    "sys/devices/virtual/powercap",
};
static const char *const readonly[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys",
                                        "proc/sysrq-trigger" };

static int mask(struct step_job *job, const char *path, struct err *err)
{
    AUTO_FD int fd = -1;
    struct stat st;
    if (fs_open_in_root(job->root, path, O_PATH | O_NOFOLLOW, 0, &fd, err) < 0) {
        err_clear(err); /* this kernel has none */
        return 0;
    }
    if (fstat(fd, &st) < 0)
        return err_sys(err, "mask /%s", path);
    bool is_masked = S_ISDIR(st.st_mode)
                         ? mount_on(fd, "tmpfs", MS_RDONLY | KERNEL_FLAGS, "size=0,mode=755") == 0
                         : bind_on(job->null, "", fd, false) == 0;
    return is_masked ? 0 : err_sys(err, "mask /%s", path);
}

static int protect(struct step_job *job, const char *path, struct err *err)
{
    AUTO_FD int fd = -1;
    if (fs_open_in_root(job->root, path, O_PATH | O_NOFOLLOW, 0, &fd, err) < 0) {
        err_clear(err);
        return 0;
    }
    return bind_on(fd, "", fd, true) < 0 ? err_sys(err, "make /%s read-only", path) : 0;
}

/* A "/proc" of the image that leads elsewhere would be masked elsewhere. */
static int expect_proc(struct step_job *job, struct err *err)
{
    AUTO_FD int fd = -1;
    struct statfs st;
    if (fs_open_in_root(job->root, "proc", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err) < 0 ||
        fstatfs(fd, &st) < 0 || st.f_type != PROC_SUPER_MAGIC)
        return err_set(err, ERR_INVALID, "mount on /proc: the image's /proc is not a plain folder");
    return 0;
}

/* Ours, made by dev_mount(), wherever an image's "/dev" leads inside the root: a path from the
 * root would follow a symlink out of it. */
static int null_open(struct step_job *job, struct err *err)
{
    struct stat st;
    if (fs_open_in_root(job->root, "dev/null", O_PATH | O_NOFOLLOW, 0, &job->null, err) < 0)
        return err_wrap(err, "open /dev/null");
    if (fstat(job->null, &st) < 0)
        return err_sys(err, "open /dev/null");
    return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)
               ? 0
               : err_set(err, ERR_INVALID, "mask /proc: the image's /dev/null is in the way");
}

int kernel_mask(struct step_job *job, struct err *err)
{
    if (expect_proc(job, err) < 0 || null_open(job, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
        if (mask(job, masked[i], err) < 0)
            return -1;
    }
    for (size_t i = 0; i < sizeof readonly / sizeof *readonly; i++) {
        if (protect(job, readonly[i], err) < 0)
            return -1;
    }
    fd_close(&job->null);
    return 0;
}
