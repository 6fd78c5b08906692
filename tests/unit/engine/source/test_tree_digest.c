/* Digests of trees: what they depend on and what not, and what the file index saves. */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>

#include "fixture.h"

static struct store *store(void)
{
    struct store *st = NULL;
    AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
    err_clear(&err);
    EXPECT_OK(store_open(path, NULL, &st, &err), &err);
    return st;
}

static struct digest select_digest(const struct tree *t, struct tree_selector s)
{
    struct digest d = { 0 };
    err_clear(&err);
    EXPECT_OK(tree_digest(t, &s, &(struct tree_digest_options){ 0 }, &d, &err), &err);
    return d;
}

/* Of the folder `name` of the case, as a context. */
static struct digest digest(struct store *st, const char *name)
{
    AUTO(tree_free) struct tree *t = context(st, name, NULL);
    return select_digest(t, (struct tree_selector){ .path = "" });
}

TEST("equal trees have equal digests whatever their times and inodes; each attribute counts")
{
    static const struct {
        const char *name, *script;
        bool is_equal;
    } rows[] = {
        { "a copy", ":", true },
        { "another mtime", "touch -d 2001-01-01 d/f d l .", true },
        { "another inode", "cp -p d/f x; mv x d/f", true },
        { "a hard link is a file like others", "ln d/f keep; rm d/f; ln keep d/f; rm keep", true },
        { "content", "printf b >d/f", false },
        { "size", "printf aa >d/f", false },
        { "mode of a file", "chmod 755 d/f", false },
        { "setuid", "chmod u+s d/f", false },
        { "mode of a folder", "chmod 700 d", false },
        { "mode of the root", "chmod 700 .", true }, /* BuildKit is not told of it */
        { "name", "mv d/f d/g", false },
        { "moved up", "mv d/f f", false },
        { "link target", "ln -sfn elsewhere l", false },
        { "a link for a file", "rm d/f; ln -s a d/f", false },
        { "a folder for a file", "rm d/f; mkdir d/f", false },
        { "a fifo for a file", "rm d/f; mkfifo d/f", false },
        { "one more file", "touch more", false },
        { "one more empty folder", "mkdir more", false },
        { "one file less", "rm d/f", false },
    };
    shell("mkdir -p one/d; cd one; printf a >d/f; chmod 644 d/f; ln -s d/f l; mkdir e");
    struct digest want = digest(NULL, "one");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        shell("rm -rf two; cp -a one two; cd two; %s", rows[i].script);
        struct digest got = digest(NULL, "two");
        if (digest_equal(&got, &want) != rows[i].is_equal)
            tap_fail(__FILE__, __LINE__, "%s: expected %s", rows[i].name,
                     rows[i].is_equal ? "no difference" : "a difference");
    }
}

TEST("an owner counts in a folder but not in a context; a capability counts in both")
{
    if (geteuid() != 0)
        SKIP("needs root");
    static const char *const scripts[] = { "chown 7 one/f", "chgrp 7 one/f",
                                           "chown 0:0 one/f; setcap cap_net_raw+ep one/f" };
    for (size_t i = 0; i < 3; i++) {
        if (i == 2 && system("command -v setcap >/dev/null 2>&1"))
            SKIP("needs setcap");
        shell("rm -rf one; mkdir one; touch one/f");
        struct digest context_before = digest(NULL, "one");
        AUTO(tree_free) struct tree *t = context(NULL, "one", NULL);
        AUTO(tree_free) struct tree *folder = tree_of_folder(tree_fd(t), NULL);
        struct digest before = select_digest(folder, (struct tree_selector){ .path = "" });
        shell("%s", scripts[i]);
        struct digest after = select_digest(folder, (struct tree_selector){ .path = "" });
        struct digest context_after = digest(NULL, "one");
        EXPECT(!digest_equal(&before, &after));
        EXPECT(digest_equal(&context_before, &context_after) == (i < 2));
    }
}

TEST("what is the boundary between names, targets and contents cannot be shifted")
{
    shell("mkdir one two; printf bc >one/a; printf c >two/ab; ln -s xy one/l; ln -s y two/lx");
    struct digest one = digest(NULL, "one"), two = digest(NULL, "two");
    EXPECT(!digest_equal(&one, &two));
    shell("mkdir -p three/a/b four/a/c four/b; touch three/a/b/c");
    struct digest three = digest(NULL, "three"), four = digest(NULL, "four");
    EXPECT(!digest_equal(&three, &four));
}

