/* COPY: what it makes of sources and destinations.  Results are compared whole: type, mode, owner,
 * mtime and link of every entry. */
#include "fixture.h"

/* "/" for a folder, "@TARGET" for a symlink, "p" a fifo; then what is asked for. */
static char *listing(const char *format)
{
    return shell(
        "cd r; find . -mindepth 1 \\( -type d -printf '%%P/%s ' \\) -o \\( -type l -printf "
        "'%%P@%%l%s ' \\) -o \\( -type p -printf '%%P|%s ' \\) -o -printf '%%P%s ' | tr ' ' "
        "'\\n' | sort | tr '\\n' ' ' | sed 's/^ *//; s/ *$//'",
        format, format, format, format);
}

/* Copies c/SRC of the case as `a` says to the root r. */
static int copy(const char *src, const struct op_action *a, const struct copy_owner *owner)
{
    struct tree *t = NULL;
    AUTO_FREE char *path = xasprintf("%s/c", tap_dir());
    AUTO_FD int to = folder("r");
    err_clear(&err);
    EXPECT_OK(tree_of_context(NULL, path, NULL, &t, &err), &err);
    struct copy_job job = { .from = t, .src = src, .to_fd = to, .action = a };
    if (owner)
        job.owner = *owner;
    int status = copy_run(&job, &err);
    tree_free(t);
    return status;
}

struct copy_row {
    const char *name, *root;           /* root: a script that makes what is there before, in r */
    const char *sources, *dest, *want; /* sources: joined by '|' */
};

static void run_row(const struct copy_row *row)
{
    struct op_action a = copy_action(row->dest);
    struct span rest = span_of(row->sources);
    AUTO_FREE char *failure = NULL;
    RUN("rm -rf r; mkdir r; cd r; %s", row->root ? row->root : ":");
    while (rest.ptr && !failure) {
        AUTO_FREE char *src = span_dup(span_cut(&rest, '|'));
        if (copy(src, &a, NULL))
            failure = xstrdup(err.text);
    }
    AUTO_FREE char *got = failure ? STEAL(failure) : listing("");
    if (strcmp(got, row->want) != 0)
        tap_fail(__FILE__, __LINE__, "%s:\n%s\nexpected\n%s", row->name, got, row->want);
}
#define RUN_ROWS(rows)                                                                             \
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)                                        \
    run_row(&rows[i])

TEST("where files and folders go")
{
    static const struct copy_row rows[] = {
        { "file to a new name", NULL, "f", "/g", "g" },
        { "file into a new folder", NULL, "f", "/d/", "d/ d/f" },
        { "file to a new name in new folders", NULL, "f", "/a/b/g", "a/ a/b/ a/b/g" },
        { "file into a folder that is there", "mkdir d", "f", "/d", "d/ d/f" },
        { "file to the root", NULL, "f", "/", "f" },
        { "dot ends a folder too", NULL, "f", "/d/.", "d/ d/f" },
        { "a file of a sub-folder loses its folder", NULL, "t/s/y", "/d/", "d/ d/y" },
        { "content of a folder to a new one", NULL, "t", "/d", "d/ d/s/ d/s/y d/x" },
        { "content of a folder to one that is there", "mkdir d; touch d/old d/x", "t", "/d",
          "d/ d/old d/s/ d/s/y d/x" },
        { "content of a folder to the root", NULL, "t", "/", "s/ s/y x" },
        { "all of the context", NULL, "", "/app",
          "app/ app/e/ app/f app/l@f app/t/ app/t/s/ "
          "app/t/s/y app/t/x" },
        { "an empty folder", NULL, "e", "/d", "d/" },
        { "several files", NULL, "f|t/x", "/d/", "d/ d/f d/x" },
        { "several without a slash: the last wins", NULL, "f|t/x", "/d", "d" },
        { "file and folder", NULL, "f|t", "/d/", "d/ d/f d/s/ d/s/y d/x" },
        { "a symlink that is not followed stays one", NULL, "l", "/d/", "d/ d/l@f" },
        { "a symlink to a new name", NULL, "l", "/n", "n@f" },
    };
    RUN("mkdir -p c/t/s c/e; touch c/f c/t/x c/t/s/y; ln -s f c/l");
    RUN_ROWS(rows);
}

