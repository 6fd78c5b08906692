/* tests/unit/engine/snapshot/steps.h - steps that change a tree, each with both drivers: the layers
 * must be the same, byte for byte, and lead to the tree that the step left. */
#pragma once
#include "fixture.h"

/* What a place may not permit: rows with these commands are left out there. */
static const char *steps_lack[3];

/* The base: names are what they are for. */
static const char base_script[] =
    "mkdir -p etc usr/bin dir/sub/deep empty swap; echo one >etc/one; echo two >etc/two; "
    "echo three >etc/three; chmod 600 etc/two; echo tool >usr/bin/tool; chmod 755 usr/bin/tool; "
    "ln -s usr/bin bin; ln -s one etc/link; echo x >dir/sub/x; echo y >dir/sub/deep/y; "
    "echo z >dir/z; echo h >etc/h1; ln etc/h1 etc/h2; echo s >swap/inside; echo f >file; "
    "echo 'a b' >'etc/with blank'; chmod 1777 empty; mkdir many; "
    "for i in $(seq 100); do echo $i >many/$i; done; "
    "find . -exec touch -h -d @1600000000 {} +";

static const struct step_row {
    const char *sentence, *script;
    const char *names; /* what bsdtar lists of the layer; NULL: not compared */
} step_rows[] = {
    { "a step that does nothing", ":", "" },
    { "a new file", "echo n >etc/new", "etc/new\n" },
    { "a file written anew", "echo other >etc/one", "etc/one\n" },
    { "a file appended to", "echo more >>dir/sub/x", "dir/sub/x\n" },
    { "a touched file", "touch -d @1650000000 etc/one", "etc/one\n" },
    { "a file touched to the time it had", "touch -d @1600000000 etc/one", "" },
    { "a file touched within its second", "touch -d @1600000000.5 etc/one", "" },
    { "a chmod to the mode it had", "chmod 600 etc/two; chmod 1777 empty", "" },
    { "a chmod of a file and of a folder", "chmod 640 etc/two; chmod 700 dir/sub",
      "dir/sub/\netc/two\n" },
    { "a chown of a file, a folder and a symlink",
      "chown 1000:1001 etc/two dir; chown -h 1:2 etc/link", "dir/\netc/link\netc/two\n" },
    { "a file opened for writing and left", ": >>etc/one; touch -d @1600000000 etc/one", "" },
    { "a file written anew with the same content and time",
      "cp -p etc/one etc/tmp; rm etc/one; mv etc/tmp etc/one", "" },
    { "the same size and time, other content",
      "printf 'onE\\n' >etc/one; touch -d @1600000000 etc/one", "etc/one\n" },
    { "a file renamed", "mv etc/one etc/uno", "etc/.wh.one\netc/uno\n" },
    { "a file moved over another", "mv etc/one etc/two", "etc/.wh.one\netc/two\n" },
    { "a folder renamed", "mv dir other",
      ".wh.dir\nother/\nother/sub/\nother/sub/deep/\nother/sub/deep/y\nother/sub/x\nother/z\n" },
    { "a file removed", "rm etc/one", "etc/.wh.one\n" },
    { "a folder removed", "rm -r dir", ".wh.dir\n" },
    { "a new file removed again", "echo n >etc/new; rm etc/new", "" },
    { "a new folder removed again", "mkdir -p n/m; rm -r n", "" },
    { "a folder removed and made anew, empty", "rm -r dir; mkdir dir; chmod 755 dir",
      "dir/.wh.sub\ndir/.wh.z\n" },
    { "a folder removed and made anew with some of it",
      "rm -r dir; mkdir -p dir/sub; echo x >dir/sub/x; touch -d @1600000000 dir/sub/x; echo n "
      ">dir/n",
      "dir/n\ndir/sub/.wh.deep\ndir/.wh.z\n" },
    { "a folder made anew with another mode", "rm -r dir; mkdir -m 700 dir",
      "dir/\ndir/.wh.sub\ndir/.wh.z\n" },
    { "a file replaced by a folder", "rm file; mkdir file; echo i >file/i", "file/\nfile/i\n" },
    { "a folder replaced by a file", "rm -r swap; echo i >swap", "swap\n" },
    { "a folder replaced by a symlink", "rm -r swap; ln -s dir swap", "swap\n" },
    { "a symlink replaced by a folder", "rm bin; mkdir bin; echo i >bin/i", "bin/\nbin/i\n" },
    { "file to folder and back",
      "rm file; mkdir file; rmdir file; echo f >file; touch -d @1600000000 file", "" },
    { "a symlink to another target", "ln -sfn two etc/link", "etc/link\n" },
    { "a symlink made anew as it was", "ln -sfn one etc/link; touch -h -d @1600000000 etc/link",
      "" },
    { "a new symlink to nothing", "ln -s /no/where etc/dangling", "etc/dangling\n" },
    { "hard links among new files", "echo n >etc/n1; ln etc/n1 etc/n2; ln etc/n1 dir/n3",
      "dir/n3\netc/n1\netc/n2\n" },
    { "a hard link to a file of the base", "ln etc/one etc/again", "etc/again\n" },
    { "one of two names of a file written to", "echo more >>etc/h1", "etc/h1\n" },
    { "one of two names removed", "rm etc/h1", "etc/.wh.h1\n" },
    { "a third name, and all touched", "ln etc/h2 etc/h3; touch -d @1650000000 etc/h3", NULL },
    { "a sparse file", "truncate -s 3M etc/sparse; printf x >>etc/sparse", "etc/sparse\n" },
    { "an empty file", ": >etc/nothing", "etc/nothing\n" },
    { "setuid, setgid and sticky",
      "cp usr/bin/tool usr/bin/su; chmod 6755 usr/bin/su; chmod 3777 empty",
      "empty/\nusr/bin/su\n" },
    { "a capability", "cp usr/bin/tool usr/bin/ping; setcap cap_net_raw+ep usr/bin/ping",
      "usr/bin/ping\n" },
    { "only a capability", "setcap cap_net_raw+ep usr/bin/tool; touch -d @1600000000 usr/bin/tool",
      "usr/bin/tool\n" },
    { "a fifo", "mkfifo etc/fifo", "etc/fifo\n" },
    { "a device", "mknod etc/null c 1 3; mknod etc/disk b 7 0; chmod 666 etc/null",
      "etc/disk\netc/null\n" },
    { "a socket is no part of a layer",
      "python3 -c 'import socket; "
      "socket.socket(socket.AF_UNIX).bind(\"etc/socket\")'; rm file; python3 -c 'import socket; "
      "socket.socket(socket.AF_UNIX).bind(\"file\")'",
      ".wh.file\n" },
    { "long names", "f=$(printf '%0200d' 7); mkdir -p $f/$f; echo l >$f/$f/$f; ln -s $f/$f/$f long",
      NULL },
    { "names that are not plain",
      "echo n >'etc/new line\n'; echo u >'etc/\303\274'; echo w >etc/.wx", NULL },
    { "a thousand files", "mkdir k; for i in $(seq 1000); do echo $i >k/$i; done", NULL },
    { "a deep tree", "p=.; for i in $(seq 60); do p=$p/d$i; done; mkdir -p $p; echo deep >$p/f",
      NULL },
    { "most of a folder changed",
      "cd many; for i in $(seq 1 2 100); do rm $i; echo new >$i; done; rm 2 4 6; echo n >101",
      NULL },
    { "in through a symlink", "echo n >bin/new", "usr/bin/new\n" },
    { "order: a folder's content before names that sort after \"/\"",
      "mkdir a; echo 1 >a/x; echo 1 >a.txt; echo 1 >a-b; mkdir a/b; echo 1 >a/b/c",
      "a/\na/b/\na/b/c\na/x\na-b\na.txt\n" },
    { "an unreadable file and folder", "echo n >etc/none; chmod 000 etc/none; mkdir -m 000 shut",
      "etc/none\nshut/\n" },
};

