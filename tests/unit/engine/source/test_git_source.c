/* tests/unit/engine/source/test_git_source.c - repositories over http, git:// and ssh, and hostile
 * ones; git itself is the witness of what is right. */
#include "engine/source/git_internal.h"
#include "fixture.h"
#include "image/store/gc.h"
#include "image/store/lease.h"
#include "image/store/object.h"
#include "served.h"

/* Made once: tests/harness/repository. */
static char shared[] = "/tmp/kiln-test-git-XXXXXX";
static char *first, *second, *third, *topic, *tag; /* hashes */

struct lab {
    struct served served;
    struct store *store;
    struct git_source *source;
    const char *secret; /* what authorization() gives the main host; NULL: nothing */
    const char *agent;
    struct git_access access;
    int n_out;
    char *out; /* owned; the folder of the last checkout */
};

static int authorization(void *arg, const char *host, bool is_main, char **out, struct err *e)
{
    const struct lab *l = arg;
    (void)host, (void)e;
    *out = l->secret && is_main ? xstrdup(l->secret) : NULL;
    return 0;
}

static int agent(void *arg, const char **path, struct err *e)
{
    (void)e;
    *path = ((const struct lab *)arg)->agent;
    return 0;
}

static bool lab_open(struct lab *l)
{
    AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
    *l = (struct lab){ .access = { authorization, agent, NULL, "default", NULL } };
    l->access.arg = l;
    err_clear(&err);
    shell("mkdir served; cp -a %s/git served/git", shared);
    if (!served_start(&l->served))
        return false;
    EXPECT_OK(store_open(path, NULL, &l->store, &err), &err);
    EXPECT_OK(git_source_open(l->store, &l->source, &err), &err);
    return l->source != NULL;
}

static void lab_close(struct lab *l)
{
    git_source_close(l->source);
    store_close(l->store);
    served_stop(&l->served);
    free(l->out);
}

#define LAB(l)                                                                                     \
    struct lab l;                                                                                  \
    if (!lab_open(&l))                                                                             \
    return

static struct git_wish wish(const struct lab *l, const char *remote, const char *ref)
{
    return (struct git_wish){
        .remote = remote, .ref = ref, .subdir = "", .checksum = "", .access = &l->access
    };
}

static char *remote_of(const struct lab *l, const char *manner, const char *repository)
{
    return strcmp(manner, "daemon") == 0
               ? xasprintf("git://127.0.0.1:%d/%s", l->served.git_port, repository)
               : xasprintf("http://127.0.0.1:%d/%s/%s", l->served.http_port, manner, repository);
}

/* Into a new folder l->out. */
static int check_out(struct lab *l, const struct git_wish *q, const struct git_commit *at)
{
    AUTO_FD int fd = -1;
    free(l->out);
    l->out = xasprintf("%s/out%d", tap_dir(), l->n_out++);
    if (mkdir(l->out, 0755) < 0)
        abort();
    EXPECT_OK(fs_open(AT_FDCWD, l->out, O_RDONLY | O_DIRECTORY, 0, &fd, &err), &err);
    return git_source_checkout(l->source, q, at, l->out, fd, &err);
}

static int fetch(struct lab *l, const struct git_wish *q)
{
    struct git_commit at;
    err_clear(&err);
    return git_source_resolve(l->source, q, &at, &err) || check_out(l, q, &at) ? -1 : 0;
}

/* What a script prints in the folder of the last checkout; the caller's. */
__attribute__((format(printf, 2, 3))) static char *look(const struct lab *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *script = xvasprintf(fmt, args);
    va_end(args);
    AUTO_FREE char *command = xasprintf("cd %s 2>&1 && (%s) 2>&1", l->out, script);
    FILE *pipe = popen(command, "r");
    char text[8192];
    size_t n = pipe ? fread(text, 1, sizeof text - 1, pipe) : 0;
    if (pipe)
        pclose(pipe);
    while (n && text[n - 1] == '\n')
        n--;
    return xstrndup(text, n);
}

