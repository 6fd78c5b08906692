/* engine/sandbox/program.c - the last steps of a process before it becomes the step's program.
 *
 * Spec: the order is runc's: session, limits, working directory, bounding set, groups, seccomp
 * (which needs CAP_SYS_ADMIN as long as no_new_privs stays off), ids, capabilities, execve. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "engine/sandbox/internal.h"

/* ---- stdin, stdout, stderr ---- */

/* A pipe of kiln's belongs to root; the user must be able to open /dev/stdout. */
static void give_to_user(int fd, const struct step_plan *p)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) &&
        st.st_rdev != makedev(1, 3) && fchown(fd, p->uid, p->gid) < 0)
        return; /* somebody else's; it can still be written to */
}

static int stream_set(const struct step_job *job, int fd, int number, struct err *err)
{
    AUTO_FD int null = -1;
    if (fd < 0)
        fd = null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || dup2(fd, number) < 0)
        return err_sys(err, "set up stdin, stdout, stderr");
    if (job->terminal >= 0 || number > 0)
        give_to_user(number, &job->plan);
    return 0;
}

/* Descriptors 0, 1 and 2 are /dev/null in the launcher, so none of the plan's is one of them. */
static int streams_set(const struct step_job *job, struct err *err)
{
    const struct step_plan *p = &job->plan;
    int t = job->terminal;
    return stream_set(job, t >= 0 ? t : p->stdin_fd, 0, err) < 0 ||
                   stream_set(job, t >= 0 ? t : p->stdout_fd, 1, err) < 0 ||
                   stream_set(job, t >= 0 ? t : p->stderr_fd, 2, err) < 0
               ? -1
               : 0;
}

/* ---- what a process inherits ---- */

/* Dispositions are the launcher's, which has none but the defaults. */
static void signals_reset(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static const struct {
    const char *name;
    int resource;
} limits[] = {
    { "core", RLIMIT_CORE },         { "cpu", RLIMIT_CPU },
    { "data", RLIMIT_DATA },         { "fsize", RLIMIT_FSIZE },
    { "locks", RLIMIT_LOCKS },       { "memlock", RLIMIT_MEMLOCK },
    { "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
    { "nofile", RLIMIT_NOFILE },     { "nproc", RLIMIT_NPROC },
    { "rss", RLIMIT_RSS },           { "rtprio", RLIMIT_RTPRIO },
    { "rttime", RLIMIT_RTTIME },     { "sigpending", RLIMIT_SIGPENDING },
    { "stack", RLIMIT_STACK },
};

static int limit_set(const struct step_ulimit *u, struct err *err)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (strcmp(limits[i].name, u->name) != 0)
            continue;
        struct rlimit value = { .rlim_cur = u->soft < 0 ? RLIM_INFINITY : (rlim_t)u->soft,
                                .rlim_max = u->hard < 0 ? RLIM_INFINITY : (rlim_t)u->hard };
        return setrlimit(limits[i].resource, &value) < 0
                   ? err_sys(err, "set ulimit %s to %jd:%jd", u->name, (intmax_t)u->soft,
                             (intmax_t)u->hard)
                   : 0;
    }
    return err_set(err, ERR_INVALID, "set ulimit %s: no such limit", u->name);
}

static int surroundings_set(const struct step_job *job, struct err *err)
{
    const struct step_plan *p = &job->plan;
    setsid();
    if (job->terminal >= 0)
        ioctl(job->terminal, TIOCSCTTY, 0);
    umask(022);
    for (size_t i = 0; i < p->n_ulimits; i++) {
        if (limit_set(&p->ulimits[i], err) < 0)
            return -1;
    }
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL); /* not in every kernel */
    if (streams_set(job, err) < 0)
        return -1;
    const char *cwd = p->cwd ? p->cwd : "/";
    return chdir(cwd) < 0 ? err_sys(err, "enter the working directory %s", cwd) : 0;
}

/* ---- who it is ---- */

