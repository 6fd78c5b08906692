/* engine/sandbox/namespace.c - the tier `namespace`: pid, ipc, uts, mount, cgroup and, when asked
 * for, network namespaces of a step's own.
 *
 * They belong to the user namespace that kiln is in, entered before sandbox_start().  Where a new
 * /proc may not be mounted (parts of a Pod's are masked, and the kernel lets nobody see them anew)
 * the existing one is bound, and since it would show the wrong processes in a pid namespace, that
 * is left out.  This is found by trying, once.
 *
 * Spec: namespaces(7), pid_namespaces(7), mount_namespaces(7) "Restrictions". */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys/fs.h"
#include "engine/sandbox/internal.h"

/* As fork(), in new namespaces.  Safe because the caller has one thread. */
static pid_t fork_into(unsigned long flags)
{
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

/* ---- the place ---- */

static bool may_mount_proc(void)
{
    pid_t pid = fork_into(CLONE_NEWPID | CLONE_NEWNS);
    if (pid == 0) {
        bool is_private = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        _exit(is_private && mount("proc", "/proc", "proc", 0, NULL) == 0 ? 0 : 1);
    }
    int status = 1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && status == 0;
}

static int prepare(struct sandbox_place *place, struct err *err)
{
    struct statfs st;
    place->has_pid_namespace = may_mount_proc();
    place->has_cgroup2_mount =
        statfs("/sys/fs/cgroup", &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
    if (id_map_current(&place->ids, err) < 0)
        return -1;
    cgroup_find(&place->cgroups);
    return 0;
}

/* ---- a step's init ---- */

static int loopback_up(struct err *err)
{
    AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? err_sys(err, "bring up \"lo\"") : 0;
}

static int read_plan(struct step_job *job, const int *fds, size_t n_fds, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, LIMIT_STEP_PLAN);
    if (lseek(fds[1], 0, SEEK_SET) < 0)
        return err_sys(err, "read the step's plan");
    if (fs_read_fd(fds[1], &text, err) < 0)
        return -1;
    return plan_decode(buf_span(&text), fds, n_fds, job->arena, &job->plan, err);
}

static int enter(struct step_job *job, struct err *err)
{
    const struct step_plan *p = &job->plan;
    if (job->request->has_resources) {
        char name[64];
        cgroup_name(job->place, job->request, name, sizeof name);
        cgroup_enter(&job->place->cgroups, name, &p->resources, &job->not_applied);
    }
    emulator_find(job);
    if (rootfs_collect(job, err) < 0)
        return -1;
    if (unshare(CLONE_NEWNS) < 0)
        return err_sys(err, "make a mount namespace");
    if (unshare(CLONE_NEWCGROUP) < 0 && errno != EINVAL) /* a kernel without cgroups */
        return err_sys(err, "make a cgroup namespace");
    const char *hostname = p->hostname ? p->hostname : "kiln";
    if (sethostname(hostname, strlen(hostname)) < 0)
        return err_sys(err, "set the host name to %s", hostname);
    if (job->request->has_network && loopback_up(err) < 0)
        return -1;
    return rootfs_enter(job, err);
}

/* All but the step's own and those of the place. */
static void close_others(const struct sandbox_place *place, const int *fds, size_t n_fds)
{
    int keep[STEP_MAX_FDS + CGROUP_CONTROLLERS];
    memcpy(keep, fds, n_fds * sizeof *fds);
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (place->cgroups.roots[i] >= 0)
            keep[n_fds++] = place->cgroups.roots[i];
    }
    fds_close_but(keep, n_fds);
}

static _Noreturn void step_main(const struct sandbox_place *place,
                                const struct step_request *request, const int *fds, size_t n_fds)
{
    struct step_job job = { .place = place,
                            .request = request,
                            .socket = fds[0],
                            .arena = arena_new(),
                            .root = -1,
                            .null = -1,
                            .terminal = -1 };
    struct step_message failed = { .type = STEP_FAILED };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    umask(0);
    close_others(place, fds, n_fds);
    if (read_plan(&job, fds, n_fds, &failed.err) == 0 && enter(&job, &failed.err) == 0) {
        fd_close(&job.root);
        fd_close(&job.plan.root_fd);
        init_main(&job);
    }
    message_send(job.socket, &failed, -1);
    _exit(1);
}

static int spawn(const struct sandbox_place *place, const struct step_request *request,
                 const int *fds, size_t n_fds, pid_t *out, struct err *err)
{
    unsigned long flags = CLONE_NEWIPC | CLONE_NEWUTS;
    if (place->has_pid_namespace)
        flags |= CLONE_NEWPID;
    if (request->has_network)
        flags |= CLONE_NEWNET;
    *out = fork_into(flags);
    if (*out == 0)
        step_main(place, request, fds, n_fds);
    return *out < 0 ? err_sys(err, "start a process in new namespaces") : 0;
}

/* ---- kiln doctor ---- */

static void describe(const struct id_map *ids, struct sandbox_report *out)
{
    out->is_possible = true;
    bool has_proc = may_mount_proc();
    char users[64];
    if (ids->is_single)
        snprintf(users, sizeof users, "one user id");
    else if (ids->n_ids == UINT32_MAX)
        snprintf(users, sizeof users, "every user id");
    else
        snprintf(users, sizeof users, "%u user ids", ids->n_ids);
    snprintf(out->text, sizeof out->text, "namespaces with %s%s", users,
             has_proc ? "" : "; no new /proc may be mounted: steps see this Pod's processes");
    if (ids->is_single)
        snprintf(out->remedy, sizeof out->remedy,
                 "for steps that need other users: install uidmap and give this user a range in "
                 "/etc/subuid and /etc/subgid, or run the Pod with hostUsers: false");
    else if (!has_proc)
        snprintf(out->remedy, sizeof out->remedy,
                 "in a Pod with hostUsers: false set securityContext.procMount: Unmasked");
}

static void probe_here(struct sandbox_report *out)
{
    struct err err = { 0 };
    struct id_map ids = { 0 };
    int status = user_is_privileged() ? mountns_enter(&err) : userns_enter(&ids, &err);
    if (status == 0)
        status = id_map_current(&ids, &err);
    if (status == 0) {
        describe(&ids, out);
        return;
    }
    snprintf(out->text, sizeof out->text, "%.*s", (int)sizeof out->text - 1, err.text);
    snprintf(out->remedy, sizeof out->remedy, "%s", err.hint);
}

static void probe(struct sandbox_report *out)
{
    int ends[2];
    snprintf(out->text, sizeof out->text, "the probe died");
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        probe_here(out);
        _exit(write(ends[1], out, sizeof *out) == sizeof *out ? 0 : 1);
    }
    close(ends[1]);
    struct sandbox_report got;
    if (read(ends[0], &got, sizeof got) == sizeof got) { /* fits a pipe: whole or not at all */
        got.tier = out->tier;
        *out = got;
    }
    close(ends[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

const struct sandbox_tier_ops namespace_tier = {
    .name = "namespace",
    .probe = probe,
    .prepare = prepare,
    .spawn = spawn,
};
