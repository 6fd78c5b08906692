/* tests/unit/engine/sandbox/cases_program.h - starting, feeding, reading and ending a program. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/core/clock.h"
#include "base/core/pool.h"
#include "step.h"

TEST("a step's output and exit status come back")
{
    struct step s;
    step_init(&s, rootfs_make(), "echo out; echo err >&2; exit 7");
    REQUIRE_OK(step_run(&s), &s.err);
    EXPECT_INT(s.result.exit_status, 7);
    EXPECT_INT(s.result.signal, 0);
    EXPECT_STR(step_out(&s), "out\n");
    EXPECT_STR(s.log.data, "err\n");
    step_clear(&s);
}

TEST("a signal that ends the program is told, and 128 more is its status")
{
    struct step s;
    step_init(&s, rootfs_make(), "kill -KILL $$");
    REQUIRE_OK(step_run(&s), &s.err);
    EXPECT_INT(s.result.signal, SIGKILL);
    EXPECT_INT(s.result.exit_status, 128 + SIGKILL);
    EXPECT(!s.result.was_oom_killed);
    step_clear(&s);
}

TEST("both streams keep their order when a program writes to them in turn")
{
    struct step s;
    step_init(&s, rootfs_make(), "for i in $(seq 500); do echo o$i; echo e$i >&2; done");
    REQUIRE_OK(step_run(&s), &s.err);
    AUTO_VALUE(buf_clear) struct buf out, log;
    buf_init(&out, 1 << 20);
    buf_init(&log, 1 << 20);
    for (int i = 1; i <= 500; i++) {
        buf_printf(&out, "o%d\n", i);
        buf_printf(&log, "e%d\n", i);
    }
    EXPECT_STR(step_out(&s), out.data);
    EXPECT_STR(s.log.data, log.data);
    step_clear(&s);
}

TEST("stdin is what was given, or empty")
{
    struct step s;
    const char *root = rootfs_make();
    write_text(root, "tmp/input", "some input\n", 0644);
    AUTO_FREE char *path = xasprintf("%s/tmp/input", root);
    step_init(&s, root, "cat");
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "");
    AUTO_FD int input = open(path, O_RDONLY | O_CLOEXEC);
    s.plan.stdin_fd = input;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "some input\n");
    step_clear(&s);
}

TEST("32 MB on both streams at once block nobody")
{
    struct step s;
    step_init(&s, rootfs_make(),
              "dd if=/dev/zero bs=64k count=512 2>/dev/null & "
              "dd if=/dev/zero bs=64k count=8 >&2 2>/dev/null; wait");
    REQUIRE_OK(step_run(&s), &s.err);
    EXPECT_INT(s.out.len, 32 << 20);
    step_clear(&s);
}

TEST("output goes straight to descriptors when there is no callback")
{
    struct step s;
    const char *root = rootfs_make();
    AUTO_FREE char *path = xasprintf("%s/tmp/output", root);
    AUTO_FD int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    step_init(&s, root, "echo out; echo err >&2");
    s.plan.output = NULL;
    s.plan.stdout_fd = s.plan.stderr_fd = fd;
    EXPECT_OK(step_run(&s), &s.err);
    char text[64] = "";
    EXPECT_INT(pread(fd, text, sizeof text - 1, 0), 8);
    EXPECT_STR(text, "out\nerr\n");
    step_clear(&s);
}

TEST("the environment is exactly the plan's, and PATH finds the program")
{
    struct step s;
    step_init(&s, rootfs_make(), "");
    s.args[0] = "env";
    s.plan.n_args = 1;
    s.env[1] = "EMPTY=";
    s.env[2] = "TEXT=a b=c";
    s.plan.n_env = 3;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "PATH=/bin\nEMPTY=\nTEXT=a b=c\n");
    step_clear(&s);
}

TEST("the working directory is the plan's, and must exist")
{
    struct step s;
    step_init(&s, rootfs_make(), "pwd");
    s.plan.cwd = "/yard";
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "/yard\n");
    s.plan.cwd = "/nowhere";
    EXPECT_ERR(step_run(&s), &s.err, ERR_NOT_FOUND);
    EXPECT_STR(s.err.text, "enter the working directory /nowhere: no such file or directory");
    step_clear(&s);
}

/* The head of a 64-bit ELF file for arm64. */
static void write_foreign(const char *root)
{
    char head[64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
    head[16] = 2;
    head[18] = (char)183;
    AUTO_FREE char *path = xasprintf("%s/bin/foreign", root);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(head, 1, sizeof head, f) != sizeof head || fclose(f) != 0 ||
        chmod(path, 0755) < 0)
        abort();
}

