/* RUN through the solver: what a step finds, what stays of it, what decides its key. */
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

TEST("a step finds its environment, its user and its folder")
{
    static const struct {
        const char *name, *user, *cwd, *env, *script, *want;
    } rows[] = {
        { "root", "", "/", NULL, "echo $HOME $(id -u):$(id -g) $(pwd)", "/root 0:0 /\n" },
        { "a name", "app", "/", NULL, "echo $HOME $(id -u):$(id -G | tr ' ' ,)",
          "/home/app 1000:1001,50\n" },
        { "a number that is known", "1000", "/", NULL, "echo $HOME $(id -u):$(id -g)",
          "/home/app 1000:1001\n" },
        { "a number that is not", "4321:50", "/", NULL, "echo $HOME $(id -u):$(id -G)",
          "/ 4321:50\n" },
        { "user and group", "app:staff", "/", NULL, "echo $(id -u):$(id -G)", "1000:50\n" },
        { "HOME is not overwritten", "app", "/", "HOME=/mine", "echo $HOME", "/mine\n" },
        { "the folder is made, owned by the user", "app", "/work/deep", NULL,
          "pwd; stat -c %u:%g:%a /work/deep /work", "/work/deep\n1000:1001:755\n1000:1001:755\n" },
        { "one that is there stays", "app", "/tmp", NULL, "stat -c %u:%g .", "0:0\n" },
        { "only what was given", "", "/", "A=b c", "env | grep -v -e ^PWD= -e ^SHLVL= | sort",
          "A=b c\nHOME=/root\nPATH=/bin\n" },
        { "the host's name", "", "/", NULL, "cat /proc/sys/kernel/hostname", "buildkitsandbox\n" },
    };
    LAB(l, NONE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step s;
        if (the_ids.is_single && *rows[i].user)
            continue;
        step_init(&s, rows[i].script);
        s.exec.user = rows[i].user;
        s.exec.cwd = rows[i].cwd;
        s.env[1] = rows[i].env;
        s.exec.env.n += rows[i].env != NULL;
        const char *got = output(&l, &s);
        if (strcmp(got, rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "%s:\n%s\nexpected\n%s", rows[i].name, got, rows[i].want);
    }
    lab_close(&l);
}

TEST("what a step changes is a layer on its root; it runs once")
{
    LAB(l, NONE);
    for (int i = 0; i < 2; i++) {
        struct step s;
        AUTO(snapshot_unref) struct snapshot *made = NULL;
        step_init(&s, "echo x >/new; rm /etc/group; echo told; echo too >&2");
        REQUIRE_OK(run(&l, &s, &made), &err);
        EXPECT_INT(snapshot_depth(made), 2);
        buf_puts(&l.log, "");
        EXPECT_STR(l.log.data, i ? "" : "told\ntoo\n");
        EXPECT_INT(l.n_cached, i * 2);
        AUTO_FREE char *got = inside(&l, made, "cat new; ls etc");
        EXPECT_STR(got, "x\npasswd");
    }
    lab_close(&l);
}

TEST("an exit status is told as docker tells it, and what it may mean")
{
    LAB(l, NONE);
    struct step s;
    step_init(&s, "exit 7");
    EXPECT_CONTAINS(output(&l, &s),
                    "process \"/bin/sh -c exit 7\" did not complete successfully: exit code: 7");
    EXPECT_STR(err.hint, "");
    step_init(&s, "echo \"a\\b\"\nfalse");
    EXPECT_CONTAINS(output(&l, &s), "process \"/bin/sh -c echo \\\"a\\\\b\\\"\\nfalse\" did not");
    step_init(&s, "kill -9 $$");
    EXPECT_CONTAINS(output(&l, &s), "exit code: 137");
    EXPECT_CONTAINS(err.hint, "memory");
    int32_t codes[] = { 3, 7 };
    step_init(&s, "exit 7");
    s.exec.exit_codes = codes;
    s.exec.n_exit_codes = 2;
    EXPECT_STR(output(&l, &s), "");
    step_init(&s, "exit 0");
    s.exec.exit_codes = codes;
    s.exec.n_exit_codes = 2;
    EXPECT_CONTAINS(output(&l, &s), "exit code: 0");
    lab_close(&l);
}

TEST("a failed step leaves nothing and is run again")
{
    LAB(l, NONE);
    for (int i = 0; i < 2; i++) {
        struct step s;
        step_init(&s, "echo x >/half; exit 1");
        EXPECT_CONTAINS(output(&l, &s), "exit code: 1");
        EXPECT_INT(l.n_cached, i); /* the root alone */
    }
    lab_close(&l);
}

TEST("without a network there is only lo")
{
    LAB(l, NONE);
    struct step s;
    step_init(&s, "ls /sys/class/net 2>/dev/null || ip -o link | grep -c .");
    s.exec.network = NETWORK_NONE;
    const char *got = output(&l, &s);
    EXPECT(strcmp(got, "lo\n") == 0 || strcmp(got, "1\n") == 0);
    lab_close(&l);
}

TEST("users, programs and entitlements that are not there are told")
{
    static const struct {
        const char *user, *program, *want;
        enum exec_security security;
    } rows[] = {
        { "ghost", NULL, "user \"ghost\": not in the image's /etc/passwd", SECURITY_SANDBOX },
        { "", "/bin/none", "/bin/none", SECURITY_SANDBOX },
        { "", NULL, "security.insecure is not allowed", SECURITY_INSECURE },
    };
    LAB(l, NONE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step s;
        step_init(&s, "true");
        s.exec.user = rows[i].user;
        s.exec.security = rows[i].security;
        if (rows[i].program)
            s.args[0] = rows[i].program;
        EXPECT_CONTAINS(output(&l, &s), rows[i].want);
    }
    lab_close(&l);
}

/* ---- mounts ---- */

TEST("another file system is mounted, whole or in part, and changes to it are dropped")
{
    static const struct {
        const char *name, *selector;
        bool is_readonly;
        const char *script, *want;
    } rows[] = {
        { "all, read-only", "", true, "ls /m; touch /m/x 2>&1 | grep -o Read-only",
          "a\nd\nRead-only\n" },
        { "a folder", "/d", true, "ls /m", "f\n" },
        { "a file", "/d/f", true, "cat /m", "content\n" },
        { "written to", "", false, "touch /m/x; ls /m", "a\nd\nx\n" },
        { "nothing of that name", "/none", true, "true", "" },
    };
    LAB(l, NONE);
    RUN("mkdir c/d; touch c/a; echo content >c/d/f");
    for (int from_stage = 0; from_stage < 2; from_stage++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct step s;
            AUTO(snapshot_unref) struct snapshot *made = NULL;
            step_init(&s, rows[i].script);
            s.env[1] = "FROM=stage"; /* without it the same content is the same step */
            s.exec.env.n += (size_t)from_stage;
            struct op_mount *m = add_mount(&s, MOUNT_BIND, "/m");
            m->from = add_context(s.b, "context", NULL);
            if (from_stage) {
                struct op_action a = copy_of(m->from, "/", "/");
                m->from = add_actions(s.b, (struct edge){ 0 }, &a, 1);
            }
            m->selector = rows[i].selector;
            m->is_readonly = rows[i].is_readonly;
            m->has_no_output = true;
            s.exec.removes_mount_stubs = true;
            int status = run(&l, &s, &made);
            buf_puts(&l.log, "");
            if (!*rows[i].want) {
                EXPECT_ERR(status, &err, ERR_NOT_FOUND);
                continue;
            }
            if (status || strcmp(l.log.data, rows[i].want) != 0)
                tap_fail(__FILE__, __LINE__, "%s: %s\nexpected\n%s", rows[i].name,
                         status ? err.text : l.log.data, rows[i].want);
            AUTO_FREE char *left = inside(&l, made, "ls");
            EXPECT(!strstr(left, "m\n"));
        }
    RUN("test ! -e c/x");
    lab_close(&l);
}

TEST("a step sees of a context what COPY would give, and only the part it mounts")
{
    static const char ignore[] = "[\"secret\",\"d/hidden\"]";
    LAB(l, NONE);
    RUN("mkdir c/d; echo s >c/secret; echo a >c/a; echo h >c/d/hidden; echo v >c/d/visible; chown "
        "-R "
        "7:7 c 2>/dev/null || true");
    static const struct {
        const char *selector, *script, *want;
    } rows[] = {
        { "", "ls /m /m/d", "/m:\na\nd\n\n/m/d:\nvisible\n" },
        { "/d", "ls /m", "visible\n" },
        { "/a", "cat /m; stat -c %u:%g /m", "a\n0:0\n" },
        { "/secret", "cat /m", "mount /m: \"/secret\": not found" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step s;
        step_init(&s, rows[i].script);
        struct op_mount *m = add_mount(&s, MOUNT_BIND, "/m");
        m->from = add_context(s.b, "context", ignore);
        m->selector = rows[i].selector;
        m->is_readonly = m->has_no_output = true;
        const char *got = output(&l, &s);
        if (!strstr(got, rows[i].want))
            tap_fail(__FILE__, __LINE__, "\"%s\": %s\nexpected\n%s", rows[i].selector, got,
                     rows[i].want);
    }
    lab_close(&l);
}

TEST("a mount of the context counts by its content, and only what is selected")
{
    static const struct {
        const char *script;
        bool is_cached;
    } rows[] = {
        { "echo a >c/a; echo b >c/b", false },
        { "touch -d 2001-01-01 c/a", true },
        { "echo other >c/b", true },
        { "echo other >c/a", false },
    };
    LAB(l, NONE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step s;
        RUN("%s", rows[i].script);
        step_init(&s, "cat /m");
        struct op_mount *m = add_mount(&s, MOUNT_BIND, "/m");
        m->from = add_context(s.b, "context", NULL);
        m->selector = "/a";
        m->is_readonly = m->has_no_output = true;
        (void)output(&l, &s);
        if ((l.n_cached == 2) != rows[i].is_cached)
            tap_fail(__FILE__, __LINE__, "%s: %d from the cache", rows[i].script, l.n_cached);
    }
    lab_close(&l);
}

TEST("a cache outlives the step and is in no layer")
{
    LAB(l, NONE);
    static const struct {
        const char *id, *script, *want;
        enum cache_sharing sharing;
        bool is_readonly;
    } rows[] = {
        { "one", "echo 1 >>/c/f; cat /c/f", "1\n", CACHE_SHARED, false },
        { "one", "echo 2 >>/c/f; cat /c/f", "1\n2\n", CACHE_LOCKED, false },
        { "one", "cat /c/f; touch /c/g 2>&1 | grep -o Read-only", "1\n2\nRead-only\n", CACHE_SHARED,
          true },
        { "two", "ls /c; stat -c %a:%u /c", "755:0\n", CACHE_SHARED, false },
        { "one", "echo 3 >>/c/f; cat /c/f", "1\n2\n3\n", CACHE_PRIVATE, false },
        { "../../etc", "ls /c | head -1", "", CACHE_SHARED, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step s;
        AUTO(snapshot_unref) struct snapshot *made = NULL;
        step_init(&s, rows[i].script);
        struct op_mount *m = add_mount(&s, MOUNT_CACHE, "/c");
        m->id = rows[i].id;
        m->sharing = rows[i].sharing;
        m->is_readonly = rows[i].is_readonly;
        m->has_no_output = true;
        s.exec.removes_mount_stubs = true;
        REQUIRE_OK(run(&l, &s, &made), &err);
        buf_puts(&l.log, "");
        EXPECT_STR(l.log.data, rows[i].want);
        AUTO_FREE char *left = inside(&l, made, "ls -d c 2>/dev/null || true");
        EXPECT_STR(left, "");
    }
    lab_close(&l);
}

TEST("a new cache begins with what its mount names")
{
    LAB(l, NONE);
    RUN("mkdir -p c/seed; echo x >c/seed/f; chmod 700 c/seed/f");
    for (int i = 0; i < 2; i++) {
        struct step s;
        step_init(&s, i ? "cat /c/f" : "cat /c/f; echo y >/c/f");
        struct op_mount *m = add_mount(&s, MOUNT_CACHE, "/c");
        struct op_action a = copy_of(add_context(s.b, "context", NULL), "/", "/");
        m->from = add_actions(s.b, (struct edge){ 0 }, &a, 1);
        m->selector = "/seed";
        m->id = "seeded";
        m->has_no_output = true;
        EXPECT_STR(output(&l, &s), i ? "y\n" : "x\n");
    }
    lab_close(&l);
}

TEST("who holds a private cache leaves others a copy of their own; a locked one is waited for")
{
    LAB(l, NONE);
    struct digest d = digest_of(SPAN("id"));
    AUTO_FREE char *hex = xstrndup(digest_hex(&d).s, 32);
    AUTO_FREE char *lock = xasprintf("cache/%s.lock", hex);
    AUTO_FD int held = -1;
    struct step s;
    step_init(&s, "echo first >/c/f");
    struct op_mount *m = add_mount(&s, MOUNT_CACHE, "/c");
    *m = (struct op_mount){ .type = MOUNT_CACHE,
                            .dest = "/c",
                            .id = "id",
                            .has_no_output = true,
                            .sharing = CACHE_PRIVATE };
    EXPECT_STR(output(&l, &s), "");
    REQUIRE_OK(fs_lock(store_fd(l.store), lock, true, false, &held, &err), &err);
    step_init(&s, "cat /c/f 2>/dev/null || echo new");
    m = add_mount(&s, MOUNT_CACHE, "/c");
    *m = (struct op_mount){ .type = MOUNT_CACHE,
                            .dest = "/c",
                            .id = "id",
                            .has_no_output = true,
                            .sharing = CACHE_PRIVATE };
    EXPECT_STR(output(&l, &s), "new\n");
    lab_close(&l);
}

TEST("a tmpfs is empty and gone afterwards")
{
    LAB(l, NONE);
    struct step s;
    AUTO(snapshot_unref) struct snapshot *made = NULL;
    step_init(
        &s, "ls /t; echo x >/t/f; cat /t/f; head -c 3000000 /dev/zero >/t/big 2>/dev/null || echo "
            "full");
    add_mount(&s, MOUNT_TMPFS, "/t")->size = 1 << 20;
    REQUIRE_OK(run(&l, &s, &made), &err);
    buf_puts(&l.log, "");
    EXPECT_STR(l.log.data, "x\nfull\n");
    AUTO_FREE char *left = inside(&l, made, "ls t 2>/dev/null || true");
    EXPECT_STR(left, "");
    snapshot_unref(STEAL(made));
    lab_close(&l);
}

/* ---- secrets ---- */

#define SECRET "hunter2-very-secret"

TEST("a secret is a file or a variable for the step alone, in no layer, record or key")
{
    AUTO_FREE char *file = xasprintf("%s/secret-file", tap_dir());
    const struct secret_option secrets[] = { { .id = "file", .file = file },
                                             { .id = "env", .env = "KILN_TEST_SECRET" } };
    RUN("printf '%s' >secret-file", SECRET);
    setenv("KILN_TEST_SECRET", SECRET, 1);
    LAB(l, ((struct ops_options){ .secrets = secrets, .n_secrets = 2 }));
    struct exec_secret_env env = { .id = "env", .name = "TOKEN" };
    for (int i = 0; i < 2; i++) {
        struct step s;
        AUTO(snapshot_unref) struct snapshot *made = NULL;
        if (i == 1) { /* another value is no other step */
            RUN("printf other >secret-file");
            setenv("KILN_TEST_SECRET", "other", 1);
        }
        step_init(&s, "test \"$(cat /run/secrets/file)\" = " SECRET " && test \"$TOKEN\" = " SECRET
                      " && stat -c %a:%u /run/secrets/file");
        struct op_mount *m = add_mount(&s, MOUNT_SECRET, "/run/secrets/file");
        m->id = "file";
        m->mode = 0440;
        s.exec.secret_env = &env;
        s.exec.n_secret_env = 1;
        s.exec.removes_mount_stubs = true;
        REQUIRE_OK(run(&l, &s, &made), &err);
        buf_puts(&l.log, "");
        EXPECT_STR(l.log.data, i ? "" : "440:0\n");
        AUTO_FREE char *left = inside(&l, made, "ls -d run 2>/dev/null || true");
        EXPECT_STR(left, "");
    }
    AUTO_FREE char *found =
        shell("grep -rl --exclude=secret-file -e %.12s store o c 2>/dev/null || true", SECRET);
    EXPECT_STR(found, "");
    unsetenv("KILN_TEST_SECRET");
    lab_close(&l);
}

TEST("a secret that nobody gave is an error unless it is optional")
{
    const struct secret_option secrets[] = { { .id = "gone", .file = "/nowhere/secret" },
                                             { .id = "unset", .env = "KILN_TEST_NOT_SET" } };
    static const struct {
        const char *id, *want;
        bool is_optional, is_env;
    } rows[] = {
        { "none", "secret none: not found", false, false },
        { "none", "secret none: not found", false, true },
        { "none", "nothing\n", true, false },
        { "none", "nothing\n", true, true },
        { "gone", "secret gone: ", false, false },
        { "unset", "secret unset: the variable KILN_TEST_NOT_SET is not set", false, false },
    };
    LAB(l, ((struct ops_options){ .secrets = secrets, .n_secrets = 2 }));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step s;
        step_init(&s, "test -z \"$TOKEN\" -a ! -e /s && echo nothing");
        struct exec_secret_env env = { .id = rows[i].id,
                                       .name = "TOKEN",
                                       .is_optional = rows[i].is_optional };
        if (rows[i].is_env) {
            s.exec.secret_env = &env;
            s.exec.n_secret_env = 1;
        } else {
            struct op_mount *m = add_mount(&s, MOUNT_SECRET, "/s");
            m->id = rows[i].id;
            m->is_optional = rows[i].is_optional;
            m->mode = 0400;
        }
        EXPECT_CONTAINS(output(&l, &s), rows[i].want);
        if (i < 2)
            EXPECT_CONTAINS(err.hint, "--secret id=none,src=FILE");
    }
    lab_close(&l);
}

/* ---- keys ---- */

/* Changes the step in one way. */
static void vary(struct step *s, int variant)
{
    static const struct exec_host hosts[] = { { "db", "10.0.0.1" },
                                              { "db", "10.0.0.2" },
                                              { "other", "10.0.0.1" } };
    static const struct exec_ulimit ulimit = { "nofile", 1000, 1000 };
    static const int32_t code = 0;
    s->mounts[0].content_cache = CONTENT_CACHE_DEFAULT;
    switch (variant) {
    case 1:
        s->args[2] = "echo b";
        break;
    case 2:
        s->env[1] = "A=b";
        s->exec.env.n = 2;
        break;
    case 3:
        s->exec.cwd = "/tmp";
        break;
    case 4:
        s->exec.user = "0";
        break;
    case 5:
        s->exec.network = NETWORK_NONE;
        break;
    case 6:
        s->exec.hosts = &hosts[0];
        s->exec.n_hosts = 1;
        break;
    case 7:
        s->exec.hosts = &hosts[2];
        s->exec.n_hosts = 1;
        break;
    case 8:
        add_mount(s, MOUNT_TMPFS, "/t");
        break;
    case 9:
        add_mount(s, MOUNT_TMPFS, "/u");
        break;
    case 10:
        add_mount(s, MOUNT_CACHE, "/c")->id = "x";
        break;
    case 11:
        s->exec.exit_codes = &code;
        s->exec.n_exit_codes = 1;
        break;
    case 12:
        s->exec.hostname = "h";
        break;
    /* from here on: as the variant that is named below */
    case 13:
        s->exec.proxy = (struct exec_proxy){ true, "http://p", "", "", "", "" };
        break;
    case 14:
        s->exec.ulimits = &ulimit;
        s->exec.n_ulimits = 1;
        break;
    case 15:
        s->exec.hosts = &hosts[1];
        s->exec.n_hosts = 1;
        break;
    case 16:
        add_mount(s, MOUNT_CACHE, "/c")->id = "y";
        break;
    case 17:
        s->exec.cgroup_parent = "/elsewhere";
        break;
    default:
        break;
    }
}

TEST("a step's key is what it can see, not where and when it runs")
{
    enum { DIFFERENT = 13, ALL = 18 };
    static const int same_as[] = { [13] = 0, [14] = 0, [15] = 6, [16] = 10, [17] = 0 };
    if (not_ready)
        SKIP(not_ready);
    struct ops *ops = ops_new(&(struct ops_options){ 0 });
    const struct op_impl *impl = ops_table(ops)->impls[OP_EXEC];
    struct digest keys[ALL] = { 0 };
    RUN("mkdir -p o");
    for (int i = 0; i < ALL; i++) {
        struct step s;
        struct platform p = platform_host();
        struct vertex_about about = { .platform = &p };
        AUTO(arena_free) struct arena *a = arena_new();
        AUTO(graph_free) struct graph *g = NULL;
        struct edge e = { 0 };
        struct op_key key = { 0 };
        step_init(&s, "echo a");
        vary(&s, i);
        REQUIRE_OK(graph_add_exec(s.b, &s.exec, &about, &e, &err), &err);
        REQUIRE_OK(graph_builder_finish(s.b, &e, 1, &g, &err), &err);
        REQUIRE_OK(impl->key(impl->arg, g->results[0].vertex, a, &key, NULL, &err), &err);
        keys[i] = key.digest;
        graph_builder_free(s.b);
        for (int k = 0; k < i; k++) {
            bool is_same = i >= DIFFERENT && k == same_as[i];
            if (digest_equal(&keys[i], &keys[k]) != is_same && (is_same || i < DIFFERENT))
                tap_fail(__FILE__, __LINE__, "variants %d and %d: expected %s", i, k,
                         is_same ? "one key" : "two keys");
        }
    }
    ops_free(ops);
}

int main(int argc, char **argv)
{
    if (access("/bin/busybox", X_OK) != 0)
        not_ready = "needs busybox";
    else if (!lab_enter() || sandbox_start(&the_sandbox, &err) != 0)
        not_ready = "needs namespaces";
    int status = tap_main(argc, argv);
    sandbox_stop(the_sandbox);
    return status;
}
