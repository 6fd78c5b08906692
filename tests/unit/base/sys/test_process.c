#include "base/sys/process.h"

#include <poll.h>
#include <signal.h>

#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/core/pool.h"
#include "child.h"

static const char *shell[] = { "sh", "-c", NULL, NULL };

/* Runs a line of shell; what else `o` says is kept. */
static int run(const char *line, struct process_options o, struct process_result *r,
               struct err *err)
{
    shell[2] = line;
    o.argv = shell;
    return process_run(&o, r, err);
}

static const char *text(const struct buf *b)
{
    return b->data ? b->data : "";
}

TEST("a program's output, log and exit status come back")
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    REQUIRE_OK(run("echo out; echo log >&2; exit 3", (struct process_options){ 0 }, &r, &err),
               &err);
    EXPECT_INT(r.exit_status, 3);
    EXPECT_STR(text(&r.out), "out\n");
    EXPECT_STR(text(&r.log), "log\n");
}

TEST("one that a signal ends has status 128 and the signal")
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    REQUIRE_OK(run("kill -TERM $$", (struct process_options){ 0 }, &r, &err), &err);
    EXPECT_INT(r.exit_status, 128 + SIGTERM);
    EXPECT_STR(text(&r.out), "");
}

TEST("input larger than any pipe goes in while output comes out")
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    AUTO_FREE char *input = xmalloc(3 * MIB);
    for (size_t i = 0; i < 3 * MIB; i++)
        input[i] = (char)('a' + i % 23);
    struct process_options o = { .input = span_bytes(input, 3 * MIB) };
    REQUIRE_OK(run("cat", o, &r, &err), &err);
    EXPECT_INT(r.exit_status, 0);
    EXPECT(span_equal(buf_span(&r.out), o.input));
}

TEST("without input there is an end of it; a program need not read what there is")
{
    struct err err = { 0 };
    AUTO_FREE char *zeros = xcalloc(1, MIB);
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 }, deaf = { 0 };
    REQUIRE_OK(run("cat; echo end", (struct process_options){ 0 }, &r, &err), &err);
    EXPECT_STR(text(&r.out), "end\n");
    struct process_options o = { .input = span_bytes(zeros, MIB) };
    REQUIRE_OK(run("exec <&-; echo deaf", o, &deaf, &err), &err);
    EXPECT_STR(text(&deaf.out), "deaf\n");
    sigset_t pending;
    sigpending(&pending);
    EXPECT(!sigismember(&pending, SIGPIPE));
    pthread_sigmask(SIG_BLOCK, NULL, &pending);
    EXPECT(!sigismember(&pending, SIGPIPE));
}

TEST("the environment and folder are those asked for")
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    const char *env[] = { "KILN=yes", NULL };
    struct process_options o = { .env = env, .cwd = tap_dir() };
    REQUIRE_OK(run("echo $KILN $HOME; pwd -P", o, &r, &err), &err);
    AUTO_FREE char *want = xasprintf("yes\n%s\n", tap_dir());
    EXPECT_STR(text(&r.out), want);
}

TEST("no such program is NOT_FOUND, no such folder says so")
{
    struct err err = { 0 };
    const char *argv[] = { "kiln-no-such-program", NULL };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    struct process_options o = { .argv = argv };
    EXPECT_ERR(process_run(&o, &r, &err), &err, ERR_NOT_FOUND);
    EXPECT_STR(err.text, "run kiln-no-such-program: start: no such file or directory");
    o.cwd = "/no/such/folder";
    EXPECT_ERR(process_run(&o, &r, &err), &err, ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "enter folder /no/such/folder");
    argv[0] = "/etc/passwd";
    o.cwd = NULL;
    EXPECT_ERR(process_run(&o, &r, &err), &err, ERR_DENIED);
}

