/* image/layer/rewrite.c - see rewrite.h. */
#include "image/layer/rewrite.h"

#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/layer/internal.h"
#include "image/layer/tar_reader.h"
#include "image/layer/whiteout.h"

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

/* As layer_pack() writes them. */
static bool is_our_whiteout(const struct tar_entry *e)
{
    return e->type == TAR_FILE && e->size == 0 && e->mode == 0 && e->mtime.tv_sec == 0 &&
           strncmp(path_name(e->path), WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0;
}

static int rewrite(struct reader *tar, const struct tar_writer_options *options, bool is_ours,
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
        struct tar_entry entry = *e;
        if (is_ours && options->has_epoch && is_our_whiteout(e))
            entry.mtime = (struct timespec){ .tv_sec = options->epoch };
        if (tar_writer_entry(to, &entry, err))
            return -1;
        if (e->type == TAR_FILE && copy_body(from, to, chunk, cancel, err))
            return err_wrap(err, "%s", e->path);
    }
    return tar_reader_drain(from, err) ? -1 : tar_writer_finish(to, err);
}

int layer_rewrite(struct reader *tar, const struct tar_writer_options *options,
                  const struct cancel *cancel, struct writer *out, struct err *err)
{
    return rewrite(tar, options, false, cancel, out, err);
}

int layer_repack(struct reader *tar, const struct tar_writer_options *options,
                 const struct cancel *cancel, struct writer *out, struct err *err)
{
    return rewrite(tar, options, true, cancel, out, err);
}