TEST("a program that cannot be started says why")
{
    static const struct {
        const char *program;
        enum err_kind kind;
        int sys;
        const char *text, *hint;
    } rows[] = {
        { "/bin/nothing", ERR_NOT_FOUND, ENOENT, "start /bin/nothing: not in the image", "" },
        { "nothing", ERR_NOT_FOUND, ENOENT, "start nothing: not in the image's PATH (/bin)", "" },
        { "/bin/needs", ERR_NOT_FOUND, ENOENT,
          "start /bin/needs: its interpreter /bin/bash is not in the image", "its first line" },
        { "needs", ERR_NOT_FOUND, ENOENT,
          "start /bin/needs: its interpreter /bin/bash is not in the image", "its first line" },
        { "/bin/crlf", ERR_NOT_FOUND, ENOENT,
          "start /bin/crlf: its first line ends in a carriage return", "dos2unix" },
        { "/bin/plain", ERR_DENIED, EACCES, "start /bin/plain: permission denied", "chmod +x" },
        { "/yard", ERR_DENIED, EACCES, "start /yard: it is a folder", "" },
        { "/bin/foreign", ERR_UNSUPPORTED, ENOEXEC,
          "start /bin/foreign: it is a program for arm64, this machine is ", "platform" },
        { "/bin/text", ERR_UNSUPPORTED, ENOEXEC,
          "start /bin/text: neither a program nor a script with \"#!\"", "#!/bin/sh" },
    };
    struct step s;
    const char *root = rootfs_make();
    step_init(&s, root, "");
    write_text(root, "bin/needs", "#!/bin/bash\n", 0755);
    write_text(root, "bin/crlf", "#!/bin/sh\r\necho x\r\n", 0755);
    write_text(root, "bin/plain", "#!/bin/sh\n", 0644);
    write_text(root, "bin/text", "echo hello\n", 0755);
    write_foreign(root);
    s.plan.n_args = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        s.args[0] = rows[i].program;
        EXPECT_ERR(step_run(&s), &s.err, rows[i].kind);
        EXPECT_CONTAINS(s.err.text, rows[i].text);
        EXPECT_CONTAINS(s.err.hint, rows[i].hint);
        EXPECT_INT(s.err.sys, rows[i].sys);
    }
    step_clear(&s);
}

TEST("plans that make no sense are refused")
{
    static const struct step_mount at_root = { .type = STEP_TMPFS, .dest = "/" },
                                   relative = { .type = STEP_TMPFS, .dest = "tmp" },
                                   in_proc = { .type = STEP_TMPFS, .dest = "/proc/sys" };
    static const struct step_mount *const mounts[] = { &at_root, &relative, &in_proc };
    struct step s;
    step_init(&s, rootfs_make(), "true");
    for (size_t i = 0; i < 3; i++) {
        s.plan.mounts = mounts[i];
        s.plan.n_mounts = 1;
        EXPECT_ERR(step_run(&s), &s.err, ERR_INVALID);
    }
    s.plan.n_mounts = 0;
    s.plan.cwd = "work";
    EXPECT_ERR(step_run(&s), &s.err, ERR_INVALID);
    s.plan.cwd = NULL;
    s.plan.n_args = 0;
    EXPECT_ERR(step_run(&s), &s.err, ERR_INVALID);
    s.plan.n_args = 3;
    s.plan.root = "/nowhere/at/all";
    EXPECT_ERR(step_run(&s), &s.err, ERR_NOT_FOUND);
    step_clear(&s);
}

