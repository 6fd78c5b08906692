/* engine/sandbox/run.c - a step as its caller sees it: the plan out, output and result in.
 *
 * Threads: each call has all of its state in a `struct run` on its stack. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/sandbox/run_internal.h"

/* ---- what a step finds in /etc ---- */

static void hosts_text(const struct step_plan *plan, struct buf *out)
{
    buf_printf(out, "127.0.0.1\tlocalhost %s\n", plan->hostname ? plan->hostname : "kiln");
    buf_puts(out, "::1\tlocalhost ip6-localhost ip6-loopback\n");
    for (size_t i = 0; i < plan->n_hosts; i++)
        buf_printf(out, "%.64s\t%.256s\n", plan->hosts[i].ip, plan->hosts[i].name);
}

static int resolv_text(const struct step_plan *plan, struct buf *out, struct err *err)
{
    if (plan->resolv_conf)
        return buf_append(out, span_of(plan->resolv_conf), err);
    if (fs_read_file(AT_FDCWD, "/etc/resolv.conf", out, err) == 0 || err->kind != ERR_NOT_FOUND)
        return err->kind == ERR_NONE ? 0 : -1;
    err_clear(err); /* no resolver here, none there */
    return 0;
}

static int compare_dest(const void *a, const void *b)
{
    const struct step_mount *x = a, *y = b;
    return strcmp(x->dest, y->dest);
}

/* Ours first, then the plan's, parents before children. */
static int mounts_make(struct run *r, struct err *err)
{
    const struct step_plan *plan = r->plan;
    hosts_text(plan, &r->hosts);
    if (resolv_text(plan, &r->resolv_conf, err) < 0)
        return err_wrap(err, "mount /etc/resolv.conf");
    r->n_mounts = plan->n_mounts + N_OWN_MOUNTS;
    r->mounts = xcalloc(r->n_mounts, sizeof *r->mounts);
    r->mounts[0] = (struct step_mount){ .dest = "/etc/hosts", .content = buf_span(&r->hosts) };
    r->mounts[1] =
        (struct step_mount){ .dest = "/etc/resolv.conf", .content = buf_span(&r->resolv_conf) };
    for (size_t i = 0; i < N_OWN_MOUNTS; i++) {
        r->mounts[i].type = STEP_FILE;
        r->mounts[i].mode = 0644;
        r->mounts[i].is_readonly = true;
    }
    struct step_mount *theirs = r->mounts + N_OWN_MOUNTS;
    for (size_t i = 0; i < plan->n_mounts; i++)
        theirs[i] = plan->mounts[i];
    qsort(theirs, plan->n_mounts, sizeof *theirs, compare_dest);
    return 0;
}

/* ---- descriptors ---- */

/* Its own descriptor, opened by path or borrowed. */
static int folder_open(const char *path, int borrowed, bool must_be_dir, int *out, struct err *err)
{
    if (path)
        return fs_open(AT_FDCWD, path, O_PATH | (must_be_dir ? O_DIRECTORY : 0), 0, out, err);
    *out = fcntl(borrowed, F_DUPFD_CLOEXEC, 3);
    return *out < 0 ? err_sys(err, "descriptor %d", borrowed) : 0;
}

static int sources_open(struct run *r, struct err *err)
{
    if (folder_open(r->plan->root, r->plan->root_fd, true, &r->root_fd, err) < 0)
        return err_wrap(err, "open the root file system");
    for (size_t i = 0; i < r->n_mounts; i++) {
        struct step_mount *m = &r->mounts[i];
        if (m->type != STEP_BIND)
            continue;
        int fd = -1;
        if (folder_open(m->source, m->source_fd, false, &fd, err) < 0)
            return err_wrap(err, "mount on %s", m->dest);
        m->source_fd = fd;
        *vec_push(&r->owned) = fd;
    }
    return 0;
}

static bool source_is_dir(const struct step_mount *m)
{
    struct stat st;
    return m->type == STEP_TMPFS ||
           (m->type == STEP_BIND && fstat(m->source_fd, &st) == 0 && S_ISDIR(st.st_mode));
}

/* True when an earlier mount covers the place, so that its mount point is not in the root. */
static bool is_covered(const struct run *r, size_t i)
{
    if (strncmp(r->mounts[i].dest, "/dev/", 5) == 0 || strncmp(r->mounts[i].dest, "/sys/", 5) == 0)
        return true;
    for (size_t j = 0; j < i; j++) {
        size_t len = strlen(r->mounts[j].dest);
        if (strncmp(r->mounts[i].dest, r->mounts[j].dest, len) == 0 &&
            r->mounts[i].dest[len] == '/')
            return true;
    }
    return false;
}

/* Makes the mount points that the root lacks, and remembers them.  /proc, /sys and /dev stay, as
 * they do with runc: an image made from scratch has them after its first step. */
static int stubs_make(struct run *r, struct err *err)
{
    static const char *const folders[] = { "/proc", "/sys", "/dev" };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        AUTO_FD int fd = -1;
        if (point_open(r->root_fd, folders[i], true, NULL, &fd, err) < 0)
            return err_wrap(err, "mount on %s", folders[i]);
    }
    for (size_t i = 0; i < r->n_mounts; i++) {
        const struct step_mount *m = &r->mounts[i];
        AUTO_FD int fd = -1;
        size_t first = r->stubs.n;
        if (is_covered(r, i))
            continue;
        if (point_open(r->root_fd, m->dest, source_is_dir(m), &r->stubs, &fd, err) < 0)
            return err_wrap(err, "mount on %s", m->dest);
        for (size_t j = first; j < r->stubs.n; j++)
            r->stubs.items[j].is_kept_as_parent =
                i >= N_OWN_MOUNTS && !r->plan->removes_mount_stubs;
    }
    return 0;
}

