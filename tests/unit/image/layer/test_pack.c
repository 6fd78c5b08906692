#include "fixture.h"
#include "image/layer/pack.h"

/* ---- helpers ---- */

static struct change_list *changes_of(const char *lines)
{
    struct change_list *l = change_list_new();
    for (struct span rest = span_of(lines); rest.len > 0;) {
        AUTO_FREE char *line = span_dup(span_cut(&rest, '\n'));
        if (*line)
            change_list_add(l, line + 1,
                            *line == '-'   ? CHANGE_DELETE
                            : *line == '+' ? CHANGE_ADD
                                           : CHANGE_MODIFY);
    }
    change_list_sort(l);
    return l;
}

static void add_tree(struct change_list *l, int fd, const char *path)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    struct err err = { 0 };
    if (fs_list(fd, *path ? path : ".", &names, &err))
        abort();
    vec_each (&names, name) {
        AUTO_FREE char *at = xasprintf("%s%s%s", path, *path ? "/" : "", *name);
        struct stat st;
        change_list_add(l, at, CHANGE_ADD);
        if (fstatat(fd, at, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
            add_tree(l, fd, at);
    }
}

/* All of a tree. */
static struct change_list *all_of(int fd)
{
    struct change_list *l = change_list_new();
    add_tree(l, fd, "");
    return l;
}

static int pack_to(int root, const struct change_list *l, const struct layer_pack_options *o,
                   struct buf *b, struct err *err)
{
    buf_init(b, (size_t)(64 * MIB));
    AUTO(writer_close) struct writer *w = writer_to_buf(b);
    return layer_pack(root, l, o, w, err);
}

static void apply(const char *lines, int root)
{
    struct err err = { 0 };
    struct layer_apply_options options = { .form = LAYER_MERGED };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    AUTO_VALUE(buf_clear) struct buf tar = layer_of(lines);
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&tar));
    EXPECT_OK(layer_apply(r, root, &options, &out, &err), &err);
}

/* ---- cases ---- */

static const char lines[] = "folder d 1777 33:44\n"
                            "file d/cap 755 0:0 = program\n"
                            "char d/dev 666 0:5 5:1\n"
                            "file d/f 4755 1000:2000 = content\n"
                            "fifo d/fifo 640 0:0\n"
                            "link d/g 4755 1000:2000 -> d/f\n"
                            "file e.txt 0 0:0\n"
                            "symlink s 777 0:0 -> /d/f\n";

static void round_trip(void)
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    AUTO_VALUE(buf_clear) struct buf want = layer_of(lines), got = { 0 };
    apply(lines, root);
    AUTO(change_list_free) struct change_list *l = all_of(root);
    REQUIRE_OK(pack_to(root, l, NULL, &got, &err), &err);
    EXPECT(span_equal(buf_span(&got), buf_span(&want)));
}

TEST("a tree made of a layer gives that layer, byte for byte")
{
    if (geteuid() != 0)
        SKIP("needs root");
    round_trip();
}

TEST("and so it does in a user namespace with one id")
{
    as(ONE_ID, round_trip);
}

TEST("and for an ordinary user")
{
    as(NOBODY, round_trip);
}

TEST("and for root without capabilities")
{
    as(BARE_ROOT, round_trip);
}

TEST("a change list becomes whiteouts and entries in its order, each behind the folders it lies in")
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    apply("folder d 1777 0:0\nfile d/new 644 0:0\nfile z 644 0:0\nfolder quiet 755 0:0\n"
          "folder quiet/in 700 0:0\nfile quiet/in/f 644 0:0\nfolder quiet/on 750 0:0\n",
          root);
    AUTO(change_list_free)
    struct change_list *l =
        changes_of("-d/gone\n+d/new\n-a\n*z\n+quiet/in/f\n-quiet/in/x\n-quiet/on/y\n");
    AUTO_VALUE(buf_clear) struct buf got = { 0 };
    struct layer_pack_options options = { .tar = { .has_epoch = true, .epoch = 5 } };
    REQUIRE_OK(pack_to(root, l, &options, &got, &err), &err);
    put_file("t.tar", buf_span(&got));
    AUTO_FREE char *list =
        shell(NULL, "TZ=UTC tar --numeric-owner --full-time -tvf t.tar | tr -s ' '");
    EXPECT_STR(list, "---------- 0/0 0 1970-01-01 00:00:05 .wh.a\n"
                     "drwxrwxrwt 0/0 0 1970-01-01 00:00:05 d/\n"
                     "---------- 0/0 0 1970-01-01 00:00:05 d/.wh.gone\n"
                     "-rw-r--r-- 0/0 0 1970-01-01 00:00:05 d/new\n"
                     "drwxr-xr-x 0/0 0 1970-01-01 00:00:05 quiet/\n"
                     "drwx------ 0/0 0 1970-01-01 00:00:05 quiet/in/\n"
                     "-rw-r--r-- 0/0 0 1970-01-01 00:00:05 quiet/in/f\n"
                     "---------- 0/0 0 1970-01-01 00:00:05 quiet/in/.wh.x\n"
                     "drwxr-x--- 0/0 0 1970-01-01 00:00:05 quiet/on/\n"
                     "---------- 0/0 0 1970-01-01 00:00:05 quiet/on/.wh.y\n"
                     "-rw-r--r-- 0/0 0 1970-01-01 00:00:05 z\n");
}

