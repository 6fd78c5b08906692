/* base/sys/userns.c - becoming root in a user namespace, or being told why not.
 *
 * Only a process outside may map more than one id, so a helper child stays behind: it waits until
 * we have unshared, writes our maps, and ends.  Three ways, the best first: root             every
 * id that exists here is mapped to itself, by the helper's own CAP_SETUID (a Pod that runs as root
 * with the usual capabilities); newuidmap        our id becomes 0, the ranges of /etc/subuid and
 * /etc/subgid become 1 and up; neither          our id becomes 0 and is the only one; setgroups(2)
 * is given up for that.
 *
 * Spec: user_namespaces(7), newuidmap(1), subuid(5).  Threads: one, as unshare(2) demands. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "base/sys/internal.h"
#include "base/sys/process.h"
#include "base/sys/user.h"

enum { MAX_RANGES = 300, HELPER_TIMEOUT_MS = 10000 }; /* the kernel takes 340 */

/* ---- what the helper does, outside ---- */

static int write_text(const char *path, const char *text, struct err *err)
{
    AUTO_FD int fd = -1;
    if (fs_open(AT_FDCWD, path, O_WRONLY, 0, &fd, err) < 0)
        return -1;
    return fs_write_all(fd, span_of(text), err) < 0 ? err_wrap(err, "%s", path) : 0;
}

/* Every id that exists here, mapped to itself: "0 0 65536\n". */
static int map_to_itself(pid_t pid, const char *kind, struct err *err)
{
    AUTO_FREE char *here = xasprintf("/proc/self/%s_map", kind);
    AUTO_FREE char *there = xasprintf("/proc/%d/%s_map", (int)pid, kind);
    AUTO_VALUE(id_ranges_clear) struct id_ranges ranges = { 0 };
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 4000); /* the kernel takes less than a page */
    if (id_ranges_read(here, &ranges, err) < 0)
        return -1;
    vec_each (&ranges, range) {
        if (buf_room(&text) < 40)
            break;
        buf_printf(&text, "%u %u %u\n", range->first, range->first, range->n_ids);
    }
    return write_text(there, text.len ? text.data : "", err);
}

/* Ranges that `path` (/etc/subuid, /etc/subgid) gives to the user. */
static int read_subids(const char *path, struct id_ranges *out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 4 * 1024 * 1024);
    if (fs_read_file(AT_FDCWD, path, &text, err) < 0)
        return -1;
    const struct passwd *entry = getpwuid(geteuid());
    char number[16];
    snprintf(number, sizeof number, "%u", geteuid());
    struct span rest = buf_span(&text);
    while (rest.len > 0 && out->n < MAX_RANGES) { /* "builder:100000:65536" */
        struct span line = span_cut(&rest, '\n');
        struct span name = span_cut(&line, ':');
        struct span first = span_cut(&line, ':');
        uint64_t from, n_ids;
        bool is_ours = span_is(name, number) || (entry && span_is(name, entry->pw_name));
        if (is_ours && span_u64(first, UINT32_MAX, &from) &&
            span_u64(span_trim(line), UINT32_MAX, &n_ids) && n_ids > 0)
            *vec_push(out) = (struct id_range){ .first = (uint32_t)from, .n_ids = (uint32_t)n_ids };
    }
    return out->n ? 0 : err_set(err, ERR_NOT_FOUND, "%s has no range for user %s", path, number);
}

/* newuidmap PID 0 1000 1 1 100000 65536 */
static int map_with_program(pid_t pid, const char *program, uint32_t own, const char *subids,
                            struct err *err)
{
    AUTO_VALUE(id_ranges_clear) struct id_ranges ranges = { 0 };
    if (read_subids(subids, &ranges, err) < 0)
        return -1;
    AUTO_VALUE(str_list_clear) struct str_list argv = { 0 };
    str_list_push(&argv, program);
    str_list_take(&argv, xasprintf("%d", (int)pid));
    str_list_push(&argv, "0");
    str_list_take(&argv, xasprintf("%u", own));
    str_list_push(&argv, "1");
    uint64_t inside = 1;
    vec_each (&ranges, range) {
        str_list_take(&argv, xasprintf("%ju", (uintmax_t)inside));
        str_list_take(&argv, xasprintf("%u", range->first));
        str_list_take(&argv, xasprintf("%u", range->n_ids));
        inside += range->n_ids;
    }
    *vec_push(&argv) = NULL; /* free(NULL) is fine */
    AUTO_VALUE(process_result_clear) struct process_result result = { 0 };
    struct process_options options = { .argv = (const char *const *)argv.items,
                                       .timeout_ms = HELPER_TIMEOUT_MS };
    if (process_run(&options, &result, err) < 0)
        return -1;
    if (result.exit_status != 0)
        return err_set(err, ERR_DENIED, "%s ended with status %d: %.*s", program,
                       result.exit_status, SPAN_ARG(span_trim(buf_span(&result.log))));
    return 0;
}