/* What changed within the step gets one time, so that two runs compare. */
static struct snapshot *timed_step(struct bench *b, struct snapshot *parent, const char *script)
{
    AUTO_FREE char *timed = xasprintf("touch -d '1 second ago' %s/stamp; (%s); "
                                      "find . -newer %s/stamp -exec touch -h -d @1700000000 {} +",
                                      tap_dir(), script, tap_dir());
    return step(b, parent, timed);
}

struct done_step {
    struct digest digest, diff_id;
    char *names, *tree, *blob;
};

static void done_step_clear(struct done_step *d)
{
    free(d->names);
    free(d->tree);
    free(d->blob);
}

static void do_step(struct bench *b, const struct layer_ref *base, const char *script,
                    struct done_step *out)
{
    AUTO(snapshot_unref) struct snapshot *below = chain(b, base, 1);
    AUTO(snapshot_unref) struct snapshot *s = timed_step(b, below, script);
    if (!s)
        return;
    struct layer_ref l = seal(b, s, COMPRESSION_NONE);
    out->blob = blob_path_of(b, &l);
    out->digest = l.blob.digest;
    out->diff_id = l.diff_id;
    out->names = shell("bsdtar -tf %s; echo .", out->blob);
    out->names[strlen(out->names) - 1] = '\0';
    out->tree = tree_of(b, s);
    layer_ref_clear(&l);
}

