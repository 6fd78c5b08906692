/* engine/snapshot/seal.c - the top layer as a blob.
 *
 * One pass: tar -> hashed (diffID) -> compressed -> hashed into the store.  Sealed layers are
 * remembered by their options; one thread at a time seals a snapshot, the others find its result.
 *
 * Where the tar comes from: a step's from its driver; another layer's from its blob, written anew
 * when times are to change or a table of its entries is wanted.
 *
 * What this build made is sealed as asked, also where it stands as a blob in a chain of its own
 * (snapshot_stack()) or came from a cache.  A layer of a base image stays what the image says it
 * is; when it is to be compressed otherwise it keeps its times all the same, as in BuildKit:
 * SOURCE_DATE_EPOCH is this build's. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "engine/snapshot/driver.h"
#include "image/layer/estargz.h"
#include "image/layer/rewrite.h"
#include "image/oci/media_type.h"
#include "image/store/blob.h"
#include "image/store/ingest.h"

/* ---- options ---- */

static const int default_levels[] = { [COMPRESSION_NONE] = 0,
                                      [COMPRESSION_GZIP] = 6,
                                      [COMPRESSION_ZSTD] = 3,
                                      [COMPRESSION_ESTARGZ] = 6 };

/* Whether it stays as it came. */
static bool is_kept(const struct snapshot *s, const struct seal_options *o)
{
    return o->keeps_pulled && !s->is_step && s->origin;
}

static struct seal_key key_of(const struct snapshot *s, const struct seal_options *o)
{
    struct seal_key k = { .compression = o->compression, .level = o->level };
    if (o->level < 0 || o->compression == COMPRESSION_NONE)
        k.level = default_levels[o->compression];
    k.has_epoch = o->has_epoch && !is_kept(s, o);
    k.epoch_s = k.has_epoch ? o->epoch_s : 0;
    return k;
}

/* ---- writing ---- */

static int write_blob_layer(struct snapshot *s, const struct tar_writer_options *tar,
                            const struct cancel *cancel, struct writer *out, struct err *err)
{
    AUTO_VALUE(tar_source_close) struct tar_source source = { 0 };
    struct reader *from;
    if (tar_source_open(s, cancel, &source, &from, err))
        return -1;
    return tar->has_epoch || tar->watch ? layer_repack(from, tar, cancel, out, err)
                                        : stream_copy(from, out, NULL, err);
}

static int write_tar(struct snapshot *s, const struct seal_key *k, const struct tar_watch *watch,
                     const struct cancel *cancel, struct writer *out, struct err *err)
{
    struct tar_writer_options tar = { .has_epoch = k->has_epoch,
                                      .epoch = k->epoch_s,
                                      .watch = watch };
    if (s->is_step ? s->all->driver->layer_write(s, &tar, cancel, out, err)
                   : write_blob_layer(s, &tar, cancel, out, err))
        return -1;
    return writer_finish(out, err);
}

/* What the tar goes through on its way to the blob. */
struct packing {
    struct writer *writer;   /* owned, but of an estargz */
    struct estargz *estargz; /* owned; NULL: it is none */
    const struct tar_watch *watch;
};

static struct packing packing_of(struct writer *sink, const struct seal_key *k, struct pool *pool)
{
    struct packing p = { 0 };
    if (k->compression == COMPRESSION_ESTARGZ) {
        p.estargz = estargz_new(sink, k->level, pool);
        p.writer = estargz_writer(p.estargz);
        p.watch = estargz_watch(p.estargz);
    } else {
        p.writer = writer_compressing(sink, k->compression, k->level, pool);
    }
    return p;
}

static void packing_clear(struct packing *p)
{
    if (!p->estargz)
        writer_close(p->writer);
    estargz_free(p->estargz);
}

static void annotate(struct descriptor *blob, const struct estargz *z)
{
    struct digest toc = estargz_toc_digest(z);
    AUTO_FREE char *size = xasprintf("%" PRIu64, estargz_size(z));
    map_set_str(&blob->annotations, ESTARGZ_TOC_DIGEST, digest_text(&toc).s);
    map_set_str(&blob->annotations, ESTARGZ_SIZE, size);
}

/* The blob of the tar, in the store. */
static int write_blob(struct snapshot *s, const struct seal_key *k, const struct cancel *cancel,
                      struct layer_ref *out, struct err *err)
{
    const struct snapshots_options *o = &s->all->options;
    AUTO(ingest_close) struct ingest *in = NULL;
    struct digest digest;
    if (ingest_open(o->store, NULL, UINT64_MAX, &in, err))
        return -1;
    AUTO(writer_close) struct writer *sink = writer_to_ingest(in);
    AUTO_VALUE(packing_clear) struct packing p = packing_of(sink, k, o->pool);
    AUTO(writer_close) struct writer *tar = writer_hashing(p.writer, DIGEST_SHA256);
    if (write_tar(s, k, p.watch, cancel, tar, err) || writer_finish(p.writer, err) ||
        writer_finish(sink, err) || ingest_commit(in, &digest, err))
        return -1;
    out->diff_id = writer_hashing_digest(tar);
    out->blob = descriptor_make(media_layer_type(MEDIA_FAMILY_OCI, k->compression), &digest,
                                ingest_size(in));
    if (p.estargz)
        annotate(&out->blob, p.estargz);
    return 0;
}