TEST("destinations that are symlinks are followed inside the root")
{
    static const struct copy_row rows[] = {
        { "to a folder", "mkdir d; ln -s d l", "f", "/l", "d/ d/f l@d" },
        { "to a folder, with a slash", "mkdir d; ln -s d l", "f", "/l/", "d/ d/f l@d" },
        { "to a folder, content", "mkdir d; ln -s d l", "t", "/l", "d/ d/s/ d/s/y d/x l@d" },
        { "to a file, which is written", "touch g; ln -s g l", "f", "/l", "g l@g" },
        { "to nothing, which is made", "ln -s g l", "f", "/l", "g l@g" },
        { "to nothing, as a folder", "ln -s g l", "f", "/l/", "g/ g/f l@g" },
        { "to nothing, on the way", "mkdir var; ln -s /run var/run", "f", "/var/run/x/f",
          "run/ run/x/ run/x/f var/ var/run@/run" },
        { "absolute", "mkdir d; ln -s /d l", "f", "/l/sub/", "d/ d/sub/ d/sub/f l@/d" },
        { "out of the root, which it cannot leave", "mkdir etc; ln -s ../../../etc l", "f", "/l",
          "etc/ etc/f l@../../../etc" },
        { "two in a row", "ln -s b a; ln -s c b", "f", "/a", "a@b b@c c" },
        { "a loop", "ln -s b a; ln -s a b", "f", "/a/x/",
          "make the folder /a/x/: open /a: too many levels of symbolic links" },
    };
    RUN("mkdir -p c/t/s; touch c/f c/t/x c/t/s/y");
    RUN_ROWS(rows);
}

TEST("inside a copied folder files replace what is no folder, and folders meet only folders")
{
    static const struct copy_row rows[] = {
        { "a file replaces a symlink", "mkdir d; touch g; ln -s ../g d/x", "t", "/d",
          "d/ d/s/ d/s/y d/x g" },
        { "a file replaces a fifo", "mkdir d; mkfifo d/x", "t", "/d", "d/ d/s/ d/s/y d/x" },
        { "a symlink replaces a file", "mkdir d; touch d/l", "k", "/d", "d/ d/l@x" },
        { "a folder over a folder", "mkdir -p d/s; touch d/s/old", "t", "/d",
          "d/ d/s/ d/s/old d/s/y d/x" },
        { "a folder over a symlink to a folder", "mkdir d e; ln -s ../e d/s", "t", "/d",
          "copy t/s: cannot copy the folder t/s over something that is none" },
        { "a folder over a file", "mkdir d; touch d/s", "t", "/d",
          "copy t/s: cannot copy the folder t/s over something that is none" },
        { "a file over a folder", "mkdir -p d/x", "t", "/d",
          "copy t/x: cannot replace the folder x by something that is none" },
        { "a file where a folder must be", "touch d", "f", "/d/",
          "make the folder /d/: open /d: not a directory" },
        { "a folder's content into a file", "touch d", "t", "/d",
          "make the folder /d: open /d: not a directory" },
    };
    RUN("mkdir -p c/t/s c/k; touch c/f c/t/x c/t/s/y; ln -s x c/k/l");
    RUN_ROWS(rows);
}

TEST("with replaces_existing whatever is there gives way")
{
    struct op_action a = copy_action("/d");
    a.replaces_existing = true;
    RUN("mkdir -p c/t/s r/d/x/deep; touch c/t/x c/t/s/y r/d/x/deep/z; ln -s /etc r/d/s");
    EXPECT_OK(copy("t", &a, NULL), &err);
    AUTO_FREE char *got = listing("");
    EXPECT_STR(got, "d/ d/s/ d/s/y d/x");
}

TEST("a folder that is not to give its content alone comes with its name")
{
    struct op_action a = copy_action("/d/");
    a.copies_dir_contents = false;
    RUN("mkdir -p c/t/s r; touch c/t/s/y");
    EXPECT_OK(copy("t/s", &a, NULL), &err);
    AUTO_FREE char *got = listing("");
    EXPECT_STR(got, "d/ d/s/ d/s/y");
}

