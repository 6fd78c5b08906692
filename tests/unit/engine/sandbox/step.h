/* tests/unit/engine/sandbox/step.h - a root of busybox, and steps in it.
 *
 * The program enters its namespaces once and starts one sandbox, as kiln does; every case runs its
 * steps in that.  KILN_TEST_USER=1 makes it enter a user namespace whatever it is. */
#pragma once
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/core/buf.h"
#include "base/core/mem.h"
#include "base/sys/user.h"
#include "engine/sandbox/sandbox.h"
#include "tap.h"

#define BUSYBOX "/bin/busybox"

static struct sandbox *the_sandbox;
static struct id_map the_ids;
__attribute__((
    unused)) static bool has_masked_proc; /* as in a Pod: a new /proc cannot be mounted */

__attribute__((unused)) static void write_text(const char *root, const char *path, const char *text,
                                               mode_t mode)
{
    AUTO_FREE char *full = xasprintf("%s/%s", root, path);
    FILE *f = fopen(full, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0 || chmod(full, mode) < 0)
        abort();
}

__attribute__((unused)) static void make_dir(const char *root, const char *path, mode_t mode)
{
    AUTO_FREE char *full = xasprintf("%s/%s", root, path);
    if (mkdir(full, mode) < 0 || chmod(full, mode) < 0)
        abort();
}

/* busybox with links to it, passwd, group, and nothing else: no /proc, /dev, /sys, /etc/hosts. */
__attribute__((unused)) static const char *rootfs_make(void)
{
    static const char *const names[] = {
        "sh",   "cat",   "ls",   "id",      "echo", "sleep", "env",   "pwd",    "head", "dd",
        "wc",   "mount", "ps",   "kill",    "stat", "test",  "touch", "mkdir",  "rm",   "chown",
        "grep", "seq",   "tr",   "unshare", "true", "false", "ip",    "chroot", "su",   "hostname",
        "yes",  "sort",  "find", "mknod",   "tty",  "stty",  "sed"
    };
    const char *root = tap_dir();
    AUTO_FREE char *busybox = xasprintf("%s/bin/busybox", root);
    if (access(busybox, F_OK) == 0) /* made by this case before */
        return root;
    chmod(root, 0755);
    static const char *const dirs[] = { "bin", "dev", "etc", "proc", "root", "sys", "yard" };
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        make_dir(root, dirs[i], 0755);
    make_dir(root, "tmp", 01777);
    AUTO_FREE char *command = xasprintf("cp %s %s/bin/busybox", BUSYBOX, root);
    if (system(command) != 0)
        abort();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        AUTO_FREE char *link = xasprintf("%s/bin/%s", root, names[i]);
        if (symlink("busybox", link) < 0)
            abort();
    }
    write_text(root, "etc/passwd",
               "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n", 0644);
    write_text(root, "etc/group", "root:x:0:\nuser:x:1000:\n", 0644);
    return root;
}

struct step {
    struct step_plan plan;
    const char *args[16];
    const char *env[4];
    struct buf out, log; /* what it wrote */
    struct step_result result;
    struct err err;
};

__attribute__((unused)) static void step_take(void *arg, enum step_stream stream, struct span bytes)
{
    struct step *s = arg;
    buf_put(stream == STEP_STDOUT ? &s->out : &s->log, bytes);
}

/* A step that runs a line of shell. */
__attribute__((unused)) static void step_init(struct step *s, const char *root, const char *script)
{
    *s = (struct step){ .args = { "/bin/sh", "-c", script }, .env = { "PATH=/bin" } };
    buf_init(&s->out, 64 << 20);
    buf_init(&s->log, 1 << 20);
    step_plan_init(&s->plan);
    s->plan.root = root;
    s->plan.args = s->args;
    s->plan.n_args = 3;
    s->plan.env = s->env;
    s->plan.n_env = 1;
    s->plan.output = step_take;
    s->plan.output_arg = s;
    s->plan.timeout_ms = 20000;
}

__attribute__((unused)) static int step_run(struct step *s)
{
    buf_reset(&s->out);
    buf_reset(&s->log);
    err_clear(&s->err);
    return sandbox_run(the_sandbox, &s->plan, &s->result, &s->err);
}

__attribute__((unused)) static void step_clear(struct step *s)
{
    buf_clear(&s->out);
    buf_clear(&s->log);
}

__attribute__((unused)) static const char *step_out(const struct step *s)
{
    return s->out.len ? s->out.data : "";
}

/* Runs a line of shell in a fresh root; its output, owned by the caller.  Errors are output too. */
__attribute__((unused)) static char *shell(const char *script)
{
    struct step s;
    step_init(&s, rootfs_make(), script);
    if (step_run(&s) < 0)
        buf_printf(&s.out, "error: %s", s.err.text);
    buf_put(&s.out, buf_span(&s.log));
    char *text = xstrdup(step_out(&s));
    step_clear(&s);
    return text;
}

/* A command that sleeps for longer than any test, and only in steps of this program. */
__attribute__((unused)) static const char *nap(void)
{
    static char text[32];
    if (!text[0]) /* a child keeps its parent's */
        snprintf(text, sizeof text, "sleep 3%07d", (int)getpid());
    return text;
}

/* Before anything else: namespaces, the sandbox.  False when this place has none. */
__attribute__((unused)) static bool sandbox_begin(struct err *err)
{
    int status = user_is_privileged() && !getenv("KILN_TEST_USER") ? mountns_enter(err)
                                                                   : userns_enter(&the_ids, err);
    if (status == 0)
        status = id_map_current(&the_ids, err);
    return status == 0 && sandbox_start(&the_sandbox, err) == 0;
}

__attribute__((unused)) static int sandbox_main(int argc, char **argv)
{
    struct err err = { 0 };
    if (!sandbox_begin(&err)) {
        printf("1..1\nok 1 - steps run # SKIP %s\n", err.text);
        return 0;
    }
    int status = tap_main(argc, argv);
    sandbox_stop(the_sandbox);
    return status;
}
