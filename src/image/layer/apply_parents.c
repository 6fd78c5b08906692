/* image/layer/apply_parents.c - the way to an entry, and the mtimes of folders.
 *
 * Mostly a parent is there and one openat2() finds it.  Where something is missing the path is
 * walked name by name, symlinks resolved by hand, so that folders are made where the symlinks lead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/layer/apply_state.h"
#include "image/layer/change.h"

enum { MAX_SYMLINKS = 40 }; /* on one way: the kernel's own limit */

/* ---- mtimes ---- */

void apply_set_time(struct apply *a, const char *path, uint64_t ino, struct timespec mtime)
{
    uint64_t at;
    if (id_table_find(&a->time_of, ino, &at)) {
        a->times.items[at].mtime = mtime;
        return;
    }
    id_table_set(&a->time_of, ino, a->times.n);
    *vec_push(&a->times) =
        (struct folder_time){ .path = xstrdup(path), .ino = ino, .mtime = mtime };
}

int apply_folder_times(struct apply *a, struct err *err)
{
    vec_each (&a->times, t) {
        struct folder *folder;
        if (apply_find_parent(a, span_of(t->path), &folder, err))
            return -1;
        if (!folder || folder->ino != t->ino) /* made way for something else */
            continue;
        struct timespec both[2] = { t->mtime, t->mtime };
        if (utimensat(folder->fd, ".", both, 0))
            return err_sys(err, "set the time of %s", t->path);
    }
    return 0;
}

/* Marks the folder and all above it. */
int apply_touch(struct apply *a, const struct folder *folder, struct err *err)
{
    if (!id_table_find(&a->time_of, folder->ino, NULL))
        apply_set_time(a, folder->path, folder->ino, folder->mtime);
    AUTO_FD int fd = -1;
    uint64_t ino = folder->ino;
    for (int from = folder->fd; !id_table_find(&a->holders, ino, NULL); from = fd) {
        struct stat st;
        id_table_set(&a->holders, ino, 0);
        int above = openat(from, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (above < 0 || fstat(above, &st)) {
            auto_close_fd(&above);
            return err_sys(err, "open the folder above %s", folder->path);
        }
        auto_close_fd(&fd);
        fd = above;
        ino = st.st_ino;
    }
    return 0;
}

/* ---- the way ---- */

/* A walk: `real` is where we are, `todo` the names still to go. */
struct walk {
    int fd; /* owned */
    char real[LIMIT_PATH], todo[2 * LIMIT_PATH];
    int n_symlinks;
};

static void walk_clear(struct walk *w)
{
    auto_close_fd(&w->fd);
}

static int go_to(struct apply *a, struct walk *w, struct err *err)
{
    int fd;
    if (fs_open(a->folders.root_fd, w->real[0] ? w->real : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW,
                0, &fd, err))
        return -1;
    auto_close_fd(&w->fd);
    w->fd = fd;
    return 0;
}

static int follow_symlink(struct apply *a, struct walk *w, const char *name, struct err *err)
{
    AUTO_FREE char *text = NULL;
    if (++w->n_symlinks > MAX_SYMLINKS)
        return err_set(err, ERR_INVALID, "%s/%s: too many symlinks", w->real, name);
    if (fs_read_link(w->fd, name, &text, err))
        return -1;
    AUTO_FREE char *both = xasprintf("%s/%s", text, w->todo);
    size_t len = strlen(both);
    if (len >= sizeof w->todo)
        return err_set(err, ERR_LIMIT, "%s/%s: the symlink leads too far", w->real, name);
    memcpy(w->todo, both, len + 1);
    if (text[0] != '/')
        return 0;
    w->real[0] = '\0';
    return go_to(a, w, err);
}

/* Makes the folder `name` where we are; an overlay's whiteout of that name becomes an opaque one.
 */
static int make_folder(struct apply *a, struct walk *w, const char *name, bool is_opaque,
                       struct err *err)
{
    struct stat st;
    if (mkdirat(w->fd, name, 0755))
        return err_sys(err, "make folder %s", w->real);
    if ((a->umask & 0755) && fchmodat(w->fd, name, 0755, 0))
        return err_sys(err, "chmod %s", w->real);
    if (is_opaque && apply_set_opaque(a, w->fd, name, err))
        return -1;
    if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", w->real);
    /* The time of making must not show anywhere. */
    apply_set_time(a, w->real, st.st_ino, (struct timespec){ 0 });
    if (apply_is_overlay(a)) {
        id_table_set(&a->implied_at, st.st_ino, a->implied.n);
        str_list_push(&a->implied, w->real);
    }
    return 0;
}

/* One name further. */
static int step(struct apply *a, struct walk *w, const char *name, struct err *err)
{
    struct stat st;
    size_t len = strlen(w->real);
    if (strcmp(name, "..") == 0) {
        struct span up = path_parent(w->real);
        w->real[up.len] = '\0';
        return go_to(a, w, err);
    }
    bool is_there = fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_there && errno != ENOENT)
        return err_sys(err, "stat %s/%s", w->real, name);
    if (is_there && S_ISLNK(st.st_mode))
        return follow_symlink(a, w, name, err);
    if (len + 1 + strlen(name) >= sizeof w->real)
        return err_set(err, ERR_LIMIT, "%.100s...: the way is too long", w->real);
    snprintf(w->real + len, sizeof w->real - len, "%s%s", len ? "/" : "", name);
    bool is_opaque = is_there && apply_is_overlay(a) && apply_is_whiteout(&st);
    if (is_opaque && unlinkat(w->fd, name, 0))
        return err_sys(err, "remove %s", w->real);
    if ((!is_there || is_opaque) && make_folder(a, w, name, is_opaque, err))
        return -1;
    if (is_there && !is_opaque && !S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "%s: is no folder, but has entries below it", w->real);
    int fd;
    if (fs_open(w->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err))
        return -1;
    auto_close_fd(&w->fd);
    w->fd = fd;
    return 0;
}

