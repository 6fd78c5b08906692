/* base/codec/gzip_write.c - gzip, compressed in parallel, the same bytes whatever the threads.
 *
 * Content is cut every GZIP_BLOCK bytes.  A block is compressed on its own, by any thread, into
 * gzip members that follow each other in order (RFC 1952 2.2); so the bytes are a function of
 * content and level alone.  Blocks stand in a ring: the writing thread fills one while the pool
 * works on those before it; when the ring is full it waits for the oldest and passes its bytes on.
 * That is the back-pressure and the bound on memory.
 *
 * Within a block each SEGMENT that cannot be compressed (JPEG, archives, keys) is found by a cheap
 * test and stored.  One member is a run of stored segments and then a run of compressed ones, both
 * possibly empty: libdeflate's output is a whole deflate stream, so it can only come last.
 *
 * Who writes may cut too: then a member begins there, whose place in the output is told.  Cuts are
 * part of the block that they fall into, so they cost no more than their members.
 *
 * A block that shrinks to an eighth is mostly tar headers and other repetition: there a deeper
 * search gains up to a tenth and is still quick, so it is compressed again two levels higher.
 *
 * Format: members `1f 8b 08 00, 4 bytes time 0, 00, ff (unknown system)`, deflate stream, CRC-32
 * and length of the content, 4 bytes each, little endian.
 *
 * Figures: docs/decisions/001-gzip-blocks.md.  Spec: RFC 1951, RFC 1952.  Threads: the writer
 * belongs to one thread; a block to the writer or to one task, handed over by the pool's lock. */
#include <assert.h>
#include <libdeflate.h>
#include <string.h>

#include "base/codec/internal.h"
#include "base/core/limits.h"
#include "base/core/mem.h"

enum {
    SEGMENT = 32 * 1024,
    STORED_MAX = 65535,       /* bytes of one stored deflate block */
    STORED_HEADER = 5,        /* BFINAL and type in one byte, LEN, NLEN */
    MEMBER_OVERHEAD = 10 + 8, /* header and trailer */
    LEVEL_DEFAULT = 6,        /* between Go's and zlib's 6 in size, 2-3 times as fast */
    LEVEL_MAX = 9,            /* above, libdeflate takes ten times as long for 2 % */
    BLOCKS_MAX = 18,          /* 16 threads outrun one core's SHA-256 of the content */
    CUTS_MAX = 1024,          /* of one block; a tar's files make no more */
    /* All overhead of a block: a member and two stored blocks for each segment and each cut would
     * be more than there can be. */
    OUT_MAX =
        GZIP_BLOCK + (GZIP_BLOCK / SEGMENT + CUTS_MAX) * (MEMBER_OVERHEAD + 2 * STORED_HEADER) + 64,
};

struct cut {
    size_t at, out_at; /* in the block's content, in its output */
    uint64_t *offset;  /* borrowed: whom to tell */
};

struct block {
    struct task_group *task;                /* owned; NULL without a pool */
    struct libdeflate_compressor *normal;   /* owned; made at first use, as all below */
    struct libdeflate_compressor *thorough; /* owned */
    char *in;                               /* owned, GZIP_BLOCK bytes */
    char *out;                              /* owned, OUT_MAX bytes */
    size_t in_len, out_len;
    struct cut *cuts; /* owned, CUTS_MAX; made at first use */
    size_t n_cuts;
    int level;
};

struct gzip_writer {
    struct writer base;
    struct writer *below; /* borrowed */
    struct pool *pool;    /* borrowed, may be NULL */
    size_t n_blocks;
    size_t first,
        n_busy; /* blocks[first ...] are at work, in order; the next one is being filled */
    bool has_output;
    uint64_t n_out; /* compressed bytes passed on */
    struct block blocks[];
};

/* ---- one block: all that follows up to the writer is a function of the block's content ---- */

