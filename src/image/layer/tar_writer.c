/* image/layer/tar_writer.c - entries become headers, as Go's archive/tar chooses and fills them.
 *
 * A value that does not fit its ustar field goes to a PAX record.  Once there is any record, all
 * that could not stand in ustar alone is told there (a long path too, which else would be split),
 * and the header proper holds what it can: text without its non-ASCII bytes, cut; zero for numbers
 * too large. */
#include "image/layer/tar_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/layer/tar_format.h"

struct tar_writer {
    struct writer *below; /* borrowed */
    struct tar_writer_options options;
    uint64_t left;  /* content of the current entry still to come */
    size_t padding; /* after it */
    bool has_begun, is_finished;
    char path[LIMIT_PATH + 2]; /* of the current entry, as written: folders with "/" */
    struct buf records;        /* body of its PAX header */
};

/* What of an entry did not fit. */
struct misfit {
    bool path, link, size, uid, gid, mtime, user_name, group_name;
    bool needs_pax; /* something that ustar cannot tell at all */
    bool is_split;  /* the path goes to prefix and name */
    size_t prefix_len;
};

struct tar_writer *tar_writer_new(struct writer *below, const struct tar_writer_options *options)
{
    struct tar_writer *t = xcalloc(1, sizeof *t);
    t->below = below;
    if (options)
        t->options = *options;
    /* The ceilings of the parts bound it: attributes, paths, numbers. */
    buf_init(&t->records, LIMIT_XATTRS * (LIMIT_XATTR_VALUE + LIMIT_PATH) + 8 * LIMIT_PATH);
    return t;
}

void tar_writer_free(struct tar_writer *t)
{
    if (!t)
        return;
    buf_clear(&t->records);
    free(t);
}

/* ---- what fits ---- */

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] >= 0x80)
            return false;
    return true;
}

static bool fits_text(const char *s, size_t cap)
{
    struct span text = span_of(s);
    return text.len <= cap && is_ascii(text);
}

/* The last byte of a number field is NUL, each other holds three bits. */
static bool fits_octal(int64_t n, size_t cap)
{
    return n >= 0 && n < (int64_t)1 << (cap - 1) * 3;
}

/* Where a path of more than 100 ASCII bytes may be split: at the last "/" that leaves at most 155
 * bytes before it; what follows must not be empty and fit into 100. */
static bool split_path(struct span path, size_t *prefix_len)
{
    const struct tar_block *b = NULL;
    size_t length = path.len;
    if (length <= sizeof b->name || !is_ascii(path))
        return false;
    if (length > sizeof b->prefix + 1)
        length = sizeof b->prefix + 1;
    else if (path.ptr[length - 1] == '/')
        length--;
    ptrdiff_t at = span_rfind(span_first(path, length), '/');
    if (at <= 0 || path.len - (size_t)at - 1 > sizeof b->name || path.len - (size_t)at == 1)
        return false;
    *prefix_len = (size_t)at;
    return true;
}

static struct timespec written_mtime(const struct tar_writer *t, struct timespec mtime)
{
    if (!t->options.keeps_ns)
        mtime.tv_nsec = 0;
    bool is_later =
        mtime.tv_sec > t->options.epoch || (mtime.tv_sec == t->options.epoch && mtime.tv_nsec > 0);
    if (t->options.has_epoch && is_later)
        mtime = (struct timespec){ .tv_sec = t->options.epoch };
    return mtime;
}

static struct misfit find_misfit(const struct tar_writer *t, const struct tar_entry *e,
                                 struct timespec mtime)
{
    const struct tar_block *b = NULL;
    struct misfit m = {
        .path = !fits_text(t->path, sizeof b->name),
        .link = !fits_text(e->link, sizeof b->link),
        .size = !fits_octal((int64_t)e->size, sizeof b->size),
        .uid = !fits_octal(e->uid, sizeof b->uid),
        .gid = !fits_octal(e->gid, sizeof b->gid),
        .mtime = !fits_octal(mtime.tv_sec, sizeof b->mtime) || mtime.tv_nsec != 0,
        .user_name = !fits_text(e->user_name, sizeof b->user_name),
        .group_name = !fits_text(e->group_name, sizeof b->group_name),
    };
    m.is_split = m.path && split_path(span_of(t->path), &m.prefix_len);
    m.needs_pax = (m.path && !m.is_split) || m.link || m.size || m.uid || m.gid || m.mtime ||
                  m.user_name || m.group_name || e->n_xattrs > 0;
    return m;
}