#define LIST "find . -mindepth 1 -not -path './.git/*' -printf '%%P ' | tr ' ' '\\n' | sort | xargs"
#define EXPECT_LOOK(l, want, ...)                                                                  \
    do {                                                                                           \
        AUTO_FREE char *looked_ = look(l, __VA_ARGS__);                                            \
        EXPECT_STR(looked_, want);                                                                 \
    } while (0)

/* ---- which commit ---- */

TEST("a ref is a branch, a tag, a full ref, a commit or its beginning, or the default branch")
{
    const struct {
        const char *ref, *commit, *full; /* commit NULL: not found */
    } rows[] = {
        { "", third, "refs/heads/main" },
        { "main", third, "refs/heads/main" },
        { "topic", topic, "refs/heads/topic" },
        { "heads/topic", topic, "refs/heads/topic" },
        { "refs/heads/topic", topic, "refs/heads/topic" },
        { "light", first, "refs/tags/light" },
        { "v1", second, "refs/tags/v1" },
        { "tags/v1", second, "refs/tags/v1" },
        { "refs/tags/v1", second, "refs/tags/v1" },
        { "refs/pull/7/head", topic, "refs/pull/7/head" },
        { "pull/7/head", topic, "refs/pull/7/head" },
        { "both", third, "refs/heads/both" }, /* a branch goes before a tag */
        { first, first, first },
        { "SHORT", first, first },
        { "none", NULL, "it has no branch, tag or commit \"none\"" },
        { "ead/top", NULL, "it has no branch" },
        { "abcdef0", NULL, "it has no branch, tag or commit \"abcdef0\"" },
        { "*", NULL, "it has no branch" },
        { "--upload-pack=touch /tmp/x", NULL, "it has no branch" },
    };
    LAB(l);
    AUTO_FREE char *part = xstrndup(first, 8);
    shell("git -C served/git/app.git branch both main; git -C served/git/app.git tag both %s",
          first);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct git_commit at;
            AUTO_FREE char *remote = remote_of(&l, round ? "daemon" : "git", "app.git");
            const char *ref = strcmp(rows[i].ref, "SHORT") == 0 ? part : rows[i].ref;
            struct git_wish q = wish(&l, remote, ref);
            err_clear(&err);
            if (git_source_resolve(l.source, &q, &at, &err)) {
                if (rows[i].commit || err.kind != ERR_NOT_FOUND)
                    tap_fail(__FILE__, __LINE__, "\"%s\": %s", ref, err.text);
                EXPECT_CONTAINS(err.text, rows[i].full);
                continue;
            }
            EXPECT_STR(at.commit, rows[i].commit);
            EXPECT_STR(at.ref, rows[i].full);
            EXPECT_STR(at.object, strcmp(rows[i].full, "refs/tags/v1") == 0 ? tag : at.commit);
        }
    lab_close(&l);
}

TEST("a whole commit is asked of nobody, and what is here is not fetched again")
{
    LAB(l);
    AUTO_FREE char *remote = remote_of(&l, "git", "app.git");
    struct git_wish q = wish(&l, remote, second);
    struct git_commit at;
    REQUIRE_OK(git_source_resolve(l.source, &q, &at, &err), &err);
    EXPECT_INT(served_count(&l.served, ""), 0);
    REQUIRE_OK(check_out(&l, &q, &at), &err);
    int n = served_count(&l.served, "");
    EXPECT(n > 0);
    REQUIRE_OK(check_out(&l, &q, &at), &err);
    EXPECT_INT(served_count(&l.served, ""), n);
    EXPECT_LOOK(&l, "README link run.sh sub sub/file sub/nested sub/nested/file", LIST);
    /* no history came along */
    EXPECT_LOOK(&l, "1", "git -C ../store/git/*[0-9a-f] rev-list --count %s", second);
    lab_close(&l);
}

