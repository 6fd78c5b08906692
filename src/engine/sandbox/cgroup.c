/* engine/sandbox/cgroup.c - limits of a step, where a cgroup hierarchy is writable.
 *
 * Version 2: one folder kiln/step-PID-N below the hierarchy's root, whose controllers are handed
 * down on the way.  Version 1: one such folder for each controller.  The step's init puts itself
 * in before it unshares its cgroup namespace; the launcher takes the folders away when the last
 * process is gone.  A launcher that was killed leaves empty folders; the next one removes them.
 *
 * Spec: cgroups(7), the kernel's admin-guide/cgroup-v2. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/sandbox/internal.h"

enum { MEMORY, CPU, CPUSET, PIDS };
static const char *const controllers[CGROUP_CONTROLLERS] = { "memory", "cpu", "cpuset", "pids" };
static const char *const version1_witness[CGROUP_CONTROLLERS] = { "memory.limit_in_bytes",
                                                                  "cpu.shares", "cpuset.cpus",
                                                                  "cgroup.procs" };
static const char default_parent[] = "kiln";

static bool put(int dir, const char *file, const char *text)
{
    AUTO_FD int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

__attribute__((format(printf, 3, 4))) static bool putf(int dir, const char *file, const char *fmt,
                                                       ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return put(dir, file, text);
}

static bool get(int dir, const char *file, struct buf *out)
{
    struct err err = { 0 };
    return fs_read_file(dir, file, out, &err) == 0;
}

/* The number after `key` in a file of "key value" lines. */
static uint64_t count(int dir, const char *file, const char *key)
{
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 64 * 1024);
    if (!get(dir, file, &text))
        return 0;
    struct span rest = buf_span(&text);
    while (rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        uint64_t n;
        if (span_is(span_cut(&line, ' '), key) && span_u64(span_trim(line), UINT64_MAX, &n))
            return n;
    }
    return 0;
}

static int folder(int dir, const char *path)
{
    return openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- the place ---- */

/* Gone, or ended and not reaped yet. */
static bool is_dead(pid_t pid)
{
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 4096);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!get(AT_FDCWD, path, &text) || !text.data)
        return kill(pid, 0) < 0 && errno == ESRCH;
    const char *after_name = strrchr(text.data, ')'); /* "12 (a name) Z ..." */
    return after_name && (strncmp(after_name, ") Z", 3) == 0 || strncmp(after_name, ") X", 3) == 0);
}

/* Folders of launchers that are gone. */
static void sweep(int root)
{
    AUTO_FD int dir = folder(root, default_parent);
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    struct err err = { 0 };
    if (dir < 0 || fs_list(dir, ".", &names, &err) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        pid_t pid = 0;
        if (strncmp(names.items[i], "step-", 5) == 0)
            pid = (pid_t)strtol(names.items[i] + 5, NULL, 10);
        if (pid > 0 && is_dead(pid))
            unlinkat(dir, names.items[i], AT_REMOVEDIR);
    }
}

void cgroup_find(struct cgroup_place *out)
{
    out->version = 0;
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++)
        out->roots[i] = -1;
    AUTO_FD int top = folder(AT_FDCWD, "/sys/fs/cgroup");
    if (top < 0)
        return;
    if (faccessat(top, "cgroup.subtree_control", W_OK, AT_EACCESS) == 0) {
        out->version = 2;
        out->roots[0] = STEAL_FD(top);
        sweep(out->roots[0]);
        return;
    }
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
        int dir = folder(top, controllers[i]);
        if (dir >= 0 && faccessat(dir, version1_witness[i], W_OK, AT_EACCESS) < 0)
            fd_close(&dir);
        out->roots[i] = dir;
        if (dir < 0)
            continue;
        out->version = 1;
        sweep(dir);
    }
}

/* ---- entering ---- */

/* Hands every controller that is there down to the children of `dir`. */
static void hand_down(int dir)
{
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++)
        putf(dir, "cgroup.subtree_control", "+%s", controllers[i]);
}

/* A new cpuset is empty and takes no process until it has what its parent has. */
static void inherit_cpuset(int parent, int dir)
{
    static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
    for (size_t i = 0; i < 2; i++) {
        AUTO_VALUE(buf_clear) struct buf text;
        buf_init(&text, 64 * 1024);
        if (get(parent, files[i], &text) && text.data)
            put(dir, files[i], text.data);
    }
}

static int group_try(int root, const char *parent, const char *name, int version)
{
    AUTO_FREE char *path = xasprintf("%s/%s", parent, name);
    AUTO_FD int dir = fcntl(root, F_DUPFD_CLOEXEC, 3);
    struct span rest = span_of(path);
    while (dir >= 0 && rest.ptr) {
        AUTO_FREE char *part = span_dup(span_cut(&rest, '/'));
        if (!*part)
            continue;
        if (strcmp(part, "..") == 0)
            return -1;
        if (version == 2)
            hand_down(dir);
        bool is_new = mkdirat(dir, part, 0755) == 0;
        int next = folder(dir, part);
        if (is_new && version == 1 && next >= 0)
            inherit_cpuset(dir, next);
        fd_close(&dir);
        dir = next;
    }
    return STEAL_FD(dir);
}

/* Makes PARENT/NAME below root, opens the last; -1 when that cannot be.  Another step that leaves
 * may take the parent away in between. */
static int group_make(int root, const char *parent, const char *name, int version)
{
    int dir = -1;
    for (int i = 0; dir < 0 && i < 5; i++)
        dir = group_try(root, parent, name, version);
    return dir;
}