TEST("content, mode and mtime are the source's, to the nanosecond; owners are root's")
{
    struct op_action a = copy_action("/");
    RUN("mkdir -p c/s r; cd c; seq 100000 >large; printf small >small; : >empty; ln -s small l;"
        "mkfifo p; chown -R 5:6 . 2>/dev/null || true; chmod 640 small; chmod 4755 empty; chmod "
        "2711 s;"
        "chmod 1777 .;"
        "touch -d @1000000000.123456789 large small empty p s; touch -hd @999.5 l");
    EXPECT_OK(copy("", &a, NULL), &err);
    RUN("cmp c/large r/large; cmp c/small r/small; test -f r/empty -a ! -s r/empty");
    AUTO_FREE char *all = listing(":%m:%U:%G:%T@");
    AUTO_FREE char *got = shell("echo '%s' | sed \"s/:$(id -u):$(id -g):/:0:0:/g\"", all);
    AUTO_FREE char *link = shell("stat -c %%.Y r/l");
    EXPECT_CONTAINS(got, "small:640:0:0:1000000000.1234567890");
    EXPECT_CONTAINS(got, "large:644:0:0:1000000000.1234567890");
    EXPECT_CONTAINS(got, "empty:4755:0:0:1000000000.1234567890");
    EXPECT_CONTAINS(got, "s/:2711:0:0:1000000000.1234567890");
    EXPECT_CONTAINS(got, "p|:644:0:0:1000000000.1234567890");
    EXPECT_CONTAINS(got, "l@small:777:0:0:999.5");
    EXPECT_CONTAINS(link, "999.5");
}

TEST("a destination folder keeps its own mode, nested ones that are there take the source's")
{
    struct op_action a = copy_action("/d");
    RUN("mkdir -p c/t/tmp r/d/tmp r/d/other; chmod 711 c/t; chmod 755 c/t/tmp; chmod 1777 r/d/tmp;"
        "chmod 700 r/d r/d/other");
    EXPECT_OK(copy("t", &a, NULL), &err);
    AUTO_FREE char *there = listing(":%m");
    EXPECT_STR(there, "d/:700 d/other/:700 d/tmp/:755");
    a.path = "/new";
    RUN("rm -rf r; mkdir r");
    EXPECT_OK(copy("t", &a, NULL), &err);
    AUTO_FREE char *new = listing(":%m");
    EXPECT_STR(new, "new/:755 new/tmp/:755");
}

TEST("--chown and --chmod reach what is copied and the parents that are made, no others")
{
    static const struct {
        const char *name;
        int32_t mode;
        const char *mode_text, *want;
    } rows[] = {
        { "octal", 04750, "",
          "there/:755:0:0 there/n/:750:7:8 there/n/m/:750:7:8 "
          "there/n/m/s/:4750:7:8 there/n/m/s/y:4750:7:8 there/n/m/x:4750:7:8" },
        { "symbolic", MODE_KEEP, "u=rwX,go=rX",
          "there/:755:0:0 there/n/:755:7:8 there/n/m/:755:7:8 there/n/m/s/:755:7:8 "
          "there/n/m/s/y:644:7:8 there/n/m/x:755:7:8" },
        { "symbolic that takes away", MODE_KEEP, "go=",
          "there/:755:0:0 there/n/:700:7:8 there/n/m/:700:7:8 there/n/m/s/:700:7:8 "
          "there/n/m/s/y:600:7:8 there/n/m/x:700:7:8" },
        { "owner alone", MODE_KEEP, "",
          "there/:755:0:0 there/n/:755:7:8 there/n/m/:755:7:8 "
          "there/n/m/s/:700:7:8 there/n/m/s/y:600:7:8 "
          "there/n/m/x:711:7:8" },
    };
    if (geteuid() != 0)
        SKIP("needs root");
    RUN("mkdir -p c/t/s; touch c/t/x c/t/s/y; chmod 711 c/t/x; chmod 700 c/t/s; chmod 600 c/t/s/y");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct op_action a = copy_action("/there/n/m");
        a.mode = rows[i].mode;
        a.mode_text = rows[i].mode_text;
        RUN("rm -rf r; mkdir -p r/there");
        EXPECT_OK(copy("t", &a, &(struct copy_owner){ .is_set = true, .uid = 7, .gid = 8 }), &err);
        AUTO_FREE char *got = listing(":%m:%U:%G");
        AUTO_FREE char *sorted =
            shell("echo '%s' | tr ' ' '\\n' | sort | tr '\\n' ' ' | sed 's/ $//'", rows[i].want);
        if (strcmp(got, sorted) != 0)
            tap_fail(__FILE__, __LINE__, "%s:\n%s\nexpected\n%s", rows[i].name, got, sorted);
    }
}