TEST("a checksum is the beginning of the commit, or of the tag")
{
    const struct {
        const char *ref, *checksum, *want; /* want NULL: good */
        bool is_by_commit;
        enum err_kind kind;
    } rows[] = {
        { "main", third, NULL, false, 0 },
        { "v1", second, NULL, false, 0 },
        { "v1", tag, NULL, false, 0 },
        { second, second, NULL, false, 0 },
        { "v1", third, "but the checksum is", false, ERR_CORRUPT },
        { second, "0000", "but the checksum is 0000", false, ERR_CORRUPT },
        { "main", "../x", "no commit in hex", false, ERR_INVALID },
        { "gone", second, NULL, true, 0 },
        { "main", "0000", "a whole commit", true, ERR_INVALID },
    };
    LAB(l);
    AUTO_FREE char *remote = remote_of(&l, "git", "app.git");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct git_wish q = wish(&l, remote, rows[i].ref);
        AUTO_FREE char *part = xstrndup(rows[i].checksum, rows[i].is_by_commit ? 64 : 9);
        struct git_commit at;
        q.checksum = part;
        q.is_by_commit = rows[i].is_by_commit;
        err_clear(&err);
        int status = git_source_resolve(l.source, &q, &at, &err);
        EXPECT_INT(err.kind, rows[i].kind);
        if (rows[i].want)
            EXPECT_CONTAINS(err.text, rows[i].want);
        else
            EXPECT_INT(status, 0);
    }
    lab_close(&l);
}

/* ---- which files ---- */

TEST("files do not depend on who fetches, how, and when")
{
    static const char *const manners[] = { "git", "daemon", "gitold" };
    LAB(l);
    mode_t old = umask(077);
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *remote = remote_of(&l, manners[i], "app.git");
        struct git_wish q = wish(&l, remote, "v1");
        REQUIRE_OK(fetch(&l, &q), &err);
        EXPECT_LOOK(
            &l,
            "README 644 0:0 1600000240\nlink 777 0:0 1600000240\nrun.sh 755 0:0 1600000240\n"
            "sub 755 0:0 1600000240\nsub/file 644 0:0 1600000240\n"
            "sub/nested 755 0:0 1600000240\nsub/nested/file 644 0:0 1600000240",
            "find . -mindepth 1 -printf '%%P %%m %%U:%%G %%Ts\\n' | sort");
    }
    umask(old);
    lab_close(&l);
}

TEST("a subdir is found inside the repository alone")
{
    static const struct {
        const char *subdir, *want; /* names, or part of the error */
    } rows[] = {
        { "sub", "file nested nested/file" },
        { "/sub/", "file nested nested/file" },
        { "sub/nested", "file" },
        { "sub/../sub/nested", "file" },
        { "../../sub/nested", "file" },
        { "inside", "file nested nested/file" },
        { "none", "its folder \"none\" is not there" },
        { "README", "its folder \"README\"" },
        { "out", "its folder \"out\" is not there" },
        { "up/etc", "its folder \"up/etc\" is not there" },
    };
    LAB(l);
    shell("git clone -q served/git/app.git w 2>/dev/null; cd w; git checkout -q light;"
          "ln -s sub inside; ln -s /etc out; ln -s ../../../../.. up; git add -A;"
          "git -c user.name=a -c user.email=a@b commit -qm evil; git push -q origin "
          "HEAD:refs/heads/evil");
    AUTO_FREE char *remote = remote_of(&l, "daemon", "app.git");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct git_wish q = wish(&l, remote, "evil");
        q.subdir = rows[i].subdir;
        if (fetch(&l, &q) == 0)
            EXPECT_LOOK(&l, rows[i].want, LIST);
        else
            EXPECT_CONTAINS(err.text, rows[i].want);
    }
    lab_close(&l);
}

