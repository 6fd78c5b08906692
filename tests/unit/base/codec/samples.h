/* tests/unit/base/codec/samples.h - content like that of layers, and both ways through a
 * compression. */
#pragma once
#include "base/codec/compress.h"
#include "witness.h"

/* What layers are made of, three and a half blocks: text, zeros, bytes that cannot be compressed in
 * runs long and short, and a tail. */
enum { MIXED = 3 * GZIP_BLOCK + GZIP_BLOCK / 2 + 12345 };

__attribute__((unused)) static uint32_t random32(uint64_t *state)
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(*state >> 32);
}

__attribute__((unused)) static void fill_random(char *to, size_t len, uint64_t *state)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (char)(random32(state) >> 24);
}

__attribute__((unused)) static void fill_text(char *to, size_t len, uint64_t *state)
{
    static const char *const words[] = { "layer ",  "digest ", "manifest\n", "struct ", "int ",
                                         "return ", "if (",    ") {\n",      "}\n",     "0x1f, " };
    for (size_t i = 0; i < len;) {
        const char *word = words[random32(state) % 10];
        for (; *word && i < len; i++)
            to[i] = *word++;
    }
}

__attribute__((unused)) static char *make_mixed(void)
{
    char *bytes = xcalloc(1, MIXED);
    uint64_t state = 1;
    size_t at = 0;
    for (int i = 0; at < MIXED; i++) {
        size_t len = 1000 + random32(&state) % 150000;
        len = len < MIXED - at ? len : MIXED - at;
        if (i % 3 == 0)
            fill_text(bytes + at, len, &state);
        else if (i % 3 == 1)
            fill_random(bytes + at, len, &state);
        at += len;
    }
    return bytes;
}

/* Compresses by writes of `step` bytes on `n_threads` (0: without a pool). */
__attribute__((unused)) static struct buf compress(struct span bytes, enum compression c, int level,
                                                   size_t n_threads, size_t step)
{
    struct buf b;
    struct err err = { 0 };
    buf_init(&b, (size_t)(256 * MIB));
    AUTO(pool_free) struct pool *pool = n_threads ? pool_new(n_threads) : NULL;
    AUTO(writer_close) struct writer *to = writer_to_buf(&b);
    AUTO(writer_close) struct writer *w = writer_compressing(to, c, level, pool);
    for (; bytes.len; bytes = span_skip(bytes, step))
        EXPECT_OK(writer_write(w, span_first(bytes, step), &err), &err);
    EXPECT_OK(writer_finish(w, &err), &err);
    return b;
}

__attribute__((unused)) static int decompress(struct span bytes, enum compression c,
                                              struct buf *out, struct err *err)
{
    AUTO(reader_close) struct reader *below = reader_of_span(bytes);
    AUTO(reader_close) struct reader *r = reader_decompressing(below, c);
    return reader_slurp(r, out, err);
}

__attribute__((unused)) static void expect_content(struct span compressed, enum compression c,
                                                   struct span want)
{
    AUTO_VALUE(buf_clear) struct buf got;
    buf_init(&got, want.len + 100);
    struct err err = { 0 };
    EXPECT_OK(decompress(compressed, c, &got, &err), &err);
    EXPECT(span_equal(buf_span(&got), want));
}
