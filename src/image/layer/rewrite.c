/* image/layer/rewrite.c - see rewrite.h. */
#include "image/layer/rewrite.h"

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/layer/tar_reader.h"

static const size_t chunk_size = 64 * KIB;

static int copy_body(struct tar_reader *from, struct tar_writer *to, char *chunk,
                     const struct cancel *cancel, struct err *err)
{
    struct reader *body = tar_reader_body(from);
    for (;;) {
        size_t n;
        if (cancel_check(cancel, err) || reader_read(body, chunk, chunk_size, &n, err))
            return -1;
        if (n == 0)
            return 0;
        if (tar_writer_write(to, span_bytes(chunk, n), err))
            return -1;
    }
}

int layer_rewrite(struct reader *tar, const struct tar_writer_options *options,
                  const struct cancel *cancel, struct writer *out, struct err *err)
{
    AUTO(tar_reader_free) struct tar_reader *from = tar_reader_new(tar);
    AUTO(tar_writer_free) struct tar_writer *to = tar_writer_new(out, options);
    AUTO_FREE char *chunk = xmalloc(chunk_size);
    const struct tar_entry *e;
    for (;;) {
        if (cancel_check(cancel, err) || tar_reader_next(from, &e, err))
            return -1;
        if (!e)
            break;
        if (tar_writer_entry(to, e, err))
            return -1;
        if (e->type == TAR_FILE && copy_body(from, to, chunk, cancel, err))
            return err_wrap(err, "%s", e->path);
    }
    return tar_reader_drain(from, err) ? -1 : tar_writer_finish(to, err);
}
