/* engine/ops/unpack.c - ADD of an archive: plain tar, or tar in gzip, zstd, bzip2 or xz, known by
 * its content.
 *
 * Two looks: whether there is a first entry, then all of it into the destination, which is made as
 * a folder.  Entries cannot leave it (image/layer/apply.h). */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec/compress.h"
#include "base/codec/foreign.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/ops/internal.h"
#include "image/layer/apply.h"
#include "image/layer/tar_reader.h"

/* The streams over an archive file. */
struct archive_file {
    int fd;
    struct reader *file, *plain; /* plain: decompressed; may be `file` */
};

static void archive_close(struct archive_file *f)
{
    if (f->plain != f->file)
        reader_close(f->plain);
    reader_close(f->file);
    if (f->fd >= 0)
        close(f->fd);
}

static int archive_open(const struct copy_job *job, struct archive_file *f, struct err *err)
{
    char head[8];
    *f = (struct archive_file){ .fd = -1 };
    if (fs_open_in_root(tree_fd(job->from), job->src, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &f->fd,
                        err))
        return -1;
    ssize_t n = pread(f->fd, head, sizeof head, 0);
    if (n < 0)
        return err_sys(err, "read %s", job->src);
    struct span start = span_bytes(head, (size_t)n);
    f->file = f->plain = reader_of_fd(f->fd, false);
    enum compression compression = compression_sniff(start);
    if (compression != COMPRESSION_NONE)
        f->plain = reader_decompressing(f->file, compression);
    else if (foreign_is_compressed(start)) {
        f->plain = NULL;
        return reader_of_foreign(f->file, &f->plain, err);
    }
    return 0;
}

static bool is_archive(const struct copy_job *job)
{
    AUTO_VALUE(archive_close) struct archive_file f = { .fd = -1 };
    struct err ignored = { 0 };
    struct stat st;
    const struct tar_entry *first = NULL;
    if (fstatat(tree_fd(job->from), job->src, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode) || st.st_size == 0 || archive_open(job, &f, &ignored))
        return false;
    AUTO(tar_reader_free) struct tar_reader *tar = tar_reader_new(f.plain);
    return tar_reader_next(tar, &first, &ignored) == 0 && first;
}

int unpack_run(const struct copy_job *job, bool *did, struct err *err)
{
    AUTO_VALUE(archive_close) struct archive_file f = { .fd = -1 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result result = { 0 };
    AUTO_FD int to = -1;
    *did = is_archive(job);
    if (!*did)
        return 0;
    struct layer_owner owner = { .uid = job->owner.uid, .gid = job->owner.gid };
    struct layer_apply_options o = { .form = LAYER_PLAIN,
                                     .ids = job->ids,
                                     .owner = job->owner.is_set ? &owner : NULL,
                                     .cancel = job->cancel };
    struct new_folder folder = { .mode = 0755,
                                 .owner = job->owner,
                                 .timestamp_ns = job->action->timestamp_ns };
    if (make_folders(job->to_fd, job->action->path, &folder, err) ||
        fs_open_in_root(job->to_fd, job->action->path, O_RDONLY | O_DIRECTORY, 0, &to, err) ||
        archive_open(job, &f, err) || layer_apply(f.plain, to, &o, &result, err))
        return err_wrap(err, "unpack %s", job->src);
    return 0;
}