TEST("an attribute that a layer would hold counts, one of the kernel's does not")
{
    shell("mkdir one; touch one/f");
    AUTO_FREE char *path = xasprintf("%s/one/f", tap_dir());
    struct digest before = digest(NULL, "one");
    if (setxattr(path, "user.kiln.other", "x", 1, 0))
        SKIP("needs user attributes in the temporary folder");
    struct digest with_ours = digest(NULL, "one");
    EXPECT(digest_equal(&before, &with_ours));
    REQUIRE(setxattr(path, "user.x", "x", 1, 0) == 0);
    struct digest after = digest(NULL, "one");
    EXPECT(!digest_equal(&before, &after));
}

TEST("what a folder's own attributes are, its name apart, is part of its digest")
{
    shell("mkdir -p c/one c/two c/three; touch c/one/f c/two/f c/three/f; chmod 700 c/three");
    AUTO(tree_free) struct tree *t = context(NULL, "c", NULL);
    struct digest one = select_digest(t, (struct tree_selector){ .path = "one" });
    struct digest two = select_digest(t, (struct tree_selector){ .path = "/two/" });
    struct digest three = select_digest(t, (struct tree_selector){ .path = "three" });
    EXPECT(digest_equal(&one, &two));
    EXPECT(!digest_equal(&one, &three));
}

/* As BuildKit names a record of what was read: of the texts of all checksums, then of the root. */
static char *record_of(const struct digest *checksum)
{
    struct digest slow = digest_of(span_of(digest_text(checksum).s));
    AUTO_FREE char *root = xasprintf("%s@-1", digest_text(&slow).s);
    struct digest record = digest_of(span_of(root));
    return xstrdup(digest_text(&record).s + strlen("sha256:"));
}

TEST("digests are BuildKit's")
{
    /* The records of a build by docker 28.5.2 (BuildKit 0.25), see tests/fixtures/cache. */
    static const struct {
        const char *name, *path, *exclude, *want;
    } rows[] = {
        { "a folder", "sub", NULL, "3e83fafc904756071885bf38" },
        { "wildcards in the last part", "sub/*.txt", NULL, "7d85d0a617c3efcff4b725b1" },
        { "a file", "f.txt", NULL, "d142b105bd417586822fd90a" },
        { "files and a hard link", "*.txt", NULL, "3307c5473206716639f7d777" },
        { "folders, a mode, setuid and a link to a folder", "d*", NULL,
          "ed185cd0b1f914b45859f221" },
        { "a wildcard in the first part", "*/deep", NULL, "dcc7267f86de403abfdace8d" },
        { "a link to a folder", "dl", NULL, "9fb4a26db132ae6bd0b51fbe" },
        { "a link to a file", "fl", NULL, "d142b105bd417586822fd90a" },
        { "through a link", "dl/c.txt", NULL, "b4988da2890f92e5b092c7ad" },
        { "a fifo", "other", NULL, "2144b8a6e580338c69875276" },
        { "a blank in the name", "sp ace.txt", NULL, "492c53717fe94839f0c6f9ff" },
        { "names that differ by less than a slash", "sub*", NULL, "44342a3a9b1974b72e9feee4" },
        { "a link that a wildcard does not go through", "*/*.txt", NULL,
          "7d85d0a617c3efcff4b725b1" },
        { "links in folders stay links", "n*", NULL, "78f96b8cfedfeef13eb7b233" },
        { "links that are found are followed", "n/l*", NULL, "23c82c6b07270b35c454d4a0" },
        { "files left out", "sub", "*.txt", "3375a129f0e4fc90fd52de93" },
        { "a folder left out", "sub", "deep", "410ee211a82a406b93fa9913" },
        { "all left out", "sub", "*", "b58f6cd83b69bbc0eba0437b" },
        { "wildcards, and patterns relative to each", "d*", "one", "9288a911584610c1f2508a72" },
        { "patterns and a link to a folder", "dl", "nothing", "9fb4a26db132ae6bd0b51fbe" },
    };
    shell(". %s/cache/context.sh", getenv("KILN_FIXTURES"));
    AUTO(pattern_list_free) struct pattern_list *ignore = patterns("**/*.log skip");
    AUTO(tree_free) struct tree *t = context(NULL, "c", ignore);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(str_list_clear) struct str_list exclude = { 0 };
        if (rows[i].exclude)
            str_list_push(&exclude, rows[i].exclude);
        struct digest d = select_digest(t, (struct tree_selector){ .path = rows[i].path,
                                                                   .follows = true,
                                                                   .has_wildcards = true,
                                                                   .exclude = &exclude });
        AUTO_FREE char *got = record_of(&d);
        if (strncmp(got, rows[i].want, strlen(rows[i].want)) != 0)
            tap_fail(__FILE__, __LINE__, "%s: record %s, expected %s...", rows[i].name, got,
                     rows[i].want);
    }
}

