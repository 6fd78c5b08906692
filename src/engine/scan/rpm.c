/* engine/scan/rpm.c - what rpm has installed: where its data base is, and the two kinds that are
 * plain files of their own making.
 *
 * ndb (SUSE), little endian: a head of 32 bytes, "RpmP" version4 generation4 pages4; then slots of
 * 16 bytes that fill so many pages of 4096: "Slot" number4 block4 blocks4; a block has 16 bytes, a
 * package begins with "BlbS" number4 generation4 size4.
 *
 * Berkeley DB hash (before rpm 4.16): pages, the first of which tells kind and size; a hash page
 * has places of keys and values in turn, from its end backwards; a value is on the page or a chain
 * of overflow pages.
 *
 * Spec: rpm lib/backend/ndb/rpmpkg.c (comment); Berkeley DB 5.3 dbinc/db_page.h. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/scan/internal.h"

static uint32_t number(const uint8_t *p, size_t size, bool is_big)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | p[is_big ? i : size - 1 - i];
    return value;
}

static void take_header(struct scan *s, const struct buf *blob, const char *path)
{
    struct err why = { 0 };
    if (rpm_header_parse(s, buf_span(blob), path, &why))
        scan_unread(s, path, &why);
}

/* ---- ndb ---- */

enum { NDB_PAGE = 4096, NDB_SLOT = 16, NDB_BLOCK = 16, NDB_PAGES_MAX = 65536 };

static int take_slot(struct scan *s, const struct bytes *b, const uint8_t *slot, const char *path,
                     struct err *err)
{
    uint8_t head[16];
    AUTO_VALUE(buf_clear) struct buf blob = { 0 };
    uint64_t at = (uint64_t)number(slot + 8, 4, false) * NDB_BLOCK;
    buf_init(&blob, LIMIT_RPM_HEADER);
    if (bytes_read(b, at, head, sizeof head, err))
        return -1;
    if (memcmp(head, "BlbS", 4) != 0 || memcmp(head + 4, slot + 4, 4) != 0)
        return err_set(err, ERR_CORRUPT, "ndb: no package where one is said to be");
    if (bytes_take(b, at + sizeof head, number(head + 12, 4, false), &blob, err))
        return -1;
    take_header(s, &blob, path);
    return 0;
}

int rpm_ndb_read(struct scan *s, const struct bytes *b, const char *path, struct err *err)
{
    uint8_t head[32], slot[NDB_SLOT];
    if (bytes_read(b, 0, head, sizeof head, err))
        return -1;
    uint32_t pages = number(head + 12, 4, false);
    if (memcmp(head, "RpmP", 4) != 0 || pages > NDB_PAGES_MAX)
        return err_set(err, ERR_CORRUPT, "ndb: not a data base");
    uint64_t end = (uint64_t)pages * NDB_PAGE;
    for (uint64_t at = sizeof head; at + NDB_SLOT <= end; at += NDB_SLOT) {
        struct err why = { 0 };
        if (bytes_read(b, at, slot, sizeof slot, err) || cancel_check(s->options->cancel, err))
            return -1;
        if (memcmp(slot, "Slot", 4) != 0)
            return err_set(err, ERR_CORRUPT, "ndb: no slot where one is due");
        if (number(slot + 8, 4, false) && take_slot(s, b, slot, path, &why))
            scan_unread(s, path, &why);
    }
    return 0;
}

/* ---- Berkeley DB ---- */

enum { BDB_MAGIC = 0x061561, BDB_HEAD = 26, BDB_PAGE_MAX = 65536 };
enum { PAGE_HASH_UNSORTED = 2, PAGE_OVERFLOW = 7, PAGE_HASH = 13, ITEM_HERE = 1, ITEM_AWAY = 3 };

struct bdb {
    struct scan *scan;
    const struct bytes *bytes;
    const char *path;
    bool is_big;
    uint32_t page_size, last_page;
};

/* The value that begins on page `page` and has `size` bytes. */
static int take_chain(struct bdb *d, uint32_t page, uint32_t size, struct buf *out, struct err *err)
{
    uint8_t head[BDB_HEAD];
    while (out->len < size) {
        uint64_t at = (uint64_t)page * d->page_size;
        if (!page || page > d->last_page)
            return err_set(err, ERR_CORRUPT, "bdb: a chain leads to page %u", page);
        if (bytes_read(d->bytes, at, head, sizeof head, err))
            return -1;
        uint32_t n = number(head + 22, 2, d->is_big);
        if (head[25] != PAGE_OVERFLOW || !n || n > d->page_size - BDB_HEAD)
            return err_set(err, ERR_CORRUPT, "bdb: page %u is no part of a chain", page);
        if (bytes_take(d->bytes, at + BDB_HEAD, n, out, err))
            return -1;
        page = number(head + 16, 4, d->is_big);
    }
    return 0;
}

