/* Layers of which single files can be read, as tests/harness/estargz-read reads them: footer, table
 * and chunks by their ranges, then the whole as any tar.gz. */
#include "fixture.h"
#include "image/layer/estargz.h"
#include "image/layer/rewrite.h"

struct made {
    struct buf blob;
    struct digest diff_id, toc;
    uint64_t size;
};

static void made_clear(struct made *m)
{
    buf_clear(&m->blob);
}

/* Of an archive, in pieces of `step` bytes to the writer. */
static int make(struct span tar, int level, struct pool *pool, const struct tar_writer_options *o,
                struct made *out, struct err *err)
{
    *out = (struct made){ 0 };
    buf_init(&out->blob, (size_t)(64 * MIB));
    AUTO(writer_close) struct writer *sink = writer_to_buf(&out->blob);
    AUTO(estargz_free) struct estargz *z = estargz_new(sink, level, pool);
    AUTO(writer_close) struct writer *hashed = writer_hashing(estargz_writer(z), DIGEST_SHA256);
    AUTO(reader_close) struct reader *from = reader_of_span(tar);
    struct tar_writer_options options = o ? *o : (struct tar_writer_options){ 0 };
    options.watch = estargz_watch(z);
    if (layer_repack(from, &options, NULL, hashed, err) || writer_finish(estargz_writer(z), err))
        return -1;
    out->diff_id = writer_hashing_digest(hashed);
    out->toc = estargz_toc_digest(z);
    out->size = estargz_size(z);
    return 0;
}

/* What the reader says; it is a failure of the case when it says no. */
static char *read_lazily(const struct made *m)
{
    int status;
    put_file("blob", buf_span(&m->blob));
    char *said = shell(&status, "%s/../harness/estargz-read blob %s %" PRIu64 " 2>&1",
                       getenv("KILN_FIXTURES"), digest_text(&m->toc).s, m->size);
    if (status)
        tap_fail(__FILE__, __LINE__, "%s", said);
    return said;
}

static const char lines[] = "folder d 1777 33:44\n"
                            "file d/cap 755 0:0 = program\n"
                            "char d/dev 666 0:5 5:1\n"
                            "file d/f 4755 1000:2000 = content\n"
                            "fifo d/fifo 640 0:0\n"
                            "link d/g 4755 1000:2000 -> d/f\n"
                            "file e.txt 0 0:0\n"
                            "symlink s 777 0:0 -> /d/f\n";

TEST("every kind of entry is in the table, and every file is read by its range alone")
{
    struct err err = { 0 };
    if (!has_program("python3"))
        SKIP("needs python3");
    AUTO_VALUE(buf_clear) struct buf tar = layer_of(lines);
    AUTO_VALUE(made_clear) struct made m = { 0 };
    REQUIRE_OK(make(buf_span(&tar), -1, NULL, NULL, &m, &err), &err);
    AUTO_FREE char *got = read_lazily(&m);
    EXPECT_STR(got, "reg .no.prefetch.landmark - 1  \n"
                    "dir d/ 2023-11-14T22:13:20Z 0  \n"
                    "reg d/cap 2023-11-14T22:13:20Z 1  \n"
                    "char d/dev 2023-11-14T22:13:20Z 0  \n"
                    "reg d/f 2023-11-14T22:13:20Z 1  \n"
                    "fifo d/fifo 2023-11-14T22:13:20Z 0  \n"
                    "hardlink d/g 2023-11-14T22:13:20Z 0 d/f \n"
                    "reg e.txt 2023-11-14T22:13:20Z 0  \n"
                    "symlink s 2023-11-14T22:13:20Z 0 /d/f \n");
}

