/* image/store/ingest.c - see ingest.h. */
#include "image/store/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/store/internal.h"

struct ingest {
    struct store *store; /* borrowed */
    struct digest want;  /* DIGEST_NONE: any */
    uint64_t want_size;  /* UINT64_MAX: any */
    uint64_t size;       /* bytes so far, never above want_size */
    uint64_t reserved;   /* bytes promised under the ceiling */
    struct hasher *hasher;
    int fd; /* owned, nameless, in the blobs folder */
};

/* How much is reserved at a time where the size is not known. */
#define RESERVE_STEP (64 * MIB)

int ingest_open(struct store *st, const struct digest *want, uint64_t size, struct ingest **out,
                struct err *err)
{
    AUTO(ingest_close) struct ingest *in = xcalloc(1, sizeof *in);
    *in = (struct ingest){ .store = st, .want_size = size, .fd = -1 };
    if (want)
        in->want = *want;
    enum digest_algorithm algorithm = want ? want->algorithm : DIGEST_SHA256;
    in->hasher = hasher_new(algorithm);
    if (size != UINT64_MAX) {
        if (store_reserve(st, size, err))
            return -1;
        in->reserved = size;
    }
    AUTO_FD int folder = -1;
    AUTO_FREE char *path = xasprintf("blobs/%s", digest_algorithm_name(algorithm));
    if (fs_open(st->fd, path, O_RDONLY | O_DIRECTORY, 0, &folder, err) ||
        fs_open_temporary(folder, 0444, &in->fd, err))
        return err_wrap(err, "create a blob in the store %s", st->path);
    *out = STEAL(in);
    return 0;
}

/* A step ahead, so that not every write asks; near the ceiling only what is there to be written. */
static int grow_reserve(struct ingest *in, uint64_t size, struct err *err)
{
    if (size <= in->reserved)
        return 0;
    uint64_t missing = size - in->reserved;
    if (store_reserve(in->store, missing + RESERVE_STEP, err) == 0) {
        in->reserved = size + RESERVE_STEP;
        return 0;
    }
    if (err->kind != ERR_LIMIT)
        return -1;
    err_clear(err);
    if (store_reserve(in->store, missing, err))
        return -1;
    in->reserved = size;
    return 0;
}

int ingest_write(struct ingest *in, struct span bytes, struct err *err)
{
    uint64_t size = in->size + bytes.len;
    if (size > in->want_size)
        return err_set(err, ERR_CORRUPT, "blob %s is longer than the %" PRIu64 " bytes promised",
                       digest_text(&in->want).s, in->want_size);
    if (in->want_size == UINT64_MAX && grow_reserve(in, size, err))
        return -1;
    if (fs_write_all(in->fd, bytes, err))
        return err_wrap(err, "write a blob in the store %s", in->store->path);
    hasher_update(in->hasher, bytes);
    in->size = size;
    return 0;
}

uint64_t ingest_size(const struct ingest *in)
{
    return in->size;
}

int ingest_restart(struct ingest *in, struct err *err)
{
    if (ftruncate(in->fd, 0) < 0 || lseek(in->fd, 0, SEEK_SET) < 0)
        return err_sys(err, "empty a blob in the store %s", in->store->path);
    in->size = 0;
    (void)hasher_final(in->hasher);
    return 0;
}

/* In one transaction with its record, else a collection could take the file of the same digest that
 * was there before, between the two. */
static int publish_inside(struct ingest *in, const struct digest *got, struct err *err)
{
    struct store *st = in->store;
    if (db_begin(st->db, err))
        return -1;
    int status = fs_publish(in->fd, st->fd, blob_path(got).s, err);
    if (status == 0)
        status = object_put(st, digest_text(got).s, in->size, NULL, err);
    return db_end(st->db, status == 0, err) || status ? -1 : 0;
}

/* What was promised is an object now, or will never be written. */
static void give_back(struct ingest *in)
{
    store_unreserve(in->store, in->reserved);
    in->reserved = 0;
}

static int ingest_publish(struct ingest *in, const struct digest *got, struct err *err)
{
    struct store *st = in->store;
    /* The bytes start on their way to the disk now, so that store_settle() waits less. */
    sync_file_range(in->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    if (publish_inside(in, got, err))
        return err_wrap(err, "keep blob %s", digest_text(got).s);
    give_back(in);
    pthread_mutex_lock(&st->lock);
    *vec_push(&st->unsettled) = *got;
    pthread_mutex_unlock(&st->lock);
    return 0;
}

/* Holds what arrived against both promises: the one of the opening and `want`. */
static int ingest_check(const struct ingest *in, const struct digest *want,
                        const struct digest *got, struct err *err)
{
    if (digest_is_set(want) && !digest_equal(got, want))
        return err_set(err, ERR_CORRUPT, "blob %s arrived as %s (%" PRIu64 " bytes)",
                       digest_text(want).s, digest_text(got).s, in->size);
    if (in->want_size != UINT64_MAX && in->size != in->want_size)
        return err_set(err, ERR_CORRUPT,
                       "blob %s ended after %" PRIu64 " of the %" PRIu64 " bytes promised",
                       digest_text(digest_is_set(want) ? want : got).s, in->size, in->want_size);
    return 0;
}

int ingest_commit_as(struct ingest *in, const struct digest *want, struct err *err)
{
    struct digest got = hasher_final(in->hasher);
    if (ingest_check(in, want, &got, err))
        return -1;
    return ingest_publish(in, &got, err);
}

int ingest_commit(struct ingest *in, struct digest *out, struct err *err)
{
    struct digest got = hasher_final(in->hasher);
    if (ingest_check(in, &in->want, &got, err) || ingest_publish(in, &got, err))
        return -1;
    if (out)
        *out = got;
    return 0;
}

void ingest_close(struct ingest *in)
{
    if (!in)
        return;
    int saved = errno;
    give_back(in);
    if (in->fd >= 0)
        close(in->fd);
    hasher_free(in->hasher);
    free(in);
    errno = saved;
}

struct ingest_writer {
    struct writer base;
    struct ingest *ingest; /* borrowed */
};

static int ingest_writer_write(struct writer *w, struct span bytes, struct err *err)
{
    return ingest_write(((struct ingest_writer *)w)->ingest, bytes, err);
}

static void ingest_writer_close(struct writer *w)
{
    free(w);
}

struct writer *writer_to_ingest(struct ingest *in)
{
    static const struct writer_ops ops = { .write = ingest_writer_write,
                                           .close = ingest_writer_close };
    struct ingest_writer *w = xcalloc(1, sizeof *w);
    *w = (struct ingest_writer){ .base = { .ops = &ops }, .ingest = in };
    return &w->base;
}

int blob_put(struct store *st, struct span bytes, struct digest *out, struct err *err)
{
    AUTO(ingest_close) struct ingest *in = NULL;
    if (ingest_open(st, NULL, bytes.len, &in, err) || ingest_write(in, bytes, err))
        return -1;
    return ingest_commit(in, out, err);
}
