/* What RUN mounts: other file systems, contexts, caches, memory, secrets. */
#include "step.h"

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

int main(int argc, char **argv)
{
    return steps_main(argc, argv);
}
