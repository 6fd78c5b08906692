#include "fixture.h"
#include "image/layer/rewrite.h"

static struct buf archive_of(const struct tar_entry *entries, size_t n,
                             const struct tar_writer_options *options)
{
    struct buf b;
    struct err err = { 0 };
    buf_init(&b, (size_t)MIB);
    AUTO(writer_close) struct writer *w = writer_to_buf(&b);
    AUTO(tar_writer_free) struct tar_writer *t = tar_writer_new(w, options);
    for (size_t i = 0; i < n; i++)
        EXPECT_OK(tar_writer_entry(t, &entries[i], &err), &err);
    EXPECT_OK(tar_writer_finish(t, &err), &err);
    return b;
}

static char long_name[121];

static struct tar_entry long_entry(void)
{
    memset(long_name, 'n', sizeof long_name - 1);
    return blank_entry(TAR_FILE, long_name);
}

TEST("what fits is one ustar header, and the archive ends with two zero blocks")
{
    struct tar_entry e = blank_entry(TAR_FOLDER, "d");
    e.mode = 01777;
    e.uid = 07777777;
    AUTO_VALUE(buf_clear) struct buf got = archive_of(&e, 1, NULL);
    EXPECT_INT(got.len, 3 * 512);
    static const char want[] = "d/"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "0001777\0"
                               "7777777\0"
                               "0000000\0"
                               "00000000000\0"
                               "14524770400\0";
    EXPECT(got.len > 257 && memcmp(got.data, want, 148) == 0);
    EXPECT(memcmp(got.data + 148 + 6, "\0 5", 3) == 0);
    EXPECT(memcmp(got.data + 257, "ustar\00000", 8) == 0);
    EXPECT(memcmp(got.data + 329,
                  "0000000\0"
                  "0000000",
                  16) == 0);
}

TEST("a PAX header has only the records needed, sorted, and Go's name")
{
    struct tar_xattr xattrs[] = { { "security.capability", SPAN("a\0b") } };
    struct tar_entry e = long_entry();
    e.uid = 1 << 21;
    e.xattrs = xattrs;
    e.n_xattrs = 1;
    AUTO_VALUE(buf_clear) struct buf got = archive_of(&e, 1, NULL);
    AUTO_FREE char *want = xasprintf("130 path=%s\n15 uid=2097152\n", long_name);
    EXPECT(strncmp(got.data, "PaxHeaders.0/nnnnn", 18) == 0);
    EXPECT(got.data[156] == 'x');
    EXPECT(memcmp(got.data + 512, "40 SCHILY.xattr.security.capability=a\0b\n", 40) == 0);
    EXPECT(strncmp(got.data + 512 + 40, want, strlen(want)) == 0);
    EXPECT(got.data[512 + 40 + strlen(want)] == '\0');
    EXPECT_INT(got.len, 5 * 512);
}