/* ---- ending ---- */

/* Processes on this machine whose command line has `word`. */
static int processes_with(const char *word)
{
    int n = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        char text[512];
        AUTO_FREE char *path = xasprintf("/proc/%s/cmdline", e->d_name);
        FILE *f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
        size_t len = f ? fread(text, 1, sizeof text - 1, f) : 0;
        if (f)
            fclose(f);
        text[len] = '\0';
        for (size_t i = 0; i < len; i++)
            text[i] = text[i] ? text[i] : ' ';
        n += strstr(text, word) != NULL;
    }
    if (proc)
        closedir(proc);
    return n;
}

TEST("processes that the program leaves behind end with it")
{
    struct step s;
    AUTO_FREE char *script =
        xasprintf("%s & (%s &) ; (trap '' TERM HUP INT; %s & wait) & echo ok", nap(), nap(), nap());
    step_init(&s, rootfs_make(), script);
    REQUIRE_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "ok\n");
    EXPECT_INT(processes_with(nap()), 0);
    step_clear(&s);
}

TEST("a step that takes too long is ended")
{
    struct step s;
    AUTO_FREE char *script = xasprintf("echo begun; %s & %s", nap(), nap());
    step_init(&s, rootfs_make(), script);
    s.plan.timeout_ms = 100;
    EXPECT_ERR(step_run(&s), &s.err, ERR_TIMEOUT);
    EXPECT_STR(s.err.text, "the step did not end within 100 ms");
    EXPECT_INT(processes_with(nap()), 0);
    step_clear(&s);
}

static void fire_cancel(void *arg, enum step_stream stream, struct span bytes)
{
    (void)stream, (void)bytes;
    cancel_fire(arg);
}

TEST("a step is ended when its build is canceled")
{
    struct step s;
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    AUTO_FREE char *script = xasprintf("echo begun; %s", nap());
    step_init(&s, rootfs_make(), script);
    s.plan.cancel = cancel;
    s.plan.output = fire_cancel;
    s.plan.output_arg = cancel;
    EXPECT_ERR(step_run(&s), &s.err, ERR_CANCELED);
    EXPECT_INT(processes_with(nap()), 0);
    EXPECT_ERR(step_run(&s), &s.err, ERR_CANCELED);
    step_clear(&s);
}

struct signaller {
    struct step *step;
    int fd;
};

static void send_term(void *arg, enum step_stream stream, struct span bytes)
{
    struct signaller *x = arg;
    if (span_is(bytes, "ready\n") && write(x->fd, "\017", 1) != 1)
        abort();
    step_take(x->step, stream, bytes);
}

TEST("signals are passed on to the program")
{
    struct step s;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        abort();
    step_init(&s, rootfs_make(),
              "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
    struct signaller x = { .step = &s, .fd = ends[1] };
    s.plan.signals_fd = ends[0];
    s.plan.output = send_term;
    s.plan.output_arg = &x;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_INT(s.result.exit_status, 3);
    EXPECT_STR(step_out(&s), "ready\ngot it\n");
    close(ends[0]);
    close(ends[1]);
    step_clear(&s);
}

TEST("a step may have a terminal")
{
    struct step s;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0 || write(ends[1], "typed\n", 6) != 6)
        abort();
    step_init(&s, rootfs_make(), "stty -echo -onlcr; tty; stty size; read x; echo \"[$x]\" >&2");
    s.plan.has_terminal = true;
    s.plan.rows = 33;
    s.plan.columns = 101;
    s.plan.stdin_fd = ends[0];
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_CONTAINS(step_out(&s), "/dev/pts/0");
    EXPECT_CONTAINS(step_out(&s), "33 101");
    EXPECT_CONTAINS(step_out(&s), "[typed]");
    close(ends[0]);
    close(ends[1]);
    step_clear(&s);
}

static int resized_fd;

