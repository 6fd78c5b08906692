/* engine/sandbox/launcher.c - the process that starts steps and outlives none of them.
 *
 * It was forked while kiln had one thread, so it may fork in turn and call what it likes, and it is
 * small.  It does nothing slow: what a step needs is done by the step's own init.  The end of
 * kiln's socket is the end of kiln, however that came: then every step is killed and reaped, and
 * its cgroup removed.
 *
 * Threads: one. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "engine/sandbox/internal.h"

struct running {
    pid_t pid;
    int socket; /* owned; closed when nothing is left of the step */
    struct step_request request;
    bool has_ended; /* its init was reaped; the rest is about the init */
    int status;
    struct rusage use;
};
struct launcher {
    const struct sandbox_tier_ops *tier;
    int socket, signals;
    bool is_prepared;
    struct sandbox_place place;
    vec(struct running) steps;
};

void cgroup_name(const struct sandbox_place *place, const struct step_request *request, char *name,
                 size_t size)
{
    snprintf(name, size, "step-%d-%ju", (int)place->launcher, (uintmax_t)request->number);
}

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void close_between(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    for (unsigned fd = first; fd <= last && fd < 65536; fd++) /* Linux before 5.9 */
        close((int)fd);
}

void fds_close_but(const int *keep, size_t n_keep)
{
    int sorted[STEP_MAX_FDS + CGROUP_CONTROLLERS];
    assert(n_keep <= sizeof sorted / sizeof *sorted);
    memcpy(sorted, keep, n_keep * sizeof *keep);
    qsort(sorted, n_keep, sizeof *sorted, compare_fds);
    unsigned first = 3;
    for (size_t i = 0; i < n_keep; i++) {
        if (sorted[i] < (int)first)
            continue;
        close_between(first, (unsigned)sorted[i] - 1);
        first = (unsigned)sorted[i] + 1;
    }
    close_between(first, ~0U);
}

/* ---- steps end ---- */