TEST("submodules come with theirs, from beside the repository, unless they are not wanted")
{
    LAB(l);
    AUTO_FREE char *remote = remote_of(&l, "git", "app.git");
    struct git_wish q = wish(&l, remote, "main");
    REQUIRE_OK(fetch(&l, &q), &err);
    EXPECT_LOOK(&l, "deep\nlib", "cat vendor/lib/inner/deep/deep.txt vendor/lib/lib.txt");
    q.subdir = "vendor/lib";
    REQUIRE_OK(fetch(&l, &q), &err);
    EXPECT_LOOK(&l, ".gitmodules inner inner/deep inner/deep/deep.txt lib.txt", LIST);
    q.subdir = "";
    q.skips_submodules = true;
    REQUIRE_OK(fetch(&l, &q), &err);
    EXPECT_LOOK(&l, "vendor vendor/lib", "find vendor | xargs");
    lab_close(&l);
}

TEST("submodules by other means, and the rest of what .gitmodules may say, do nothing")
{
    static const struct {
        const char *url, *want;
    } rows[] = {
        { "ext::sh -c touch% /tmp/kiln-was-here", "repositories of this kind are not fetched" },
        { "file:///etc", "repositories of this kind are not fetched" },
        { "/etc", "repositories of this kind are not fetched" },
        { "-oProxyCommand=x", "repositories of this kind are not fetched" },
        { "ssh://-oProxyCommand=x/y", "" },
        { "git@-oProxyCommand=x:y", "repositories of this kind are not fetched" },
        { "", "has no URL of it" },
    };
    LAB(l);
    AUTO_FREE char *remote = remote_of(&l, "git", "app.git");
    shell("git clone -q served/git/app.git w 2>/dev/null");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct git_wish q = wish(&l, remote, "evil");
        shell(
            "cd w; git config -f .gitmodules submodule.vendor/lib.url '%s';"
            "git config -f .gitmodules submodule.vendor/lib.update '!touch ../here';"
            "git config -f .gitmodules core.hooksPath /tmp;"
            "git -c user.name=a -c user.email=a@b commit -qam evil; git push -qf origin HEAD:evil",
            rows[i].url);
        EXPECT(fetch(&l, &q) != 0);
        EXPECT_CONTAINS(err.text, rows[i].want);
        EXPECT_CONTAINS(err.text, "submodule vendor/lib: ");
    }
    shell("test ! -e here");
    lab_close(&l);
}

TEST("a .git that is kept works, tells nothing of us, and is the same bytes from every mirror")
{
    LAB(l);
    AUTO_FREE char *remote =
        xasprintf("http://me:s3cret@127.0.0.1:%d/git/app.git", l.served.http_port);
    AUTO_FREE char *want = xasprintf(
        "version 1\nv1\n## HEAD (no branch)\nhttp://127.0.0.1:%d/git/app.git", l.served.http_port);
    AUTO_FREE char *digest = NULL;
    struct git_wish q = wish(&l, remote, "v1");
    q.keeps_git_dir = true;
    for (int round = 0; round < 3; round++) {
        if (round == 1) { /* the mirror has all, packed in another way */
            struct git_wish all = wish(&l, remote, "abcdef0");
            EXPECT(fetch(&l, &all) != 0);
            shell("git -C store/git/*[0-9a-f] repack -qad --depth=1");
        }
        if (round == 2) /* another mirror */
            shell("rm -rf store/git");
        REQUIRE_OK(fetch(&l, &q), &err);
        AUTO_FREE char *now =
            look(&l, "find . -mindepth 1 | sort | tar --no-recursion -cT - | sha256sum;"
                     " tar -c .git | grep -ac s3cret");
        EXPECT_CONTAINS(now, "-\n0");
        if (round == 0)
            digest = xstrdup(now);
        EXPECT_STR(now, digest);
        EXPECT_LOOK(
            &l, want,
            "export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*';"
            "git tag -l --format='%%(subject)' v1; git describe; git status -sb;"
            "git config remote.origin.url; git fsck --no-progress 2>&1 | grep -v notice");
    }
    EXPECT_LOOK(&l, "", "find .git -name '*.sample' -o -name logs -o -name FETCH_HEAD");
    lab_close(&l);
}

