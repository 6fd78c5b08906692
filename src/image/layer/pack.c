/* image/layer/pack.c - changes become entries; see pack.h.
 *
 * One thread: reading 20,000 small files from the page cache is five system calls each, and what
 * waits is the writer behind (hash, compression), which has threads of its own. */
#include "image/layer/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/core/vec.h"
#include "base/sys/fs.h"
#include "image/layer/internal.h"
#include "image/layer/node.h"
#include "image/layer/whiteout.h"

static const size_t chunk_size = 256 * KIB;

/* The first name of a file that has several. */
struct first_name {
    uint64_t ino, dev;
    const char *path; /* borrowed from the change list */
    size_t next;      /* another one with the same key: its index + 1, or 0 */
};

struct pack {
    const struct layer_pack_options *options;
    struct tar_writer *tar;
    struct folders folders;
    struct {
        struct first_name *items;
        size_t n, cap;
    } first_names;
    struct id_table by_inode; /* key of (dev, ino): index + 1 in first_names */
    char *chunk;              /* owned, chunk_size bytes */
    /* The folder written last on the way to the current entry: it and all above it are in the
     * archive.  Changes come as a walk does, so whatever lies beside it is done with. */
    char *folder; /* owned; "" the root, which is never written */
    /* of the current entry */
    struct tar_xattr capability;
    struct buf capability_value;
    char link[LIMIT_PATH];
};

/* ---- hard links ---- */

/* The name under which this inode is in the archive; NULL for the first one, which is noted. */
static const char *name_before(struct pack *p, const struct node_stat *st, const char *path)
{
    uint64_t key = st->ino ^ (uint64_t)st->dev << 40, head = 0;
    id_table_find(&p->by_inode, key, &head);
    for (size_t at = head; at > 0; at = p->first_names.items[at - 1].next) {
        const struct first_name *f = &p->first_names.items[at - 1];
        if (f->ino == st->ino && f->dev == st->dev)
            return f->path;
    }
    *vec_push(&p->first_names) =
        (struct first_name){ .ino = st->ino, .dev = st->dev, .path = path, .next = head };
    id_table_set(&p->by_inode, key, p->first_names.n);
    return NULL;
}

/* ---- content ---- */

static int changed(const char *path, struct err *err)
{
    err_set(err, ERR_CORRUPT, "read %s: its size changed meanwhile", path);
    return err_hint(err, "something still writes to it: a process that outlived its step?");
}

/* Copies exactly `size` bytes and sees that there are no more. */
static int copy_content(struct pack *p, int fd, const char *path, uint64_t size, struct err *err)
{
    for (uint64_t left = size;;) {
        ssize_t n = read(fd, p->chunk, chunk_size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "read %s", path);
        if ((uint64_t)n > left || (n == 0 && left > 0))
            return changed(path, err);
        if (n == 0)
            return 0;
        if (tar_writer_write(p->tar, span_bytes(p->chunk, (size_t)n), err) ||
            cancel_check(p->options->cancel, err))
            return -1;
        left -= (uint64_t)n;
        if (left == 0 && (size_t)n < chunk_size) /* a short read found the end */
            return 0;
    }
}

/* ---- entries ---- */

/* security.capability of an open file, wherever it is kept. */
static int read_capability(struct pack *p, int fd, const char *path, struct tar_entry *e,
                           struct err *err)
{
    static const char name[] = "security.capability";
    char bytes[64];
    ssize_t len = fgetxattr(fd, name, bytes, sizeof bytes);
    if (len < 0 && node_may_override(p->options->ids))
        len = fgetxattr(fd, NODE_XATTR_CAPABILITY, bytes, sizeof bytes);
    if (len < 0)
        return errno == ENODATA || errno == EOPNOTSUPP ? 0
                                                       : err_sys(err, "read %s: %s", name, path);
    buf_reset(&p->capability_value);
    if (buf_append(&p->capability_value, span_bytes(bytes, (size_t)len), err))
        return -1;
    p->capability = (struct tar_xattr){ .name = name, .value = buf_span(&p->capability_value) };
    e->xattrs = &p->capability;
    e->n_xattrs = 1;
    return 0;
}

/* A regular file, or a device that an empty file stands for. */
static int pack_file(struct pack *p, const struct folder *in, const struct stat *st,
                     struct tar_entry *e, struct err *err)
{
    AUTO_FD int fd = -1;
    if (fs_open(in->fd, path_name(e->path), O_RDONLY | O_NOFOLLOW, 0, &fd, err) ||
        read_capability(p, fd, e->path, e, err))
        return -1;
    if (st->st_nlink > 1) {
        struct node_stat id = { .ino = st->st_ino, .dev = st->st_dev };
        const char *before = name_before(p, &id, e->path);
        if (before) {
            e->type = TAR_HARD_LINK;
            e->link = before;
            return tar_writer_entry(p->tar, e, err);
        }
    }
    e->type = TAR_FILE;
    e->size = (uint64_t)st->st_size;
    if (tar_writer_entry(p->tar, e, err))
        return -1;
    return copy_content(p, fd, e->path, e->size, err);
}