TEST("a setgid folder in the root does not change what is copied into it")
{
    if (geteuid() != 0)
        SKIP("needs root");
    struct op_action a = copy_action("/d/");
    RUN("mkdir -p c/t/s r/d; touch c/t/s/y; chown 0:9 r/d; chmod 2777 r/d");
    EXPECT_OK(copy("t", &a, NULL), &err);
    AUTO_FREE char *got = listing(":%m:%U:%G");
    EXPECT_STR(got, "d/:2777:0:9 d/s/:755:0:0 d/s/y:644:0:0");
}

TEST("an unusual umask changes nothing")
{
    struct op_action a = copy_action("/new/");
    RUN("mkdir -p c/t r; touch c/t/y; chmod 666 c/t/y");
    mode_t before = umask(077);
    EXPECT_OK(copy("t", &a, NULL), &err);
    umask(before);
    AUTO_FREE char *got = listing(":%m");
    EXPECT_STR(got, "new/:755 new/y:666");
}

TEST("a forced time reaches everything that is made")
{
    struct op_action a = copy_action("/n/m");
    a.timestamp_ns = 1234567890500000000;
    RUN("mkdir -p c/t/s r; touch c/t/x c/t/s/y; ln -s x c/t/l");
    EXPECT_OK(copy("t", &a, NULL), &err);
    AUTO_FREE char *got = shell("cd r; find . -mindepth 1 -printf '%%P %%T@\\n' | grep -v "
                                "1234567890.5000000000 | sort");
    EXPECT_STR(got, "");
}

TEST("files with several names stay one file")
{
    struct op_action a = copy_action("/");
    RUN("mkdir -p c/d r; echo x >c/a; ln c/a c/d/b; ln c/a c/c; echo x >c/other");
    EXPECT_OK(copy("", &a, NULL), &err);
    AUTO_FREE char *got =
        shell("cd r; stat -c %%h a d/b c other | tr '\\n' ' '; stat -c %%i a d/b c | "
              "uniq | wc -l");
    EXPECT_STR(got, "3 3 3 1 1");
}

TEST("sockets are left out, devices are made anew")
{
    struct op_action a = copy_action("/");
    if (geteuid() != 0)
        SKIP("needs root");
    RUN("mkdir -p c r; mknod -m 640 c/null c 1 3; python3 -c 'import socket; "
        "socket.socket(socket.AF_UNIX).bind(\"c/s\")'; touch c/f");
    EXPECT_OK(copy("", &a, NULL), &err);
    AUTO_FREE char *got = shell("cd r; stat -c '%%n %%F %%t:%%T %%a' *");
    EXPECT_STR(got, "f regular empty file 0:0 644\nnull character special file 1:3 640");
}

TEST("a capability comes along from a stage, not from a context")
{
    if (geteuid() != 0 || system("command -v setcap >/dev/null 2>&1"))
        SKIP("needs root and setcap");
    struct op_action a = copy_action("/from-stage");
    RUN("mkdir c r; cp /bin/true c/ping; setcap cap_net_raw+ep c/ping");
    AUTO_FD int from = folder("c"), to = folder("r");
    AUTO(tree_free) struct tree *stage = tree_of_folder(from, NULL);
    struct copy_job job = { .from = stage, .src = "ping", .to_fd = to, .action = &a };
    job.owner = (struct copy_owner){ .is_set = true, .uid = 7, .gid = 7 };
    EXPECT_OK(copy_run(&job, &err), &err);
    a.path = "/from-context";
    EXPECT_OK(copy("ping", &a, NULL), &err);
    AUTO_FREE char *got = shell("cd r; getcap from-stage from-context");
    EXPECT_STR(got, "from-stage cap_net_raw=ep");
}