static uint64_t microseconds(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

static void step_gone(struct launcher *l, struct running *r)
{
    struct step_message m = { .type = STEP_GONE,
                              .value = r->status,
                              .user_us = microseconds(&r->use.ru_utime),
                              .sys_us = microseconds(&r->use.ru_stime),
                              .peak_memory = (uint64_t)r->use.ru_maxrss * 1024 };
    if (r->request.has_resources) {
        char name[64];
        cgroup_name(&l->place, &r->request, name, sizeof name);
        m.was_oom_killed = cgroup_leave(&l->place.cgroups, r->request.cgroup_parent, name);
    }
    message_send(r->socket, &m, -1);
    fd_close(&r->socket);
    *r = l->steps.items[--l->steps.n];
}

/* Without a pid namespace the processes of an init that was killed become ours.  Returns how many
 * there still are. */
static size_t orphans_kill(const struct launcher *l)
{
    pid_t keep[1024];
    size_t n = 0;
    for (size_t i = 0; i < l->steps.n; i++) {
        if (!l->steps.items[i].has_ended && n < sizeof keep / sizeof *keep)
            keep[n++] = l->steps.items[i].pid;
    }
    return children_kill(keep, n);
}

/* Says that steps are gone whose init has ended, once nobody else is left of them. */
static void tell_gone(struct launcher *l)
{
    if (!l->place.has_pid_namespace && orphans_kill(l) > 0)
        return; /* their ends call us again */
    for (size_t i = l->steps.n; i-- > 0;) {
        if (l->steps.items[i].has_ended)
            step_gone(l, &l->steps.items[i]);
    }
}

/* One child's end, as wait4(2).  False when there is none. */
static bool reap_one(struct launcher *l, int flags)
{
    struct rusage use;
    int status;
    pid_t pid;
    do
        pid = wait4(-1, &status, flags, &use);
    while (pid < 0 && errno == EINTR);
    if (pid <= 0)
        return false;
    vec_each (&l->steps, r) {
        if (r->pid == pid && !r->has_ended) {
            r->has_ended = true;
            r->status = status;
            r->use = use;
        }
    }
    return true;
}

static void reap(struct launcher *l)
{
    while (reap_one(l, WNOHANG)) {
    }
    tell_gone(l);
}

_Noreturn static void end(struct launcher *l)
{
    vec_each (&l->steps, r) {
        if (!r->has_ended)
            kill(r->pid, SIGKILL);
    }
    do {
        if (!l->place.has_pid_namespace)
            children_kill(NULL, 0);
    } while (reap_one(l, 0));
    tell_gone(l);
    _exit(0);
}

/* ---- steps start ---- */

/* Once, at the first step or when one is announced: many a build runs none. */
static int prepare(struct launcher *l, struct err *err)
{
    if (l->is_prepared)
        return 0;
    if (l->tier->prepare(&l->place, err) < 0)
        return -1;
    l->is_prepared = true;
    return 0;
}

static int start(struct launcher *l, const struct step_request *request, const int *fds,
                 size_t n_fds, pid_t *pid, struct err *err)
{
    if (prepare(l, err) < 0)
        return -1;
    return l->tier->spawn(&l->place, request, fds, n_fds, pid, err);
}

static void take_request(struct launcher *l)
{
    struct step_request request;
    struct step_message failed = { .type = STEP_FAILED };
    int fds[STEP_MAX_FDS];
    size_t got, n_fds;
    pid_t pid = -1;
    int status = frame_receive(l->socket, &request, sizeof request, &got, fds, &n_fds, &failed.err);
    if (status == 0 && got == 0)
        end(l);
    if (status == 0 && got == 1 && n_fds == 0) { /* sandbox_expect() */
        if (prepare(l, &failed.err) < 0)
            err_clear(&failed.err); /* tried again, and told, at the step */
        return;
    }
    if (status == 0 && (got != sizeof request || n_fds < 2))
        status = err_set(&failed.err, ERR_INVALID, "start a step: the request is broken");
    if (status == 0)
        status = start(l, &request, fds, n_fds, &pid, &failed.err);
    if (status < 0 && n_fds > 0)
        message_send(fds[0], &failed, -1);
    if (status == 0)
        *vec_push(&l->steps) =
            (struct running){ .pid = pid, .socket = STEAL_FD(fds[0]), .request = request };
    for (size_t i = 0; i < n_fds; i++)
        fd_close(&fds[i]);
}

/* ---- the process ---- */

/* Rather a step than kiln, when memory runs out. */
static void offer_to_oom_killer(void)
{
    char text[16];
    FILE *f = fopen("/proc/self/oom_score_adj", "r+e");
    if (!f)
        return;
    long score = fgets(text, sizeof text, f) ? strtol(text, NULL, 10) : 0;
    rewind(f);
    fprintf(f, "%ld", score > 900 ? 1000 : score + 100);
    fclose(f);
}

/* Every step can read the command line of its init, and that would be kiln's: what it builds, from
 * where.  Spec: proc(5), arg_start and arg_end of /proc/PID/stat. */
static void forget_arguments(void)
{
    enum { ARG_START = 48, NAME_FIELD = 2 };
    char text[2048];
    FILE *f = fopen("/proc/self/stat", "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    char *at = strrchr(text, ')'); /* a name may have blanks in it */
    for (int field = NAME_FIELD; at && field < ARG_START; field++)
        at = strchr(at + 1, ' ');
    uintptr_t start = at ? strtoul(at, &at, 10) : 0, end = at ? strtoul(at, NULL, 10) : 0;
    if (start && end > start)
        memset((void *)start, 0, end - start);
}

/* All dispositions, also of the two signals that the C library keeps to itself and signal(2)
 * refuses: a parent that ignored them would be inherited by every step.  Spec: rt_sigaction(2). */
static void reset_signals(void)
{
    const struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } by_default = { .handler = SIG_DFL };
    for (int n = 1; n < NSIG; n++)
        syscall(SYS_rt_sigaction, n, &by_default, NULL, sizeof by_default.mask);
}

static void become_launcher(struct launcher *l, int socket)
{
    prctl(PR_SET_NAME, "kiln-sandbox");
    setsid(); /* a terminal's ^C is kiln's to handle */
    reset_signals();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_SETMASK, &set, NULL);
    offer_to_oom_killer();
    forget_arguments();
    if (chdir("/") < 0) /* kiln's folder stays free to be unmounted */
        errno = 0;
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 2; fd++)
        dup2(null, fd);
    fds_close_but(&socket, 1); /* stderr stays, for a last word of an assertion */
    l->socket = socket;
    l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    l->place.launcher = getpid();
}

void launcher_main(const struct sandbox_tier_ops *tier, int socket)
{
    struct launcher l = { .tier = tier };
    become_launcher(&l, socket);
    struct pollfd fds[] = { { .fd = l.socket, .events = POLLIN },
                            { .fd = l.signals, .events = POLLIN } };
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            end(&l);
        struct signalfd_siginfo info;
        if (fds[1].revents && read(l.signals, &info, sizeof info) > 0)
            reap(&l);
        if (fds[0].revents)
            take_request(&l);
    }
}
