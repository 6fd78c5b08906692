/* image/layer/tar_pax.c - records of PAX extended headers.
 *
 * A body is a row of records "LEN KEY=VALUE\n", LEN the decimal length of the whole record. Records
 * are read here into a struct tar_extra; keys that do not matter for layers are passed over.
 *
 * Spec: POSIX.1-2017 pax "pax Header Block"; GNU tar "Storing Sparse Files"; libarchive tar(5). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/layer/tar_format.h"

void tar_extra_reset(struct tar_extra *x)
{
    __typeof__(x->xattrs) xattrs = x->xattrs;
    struct tar_pieces pieces = x->pieces;
    *x = (struct tar_extra){ .xattrs = xattrs, .pieces = pieces };
    x->xattrs.n = 0;
    x->pieces.n = 0;
}

void tar_extra_clear(struct tar_extra *x)
{
    vec_clear(&x->xattrs);
    vec_clear(&x->pieces);
}

static int parse_u64(struct span value, const char *what, uint64_t *out, struct err *err)
{
    if (!span_u64(value, INT64_MAX, out))
        return err_set(err, ERR_INVALID, "pax record %s=%.*s: no number within 63 bits", what,
                       SPAN_ARG(span_first(value, 40)));
    return 0;
}

static int parse_owner(struct span value, const char *what, uint32_t *out, struct err *err)
{
    uint64_t n;
    bool is_negative = span_starts(value, "-");
    if (parse_u64(span_skip(value, is_negative), what, &n, err))
        return -1;
    return tar_owner(is_negative ? -(int64_t)n : (int64_t)n, what, out, err);
}

static int parse_dev(struct span value, const char *what, uint32_t *out, struct err *err)
{
    uint64_t n;
    if (parse_u64(value, what, &n, err))
        return -1;
    if (n > UINT32_MAX)
        return err_set(err, ERR_INVALID, "pax record %s: beyond 32 bits", what);
    *out = (uint32_t)n;
    return 0;
}

/* "[-]SECONDS[.FRACTION]"; digits past nanoseconds are dropped. */
static int parse_time(struct span value, struct timespec *out, struct err *err)
{
    bool is_negative = span_starts(value, "-");
    struct span rest = span_skip(value, is_negative);
    struct span whole = span_cut(&rest, '.');
    uint64_t seconds;
    long ns = 0;
    if (parse_u64(whole, "mtime", &seconds, err))
        return -1;
    long unit = 100000000;
    for (size_t i = 0; i < rest.len; i++, unit /= 10) {
        if (rest.ptr[i] < '0' || rest.ptr[i] > '9')
            return err_set(err, ERR_INVALID, "pax record mtime: no time");
        ns += (rest.ptr[i] - '0') * unit;
    }
    *out = (struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = ns };
    if (is_negative) {
        out->tv_sec = -out->tv_sec - (ns > 0);
        out->tv_nsec = ns > 0 ? 1000000000 - ns : 0;
    }
    return 0;
}

/* ---- extended attributes ---- */

static int add_xattr(struct tar_extra *x, const char *name, struct span value, struct err *err)
{
    if (x->xattrs.n >= LIMIT_XATTRS)
        return err_set(err, ERR_LIMIT, "more than %d extended attributes", LIMIT_XATTRS);
    if (value.len > LIMIT_XATTR_VALUE)
        return err_set(err, ERR_LIMIT, "extended attribute %s: more than %zu bytes", name,
                       LIMIT_XATTR_VALUE);
    if (!*name)
        return err_set(err, ERR_INVALID, "extended attribute without a name");
    *vec_push(&x->xattrs) = (struct tar_xattr){ .name = name, .value = value };
    return 0;
}

/* LIBARCHIVE.xattr.NAME: the name percent-encoded, the value base64. */
static int add_libarchive_xattr(struct tar_extra *x, struct span name, struct span value,
                                struct arena *arena, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf plain = { 0 }, bytes = { 0 };
    buf_init(&plain, LIMIT_PATH);
    buf_init(&bytes, LIMIT_XATTR_VALUE);
    if (percent_decode(name, &plain, err) || base64_parse(value, &bytes, err))
        return err_wrap(err, "LIBARCHIVE.xattr.%.*s", SPAN_ARG(span_first(name, 100)));
    char *copy = arena_alloc(arena, bytes.len + 1);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return add_xattr(x, arena_strndup(arena, plain.data ? plain.data : "", plain.len),
                     span_bytes(copy, bytes.len), err);
}

void tar_extra_finish(struct tar_extra *x)
{
    /* Insertion keeps equal names in order of appearance; there are rarely more than two. */
    struct tar_xattr *items = x->xattrs.items;
    for (size_t i = 1; i < x->xattrs.n; i++) {
        struct tar_xattr moving = items[i];
        size_t at = i;
        for (; at > 0 && strcmp(items[at - 1].name, moving.name) > 0; at--)
            items[at] = items[at - 1];
        items[at] = moving;
    }
    size_t n = 0;
    for (size_t i = 0; i < x->xattrs.n; i++) {
        if (n > 0 && strcmp(items[n - 1].name, items[i].name) == 0)
            n--;
        items[n++] = items[i];
    }
    x->xattrs.n = n;
}

/* ---- GNU.sparse.* ---- */