/* ---- fields ---- */

static void put_text(char *field, size_t cap, const char *s)
{
    size_t n = 0;
    for (; *s && n < cap; s++)
        if ((unsigned char)*s < 0x80)
            field[n++] = *s;
    /* Readers that know only this field would take a name cut behind a "/" for a folder's. */
    if (*s && n == cap && field[n - 1] == '/')
        while (n > 0 && field[n - 1] == '/')
            field[--n] = '\0';
}

static void put_octal(char *field, size_t cap, int64_t n)
{
    if (!fits_octal(n, cap))
        n = 0; /* a record tells it */
    field[cap - 1] = '\0';
    for (size_t i = cap - 1; i > 0; i--, n >>= 3)
        field[i - 1] = (char)('0' + (n & 7));
}

static void put_checksum(struct tar_block *b)
{
    unsigned sum = 0;
    memset(b->checksum, ' ', sizeof b->checksum);
    for (size_t i = 0; i < sizeof *b; i++)
        sum += ((const unsigned char *)b)[i];
    put_octal(b->checksum, sizeof b->checksum - 1, sum);
}

static void put_magic(struct tar_block *b)
{
    memcpy(b->magic, "ustar", sizeof b->magic);
    memcpy(b->version, "00", sizeof b->version);
}

static char type_flag(enum tar_type type)
{
    static const char flags[] = {
        [TAR_FILE] = '0',        [TAR_HARD_LINK] = '1',    [TAR_SYMLINK] = '2',
        [TAR_CHAR_DEVICE] = '3', [TAR_BLOCK_DEVICE] = '4', [TAR_FOLDER] = '5',
        [TAR_FIFO] = '6',
    };
    return flags[type];
}

static int write_header(struct tar_writer *t, const struct tar_entry *e, struct timespec mtime,
                        const struct misfit *m, struct err *err)
{
    struct tar_block b = { 0 };
    if (m->is_split && !m->needs_pax) {
        memcpy(b.prefix, t->path, m->prefix_len);
        put_text(b.name, sizeof b.name, t->path + m->prefix_len + 1);
    } else {
        put_text(b.name, sizeof b.name, t->path);
    }
    put_octal(b.mode, sizeof b.mode, e->mode & 07777);
    put_octal(b.uid, sizeof b.uid, e->uid);
    put_octal(b.gid, sizeof b.gid, e->gid);
    put_octal(b.size, sizeof b.size, (int64_t)t->left);
    put_octal(b.mtime, sizeof b.mtime, mtime.tv_sec);
    b.type = type_flag(e->type);
    put_text(b.link, sizeof b.link, e->link);
    put_magic(&b);
    put_text(b.user_name, sizeof b.user_name, e->user_name);
    put_text(b.group_name, sizeof b.group_name, e->group_name);
    put_octal(b.dev_major, sizeof b.dev_major, e->dev_major);
    put_octal(b.dev_minor, sizeof b.dev_minor, e->dev_minor);
    put_checksum(&b);
    return writer_write(t->below, span_bytes(&b, sizeof b), err);
}

/* ---- PAX ---- */

