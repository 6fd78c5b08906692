/* base/sys/process.c - one loop that feeds a program, reads it, and watches for its end.
 *
 * The program leads a process group of its own, so that what it started dies with it when time is
 * up or somebody cancels.  Its end is its exit, not the end of its output: a daemon that it left
 * behind may hold the pipes for ever.  SIGPIPE, from a program that does not read its input, is
 * blocked in this thread and taken away.
 *
 * Threads: posix_spawn(3) does not copy the process, so other threads and their locks are no
 * matter. */
#include "base/sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"

enum { CHUNK = 64 * 1024, LOG_KEPT = 64 * 1024, TICK_MS = 20 };
/* 1 MiB is the most that a pipe holds, so one drain() empties it. */
enum { MAX_CHUNKS = 16 };

struct run {
    const struct process_options *o; /* borrowed */
    struct process_result *result;   /* borrowed */
    struct span input;               /* what is not yet written */
    int in, out, log;                /* our ends of its pipes; -1 once closed */
    int pid_fd;                      /* -1 where the kernel or seccomp has no pidfd_open(2) */
    pid_t pid;                       /* 0 once reaped */
    uint64_t end_ms;                 /* 0: none */
    uint64_t idle_end_ms;            /* 0: none; moves with every byte that it prints */
};

struct pipes {
    int in[2], out[2], log[2];
};

void process_result_clear(struct process_result *r)
{
    buf_clear(&r->out);
    buf_clear(&r->log);
}

static void pipes_clear(struct pipes *p)
{
    for (int i = 0; i < 2; i++) {
        auto_close_fd(&p->in[i]);
        auto_close_fd(&p->out[i]);
        auto_close_fd(&p->log[i]);
    }
}

/* Whatever way process_run() ends, nothing of the program stays. */
static void run_clear(struct run *r)
{
    int saved = errno;
    if (r->pid > 0) {
        /* Not reaped yet, so neither the id nor the group's can be another's. */
        kill(-r->pid, SIGKILL);
        kill(r->pid, SIGKILL);
        while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    auto_close_fd(&r->in);
    auto_close_fd(&r->out);
    auto_close_fd(&r->log);
    auto_close_fd(&r->pid_fd);
    errno = saved;
}

/* ---- start ---- */

static int open_pipes(struct pipes *p, bool has_input, struct err *err)
{
    if (has_input) {
        if (pipe2(p->in, O_CLOEXEC) < 0)
            return err_sys(err, "make a pipe");
    } else if ((p->in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
        return err_sys(err, "open /dev/null");
    }
    if (pipe2(p->out, O_CLOEXEC) < 0 || pipe2(p->log, O_CLOEXEC) < 0)
        return err_sys(err, "make a pipe");
    /* Only our ends: the program's must block as programs expect. */
    int ours[] = { p->in[1], p->out[0], p->log[0] };
    for (size_t i = 0; i < 3; i++)
        if (ours[i] >= 0 && fcntl(ours[i], F_SETFL, O_NONBLOCK) < 0)
            return err_sys(err, "make a pipe");
    return 0;
}

/* posix_spawn's attributes: own group, no signal blocked or ignored. */
static int prepare_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    int code = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF);
    if (code == 0)
        code = posix_spawnattr_setpgroup(attr, 0);
    if (code == 0)
        code = posix_spawnattr_setsigmask(attr, &none);
    return code ? code : posix_spawnattr_setsigdefault(attr, &all);
}

static int prepare_files(posix_spawn_file_actions_t *files, const struct pipes *p, const char *cwd)
{
    int code = posix_spawn_file_actions_adddup2(files, p->in[0], STDIN_FILENO);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(files, p->out[1], STDOUT_FILENO);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(files, p->log[1], STDERR_FILENO);
    if (code == 0) /* what we inherited without close-on-exec is none of its business */
        code = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    if (code == 0 && cwd)
        code = posix_spawn_file_actions_addchdir_np(files, cwd);
    return code;
}

