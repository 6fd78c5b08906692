/* engine/export/rootfs.c - a root file system as a folder of files or as a tar.
 *
 * The folder gets the files as whoever runs kiln would have made them: modes and times are kept,
 * owners are not, devices are left out.  The tar keeps everything.  Times after SOURCE_DATE_EPOCH
 * become it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/export/internal.h"
#include "engine/source/tree.h"
#include "image/layer/tar_writer.h"

struct folder_time {
    char *path; /* owned */
    struct timespec mtime;
};

struct out {
    const struct export_host *host;
    struct map statements;  /* files beside those of the tree: name -> text */
    struct tar_writer *tar; /* borrowed; NULL: to a folder */
    int to_fd;              /* owned: that folder */
    struct map links;       /* "dev:ino" -> first path */
    vec(struct folder_time) times;
};

static void out_clear(struct out *o)
{
    if (o->to_fd >= 0)
        close(o->to_fd);
    map_clear(&o->links);
    map_clear(&o->statements);
    vec_each (&o->times, t)
        free(t->path);
    vec_clear(&o->times);
}

/* The path under which a file of several names was written first; NULL when this is the first. */
static const char *first_name(struct out *o, const struct tree_entry *e)
{
    if (!S_ISREG(e->stat.mode) || e->stat.nlink < 2)
        return NULL;
    AUTO_FREE char *key =
        xasprintf("%llu:%llu", (unsigned long long)e->stat.dev, (unsigned long long)e->stat.ino);
    const char *first = map_find_str(&o->links, key);
    if (!first)
        map_set_str(&o->links, key, e->path);
    return first;
}

/* ---- tar ---- */