static int take_value(struct bdb *d, const uint8_t *page, uint32_t at, uint32_t end,
                      struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf blob = { 0 };
    buf_init(&blob, LIMIT_RPM_HEADER);
    if (page[at] == ITEM_AWAY && end - at >= 12) {
        uint32_t first = number(page + at + 4, 4, d->is_big);
        if (take_chain(d, first, number(page + at + 8, 4, d->is_big), &blob, err))
            return -1;
    } else if (page[at] == ITEM_HERE) {
        buf_put(&blob, span_bytes(page + at + 1, end - at - 1));
    }
    if (blob.len > 16) /* the first one is a counter */
        take_header(d->scan, &blob, d->path);
    return 0;
}

/* Items are laid from the end of the page towards its head, keys and values in turn. */
static void take_page(struct bdb *d, const uint8_t *page)
{
    uint32_t n = number(page + 20, 2, d->is_big), end = d->page_size;
    if (BDB_HEAD + 2 * n > d->page_size)
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct err why = { 0 };
        uint32_t at = number(page + BDB_HEAD + 2 * i, 2, d->is_big);
        if (at < BDB_HEAD + 2 * n || at >= end)
            return;
        if (i % 2 && take_value(d, page, at, end, &why))
            scan_unread(d->scan, d->path, &why);
        end = at;
    }
}

int rpm_bdb_read(struct scan *s, const struct bytes *b, const char *path, struct err *err)
{
    struct bdb d = { .scan = s, .bytes = b, .path = path };
    AUTO_VALUE(buf_clear) struct buf page = { 0 };
    uint8_t head[72];
    if (bytes_read(b, 0, head, sizeof head, err))
        return -1;
    d.is_big = number(head + 12, 4, true) == BDB_MAGIC;
    d.page_size = number(head + 20, 4, d.is_big);
    d.last_page = number(head + 32, 4, d.is_big);
    if (number(head + 12, 4, d.is_big) != BDB_MAGIC || d.page_size < 512 ||
        d.page_size > BDB_PAGE_MAX || d.last_page > b->size / d.page_size)
        return err_set(err, ERR_CORRUPT, "bdb: not a hash data base");
    buf_init(&page, BDB_PAGE_MAX + 1);
    for (uint32_t i = 1; i <= d.last_page; i++) {
        buf_reset(&page);
        if (cancel_check(s->options->cancel, err))
            return -1;
        if ((uint64_t)(i + 1) * d.page_size > b->size)
            break;
        if (bytes_take(b, (uint64_t)i * d.page_size, d.page_size, &page, err))
            return -1;
        const uint8_t *bytes = (const uint8_t *)page.data;
        if (bytes[25] == PAGE_HASH || bytes[25] == PAGE_HASH_UNSORTED)
            take_page(&d, bytes);
    }
    return 0;
}

/* ---- where ---- */

static const struct {
    const char *name;
    int (*read)(struct scan *s, const struct bytes *b, const char *path, struct err *err);
} kinds[] = { { "rpmdb.sqlite", rpm_sqlite_read },
              { "Packages.db", rpm_ndb_read },
              { "Packages", rpm_bdb_read } };

static void read_at(struct scan *s, const char *path, size_t kind, bool *is_there)
{
    AUTO_FD int fd = -1;
    struct stat st;
    struct err why = { 0 };
    *is_there = false;
    if (scan_hides(s, path) || fs_open_file_in_root(s->root_fd, path, &fd, &why) || fstat(fd, &st))
        return;
    *is_there = true;
    struct bytes bytes = { .fd = fd, .size = (uint64_t)st.st_size };
    if (kinds[kind].read(s, &bytes, path, &why))
        scan_unread(s, path, &why);
}

int rpm_scan(struct scan *s, struct err *err)
{
    static const char *const folders[] = { "var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm" };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            AUTO_FREE char *path = xasprintf("%s/%s", folders[i], kinds[k].name);
            bool is_there = false;
            if (cancel_check(s->options->cancel, err))
                return -1;
            read_at(s, path, k, &is_there);
            if (is_there)
                return 0; /* one may be a symlink to another; there is one data base */
        }
    return 0;
}