TEST("extended attributes are there byte by byte")
{
    struct err err = { 0 };
    if (!has_program("python3"))
        SKIP("needs python3");
    struct buf tar;
    buf_init(&tar, (size_t)MIB);
    AUTO(writer_close) struct writer *to = writer_to_buf(&tar);
    AUTO(tar_writer_free) struct tar_writer *t = tar_writer_new(to, NULL);
    static const struct tar_xattr xattrs[] = {
        { .name = "security.capability",
          .value = { "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20 } },
        { .name = "user.a", .value = { "", 0 } },
        { .name = "user.b", .value = { "\xff\xfe", 2 } },
    };
    struct tar_entry e = { .type = TAR_FILE,
                           .path = "ping",
                           .link = "",
                           .size = 1,
                           .mode = 0755,
                           .user_name = "",
                           .group_name = "",
                           .xattrs = xattrs,
                           .n_xattrs = 3 };
    EXPECT_OK(tar_writer_entry(t, &e, &err), &err);
    EXPECT_OK(tar_writer_write(t, SPAN("x"), &err), &err);
    EXPECT_OK(tar_writer_finish(t, &err), &err);
    AUTO_VALUE(made_clear) struct made m = { 0 };
    REQUIRE_OK(make(buf_span(&tar), -1, NULL, NULL, &m, &err), &err);
    buf_clear(&tar);
    AUTO_FREE char *got = read_lazily(&m);
    EXPECT_CONTAINS(got, "reg ping - 1  security.capability,user.a,user.b\n");
}

TEST("for everybody else it is a gzipped tar, whose diffID is of all that is in it")
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf tar = layer_of(lines);
    AUTO_VALUE(made_clear) struct made m = { 0 };
    REQUIRE_OK(make(buf_span(&tar), -1, NULL, NULL, &m, &err), &err);
    put_file("blob", buf_span(&m.blob));
    AUTO_FREE char *got = shell(NULL, "gzip -t blob && gunzip <blob | tee plain | sha256sum | "
                                      "cut -c-64; stat -c %%s plain; tar -tf plain | wc -l");
    AUTO_FREE char *want = xasprintf("%s\n%" PRIu64 "\n10\n", digest_hex(&m.diff_id).s, m.size);
    EXPECT_STR(got, want);
}

/* An archive of `n` files of the sizes that size_of() gives. */
static struct buf files_of(size_t n, size_t (*size_of)(size_t i))
{
    struct buf b;
    struct err err = { 0 };
    uint32_t random = 1;
    buf_init(&b, (size_t)(64 * MIB));
    AUTO(writer_close) struct writer *to = writer_to_buf(&b);
    AUTO(tar_writer_free) struct tar_writer *t = tar_writer_new(to, NULL);
    for (size_t i = 0; i < n; i++) {
        AUTO_FREE char *path = xasprintf("file-%04zu", i);
        size_t size = size_of(i);
        AUTO_FREE char *content = xmalloc(size + 1);
        for (size_t k = 0; k < size; k++) /* half of it cannot be compressed */
            content[k] = (char)((random = random * 1103515245 + 12345) >> (i % 2 ? 16 : 29));
        struct tar_entry e = { .type = TAR_FILE,
                               .path = path,
                               .link = "",
                               .size = size,
                               .mode = 0644,
                               .user_name = "",
                               .group_name = "" };
        EXPECT_OK(tar_writer_entry(t, &e, &err), &err);
        EXPECT_OK(tar_writer_write(t, span_bytes(content, size), &err), &err);
    }
    EXPECT_OK(tar_writer_finish(t, &err), &err);
    return b;
}

static size_t around_chunks(size_t i)
{
    static const size_t sizes[] = { 0,       1,       511,     512,     4194303,
                                    4194304, 4194305, 8388608, 9000000, 524288 };
    return sizes[i];
}

TEST("large files are cut into chunks of 4 MiB")
{
    struct err err = { 0 };
    if (!has_program("python3"))
        SKIP("needs python3");
    AUTO_VALUE(buf_clear) struct buf tar = files_of(10, around_chunks);
    AUTO_VALUE(made_clear) struct made m = { 0 };
    AUTO(pool_free) struct pool *pool = pool_new(3);
    REQUIRE_OK(make(buf_span(&tar), 1, pool, NULL, &m, &err), &err);
    AUTO_FREE char *got = read_lazily(&m);
    AUTO_FREE char *counts =
        shell(NULL, "tail -n +2 <<'END' | cut -d' ' -f4 | tr '\\n' ' '\n%sEND", got);
    EXPECT_STR(counts, "0 1 1 1 1 1 2 2 3 1 ");
}

static size_t tiny(size_t i)
{
    return i % 7;
}

TEST("thousands of small files, and as many threads as may be, give the same bytes")
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf tar = files_of(3000, tiny);
    AUTO_VALUE(made_clear) struct made one = { 0 };
    REQUIRE_OK(make(buf_span(&tar), -1, NULL, NULL, &one, &err), &err);
    for (size_t n = 1; n <= 4; n++) {
        AUTO(pool_free) struct pool *pool = pool_new(n);
        AUTO_VALUE(made_clear) struct made other = { 0 };
        REQUIRE_OK(make(buf_span(&tar), -1, pool, NULL, &other, &err), &err);
        EXPECT(span_equal(buf_span(&one.blob), buf_span(&other.blob)));
    }
    if (has_program("python3"))
        free(read_lazily(&one));
}

