/* image/layer/estargz.h - a layer of which single files can be read: eStargz.
 *
 * A gzipped tar as any other, whose diffID is of all that is in it.  What is more: each file's
 * content begins a gzip member (large ones one for each CHUNK), a table of all entries with the
 * places and digests of their chunks is the last entry, and an empty member of 51 bytes ends the
 * blob and says where that table begins.  Who mounts it fetches footer and table, then what it
 * reads.  No file is marked as wanted first: a landmark says so.
 *
 *     .no.prefetch.landmark    one byte 0x0f
 *     the layer's entries
 *     stargz.index.json        {"version":1,"entries":[...]}
 *     1f 8b 08 04 00000000 00 ff  1a 00  'S' 'G'  16 00  "%016xSTARGZ" of the table's offset
 *         01 00 00 ff ff  00000000 00000000
 *
 * The bytes are a function of entries and level alone.  Memory: some 200 bytes for each entry, and
 * the table's text.
 *
 * Spec:    stargz-snapshotter docs/estargz.md.
 * Threads: an estargz belongs to one thread; the pool compresses behind it. */
#pragma once
#include "base/codec/digest.h"
#include "base/core/pool.h"
#include "image/layer/tar_writer.h"

#define ESTARGZ_TOC_DIGEST "containerd.io/snapshot/stargz/toc.digest"
#define ESTARGZ_SIZE "io.containers.estargz.uncompressed-size"

struct estargz;
/* Borrows `below` and `pool` (may be NULL).  level: as writer_compressing() takes gzip's. */
struct estargz *estargz_new(struct writer *below, int level, struct pool *pool);
void estargz_free(struct estargz *e);
DEFINE_AUTO(struct estargz, estargz_free)
/* Takes the tar; finishing it writes the footer and finishes nothing below.  Owned by `e`. */
struct writer *estargz_writer(struct estargz *e);
/* The watch of the tar_writer whose bytes come to it, without anything on the way that holds them
 * back.  Owned by `e`. */
const struct tar_watch *estargz_watch(struct estargz *e);
/* Of a finished one: what the layer's descriptor says of it under the two names above. */
struct digest estargz_toc_digest(const struct estargz *e);
uint64_t estargz_size(const struct estargz *e);