TEST("what is not there has no digest; what chooses nothing has the digest of nothing")
{
    shell("mkdir c; touch c/f; ln -s none c/dangling");
    AUTO(tree_free) struct tree *t = context(NULL, "c", NULL);
    struct digest absent = select_digest(t, (struct tree_selector){ .path = "g" });
    struct digest nowhere =
        select_digest(t, (struct tree_selector){ .path = "dangling", .follows = true });
    struct digest none = select_digest(t, (struct tree_selector){ "g*", .has_wildcards = true });
    struct digest nothing = digest_of(SPAN(""));
    EXPECT(!digest_is_set(&absent));
    EXPECT(!digest_is_set(&nowhere));
    EXPECT(digest_equal(&none, &nothing));
}

TEST("patterns and hidden files leave out what they say, as if it were not there")
{
    AUTO_VALUE(str_list_clear) struct str_list include = { 0 }, exclude = { 0 };
    str_list_push(&include, "**/*.c");
    str_list_push(&exclude, "**/*.o");
    str_list_push(&exclude, "empty");
    shell("mkdir -p full/s/t full/empty small/s/t; touch full/s/a.c full/s/t/b.c full/s/a.o;"
          "touch small/s/a.c small/s/t/b.c");
    AUTO(tree_free) struct tree *small = context(NULL, "small", NULL);
    AUTO(tree_free) struct tree *t = context(NULL, "full", NULL);
    struct digest want = select_digest(small, (struct tree_selector){ "", .include = &include });
    struct digest in = select_digest(t, (struct tree_selector){ "", .include = &include });
    struct digest ex = select_digest(t, (struct tree_selector){ "", .exclude = &exclude });
    EXPECT(digest_equal(&in, &want));
    EXPECT(digest_equal(&ex, &want));
    AUTO(pattern_list_free) struct pattern_list *ignore = patterns("* !s/*.c !s/t/b.c");
    AUTO(tree_free) struct tree *hiding = context(NULL, "full", ignore);
    struct digest whole = digest(NULL, "small");
    struct digest hidden = select_digest(hiding, (struct tree_selector){ .path = "" });
    EXPECT(digest_equal(&hidden, &whole));
}

TEST("sockets count as not there; fifos and devices are told but never opened")
{
    shell("mkdir one two; mkfifo one/p two/p");
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(a.sun_path, sizeof a.sun_path, "%s/one/s", tap_dir());
    REQUIRE(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    if (geteuid() == 0)
        shell("mknod one/null c 1 3; mknod two/null c 1 3");
    struct digest one = digest(NULL, "one"), two = digest(NULL, "two");
    EXPECT(digest_equal(&one, &two));
    if (geteuid() != 0)
        return;
    shell("rm two/null; mknod two/null c 1 5");
    two = digest(NULL, "two");
    EXPECT(!digest_equal(&one, &two));
}

TEST("many files in many folders give one digest, with any number of threads")
{
    shell(
        "mkdir c; cd c; for d in $(seq 100); do mkdir -p p$((d %% 7))/d$d; for f in $(seq 50); do "
        "echo $d-$f >p$((d %% 7))/d$d/f$f; done; done");
    struct digest want = { 0 };
    for (size_t threads = 0; threads <= 8; threads = threads ? threads * 8 : 1) {
        AUTO(pool_free) struct pool *pool = threads ? pool_new(threads) : NULL;
        AUTO(tree_free) struct tree *t = context(NULL, "c", NULL);
        struct digest got = { 0 };
        EXPECT_OK(tree_digest(t, &(struct tree_selector){ .path = "" },
                              &(struct tree_digest_options){ .pool = pool }, &got, &err),
                  &err);
        if (threads == 0)
            want = got;
        EXPECT(digest_equal(&got, &want));
    }
}

/* ---- the file index ---- */

/* Rows of the index. */
static int64_t n_remembered(struct store *st)
{
    AUTO(query_close) struct query *q = NULL;
    bool has_row = false;
    if (query_open(store_db(st), "SELECT count(*) FROM file_record", &q, &err) ||
        query_step(q, &has_row, &err) || !has_row)
        return -1;
    return query_get_int(q, 0);
}

/* Puts a wrong digest into every row: what is taken from the index shows. */
static void spoil_index(struct store *st)
{
    EXPECT_OK(db_apply(store_db(st), "UPDATE file_record SET record = zeroblob(32)", &err), &err);
}

/* Waits until the files made so far are no longer as young as the clock's grain. */
static void settle(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 60 * 1000 * 1000 }, NULL);
}