TEST("of several names the first in the list is the file, the others link to it")
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    apply("file a 644 0:0 = x\nlink b 644 0:0 -> a\nlink c 644 0:0 -> a\nsymlink s 777 0:0 -> "
          "q\nlink t 777 0:0 -> s\n",
          root);
    AUTO(change_list_free) struct change_list *l = changes_of("+b\n+c\n+s\n+t\n");
    AUTO_VALUE(buf_clear)
    struct buf got = { 0 },
               want = layer_of("file b 644 0:0 = x\nlink c 644 0:0 -> b\nsymlink s 777 0:0 -> "
                               "q\nlink t 777 0:0 -> s\n");
    REQUIRE_OK(pack_to(root, l, NULL, &got, &err), &err);
    EXPECT(span_equal(buf_span(&got), buf_span(&want)));
}

TEST("security.capability enters a layer, user attributes and sockets do not")
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    if (!has_program("setcap") || !has_program("python3") || geteuid() != 0)
        SKIP("needs setcap, python3 and root");
    bool works =
        shell_works("cd root && cp /bin/true cap && setcap cap_net_raw+ep cap && cp cap note && "
                    "touch -d @0 cap note &&"
                    " python3 -c 'import os, socket; os.setxattr(\"note\", \"user.x\", b\"y\");"
                    " socket.socket(socket.AF_UNIX).bind(\"socket\")'");
    REQUIRE(works);
    AUTO(change_list_free) struct change_list *l = all_of(root);
    AUTO_VALUE(buf_clear) struct buf got = { 0 };
    REQUIRE_OK(pack_to(root, l, NULL, &got, &err), &err);
    put_file("t.tar", buf_span(&got));
    AUTO_FREE char *list =
        shell(NULL, "mkdir o && bsdtar -C o -xpf t.tar && cd o && ls && getcap * && python3 -c "
                    "'import os; print(os.listxattr(\"note\"))'");
    EXPECT_STR(list, "cap\nnote\ncap cap_net_raw=ep\n[]\n");
}

TEST("what umoci packs of the same tree is the same, byte for byte")
{
    struct err err = { 0 };
    if (!has_program("umoci") || !has_program("setcap") || geteuid() != 0)
        SKIP("needs umoci, setcap and root");
    bool works = shell_works(
        "set -e; umoci init --layout i; umoci new --image i:a; umoci unpack --image i:a b; "
        "cd b/rootfs\n"
        "mkdir -p etc usr/share/doc/$(printf 'x%.0s' $(seq 90))/$(printf 'y%.0s' $(seq "
        "90)); echo a > etc/a\n"
        "cp etc/a $(echo usr/share/doc/x*/y*)/file; echo b > zz; ln -s ../etc/a usr/link; ln "
        "etc/a usr/hard; mkfifo fifo\n"
        "cp /bin/true cap; chown 5:6 cap; chmod 2755 cap; setcap cap_chown+ep cap; head -c "
        "300000 /dev/zero > zero\n"
        "echo \u00fc > usr/\u00fc; find . -exec touch -hd @1700000000 {} +; cd ../..; umoci repack "
        "--image i:a b\n"
        "for f in i/blobs/sha256/*; do zcat $f > go.tar 2>/dev/null && break; done");
    REQUIRE(works);
    AUTO_FREE char *path = xasprintf("%s/go.tar", tap_dir());
    AUTO_FREE char *tree = xasprintf("%s/b/rootfs", tap_dir());
    AUTO_VALUE(buf_clear) struct buf want = { 0 }, got = { 0 };
    buf_init(&want, (size_t)(16 * MIB));
    REQUIRE_OK(fs_read_file(AT_FDCWD, path, &want, &err), &err);
    AUTO_FD int root = open(tree, O_RDONLY | O_DIRECTORY);
    AUTO(change_list_free) struct change_list *l = all_of(root);
    REQUIRE_OK(pack_to(root, l, NULL, &got, &err), &err);
    /* umoci's layer begins with the root; it sorts whole paths as bytes and rounds times, which
     * does not show here. */
    EXPECT(span_equal(span_skip(buf_span(&want), 512), buf_span(&got)));
}