static size_t n_digits(size_t n)
{
    size_t digits = 1;
    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

/* "LEN KEY=VALUE\n", LEN counting itself. */
static void put_record(struct buf *b, const char *prefix, const char *key, struct span value)
{
    size_t rest = 1 + strlen(prefix) + strlen(key) + 1 + value.len + 1;
    size_t len = rest + n_digits(rest);
    if (n_digits(len) > n_digits(rest))
        len = rest + n_digits(len);
    buf_printf(b, "%zu %s%s=", len, prefix, key);
    buf_put(b, value);
    buf_putc(b, '\n');
}

static void put_text_record(struct buf *b, bool is_wanted, const char *key, const char *value)
{
    if (is_wanted)
        put_record(b, "", key, span_of(value));
}

static void put_number_record(struct buf *b, bool is_wanted, const char *key, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, n);
    put_text_record(b, is_wanted, key, text);
}

/* Seconds with a fraction without trailing zeros; "-1.5" is one and a half before the epoch. */
static void put_time_record(struct buf *b, bool is_wanted, struct timespec at)
{
    char text[48];
    bool is_negative = at.tv_sec < 0;
    long ns = at.tv_nsec;
    uint64_t seconds = is_negative ? -(uint64_t)at.tv_sec : (uint64_t)at.tv_sec;
    if (is_negative && ns > 0) {
        seconds--;
        ns = 1000000000 - ns;
    }
    int len = snprintf(text, sizeof text, "%s%" PRIu64, is_negative ? "-" : "", seconds);
    if (ns > 0) {
        len += snprintf(text + len, sizeof text - (size_t)len, ".%09ld", ns);
        while (text[len - 1] == '0')
            text[--len] = '\0';
    }
    put_text_record(b, is_wanted, "mtime", text);
}

/* Records sorted by key: SCHILY.xattr.* (upper case) comes first, then the rest alphabetically. */
static void put_records(struct tar_writer *t, const struct tar_entry *e, struct timespec mtime,
                        const struct misfit *m)
{
    struct buf *b = &t->records;
    buf_reset(b);
    for (size_t i = 0; i < e->n_xattrs; i++)
        put_record(b, "SCHILY.xattr.", e->xattrs[i].name, e->xattrs[i].value);
    put_number_record(b, m->gid, "gid", e->gid);
    put_text_record(b, m->group_name, "gname", e->group_name);
    put_text_record(b, m->link, "linkpath", e->link);
    put_time_record(b, m->mtime, mtime);
    put_text_record(b, m->path, "path", t->path);
    put_number_record(b, m->size, "size", t->left);
    put_number_record(b, m->uid, "uid", e->uid);
    put_text_record(b, m->user_name, "uname", e->user_name);
}

/* The header's own name: FOLDER/PaxHeaders.0/NAME, ASCII, at most 100 bytes, no "/" at its end. */
static void put_pax_name(struct tar_block *b, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t folder_len = slash ? (size_t)(slash - path) : 0;
    if (folder_len == 1 && path[0] == '.') /* the root: path.Join() drops "." */
        folder_len = 0;
    AUTO_FREE char *name =
        xasprintf("%.*s%sPaxHeaders.0%s%s", (int)folder_len, path, folder_len ? "/" : "",
                  slash && !slash[1] ? "" : "/", slash ? slash + 1 : path);
    put_text(b->name, sizeof b->name, name);
    for (size_t n = sizeof b->name; n > 0 && (!b->name[n - 1] || b->name[n - 1] == '/'); n--)
        b->name[n - 1] = '\0';
}

static int write_padding(struct tar_writer *t, size_t size, struct err *err)
{
    static const char zeros[TAR_BLOCK];
    return size ? writer_write(t->below, span_bytes(zeros, size), err) : 0;
}

static int write_pax_header(struct tar_writer *t, struct err *err)
{
    struct tar_block b = { 0 };
    size_t size = t->records.len;
    put_pax_name(&b, t->path);
    put_octal(b.mode, sizeof b.mode, 0);
    put_octal(b.uid, sizeof b.uid, 0);
    put_octal(b.gid, sizeof b.gid, 0);
    put_octal(b.size, sizeof b.size, (int64_t)size);
    put_octal(b.mtime, sizeof b.mtime, 0);
    b.type = 'x';
    put_magic(&b);
    put_checksum(&b);
    if (writer_write(t->below, span_bytes(&b, sizeof b), err) ||
        writer_write(t->below, buf_span(&t->records), err))
        return -1;
    return write_padding(t, (size_t)(-size % TAR_BLOCK), err);
}

