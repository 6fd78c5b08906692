/* engine/sandbox/init.c - the first process of a step: starts the program, reaps, ends the rest.
 *
 * It is process 1 of the step's pid namespace, or, where there is none, the subreaper of its
 * processes.  It has more rights than the program, so it is not dumpable: the program can neither
 * trace it nor read its memory, which is a copy of kiln's as it was at the start. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/sandbox/internal.h"

/* ---- ending everything ---- */

/* The parent of a process by its folder in /proc; 0 when it is gone. */
static pid_t parent_of(const char *pid)
{
    char path[300], text[512];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    const char *after_name = strrchr(text, ')'); /* "12 (a name) S 1 ..." */
    return after_name && strlen(after_name) > 4 ? (pid_t)strtol(after_name + 4, NULL, 10) : 0;
}

size_t children_kill(const pid_t *keep, size_t n_keep)
{
    pid_t us = getpid();
    size_t n = 0;
    siginfo_t info;
    /* Mostly there are none: one question instead of one for each process of the machine. */
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
        return 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        if (e->d_name[0] < '0' || e->d_name[0] > '9' || parent_of(e->d_name) != us)
            continue;
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        bool is_kept = false;
        for (size_t i = 0; i < n_keep; i++)
            is_kept = is_kept || keep[i] == pid;
        if (!is_kept && kill(pid, SIGKILL) == 0)
            n++;
    }
    if (proc)
        closedir(proc);
    return n;
}

void init_kill_rest(bool has_pid_namespace)
{
    for (;;) {
        if (has_pid_namespace)
            kill(-1, SIGKILL); /* all of the namespace but us */
        else
            children_kill(NULL, 0); /* their children become ours, hence the loop */
        pid_t pid;
        do
            pid = waitpid(-1, NULL, 0);
        while (pid < 0 && errno == EINTR);
        if (pid < 0)
            return;
    }
}

/* ---- waiting ---- */

/* Reaps who has ended; true once the program is among them. */
static bool reap(pid_t program, int *status)
{
    bool has_ended = false;
    for (int s;;) {
        pid_t pid = waitpid(-1, &s, WNOHANG);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0)
            return has_ended;
        if (pid == program) {
            *status = s;
            has_ended = true;
        }
    }
}

/* A signal for us is one for the program. */
static bool take_signal(int signals, pid_t program, int *status)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) != sizeof info)
        return false;
    if (info.ssi_signo == SIGCHLD)
        return reap(program, status);
    kill(program, (int)info.ssi_signo);
    return false;
}

/* True when the step must end: kiln says so, or is gone. */
static bool take_message(int socket, pid_t program)
{
    struct step_message m;
    struct err err = { 0 };
    int fd;
    bool is_end;
    if (message_receive(socket, &m, &fd, &is_end, &err) < 0 || is_end)
        return true;
    fd_close(&fd);
    if (m.type == STEP_SIGNAL)
        kill(program, m.value);
    return m.type == STEP_KILL;
}

static int wait_for(const struct step_job *job, pid_t program, int signals)
{
    int status = SIGKILL; /* as waitpid(2) would tell it */
    struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
                            { .fd = job->socket, .events = POLLIN } };
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return status;
        if (fds[0].revents && take_signal(signals, program, &status))
            return status;
        if (fds[1].revents && take_message(job->socket, program))
            return status;
    }
}

static uint64_t microseconds(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

static void report(const struct step_job *job, int status)
{
    struct rusage use = { 0 };
    getrusage(RUSAGE_CHILDREN, &use);
    struct step_message m = { .type = STEP_ENDED,
                              .value = status,
                              .user_us = microseconds(&use.ru_utime),
                              .sys_us = microseconds(&use.ru_stime),
                              .peak_memory = (uint64_t)use.ru_maxrss * 1024,
                              .not_applied = job->not_applied };
    message_send(job->socket, &m, -1);
}

static int signals_open(void)
{
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    sigemptyset(&set);
    static const int forwarded[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
        sigaddset(&set, forwarded[i]);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* What only the program needs: its end must be seen at the other side. */
static void let_go(struct step_job *job)
{
    fd_close(&job->plan.stdin_fd);
    fd_close(&job->plan.stdout_fd);
    fd_close(&job->plan.stderr_fd);
    fd_close(&job->terminal);
}

void init_main(struct step_job *job)
{
    struct step_message failed = { .type = STEP_FAILED };
    prctl(PR_SET_NAME, "kiln-init");
    if (!job->place->has_pid_namespace)
        prctl(PR_SET_CHILD_SUBREAPER, 1);
    int signals = signals_open();
    pid_t program = signals < 0 ? -1 : fork();
    if (program == 0)
        program_main(job);
    if (program < 0) {
        err_sys(&failed.err, "start the step's first process");
        message_send(job->socket, &failed, -1);
        _exit(1);
    }
    let_go(job);
    int status = wait_for(job, program, signals);
    init_kill_rest(job->place->has_pid_namespace);
    report(job, status);
    _exit(0);
}