TEST("from a stage the owner is kept, unless another is wanted")
{
    if (geteuid() != 0)
        SKIP("needs root");
    struct op_action a = copy_action("/");
    RUN("mkdir -p c/d r; touch c/d/f; ln -s f c/d/l; chown -h 7:8 c/d c/d/f c/d/l");
    AUTO_FD int from = folder("c"), to = folder("r");
    AUTO(tree_free) struct tree *stage = tree_of_folder(from, NULL);
    struct copy_job job = { .from = stage, .src = "", .to_fd = to, .action = &a };
    EXPECT_OK(copy_run(&job, &err), &err);
    AUTO_FREE char *got = listing(":%U:%G");
    EXPECT_STR(got, "d/:7:8 d/f:7:8 d/l@f:7:8");
}

TEST("include and exclude choose inside the source; a named file is never excluded")
{
    AUTO(pattern_list_free) struct pattern_list *include = NULL, *exclude = NULL;
    static const char *const in[] = { "**/*.c" }, *const ex[] = { "**/b.c", "f" };
    EXPECT_OK(pattern_list_of(in, 1, &include, &err), &err);
    EXPECT_OK(pattern_list_of(ex, 2, &exclude, &err), &err);
    struct op_action a = copy_action("/d/");
    RUN("mkdir -p c/s/t c/s/only r; touch c/s/a.c c/s/b.c c/s/t/c.c c/s/t/x.o c/s/only/y.o c/f");
    AUTO_FD int from = folder("c"), to = folder("r");
    AUTO(tree_free) struct tree *tree = tree_of_folder(from, NULL);
    struct copy_job job = {
        .from = tree, .src = "s", .to_fd = to, .action = &a, .include = include, .exclude = exclude
    };
    EXPECT_OK(copy_run(&job, &err), &err);
    job.src = "f";
    job.include = NULL;
    EXPECT_OK(copy_run(&job, &err), &err);
    AUTO_FREE char *got = listing("");
    EXPECT_STR(got, "d/ d/a.c d/f d/t/ d/t/c.c");
}

TEST("hidden files do not come along")
{
    AUTO(pattern_list_free) struct pattern_list *ignore = NULL;
    static const char *const lines[] = { "secret", "d", "!d/shown" };
    EXPECT_OK(pattern_list_of(lines, 3, &ignore, &err), &err);
    struct op_action a = copy_action("/");
    RUN("mkdir -p c/d r; touch c/secret c/f c/d/shown c/d/hidden");
    AUTO_FREE char *path = xasprintf("%s/c", tap_dir());
    AUTO(tree_free) struct tree *t = NULL;
    AUTO_FD int to = folder("r");
    EXPECT_OK(tree_of_context(NULL, path, ignore, &t, &err), &err);
    struct copy_job job = { .from = t, .src = "", .to_fd = to, .action = &a };
    EXPECT_OK(copy_run(&job, &err), &err);
    AUTO_FREE char *got = listing("");
    EXPECT_STR(got, "d/ d/shown f");
}

TEST("a full disk, an unreadable source and a cancel are told with the file")
{
    if (geteuid() != 0)
        SKIP("needs root");
    struct op_action a = copy_action("/");
    RUN("mkdir -p c r; head -c 300000 /dev/zero >c/f");
    AUTO_FREE char *r = xasprintf("%s/r", tap_dir());
    AUTO_FREE char *mount = xasprintf("mount -t tmpfs -o size=64k none %s 2>/dev/null", r);
    if (system(mount))
        SKIP("cannot mount");
    EXPECT_ERR(copy("", &a, NULL), &err, ERR_SYSTEM);
    EXPECT_CONTAINS(err.text, "copy f: ");
    EXPECT_CONTAINS(err.text, "no space left");
    RUN("umount r");
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    cancel_fire(cancel);
    AUTO_FD int from = folder("c"), to = folder("r");
    AUTO(tree_free) struct tree *tree = tree_of_folder(from, NULL);
    struct copy_job job = { .from = tree, .src = "", .to_fd = to, .action = &a, .cancel = cancel };
    err_clear(&err);
    EXPECT_ERR(copy_run(&job, &err), &err, ERR_CANCELED);
}

TAP_MAIN()