/* ---- remembering ---- */

static int find_sealed(struct snapshot *s, const struct seal_key *k, struct layer_ref *out,
                       bool *is_there, struct err *err)
{
    struct store *st = s->all->options.store;
    uint64_t size = 0;
    if (sealed_find(store_db(st), s->id, k, out, is_there, err))
        return -1;
    if (!*is_there)
        return 0;
    if (blob_find(st, &out->blob.digest, is_there, &size, err) || !*is_there) {
        layer_ref_clear(out);
        return *is_there ? -1 : 0;
    }
    return 0;
}

static int remember_inside(struct snapshot *s, const struct seal_key *k,
                           const struct layer_ref *layer, struct err *err)
{
    struct store *st = s->all->options.store;
    AUTO_VALUE(str_list_clear) struct str_list needs = { 0 };
    AUTO(query_close) struct query *q = NULL;
    bool has_row = false;
    if (sealed_put(store_db(st), s->id, k, layer, err) ||
        query_open(store_db(st), "SELECT size FROM object WHERE id = ?1", &q, err))
        return -1;
    query_text(q, 1, s->id);
    if (query_step(q, &has_row, err))
        return -1;
    uint64_t size = has_row ? (uint64_t)query_get_int(q, 0) : 0;
    return node_put_object(s, size, &layer->blob.digest, err);
}

static int remember(struct snapshot *s, const struct seal_key *k, const struct layer_ref *layer,
                    struct err *err)
{
    struct db *db = store_db(s->all->options.store);
    if (db_begin(db, err))
        return -1;
    int status = remember_inside(s, k, layer, err);
    return db_end(db, status == 0, err) || status ? -1 : 0;
}

static int seal_alone(struct snapshot *s, const struct seal_key *k, const struct cancel *cancel,
                      struct layer_ref *out, struct err *err)
{
    bool is_there = false;
    if (find_sealed(s, k, out, &is_there, err) || is_there)
        return is_there ? 0 : -1;
    if (write_blob(s, k, cancel, out, err) == 0 && remember(s, k, out, err) == 0)
        return 0;
    layer_ref_clear(out);
    return -1;
}

/* ---- one at a time ---- */

static int seal_enter(struct snapshot *s, const struct cancel *cancel, struct err *err)
{
    struct snapshots *all = s->all;
    int status = 0;
    pthread_mutex_lock(&all->lock);
    while (s->is_sealing && (status = cancel_check(cancel, err)) == 0)
        snapshots_wait(all);
    if (status == 0)
        s->is_sealing = true;
    pthread_mutex_unlock(&all->lock);
    return status;
}

static void seal_leave(struct snapshot *s)
{
    pthread_mutex_lock(&s->all->lock);
    s->is_sealing = false;
    pthread_cond_broadcast(&s->all->changed);
    pthread_mutex_unlock(&s->all->lock);
}

static int seal(struct snapshot *s, const struct seal_key *k, const struct cancel *cancel,
                struct layer_ref *out, struct err *err)
{
    *out = (struct layer_ref){ 0 };
    if (seal_enter(s, cancel, err))
        return -1;
    int status = seal_alone(s, k, cancel, out, err);
    seal_leave(s);
    return status ? err_wrap(err, "pack the layer of %s", s->id) : 0;
}

/* ---- the contract ---- */

static bool is_estargz(const struct descriptor *blob)
{
    return map_has(&blob->annotations, ESTARGZ_TOC_DIGEST);
}

/* Whether a layer that is a blob is to be handed out as it is. */
static bool is_as_wanted(const struct snapshot *s, const struct seal_options *o,
                         const struct seal_key *k)
{
    enum compression now;
    if (s->is_step)
        return false;
    if (is_kept(s, o) && !o->is_forced)
        return true;
    if (k->has_epoch || !media_is_layer(s->blob.media_type, &now))
        return false;
    if (is_estargz(&s->blob))
        now = COMPRESSION_ESTARGZ;
    return now == k->compression && (is_kept(s, o) || k->level == default_levels[now]);
}

int snapshot_seal(struct snapshots *all, struct snapshot *s, const struct seal_options *o,
                  struct layer_ref *out, struct err *err)
{
    (void)all;
    *out = (struct layer_ref){ 0 };
    struct seal_key k = key_of(s, o);
    if (is_as_wanted(s, o, &k)) {
        descriptor_copy(&out->blob, &s->blob);
        out->diff_id = s->diff_id;
        return 0;
    }
    return seal(s, &k, o->cancel, out, err);
}

int snapshot_fetch_blob(struct snapshots *all, struct snapshot *s, const struct descriptor *blob,
                        const struct cancel *cancel, struct err *err)
{
    (void)all;
    return blob_ensure(s, blob, cancel, err);
}