TEST("times are the commit's, or of now when that is wanted")
{
    LAB(l);
    AUTO_FREE char *remote = remote_of(&l, "daemon", "app.git");
    struct git_wish q = wish(&l, remote, "main");
    q.uses_own_time = true;
    REQUIRE_OK(fetch(&l, &q), &err);
    EXPECT_LOOK(&l, "README", "find README -newermt 2020-12-31");
    lab_close(&l);
}

/* ---- servers ---- */

TEST("a ref that moved meanwhile gives the commit that it had, while the server has it")
{
    static const char *const manners[] = { "git", "gitold" };
    LAB(l);
    for (size_t i = 0; i < 2; i++) {
        AUTO_FREE char *remote = remote_of(&l, manners[i], "app.git");
        struct git_wish q = wish(&l, remote, "topic");
        struct git_commit at;
        shell("git -C served/git/app.git update-ref refs/heads/topic %s", second);
        REQUIRE_OK(git_source_resolve(l.source, &q, &at, &err), &err);
        shell("git -C served/git/app.git update-ref refs/heads/topic %s", topic);
        EXPECT_OK(check_out(&l, &q, &at), &err);
        EXPECT_LOOK(&l, "README link run.sh sub sub/file sub/nested sub/nested/file", LIST);
    }
    AUTO_FREE char *remote = remote_of(&l, "gitold", "app.git");
    struct git_wish q = wish(&l, remote, "1234567890123456789012345678901234567890");
    EXPECT(fetch(&l, &q) != 0);
    EXPECT_INT(err.kind, ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "it has no commit 12345678901234567890123456789012345678");
    lab_close(&l);
}

TEST("what is wrong is told with what helps")
{
    static const struct {
        const char *remote, *want, *hint;
        enum err_kind kind;
    } rows[] = {
        { "http://127.0.0.1:%d/git/none.git", "/git/none.git: git ls-remote: ", "", ERR_NOT_FOUND },
        { "http://127.0.0.1:%d/gitauth/app.git", "wants to know who asks",
          "--secret id=GIT_AUTH_TOKEN,src=FILE", ERR_DENIED },
        { "http://me:s3cret@127.0.0.1:%d/gitauth/app.git", "wants to know who asks",
          "the token that was given for 127.0.0.1", ERR_DENIED },
        { "http://127.0.0.1:%d/status/500", "error: 500", "", ERR_NETWORK },
        { "http://127.0.0.1:1/x.git", "Failed to connect", "", ERR_NETWORK },
        { "ssh://git@127.0.0.1:%d/x", "no ssh agent or key was given", "--ssh default",
          ERR_DENIED },
        { "git@127.0.0.1:x", "no ssh agent or key was given", "--ssh default", ERR_DENIED },
        { "file:///etc", "not fetched", "http, https, ssh and git", ERR_UNSUPPORTED },
        { "/etc", "not fetched", "", ERR_UNSUPPORTED },
        { "ext::sh -c x", "not fetched", "", ERR_UNSUPPORTED },
        { "http://", "", "", ERR_INVALID },
    };
    LAB(l);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *port = xasprintf("%d", l.served.http_port),
                       *remote = xstrdup(rows[i].remote);
        const char *cut = strstr(rows[i].remote, "%d");
        if (cut) {
            free(remote);
            remote =
                xasprintf("%.*s%s%s", (int)(cut - rows[i].remote), rows[i].remote, port, cut + 2);
        }
        struct git_wish q = wish(&l, remote, "");
        EXPECT(fetch(&l, &q) != 0);
        if (err.kind != rows[i].kind)
            tap_fail(__FILE__, __LINE__, "%s: %s", remote, err.text);
        EXPECT_CONTAINS(err.text, rows[i].want);
        EXPECT_CONTAINS(err.hint, rows[i].hint);
        EXPECT(!strstr(err.text, "s3cret") && !strstr(err.hint, "s3cret"));
    }
    lab_close(&l);
}