static void look_in_closed_path(void)
{
    struct err err = { 0 };
    const char *argv[] = { "kiln-program", NULL };
    struct process_options o = { .argv = argv };
    AUTO_VALUE(process_result_clear) struct process_result none = { 0 }, locked = { 0 };
    REQUIRE(become_nobody());
    AUTO_FD int dir = open_dir();
    AUTO_FREE char *path = xasprintf("%s/closed:%s", tap_dir(), tap_dir());
    setenv("PATH", path, 1);
    EXPECT_INT(mkdirat(dir, "closed", 0), 0);
    EXPECT_ERR(process_run(&o, &none, &err), &err, ERR_NOT_FOUND);
    AUTO_FD int file = openat(dir, "kiln-program", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    EXPECT(file >= 0);
    EXPECT_ERR(process_run(&o, &locked, &err), &err, ERR_DENIED);
}

TEST("a folder of PATH that may not be searched does not hide that there is no program")
{
    in_child(look_in_closed_path);
}

TEST("output past its ceiling is LIMIT, a log past its keeps the end")
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result exact = { 0 }, past = { 0 }, log = { 0 };
    struct process_options o = { .out_ceiling = 6 };
    EXPECT_OK(run("printf 123456", o, &exact, &err), &err);
    EXPECT_STR(text(&exact.out), "123456");
    EXPECT_ERR(run("printf 1234567", o, &past, &err), &err, ERR_LIMIT);
    EXPECT_STR(err.text, "run sh: output: more than 6 bytes");
    EXPECT_OK(run("seq 1 100000 >&2", o, &log, &err), &err);
    EXPECT(log.log.len >= 64 * 1024 && log.log.len <= 128 * 1024);
    EXPECT(span_ends(buf_span(&log.log), "\n99999\n100000\n"));
}

TEST("an endless writer is stopped at the ceiling")
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    EXPECT_ERR(run("yes", (struct process_options){ .out_ceiling = 100000 }, &r, &err), &err,
               ERR_LIMIT);
}

/* True when no process has the id that the program wrote to the case's file "pid". */
static bool is_gone(void)
{
    AUTO_FREE char *path = xasprintf("%s/pid", tap_dir());
    FILE *file = fopen(path, "re");
    int pid = 0;
    if (!file || fscanf(file, "%d", &pid) != 1)
        abort();
    fclose(file);
    for (int i = 0; i < 200; i++) { /* a killed orphan goes when init has reaped it */
        if (kill(pid, 0) < 0 && errno == ESRCH)
            return true;
        char state[64];
        snprintf(state, sizeof state, "/proc/%d/stat", pid);
        file = fopen(state, "re");
        char letter = 'Z';
        if (file && fscanf(file, "%*d (sleep) %c", &letter) != 1)
            letter = '?';
        if (file)
            fclose(file);
        if (letter == 'Z')
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

static const char with_child[] = "sleep 1000 & echo $! >pid.new; mv pid.new pid; wait";

TEST("when time is up the program and what it started are gone")
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    AUTO_FREE char *path = xasprintf("%s/pid", tap_dir());
    struct process_options o = { .cwd = tap_dir(), .timeout_ms = 300 };
    int result;
    do /* a loaded machine may need longer than that to start a shell */
        result = run(with_child, o, &r, &err), process_result_clear(&r), o.timeout_ms *= 2;
    while (result < 0 && access(path, F_OK) < 0 && o.timeout_ms < 60000);
    EXPECT_INT(result, -1);
    EXPECT_INT(err.kind, ERR_TIMEOUT);
    EXPECT_CONTAINS(err.text, "run sh: timed out after ");
    EXPECT(is_gone());
}

struct watch {
    struct cancel *cancel;
    char path[128];
};

static void cancel_when_started(void *arg)
{
    struct watch *w = arg;
    for (int i = 0; i < 3000 && access(w->path, F_OK) < 0; i++)
        poll(NULL, 0, 10);
    cancel_fire(w->cancel);
}

TEST("a cancel from another thread ends the program and what it started")
{
    struct err err = { 0 };
    AUTO(cancel_free) struct cancel *c = cancel_new();
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    struct watch w = { .cancel = c };
    snprintf(w.path, sizeof w.path, "%s/pid", tap_dir());
    struct thread *t = NULL;
    REQUIRE_OK(thread_start(&t, "watch", cancel_when_started, &w, &err), &err);
    struct process_options o = { .cwd = tap_dir(), .cancel = c };
    EXPECT_ERR(run(with_child, o, &r, &err), &err, ERR_CANCELED);
    EXPECT_STR(err.text, "run sh: canceled");
    thread_join(t);
    EXPECT(is_gone());
    EXPECT_ERR(run("echo never", o, &r, &err), &err, ERR_CANCELED);
}

TEST("a daemon that keeps the pipes open does not hold us up")
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    uint64_t start = clock_monotonic_ms();
    struct process_options o = { 0 };
    REQUIRE_OK(run("sleep 1000 & echo $!", o, &r, &err), &err);
    EXPECT(clock_monotonic_ms() - start < 100000);
    EXPECT_INT(r.exit_status, 0);
    kill((pid_t)strtol(text(&r.out), NULL, 10), SIGKILL);
}

