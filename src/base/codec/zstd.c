/* base/codec/zstd.c - zstd in both directions.
 *
 * Writing always takes libzstd's multi-threaded path, which cuts content every JOB bytes: its
 * output depends on that size, not on the number of threads, nor on how the caller cuts its writes.
 * The single-threaded path would give other bytes.  These are libzstd's threads, not the pool's: a
 * frame whose parts share their history cannot be made through its public interface otherwise.
 *
 * Spec: RFC 8878.  Threads: a stream belongs to one thread. */
#include <assert.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/codec/internal.h"
#include "base/core/limits.h"
#include "base/core/mem.h"

enum {
    LEVEL_DEFAULT = 3,
    JOB = 2 * 1024 * 1024, /* libzstd's own choice, 8 MiB, takes four times the memory */
    WORKERS_MAX = 4,       /* outrun one core's SHA-256 of the content */
    WINDOW_LOG_MAX = 27,   /* 128 MiB, as the zstd program without --long */
};

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "kiln: out of memory\n");
        abort();
    }
    return p;
}

/* ---- writing ---- */

struct zstd_writer {
    struct writer base;
    struct writer *below; /* borrowed */
    ZSTD_CCtx *ctx;       /* owned */
    char *out;            /* owned */
    size_t out_cap;
};

/* One step of compressing; *left as ZSTD_compressStream2() returns it. */
static int step(struct zstd_writer *w, ZSTD_inBuffer *in, ZSTD_EndDirective how, size_t *left,
                struct err *err)
{
    ZSTD_outBuffer out = { .dst = w->out, .size = w->out_cap };
    *left = ZSTD_compressStream2(w->ctx, &out, in, how);
    if (ZSTD_isError(*left))
        return err_set(err, ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(*left));
    return writer_write(w->below, span_bytes(out.dst, out.pos), err);
}

static int zstd_write(struct writer *base, struct span bytes, struct err *err)
{
    struct zstd_writer *w = (struct zstd_writer *)base;
    ZSTD_inBuffer in = { .src = bytes.ptr, .size = bytes.len };
    size_t left;
    while (in.pos < in.size)
        if (step(w, &in, ZSTD_e_continue, &left, err) < 0)
            return -1;
    return 0;
}

static int zstd_finish(struct writer *base, struct err *err)
{
    struct zstd_writer *w = (struct zstd_writer *)base;
    ZSTD_inBuffer in = { 0 };
    size_t left;
    do {
        if (step(w, &in, ZSTD_e_end, &left, err) < 0)
            return -1;
    } while (left);
    return 0;
}

static void zstd_writer_close(struct writer *base)
{
    struct zstd_writer *w = (struct zstd_writer *)base;
    ZSTD_freeCCtx(w->ctx);
    free(w->out);
    free(w);
}

static void set(ZSTD_CCtx *ctx, ZSTD_cParameter parameter, int value)
{
    size_t code = ZSTD_CCtx_setParameter(ctx, parameter, value);
    assert(!ZSTD_isError(code)); /* a libzstd without threads would give other bytes */
    (void)code;
}

struct writer *zstd_writer(struct writer *below, int level, struct pool *pool)
{
    static const struct writer_ops ops = { .write = zstd_write,
                                           .finish = zstd_finish,
                                           .close = zstd_writer_close };
    size_t n_workers = pool ? pool_threads(pool) : 1;
    struct zstd_writer *w = xcalloc(1, sizeof *w);
    w->base.ops = &ops;
    w->below = below;
    w->ctx = must(ZSTD_createCCtx());
    w->out_cap = ZSTD_CStreamOutSize();
    w->out = xmalloc(w->out_cap);
    int highest = ZSTD_maxCLevel();
    set(w->ctx, ZSTD_c_compressionLevel,
        level < 0         ? LEVEL_DEFAULT
        : level < highest ? level
                          : highest);
    set(w->ctx, ZSTD_c_checksumFlag, 1);
    set(w->ctx, ZSTD_c_nbWorkers, n_workers < WORKERS_MAX ? (int)n_workers : WORKERS_MAX);
    set(w->ctx, ZSTD_c_jobSize, JOB);
    return &w->base;
}

/* ---- reading ---- */

struct zstd_reader {
    struct reader base;
    struct reader *below; /* borrowed */
    ZSTD_DCtx *ctx;       /* owned */
    char *input;          /* owned */
    size_t input_cap;
    ZSTD_inBuffer in;
    bool is_between_frames; /* at least one ended, the next has not begun */
    bool may_have_more;     /* libzstd keeps output that had no room */
};

static int explain(size_t code, struct err *err)
{
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge) {
        err_set(err, ERR_LIMIT, "zstd: needs a window of more than %llu MiB",
                (1ull << WINDOW_LOG_MAX) / MIB);
        return err_hint(err, "compress it again without --long or --ultra");
    }
    return err_set(err, ERR_CORRUPT, "zstd: %s", ZSTD_getErrorName(code));
}

static int zstd_read(struct reader *base, void *to, size_t cap, size_t *n, struct err *err)
{
    struct zstd_reader *r = (struct zstd_reader *)base;
    ZSTD_outBuffer out = { .dst = to, .size = cap };
    while (out.pos == 0) {
        if (r->in.pos == r->in.size && !r->may_have_more) {
            r->in = (ZSTD_inBuffer){ .src = r->input };
            if (reader_read(r->below, r->input, r->input_cap, &r->in.size, err) < 0)
                return -1;
            if (r->in.size == 0)
                return r->is_between_frames ? 0 : err_set(err, ERR_CORRUPT, "zstd: ends too early");
        }
        size_t code = ZSTD_decompressStream(r->ctx, &out, &r->in);
        if (ZSTD_isError(code))
            return explain(code, err);
        r->is_between_frames = code == 0;
        r->may_have_more = code != 0 && out.pos == out.size;
    }
    *n = out.pos;
    return 0;
}

static void zstd_reader_close(struct reader *base)
{
    struct zstd_reader *r = (struct zstd_reader *)base;
    ZSTD_freeDCtx(r->ctx);
    free(r->input);
    free(r);
}

struct reader *zstd_reader(struct reader *below)
{
    static const struct reader_ops ops = { .read = zstd_read, .close = zstd_reader_close };
    struct zstd_reader *r = xcalloc(1, sizeof *r);
    r->base.ops = &ops;
    r->below = below;
    r->ctx = must(ZSTD_createDCtx());
    r->input_cap = ZSTD_DStreamInSize();
    r->input = xmalloc(r->input_cap);
    size_t code = ZSTD_DCtx_setParameter(r->ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    assert(!ZSTD_isError(code));
    (void)code;
    return &r->base;
}
