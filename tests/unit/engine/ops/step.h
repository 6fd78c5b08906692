/* tests/unit/engine/ops/step.h - RUN in a root of busybox. */
#pragma once
#include "lab.h"

static const char *not_ready;
#define LAB(l, o)                                                                                  \
    struct lab l;                                                                                  \
    if (not_ready)                                                                                 \
        SKIP(not_ready);                                                                           \
    if (!lab_open(&l, o))                                                                          \
        return;                                                                                    \
    make_root()
#define NONE ((struct ops_options){ 0 })

/* The folder o of the case becomes a root of busybox. */
static void make_root(void)
{
    RUN("cd o; mkdir -p bin etc root tmp; cp /bin/busybox bin; for n in sh cat ls id echo env pwd "
        "mkdir rm "
        "touch stat chmod test sort ip true false grep sleep ln mv head tr; do ln -s busybox "
        "bin/$n; done; echo "
        "'root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh' >etc/passwd; echo "
        "'app:x:1001:\nstaff:x:50:app' >etc/group");
}

static struct edge add_root(struct graph_builder *b)
{
    struct op_action a = copy_of(add_context(b, "other", NULL), "/", "/");
    return add_actions(b, (struct edge){ 0 }, &a, 1);
}

/* A step to be changed by a case: `sh -c script` in the root, with PATH. */
struct step {
    struct graph_builder *b;
    struct op_exec exec;
    struct op_mount mounts[8];
    const char *args[3], *env[8];
    struct strings list;
};

static void step_init(struct step *s, const char *script)
{
    *s = (struct step){ .b = graph_builder_new(), .args = { "/bin/sh", "-c", script } };
    s->env[0] = "PATH=/bin";
    s->exec = (struct op_exec){ .args = { s->args, 3 },
                                .env = { s->env, 1 },
                                .cwd = "/",
                                .user = "",
                                .hostname = "",
                                .mounts = s->mounts,
                                .n_mounts = 1 };
    s->mounts[0] = (struct op_mount){ .type = MOUNT_BIND, .dest = "/", .from = add_root(s->b) };
}

static struct op_mount *add_mount(struct step *s, enum mount_type type, const char *dest)
{
    struct op_mount *m = &s->mounts[s->exec.n_mounts++];
    *m = (struct op_mount){ .type = type, .dest = dest };
    return m;
}

/* Ends the step's graph. */
static int run(struct lab *l, struct step *s, struct snapshot **out)
{
    struct platform p = platform_host();
    struct vertex_about about = { .platform = &p, .name = "RUN" };
    struct edge e = { 0 };
    *out = NULL;
    int status = graph_add_exec(s->b, &s->exec, &about, &e, &err);
    if (status)
        tap_fail(__FILE__, __LINE__, "add the step: %s", err.text);
    else
        status = lab_solve(l, s->b, e, out);
    graph_builder_free(s->b);
    s->b = NULL;
    return status;
}

/* What the step prints, or the error; what it leaves is dropped. */
static const char *output(struct lab *l, struct step *s)
{
    AUTO(snapshot_unref) struct snapshot *made = NULL;
    if (run(l, s, &made))
        return err.text;
    buf_puts(&l->log, "");
    return l->log.data;
}

static int steps_main(int argc, char **argv)
{
    setenv("GCOV_ERROR_FILE", "/dev/null", 0); /* else steps print what gcov cannot write */
    if (access("/bin/busybox", X_OK) != 0)
        not_ready = "needs busybox";
    else if (!lab_enter() || sandbox_start(&the_sandbox, &err) != 0)
        not_ready = "needs namespaces";
    int status = tap_main(argc, argv);
    sandbox_stop(the_sandbox);
    return status;
}