/* The layer applied by bsdtar, whiteouts by the shell, to what bsdtar unpacked of the base. */
static char *applied(const struct layer_ref *base, const char *blob)
{
    RUN("cd %s; rm -rf applied; mkdir applied; bsdtar -C applied -xpf remote/%s", tap_dir(),
        digest_hex(&base->blob.digest).s);
    RUN("cd %s/applied; bsdtar -tf %s | while read -r p; do n=${p##*/}; d=${p%%\"$n\"}; "
        "case $n in .wh.*) rm -rf \"./$d${n#.wh.}\";; "
        "'') q=${p%%/}; [ -h \"$q\" ] && rm \"$q\"; [ ! -e \"$q\" ] || [ -d \"$q\" ] || rm "
        "\"$q\";; "
        "*) rm -rf \"./$p\";; esac; done; bsdtar -xpf %s --exclude '.wh.*'",
        tap_dir(), blob, blob);
    AUTO_FREE char *path = xasprintf("%s/applied", tap_dir());
    return tree(path);
}

/* The rows name what a step changed; a layer names the folders on the way to that as well. */
static char *with_parents(const char *names)
{
    struct buf out;
    AUTO_FREE char *told = xstrdup("\n");
    struct span rest = span_of(names);
    buf_init(&out, 1 << 20);
    while (rest.ptr && rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        for (size_t i = 0; i + 1 < line.len; i++) {
            AUTO_FREE char *parent = xasprintf("\n%.*s\n", (int)i + 1, line.ptr);
            if (line.ptr[i] != '/' || strstr(told, parent))
                continue;
            buf_printf(&out, "%s", parent + 1);
            AUTO_FREE char *before = STEAL(told);
            told = xasprintf("%s%s", before, parent + 1);
        }
        buf_printf(&out, "%.*s\n", SPAN_ARG(line));
        AUTO_FREE char *before = STEAL(told);
        told = xasprintf("%s%.*s\n", before, SPAN_ARG(line));
    }
    return out.data ? buf_take(&out) : xstrdup("");
}

static void run_row(struct bench *overlay, struct bench *directory, const struct layer_ref *base,
                    const struct step_row *row, bool has_witness)
{
    struct done_step o = { 0 }, d = { 0 };
    do_step(overlay, base, row->script, &o);
    do_step(directory, base, row->script, &d);
    if (!o.names || !d.names) {
        tap_fail(__FILE__, __LINE__, "%s: no layer", row->sentence);
    } else {
        if (!digest_equal(&o.digest, &d.digest))
            tap_fail(__FILE__, __LINE__, "%s: overlay gives\n%s\ndirectory gives\n%s",
                     row->sentence, o.names, d.names);
        AUTO_FREE char *want = row->names ? with_parents(row->names) : NULL;
        if (want && strcmp(want, o.names) != 0)
            tap_fail(__FILE__, __LINE__, "%s: the layer is\n%s\nexpected\n%s", row->sentence,
                     o.names, want);
        AUTO_FREE char *after = has_witness ? applied(base, o.blob) : NULL;
        if (after && strcmp(after, o.tree) != 0 && !strstr(row->sentence, "socket"))
            tap_fail(__FILE__, __LINE__, "%s: bsdtar makes of the layer\n%s\nthe step left\n%s",
                     row->sentence, after, o.tree);
    }
    done_step_clear(&o);
    done_step_clear(&d);
}

