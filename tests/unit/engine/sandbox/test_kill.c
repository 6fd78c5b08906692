/* tests/unit/engine/sandbox/test_kill.c - nothing of a step outlives kiln, however that ends.
 *
 * A "kiln" is a child of the test that enters its namespaces, starts a sandbox and runs a step. Its
 * standard error is a pipe that the launcher inherits, the step's output another: each ends when
 * the last process that has it is gone, so that nobody has to wait by the clock. */
#include <poll.h>
#include <sched.h>
#include <signal.h>

#include "base/sys/fs.h"
#include "step.h"

struct kiln {
    pid_t pid;
    int output; /* of the step */
    int life;   /* of the launcher */
};

/* As in a Pod, where no new /proc may be mounted and so no pid namespace is used. */
static bool hides_proc;

static void hide_proc(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/proc/bus", "tmpfs", MS_RDONLY, NULL) < 0)
        _exit(9);
    setenv("KILN_TEST_USER", "1", 1);
}

static void be_kiln(const char *root, int output, int life)
{
    struct step s;
    struct err err = { 0 };
    if (hides_proc)
        hide_proc();
    if (dup2(life, 2) < 0 || !sandbox_begin(&err))
        _exit(9);
    close(life);
    AUTO_FREE char *script =
        xasprintf("%s & (trap '' TERM INT HUP; %s & wait) & echo running; %s", nap(), nap(), nap());
    step_init(&s, root, script);
    s.plan.output = NULL;
    s.plan.stdout_fd = output;
    s.plan.timeout_ms = 0;
    s.plan.resources.memory = 64 << 20;
    int status = step_run(&s);
    _exit(status == 0 ? s.result.exit_status : s.err.kind == ERR_SYSTEM ? 42 : 43);
}

/* False where there are no namespaces. */
static bool kiln_start(struct kiln *k, const char *root)
{
    int output[2], life[2];
    if (pipe2(output, O_CLOEXEC) < 0 || pipe2(life, O_CLOEXEC) < 0)
        abort();
    nap();
    k->pid = fork();
    if (k->pid == 0)
        be_kiln(root, output[1], life[1]);
    close(output[1]);
    close(life[1]);
    k->output = output[0];
    k->life = life[0];
    char text[9] = "";
    return read(k->output, text, 8) == 8 && strcmp(text, "running\n") == 0;
}

/* Waits for the end of a pipe; false after ten seconds. */
static bool ends(int fd)
{
    char bytes[256];
    struct pollfd one = { .fd = fd, .events = POLLIN };
    for (;;) {
        if (poll(&one, 1, 10000) <= 0)
            return false;
        if (read(fd, bytes, sizeof bytes) == 0)
            return true;
    }
}

static int status_of(struct kiln *k)
{
    int status = 0;
    waitpid(k->pid, &status, 0);
    close(k->output);
    close(k->life);
    return status;
}

/* The launcher: the child of k->pid that is no step. */
static pid_t launcher_of(const struct kiln *k)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/task/%d/children", (int)k->pid, (int)k->pid);
    FILE *f = fopen(path, "re");
    int pid = 0;
    if (!f || fscanf(f, "%d", &pid) != 1)
        pid = 0;
    if (f)
        fclose(f);
    return pid;
}

/* Groups of steps whose launcher is dead: "step-PID-N".  Other tests may run meanwhile. */
static int dead_groups(const char *folder)
{
    struct err err = { 0 };
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    int n = 0;
    if (fs_list(AT_FDCWD, folder, &names, &err) < 0)
        return 0;
    for (size_t i = 0; i < names.n; i++) {
        if (strncmp(names.items[i], "step-", 5) == 0 &&
            kill((pid_t)strtol(names.items[i] + 5, NULL, 10), 0) < 0)
            n++;
    }
    return n;
}

static bool are_there_sleepers(void)
{
    AUTO_FREE char *command = xasprintf(
        "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -q '[s]%s'", nap() + 1);
    return system(command) == 0;
}

static void expect_nothing_left(void)
{
    EXPECT(!are_there_sleepers());
    AUTO_FREE char *mounts = xasprintf("grep -q %s /proc/self/mountinfo", tap_dir());
    EXPECT_INT(system(mounts), 256);
    EXPECT_INT(dead_groups("/sys/fs/cgroup/memory/kiln"), 0);
    EXPECT_INT(dead_groups("/sys/fs/cgroup/kiln"), 0);
}

TEST("kill -9 of kiln ends its steps and its launcher")
{
    struct kiln k;
    if (!kiln_start(&k, rootfs_make()))
        SKIP("needs namespaces");
    EXPECT(are_there_sleepers());
    kill(k.pid, SIGKILL);
    EXPECT(ends(k.output));
    EXPECT(ends(k.life));
    EXPECT_INT(WTERMSIG(status_of(&k)), SIGKILL);
    expect_nothing_left();
}

TEST("without a pid namespace kill -9 of kiln does the same")
{
    struct kiln k;
    hides_proc = true;
    bool has_begun = kiln_start(&k, rootfs_make());
    if (has_begun) {
        kill(k.pid, SIGKILL);
        EXPECT(ends(k.output));
        EXPECT(ends(k.life));
        EXPECT_INT(WTERMSIG(status_of(&k)), SIGKILL);
        expect_nothing_left();
    }
    hides_proc = false;
    if (!has_begun)
        SKIP("needs root");
}

TEST("kill -9 of the launcher ends its steps, and kiln is told")
{
    struct kiln k;
    if (!kiln_start(&k, rootfs_make()))
        SKIP("needs namespaces");
    pid_t launcher = launcher_of(&k);
    if (launcher <= 0) {
        kill(k.pid, SIGKILL);
        status_of(&k);
        SKIP("needs /proc/PID/task/TID/children");
    }
    kill(launcher, SIGKILL);
    EXPECT(ends(k.output));
    EXPECT(ends(k.life));
    EXPECT_INT(WEXITSTATUS(status_of(&k)), 42);
}

TEST("what a killed launcher left of cgroups goes with the next step")
{
    struct kiln k;
    if (!kiln_start(&k, rootfs_make()))
        SKIP("needs namespaces");
    kill(k.pid, SIGKILL);
    EXPECT(ends(k.output));
    EXPECT(ends(k.life));
    status_of(&k);
    expect_nothing_left();
}

TEST("kill -9 at any moment of a step's start leaves nothing")
{
    const char *root = rootfs_make();
    nap();
    for (int i = 0; i < 20; i++) {
        struct kiln k;
        int output[2], life[2];
        if (pipe2(output, O_CLOEXEC) < 0 || pipe2(life, O_CLOEXEC) < 0)
            abort();
        k.pid = fork();
        if (k.pid == 0)
            be_kiln(root, output[1], life[1]);
        close(output[1]);
        close(life[1]);
        k.output = output[0];
        k.life = life[0];
        usleep((useconds_t)i * 500); /* wherever that may be */
        kill(k.pid, SIGKILL);
        EXPECT(ends(k.output));
        EXPECT(ends(k.life));
        status_of(&k);
    }
    expect_nothing_left();
}

TAP_MAIN()
