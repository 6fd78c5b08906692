/* base/codec/foreign.c - see foreign.h.  The only file that knows libarchive. */
#include "base/codec/foreign.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

#include "base/core/mem.h"

enum { CHUNK = 64 * 1024 };

struct foreign_reader {
    struct reader base;
    struct reader *below; /* borrowed */
    struct archive *archive;
    struct err below_err; /* what `below` failed with */
    char chunk[CHUNK];
};

bool foreign_is_compressed(struct span head)
{
    return span_starts(head, "BZh") ||
           span_starts(head, "\xFD"
                             "7zXZ") ||
           (head.len >= 3 && head.ptr[0] == 0x5d && head.ptr[1] == 0 && head.ptr[2] == 0);
}

static la_ssize_t foreign_fill(struct archive *a, void *arg, const void **bytes)
{
    struct foreign_reader *f = arg;
    size_t n = 0;
    (void)a;
    *bytes = f->chunk;
    if (reader_read(f->below, f->chunk, sizeof f->chunk, &n, &f->below_err))
        return -1;
    return (la_ssize_t)n;
}

static int foreign_fail(struct foreign_reader *f, struct err *err)
{
    if (f->below_err.kind) {
        *err = f->below_err;
        return -1;
    }
    const char *why = archive_error_string(f->archive);
    return err_set(err, ERR_CORRUPT, "decompress: %s", why ? why : "the data are damaged");
}

static int foreign_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    struct foreign_reader *f = (struct foreign_reader *)r;
    la_ssize_t got = archive_read_data(f->archive, to, cap);
    if (got < 0)
        return foreign_fail(f, err);
    *n = (size_t)got;
    return 0;
}

static void foreign_close(struct reader *r)
{
    struct foreign_reader *f = (struct foreign_reader *)r;
    archive_read_free(f->archive);
    free(f);
}

int reader_of_foreign(struct reader *below, struct reader **out, struct err *err)
{
    static const struct reader_ops ops = { .read = foreign_read, .close = foreign_close };
    struct foreign_reader *f = xcalloc(1, sizeof *f);
    AUTO(reader_close) struct reader *owned = &f->base;
    struct archive_entry *entry;
    *f = (struct foreign_reader){ .base = { .ops = &ops }, .below = below };
    f->archive = archive_read_new();
    archive_read_support_filter_bzip2(f->archive);
    archive_read_support_filter_xz(f->archive);
    archive_read_support_filter_lzma(f->archive);
    archive_read_support_format_raw(f->archive);
    archive_read_support_format_empty(f->archive);
    if (archive_read_open(f->archive, f, NULL, foreign_fill, NULL) != ARCHIVE_OK ||
        archive_read_next_header(f->archive, &entry) < ARCHIVE_WARN)
        return foreign_fail(f, err);
    *out = STEAL(owned);
    return 0;
}