TEST("umoci unpacks a layer of ours, whiteouts included")
{
    struct err err = { 0 };
    if (!has_program("umoci") || !has_program("setcap") || geteuid() != 0)
        SKIP("needs umoci, setcap and root");
    AUTO_FD int root = folder("root");
    apply("folder d 755 0:0\nfile d/a 644 1:2 = a\nfile d/b 644 0:0 = b\nfile c 4755 0:0 = c\n",
          root);
    AUTO(change_list_free) struct change_list *first = all_of(root);
    AUTO_VALUE(buf_clear) struct buf one = { 0 }, two = { 0 };
    REQUIRE_OK(pack_to(root, first, NULL, &one, &err), &err);
    apply("file d/.wh.a 644 0:0\nfile .wh.c 644 0:0\nfile n 600 3:3 = n\n", root);
    AUTO(change_list_free) struct change_list *second = changes_of("-c\n-d/a\n+n\n");
    REQUIRE_OK(pack_to(root, second, NULL, &two, &err), &err);
    put_file("1.tar", buf_span(&one));
    put_file("2.tar", buf_span(&two));
    bool works = shell_works(
        "umoci init --layout i && umoci new --image i:a && umoci raw add-layer --image i:a "
        "1.tar &&"
        " umoci raw add-layer --image i:a 2.tar && umoci raw unpack --image i:a out");
    REQUIRE(works);
    AUTO_FD int out = folder("out");
    AUTO_FREE char *got = tree_of(out), *want = tree_of(root);
    EXPECT_STR(got, want);
}

TEST("a path that is not there is named")
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    AUTO(change_list_free) struct change_list *l = changes_of("+d/f\n"), *top = changes_of("+f\n");
    AUTO_VALUE(buf_clear) struct buf b = { 0 }, c = { 0 };
    EXPECT_ERR(pack_to(root, l, NULL, &b, &err), &err, ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "pack d/f: ");
    EXPECT_ERR(pack_to(root, top, NULL, &c, &err), &err, ERR_NOT_FOUND);
}

/* A sink that changes the file which is being packed. */
struct meddler {
    struct writer base;
    const char *path;
    off_t size;
};

static int meddle(struct writer *w, struct span bytes, struct err *err)
{
    struct meddler *m = (struct meddler *)w;
    (void)bytes, (void)err;
    return truncate(m->path, m->size);
}

static const struct writer_ops meddler_ops = { .write = meddle };

TEST("a file that shrinks or grows while it is read is an error that names it")
{
    AUTO_FD int root = folder("root");
    AUTO_FREE char *path = xasprintf("%s/root/big", tap_dir());
    AUTO(change_list_free) struct change_list *l = changes_of("+big\n");
    for (off_t size = 100; size < 4000000; size += 3000000) {
        struct err err = { 0 };
        put_file("root/big", SPAN(""));
        REQUIRE(truncate(path, 1000000) == 0);
        struct meddler m = { .base.ops = &meddler_ops, .path = path, .size = size };
        EXPECT_ERR(layer_pack(root, l, NULL, &m.base, &err), &err, ERR_CORRUPT);
        EXPECT_CONTAINS(err.text, "read big: its size changed meanwhile");
    }
}

TEST("a canceled pack stops, and a failing sink is the failure")
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    put_file("root/f", SPAN("x"));
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    AUTO(change_list_free) struct change_list *l = changes_of("+f\n");
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    struct layer_pack_options options = { .cancel = cancel };
    cancel_fire(cancel);
    EXPECT_ERR(pack_to(root, l, &options, &b, &err), &err, ERR_CANCELED);
    AUTO_FD int full = open("/dev/full", O_WRONLY);
    AUTO(writer_close) struct writer *w = writer_to_fd(full, false);
    EXPECT_ERR(layer_pack(root, l, NULL, w, &err), &err, ERR_SYSTEM);
}

TAP_MAIN()
