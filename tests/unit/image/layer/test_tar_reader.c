#include "base/codec/digest.h"
#include "fixture.h"

/* ---- listings ---- */

/* A line as tests/fixtures/layer/make writes it. */
static void put_line(struct buf *out, struct tar_reader *t, const struct tar_entry *e,
                     struct err *err)
{
    buf_printf(out, "%s %o %u:%u %" PRIu64 " %lld.%09ld %s", tar_type_name(e->type), e->mode,
               e->uid, e->gid, e->size, (long long)e->mtime.tv_sec, e->mtime.tv_nsec, e->path);
    if (*e->link)
        buf_printf(out, " -> %s", e->link);
    if (e->type == TAR_CHAR_DEVICE || e->type == TAR_BLOCK_DEVICE)
        buf_printf(out, " %u:%u", e->dev_major, e->dev_minor);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        buf_printf(out, " %s=", e->xattrs[i].name);
        for (size_t n = 0; n < e->xattrs[i].value.len; n++)
            buf_printf(out, "%02x", (unsigned char)e->xattrs[i].value.ptr[n]);
    }
    if (e->type == TAR_FILE) {
        AUTO(writer_close) struct writer *hash = writer_hashing(NULL, DIGEST_SHA256);
        uint64_t size;
        if (stream_copy(tar_reader_body(t), hash, &size, err))
            return;
        struct digest d = writer_hashing_digest(hash);
        buf_printf(out, " %.16s%s", digest_hex(&d).s, size == e->size ? "" : " (size differs)");
    }
    buf_putc(out, '\n');
}

static char *list(struct reader *below, struct err *err)
{
    struct buf b;
    buf_init(&b, (size_t)MIB);
    AUTO(tar_reader_free) struct tar_reader *t = tar_reader_new(below);
    const struct tar_entry *e;
    while (err->kind == ERR_NONE && !tar_reader_next(t, &e, err) && e)
        put_line(&b, t, e, err);
    if (err->kind == ERR_NONE && tar_reader_drain(t, err) == 0)
        EXPECT(below->is_at_end);
    return b.data ? buf_take(&b) : xstrdup("");
}

/* Gives its bytes in pieces of a prime length. */
struct drip {
    struct reader base;
    struct span rest;
};

static int drip_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    struct drip *d = (struct drip *)r;
    (void)err;
    struct span piece = span_first(d->rest, cap < 97 ? cap : 97);
    if (piece.len > 0)
        memcpy(to, piece.ptr, piece.len);
    d->rest = span_skip(d->rest, piece.len);
    *n = piece.len;
    return 0;
}

static const struct reader_ops drip_ops = { .read = drip_read };

TEST("archives of other programs are listed as python's tarfile lists them")
{
    static const char *const names[] = {
        "tar-v7",        "tar-ustar",          "tar-gnu",        "tar-pax",
        "sparse-gnu",    "sparse-pax-0.0",     "sparse-pax-0.1", "sparse-pax-1.0",
        "bsdtar-pax",    "git-archive",        "python-pax",     "python-pax-times",
        "python-names",  "python-global",      "no-end",         "one-zero-block",
        "garbage-after", "python-gnu-numbers",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct err err = { 0 };
        AUTO_FREE char *tar = xasprintf("%s.tar", names[i]), *txt = xasprintf("%s.txt", names[i]);
        AUTO_VALUE(buf_clear) struct buf archive = fixture(tar), want = fixture(txt);
        AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&archive));
        AUTO_FREE char *got = list(r, &err);
        if (err.kind != ERR_NONE)
            tap_fail(__FILE__, __LINE__, "%s: %s", tar, err.text);
        EXPECT_STR(got, want.data);
        struct drip drip = { .base.ops = &drip_ops, .rest = buf_span(&archive) };
        AUTO_FREE char *in_drops = list(&drip.base, &err);
        EXPECT_STR(in_drops, want.data);
    }
}

