/* image/layer/tar_header.c - one header, completed by what was announced before it, becomes an
 * entry. */
#include <inttypes.h>
#include <string.h>

#include "image/layer/tar_reader_state.h"

bool tar_is_posix(const struct tar_block *b)
{
    return memcmp(b->magic, "ustar", 6) == 0;
}

bool tar_is_gnu(const struct tar_block *b)
{
    return memcmp(b->magic, "ustar ", 6) == 0;
}

static int read_type(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    enum tar_type *type = &t->entry.type;
    switch (b->type) {
    case '\0': /* v7 has no folders but by the name */
        *type = span_ends(tar_text(b->name, sizeof b->name), "/") ? TAR_FOLDER : TAR_FILE;
        return 0;
    case '0':
    case '7': /* contiguous file */
    case 'S': /* sparse file */
        *type = TAR_FILE;
        return 0;
    case '1':
        *type = TAR_HARD_LINK;
        return 0;
    case '2':
        *type = TAR_SYMLINK;
        return 0;
    case '3':
        *type = TAR_CHAR_DEVICE;
        return 0;
    case '4':
        *type = TAR_BLOCK_DEVICE;
        return 0;
    case '5':
    case 'D': /* a folder with a list of its names, from incremental archives */
        *type = TAR_FOLDER;
        return 0;
    case '6':
        *type = TAR_FIFO;
        return 0;
    case 'M':
        return err_set(err, ERR_UNSUPPORTED, "a file continued from another volume");
    default:
        return err_set(err, ERR_UNSUPPORTED, "entry of unknown type 0x%02x",
                       (unsigned char)b->type);
    }
}

static int read_path(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    char both[sizeof b->prefix + 1 + sizeof b->name];
    struct span name = tar_text(b->name, sizeof b->name);
    if (tar_is_posix(b) && b->prefix[0]) {
        bool is_star = memcmp(b->trailer, "tar", 4) == 0;
        struct span prefix =
            tar_text(b->prefix, is_star ? sizeof b->star.prefix : sizeof b->prefix);
        memcpy(both, prefix.ptr, prefix.len);
        both[prefix.len] = '/';
        memcpy(both + prefix.len + 1, name.ptr, name.len);
        name = span_bytes(both, prefix.len + 1 + name.len);
    }
    if (t->extra.path.ptr)
        name = t->extra.path;
    if (t->has_long_name)
        name = tar_text(t->long_name.len ? t->long_name.data : "", t->long_name.len);
    if (t->extra.sparse_name.ptr)
        name = t->extra.sparse_name;
    t->entry.path = t->path;
    return tar_path_clean(name, t->path, err);
}

static int read_link(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    struct span link = tar_text(b->link, sizeof b->link);
    t->entry.link = t->link;
    t->link[0] = '\0';
    if (t->entry.type != TAR_HARD_LINK && t->entry.type != TAR_SYMLINK)
        return 0;
    if (t->extra.link.ptr)
        link = t->extra.link;
    if (t->has_long_link)
        link = tar_text(t->long_link.len ? t->long_link.data : "", t->long_link.len);
    if (t->entry.type == TAR_HARD_LINK)
        return tar_path_clean(link, t->link, err) ? err_wrap(err, "hard link") : 0;
    if (link.len == 0 || memchr(link.ptr, '\0', link.len))
        return err_set(err, ERR_INVALID, "symlink: its text is empty or holds a NUL");
    if (link.len >= LIMIT_PATH)
        return err_set(err, ERR_LIMIT, "symlink: text of more than %d bytes", LIMIT_PATH - 1);
    memcpy(t->link, link.ptr, link.len);
    t->link[link.len] = '\0';
    return 0;
}

static const char *keep_name(char *to, size_t cap, struct span of_header, struct span of_record)
{
    struct span name = span_first(of_record.ptr ? of_record : of_header, cap - 1);
    if (name.len > 0)
        memcpy(to, name.ptr, name.len);
    to[name.len] = '\0';
    return to;
}

static int read_owner(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    struct tar_entry *e = &t->entry;
    int64_t n;
    bool has_names = tar_is_posix(b) || tar_is_gnu(b);
    if (t->extra.has_uid)
        e->uid = t->extra.uid;
    else if (tar_number(b->uid, sizeof b->uid, "uid", &n, err) || tar_owner(n, "uid", &e->uid, err))
        return -1;
    if (t->extra.has_gid)
        e->gid = t->extra.gid;
    else if (tar_number(b->gid, sizeof b->gid, "gid", &n, err) || tar_owner(n, "gid", &e->gid, err))
        return -1;
    struct span user = { 0 }, group = { 0 };
    if (has_names) {
        user = tar_text(b->user_name, sizeof b->user_name);
        group = tar_text(b->group_name, sizeof b->group_name);
    }
    e->user_name = keep_name(t->user_name, sizeof t->user_name, user, t->extra.user_name);
    e->group_name = keep_name(t->group_name, sizeof t->group_name, group, t->extra.group_name);
    return 0;
}

static int read_device(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    struct tar_entry *e = &t->entry;
    int64_t major = 0, minor = 0;
    e->dev_major = e->dev_minor = 0;
    if (e->type != TAR_CHAR_DEVICE && e->type != TAR_BLOCK_DEVICE)
        return 0;
    if (tar_is_posix(b) || tar_is_gnu(b))
        if (tar_number(b->dev_major, sizeof b->dev_major, "device", &major, err) ||
            tar_number(b->dev_minor, sizeof b->dev_minor, "device", &minor, err))
            return -1;
    if (t->extra.has_dev_major)
        major = t->extra.dev_major;
    if (t->extra.has_dev_minor)
        minor = t->extra.dev_minor;
    if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
        return err_set(err, ERR_INVALID, "device %" PRId64 ":%" PRId64 ": beyond Linux's range",
                       major, minor);
    e->dev_major = (uint32_t)major;
    e->dev_minor = (uint32_t)minor;
    return 0;
}

static int read_attributes(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    struct tar_entry *e = &t->entry;
    int64_t mode, mtime;
    if (tar_number(b->mode, sizeof b->mode, "mode", &mode, err))
        return -1;
    e->mode = (mode_t)(mode & 07777);
    if (t->extra.has_mtime)
        e->mtime = t->extra.mtime;
    else if (tar_number(b->mtime, sizeof b->mtime, "mtime", &mtime, err))
        return -1;
    else
        e->mtime = (struct timespec){ .tv_sec = mtime };
    e->xattrs = t->extra.xattrs.items;
    e->n_xattrs = t->extra.xattrs.n;
    return read_owner(t, b, err) ? -1 : read_device(t, b, err);
}

int tar_read_header(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    if (read_type(t, b, err) || read_path(t, b, err))
        return -1;
    if (read_link(t, b, err) || read_attributes(t, b, err))
        return err_wrap(err, "%s", t->path);
    return 0;
}