static uint32_t load32(const char *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

/* Whether all byte values are about equally frequent: then Huffman coding gains under 0.5 %. */
static bool has_flat_histogram(struct span s)
{
    uint32_t counts[4][256] = { 0 };
    for (size_t i = 0; i + 4 <= s.len; i += 4)
        for (size_t k = 0; k < 4; k++)
            counts[k][(uint8_t)s.ptr[i + k]]++;
    uint64_t squares = 0, n = s.len & ~(size_t)3;
    for (size_t c = 0; c < 256; c++) {
        uint64_t sum = (uint64_t)counts[0][c] + counts[1][c] + counts[2][c] + counts[3][c];
        squares += sum * sum;
    }
    /* Random bytes give n * n / 256 + n. */
    return squares * 256 <= n * n + n * n / 20 + n * 256;
}

/* Whether hardly any four bytes occur a second time.  Every fourth position is remembered and every
 * one looked up, so that repetitions of seven bytes and more are seen. */
static bool has_few_matches(struct span s)
{
    enum { HASH_BITS = 13 };
    uint16_t seen[1 << HASH_BITS] = { 0 };
    size_t n_matches = 0;
    for (size_t i = 0; i + 4 <= s.len; i++) {
        uint32_t value = load32(s.ptr + i), hash = value * 0x9e3779b1u >> (32 - HASH_BITS);
        n_matches += seen[hash] != i && load32(s.ptr + seen[hash]) == value;
        if (i % 4 == 0)
            seen[hash] = (uint16_t)i;
    }
    return n_matches <= s.len / 512;
}
_Static_assert(SEGMENT <= UINT16_MAX + 1, "positions fit");

static bool is_incompressible(struct span segment)
{
    return segment.len >= 4096 && has_flat_histogram(segment) && has_few_matches(segment);
}

/* Length of the run of segments at the start of `rest` that are all incompressible, or all not. */
static size_t run_of(struct span rest, bool incompressible)
{
    size_t n = 0;
    while (n < rest.len) {
        struct span segment = span_first(span_skip(rest, n), SEGMENT);
        if (is_incompressible(segment) != incompressible)
            break;
        n += segment.len;
    }
    return n;
}

static void put(struct block *b, const void *bytes, size_t len)
{
    assert(len <= OUT_MAX - b->out_len);
    if (len)
        memcpy(b->out + b->out_len, bytes, len);
    b->out_len += len;
}

static void put32(struct block *b, uint32_t value)
{
    uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                         (uint8_t)(value >> 24) };
    put(b, bytes, sizeof bytes);
}

static void put_stored(struct block *b, struct span run, bool is_last)
{
    while (run.len) {
        struct span part = span_first(run, STORED_MAX);
        run = span_skip(run, part.len);
        uint8_t header[STORED_HEADER] = { is_last && !run.len, (uint8_t)part.len,
                                          (uint8_t)(part.len >> 8), (uint8_t)~part.len,
                                          (uint8_t)(~part.len >> 8) };
        put(b, header, sizeof header);
        put(b, part.ptr, part.len);
    }
}

static struct libdeflate_compressor *compressor(struct libdeflate_compressor **c, int level)
{
    if (!*c && !(*c = libdeflate_alloc_compressor(level))) {
        fprintf(stderr, "kiln: out of memory\n");
        abort();
    }
    return *c;
}

/* Compresses `run` to where the output ends; 0 when stored it would be no larger. */
static size_t deflate(const struct block *b, struct libdeflate_compressor *c, struct span run)
{
    size_t stored = run.len + (run.len / STORED_MAX + 1) * STORED_HEADER;
    return libdeflate_deflate_compress(c, run.ptr, run.len, b->out + b->out_len, stored - 1);
}

static void put_deflated(struct block *b, struct span run)
{
    size_t n = b->level ? deflate(b, compressor(&b->normal, b->level), run) : 0;
    if (n > 0 && n < run.len / 8 && b->level < LEVEL_MAX) {
        int higher = b->level + 2 < LEVEL_MAX ? b->level + 2 : LEVEL_MAX;
        n = deflate(b, compressor(&b->thorough, higher), run);
    }
    if (n == 0)
        put_stored(b, run, true);
    b->out_len += n;
}

static void put_member(struct block *b, struct span stored, struct span deflated)
{
    static const uint8_t header[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff };
    static const uint8_t empty[2] = { 3, 0 }; /* a final block of no bytes */
    put(b, header, sizeof header);
    put_stored(b, stored, deflated.len == 0);
    if (deflated.len)
        put_deflated(b, deflated);
    if (stored.len + deflated.len == 0)
        put(b, empty, sizeof empty);
    uint32_t crc = libdeflate_crc32(0, stored.ptr, stored.len);
    put32(b, libdeflate_crc32(crc, deflated.ptr, deflated.len));
    put32(b, (uint32_t)(stored.len + deflated.len));
}

static void put_members(struct block *b, struct span rest)
{
    do {
        struct span stored = span_first(rest, run_of(rest, true));
        rest = span_skip(rest, stored.len);
        struct span deflated = span_first(rest, run_of(rest, false));
        rest = span_skip(rest, deflated.len);
        put_member(b, stored, deflated);
    } while (rest.len);
}

/* A task. */
static int compress_block(void *arg, struct err *err)
{
    (void)err;
    struct block *b = arg;
    size_t at = 0;
    b->out_len = 0;
    for (size_t i = 0; i < b->n_cuts; i++) {
        struct cut *c = &b->cuts[i];
        if (c->at > at)
            put_members(b, span_bytes(b->in + at, c->at - at));
        at = c->at;
        c->out_at = b->out_len;
    }
    if (at < b->in_len || b->in_len == 0)
        put_members(b, span_bytes(b->in + at, b->in_len - at));
    return 0;
}

/* ---- the ring ---- */

static struct block *next_free(struct gzip_writer *w)
{
    assert(w->n_busy < w->n_blocks);
    struct block *b = &w->blocks[(w->first + w->n_busy) % w->n_blocks];
    if (!b->in) {
        b->in = xmalloc(GZIP_BLOCK);
        b->out = xmalloc(OUT_MAX);
        b->task = w->pool ? task_group_new(w->pool, 0) : NULL;
    }
    return b;
}

