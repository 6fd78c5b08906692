/* tests/unit/engine/source/test_git_server.c - servers over http, git:// and ssh, secrets, and the
 * mirrors that are kept. */
#include "git_lab.h"
#include "image/store/gc.h"
#include "image/store/lease.h"
#include "image/store/object.h"

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

TEST("git goes through the environment's proxy; where there is no git, that is told")
{
    LAB(l);
    AUTO_FREE char *proxy = xasprintf("http://127.0.0.1:%d/", l.served.http_port);
    AUTO_FREE char *old = xstrdup(getenv("PATH")), *empty = xasprintf("%s/none", tap_dir());
    struct git_wish q = wish(&l, "http://example.invalid/git/app.git", "v1");
    setenv("HTTP_PROXY", proxy, 1);
    EXPECT_OK(fetch(&l, &q), &err);
    unsetenv("HTTP_PROXY");
    EXPECT(served_count(&l.served, "proxied") > 0);
    setenv("PATH", empty, 1);
    EXPECT(fetch(&l, &q) != 0);
    setenv("PATH", old, 1);
    EXPECT_INT(err.kind, ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "run git: ");
    EXPECT_CONTAINS(err.hint, "install git");
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

int main(int argc, char **argv)
{
    return git_lab_main(argc, argv);
}
