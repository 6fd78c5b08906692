/* engine/scan/zip.c - the directory of a zip archive, and single members of it.
 *
 * The end of the archive says where the directory is; it alone is believed, as every other reader
 * does.  A member's content is put into the frame of a gzip file, whose reader then holds it
 * against the directory's checksum and size.
 *
 *     end of directory (22, then a comment)  "PK\5\6" disk2 disk2 n2 n2 size4 at4 comment2
 *     its zip64 locator, 20 before           "PK\6\7" disk4 at8 disks4
 *     zip64 end of directory                 "PK\6\6" ... n8 at 32, size8 at 40, at8 at 48
 *     an entry (46)  "PK\1\2" ... flags2 at 8, method2 at 10, crc4 at 16, packed4 at 20, size4 at
 *                    24, name2 at 28, extra2 at 30, comment2 at 32, local header's place4 at 42
 *     a local header (30)  "PK\3\4" ... name2 at 26, extra2 at 28
 *
 * Spec: PKWARE APPNOTE.TXT 6.3; RFC 1952. */
#include <string.h>

#include "base/codec/compress.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/scan/internal.h"

enum { END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56, ENTRY_SIZE = 46, LOCAL_SIZE = 30 };
enum { COMMENT_MAX = 65535, STORED = 0, DEFLATED = 8, ENCRYPTED = 1, EXTRA_ZIP64 = 1 };
#define DIRECTORY_MAX ((uint64_t)(64 * MIB))

static uint64_t number(const void *from, size_t size)
{
    const uint8_t *p = from;
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

struct directory {
    uint64_t n, size, at;
};

static int read_end64(const struct bytes *b, uint64_t end_at, struct directory *d, struct err *err)
{
    uint8_t locator[LOCATOR_SIZE], end[END64_SIZE];
    if (end_at < LOCATOR_SIZE)
        return err_set(err, ERR_CORRUPT, "zip: sizes are elsewhere, and nothing says where");
    if (bytes_read(b, end_at - LOCATOR_SIZE, locator, sizeof locator, err))
        return -1;
    if (memcmp(locator, "PK\6\7", 4) != 0)
        return 0; /* exactly 65535 members */
    if (bytes_read(b, number(locator + 8, 8), end, sizeof end, err))
        return -1;
    if (memcmp(end, "PK\6\6", 4) != 0)
        return err_set(err, ERR_CORRUPT, "zip: no directory's end where one is said to be");
    *d = (struct directory){ number(end + 32, 8), number(end + 40, 8), number(end + 48, 8) };
    return 0;
}

static int read_end(const struct bytes *b, struct directory *d, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf tail = { 0 };
    uint64_t size = b->size < END_SIZE + COMMENT_MAX ? b->size : END_SIZE + COMMENT_MAX;
    buf_init(&tail, END_SIZE + COMMENT_MAX + 1);
    if (bytes_take(b, b->size - size, size, &tail, err))
        return -1;
    for (size_t i = tail.len; i-- > 0;) {
        const char *p = tail.data + i;
        if (tail.len - i < END_SIZE || memcmp(p, "PK\5\6", 4) != 0 ||
            number(p + 20, 2) > tail.len - i - END_SIZE)
            continue;
        if (number(p + 4, 2) != number(p + 6, 2))
            return err_set(err, ERR_UNSUPPORTED, "zip: on several disks");
        *d = (struct directory){ number(p + 10, 2), number(p + 12, 4), number(p + 16, 4) };
        if (d->n == 0xffff || d->size == 0xffffffff || d->at == 0xffffffff)
            return read_end64(b, b->size - size + i, d, err);
        return 0;
    }
    return err_set(err, ERR_CORRUPT, "zip: no directory");
}

/* Sizes and places that did not fit stand in the extra field, in this order. */
static void read_extra(struct span extra, struct zip_member *m)
{
    while (extra.len >= 4) {
        size_t id = (size_t)number(extra.ptr, 2), size = (size_t)number(extra.ptr + 2, 2);
        struct span value = span_first(span_skip(extra, 4), size);
        extra = span_skip(extra, 4 + size);
        if (id != EXTRA_ZIP64)
            continue;
        uint64_t *const fields[] = { &m->size, &m->packed_size, &m->header_at };
        for (size_t i = 0; i < 3 && value.len >= 8; i++)
            if (*fields[i] == 0xffffffff) {
                *fields[i] = number(value.ptr, 8);
                value = span_skip(value, 8);
            }
        return;
    }
}

static int read_entry(struct span *rest, struct zip_member *m, struct err *err)
{
    const char *p = rest->ptr;
    if (rest->len < ENTRY_SIZE || memcmp(p, "PK\1\2", 4) != 0)
        return err_set(err, ERR_CORRUPT, "zip: the directory ends too early");
    size_t name = (size_t)number(p + 28, 2), extra = (size_t)number(p + 30, 2);
    size_t whole = ENTRY_SIZE + name + extra + (size_t)number(p + 32, 2);
    if (rest->len < whole)
        return err_set(err, ERR_CORRUPT, "zip: the directory ends in an entry");
    *m = (struct zip_member){ .name = span_bytes(p + ENTRY_SIZE, name),
                              .method = (uint16_t)number(p + 10, 2),
                              .crc = (uint32_t)number(p + 16, 4),
                              .packed_size = number(p + 20, 4),
                              .size = number(p + 24, 4),
                              .header_at = number(p + 42, 4) };
    if (number(p + 8, 2) & ENCRYPTED)
        m->method = 0xffff;
    read_extra(span_bytes(p + ENTRY_SIZE + name, extra), m);
    *rest = span_skip(*rest, whole);
    return 0;
}

int zip_walk(const struct bytes *b, zip_visit_fn visit, void *arg, struct err *err)
{
    struct directory d = { 0 };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, DIRECTORY_MAX);
    if (read_end(b, &d, err))
        return -1;
    if (d.n > LIMIT_ZIP_ENTRIES)
        return err_set(err, ERR_LIMIT, "zip: more than %d members", LIMIT_ZIP_ENTRIES);
    if (bytes_take(b, d.at, d.size, &text, err))
        return err_wrap(err, "zip: the directory");
    struct span rest = buf_span(&text);
    for (uint64_t i = 0; i < d.n; i++) {
        struct zip_member m;
        if (read_entry(&rest, &m, err) || visit(arg, &m, err))
            return -1;
    }
    return 0;
}