TEST("archives that break the format are refused, each for its reason")
{
    static const struct {
        const char *name;
        enum err_kind kind;
        const char *why;
    } rows[] = {
        { "checksum", ERR_CORRUPT, "entry 1 after byte 0: header: the checksum does not fit" },
        { "cut-in-header", ERR_CORRUPT, "cut off inside a header" },
        { "cut-in-content", ERR_CORRUPT, "cut off: 4995 bytes of content missing" },
        { "cut-in-padding-of-pax", ERR_CORRUPT, "cut off: 397 bytes" },
        { "cut-after-pax", ERR_CORRUPT, "cut off after an extended header" },
        { "lone-zero-block", ERR_CORRUPT, "one block of zeros in the middle" },
        { "size-negative", ERR_INVALID, "f: size: negative" },
        { "size-beyond-64-bits", ERR_INVALID, "f: size: beyond 64 bits" },
        { "size-absurd", ERR_INVALID, "f: size: absurd" },
        { "size-no-octal", ERR_INVALID, "f: size: no octal number" },
        { "pax-length", ERR_INVALID, "pax record: its length is wrong" },
        { "pax-no-key", ERR_INVALID, "pax record: no KEY=VALUE" },
        { "pax-too-large", ERR_LIMIT, "extended header: more than 1048576 bytes" },
        { "pax-nul-in-path", ERR_INVALID, "a NUL inside" },
        { "pax-uid", ERR_INVALID, "uid: 4294967295 is no user or group id" },
        { "pax-mtime", ERR_INVALID, "pax record mtime: no time" },
        { "uid-minus-one", ERR_INVALID, "uid: -1 is no user or group id" },
        { "path-too-long", ERR_LIMIT, "more than 512 folders deep" },
        { "path-too-deep", ERR_LIMIT, "more than 512 folders deep" },
        { "type-unknown", ERR_UNSUPPORTED, "entry of unknown type 0x5a" },
        { "type-multi-volume", ERR_UNSUPPORTED, "continued from another volume" },
        { "symlink-to-nothing", ERR_INVALID, "f: symlink: its text is empty" },
        { "device-beyond-range", ERR_INVALID, "f: device 4096:0: beyond Linux's range" },
        { "sparse-overlap", ERR_INVALID, "piece 1 is out of place" },
        { "sparse-beyond-size", ERR_INVALID, "piece 0 is out of place" },
        { "sparse-sum", ERR_INVALID, "100 bytes, but 200 are stored" },
        { "sparse-of-no-version", ERR_UNSUPPORTED, "sparse map of version 2.0" },
        { "sparse-map-without-end", ERR_INVALID, "sparse map: it does not end" },
        { "sparse-map-huge", ERR_LIMIT, "sparse map: 99999999 pieces" },
        { "pax-uid-no-number", ERR_INVALID, "pax record uid=1x: no number" },
        { "pax-device", ERR_INVALID, "SCHILY.devmajor: beyond 32 bits" },
        { "pax-key-with-nul", ERR_INVALID, "a NUL in its key" },
        { "sparse-numbytes-alone", ERR_INVALID, "numbytes without an offset" },
        { "sparse-map-odd", ERR_INVALID, "GNU.sparse.map=: no number" },
        { "sparse-cut", ERR_CORRUPT, "cut off inside a sparse map" },
        { "sparse-not-gnu", ERR_INVALID, "not GNU's" },
        { "xattr-without-name", ERR_INVALID, "without a name" },
        { "xattrs-too-many", ERR_LIMIT, "more than 256 extended attributes" },
        { "xattr-too-large", ERR_LIMIT, "user.x: more than 65536 bytes" },
        { "xattr-no-base64", ERR_INVALID, "LIBARCHIVE.xattr.user.x: base64" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        AUTO_FREE char *name = xasprintf("refuse-%s.tar", rows[i].name);
        AUTO_VALUE(buf_clear) struct buf archive = fixture(name);
        AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&archive));
        AUTO_FREE char *before = list(r, &err);
        const char *end = strchr(before, '\n');
        EXPECT(!end || !end[1]); /* at most a good entry before */
        EXPECT_STR(err_kind_name(err.kind), err_kind_name(rows[i].kind));
        EXPECT_CONTAINS(err.text, rows[i].why);
    }
}