static int unknown_id(const struct step_job *job, const char *what, unsigned id, struct err *err)
{
    int code = errno;
    err_sys(err, "become %s %u", what, id);
    if (code != EINVAL)
        return -1;
    err_set(err, ERR_UNSUPPORTED, "become %s %u: this id does not exist here", what, id);
    err->sys = code;
    return err_hint(err,
                    "kiln has %u id%s: install uidmap and give its user a range in "
                    "/etc/subuid and /etc/subgid, or use a Pod with hostUsers: false",
                    job->place->ids.n_ids, job->place->ids.is_single ? "" : "s");
}

static int identity_set(const struct step_job *job, struct err *err)
{
    const struct step_plan *p = &job->plan;
    bool is_shut_in = !p->is_insecure;
    if (is_shut_in && caps_drop_bounding(err) < 0)
        return -1;
    /* With one id only, setgroups(2) is forbidden: that is as it is. */
    if (setgroups(p->n_groups, p->groups) < 0 && errno != EPERM)
        return unknown_id(job, "a member of group", p->n_groups ? p->groups[0] : 0, err);
    if (is_shut_in && !job->place->has_pid_namespace && signals_confine(err) < 0)
        return -1;
    if (is_shut_in && filter_install(err) < 0)
        return -1;
    if (setresgid(p->gid, p->gid, p->gid) < 0)
        return unknown_id(job, "group", p->gid, err);
    if (setresuid(p->uid, p->uid, p->uid) < 0)
        return unknown_id(job, "user", p->uid, err);
    return is_shut_in ? caps_keep_default(err) : 0;
}

/* ---- execve ---- */

static const char *find_path(const struct step_plan *p)
{
    for (size_t i = 0; i < p->n_env; i++) {
        if (strncmp(p->env[i], "PATH=", 5) == 0)
            return p->env[i] + 5;
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static const char **with_null(struct step_job *job, const char *const *items, size_t n)
{
    const char **all = arena_alloc(job->arena, size_mul(n + 1, sizeof *all));
    for (size_t i = 0; i < n; i++)
        all[i] = items[i];
    return all;
}

static void execute(const char *path, const char **args, const char **env)
{
    execve(path, (char **)(uintptr_t)args, (char **)(uintptr_t)env);
}

/* As execvp(3) looks for it, but without its shell for files that are no programs. */
static int search(const struct step_job *job, const char **args, const char **env, struct err *err)
{
    const char *name = args[0], *path = find_path(&job->plan);
    struct span rest = span_of(path);
    do {
        struct span dir = span_cut(&rest, ':');
        AUTO_FREE char *file = xasprintf("%.*s%s%s", SPAN_ARG(dir), dir.len ? "/" : "./", name);
        struct stat st;
        if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        execute(file, args, env);
        if (errno != EACCES || access(file, X_OK) == 0)
            return program_explain(file, errno, job->no_emulator, err);
        program_explain(file, EACCES, NULL, err); /* unless another one is found */
    } while (rest.ptr);
    if (err->kind != ERR_NONE)
        return -1;
    err_set(err, ERR_NOT_FOUND, "start %s: not in the image's PATH (%s)", name, path);
    err->sys = ENOENT;
    return -1;
}

static int start(struct step_job *job, struct err *err)
{
    const struct step_plan *p = &job->plan;
    const char **args = with_null(job, p->args, p->n_args);
    const char **env = with_null(job, p->env, p->n_env);
    if (!strchr(args[0], '/'))
        return search(job, args, env, err);
    execute(args[0], args, env);
    return program_explain(args[0], errno, job->no_emulator, err);
}

void program_main(struct step_job *job)
{
    struct err err = { 0 };
    signals_reset();
    emulator_enter(job);
    if (surroundings_set(job, &err) == 0 && identity_set(job, &err) == 0) {
        /* All are close-on-exec already; this holds whatever a library opened. */
        if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
            errno = 0;
        if (!job->place->has_pid_namespace)
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* elsewhere the end of the init is the end of all */
        if (start(job, &err) == 0)
            err_set(&err, ERR_SYSTEM, "start %s", job->plan.args[0]);
    }
    struct step_message m = { .type = STEP_FAILED, .err = err };
    message_send(job->socket, &m, -1);
    _exit(127);
}
