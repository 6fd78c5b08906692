/* image/layer/folders.c - see internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/layer/internal.h"

/* ---- id_table ---- */

void id_table_clear(struct id_table *t)
{
    free(t->slots);
    *t = (struct id_table){ 0 };
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccd;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53;
    return x ^ x >> 33;
}

/* The slot of `key`, or the free one where it would go. */
static struct id_slot *slot_of(const struct id_table *t, uint64_t key)
{
    size_t at = mix(key) & (t->n_slots - 1);
    while (t->slots[at].is_used && t->slots[at].key != key)
        at = (at + 1) & (t->n_slots - 1);
    return &t->slots[at];
}

static void grow(struct id_table *t)
{
    struct id_table old = *t;
    t->n_slots = old.n_slots ? old.n_slots * 2 : 64;
    t->slots = xcalloc(t->n_slots, sizeof *t->slots);
    for (size_t i = 0; i < old.n_slots; i++)
        if (old.slots[i].is_used)
            *slot_of(t, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

void id_table_set(struct id_table *t, uint64_t key, uint64_t value)
{
    if (t->n * 2 >= t->n_slots)
        grow(t);
    struct id_slot *slot = slot_of(t, key);
    t->n += !slot->is_used;
    *slot = (struct id_slot){ .key = key, .value = value, .is_used = true };
}

bool id_table_find(const struct id_table *t, uint64_t key, uint64_t *value)
{
    if (t->n_slots == 0)
        return false;
    const struct id_slot *slot = slot_of(t, key);
    if (slot->is_used && value)
        *value = slot->value;
    return slot->is_used;
}

uint64_t id_of_name(uint64_t folder_ino, const char *name)
{
    uint64_t h = mix(folder_ino) ^ 0xcbf29ce484222325;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3;
    return mix(h);
}

/* ---- folders ---- */

struct span path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    return span_bytes(path, slash ? (size_t)(slash - path) : 0);
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void folders_init(struct folders *f, int root_fd)
{
    *f = (struct folders){ .root_fd = root_fd };
    for (size_t i = 0; i < N_FOLDERS; i++)
        f->items[i].fd = -1;
}

void folder_clear(struct folder *d)
{
    auto_close_fd(&d->fd);
    free(d->path);
    *d = (struct folder){ .fd = -1 };
}

void folders_forget(struct folders *f)
{
    for (size_t i = 0; i < N_FOLDERS; i++)
        folder_clear(&f->items[i]);
}

void folders_clear(struct folders *f)
{
    folders_forget(f);
}

struct folder *folders_find(struct folders *f, struct span path)
{
    for (size_t i = 0; i < N_FOLDERS; i++) {
        struct folder *d = &f->items[i];
        if (d->path && span_equal(path, span_of(d->path))) {
            d->last_use = ++f->clock;
            return d;
        }
    }
    return NULL;
}

int folders_keep(struct folders *f, struct span path, int fd, struct folder **out, struct err *err)
{
    AUTO_FD int mine = fd;
    struct stat st;
    if (fstat(mine, &st))
        return err_sys(err, "stat %.*s", SPAN_ARG(path));
    struct folder *oldest = &f->items[0];
    for (size_t i = 1; i < N_FOLDERS; i++)
        if (f->items[i].last_use < oldest->last_use)
            oldest = &f->items[i];
    folder_clear(oldest);
    *oldest = (struct folder){
        .path = span_dup(path),
        .fd = STEAL_FD(mine),
        .ino = st.st_ino,
        .dev = st.st_dev,
        .mtime = st.st_mtim,
        .is_setgid = st.st_mode & S_ISGID,
        .gid = st.st_gid,
        .last_use = ++f->clock,
    };
    *out = oldest;
    return 0;
}

int folders_open(struct folders *f, struct span path, struct folder **out, struct err *err)
{
    *out = folders_find(f, path);
    if (*out)
        return 0;
    char text[LIMIT_PATH];
    if (path.len >= sizeof text)
        return err_set(err, ERR_LIMIT, "a path of more than %d bytes", LIMIT_PATH - 1);
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(path));
    AUTO_FD int fd = -1;
    if (fs_open_in_root(f->root_fd, text[0] ? text : ".", O_PATH | O_DIRECTORY, 0, &fd, err)) {
        if (err->sys == ENOTDIR || err->sys == ELOOP)
            err->kind = ERR_INVALID;
        return -1;
    }
    return folders_keep(f, path, STEAL_FD(fd), out, err);
}
