/* engine/export/rootfs.c - root file systems as a folder of files or as a tar.
 *
 * The folder gets the files as whoever runs kiln would have made them: modes and times are kept,
 * owners are not, devices are left out.  The tar keeps everything.  With SOURCE_DATE_EPOCH all
 * times are it, as in BuildKit.
 *
 * Several platforms get a folder each, "linux_arm64"; without that (platform-split=false) one file
 * of two platforms is an error.
 *
 * Spec: BuildKit exporter/local, exporter/tar; docker buildx build "local". */
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
    const struct export_spec *spec;
    struct tar_writer *tar; /* borrowed; NULL: to a folder */
    int to_fd;              /* owned: that folder */
    struct map links;       /* "dev:ino" -> first path */
    vec(struct folder_time) times;
    char *prefix;     /* owned: "linux_amd64/" or "": goes before each path */
    const char *name; /* of the platform that is being written */
    bool deletes;
    bool is_mixed; /* several platforms into one place */
    struct map
        seen; /* path, a folder's with "/" -> platform's name: what was written, where asked */
};

static void out_clear(struct out *o)
{
    if (o->to_fd >= 0)
        close(o->to_fd);
    map_clear(&o->links);
    map_clear(&o->seen);
    free(o->prefix);
    vec_each (&o->times, t)
        free(t->path);
    vec_clear(&o->times);
}

/* Notes that a path is written.  *is_done: a folder that another platform brought already.  Nothing
 * else may come twice: one platform's symlink would lead another's files out of the folder. */
static int note_path(struct out *o, const char *path, bool is_folder, bool *is_done,
                     struct err *err)
{
    AUTO_FREE char *as_folder = xasprintf("%s/", path);
    const char *folder = map_find(&o->seen, as_folder), *other = map_find(&o->seen, path);
    const char *before = folder ? folder : other;
    *is_done = is_folder && folder;
    if (other || (folder && !is_folder))
        return err_set(err, ERR_INVALID,
                       "cannot overwrite %s from %s with %s when platform-split is false", path,
                       before, o->name);
    if (o->is_mixed || o->deletes)
        map_set(&o->seen, is_folder ? as_folder : path, (void *)(uintptr_t)o->name);
    return 0;
}

/* The path under which a file of several names was written first; NULL when this is the first. */
static const char *first_name(struct out *o, const struct tree_entry *e, const char *path)
{
    if (!S_ISREG(e->stat.mode) || e->stat.nlink < 2)
        return NULL;
    AUTO_FREE char *key =
        xasprintf("%llu:%llu", (unsigned long long)e->stat.dev, (unsigned long long)e->stat.ino);
    const char *first = map_find_str(&o->links, key);
    if (!first)
        map_set_str(&o->links, key, path);
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

static struct timespec time_of(const struct out *o, const struct tree_entry *e)
{
    return o->host->has_epoch ? o->host->clock.fixed : e->stat.mtime;
}

static int tar_entry_of(struct out *o, const struct tree_entry *e, const char *path,
                        struct err *err)
{
    AUTO_FREE char *target = NULL;
    const char *first = first_name(o, e, path);
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
                           .path = path,
                           .link = first    ? first
                                   : target ? target
                                            : "",
                           .size = !first && S_ISREG(s->mode) ? s->size : 0,
                           .mode = s->mode & 07777,
                           .uid = s->uid,
                           .gid = s->gid,
                           .user_name = "",
                           .group_name = "",
                           .mtime = time_of(o, e),
                           .dev_major = S_ISCHR(s->mode) || S_ISBLK(s->mode) ? major(s->rdev) : 0,
                           .dev_minor = S_ISCHR(s->mode) || S_ISBLK(s->mode) ? minor(s->rdev) : 0,
                           .xattrs = &xattr,
                           .n_xattrs = has_capability && !first };
    if (tar_writer_entry(o->tar, &t, err))
        return -1;
    return t.type == TAR_FILE ? tar_content(o, e, err) : 0;
}

/* ---- folder ---- */

