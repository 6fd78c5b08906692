/* image/layer/estargz.c - see estargz.h.
 *
 * The tar writer tells of each entry when its header has passed; the bytes that come next are its
 * content.  So the tar is never parsed: what is a header's and what is content's is known by
 * counting.  Places are known when their blocks are compressed; the table is written last. */
#include "image/layer/estargz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/codec/compress.h"
#include "base/codec/json.h"
#include "base/codec/text.h"
#include "base/core/arena.h"
#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/core/vec.h"

static const char toc_name[] = "stargz.index.json", landmark_name[] = ".no.prefetch.landmark";

enum { CHUNK = 4 * 1024 * 1024 }; /* as other writers of the format cut */

struct chunk {
    uint64_t offset; /* in the blob */
    uint64_t at;     /* in the file */
    uint64_t size;
    struct digest digest;
    struct chunk *next;
};

struct entry {
    char *path, *link, *user_name, *group_name; /* of the arena, as all below */
    struct tar_entry e;
    struct tar_xattr *xattrs;
    struct digest digest; /* of a file's content */
    struct chunk *chunks;
};

struct estargz {
    struct writer base;
    struct writer *below; /* borrowed */
    struct writer *gzip;  /* owned */
    struct tar_watch watch;
    struct arena *arena;
    vec(struct entry) entries;
    uint64_t size; /* of the tar so far */
    /* of the file whose content is coming */
    uint64_t left, in_chunk; /* of the file, of the chunk */
    struct chunk *chunk;
    struct hasher *of_file, *of_chunk;
    bool is_toc; /* the table itself: in no entry */
    uint64_t toc_offset;
    struct digest toc_digest;
};

/* ---- content as it passes ---- */

static int chunk_begin(struct estargz *z, struct err *err)
{
    struct entry *e = &z->entries.items[z->entries.n - 1];
    struct chunk *c = arena_alloc(z->arena, sizeof *c);
    *c = (struct chunk){ .at = e->e.size - z->left, .size = z->left < CHUNK ? z->left : CHUNK };
    if (z->chunk)
        z->chunk->next = c;
    else
        e->chunks = c;
    z->chunk = c;
    z->in_chunk = c->size;
    z->of_chunk = hasher_new(DIGEST_SHA256);
    return gzip_writer_cut(z->gzip, &c->offset, err);
}

static void chunk_end(struct estargz *z)
{
    struct entry *e = &z->entries.items[z->entries.n - 1];
    z->chunk->digest = hasher_final(z->of_chunk);
    hasher_free(STEAL(z->of_chunk));
    if (z->left > 0)
        return;
    e->digest = z->of_file ? hasher_final(z->of_file) : z->chunk->digest;
    hasher_free(STEAL(z->of_file));
    z->chunk = NULL;
}

static int content(struct estargz *z, struct span part, struct err *err)
{
    if (z->in_chunk == 0 && chunk_begin(z, err))
        return -1;
    if (z->of_file)
        hasher_update(z->of_file, part);
    hasher_update(z->of_chunk, part);
    z->left -= part.len;
    z->in_chunk -= part.len;
    if (writer_write(z->gzip, part, err))
        return -1;
    if (z->in_chunk == 0)
        chunk_end(z);
    return 0;
}

static int estargz_write(struct writer *base, struct span bytes, struct err *err)
{
    struct estargz *z = (struct estargz *)base;
    z->size += bytes.len;
    while (bytes.len && z->left) {
        uint64_t cap = z->in_chunk ? z->in_chunk : z->left < CHUNK ? z->left : CHUNK;
        struct span part = span_first(bytes, cap);
        if (content(z, part, err))
            return -1;
        bytes = span_skip(bytes, part.len);
    }
    return writer_write(z->gzip, bytes, err);
}

/* ---- entries ---- */