TEST("no descriptor of ours reaches the program, none is left with us, signals are as new")
{
    struct err err = { 0 };
    int before = count_fds();
    signal(SIGPIPE, SIG_IGN);
    sigset_t set, old;
    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    /* 3 is ls reading the folder; signals 32 and up are libc's own. */
    int result = run("ls /proc/self/fd | tr '\\n' ' '; "
                     "sed -n 's/^Sig\\(Blk\\|Ign\\):.*\\(.......\\)$/\\1 \\2/p' /proc/self/status",
                     (struct process_options){ .input = SPAN("x") }, &r, &err);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    signal(SIGPIPE, SIG_DFL);
    EXPECT_INT(result, 0);
    EXPECT_STR(text(&r.out), "0 1 2 3 Blk 0000000\nIgn 0000000\n");
    EXPECT_INT(count_fds(), before);
}

TEST("a program that prints nothing for too long is stopped, one that prints is not")
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result talks = { 0 }, silent = { 0 };
    struct process_options o = { .idle_timeout_ms = 400 };
    EXPECT_OK(run("for i in 1 2 3 4 5 6; do echo $i >&2; sleep 0.1; done; exit 3", o, &talks, &err),
              &err);
    EXPECT_INT(talks.exit_status, 3);
    o.idle_timeout_ms = 50;
    EXPECT_ERR(run("echo begins; sleep 1000", o, &silent, &err), &err, ERR_TIMEOUT);
    EXPECT_CONTAINS(err.text, "printed nothing for 50 ms");
}

static void without_pidfd(void)
{
    struct err err = { 0 };
    refuse(SCMP_SYS(pidfd_open), ENOSYS);
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 }, late = { 0 };
    EXPECT_OK(
        run("echo out; exec >&- 2>&-; sleep 0.1; exit 5", (struct process_options){ 0 }, &r, &err),
        &err);
    EXPECT_INT(r.exit_status, 5);
    EXPECT_STR(text(&r.out), "out\n");
    struct process_options o = { .timeout_ms = 50 };
    EXPECT_ERR(run("sleep 1000", o, &late, &err), &err, ERR_TIMEOUT);
}

TEST("a kernel without pidfd_open serves as well")
{
    in_child(without_pidfd);
}

static void without_pipes(void)
{
    struct err err = { 0 };
    int before = count_fds();
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    refuse(SCMP_SYS(pipe2), EMFILE);
    EXPECT_ERR(run("true", (struct process_options){ 0 }, &r, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "run sh: make a pipe: too many open files");
    EXPECT_INT(count_fds(), before);
}

static void without_children(void)
{
    struct err err = { 0 };
    int before = count_fds();
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    refuse(SCMP_SYS(clone), EAGAIN);
    refuse(SCMP_SYS(clone3), ENOSYS);
    refuse(SCMP_SYS(vfork), EAGAIN);
    EXPECT_ERR(run("true", (struct process_options){ 0 }, &r, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "run sh: start: resource temporarily unavailable");
    EXPECT_INT(count_fds(), before);
}

static void with_poll_failing(void)
{
    struct err err = { 0 };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    refuse(SCMP_SYS(poll), ENOMEM);
    refuse(SCMP_SYS(ppoll), ENOMEM);
    EXPECT_ERR(run("sleep 1000", (struct process_options){ 0 }, &r, &err), &err, ERR_SYSTEM);
    EXPECT_INT(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left */
}

TEST("whatever call fails, nothing is left behind")
{
    in_child(without_pipes);
    in_child(without_children);
    in_child(with_poll_failing);
}

static int run_often(void *arg, struct err *err)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
        const char *argv[] = { "cat", NULL };
        struct process_options o = { .argv = argv, .input = SPAN("abc") };
        if (process_run(&o, &r, err) < 0)
            return -1;
        if (r.exit_status != 0 || !span_is(buf_span(&r.out), "abc"))
            return err_set(err, ERR_CORRUPT, "cat gave something else");
    }
    return 0;
}

TEST("many threads run programs at once")
{
    struct err err = { 0 };
    AUTO(pool_free) struct pool *p = pool_new(4);
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 0);
    for (int i = 0; i < 4; i++)
        task_group_add(g, run_often, NULL);
    EXPECT_OK(task_group_wait(g, &err), &err);
}

TAP_MAIN()
