/* fuzz/gzip.c - any bytes through the readers of gzip and zstd: content or an error, in bounded
 * memory, and the same whether it is read in one piece or in small ones. */
#include <assert.h>

#include "base/codec/compress.h"
#include "base/core/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads by pieces of `step` bytes.  1: stopped after about a mebibyte. */
static int inflate(struct span bytes, enum compression c, size_t step, struct buf *out)
{
    AUTO(reader_close) struct reader *below = reader_of_span(bytes);
    AUTO(reader_close) struct reader *r = reader_decompressing(below, c);
    struct err err = { 0 };
    buf_init(out, (size_t)MIB);
    for (size_t n = 1; n > 0; buf_grown(out, n)) {
        if (buf_room(out) < step)
            return 1;
        if (reader_read(r, buf_reserve(out, step), step, &n, &err) < 0)
            return -1;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (enum compression c = COMPRESSION_GZIP; c <= COMPRESSION_ZSTD; c++) {
        AUTO_VALUE(buf_clear) struct buf whole;
        AUTO_VALUE(buf_clear) struct buf pieces;
        int a = inflate(span_bytes(data, size), c, 65536, &whole);
        int b = inflate(span_bytes(data, size), c, 1024, &pieces);
        if (a == 1 || b == 1)
            continue;
        assert(a == b);
        if (a == 0)
            assert(span_equal(buf_span(&whole), buf_span(&pieces)));
    }
    return 0;
}