static int pack_symlink(struct pack *p, const struct folder *in, struct tar_entry *e,
                        struct err *err)
{
    ssize_t len = readlinkat(in->fd, path_name(e->path), p->link, sizeof p->link);
    if (len < 0)
        return err_sys(err, "read symlink");
    if ((size_t)len >= sizeof p->link)
        return err_set(err, ERR_LIMIT, "symlink of more than %d bytes", LIMIT_PATH - 1);
    p->link[len] = '\0';
    e->type = TAR_SYMLINK;
    e->link = p->link;
    return tar_writer_entry(p->tar, e, err);
}

/* Symlinks and special files may have several names too. */
static bool is_linked(struct pack *p, const struct node_stat *node, struct tar_entry *e)
{
    const char *before = node->nlink > 1 ? name_before(p, node, e->path) : NULL;
    if (!before)
        return false;
    e->type = TAR_HARD_LINK;
    e->link = before;
    return true;
}

static int pack_special(struct pack *p, const struct folder *in, const struct node_stat *node,
                        struct tar_entry *e, struct err *err)
{
    if (S_ISSOCK(node->mode))
        return 0;
    if (is_linked(p, node, e))
        return tar_writer_entry(p->tar, e, err);
    if (S_ISLNK(node->mode))
        return pack_symlink(p, in, e, err);
    if (S_ISFIFO(node->mode)) {
        e->type = TAR_FIFO;
    } else {
        e->type = S_ISCHR(node->mode) ? TAR_CHAR_DEVICE : TAR_BLOCK_DEVICE;
        e->dev_major = major(node->rdev);
        e->dev_minor = minor(node->rdev);
    }
    return tar_writer_entry(p->tar, e, err);
}

static int pack_present(struct pack *p, const char *path, struct err *err)
{
    struct folder *in;
    struct stat st;
    struct node_stat node;
    const char *name = path_name(path);
    if (folders_open(&p->folders, path_parent(path), &in, err))
        return -1;
    if (fstatat(in->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat");
    if (node_stat_from(&st, in->fd, name, p->options->ids, &node, err))
        return -1;
    struct tar_entry e = {
        .path = path,
        .link = "",
        .mode = S_ISLNK(node.mode) ? 0777 : node.mode & 07777,
        .uid = node.uid,
        .gid = node.gid,
        .user_name = "",
        .group_name = "",
        .mtime = node.mtime,
    };
    if (S_ISREG(node.mode))
        return pack_file(p, in, &st, &e, err);
    if (!S_ISDIR(node.mode))
        return pack_special(p, in, &node, &e, err);
    e.type = TAR_FOLDER;
    free(p->folder);
    p->folder = xstrdup(path);
    return tar_writer_entry(p->tar, &e, err);
}

/* Whether `path` lies below the folder (or the root, ""). */
static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return len == 0 || (strncmp(path, folder, len) == 0 && path[len] == '/');
}

/* Writes the folders that `path` lies in, as far as they are not in the archive. */
static int pack_parents(struct pack *p, const char *path, struct err *err)
{
    while (!is_below(path, p->folder)) {
        char *slash = strrchr(p->folder, '/');
        *(slash ? slash : p->folder) = '\0';
    }
    for (;;) {
        size_t done = strlen(p->folder) + (*p->folder != '\0');
        const char *slash = strchr(path + done, '/');
        if (!slash)
            return 0;
        AUTO_FREE char *parent = xstrndup(path, (size_t)(slash - path));
        if (pack_present(p, parent, err))
            return -1;
    }
}

static int pack_delete(struct pack *p, const struct change *c, struct err *err)
{
    AUTO_FREE char *path = whiteout_path(c->path);
    const struct tar_writer_options *t = &p->options->tar;
    struct tar_entry e = {
        .type = TAR_FILE,
        .path = path,
        .link = "",
        .user_name = "",
        .group_name = "",
        .mtime.tv_sec = t->has_epoch ? t->epoch : 0,
    };
    return tar_writer_entry(p->tar, &e, err);
}

static int pack_all(struct pack *p, const struct change_list *changes, struct err *err)
{
    for (size_t i = 0; i < changes->n; i++) {
        const struct change *c = &changes->items[i];
        if (cancel_check(p->options->cancel, err))
            return -1;
        if (pack_parents(p, c->path, err) ||
            (c->kind == CHANGE_DELETE ? pack_delete(p, c, err) : pack_present(p, c->path, err)))
            return err_wrap(err, "pack %s", c->path);
    }
    return tar_writer_finish(p->tar, err);
}

int layer_pack(int root_fd, const struct change_list *changes,
               const struct layer_pack_options *options, struct writer *out, struct err *err)
{
    static const struct layer_pack_options defaults;
    struct pack p = { .options = options ? options : &defaults };
    p.tar = tar_writer_new(out, &p.options->tar);
    p.chunk = xmalloc(chunk_size);
    p.folder = xstrdup("");
    folders_init(&p.folders, root_fd);
    buf_init(&p.capability_value, LIMIT_XATTR_VALUE);
    int result = pack_all(&p, changes, err);
    tar_writer_free(p.tar);
    folders_clear(&p.folders);
    id_table_clear(&p.by_inode);
    vec_clear(&p.first_names);
    free(p.chunk);
    free(p.folder);
    buf_clear(&p.capability_value);
    return result;
}