/* ---- a member's content ---- */

/* The packed bytes between a gzip file's head and tail. */
static int frame(const struct bytes *b, uint64_t at, const struct zip_member *m, struct buf *out,
                 struct err *err)
{
    static const char head[] = "\x1f\x8b\x08\0\0\0\0\0\0\xff";
    buf_put(out, span_bytes(head, sizeof head - 1));
    if (bytes_take(b, at, m->packed_size, out, err))
        return -1;
    for (unsigned shift = 0; shift < 32; shift += 8)
        buf_putc(out, (char)(m->crc >> shift));
    for (unsigned shift = 0; shift < 32; shift += 8)
        buf_putc(out, (char)(m->size >> shift));
    return 0;
}

int zip_read(const struct bytes *b, const struct zip_member *m, struct buf *out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf packed = { 0 };
    uint8_t local[LOCAL_SIZE];
    uint64_t at = 0;
    if (m->size > buf_room(out))
        return err_set(err, ERR_LIMIT, "zip: a member of %llu bytes", (unsigned long long)m->size);
    if (bytes_read(b, m->header_at, local, sizeof local, err))
        return -1;
    if (memcmp(local, "PK\3\4", 4) != 0)
        return err_set(err, ERR_CORRUPT, "zip: no member where one is said to be");
    if (!u64_add(m->header_at, LOCAL_SIZE + number(local + 26, 2) + number(local + 28, 2), &at))
        return err_set(err, ERR_CORRUPT, "zip: a member beyond the end");
    if (m->method == STORED)
        return bytes_take(b, at, m->size, out, err);
    if (m->method != DEFLATED)
        return err_set(err, ERR_UNSUPPORTED, "zip: a member packed by method %u", m->method);
    buf_init(&packed, 2 * out->ceiling + 64);
    if (frame(b, at, m, &packed, err))
        return -1;
    AUTO(reader_close) struct reader *from = reader_of_span(buf_span(&packed));
    AUTO(reader_close) struct reader *content = reader_decompressing(from, COMPRESSION_GZIP);
    return reader_slurp(content, out, err);
}