/* Says that the terminal has changed once the step is there. */
static void take_and_resize(void *arg, enum step_stream stream, struct span bytes)
{
    struct step *s = arg;
    bool was_ready = s->out.data && strstr(s->out.data, "ready");
    step_take(s, stream, bytes);
    if (!was_ready && strstr(s->out.data, "ready") &&
        write(resized_fd, &(char){ SIGWINCH }, 1) != 1)
        abort();
}

TEST("a terminal of another size is told to the program")
{
    struct step s;
    int ends[2], ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct winsize size = { .ws_row = 50, .ws_col = 132 };
    if (ours < 0 || ioctl(ours, TIOCSWINSZ, &size) < 0 || pipe2(ends, O_CLOEXEC) < 0)
        abort();
    step_init(&s, rootfs_make(),
              "trap 'echo told' WINCH; echo ready; "
              "until [ \"$(stty size)\" = '50 132' ]; do sleep 0.05; done; echo done");
    s.plan.has_terminal = true;
    s.plan.stdout_fd = ours;
    s.plan.signals_fd = ends[0];
    s.plan.output = take_and_resize;
    resized_fd = ends[1];
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_CONTAINS(step_out(&s), "told");
    EXPECT_CONTAINS(step_out(&s), "done");
    step_clear(&s);
    close(ours);
    close(ends[0]);
    close(ends[1]);
}

/* ---- many at once ---- */

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static int run_one(void *arg, struct err *err)
{
    struct step *s = arg;
    if (sandbox_run(the_sandbox, &s->plan, &s->result, err) < 0)
        return -1;
    return s->result.exit_status == 0 && span_is(buf_span(&s->out), "hello\n")
               ? 0
               : err_set(err, ERR_CORRUPT, "status %d", s->result.exit_status);
}

TEST("sixteen steps run at once, four times over, and leave no descriptor open")
{
    enum { N = 64 };
    static struct step steps[N];
    const char *root = rootfs_make();
    struct err err = { 0 };
    write_text(root, "etc/hosts", "",
               0644); /* a root that steps share must have its mount points */
    write_text(root, "etc/resolv.conf", "", 0644);
    for (int i = 0; i < N; i++)
        step_init(&steps[i], root, "echo hello");
    int before = descriptors();
    {
        AUTO(pool_free) struct pool *pool = pool_new(16);
        AUTO(task_group_free) struct task_group *group = task_group_new(pool, 0);
        for (int i = 0; i < N; i++)
            task_group_add(group, run_one, &steps[i]);
        EXPECT_OK(task_group_wait(group, &err), &err);
    }
    EXPECT_INT(descriptors(), before);
    for (int i = 0; i < N; i++)
        step_clear(&steps[i]);
}

/* The fastest of n, in milliseconds: the machine may be busy. */
static double fastest(struct step *s, int n)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < n; i++) {
        uint64_t start = clock_monotonic_ns();
        EXPECT_OK(step_run(s), &s->err);
        uint64_t took = clock_monotonic_ns() - start;
        best = took < best ? took : best;
    }
    return (double)best / 1e6;
}

TEST("what a step costs is told")
{
    struct step s;
    const char *root = rootfs_make();
    step_init(&s, root, "true");
    s.args[0] = "/bin/true";
    s.plan.n_args = 1;
    EXPECT_OK(step_run(&s), &s.err);
    double host = fastest(&s, 50);
    s.plan.network = STEP_NETWORK_NONE;
    double none = fastest(&s, 10);
    s.plan.is_insecure = true;
    s.plan.network = STEP_NETWORK_HOST;
    double insecure = fastest(&s, 10);
    AUTO_FREE char *program = xasprintf("%s/bin/busybox true", root);
    uint64_t start = clock_monotonic_ns();
    EXPECT_INT(system(program), 0);
    printf("# one step at best %.2f ms, without network %.2f ms, insecure %.2f ms; its program by "
           "a shell %.2f ms\n",
           host, none, insecure, (double)(clock_monotonic_ns() - start) / 1e6);
    EXPECT(s.result.peak_memory > 0);
    step_clear(&s);
}
