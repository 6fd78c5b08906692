/* RUN through the solver: what a step finds, what stays of it, what decides its key. */
#include "step.h"

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
        { "the folder is made, owned by the user", "app", "/yard/deep", NULL,
          "pwd; stat -c %u:%g:%a /yard/deep /yard", "/yard/deep\n1000:1001:755\n1000:1001:755\n" },
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

TEST("proxies are given in both cases, unless the step has its own")
{
    LAB(l, NONE);
    struct step s;
    step_init(&s, "env | grep -i proxy | sort");
    s.env[1] = "no_proxy=mine";
    s.exec.env.n = 2;
    s.exec.proxy = (struct exec_proxy){ .is_set = true,
                                        .http = "http://p",
                                        .https = "",
                                        .ftp = "",
                                        .no = "example.org",
                                        .all = "socks://a" };
    EXPECT_STR(output(&l, &s), "ALL_PROXY=socks://a\nHTTP_PROXY=http://p\nNO_PROXY=example.org\n"
                               "all_proxy=socks://a\nhttp_proxy=http://p\nno_proxy=mine\n");
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
    case 13:
        s->exec.cgroup_parent = "/elsewhere";
        break;
    case 14:
        s->exec.ulimits = &ulimit;
        s->exec.n_ulimits = 1;
        break;
    /* from here on: as the variant that the test names */
    case 15:
        s->exec.hosts = &hosts[1];
        s->exec.n_hosts = 1;
        break;
    case 16:
        add_mount(s, MOUNT_CACHE, "/c")->id = "y";
        break;
    case 17:
        s->exec.proxy = (struct exec_proxy){ true, "http://p", "", "", "", "" };
        break;
    default:
        break;
    }
}

TEST("a step's key is what it can see, not where and when it runs")
{
    enum { DIFFERENT = 15, ALL = 18 };
    static const int same_as[] = { [15] = 6, [16] = 10, [17] = 0 };
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
    return steps_main(argc, argv);
}