static bool steps_have_witness;

static bool is_possible(const struct step_row *row)
{
    for (size_t i = 0; i < sizeof steps_lack / sizeof *steps_lack; i++)
        if (steps_lack[i] && strstr(row->script, steps_lack[i]))
            return false;
    return true;
}

static void run_rows(void)
{
    struct bench overlay, directory;
    if (!bench_open(&overlay, "overlay") || !bench_open(&directory, "directory"))
        return;
    struct layer_ref base = make_layer(base_script, NULL, "cat");
    for (size_t i = 0; i < sizeof step_rows / sizeof *step_rows; i++)
        if (is_possible(&step_rows[i]))
            run_row(&overlay, &directory, &base, &step_rows[i], steps_have_witness);
    layer_ref_clear(&base);
    bench_close(&overlay);
    bench_close(&directory);
}

TEST("a step's layer is the same with both drivers, and leads to the tree that the step left")
{
    run_rows();
}

/* A row of steps: each driver goes on from its own state; then from the blobs alone. */
static const char *const walk_scripts[] = {
    "echo a >etc/a; ln etc/a etc/b; mkdir n; echo 1 >n/1; mkfifo n/p",
    "echo more >>etc/a; rm n/1; chmod 4711 usr/bin/tool",
    "mv n m; rm -r dir; ln etc/b etc/c; echo one >etc/one",
    ("touch -d @1700000000 etc/c; mkdir dir; echo d >dir/d; rm etc/two; mkdir etc/two; "
     "cd etc/two; echo 3 >3"),
    ":",
    "rm -r etc/two; echo two >etc/two; echo s >>dir/d; truncate -s 100 etc/one",
};
enum { N_WALK = sizeof walk_scripts / sizeof *walk_scripts };

static void walk_steps(struct bench *b, const struct layer_ref *base, struct layer_ref *out,
                       char **last_tree)
{
    AUTO(snapshot_unref) struct snapshot *s = chain(b, base, 1);
    for (int i = 0; i < N_WALK; i++) {
        struct snapshot *next = timed_step(b, s, walk_scripts[i]);
        snapshot_unref(STEAL(s));
        s = next;
        if (!s)
            return;
        out[i] = seal(b, s, COMPRESSION_GZIP);
    }
    *last_tree = tree_of(b, s);
}

static void walk_both(void)
{
    struct bench o, d;
    if (!bench_open(&o, "overlay") || !bench_open(&d, "directory"))
        return;
    struct layer_ref base = make_layer(base_script, NULL, "gzip -n");
    struct layer_ref ol[N_WALK + 1] = { 0 }, dl[N_WALK] = { 0 };
    AUTO_FREE char *o_tree = NULL;
    AUTO_FREE char *d_tree = NULL;
    AUTO_FREE char *tree_of_blobs = NULL;
    layer_ref_copy(&ol[0], &base);
    walk_steps(&o, &base, ol + 1, &o_tree);
    walk_steps(&d, &base, dl, &d_tree);
    for (int i = 0; i < N_WALK; i++)
        EXPECT_STR(digest_text(&ol[i + 1].blob.digest).s, digest_text(&dl[i].blob.digest).s);
    EXPECT_STR(d_tree, o_tree);
    /* The same layers as those of an image. */
    struct snapshot *image = chain(&d, ol, N_WALK + 1);
    for (int i = 0; i < N_WALK; i++)
        RUN("cp %s/blobs/sha256/%s %s/remote/", store_path(o.store),
            digest_hex(&ol[i + 1].blob.digest).s, tap_dir());
    tree_of_blobs = tree_of(&d, image);
    EXPECT_STR(tree_of_blobs, o_tree);
    snapshot_unref(image);
    for (int i = 0; i <= N_WALK; i++)
        layer_ref_clear(&ol[i]);
    for (int i = 0; i < N_WALK; i++)
        layer_ref_clear(&dl[i]);
    layer_ref_clear(&base);
    bench_close(&o);
    bench_close(&d);
}

TEST("a row of steps gives the same layers with both drivers, and the blobs give the same tree")
{
    walk_both();
}