TEST("a secret is in no argument and on no disk, and stays with its host")
{
    LAB(l);
    AUTO_FREE char *remote = remote_of(&l, "gitauth", "app.git");
    AUTO_FREE char *away = xasprintf("http://127.0.0.1:%d/to/localhost:%d/git/app.git",
                                     l.served.http_port, l.served.http_port);
    AUTO_FREE char *old = xstrdup(getenv("PATH"));
    AUTO_FREE char *path = xasprintf("%s/bin:%s", tap_dir(), old);
    struct git_wish q = wish(&l, remote, "v1"), elsewhere = wish(&l, away, "v1");
    shell("echo basic s3cret >served/authorization; mkdir bin;"
          "printf '#!/bin/sh\\necho \"$@\" >>%s/args\\nexec %%s \"$@\"\\n' $(command -v git) "
          ">bin/git;"
          "chmod +x bin/git",
          tap_dir());
    setenv("PATH", path, 1);
    l.secret = "basic s3cret";
    EXPECT_OK(fetch(&l, &q), &err);
    EXPECT(fetch(&l, &elsewhere) != 0);
    EXPECT_INT(err.kind, ERR_UNSUPPORTED);
    EXPECT_CONTAINS(err.hint, "the server redirects");
    EXPECT_INT(served_count(&l.served, "GET /git/"), 0);
    l.secret = NULL;
    EXPECT_OK(fetch(&l, &elsewhere), &err);
    setenv("PATH", old, 1);
    shell("test -s args; ! grep s3cret args; ! grep -ra s3cret store out*");
    lab_close(&l);
}

TEST("the user's own configuration and environment of git are not seen")
{
    static const char *const names[] = {
        "GIT_DIR",          "GIT_WORK_TREE",     "GIT_CONFIG_PARAMETERS",
        "GIT_TEMPLATE_DIR", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND"
    };
    LAB(l);
    AUTO_FREE char *old = xstrdup(getenv("HOME")), *home = xasprintf("%s/home", tap_dir());
    AUTO_FREE char *remote = remote_of(&l, "git", "app.git");
    struct git_wish q = wish(&l, remote, "v1");
    shell("mkdir -p home/hooks; printf '#!/bin/sh\\ntouch %s/here\\n' >home/hooks/post-checkout;"
          "cp home/hooks/post-checkout home/hooks/reference-transaction; chmod +x home/hooks/*;"
          "printf '[core]\\n\\thooksPath = %s/home/hooks\\n[url "
          "\"http://127.0.0.1:1/\"]\\n\\tinsteadOf = "
          "http://127.0.0.1\\n' >home/.gitconfig",
          tap_dir(), tap_dir());
    setenv("HOME", home, 1);
    for (size_t i = 0; i < 6; i++)
        setenv(names[i], "/none", 1);
    EXPECT_OK(fetch(&l, &q), &err);
    for (size_t i = 0; i < 6; i++)
        unsetenv(names[i]);
    setenv("HOME", old, 1);
    shell("test ! -e here");
    lab_close(&l);
}