TEST("an archive that was refused stays refused")
{
    struct err err = { 0 };
    const struct tar_entry *e;
    struct tar_chunk chunk;
    AUTO_VALUE(buf_clear) struct buf archive = fixture("refuse-checksum.tar");
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&archive));
    AUTO(tar_reader_free) struct tar_reader *t = tar_reader_new(r);
    EXPECT_ERR(tar_reader_next(t, &e, &err), &err, ERR_CORRUPT);
    EXPECT_ERR(tar_reader_next(t, &e, &err), &err, ERR_CORRUPT);
    EXPECT_ERR(tar_reader_chunk(t, &chunk, &err), &err, ERR_CORRUPT);
}

TEST("a failure below is the archive's failure")
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf archive = fixture("tar-ustar.tar");
    AUTO(reader_close) struct reader *whole = reader_of_span(buf_span(&archive));
    AUTO(reader_close) struct reader *r = reader_limited(whole, 1000);
    AUTO_FREE char *before = list(r, &err);
    EXPECT_CONTAINS(before, "folder 755 1000:2000 0 1700000000.000000000 \n");
    EXPECT_STR(err_kind_name(err.kind), "limit");
}

TEST("an archive cut anywhere gives entries that it has, then its end or an error")
{
    AUTO_VALUE(buf_clear)
    struct buf archive = fixture("tar-pax.tar"), want = fixture("tar-pax.txt");
    size_t n_refused = 0;
    for (size_t len = 0; len < archive.len; len += 128) {
        struct err err = { 0 };
        AUTO(reader_close) struct reader *r = reader_of_span(span_bytes(archive.data, len));
        AUTO_FREE char *got = list(r, &err);
        EXPECT(strncmp(got, want.data, strlen(got)) == 0 || err.kind == ERR_CORRUPT);
        EXPECT(err.kind == ERR_NONE || err.kind == ERR_CORRUPT);
        n_refused += err.kind == ERR_CORRUPT;
    }
    EXPECT(n_refused > archive.len / 128 / 2);
}

/* ---- pieces ---- */

TEST("the pieces of a sparse file skip its holes")
{
    struct err err = { 0 };
    const struct tar_entry *e;
    AUTO_VALUE(buf_clear) struct buf archive = fixture("sparse-pax-1.0.tar");
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&archive));
    AUTO(tar_reader_free) struct tar_reader *t = tar_reader_new(r);
    do {
        REQUIRE_OK(tar_reader_next(t, &e, &err), &err);
        REQUIRE(e);
    } while (strcmp(e->path, "holes") != 0);
    EXPECT(e->is_sparse);
    EXPECT_INT(e->size, 500000);
    uint64_t stored = 0, last = 0;
    for (struct tar_chunk c;;) {
        REQUIRE_OK(tar_reader_chunk(t, &c, &err), &err);
        if (c.bytes.len == 0)
            break;
        EXPECT(c.offset >= last);
        stored += c.bytes.len;
        last = c.offset + c.bytes.len;
    }
    EXPECT(stored < 20000);
}

/* ---- paths ---- */

TEST("paths are made clean and stay below the root")
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        { "a/b", "a/b" },  { "/a", "a" },
        { "./a/", "a" },   { "a//b/./c", "a/b/c" },
        { "..", "" },      { "../../a", "a" },
        { "a/../b", "b" }, { "a/b/../../../c", "c" },
        { "/", "" },       { "", "" },
        { ".", "" },       { "a/..", "" },
        { "...", "..." },  { "a/.b/..c", "a/.b/..c" },
    };
    char out[LIMIT_PATH];
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EXPECT_OK(tar_path_clean(span_of(rows[i].path), out, &err), &err);
        EXPECT_STR(out, rows[i].want);
    }
}

TEST("a path of 4,096 bytes is too long, one byte less is not")
{
    char path[LIMIT_PATH], out[LIMIT_PATH];
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 64 == 63 ? '/' : 'x';
    path[4095] = 'x';
    EXPECT_ERR(tar_path_clean(span_bytes(path, 4096), out, &err), &err, ERR_LIMIT);
    path[4094] = 'x';
    EXPECT_OK(tar_path_clean(span_bytes(path, 4095), out, &err), &err);
    EXPECT_INT(strlen(out), 4095);
}

TAP_MAIN()