static int pipe_open(struct run *r, int *ours, int *theirs, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, "make a pipe for the step's output");
    *ours = ends[0];
    *theirs = ends[1];
    *vec_push(&r->owned) = ends[1];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? err_sys(err, "make a pipe") : 0;
}

/* ---- sending ---- */

static bool has_resources(const struct step_resources *x)
{
    return x->memory || x->memory_swap || x->cpu_shares || x->cpu_quota_us || x->cpu_period_us ||
           x->cpuset_cpus || x->cpuset_mems || x->pids_max;
}

static int plan_send(struct run *r, const struct step_plan *final, int remote, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes;
    buf_init(&bytes, LIMIT_STEP_PLAN);
    AUTO_FD int memory = memfd_create("plan", MFD_CLOEXEC);
    if (memory < 0)
        return err_sys(err, "send the step's plan");
    int fds[STEP_MAX_FDS] = { remote, memory };
    size_t n_fds = 2;
    if (plan_encode(final, &bytes, fds, &n_fds, err) < 0 ||
        fs_write_all(memory, buf_span(&bytes), err) < 0)
        return -1;
    const char *parent = final->resources.cgroup_parent;
    struct step_request request = { .number = atomic_fetch_add(&r->sb->n_steps, 1),
                                    .has_network = final->network == STEP_NETWORK_NONE,
                                    .has_resources = has_resources(&final->resources) };
    if (snprintf(request.cgroup_parent, sizeof request.cgroup_parent, "%s",
                 parent ? parent : "kiln") >= (int)sizeof request.cgroup_parent)
        return err_set(err, ERR_INVALID, "cgroup parent %.100s...: too long", parent);
    return frame_send(r->sb->socket, span_bytes(&request, sizeof request), fds, n_fds, err);
}

static int prepare(struct run *r, struct err *err)
{
    struct step_plan final = *r->plan;
    int ends[2];
    if (mounts_make(r, err) < 0 || sources_open(r, err) < 0 || stubs_make(r, err) < 0)
        return -1;
    if (final.output && !final.has_terminal &&
        (pipe_open(r, &r->streams[0], &final.stdout_fd, err) < 0 ||
         pipe_open(r, &r->streams[1], &final.stderr_fd, err) < 0))
        return -1;
    if (final.has_terminal)
        final.stdin_fd = final.stdout_fd = final.stderr_fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_sys(err, "make a socket for the step");
    r->socket = ends[0];
    *vec_push(&r->owned) = ends[1];
    final.root_fd = r->root_fd;
    final.mounts = r->mounts;
    final.n_mounts = r->n_mounts;
    if (plan_send(r, &final, ends[1], err) < 0)
        return -1;
    vec_each (&r->owned, fd)
        fd_close(fd);
    return 0;
}

/* ---- the whole ---- */

static void run_clear(struct run *r)
{
    vec_each (&r->owned, fd)
        fd_close(fd);
    vec_clear(&r->owned);
    fd_close(&r->root_fd);
    fd_close(&r->socket);
    fd_close(&r->streams[0]);
    fd_close(&r->streams[1]);
    fd_close(&r->terminal);
    stubs_remove(&r->stubs);
    buf_clear(&r->hosts);
    buf_clear(&r->resolv_conf);
    free(r->mounts);
}

static int judge(const struct run *r, struct err *err)
{
    if (r->failure.kind != ERR_NONE) {
        *err = r->failure;
        return -1;
    }
    if (r->killed_for == ERR_TIMEOUT)
        return err_set(err, ERR_TIMEOUT, "the step did not end within %d ms", r->plan->timeout_ms);
    if (r->killed_for == ERR_CANCELED)
        return err_set(err, ERR_CANCELED, "canceled");
    if (!r->has_ended && !r->was_oom_killed)
        return err_set(err, ERR_SYSTEM, "run the step: its first process was killed");
    return 0;
}

static void tell(const struct run *r, struct step_result *out)
{
    *out = (struct step_result){ .was_oom_killed = r->was_oom_killed,
                                 .user_us = r->last.user_us,
                                 .sys_us = r->last.sys_us,
                                 .peak_memory = r->last.peak_memory,
                                 .not_applied = r->last.not_applied };
    int status = r->has_ended ? r->last.value : SIGKILL;
    out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    out->exit_status = out->signal ? 128 + out->signal : WEXITSTATUS(status);
}

int sandbox_run(struct sandbox *sb, const struct step_plan *plan, struct step_result *out,
                struct err *err)
{
    AUTO_VALUE(run_clear)
    struct run r = {
        .sb = sb, .plan = plan, .root_fd = -1, .socket = -1, .streams = { -1, -1 }, .terminal = -1
    };
    *out = (struct step_result){ 0 };
    buf_init(&r.hosts, LIMIT_STEP_FILE);
    buf_init(&r.resolv_conf, LIMIT_STEP_FILE);
    if (plan_check(plan, err) < 0 || cancel_check(plan->cancel, err) < 0 || prepare(&r, err) < 0)
        return -1;
    if (run_wait(&r, err) < 0)
        return -1;
    tell(&r, out);
    return judge(&r, err);
}