TEST("the table has the times that the tar has")
{
    struct err err = { 0 };
    if (!has_program("python3"))
        SKIP("needs python3");
    AUTO_VALUE(buf_clear) struct buf tar = layer_of("file a 644 0:0 = x\n");
    AUTO_VALUE(made_clear) struct made m = { 0 };
    struct tar_writer_options o = { .has_epoch = true, .epoch = 1000000000 };
    REQUIRE_OK(make(buf_span(&tar), -1, NULL, &o, &m, &err), &err);
    AUTO_FREE char *got = read_lazily(&m);
    EXPECT_CONTAINS(got, "reg a 2001-09-09T01:46:40Z 1");
}

TEST("an empty layer has a landmark and a table")
{
    struct err err = { 0 };
    if (!has_program("python3"))
        SKIP("needs python3");
    AUTO_VALUE(buf_clear) struct buf tar = layer_of("");
    AUTO_VALUE(made_clear) struct made m = { 0 };
    REQUIRE_OK(make(buf_span(&tar), -1, NULL, NULL, &m, &err), &err);
    AUTO_FREE char *got = read_lazily(&m);
    EXPECT_STR(got, "reg .no.prefetch.landmark - 1  \n");
}

/* ---- a place to write to that is full after some bytes ---- */

struct full {
    struct writer base;
    size_t left;
};

static int full_write(struct writer *w, struct span bytes, struct err *err)
{
    struct full *f = (struct full *)w;
    if (bytes.len > f->left)
        return err_set(err, ERR_SYSTEM, "write: no space left on device");
    f->left -= bytes.len;
    return 0;
}

TEST("a full disk is told, wherever it comes")
{
    static const struct writer_ops ops = { .write = full_write };
    AUTO_VALUE(buf_clear) struct buf tar = layer_of(lines);
    AUTO_VALUE(made_clear) struct made whole = { 0 };
    struct err err = { 0 };
    REQUIRE_OK(make(buf_span(&tar), -1, NULL, NULL, &whole, &err), &err);
    for (size_t room = 0; room < whole.blob.len; room += 97) {
        struct full f = { .base.ops = &ops, .left = room };
        AUTO(estargz_free) struct estargz *z = estargz_new(&f.base, -1, NULL);
        AUTO(reader_close) struct reader *from = reader_of_span(buf_span(&tar));
        struct tar_writer_options o = { .watch = estargz_watch(z) };
        err_clear(&err);
        EXPECT(layer_repack(from, &o, NULL, estargz_writer(z), &err) ||
               writer_finish(estargz_writer(z), &err));
        EXPECT(err.kind == ERR_SYSTEM);
    }
}

TAP_MAIN()