static int pass_on(struct gzip_writer *w, struct block *b, struct err *err)
{
    for (size_t i = 0; i < b->n_cuts; i++)
        *b->cuts[i].offset = w->n_out + b->cuts[i].out_at;
    b->n_cuts = 0;
    b->in_len = 0;
    w->n_out += b->out_len;
    w->has_output = true;
    return writer_write(w->below, span_bytes(b->out, b->out_len), err);
}

/* Waits for the oldest block at work and passes its bytes on. */
static int retire(struct gzip_writer *w, struct err *err)
{
    struct block *b = &w->blocks[w->first];
    w->first = (w->first + 1) % w->n_blocks;
    w->n_busy--;
    if (b->task && task_group_wait(b->task, err) < 0)
        return -1;
    return pass_on(w, b, err);
}

/* Hands a full block to the pool; afterwards there is one to fill. */
static int dispatch(struct gzip_writer *w, struct block *b, struct err *err)
{
    if (b->task)
        task_group_add(b->task, compress_block, b);
    else
        compress_block(b, err);
    w->n_busy++;
    return w->n_busy < w->n_blocks ? 0 : retire(w, err);
}

static int gzip_write(struct writer *base, struct span bytes, struct err *err)
{
    struct gzip_writer *w = (struct gzip_writer *)base;
    while (bytes.len) {
        struct block *b = next_free(w);
        struct span part = span_first(bytes, GZIP_BLOCK - b->in_len);
        memcpy(b->in + b->in_len, part.ptr, part.len);
        b->in_len += part.len;
        bytes = span_skip(bytes, part.len);
        if (b->in_len == GZIP_BLOCK && dispatch(w, b, err) < 0)
            return -1;
    }
    return 0;
}

/* Those behind which nothing came. */
static void end_cuts(struct gzip_writer *w, struct block *b)
{
    for (size_t i = 0; i < b->n_cuts; i++)
        *b->cuts[i].offset = w->n_out;
    b->n_cuts = 0;
}

int gzip_writer_cut(struct writer *base, uint64_t *offset, struct err *err)
{
    struct gzip_writer *w = (struct gzip_writer *)base;
    struct block *b = next_free(w);
    if (b->n_cuts == CUTS_MAX) {
        if (dispatch(w, b, err))
            return -1;
        b = next_free(w);
    }
    if (!b->cuts)
        b->cuts = xcalloc(CUTS_MAX, sizeof *b->cuts);
    b->cuts[b->n_cuts++] = (struct cut){ .at = b->in_len, .offset = offset };
    return 0;
}

int gzip_writer_flush(struct writer *base, struct err *err)
{
    struct gzip_writer *w = (struct gzip_writer *)base;
    struct block *b = next_free(w);
    if (b->in_len && dispatch(w, b, err))
        return -1;
    while (w->n_busy)
        if (retire(w, err))
            return -1;
    end_cuts(w, next_free(w));
    return 0;
}

static int gzip_finish(struct writer *base, struct err *err)
{
    struct gzip_writer *w = (struct gzip_writer *)base;
    struct block *last = next_free(w);
    bool is_empty = w->n_busy == 0 && !w->has_output && last->in_len == 0;
    if (last->in_len || is_empty) /* here: this thread would only wait meanwhile */
        compress_block(last, err);
    while (w->n_busy)
        if (retire(w, err) < 0)
            return -1;
    if (last->in_len || is_empty)
        return pass_on(w, last, err);
    end_cuts(w, last);
    return 0;
}

static void gzip_close(struct writer *base)
{
    struct gzip_writer *w = (struct gzip_writer *)base;
    for (size_t i = 0; i < w->n_blocks; i++) {
        struct block *b = &w->blocks[i];
        task_group_free(b->task); /* waits */
        libdeflate_free_compressor(b->normal);
        libdeflate_free_compressor(b->thorough);
        free(b->in);
        free(b->out);
        free(b->cuts);
    }
    free(w);
}

struct writer *gzip_writer(struct writer *below, int level, struct pool *pool)
{
    static const struct writer_ops ops = { .write = gzip_write,
                                           .finish = gzip_finish,
                                           .close = gzip_close };
    size_t n_blocks = pool ? pool_threads(pool) + 2 : 2;
    n_blocks = n_blocks < BLOCKS_MAX ? n_blocks : BLOCKS_MAX;
    struct gzip_writer *w = xcalloc(1, sizeof *w + n_blocks * sizeof w->blocks[0]);
    w->base.ops = &ops;
    w->below = below;
    w->pool = pool;
    w->n_blocks = n_blocks;
    for (size_t i = 0; i < n_blocks; i++)
        w->blocks[i].level = level < 0 ? LEVEL_DEFAULT : level < LEVEL_MAX ? level : LEVEL_MAX;
    return &w->base;
}