static int make_parents(struct apply *a, struct span path, struct folder **out, struct err *err)
{
    AUTO_VALUE(walk_clear) struct walk w = { .fd = -1 };
    snprintf(w.todo, sizeof w.todo, "%.*s", SPAN_ARG(path));
    if (go_to(a, &w, err))
        return -1;
    while (w.todo[0]) {
        char name[LIMIT_PATH];
        size_t len = strcspn(w.todo, "/");
        if (len >= sizeof name)
            return err_set(err, ERR_LIMIT, "a name of %zu bytes", len);
        memcpy(name, w.todo, len);
        name[len] = '\0';
        len += w.todo[len] == '/';
        memmove(w.todo, w.todo + len, strlen(w.todo + len) + 1);
        if (name[0] && strcmp(name, ".") != 0 && step(a, &w, name, err))
            return -1;
    }
    return folders_keep(&a->folders, path, STEAL_FD(w.fd), out, err);
}

int apply_open_parent(struct apply *a, struct span path, struct folder **out, struct err *err)
{
    struct err first;
    first.kind = ERR_NONE;
    if (folders_open(&a->folders, path, out, &first)) {
        if (first.kind != ERR_NOT_FOUND && first.kind != ERR_INVALID) {
            *err = first;
            return -1;
        }
        if (make_parents(a, path, out, err))
            return -1;
    }
    return apply_touch(a, *out, err);
}

int apply_find_parent(struct apply *a, struct span path, struct folder **out, struct err *err)
{
    struct err first = { 0 };
    if (folders_open(&a->folders, path, out, &first) == 0)
        return 0;
    *out = NULL;
    if (first.kind == ERR_NOT_FOUND || first.kind == ERR_INVALID)
        return 0;
    *err = first;
    return -1;
}

/* ---- implied parents ---- */

void apply_not_implied(struct apply *a, uint64_t ino)
{
    uint64_t at;
    if (id_table_find(&a->implied_at, ino, &at))
        a->implied.items[at][0] = '\0';
}

static int by_path(const void *x, const void *y)
{
    return change_path_compare(*(char *const *)x, *(char *const *)y);
}

int apply_report_implied(struct apply *a, struct err *err)
{
    struct str_list *out = &a->out->implied_parents;
    for (size_t i = 0; i < a->implied.n; i++) {
        const char *path = a->implied.items[i];
        struct folder *folder;
        uint64_t at;
        if (!*path)
            continue;
        if (apply_find_parent(a, span_of(path), &folder, err))
            return -1;
        /* One that made way for something else is not there any more. */
        if (folder && id_table_find(&a->implied_at, folder->ino, &at) && at == i)
            str_list_push(out, path);
    }
    if (out->n > 0)
        qsort(out->items, out->n, sizeof *out->items, by_path);
    return 0;
}
