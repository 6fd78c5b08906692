/* fuzz/tar.c - whatever the reader takes, the writer can write, and that reads as the same entries;
 * paths stay clean, content has the size that was told. */
#include <assert.h>
#include <string.h>

#include "base/core/limits.h"
#include "image/layer/rewrite.h"
#include "image/layer/tar_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sparse file may be larger than any memory: only so much of each is looked at. */
static const uint64_t largest_body = 4 * MIB;

static void check_path(const char *path)
{
    assert(path[0] != '/' && strlen(path) < LIMIT_PATH);
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t len = strcspn(part, "/");
        assert(len > 0 || !*path);
        assert(!(len == 1 && part[0] == '.') && !(len == 2 && part[0] == '.' && part[1] == '.'));
    }
}

/* Reads all entries; false when the archive is refused or holds a file too large to write out. */
static bool read_all(struct span bytes, struct err *err)
{
    AUTO(reader_close) struct reader *r = reader_of_span(bytes);
    AUTO(tar_reader_free) struct tar_reader *t = tar_reader_new(r);
    const struct tar_entry *e;
    bool is_small = true;
    for (;;) {
        if (tar_reader_next(t, &e, err))
            return false;
        if (!e)
            break;
        check_path(e->path);
        assert(e->mode <= 07777 && e->n_xattrs <= LIMIT_XATTRS);
        assert(e->type == TAR_FILE || e->size == 0);
        is_small = is_small && e->size <= largest_body;
        uint64_t at = 0;
        for (struct tar_chunk c; e->type == TAR_FILE; at = c.offset + c.bytes.len) {
            if (tar_reader_chunk(t, &c, err))
                return false;
            if (c.bytes.len == 0)
                break;
            assert(c.offset >= at && c.offset + c.bytes.len <= e->size);
        }
    }
    return is_small && tar_reader_drain(t, err) == 0;
}

static int rewrite(struct span bytes, struct buf *out, struct err *err)
{
    static const struct tar_writer_options options = { .keeps_ns = true };
    AUTO(reader_close) struct reader *r = reader_of_span(bytes);
    AUTO(writer_close) struct writer *w = writer_to_buf(out);
    buf_init(out, (size_t)(256 * MIB));
    return layer_rewrite(r, &options, NULL, w, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf once = { 0 };
    AUTO_VALUE(buf_clear) struct buf twice = { 0 };
    if (size > MIB || !read_all(span_bytes(data, size), &err))
        return 0;
    if (rewrite(span_bytes(data, size), &once, &err)) {
        /* An attribute's name may hold what PAX cannot. */
        assert(err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
        return 0;
    }
    int result = rewrite(buf_span(&once), &twice, &err);
    assert(result == 0 || err.kind == ERR_LIMIT); /* records that together are beyond LIMIT_PAX */
    assert(result || span_equal(buf_span(&once), buf_span(&twice)));
    return 0;
}