static int spawn(const struct process_options *o, const struct pipes *p, pid_t *pid)
{
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t files;
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_init(&files);
    int code = prepare_attributes(&attr);
    if (code == 0)
        code = prepare_files(&files, p, o->cwd);
    union { /* posix_spawn(3) has the types of 1988, but writes nothing */
        const char *const *given;
        char *const *wanted;
    } argv = { .given = o->argv }, env = { .given = o->env };
    if (code == 0)
        code = posix_spawnp(pid, o->argv[0], &files, &attr, argv.wanted,
                            o->env ? env.wanted : environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return code;
}

/* posix_spawnp(3) says EACCES when it may not look into one folder of PATH and finds the program in
 * no other.  True when there is such a program somewhere, so that it is the one that may not run.
 */
static bool is_in_path(const char *program)
{
    const char *path = getenv("PATH");
    struct span rest = span_of(path ? path : "/bin:/usr/bin");
    while (rest.ptr) {
        struct span folder = span_cut(&rest, ':');
        AUTO_FREE char *file = xasprintf("%.*s/%s", SPAN_ARG(folder), program);
        if (access(file, F_OK) == 0)
            return true;
    }
    return false;
}

static int start(struct run *r, struct err *err)
{
    AUTO_VALUE(pipes_clear) struct pipes p = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
    if (open_pipes(&p, r->input.len > 0, err) < 0)
        return -1;
    int code = spawn(r->o, &p, &r->pid);
    if (code != 0) {
        r->pid = 0;
        if (code == ENOENT && r->o->cwd && access(r->o->cwd, F_OK) < 0)
            return err_sys(err, "enter folder %s", r->o->cwd);
        const char *program = r->o->argv[0];
        bool is_missing = code == EACCES && !strchr(program, '/') && !is_in_path(program);
        errno = is_missing ? ENOENT : code;
        return err_sys(err, "start");
    }
    r->in = STEAL_FD(p.in[1]);
    r->out = STEAL_FD(p.out[0]);
    r->log = STEAL_FD(p.log[0]);
    r->pid_fd = pidfd_open(r->pid, 0);
    return 0;
}

/* ---- while it runs ---- */

static void write_input(struct run *r)
{
    ssize_t n = write(r->in, r->input.ptr, r->input.len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        r->input = span_skip(r->input, (size_t)n);
    if (n < 0 || r->input.len == 0) { /* EPIPE: it does not want more, which is its right */
        auto_close_fd(&r->in);
        r->in = -1;
    }
}

/* Keeps the last LOG_KEPT bytes at least. */
static void keep_log(struct buf *log, struct span bytes)
{
    if (bytes.len > buf_room(log)) {
        size_t dropped = log->len > LOG_KEPT ? log->len - LOG_KEPT : 0;
        if (dropped)
            memmove(log->data, log->data + dropped, log->len - dropped);
        log->len -= dropped;
    }
    buf_put(log, bytes);
}

static void note_life(struct run *r)
{
    if (r->o->idle_timeout_ms > 0)
        r->idle_end_ms = clock_monotonic_ms() + (uint64_t)r->o->idle_timeout_ms;
}

/* Reads what is there, within bounds.  *fd becomes -1 at the end of it. */
static int drain(struct run *r, int *fd, struct err *err)
{
    char chunk[CHUNK];
    for (int i = 0; i < MAX_CHUNKS && *fd >= 0; i++) {
        ssize_t n = read(*fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0)
            return err_sys(err, "read its output");
        note_life(r);
        if (n == 0) {
            auto_close_fd(fd);
            *fd = -1;
        } else if (fd == &r->log) {
            keep_log(&r->result->log, span_bytes(chunk, (size_t)n));
        } else if (buf_append(&r->result->out, span_bytes(chunk, (size_t)n), err) < 0) {
            return err_wrap(err, "output");
        }
        if (n < (ssize_t)sizeof chunk) /* the pipe was emptied */
            return 0;
    }
    return 0;
}

/* How long poll(2) may sleep; -1 for ever, 0 when time is up. */
static int patience_ms(const struct run *r)
{
    int wait = r->pid_fd < 0 ? TICK_MS : -1;
    uint64_t end = r->end_ms;
    if (r->idle_end_ms && (!end || r->idle_end_ms < end))
        end = r->idle_end_ms;
    if (!end)
        return wait;
    uint64_t now = clock_monotonic_ms();
    uint64_t left = end > now ? end - now : 0;
    if (wait >= 0 && (uint64_t)wait < left)
        return wait;
    return left < INT_MAX ? (int)left : INT_MAX;
}

static bool has_ended(const struct run *r)
{
    siginfo_t info = { 0 };
    return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
           info.si_pid == r->pid;
}

/* Feeds and reads until it has ended and what it wrote before is read. */
static int attend(struct run *r, struct err *err)
{
    for (;;) {
        struct pollfd fds[] = {
            { .fd = r->in, .events = POLLOUT },
            { .fd = r->out, .events = POLLIN },
            { .fd = r->log, .events = POLLIN },
            { .fd = r->pid_fd, .events = POLLIN },
            { .fd = cancel_fd(r->o->cancel), .events = POLLIN },
        };
        int n = poll(fds, 5, patience_ms(r));
        if (n < 0 && errno != EINTR)
            return err_sys(err, "wait");
        if (cancel_check(r->o->cancel, err) < 0)
            return -1;
        bool is_over = has_ended(r); /* before the last look at its output */
        if (n > 0 && fds[0].revents)
            write_input(r);
        if (drain(r, &r->out, err) < 0 || drain(r, &r->log, err) < 0)
            return -1;
        if (is_over)
            return 0;
        if (r->end_ms && clock_monotonic_ms() >= r->end_ms)
            return err_set(err, ERR_TIMEOUT, "timed out after %d ms", r->o->timeout_ms);
        if (r->idle_end_ms && clock_monotonic_ms() >= r->idle_end_ms)
            return err_set(err, ERR_TIMEOUT, "printed nothing for %d ms", r->o->idle_timeout_ms);
    }
}

static int reap(struct run *r, struct err *err)
{
    int status;
    pid_t got;
    do
        got = waitpid(r->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        r->pid = 0; /* SIGCHLD is ignored: the kernel has reaped it and told nobody */
        return err_sys(err, "learn how it ended");
    }
    r->pid = 0;
    r->result->exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return 0;
}

/* ---- SIGPIPE ---- */

struct pipe_signal {
    sigset_t old;
    bool was_pending;
};

static void block_pipe_signal(struct pipe_signal *s)
{
    sigset_t set;
    sigpending(&set);
    s->was_pending = sigismember(&set, SIGPIPE) == 1;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &s->old);
}

static void restore_pipe_signal(const struct pipe_signal *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    static const struct timespec now = { 0 };
    while (!s->was_pending && sigtimedwait(&set, NULL, &now) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &s->old, NULL);
}

int process_run(const struct process_options *o, struct process_result *out, struct err *err)
{
    *out = (struct process_result){ 0 };
    buf_init(&out->out, o->out_ceiling ? o->out_ceiling : LIMIT_JSON);
    buf_init(&out->log, LOG_KEPT + CHUNK);
    AUTO_VALUE(run_clear) struct run r = { .o = o, .result = out, .input = o->input };
    r.in = r.out = r.log = r.pid_fd = -1;
    if (o->timeout_ms > 0)
        r.end_ms = clock_monotonic_ms() + (uint64_t)o->timeout_ms;
    note_life(&r);
    struct pipe_signal signal;
    block_pipe_signal(&signal);
    int result = cancel_check(o->cancel, err);
    if (result == 0)
        result = start(&r, err);
    if (result == 0)
        result = attend(&r, err);
    if (result == 0)
        result = reap(&r, err);
    restore_pipe_signal(&signal);
    return result < 0 ? err_wrap(err, "run %s", o->argv[0]) : 0;
}
