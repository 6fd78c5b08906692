/* base/codec/foreign.c - see foreign.h.  The only file that knows liblzma and libbz2.
 *
 * Both libraries work alike: a state with places to read from and to write to, and one call that
 * moves what it can.  So one reader feeds and empties either, and a small table says how. */
#include "base/codec/foreign.h"

#include <bzlib.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"

enum { CHUNK = 64 * 1024 };
/* What xz -9 needs to read is 65 MiB; a larger dictionary is somebody's wish to see us swap. */
static const uint64_t lzma_memory = 128 * MIB;

enum foreign_kind { FOREIGN_NONE, FOREIGN_BZIP2, FOREIGN_XZ, FOREIGN_LZMA };
enum foreign_step { STEP_MORE, STEP_END, STEP_FAILED };

struct foreign_reader {
    struct reader base;
    struct reader *below; /* borrowed */
    enum foreign_kind kind;
    lzma_stream lzma;
    bz_stream bzip2;
    bool has_begun; /* the state of the library is there */
    bool is_below_at_end;
    struct span input; /* what is left of chunk */
    char chunk[CHUNK];
};

static enum foreign_kind kind_of(struct span head)
{
    static const char xz[] = "\xFD"
                             "7zXZ";
    if (span_starts(head, "BZh"))
        return FOREIGN_BZIP2;
    if (span_starts(head, xz))
        return FOREIGN_XZ;
    if (head.len >= 3 && head.ptr[0] == 0x5d && head.ptr[1] == 0 && head.ptr[2] == 0)
        return FOREIGN_LZMA;
    return FOREIGN_NONE;
}

bool foreign_is_compressed(struct span head)
{
    return kind_of(head) != FOREIGN_NONE;
}

/* ---- the libraries ---- */

static int fail(const struct foreign_reader *f, const char *why, struct err *err)
{
    static const char *const names[] = { "", "bzip2", "xz", "lzma" };
    return err_set(err, ERR_CORRUPT, "decompress %s: %s", names[f->kind], why);
}

static int begin(struct foreign_reader *f, struct err *err)
{
    bool is_good = true;
    if (f->kind == FOREIGN_BZIP2) {
        f->bzip2 = (bz_stream){ 0 };
        is_good = BZ2_bzDecompressInit(&f->bzip2, 0, 0) == BZ_OK;
    } else {
        f->lzma = (lzma_stream)LZMA_STREAM_INIT;
        is_good = f->kind == FOREIGN_XZ
                      ? lzma_stream_decoder(&f->lzma, lzma_memory, LZMA_CONCATENATED) == LZMA_OK
                      : lzma_alone_decoder(&f->lzma, lzma_memory) == LZMA_OK;
    }
    f->has_begun = is_good;
    return is_good ? 0 : fail(f, "cannot begin", err);
}

static void end(struct foreign_reader *f)
{
    if (f->has_begun && f->kind == FOREIGN_BZIP2)
        BZ2_bzDecompressEnd(&f->bzip2);
    else if (f->has_begun)
        lzma_end(&f->lzma);
    f->has_begun = false;
}

/* Takes from f->input, gives up to `cap` bytes, *n of them. */
static enum foreign_step step_bzip2(struct foreign_reader *f, char *to, size_t cap, size_t *n,
                                    struct err *err)
{
    bz_stream *s = &f->bzip2;
    s->next_in = f->chunk + (f->input.ptr - f->chunk);
    s->avail_in = (unsigned)f->input.len;
    s->next_out = to;
    s->avail_out = cap < CHUNK ? (unsigned)cap : CHUNK;
    size_t room = s->avail_out;
    int code = BZ2_bzDecompress(s);
    f->input = span_bytes(s->next_in, s->avail_in);
    *n = room - s->avail_out;
    if (code == BZ_STREAM_END)
        return STEP_END;
    if (code == BZ_OK)
        return STEP_MORE;
    (void)fail(f, code == BZ_MEM_ERROR ? "no memory" : "the data are damaged", err);
    return STEP_FAILED;
}

static enum foreign_step step_lzma(struct foreign_reader *f, char *to, size_t cap, size_t *n,
                                   struct err *err)
{
    lzma_stream *s = &f->lzma;
    s->next_in = (const uint8_t *)f->input.ptr;
    s->avail_in = f->input.len;
    s->next_out = (uint8_t *)to;
    s->avail_out = cap;
    lzma_ret code = lzma_code(s, f->is_below_at_end ? LZMA_FINISH : LZMA_RUN);
    f->input = span_bytes((const char *)s->next_in, s->avail_in);
    *n = cap - s->avail_out;
    if (code == LZMA_STREAM_END)
        return STEP_END;
    if (code == LZMA_OK)
        return STEP_MORE;
    if (code == LZMA_MEMLIMIT_ERROR) {
        err_set(err, ERR_LIMIT, "decompress xz: needs more than %llu MiB of memory",
                (unsigned long long)(lzma_memory / MIB));
        (void)err_hint(err, "compress it again with xz -9 or less");
    } else {
        (void)fail(f, code == LZMA_BUF_ERROR ? "ends too early" : "the data are damaged", err);
    }
    return STEP_FAILED;
}

/* ---- the reader ---- */

static int feed(struct foreign_reader *f, struct err *err)
{
    size_t n = 0;
    if (f->input.len > 0 || f->is_below_at_end)
        return 0;
    if (reader_read(f->below, f->chunk, sizeof f->chunk, &n, err))
        return -1;
    f->input = span_bytes(f->chunk, n);
    f->is_below_at_end = n == 0;
    return 0;
}

/* bzip2 knows of one stream; pbzip2 and "cat a.bz2 b.bz2" write several. */
static int end_of_bzip2(struct foreign_reader *f, bool *is_over, struct err *err)
{
    end(f);
    if (feed(f, err))
        return -1;
    *is_over = f->input.len == 0;
    return *is_over ? 0 : begin(f, err);
}

static int foreign_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    struct foreign_reader *f = (struct foreign_reader *)r;
    bool is_over = !f->has_begun;
    *n = 0;
    while (*n == 0 && !is_over) {
        if (feed(f, err))
            return -1;
        bool had_all = f->is_below_at_end;
        enum foreign_step step = f->kind == FOREIGN_BZIP2 ? step_bzip2(f, to, cap, n, err)
                                                          : step_lzma(f, to, cap, n, err);
        if (step == STEP_FAILED)
            return -1;
        if (step == STEP_END && f->kind == FOREIGN_BZIP2) {
            if (end_of_bzip2(f, &is_over, err))
                return -1;
        } else if (step == STEP_END) {
            end(f);
            is_over = true;
        } else if (*n == 0 && had_all && f->kind == FOREIGN_BZIP2) {
            return fail(f, "ends too early", err);
        }
    }
    return 0;
}

static void foreign_close(struct reader *r)
{
    struct foreign_reader *f = (struct foreign_reader *)r;
    end(f);
    free(f);
}

int reader_of_foreign(struct reader *below, struct reader **out, struct err *err)
{
    static const struct reader_ops ops = { .read = foreign_read, .close = foreign_close };
    struct foreign_reader *f = xcalloc(1, sizeof *f);
    AUTO(reader_close) struct reader *owned = &f->base;
    f->base.ops = &ops;
    f->below = below;
    if (feed(f, err))
        return -1;
    f->kind = kind_of(f->input);
    if (f->kind == FOREIGN_NONE)
        return err_set(err, ERR_CORRUPT, "decompress: neither bzip2 nor xz nor lzma");
    if (begin(f, err))
        return -1;
    *out = STEAL(owned);
    return 0;
}