TEST("over ssh, with a key that an agent holds; a host that shows another key is not spoken to")
{
    if (access("/usr/sbin/sshd", X_OK) < 0 || geteuid() != 0)
        SKIP("needs sshd and root");
    LAB(l);
    mkdir("/run/sshd", 0755);
    AUTO_FREE char *remote =
        xasprintf("ssh://root@127.0.0.1:%d%s/served/git/app.git", l.served.ssh_port, tap_dir());
    AUTO_FREE char *socket = xasprintf("%s/agent", tap_dir());
    AUTO_FREE char *other = xasprintf("[127.0.0.1]:%d ", l.served.ssh_port);
    shell(
        "ssh-keygen -q -t ed25519 -N '' -f key; ssh-keygen -q -t ed25519 -N '' -f host;"
        "ssh-keygen -q -t ed25519 -N '' -f host2;"
        "printf 'HostKey %%s/host\\nAuthorizedKeysFile %%s/key.pub\\nStrictModes no\\nUsePAM no\\n"
        "PermitRootLogin yes\\nPasswordAuthentication no\\n' $PWD $PWD >served/sshd_config;"
        "ssh-agent -a agent >agent.env; . ./agent.env >/dev/null; ssh-add -q key");
    l.agent = socket;
    struct git_wish q = wish(&l, remote, "v1");
    EXPECT_OK(fetch(&l, &q), &err);
    EXPECT_LOOK(&l, "two", "tail -n 1 README");
    AUTO_FREE char *line = look(&l, "cut -d' ' -f1-2 ../host2.pub");
    AUTO_FREE char *known = xasprintf("%s%s\n", other, line);
    l.access.known_hosts = known;
    EXPECT(fetch(&l, &q) != 0);
    EXPECT_INT(err.kind, ERR_DENIED);
    EXPECT_CONTAINS(err.text, "Host key verification failed");
    l.access.known_hosts = NULL;
    shell("cp host2 host; cp host2.pub host.pub");
    EXPECT(fetch(&l, &q) != 0);
    EXPECT_CONTAINS(err.text, "Host key verification failed");
    shell(". ./agent.env >/dev/null; ssh-agent -k >/dev/null");
    lab_close(&l);
}

/* ---- mirrors ---- */

TEST("a mirror is an object of the store: it has a size, and is collected")
{
    LAB(l);
    AUTO_FREE char *remote = remote_of(&l, "git", "app.git");
    struct git_wish q = wish(&l, remote, "main");
    struct gc_result taken;
    uint64_t n = 0, size = 0;
    q.skips_submodules = true;
    AUTO(lease_close) struct lease *lease = NULL;
    REQUIRE_OK(lease_open(l.store, 0, &lease, &err), &err);
    REQUIRE_OK(fetch(&l, &q), &err);
    REQUIRE_OK(store_usage(l.store, "git:", &n, &size, &err), &err);
    EXPECT_INT(n, 1);
    EXPECT(size > 0);
    REQUIRE_OK(store_gc(l.store, &(struct gc_options){ 0 }, &taken, &err), &err);
    EXPECT_INT(taken.n_objects, 0); /* it was used since the lease began */
    REQUIRE_OK(db_apply(store_db(l.store), "UPDATE object SET used_at = 1", &err), &err);
    REQUIRE_OK(store_gc(l.store, &(struct gc_options){ 0 }, &taken, &err), &err);
    EXPECT_INT(taken.n_objects, 1);
    shell("test -z \"$(find store/git -mindepth 1 -type d)\"");
    EXPECT_OK(fetch(&l, &q), &err);
    lease_close(STEAL(lease));
    lab_close(&l);
}

TEST("what a crash left of a mirror is made anew")
{
    LAB(l);
    AUTO_FREE char *remote = remote_of(&l, "git", "app.git");
    struct git_wish q = wish(&l, remote, "v1");
    REQUIRE_OK(fetch(&l, &q), &err);
    REQUIRE_OK(db_apply(store_db(l.store), "DELETE FROM object", &err), &err);
    shell("for m in store/git/*[0-9a-f]; do rm -rf $m/objects $m/HEAD; mkdir $m.new; done");
    EXPECT_OK(fetch(&l, &q), &err);
    shell("for m in store/git/*[0-9a-f]; do : >$m/shallow.lock; done");
    q.ref = "main";
    EXPECT_OK(fetch(&l, &q), &err);
    lab_close(&l);
}