static int tar_content(struct out *o, const struct tree_entry *e, struct err *err)
{
    enum { CHUNK = 128 * 1024 };
    AUTO_FD int fd = -1;
    AUTO_FREE char *chunk = xmalloc(CHUNK);
    if (fs_open(e->dir_fd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err))
        return -1;
    for (uint64_t left = e->stat.size; left > 0;) {
        ssize_t n = read(fd, chunk, left < CHUNK ? (size_t)left : CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_sys(err, "read %s", e->path)
                         : err_set(err, ERR_CORRUPT, "%s became shorter", e->path);
        if (tar_writer_write(o->tar, span_bytes(chunk, (size_t)n), err))
            return -1;
        left -= (uint64_t)n;
    }
    return 0;
}

static enum tar_type type_of(mode_t mode)
{
    return S_ISDIR(mode)    ? TAR_FOLDER
           : S_ISLNK(mode)  ? TAR_SYMLINK
           : S_ISCHR(mode)  ? TAR_CHAR_DEVICE
           : S_ISBLK(mode)  ? TAR_BLOCK_DEVICE
           : S_ISFIFO(mode) ? TAR_FIFO
                            : TAR_FILE;
}

static int tar_entry_of(struct out *o, const struct tree_entry *e, struct err *err)
{
    AUTO_FREE char *target = NULL;
    const char *first = first_name(o, e);
    const struct node_stat *s = &e->stat;
    AUTO_VALUE(buf_clear) struct buf capability = { 0 };
    struct tar_xattr xattr = { .name = "security.capability" };
    bool has_capability = false;
    buf_init(&capability, LIMIT_XATTR_VALUE);
    if (S_ISLNK(s->mode) && fs_read_link(e->dir_fd, e->name, &target, err))
        return -1;
    if (S_ISREG(s->mode) &&
        node_get_capability(e->dir_fd, e->name, &capability, &has_capability, err))
        return -1;
    xattr.value = buf_span(&capability);
    struct tar_entry t = { .type = first ? TAR_HARD_LINK : type_of(s->mode),
                           .path = e->path,
                           .link = first    ? first
                                   : target ? target
                                            : "",
                           .size = !first && S_ISREG(s->mode) ? s->size : 0,
                           .mode = s->mode & 07777,
                           .uid = s->uid,
                           .gid = s->gid,
                           .user_name = "",
                           .group_name = "",
                           .mtime = s->mtime,
                           .dev_major = S_ISCHR(s->mode) || S_ISBLK(s->mode) ? major(s->rdev) : 0,
                           .dev_minor = S_ISCHR(s->mode) || S_ISBLK(s->mode) ? minor(s->rdev) : 0,
                           .xattrs = &xattr,
                           .n_xattrs = has_capability && !first };
    if (tar_writer_entry(o->tar, &t, err))
        return -1;
    return t.type == TAR_FILE ? tar_content(o, e, err) : 0;
}

/* ---- folder ---- */

static int clear_name(int to_fd, const char *path, struct err *err)
{
    if (unlinkat(to_fd, path, 0) == 0 || errno == ENOENT)
        return 0;
    return err_sys(err, "replace %s", path);
}

static int folder_file(struct out *o, const struct tree_entry *e, struct err *err)
{
    AUTO_FD int from = -1, to = -1;
    if (fs_open(e->dir_fd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &from, err) ||
        fs_open(o->to_fd, e->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &to, err) ||
        fs_copy_bytes(from, to, e->stat.size, err))
        return -1;
    if (fchmod(to, e->stat.mode & 07777) < 0)
        return err_sys(err, "set the mode of %s", e->path);
    return 0;
}

static int folder_link(struct out *o, const struct tree_entry *e, struct err *err)
{
    AUTO_FREE char *target = NULL;
    if (fs_read_link(e->dir_fd, e->name, &target, err))
        return -1;
    return symlinkat(target, o->to_fd, e->path) < 0 ? err_sys(err, "link %s", e->path) : 0;
}

static struct timespec time_of(const struct out *o, const struct tree_entry *e)
{
    const struct timespec *t = &e->stat.mtime, *epoch = &o->host->clock.fixed;
    return o->host->has_epoch && t->tv_sec >= epoch->tv_sec ? *epoch : *t;
}

static int set_time(struct out *o, const char *path, struct timespec t, struct err *err)
{
    struct timespec times[2] = { t, t };
    if (utimensat(o->to_fd, path, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "set the time of %s", path);
    return 0;
}

/* One that is there stays, with what else is in it. */
static int folder_folder(struct out *o, const struct tree_entry *e, struct err *err)
{
    struct stat st;
    if (mkdirat(o->to_fd, e->path, 0700) < 0 &&
        (errno != EEXIST || fstatat(o->to_fd, e->path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
         !S_ISDIR(st.st_mode)))
        return err_sys(err, "make the folder %s", e->path);
    if (fchmodat(o->to_fd, e->path, (e->stat.mode & 07777) | 0700, 0) < 0)
        return err_sys(err, "set the mode of %s", e->path);
    *vec_push(&o->times) = (struct folder_time){ .path = xstrdup(e->path), .mtime = time_of(o, e) };
    return 0;
}

static int folder_entry(struct out *o, const struct tree_entry *e, struct err *err)
{
    const char *first = first_name(o, e);
    bool is_file = S_ISREG(e->stat.mode);
    if (S_ISDIR(e->stat.mode))
        return folder_folder(o, e, err);
    if (!is_file && !S_ISLNK(e->stat.mode))
        return 0;
    if (clear_name(o->to_fd, e->path, err))
        return -1;
    if (first)
        return linkat(o->to_fd, first, o->to_fd, e->path, 0) < 0 ? err_sys(err, "link %s", e->path)
                                                                 : 0;
    if (is_file ? folder_file(o, e, err) : folder_link(o, e, err))
        return -1;
    return set_time(o, e->path, time_of(o, e), err);
}

static int visit(void *arg, const struct tree_entry *e, struct err *err)
{
    struct out *o = arg;
    if (!*e->path || S_ISSOCK(e->stat.mode))
        return 0;
    return o->tar ? tar_entry_of(o, e, err) : folder_entry(o, e, err);
}

/* ---- what is said of the files, beside them ---- */

static int tar_statement(struct out *o, const char *name, struct span text, struct err *err)
{
    struct tar_entry t = { .type = TAR_FILE,
                           .path = name,
                           .link = "",
                           .size = text.len,
                           .mode = 0600,
                           .user_name = "",
                           .group_name = "",
                           .mtime = clock_now(&o->host->clock) };
    if (!o->host->has_epoch)
        t.mtime = (struct timespec){ 0 };
    return tar_writer_entry(o->tar, &t, err) ? -1 : tar_writer_write(o->tar, text, err);
}

static int write_statements(struct out *o, struct err *err)
{
    map_each (&o->statements, e) {
        struct span text = span_of(e->value);
        if (o->tar ? tar_statement(o, e->key, text, err)
                   : fs_write_file(o->to_fd, e->key, text, 0600, false, err))
            return -1;
    }
    return 0;
}

static int write_tar(struct out *o, const char *dest, const struct tree *tree, struct err *err)
{
    AUTO_VALUE(sink_close) struct sink sink = { .fd = -1 };
    struct tar_writer_options options = { .has_epoch = o->host->has_epoch,
                                          .epoch = o->host->clock.fixed.tv_sec };
    struct tree_walk how = { .visit = visit, .arg = o, .cancel = o->host->cancel };
    if (sink_open(dest, &sink, err))
        return -1;
    AUTO(tar_writer_free) struct tar_writer *tar = o->tar = tar_writer_new(sink.writer, &options);
    if (tree_walk(tree, "", &how, err) || write_statements(o, err) || tar_writer_finish(tar, err))
        return -1;
    return sink_commit(&sink, err);
}

static int write_folder(struct out *o, const char *dest, const struct tree *tree, struct err *err)
{
    struct tree_walk how = { .visit = visit, .arg = o, .cancel = o->host->cancel };
    if (fs_make_dirs(AT_FDCWD, dest, 0755, err) ||
        fs_open(AT_FDCWD, dest, O_RDONLY | O_DIRECTORY, 0, &o->to_fd, err) ||
        tree_walk(tree, "", &how, err) || write_statements(o, err))
        return -1;
    for (size_t i = o->times.n; i-- > 0;)
        if (set_time(o, o->times.items[i].path, o->times.items[i].mtime, err))
            return -1;
    return 0;
}

int rootfs_write(const struct export_host *h, const struct export_spec *s,
                 const struct export_image *image, struct err *err)
{
    AUTO(view_close) struct view *view = NULL;
    if (view_open(h->snapshots, image->snapshot, h->cancel, &view, err))
        return -1;
    AUTO(tree_free) struct tree *tree = tree_of_folder(view_fd(view), NULL);
    AUTO_VALUE(out_clear)
    struct out o = { .host = h, .to_fd = -1, .links = STR_MAP, .statements = STR_MAP };
    if (attest_files(h, s, image, tree, &o.statements, err))
        return -1;
    if (s->type == EXPORT_TAR ? write_tar(&o, s->dest, tree, err)
                              : write_folder(&o, s->dest, tree, err))
        return err_wrap(err, "export to %s", s->dest);
    return 0;
}