/* ---- entries ---- */

static int check_entry(const struct tar_entry *e, struct err *err)
{
    if (strlen(e->path) >= LIMIT_PATH || strlen(e->link) >= LIMIT_PATH)
        return err_set(err, ERR_LIMIT, "a path of more than %d bytes", LIMIT_PATH - 1);
    if (e->size > INT64_MAX)
        return err_set(err, ERR_INVALID, "size: absurd");
    if (e->n_xattrs > LIMIT_XATTRS)
        return err_set(err, ERR_LIMIT, "more than %d extended attributes", LIMIT_XATTRS);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        const struct tar_xattr *x = &e->xattrs[i];
        if (!*x->name || strchr(x->name, '=') || strlen(x->name) >= LIMIT_PATH / 2)
            return err_set(err, ERR_INVALID, "extended attribute %.100s: no name for a PAX record",
                           x->name);
        if (x->value.len > LIMIT_XATTR_VALUE)
            return err_set(err, ERR_LIMIT, "extended attribute %.100s: more than %zu bytes",
                           x->name, LIMIT_XATTR_VALUE);
    }
    return 0;
}

/* Ends the entry before.  Fails: INVALID when content is missing. */
static int end_content(struct tar_writer *t, struct err *err)
{
    if (t->left > 0)
        return err_set(err, ERR_INVALID, "tar: %s: %" PRIu64 " bytes of content missing", t->path,
                       t->left);
    size_t padding = t->padding;
    t->padding = 0;
    return write_padding(t, padding, err);
}

static int begin(struct tar_writer *t, struct err *err)
{
    const struct tar_watch *watch = t->options.watch;
    if (t->has_begun)
        return 0;
    t->has_begun = true;
    return watch ? watch->begin(watch->arg, t, err) : 0;
}

static void tell(const struct tar_writer *t, const struct tar_entry *e, struct timespec mtime)
{
    const struct tar_watch *watch = t->options.watch;
    struct tar_entry written = *e;
    written.mtime = mtime;
    if (watch)
        watch->entry(watch->arg, t->path, &written);
}

int tar_writer_entry(struct tar_writer *t, const struct tar_entry *e, struct err *err)
{
    if (begin(t, err) || end_content(t, err))
        return -1;
    if (check_entry(e, err))
        return err_wrap(err, "tar: %.200s", e->path);
    snprintf(t->path, sizeof t->path, "%s%s", e->path[0] ? e->path : ".",
             e->type == TAR_FOLDER ? "/" : "");
    struct timespec mtime = written_mtime(t, e->mtime);
    struct misfit misfit = find_misfit(t, e, mtime);
    t->left = e->type == TAR_FILE ? e->size : 0;
    t->padding = (size_t)(-t->left % TAR_BLOCK);
    if (misfit.needs_pax) {
        put_records(t, e, mtime, &misfit);
        if (write_pax_header(t, err))
            return -1;
    }
    if (write_header(t, e, mtime, &misfit, err))
        return -1;
    tell(t, e, mtime);
    return 0;
}

int tar_writer_write(struct tar_writer *t, struct span bytes, struct err *err)
{
    if (bytes.len > t->left)
        return err_set(err, ERR_INVALID, "tar: %s: more content than its size", t->path);
    t->left -= bytes.len;
    return writer_write(t->below, bytes, err);
}

int tar_writer_finish(struct tar_writer *t, struct err *err)
{
    const struct tar_watch *watch = t->options.watch;
    if (t->is_finished)
        return 0;
    if (begin(t, err) || end_content(t, err) || (watch && watch->end(watch->arg, t, err)) ||
        end_content(t, err) || write_padding(t, TAR_BLOCK, err) || write_padding(t, TAR_BLOCK, err))
        return -1;
    t->is_finished = true;
    return 0;
}