TEST("times: whole seconds, nanoseconds when asked, before 1970, held at the epoch")
{
    static const struct {
        struct tar_writer_options options;
        struct timespec mtime;
        const char *want; /* the record; NULL: none */
    } rows[] = {
        { { 0 }, { THEN, 5 }, NULL },
        { { .keeps_ns = true }, { THEN, 500000000 }, "22 mtime=1700000000.5\n" },
        { { .keeps_ns = true }, { -2, 500000000 }, "14 mtime=-1.5\n" },
        { { 0 }, { -1, 0 }, "12 mtime=-1\n" },
        { { .keeps_ns = true, .has_epoch = true, .epoch = 5 }, { THEN, 1 }, NULL },
        { { .keeps_ns = true, .has_epoch = true, .epoch = THEN }, { THEN, 1 }, NULL },
        { { .keeps_ns = true, .has_epoch = true, .epoch = THEN },
          { 7, 1 },
          "21 mtime=7.000000001\n" },
        { { 0 }, { (time_t)1 << 33, 0 }, "20 mtime=8589934592\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tar_entry e = blank_entry(TAR_FILE, "f");
        e.mtime = rows[i].mtime;
        AUTO_VALUE(buf_clear) struct buf got = archive_of(&e, 1, &rows[i].options);
        EXPECT(got.len >= 512 && (got.data[156] == 'x') == (rows[i].want != NULL));
        if (rows[i].want)
            EXPECT_STR(got.data + 512, rows[i].want);
    }
}

TEST("a long path is split at a slash where nothing else needs PAX")
{
    char path[201];
    memset(path, 'p', sizeof path - 1);
    path[200] = '\0';
    path[120] = '/';
    struct tar_entry e = blank_entry(TAR_FILE, path);
    AUTO_VALUE(buf_clear) struct buf split = archive_of(&e, 1, NULL);
    EXPECT(split.data[156] == '0');
    EXPECT(strncmp(split.data + 345, path, 120) == 0 && split.data[345 + 120] == '\0');
    EXPECT_STR(split.data, path + 121);
    e.gid = 1 << 30;
    AUTO_VALUE(buf_clear) struct buf whole = archive_of(&e, 1, NULL);
    EXPECT(whole.data[156] == 'x');
    EXPECT_CONTAINS(whole.data + 512 + 19, path);
}

TEST("what cannot be written is refused")
{
    struct err err = { 0 };
    struct tar_xattr bad = { "user.a=b", SPAN("") };
    struct tar_entry e = blank_entry(TAR_FILE, "f"), absurd = e, odd = e;
    e.size = 3;
    absurd.size = UINT64_MAX;
    odd.xattrs = &bad;
    odd.n_xattrs = 1;
    AUTO(writer_close) struct writer *w = writer_discard();
    AUTO(tar_writer_free) struct tar_writer *t = tar_writer_new(w, NULL);
    EXPECT_ERR(tar_writer_entry(t, &absurd, &err), &err, ERR_INVALID);
    EXPECT_ERR(tar_writer_entry(t, &odd, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "user.a=b: no name for a PAX record");
    EXPECT_OK(tar_writer_entry(t, &e, &err), &err);
    EXPECT_ERR(tar_writer_write(t, SPAN("four"), &err), &err, ERR_INVALID);
    EXPECT_OK(tar_writer_write(t, SPAN("tw"), &err), &err);
    EXPECT_ERR(tar_writer_entry(t, &e, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "f: 1 bytes of content missing");
    EXPECT_ERR(tar_writer_finish(t, &err), &err, ERR_INVALID);
}

TEST("bsdtar, tar and python list what was written")
{
    if (!has_program("bsdtar") || !has_program("python3"))
        SKIP("needs bsdtar and python3");
    AUTO_VALUE(buf_clear)
    struct buf b = layer_of("folder d 755 1:2\n"
                            "file d/f 4755 3000000:7 = content\n"
                            "symlink s 777 0:0 -> d/f\n"
                            "link l 4755 3000000:7 -> d/f\n"
                            "char c 666 0:0 1:3\n"
                            "fifo p 600 0:0\n"
                            "file na\u00efve 644 0:0 = utf-8\n");
    put_file("t.tar", buf_span(&b));
    AUTO_FREE char *bsd =
        shell(NULL, "LC_ALL=C.UTF-8 bsdtar --numeric-owner -tvf t.tar | tr -s ' '");
    EXPECT_STR(bsd, "drwxr-xr-x 0 1 2 0 Nov 14 2023 d/\n"
                    "-rwsr-xr-x 0 3000000 7 7 Nov 14 2023 d/f\n"
                    "lrwxrwxrwx 0 0 0 0 Nov 14 2023 s -> d/f\n"
                    "hrwsr-xr-x 0 3000000 7 0 Nov 14 2023 l link to d/f\n"
                    "crw-rw-rw- 0 0 0 1,3 Nov 14 2023 c\n"
                    "prw------- 0 0 0 0 Nov 14 2023 p\n"
                    "-rw-r--r-- 0 0 0 5 Nov 14 2023 na\u00efve\n");
    AUTO_FREE char *gnu = shell(NULL, "tar -xOf t.tar na\u00efve d/f");
    EXPECT_STR(gnu, "contentutf-8");
    AUTO_FREE char *python = shell(
        NULL,
        "python3 -c 'import tarfile\nfor m in tarfile.open(\"t.tar\"): print(m.name, m.uid)'");
    EXPECT_STR(python, "d 1\nd/f 3000000\ns 0\nl 3000000\nc 0\np 0\nna\u00efve 0\n");
}

/* ---- rewriting ---- */

static struct buf rewritten(struct span tar, const struct tar_writer_options *options)
{
    struct buf b;
    struct err err = { 0 };
    buf_init(&b, (size_t)(16 * MIB));
    AUTO(reader_close) struct reader *r = reader_of_span(tar);
    AUTO(writer_close) struct writer *w = writer_to_buf(&b);
    EXPECT_OK(layer_rewrite(r, options, NULL, w, &err), &err);
    return b;
}

TEST("a rewritten archive has the same entries, later times held at the epoch")
{
    if (!has_program("bsdtar"))
        SKIP("needs bsdtar");
    AUTO_VALUE(buf_clear) struct buf before = fixture("python-pax.tar");
    struct tar_writer_options at_epoch = { .has_epoch = true, .epoch = 1000000000 };
    AUTO_VALUE(buf_clear) struct buf after = rewritten(buf_span(&before), &at_epoch);
    put_file("before.tar", buf_span(&before));
    put_file("after.tar", buf_span(&after));
    AUTO_FREE char *want = shell(NULL, "bsdtar -cf - --format mtree --options sha256 @before.tar | "
                                       "sed 's/time=[0-9.]*/time=1000000000.0/'");
    AUTO_FREE char *got = shell(NULL, "bsdtar -cf - --format mtree --options sha256 @after.tar");
    EXPECT_STR(got, want);
}

TEST("rewriting twice changes nothing more, and sparse files keep their content")
{
    AUTO_VALUE(buf_clear) struct buf before = fixture("sparse-gnu.tar");
    AUTO_VALUE(buf_clear) struct buf once = rewritten(buf_span(&before), NULL);
    AUTO_VALUE(buf_clear) struct buf twice = rewritten(buf_span(&once), NULL);
    EXPECT(span_equal(buf_span(&once), buf_span(&twice)));
    put_file("before.tar", buf_span(&before));
    put_file("after.tar", buf_span(&once));
    AUTO_FREE char *want = shell(NULL, "tar -xOf before.tar | sha256sum");
    AUTO_FREE char *got = shell(NULL, "tar -xOf after.tar | sha256sum");
    EXPECT_STR(got, want);
}

TEST("a layer that Go wrote is rewritten byte for byte")
{
    if (!has_program("umoci") || !has_program("setcap") || geteuid() != 0)
        SKIP("needs umoci, setcap and root");
    bool works = shell_works(
        "set -e; umoci init --layout i; umoci new --image i:a; umoci unpack --image i:a b\n"
        "cd b/rootfs; n=$(printf 'x%.0s' $(seq 90)); mkdir -p $n/$n/sub na\u00efve; echo hi > "
        "$n/$n/sub/f\n"
        "echo 1 > $n/short; chown 3000000:4000000 $n/short; ln -s /$n/$n/$n far; ln -s \u00e9 "
        "na\u00efve/s\n"
        "cp /bin/true cap; setcap cap_net_raw+ep cap; ln cap link; mkfifo fifo; touch -d @-5 old\n"
        "touch $n/$(printf 'y%%.0s' $(seq 99)) $n/$(printf 'z%%.0s' $(seq 101)); mkdir $(printf "
        "'d%%.0s' $(seq 99))\n"
        "cd ../..; umoci repack --image i:a b\n"
        "for f in i/blobs/sha256/*; do zcat $f > go.tar 2>/dev/null && break; done");
    REQUIRE(works);
    AUTO_VALUE(buf_clear) struct buf before = { 0 };
    struct err err = { 0 };
    buf_init(&before, (size_t)(16 * MIB));
    AUTO_FREE char *path = xasprintf("%s/go.tar", tap_dir());
    REQUIRE_OK(fs_read_file(AT_FDCWD, path, &before, &err), &err);
    AUTO_VALUE(buf_clear) struct buf after = rewritten(buf_span(&before), NULL);
    /* The first header is the root, which umoci calls "." and we "./". */
    EXPECT(before.len > 10000);
    EXPECT(span_equal(span_skip(buf_span(&before), 512), span_skip(buf_span(&after), 512)));
}

TAP_MAIN()