static void note_entry(void *arg, const char *path, const struct tar_entry *e)
{
    struct estargz *z = arg;
    if (z->is_toc)
        return;
    struct entry *made = vec_push(&z->entries);
    *made =
        (struct entry){ .path = arena_strdup(z->arena, path),
                        .link = arena_strdup(z->arena, e->link),
                        .user_name = arena_strdup(z->arena, e->user_name),
                        .group_name = arena_strdup(z->arena, e->group_name),
                        .e = *e,
                        .xattrs = arena_alloc(z->arena, (e->n_xattrs + 1) * sizeof *e->xattrs) };
    for (size_t i = 0; i < e->n_xattrs; i++) {
        struct span value = e->xattrs[i].value;
        char *bytes = arena_alloc(z->arena, value.len + 1);
        memcpy(bytes, value.len ? value.ptr : "", value.len);
        made->xattrs[i] = (struct tar_xattr){ .name = arena_strdup(z->arena, e->xattrs[i].name),
                                              .value = span_bytes(bytes, value.len) };
    }
    if (e->type != TAR_FILE)
        return;
    z->left = e->size;
    if (e->size == 0)
        made->digest = digest_of(span_of(""));
    else if (e->size > CHUNK) /* of one chunk both digests are one */
        z->of_file = hasher_new(DIGEST_SHA256);
}

static int put_file(struct tar_writer *t, const char *name, struct span text, struct err *err)
{
    struct tar_entry e = { .type = TAR_FILE,
                           .path = name,
                           .link = "",
                           .size = text.len,
                           .mode = 0644,
                           .user_name = "",
                           .group_name = "" };
    return tar_writer_entry(t, &e, err) || tar_writer_write(t, text, err) ? -1 : 0;
}

static int put_landmark(void *arg, struct tar_writer *t, struct err *err)
{
    (void)arg;
    return put_file(t, landmark_name, SPAN("\x0f"), err);
}

/* ---- the table ---- */

static const char *type_name(enum tar_type type)
{
    static const char *const names[] = {
        [TAR_FILE] = "reg",         [TAR_HARD_LINK] = "hardlink", [TAR_SYMLINK] = "symlink",
        [TAR_CHAR_DEVICE] = "char", [TAR_BLOCK_DEVICE] = "block", [TAR_FOLDER] = "dir",
        [TAR_FIFO] = "fifo",
    };
    return names[type];
}

static void set_u64(struct json *o, const char *key, uint64_t value)
{
    if (value)
        json_set_int(o, key, (int64_t)value);
}

static void set_text(struct json *o, const char *key, const char *value)
{
    if (*value)
        json_set(o, key, json_new_strn(span_of(value)));
}

static void set_digest(struct json *o, const char *key, const struct digest *d)
{
    json_set_str(o, key, digest_text(d).s);
}

static void set_xattrs(struct json *o, const struct entry *entry)
{
    struct json *xattrs = entry->e.n_xattrs ? json_new_object() : NULL;
    for (size_t i = 0; i < entry->e.n_xattrs; i++) {
        struct buf value;
        buf_init(&value, 2 * LIMIT_XATTR_VALUE);
        base64_print(entry->xattrs[i].value, &value);
        AUTO_FREE char *text = buf_take(&value);
        json_set_str(xattrs, entry->xattrs[i].name, text);
    }
    if (xattrs)
        json_set(o, "xattrs", xattrs);
}

/* A chunk has its size only where another one follows. */
static void set_chunk(struct json *o, const struct chunk *c)
{
    json_set_int(o, "offset", (int64_t)c->offset);
    set_u64(o, "chunkOffset", c->at);
    if (c->next)
        set_u64(o, "chunkSize", c->size);
    set_digest(o, "chunkDigest", &c->digest);
}