TEST("an unchanged file is not read again")
{
    AUTO(store_close) struct store *st = store();
    shell("mkdir -p c/d; seq 1000 >c/f; seq 2000 >c/d/g; ln -s f c/l");
    settle();
    struct digest first = digest(st, "c"), second = digest(st, "c");
    EXPECT(digest_equal(&first, &second));
    EXPECT_INT(n_remembered(st), 2);
    spoil_index(st);
    struct digest spoiled = digest(st, "c");
    EXPECT(!digest_equal(&first, &spoiled)); /* so the files were not opened */
    struct digest unaided = digest(NULL, "c");
    EXPECT(digest_equal(&first, &unaided));
}

TEST("content that changes is noticed even when size and mtime are set back")
{
    AUTO(store_close) struct store *st = store();
    shell("mkdir c; printf aaaa >c/f; touch -d '2020-01-01 00:00:00.5' c/f");
    settle();
    struct digest before = digest(st, "c");
    EXPECT_INT(n_remembered(st), 1);
    shell("printf bbbb >c/f; touch -d '2020-01-01 00:00:00.5' c/f");
    struct digest after = digest(st, "c");
    EXPECT(!digest_equal(&before, &after));
    shell("printf aaaa >c/f; touch -d '2020-01-01 00:00:00.5' c/f");
    struct digest again = digest(st, "c");
    EXPECT(digest_equal(&before, &again));
}

TEST("a file replaced by another of the same size and mtime is noticed")
{
    AUTO(store_close) struct store *st = store();
    shell("mkdir c; printf aaaa >c/f; printf bbbb >g; touch -d 2020-01-01 c/f g");
    settle();
    struct digest before = digest(st, "c");
    shell("mv g c/f");
    struct digest after = digest(st, "c");
    EXPECT(!digest_equal(&before, &after));
}

TEST("a file as young as the clock's grain is not remembered")
{
    AUTO(store_close) struct store *st = store();
    shell("mkdir c; printf a >c/old");
    settle();
    AUTO_FREE char *path = xasprintf("%s/c/young", tap_dir());
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    REQUIRE(write(fd, "b", 1) == 1);
    digest(st, "c");
    EXPECT_INT(n_remembered(st), 1);
}

TEST("a digest is remembered for a month")
{
    AUTO(store_close) struct store *st = store();
    shell("mkdir c other; printf a >c/f; printf b >other/g");
    settle();
    digest(st, "c");
    EXPECT_OK(
        db_apply(store_db(st), "UPDATE file_record SET put_at = put_at - 31 * 24 * 3600", &err),
        &err);
    digest(st, "other");
    EXPECT_INT(n_remembered(st), 1);
}

/* ---- failures ---- */

TEST("a file that cannot be read is named")
{
    if (geteuid() != 0)
        SKIP("needs root to become another user");
    shell("mkdir -p c/d; echo >c/d/f; chmod 000 c/d/f; chmod 755 . c c/d");
    AUTO(tree_free) struct tree *t = context(NULL, "c", NULL);
    struct digest d;
    REQUIRE(seteuid(65534) == 0);
    EXPECT_ERR(tree_digest(t, &(struct tree_selector){ .path = "" },
                           &(struct tree_digest_options){ 0 }, &d, &err),
               &err, ERR_DENIED);
    EXPECT(seteuid(0) == 0);
    EXPECT_STR(err.text, "hash d/f: open f: permission denied");
}

TEST("a canceled digest ends")
{
    shell("mkdir c; touch c/f");
    AUTO(tree_free) struct tree *t = context(NULL, "c", NULL);
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    struct digest d;
    cancel_fire(cancel);
    EXPECT_ERR(tree_digest(t, &(struct tree_selector){ .path = "" },
                           &(struct tree_digest_options){ .cancel = cancel }, &d, &err),
               &err, ERR_CANCELED);
}

TEST("a malformed pattern is refused")
{
    AUTO_VALUE(str_list_clear) struct str_list include = { 0 };
    str_list_push(&include, "[");
    shell("mkdir c");
    AUTO(tree_free) struct tree *t = context(NULL, "c", NULL);
    struct digest d;
    EXPECT_ERR(tree_digest(t, &(struct tree_selector){ "", .include = &include },
                           &(struct tree_digest_options){ 0 }, &d, &err),
               &err, ERR_INVALID);
}

TAP_MAIN()
