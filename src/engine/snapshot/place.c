/* engine/snapshot/place.c - folders that belong to this process until they are renamed to their
 * place, and what dead processes left.
 *
 * tmp/OWNER lives as long as somebody holds the lock on tmp/OWNER/lock; the kernel drops it with
 * the process.  A layer's folder outside of tmp/ that no record names is of a process that died
 * between rename and commit: both happen inside one write transaction, so whoever holds the next
 * one may take it away. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/codec/text.h"
#include "base/sys/fs.h"
#include "engine/snapshot/internal.h"
#include "image/store/object.h"

char *random_text(const char *prefix, size_t n_bytes)
{
    char bytes[32], text[65];
    if (n_bytes > sizeof bytes || getrandom(bytes, n_bytes, 0) != (ssize_t)n_bytes)
        abort();
    hex_print(span_bytes(bytes, n_bytes), text);
    return xasprintf("%s%s", prefix, text);
}

/* Removes the folder when its owner is dead. */
static void remove_dead(struct snapshots *s, const char *owner)
{
    AUTO_FD int lock = -1;
    AUTO_FREE char *path = xasprintf("tmp/%s", owner);
    AUTO_FREE char *lock_path = xasprintf("tmp/%s/lock", owner);
    struct err ignored = { 0 };
    if (fs_exists(s->fd, path) && fs_lock(s->fd, lock_path, true, false, &lock, &ignored) == 0 &&
        fs_remove_tree(s->fd, path, &ignored))
        err_clear(&ignored); /* another process may be at it */
}

static int remove_orphans_inside(struct snapshots *s, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (fs_list(s->fd, ".", &names, err))
        return -1;
    vec_each (&names, name) {
        bool is_known = strcmp(*name, "tmp") == 0;
        AUTO_FREE char *path = xasprintf("snapshots/%s", *name);
        if (!is_known && record_has_folder(store_db(s->options.store), *name, &is_known, err))
            return -1;
        if (!is_known && store_trash(s->options.store, path, err))
            return -1;
    }
    return 0;
}

static int remove_orphans(struct snapshots *s, struct err *err)
{
    struct db *db = store_db(s->options.store);
    if (db_begin(db, err))
        return -1;
    int status = remove_orphans_inside(s, err);
    return db_end(db, status == 0, err) || status ? -1 : 0;
}

/* The lock is held before the folder can be seen: it is made under another name. */
static int make_own(struct snapshots *s, struct err *err)
{
    AUTO_FREE char *prefix = xasprintf("%ld-", (long)getpid());
    AUTO_FREE char *owner = random_text(prefix, 6);
    AUTO_FREE char *hidden = xasprintf(".%s", owner);
    AUTO_FREE char *lock = xasprintf("tmp/%s/lock", hidden);
    AUTO_FREE char *from = xasprintf("tmp/%s", hidden);
    char *to = s->own = xasprintf("tmp/%s", owner);
    if (fs_make_dirs(s->fd, from, 0700, err) || fs_lock(s->fd, lock, true, true, &s->own_lock, err))
        return -1;
    return renameat(s->fd, from, s->fd, to) ? err_sys(err, "make %s/%s", s->path, to) : 0;
}

int place_prepare(struct snapshots *s, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list owners = { 0 };
    if (fs_make_dirs(store_fd(s->options.store), "snapshots/tmp", 0700, err) ||
        fs_open(store_fd(s->options.store), "snapshots", O_RDONLY | O_DIRECTORY, 0, &s->fd, err) ||
        fs_list(s->fd, "tmp", &owners, err))
        return err_wrap(err, "open the snapshots of %s", store_path(s->options.store));
    s->path = xasprintf("%s/snapshots", store_path(s->options.store));
    vec_each (&owners, owner)
        if (**owner != '.')
            remove_dead(s, *owner);
    return make_own(s, err) || remove_orphans(s, err) ? -1 : 0;
}

void place_release(struct snapshots *s)
{
    if (s->own && s->fd >= 0)
        place_remove(s, s->own);
    auto_close_fd(&s->own_lock);
    auto_close_fd(&s->fd);
    free(s->own);
    free(s->path);
}

int place_make(struct snapshots *s, const char *kind, char **out, struct err *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s%u", s->own, kind, atomic_fetch_add(&s->n_places, 1));
    if (mkdirat(s->fd, path, 0700))
        return err_sys(err, "make %s/%s", s->path, path);
    *out = STEAL(path);
    return 0;
}

void place_remove(struct snapshots *s, const char *path)
{
    struct err ignored = { 0 };
    int code = errno;
    /* What resists is removed by who opens the store next. */
    if (path && fs_remove_tree(s->fd, path, &ignored))
        err_clear(&ignored);
    errno = code;
}

int place_name(struct snapshots *s, char **out, struct err *err)
{
    /* Short: the old way of mounting has one page for the names of all layers. */
    for (size_t n_bytes = 3; n_bytes <= 16; n_bytes++) {
        AUTO_FREE char *name = random_text("", n_bytes);
        if (!fs_exists(s->fd, name)) {
            *out = STEAL(name);
            return 0;
        }
    }
    return err_set(err, ERR_LIMIT, "find a free name in %s", s->path);
}

/* ---- sizes ---- */

static int add_size(int dir_fd, const char *name, uint64_t *out, struct err *err)
{
    AUTO_FD int fd = -1;
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (fs_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err) ||
        fs_list(fd, ".", &names, err))
        return -1;
    vec_each (&names, one) {
        struct stat st;
        if (fstatat(fd, *one, &st, AT_SYMLINK_NOFOLLOW))
            return err_sys(err, "stat %s", *one);
        *out +=
            (uint64_t)st.st_blocks * 512 / (st.st_nlink && !S_ISDIR(st.st_mode) ? st.st_nlink : 1);
        if (S_ISDIR(st.st_mode) && add_size(fd, *one, out, err))
            return -1;
    }
    return 0;
}

int place_size(int dir_fd, const char *path, uint64_t *out, struct err *err)
{
    *out = 4096;
    return add_size(dir_fd, path, out, err) ? err_wrap(err, "measure %s", path) : 0;
}