/* Makes room for something that is no folder. */
static int clear_name(struct out *o, const char *path, struct err *err)
{
    if (unlinkat(o->to_fd, path, 0) == 0 || errno == ENOENT)
        return 0;
    if (o->deletes && errno == EISDIR)
        return fs_remove_tree(o->to_fd, path, err);
    return err_sys(err, "replace %s", path);
}

static int folder_file(struct out *o, const struct tree_entry *e, const char *path, struct err *err)
{
    AUTO_FD int from = -1, to = -1;
    if (fs_open(e->dir_fd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &from, err) ||
        fs_open(o->to_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &to, err) ||
        fs_copy_bytes(from, to, e->stat.size, err))
        return -1;
    if (fchmod(to, e->stat.mode & 07777) < 0)
        return err_sys(err, "set the mode of %s", path);
    return 0;
}

static int folder_link(struct out *o, const struct tree_entry *e, const char *path, struct err *err)
{
    AUTO_FREE char *target = NULL;
    if (fs_read_link(e->dir_fd, e->name, &target, err))
        return -1;
    return symlinkat(target, o->to_fd, path) < 0 ? err_sys(err, "link %s", path) : 0;
}

static int set_time(struct out *o, const char *path, struct timespec t, struct err *err)
{
    struct timespec times[2] = { t, t };
    if (utimensat(o->to_fd, path, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "set the time of %s", path);
    return 0;
}

/* One that is there stays, with what else is in it. */
static int make_folder(struct out *o, const char *path, mode_t mode, struct err *err)
{
    struct stat st;
    if (mkdirat(o->to_fd, path, 0700) < 0) {
        bool is_there = errno == EEXIST && fstatat(o->to_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
        bool is_other = is_there && !S_ISDIR(st.st_mode);
        if (!is_there || (is_other && !o->deletes))
            return err_sys(err, "make the folder %s", path);
        if (is_other && (unlinkat(o->to_fd, path, 0) < 0 || mkdirat(o->to_fd, path, 0700) < 0))
            return err_sys(err, "make the folder %s", path);
    }
    if (fchmodat(o->to_fd, path, (mode & 07777) | 0700, 0) < 0)
        return err_sys(err, "set the mode of %s", path);
    return 0;
}

static void note_time(struct out *o, const char *path, struct timespec mtime)
{
    *vec_push(&o->times) = (struct folder_time){ .path = xstrdup(path), .mtime = mtime };
}

static int folder_entry(struct out *o, const struct tree_entry *e, const char *path,
                        struct err *err)
{
    const char *first = first_name(o, e, path);
    bool is_file = S_ISREG(e->stat.mode);
    if (S_ISDIR(e->stat.mode)) {
        note_time(o, path, time_of(o, e));
        return make_folder(o, path, e->stat.mode, err);
    }
    if (!is_file && !S_ISLNK(e->stat.mode))
        return 0;
    if (clear_name(o, path, err))
        return -1;
    if (first)
        return linkat(o->to_fd, first, o->to_fd, path, 0) < 0 ? err_sys(err, "link %s", path) : 0;
    if (is_file ? folder_file(o, e, path, err) : folder_link(o, e, path, err))
        return -1;
    return set_time(o, path, time_of(o, e), err);
}

/* ---- what else is in the folder ---- */

struct stale {
    const struct map *seen;
    struct str_list paths;
};

static int visit_stale(void *arg, const struct tree_entry *e, struct err *err)
{
    struct stale *s = arg;
    (void)err;
    AUTO_FREE char *as_folder = xasprintf("%s/", e->path);
    if (!*e->path || map_has(s->seen, S_ISDIR(e->stat.mode) ? as_folder : e->path))
        return 0;
    str_list_push(&s->paths, e->path);
    return 1; /* with all that is in it */
}

static int delete_stale(struct out *o, struct err *err)
{
    struct stale s = { .seen = &o->seen };
    struct tree_walk how = { .visit = visit_stale, .arg = &s, .cancel = o->host->cancel };
    AUTO(tree_free) struct tree *tree = tree_of_folder(o->to_fd, NULL);
    int status = tree_walk(tree, "", &how, err);
    for (size_t i = 0; i < s.paths.n && status == 0; i++)
        status = fs_remove_tree(o->to_fd, s.paths.items[i], err);
    str_list_clear(&s.paths);
    return status ? err_wrap(err, "mode=delete") : 0;
}

/* Where "mode=delete" can only be a mistake: "/", and what kiln itself was started in. */
static int check_deletion(const char *dest, struct err *err)
{
    AUTO_FREE char *whole = realpath(dest, NULL), *here = realpath(".", NULL);
    size_t len = whole ? strlen(whole) : 0;
    bool is_root = len == 1;
    if (!whole || !here)
        return err_sys(err, "find %s", dest);
    if (!is_root && (strncmp(here, whole, len) != 0 || (here[len] && here[len] != '/')))
        return 0;
    err_set(err, ERR_INVALID, "mode=delete: %s holds the folder that kiln runs in", dest);
    return err_hint(err, "give a folder of its own, as dest=out");
}

/* ---- the platforms ---- */

static int visit(void *arg, const struct tree_entry *e, struct err *err)
{
    struct out *o = arg;
    bool is_done = false;
    if (!*e->path || S_ISSOCK(e->stat.mode))
        return 0;
    AUTO_FREE char *path = xasprintf("%s%s", o->prefix, e->path);
    if (note_path(o, path, S_ISDIR(e->stat.mode), &is_done, err))
        return -1;
    if (is_done)
        return 0;
    return o->tar ? tar_entry_of(o, e, path, err) : folder_entry(o, e, path, err);
}

static char *folder_name(const char *platform)
{
    char *name = xstrdup(platform);
    for (char *p = name; *p; p++)
        if (*p == '/')
            *p = '_';
    return name;
}

/* The folder of one platform, with the time that BuildKit gives it: none but the epoch. */
static int begin_platform(struct out *o, struct err *err)
{
    struct timespec mtime = o->host->has_epoch ? o->host->clock.fixed : (struct timespec){ 0 };
    AUTO_FREE char *path = xstrndup(o->prefix, strlen(o->prefix) - 1);
    bool is_done = false;
    if (note_path(o, path, true, &is_done, err) || is_done)
        return err->kind ? -1 : 0;
    if (!o->tar) {
        if (o->host->has_epoch)
            note_time(o, path, mtime);
        return make_folder(o, path, 0755, err);
    }
    struct tar_entry e = { .type = TAR_FOLDER,
                           .path = path,
                           .link = "",
                           .mode = 0755,
                           .user_name = "",
                           .group_name = "",
                           .mtime = mtime };
    return tar_writer_entry(o->tar, &e, err);
}

/* ---- what is said of the files, beside them ---- */

static int tar_statement(struct out *o, const char *path, struct span text, struct err *err)
{
    struct tar_entry t = { .type = TAR_FILE,
                           .path = path,
                           .link = "",
                           .size = text.len,
                           .mode = 0600,
                           .user_name = "",
                           .group_name = "" };
    if (o->host->has_epoch)
        t.mtime = o->host->clock.fixed;
    return tar_writer_entry(o->tar, &t, err) ? -1 : tar_writer_write(o->tar, text, err);
}

/* "provenance.linux_arm64.json": of one of several platforms in one place. */
static char *statement_name(const struct out *o, const char *name)
{
    const char *dot = strrchr(name, '.');
    if (!o->is_mixed)
        return xasprintf("%s%s", o->prefix, name);
    AUTO_FREE char *platform = folder_name(o->name);
    return xasprintf("%.*s.%s%s", (int)(dot ? dot - name : (ptrdiff_t)strlen(name)), name, platform,
                     dot ? dot : "");
}

static int write_statements(struct out *o, struct map *statements, struct err *err)
{
    map_each (statements, e) {
        struct span text = span_of(e->value);
        AUTO_FREE char *path = statement_name(o, e->key);
        bool is_done = false;
        if (note_path(o, path, false, &is_done, err))
            return -1;
        if (o->tar ? tar_statement(o, path, text, err)
                   : fs_write_file(o->to_fd, path, text, 0600, false, err))
            return -1;
        if (!o->tar && o->host->has_epoch && set_time(o, path, o->host->clock.fixed, err))
            return -1;
    }
    return 0;
}

static int write_one(struct out *o, const struct export_image *image, bool is_split,
                     struct err *err)
{
    AUTO_VALUE(map_clear) struct map statements = STR_MAP;
    AUTO(view_close) struct view *view = NULL;
    struct platform_text platform = platform_text(&image->config->platform);
    struct tree_walk how = { .visit = visit, .arg = o, .cancel = o->host->cancel };
    free(o->prefix);
    AUTO_FREE char *folder = folder_name(platform.s);
    o->prefix = is_split ? xasprintf("%s/", folder) : xstrdup("");
    map_clear(&o->links); /* inodes are another file system's */
    o->links = (struct map)STR_MAP;
    if ((is_split && begin_platform(o, err)) ||
        view_open(o->host->snapshots, image->snapshot, o->host->cancel, &view, err))
        return -1;
    AUTO(tree_free) struct tree *tree = tree_of_folder(view_fd(view), NULL);
    if (attest_files(o->host, o->spec, image, tree, &statements, err) ||
        tree_walk(tree, "", &how, err))
        return -1;
    return write_statements(o, &statements, err);
}

struct sources {
    const struct export_image *images;
    struct platform_text *names; /* owned: that o->name points into */
    size_t n;
    bool is_split;
};

static int write_all(struct out *o, const struct sources *from, struct err *err)
{
    for (size_t i = 0; i < from->n; i++) {
        o->name = from->names[i].s;
        if (write_one(o, &from->images[i], from->is_split, err))
            return -1;
    }
    return 0;
}

static int write_tar(struct out *o, const char *dest, const struct sources *from, struct err *err)
{
    AUTO_VALUE(sink_close) struct sink sink = { .fd = -1 };
    if (sink_open(dest, &sink, err))
        return -1;
    AUTO(tar_writer_free) struct tar_writer *tar = o->tar = tar_writer_new(sink.writer, NULL);
    if (write_all(o, from, err) || tar_writer_finish(tar, err))
        return -1;
    return sink_commit(&sink, err);
}

static int write_folder(struct out *o, const char *dest, const struct sources *from,
                        struct err *err)
{
    if (fs_make_dirs(AT_FDCWD, dest, 0755, err) || (o->deletes && check_deletion(dest, err)) ||
        fs_open(AT_FDCWD, dest, O_RDONLY | O_DIRECTORY, 0, &o->to_fd, err) ||
        write_all(o, from, err) || (o->deletes && delete_stale(o, err)))
        return -1;
    for (size_t i = o->times.n; i-- > 0;)
        if (set_time(o, o->times.items[i].path, o->times.items[i].mtime, err))
            return -1;
    return 0;
}

int rootfs_write(const struct export_host *h, const struct export_spec *s,
                 const struct export_image *images, size_t n, struct err *err)
{
    AUTO_FREE struct platform_text *names = xcalloc(n, sizeof *names);
    struct sources from = { .images = images, .names = names, .n = n };
    from.is_split = s->splits_platforms < 0 ? n > 1 || h->makes_index : s->splits_platforms;
    for (size_t i = 0; i < n; i++)
        names[i] = platform_text(&images[i].config->platform);
    AUTO_VALUE(out_clear)
    struct out o = { .host = h,
                     .spec = s,
                     .to_fd = -1,
                     .links = STR_MAP,
                     .deletes = s->deletes,
                     .is_mixed = n > 1 && !from.is_split };
    if (s->type == EXPORT_TAR ? write_tar(&o, s->dest, &from, err)
                              : write_folder(&o, s->dest, &from, err))
        return err_wrap(err, "export to %s", s->dest);
    return 0;
}
