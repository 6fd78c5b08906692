/* fuzz/compress.c - any content, compressed and decompressed, is the same. */
#include <assert.h>

#include "base/codec/compress.h"
#include "base/core/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input, repeated to more than one segment when its first byte is odd. */
static void make_content(const uint8_t *data, size_t size, struct buf *content)
{
    buf_init(content, (size_t)(2 * MIB));
    size_t n_times = size && data[0] & 1 ? 100000 / size + 1 : 1;
    for (size_t i = 0; i < n_times; i++)
        buf_put(content, span_bytes(data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MIB)
        return 0;
    AUTO_VALUE(buf_clear) struct buf content;
    make_content(data, size, &content);
    for (enum compression c = COMPRESSION_GZIP; c <= COMPRESSION_ZSTD; c++) {
        AUTO_VALUE(buf_clear) struct buf compressed;
        AUTO_VALUE(buf_clear) struct buf back;
        buf_init(&compressed, (size_t)(3 * MIB));
        buf_init(&back, (size_t)(2 * MIB));
        struct err err = { 0 };
        AUTO(writer_close) struct writer *to = writer_to_buf(&compressed);
        AUTO(writer_close) struct writer *w = writer_compressing(to, c, -1, NULL);
        int result = writer_write(w, buf_span(&content), &err);
        assert(result == 0);
        result = writer_finish(w, &err);
        assert(result == 0);
        assert(compressed.len <= content.len + content.len / 500 + 64);
        AUTO(reader_close) struct reader *from = reader_of_span(buf_span(&compressed));
        AUTO(reader_close) struct reader *r = reader_decompressing(from, c);
        result = reader_slurp(r, &back, &err);
        assert(result == 0 && span_equal(buf_span(&back), buf_span(&content)));
    }
    return 0;
}