/* What one resource's files are called, by version; values differ too. */
static unsigned limit_memory(int dir, int version, const struct step_resources *r)
{
    unsigned missing = 0;
    if (r->memory && !putf(dir, version == 2 ? "memory.max" : "memory.limit_in_bytes", "%ju",
                           (uintmax_t)r->memory))
        missing |= STEP_MEMORY;
    if (r->memory_swap == 0)
        return missing;
    bool has_swap;
    if (version == 2 && r->memory_swap < 0)
        has_swap = put(dir, "memory.swap.max", "max");
    else if (version == 2) /* swap alone here, both together there */
        has_swap = putf(dir, "memory.swap.max", "%jd",
                        (intmax_t)(r->memory_swap > (int64_t)r->memory
                                       ? r->memory_swap - (int64_t)r->memory
                                       : 0));
    else
        has_swap = putf(dir, "memory.memsw.limit_in_bytes", "%jd", (intmax_t)r->memory_swap);
    return has_swap ? missing : missing | STEP_SWAP;
}

/* Quota 0 or less: none, only the period is set. */
static bool limit_time(int dir, int version, int64_t quota, uint64_t period)
{
    if (version != 2)
        return putf(dir, "cpu.cfs_period_us", "%ju", (uintmax_t)period) &&
               (quota <= 0 || putf(dir, "cpu.cfs_quota_us", "%jd", (intmax_t)quota));
    return quota > 0 ? putf(dir, "cpu.max", "%jd %ju", (intmax_t)quota, (uintmax_t)period)
                     : putf(dir, "cpu.max", "max %ju", (uintmax_t)period);
}

static unsigned limit_cpu(int dir, int version, const struct step_resources *r)
{
    uint64_t period = r->cpu_period_us ? r->cpu_period_us : 100000;
    unsigned missing = 0;
    if (r->cpu_shares) {
        uint64_t shares = r->cpu_shares < 2 ? 2 : r->cpu_shares;
        /* 2 .. 262144 onto 1 .. 10000, as runc maps them */
        bool is_set = version == 2 ? putf(dir, "cpu.weight", "%ju",
                                          (uintmax_t)(1 + ((shares - 2) * 9999) / 262142))
                                   : putf(dir, "cpu.shares", "%ju", (uintmax_t)shares);
        missing |= is_set ? 0 : STEP_CPU_SHARES;
    }
    if (r->cpu_quota_us || r->cpu_period_us)
        missing |= limit_time(dir, version, r->cpu_quota_us, period) ? 0 : STEP_CPU_QUOTA;
    return missing;
}

static unsigned limit(int dir, size_t controller, int version, const struct step_resources *r)
{
    switch (controller) {
    case MEMORY:
        return limit_memory(dir, version, r);
    case CPU:
        return limit_cpu(dir, version, r);
    case CPUSET:
        return (r->cpuset_cpus && !put(dir, "cpuset.cpus", r->cpuset_cpus)) ||
                       (r->cpuset_mems && !put(dir, "cpuset.mems", r->cpuset_mems))
                   ? STEP_CPUSET
                   : 0;
    default:
        return r->pids_max && !putf(dir, "pids.max", "%jd", (intmax_t)r->pids_max) ? STEP_PIDS : 0;
    }
}

/* What a controller was asked for. */
static unsigned wanted(size_t controller, const struct step_resources *r)
{
    switch (controller) {
    case MEMORY:
        return (r->memory ? STEP_MEMORY : 0) | (r->memory_swap ? STEP_SWAP : 0);
    case CPU:
        return (r->cpu_shares ? STEP_CPU_SHARES : 0) |
               (r->cpu_quota_us || r->cpu_period_us ? STEP_CPU_QUOTA : 0);
    case CPUSET:
        return r->cpuset_cpus || r->cpuset_mems ? STEP_CPUSET : 0;
    default:
        return r->pids_max ? STEP_PIDS : 0;
    }
}

void cgroup_enter(const struct cgroup_place *place, const char *name,
                  const struct step_resources *r, unsigned *not_applied)
{
    const char *parent = r->cgroup_parent ? r->cgroup_parent : default_parent;
    AUTO_FD int shared = -1; /* version 2: one folder for all */
    if (place->version == 2)
        shared = group_make(place->roots[0], parent, name, 2);
    bool is_inside = shared >= 0 && put(shared, "cgroup.procs", "0");
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
        unsigned asked = wanted(i, r);
        AUTO_FD int own = -1;
        if (!asked)
            continue;
        if (place->version == 1 && place->roots[i] >= 0)
            own = group_make(place->roots[i], parent, name, 1);
        if (place->version == 2 && is_inside)
            *not_applied |= limit(shared, i, 2, r);
        else if (own >= 0) {
            *not_applied |= limit(own, i, 1, r);
            if (!put(own, "cgroup.procs", "0"))
                *not_applied |= asked;
        } else {
            *not_applied |= asked;
        }
    }
}

/* ---- leaving ---- */

bool cgroup_leave(const struct cgroup_place *place, const char *parent, const char *name)
{
    bool was_killed = false;
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
        AUTO_FREE char *path = xasprintf("%s/%s", parent, name);
        AUTO_FD int dir = -1;
        if (place->roots[i] < 0)
            continue;
        dir = folder(place->roots[i], path + strspn(path, "/"));
        if (dir >= 0 && i == MEMORY)
            was_killed = count(dir, place->version == 2 ? "memory.events" : "memory.oom_control",
                               "oom_kill") > 0;
        unlinkat(place->roots[i], path + strspn(path, "/"), AT_REMOVEDIR);
        /* Ours is shared: this fails until the last step has left it. */
        if (strcmp(parent, default_parent) == 0)
            unlinkat(place->roots[i], parent, AT_REMOVEDIR);
    }
    return was_killed;
}