TEST("who cancels waits no longer, also for somebody's lock")
{
    LAB(l);
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    AUTO_FREE char *remote = remote_of(&l, "git", "app.git");
    struct git_wish q = wish(&l, remote, second);
    struct git_commit at;
    REQUIRE_OK(git_source_resolve(l.source, &q, &at, &err), &err);
    q.cancel = cancel;
    cancel_fire(cancel);
    EXPECT(check_out(&l, &q, &at) != 0);
    EXPECT_INT(err.kind, ERR_CANCELED);
    lab_close(&l);
}

/* ---- URLs ---- */

TEST("a submodule's URL is found from its repository's")
{
    static const struct {
        const char *parent, *url, *want;
    } rows[] = {
        { "https://h/a/b.git", "../c.git", "https://h/a/c.git" },
        { "https://h/a/b.git/", "../../c.git", "https://h/c.git" },
        { "https://h/a/b.git", "./c", "https://h/a/b.git/c" },
        { "https://h/a/b", "../../../../c", "https://h/c" },
        { "git@h:a/b.git", "../c.git", "git@h:a/c.git" },
        { "git@h:b.git", "../c.git", "git@h:c.git" },
        { "ssh://git@h:22/a/b", "../c", "ssh://git@h:22/a/c" },
        { "https://h/a/b", "https://other/x", "https://other/x" },
        { "https://h/a/b", "/etc", "/etc" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = git_url_resolve(rows[i].parent, rows[i].url);
        EXPECT_STR(got, rows[i].want);
    }
}

TEST("a remote is told apart, and its credentials are taken out")
{
    static const struct {
        const char *text, *url, *host, *origin, *basic;
    } rows[] = {
        { "https://h/a.git", "https://h/a.git", "h", "https://h/", NULL },
        { "https://u:p%40@H:8443/a", "https://h:8443/a", "h:8443", "https://h:8443/",
          "Basic dTpwQA==" },
        { "https://tok@h/a", "https://h/a", "h", "https://h/", "Basic dG9rOg==" },
        { "ssh://git@h:22/a", "ssh://git@h:22/a", "h:22", "ssh://h:22/", NULL },
        { "git@h:a/b", "git@h:a/b", "h", "ssh://h/", NULL },
        { "git://[::1]:9/a", "git://[::1]:9/a", "[::1]:9", "git://[::1]:9/", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(git_remote_clear) struct git_remote r = { 0 };
        REQUIRE_OK(git_remote_parse(rows[i].text, &r, &err), &err);
        EXPECT_STR(r.url, rows[i].url);
        EXPECT_STR(r.host, rows[i].host);
        EXPECT_STR(r.origin, rows[i].origin);
        EXPECT_STR(r.basic, rows[i].basic);
    }
}

static char *hash_of(const char *ref)
{
    AUTO_FREE char *command = xasprintf("git -C %s/git/app.git rev-parse %s", shared, ref);
    FILE *pipe = popen(command, "r");
    char text[128] = "";
    if (!pipe || !fgets(text, sizeof text, pipe) || pclose(pipe))
        abort();
    text[strcspn(text, "\n")] = '\0';
    return xstrdup(text);
}

int main(int argc, char **argv)
{
    AUTO_FREE char *command = NULL;
    if (!mkdtemp(shared))
        abort();
    command = xasprintf("%s/repository %s", harness_folder(), shared);
    if (system(command))
        abort();
    first = hash_of("light");
    second = hash_of("v1^{commit}");
    third = hash_of("main");
    topic = hash_of("topic");
    tag = hash_of("v1");
    int status = tap_main(argc, argv);
    tap_remove_tree(shared);
    char *all[] = { first, second, third, topic, tag };
    for (size_t i = 0; i < 5; i++)
        free(all[i]);
    return status;
}