static int write_maps(pid_t pid, struct err *err)
{
    if (geteuid() == 0)
        return map_to_itself(pid, "uid", err) < 0 ? -1 : map_to_itself(pid, "gid", err);
    /* Groups first: they fail as often, and a user map alone would be hard to complete. */
    return map_with_program(pid, "newgidmap", getegid(), "/etc/subgid", err) < 0
               ? -1
               : map_with_program(pid, "newuidmap", geteuid(), "/etc/subuid", err);
}

struct helper {
    pid_t pid; /* 0: none */
    int go;    /* owned; a byte tells the helper that we have unshared, its end that we have not */
};

static void helper_clear(struct helper *h)
{
    int saved = errno;
    auto_close_fd(&h->go);
    while (h->pid > 0 && waitpid(h->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    errno = saved;
}

/* Leaves a child outside.  Without it the single map is still there, so nothing fails here. */
static struct helper helper_start(void)
{
    struct helper h = { .go = -1 };
    int go[2];
    if (pipe2(go, O_CLOEXEC) < 0)
        return h;
    pid_t us = getpid();
    h.pid = fork();
    if (h.pid == 0) {
        close(go[1]);
        char byte;
        if (read(go[0], &byte, 1) != 1)
            _exit(1);
        struct err err = { 0 };
        _exit(write_maps(us, &err) < 0 ? 1 : 0);
    }
    close(go[0]);
    h.go = go[1];
    return h;
}

/* True when the helper has written both maps. */
static bool helper_finish(struct helper *h)
{
    if (h->pid <= 0 || write(h->go, "", 1) != 1)
        return false;
    int status;
    pid_t got;
    do
        got = waitpid(h->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    h->pid = 0;
    return got > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- what we do, inside ---- */

static bool is_mapped(const char *path)
{
    struct err err = { 0 };
    AUTO_VALUE(id_ranges_clear) struct id_ranges ranges = { 0 };
    return id_ranges_read(path, &ranges, &err) == 0 && ranges.n > 0;
}

/* Maps what the helper left unmapped: our own id only. */
static int map_single(uid_t uid, gid_t gid, struct err *err)
{
    if (!is_mapped("/proc/self/gid_map")) {
        AUTO_FREE char *group = xasprintf("0 %u 1\n", gid);
        if (write_text("/proc/self/setgroups", "deny", err) < 0 ||
            write_text("/proc/self/gid_map", group, err) < 0)
            return -1;
    }
    if (!is_mapped("/proc/self/uid_map")) {
        AUTO_FREE char *user = xasprintf("0 %u 1\n", uid);
        if (write_text("/proc/self/uid_map", user, err) < 0)
            return -1;
    }
    return 0;
}

/* `helper` NULL: with one id only. */
static int enter(struct helper *helper, struct err *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return err_sys(err, "enter a user namespace");
    if ((!helper || !helper_finish(helper)) && map_single(uid, gid, err) < 0) {
        err_wrap(err, "map ids of a user namespace");
        if (uid == 0)
            err_hint(err, "root needs CAP_SETFCAP for that since Linux 5.12: add the capability "
                          "SETFCAP to the Pod, or run it as an ordinary user");
        return -1;
    }
    return mounts_make_private(err);
}

/* A kernel may give a namespace but no rights in it, and there is no way back.  So a child goes
 * first, in the plainest way; where that fails every way does.  Where no child can be had we just
 * go. */
static int enter_in_child(struct err *err)
{
    AUTO_FD int from = -1;
    AUTO_FD int to = -1;
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) < 0)
        return 0;
    from = fd[0];
    to = fd[1];
    pid_t pid = fork();
    if (pid == 0) {
        struct err child_err = { 0 };
        if (enter(NULL, &child_err) == 0)
            _exit(0);
        /* Less than PIPE_BUF bytes: written at once or not at all. */
        _exit(write(to, &child_err, sizeof child_err) == sizeof child_err ? 1 : 2);
    }
    auto_close_fd(&to);
    to = -1;
    struct err child_err;
    bool has_failed = pid > 0 && read(from, &child_err, sizeof child_err) == sizeof child_err;
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    if (!has_failed)
        return 0;
    *err = child_err;
    return -1;
}

int userns_enter(struct id_map *out, struct err *err)
{
    if (enter_in_child(err) < 0)
        return userns_explain(err->sys, err);
    AUTO_VALUE(helper_clear) struct helper helper = helper_start();
    if (enter(&helper, err) < 0)
        return userns_explain(err->sys, err);
    return id_map_current(out, err);
}

/* ---- why not ---- */

/* The number in a file of /proc/sys, or -1 without such a file. */
static long read_sysctl(const char *path)
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 64);
    uint64_t n;
    if (fs_read_file(AT_FDCWD, path, &text, &err) < 0 ||
        !span_u64(span_trim(buf_span(&text)), INT32_MAX, &n))
        return -1;
    return (long)n;
}

