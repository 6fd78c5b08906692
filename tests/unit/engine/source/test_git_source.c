/* tests/unit/engine/source/test_git_source.c - which commit a ref means and which files that gives;
 * git itself is the witness. */
#include "git_lab.h"

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

TEST("a submodule at a place that a symlink of the same tree leads out of is not written")
{
    /* A folder and a symlink both called "a", which git takes: the folder has the submodule "c",
     * and only the symlink is left when the files are there. */
    static const char script[] =
        "mkdir -p outside/c; export GIT_DIR=$PWD/served/git/app.git GIT_INDEX_FILE=$PWD/index\n"
        "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
        "GIT_COMMITTER_EMAIL=a@b\n"
        "bytes() { python3 -c 'import sys; "
        "sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' $1; }\n"
        "lib=$(git rev-parse main:vendor/lib); here=$(printf %s \"$PWD/outside\")\n"
        "link=$(printf %s \"$here\" | git hash-object -w --stdin)\n"
        "one=$(echo one | git hash-object -w --stdin)\n"
        "modules=$(printf '[submodule \"x\"]\\n\\tpath = a/c\\n\\turl = ../lib.git\\n'"
        " | git hash-object -w --stdin)\n"
        "git update-index --add --cacheinfo \"100644,$one,${here#/}/c/f\"\n"
        "below=$(git write-tree)\n"
        "folder=$(printf '160000 commit %s\\tc\\n' $lib | git mktree --missing)\n"
        "{ printf '100644 .gitmodules\\0'; bytes $modules;"
        "  printf '40000 a\\0'; bytes $folder;"
        "  printf '120000 a\\0'; bytes $link;"
        "  git cat-file tree $below; } >tree\n"
        "tree=$(git hash-object -t tree -w --literally tree)\n"
        "git update-ref refs/heads/evil $(git commit-tree -m evil $tree)";
    LAB(l);
    AUTO_FREE char *remote = remote_of(&l, "git", "app.git");
    struct git_wish q = wish(&l, remote, "evil");
    shell("%s", script);
    EXPECT(fetch(&l, &q) != 0);
    EXPECT_CONTAINS(err.text, "submodule a/c: its place is no folder");
    shell("test -z \"$(ls -A outside/c)\"");
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

TEST("a repository may name its objects by SHA-256")
{
    LAB(l);
    shell("git init -q --object-format=sha256 w; cd w; echo x >f; git add f;"
          "git -c user.name=a -c user.email=a@b commit -qm one; git rev-parse HEAD >../hash;"
          "git clone -q --bare . ../served/git/long.git");
    AUTO_FREE char *remote = remote_of(&l, "git", "long.git"),
                   *path = xasprintf("%s/hash", tap_dir());
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, KIB);
    REQUIRE_OK(fs_read_file(AT_FDCWD, path, &text, &err), &err);
    AUTO_FREE char *whole = span_dup(span_trim(buf_span(&text))), *part = xstrndup(whole, 12);
    const char *const refs[] = { "", whole, part };
    for (size_t i = 0; i < 3; i++) {
        struct git_wish q = wish(&l, remote, refs[i]);
        q.keeps_git_dir = i == 0;
        EXPECT_OK(fetch(&l, &q), &err);
        EXPECT_LOOK(&l, "x", "cat f");
    }
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

int main(int argc, char **argv)
{
    return git_lab_main(argc, argv);
}