static struct json *entry_json(const struct entry *entry)
{
    const struct tar_entry *e = &entry->e;
    struct json *o = json_new_object();
    bool is_device = e->type == TAR_CHAR_DEVICE || e->type == TAR_BLOCK_DEVICE;
    set_text(o, "name", entry->path);
    json_set_str(o, "type", type_name(e->type));
    set_u64(o, "size", e->type == TAR_FILE ? e->size : 0);
    if (e->mtime.tv_sec) {
        char text[TIME_TEXT_MAX];
        time_print((struct timespec){ .tv_sec = e->mtime.tv_sec }, text);
        json_set_str(o, "modtime", text);
    }
    set_text(o, "linkName", entry->link);
    json_set_int(o, "mode", e->mode & 07777);
    json_set_int(o, "uid", e->uid);
    json_set_int(o, "gid", e->gid);
    set_text(o, "userName", entry->user_name);
    set_text(o, "groupName", entry->group_name);
    if (is_device) {
        json_set_int(o, "devMajor", e->dev_major);
        json_set_int(o, "devMinor", e->dev_minor);
    }
    set_xattrs(o, entry);
    if (e->type == TAR_FILE)
        set_digest(o, "digest", &entry->digest);
    if (entry->chunks)
        set_chunk(o, entry->chunks);
    return o;
}

static void print_one(struct buf *text, struct json *value)
{
    buf_puts(text, text->data[text->len - 1] == '[' ? "" : ",");
    json_print(value, text);
    json_free(value);
}

static void print_toc(const struct estargz *z, struct buf *text)
{
    buf_puts(text, "{\"version\":1,\"entries\":[");
    vec_each (&z->entries, e) {
        print_one(text, entry_json(e));
        for (const struct chunk *c = e->chunks ? e->chunks->next : NULL; c; c = c->next) {
            struct json *o = json_new_object();
            set_text(o, "name", e->path);
            json_set_str(o, "type", "chunk");
            set_chunk(o, c);
            print_one(text, o);
        }
    }
    buf_puts(text, "]}");
}

static int put_toc(void *arg, struct tar_writer *t, struct err *err)
{
    struct estargz *z = arg;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    if (gzip_writer_flush(z->gzip, err) || gzip_writer_cut(z->gzip, &z->toc_offset, err))
        return -1;
    buf_init(&text, SIZE_MAX / 2); /* as many entries as the layer has */
    print_toc(z, &text);
    z->toc_digest = digest_of(buf_span(&text));
    z->is_toc = true;
    return put_file(t, toc_name, buf_span(&text), err);
}

static int estargz_finish(struct writer *base, struct err *err)
{
    struct estargz *z = (struct estargz *)base;
    char footer[51 + 1];
    static const char head[] = "\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0";
    static const char tail[] = "\x01\0\0\xff\xff\0\0\0\0\0\0\0"; /* and one more zero */
    if (writer_finish(z->gzip, err))
        return -1;
    memcpy(footer, head, sizeof head - 1); /* bytes, no text */
    snprintf(footer + 16, sizeof footer - 16, "%016" PRIx64 "STARGZ", z->toc_offset);
    memcpy(footer + 38, tail, 13);
    return writer_write(z->below, span_bytes(footer, 51), err);
}

/* ---- */

struct estargz *estargz_new(struct writer *below, int level, struct pool *pool)
{
    static const struct writer_ops ops = { .write = estargz_write, .finish = estargz_finish };
    struct estargz *z = xcalloc(1, sizeof *z);
    z->base.ops = &ops;
    z->below = below;
    z->gzip = writer_compressing(below, COMPRESSION_GZIP, level, pool);
    z->arena = arena_new();
    z->watch =
        (struct tar_watch){ .begin = put_landmark, .end = put_toc, .entry = note_entry, .arg = z };
    return z;
}

void estargz_free(struct estargz *z)
{
    if (!z)
        return;
    writer_close(z->gzip);
    hasher_free(z->of_file);
    hasher_free(z->of_chunk);
    vec_clear(&z->entries);
    arena_free(z->arena);
    free(z);
}

struct writer *estargz_writer(struct estargz *z)
{
    return &z->base;
}

const struct tar_watch *estargz_watch(struct estargz *z)
{
    return &z->watch;
}

struct digest estargz_toc_digest(const struct estargz *z)
{
    return z->toc_digest;
}

uint64_t estargz_size(const struct estargz *z)
{
    return z->size;
}