/* A word after "KEY:" in /proc/self/status. */
static bool status_is(const char *key, const char *value)
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 64 * 1024);
    if (fs_read_file(AT_FDCWD, "/proc/self/status", &text, &err) < 0)
        return false;
    struct span rest = buf_span(&text);
    while (rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        if (span_is(span_cut(&line, ':'), key))
            return span_is(span_trim(line), value);
    }
    return false;
}

/* The AppArmor profile that confines us, or "". */
static void read_profile(char *profile, size_t size)
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 4096);
    profile[0] = '\0';
    if (fs_read_file(AT_FDCWD, "/proc/self/attr/current", &text, &err) < 0)
        return;
    struct span name = span_trim(buf_span(&text));
    ptrdiff_t end = span_find(name, '\0');
    if (end >= 0)
        name.len = (size_t)end;
    if (span_ends(name, "(enforce)")) /* "cri-containerd.apparmor.d (enforce)" */
        snprintf(profile, size, "%.*s", SPAN_ARG(span_trim(span_first(name, name.len - 9))));
}

/* In a chroot that is no mount point, no mount is at "/". */
static bool is_in_chroot(void)
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 16 * 1024 * 1024);
    if (fs_read_file(AT_FDCWD, "/proc/self/mountinfo", &text, &err) < 0)
        return false;
    struct span rest = buf_span(&text);
    while (rest.len > 0) { /* "ID PARENT MAJOR:MINOR ROOT MOUNTPOINT ..." */
        struct span line = span_cut(&rest, '\n'), field = { 0 };
        for (int i = 0; i < 5; i++)
            field = span_cut(&line, ' ');
        if (span_is(field, "/"))
            return false;
    }
    return true;
}

int userns_explain(int code, struct err *err)
{
    char profile[128];
    read_profile(profile, sizeof profile);
    err->kind = ERR_DENIED;
    if (err->hint[0]) /* known already */
        return -1;
    long limit = read_sysctl("/proc/sys/user/max_user_namespaces");
    if (limit == 0 || code == ENOSPC || code == EUSERS)
        return err_hint(
            err,
            "/proc/sys/user/max_user_namespaces is %ld on this node: raise it "
            "(sysctl user.max_user_namespaces=15000), or namespaces are nested too deep",
            limit);
    if (geteuid() != 0 && read_sysctl("/proc/sys/kernel/unprivileged_userns_clone") == 0)
        return err_hint(err, "the node forbids it to ordinary users: "
                             "sysctl kernel.unprivileged_userns_clone=1");
    if (code == EINVAL)
        return err_hint(err, "the process has more than one thread, or the kernel was built "
                             "without user namespaces");
    if (status_is("Seccomp", "2"))
        return err_hint(err,
                        "most likely the seccomp profile forbids it: in a Pod set "
                        "securityContext.seccompProfile.type: Unconfined%s%s",
                        profile[0] ? "; AppArmor profile in force: " : "", profile);
    if (profile[0])
        return err_hint(err,
                        "AppArmor profile %s forbids it: in a Pod set "
                        "securityContext.appArmorProfile.type: Unconfined",
                        profile);
    if (read_sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
        return err_hint(err, "AppArmor takes the rights from namespaces of ordinary users: "
                             "sysctl kernel.apparmor_restrict_unprivileged_userns=0");
    if (is_in_chroot())
        return err_hint(err,
                        "the process is in a chroot, where the kernel gives no user namespace");
    return err_hint(err, "it lacks CAP_SYS_ADMIN, or a security module of the node forbids it");
}