/* Version 0.1: "OFFSET,SIZE,OFFSET,SIZE,...". */
static int read_map(struct tar_extra *x, struct span value, struct err *err)
{
    x->pieces.n = 0;
    x->has_pieces = true;
    while (value.len > 0) {
        uint64_t offset, size;
        struct span first = span_cut(&value, ','), second = span_cut(&value, ',');
        if (parse_u64(first, "GNU.sparse.map", &offset, err) ||
            parse_u64(second, "GNU.sparse.map", &size, err) ||
            tar_pieces_add(&x->pieces, offset, size, err))
            return -1;
    }
    return 0;
}

static int read_sparse(struct tar_extra *x, struct span key, struct span value, struct err *err)
{
    uint64_t size;
    if (span_is(key, "name")) {
        x->sparse_name = value;
    } else if (span_is(key, "size") || span_is(key, "realsize")) {
        x->has_real_size = true;
        return parse_u64(value, "GNU.sparse.realsize", &x->real_size, err);
    } else if (span_is(key, "major")) {
        x->has_sparse_version = true;
        return parse_u64(value, "GNU.sparse.major", &x->sparse_major, err);
    } else if (span_is(key, "minor")) {
        x->has_sparse_version = true;
        return parse_u64(value, "GNU.sparse.minor", &x->sparse_minor, err);
    } else if (span_is(key, "map")) {
        return read_map(x, value, err);
    } else if (span_is(key, "numblocks")) {
        x->has_pieces = true;
    } else if (span_is(key, "offset")) {
        x->has_sparse_offset = true;
        return parse_u64(value, "GNU.sparse.offset", &x->sparse_offset, err);
    } else if (span_is(key, "numbytes")) {
        if (!x->has_sparse_offset)
            return err_set(err, ERR_INVALID, "GNU.sparse.numbytes without an offset before it");
        x->has_sparse_offset = false;
        x->has_pieces = true;
        return parse_u64(value, "GNU.sparse.numbytes", &size, err)
                   ? -1
                   : tar_pieces_add(&x->pieces, x->sparse_offset, size, err);
    }
    return 0;
}

/* ---- records ---- */

/* An empty value takes back what a global header said. */
static bool take_back(struct tar_extra *x, struct span key)
{
    if (span_is(key, "size"))
        x->has_size = false;
    else if (span_is(key, "uid"))
        x->has_uid = false;
    else if (span_is(key, "gid"))
        x->has_gid = false;
    else if (span_is(key, "mtime"))
        x->has_mtime = false;
    else
        return false;
    return true;
}

static int read_number(struct tar_extra *x, struct span key, struct span value, struct err *err)
{
    if (value.len == 0 && take_back(x, key))
        return 0;
    if (span_is(key, "size"))
        return x->has_size = true, parse_u64(value, "size", &x->size, err);
    if (span_is(key, "uid"))
        return x->has_uid = true, parse_owner(value, "uid", &x->uid, err);
    if (span_is(key, "gid"))
        return x->has_gid = true, parse_owner(value, "gid", &x->gid, err);
    if (span_is(key, "mtime"))
        return x->has_mtime = true, parse_time(value, &x->mtime, err);
    if (span_is(key, "SCHILY.devmajor"))
        return x->has_dev_major = true, parse_dev(value, "SCHILY.devmajor", &x->dev_major, err);
    if (span_is(key, "SCHILY.devminor"))
        return x->has_dev_minor = true, parse_dev(value, "SCHILY.devminor", &x->dev_minor, err);
    return 0;
}

static int read_record(struct tar_extra *x, struct span key, struct span value, struct arena *arena,
                       struct err *err)
{
    static const char schily[] = "SCHILY.xattr.", libarchive[] = "LIBARCHIVE.xattr.",
                      sparse[] = "GNU.sparse.";
    struct span text = value.len > 0 ? value : (struct span){ 0 };
    if (span_is(key, "path"))
        x->path = text;
    else if (span_is(key, "linkpath"))
        x->link = text;
    else if (span_is(key, "uname"))
        x->user_name = text;
    else if (span_is(key, "gname"))
        x->group_name = text;
    else if (span_starts(key, schily))
        return add_xattr(
            x, arena_strndup(arena, key.ptr + sizeof schily - 1, key.len - sizeof schily + 1),
            value, err);
    else if (span_starts(key, libarchive))
        return add_libarchive_xattr(x, span_skip(key, sizeof libarchive - 1), value, arena, err);
    else if (span_starts(key, sparse))
        return read_sparse(x, span_skip(key, sizeof sparse - 1), value, err);
    else
        return read_number(x, key, value, err);
    return 0;
}

int tar_extra_read(struct tar_extra *x, struct span body, struct arena *arena, struct err *err)
{
    while (body.len > 0) {
        ptrdiff_t blank = span_find(span_first(body, 20), ' ');
        uint64_t len;
        if (blank < 0 || !span_u64(span_first(body, (size_t)blank), body.len, &len) ||
            len < (size_t)blank + 3 || body.ptr[len - 1] != '\n')
            return err_set(err, ERR_INVALID, "pax record: its length is wrong");
        struct span value = span_skip(span_first(body, (size_t)len - 1), (size_t)blank + 1);
        if (span_find(value, '=') < 1)
            return err_set(err, ERR_INVALID, "pax record: no KEY=VALUE");
        struct span key = span_cut(&value, '=');
        if (memchr(key.ptr, '\0', key.len))
            return err_set(err, ERR_INVALID, "pax record: a NUL in its key");
        if (read_record(x, key, value, arena, err))
            return -1;
        body = span_skip(body, (size_t)len);
    }
    return 0;
}
