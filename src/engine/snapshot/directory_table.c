/* engine/snapshot/directory_table.c - see directory_table.h. */
#include "engine/snapshot/directory_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/sys/fs.h"
#include "engine/snapshot/change_rule.h"
#include "engine/snapshot/directory.h"
#include "image/layer/node.h"

/* The kernel's clock ticks every 10 ms at most; four times that. */
static const int64_t grain_ns = 40 * 1000000;

struct entry {
    char *name;
    struct node_stat st;
    bool is_young;
    uint8_t digest[32]; /* of a regular file's content; zero for an empty one */
    char *link;         /* of a symlink */
    struct buf capability;
    struct entry *children; /* sorted by name */
    size_t n_children;
};

struct table {
    struct entry root;
};

static void entry_clear(struct entry *e)
{
    for (size_t i = 0; i < e->n_children; i++)
        entry_clear(&e->children[i]);
    free(e->children);
    free(e->name);
    free(e->link);
    buf_clear(&e->capability);
    *e = (struct entry){ 0 };
}

struct table *table_new(void)
{
    return xcalloc(1, sizeof(struct table));
}

static void entry_copy(struct entry *to, const struct entry *from)
{
    *to = *from;
    to->name = xstrdup_or_null(from->name);
    to->link = xstrdup_or_null(from->link);
    to->children = from->n_children ? xcalloc(from->n_children, sizeof *to->children) : NULL;
    buf_init(&to->capability, LIMIT_XATTR_VALUE);
    buf_put(&to->capability, buf_span(&from->capability));
    for (size_t i = 0; i < from->n_children; i++)
        entry_copy(&to->children[i], &from->children[i]);
}

struct table *table_copy(const struct table *t)
{
    struct table *copy = table_new();
    entry_copy(&copy->root, &t->root);
    return copy;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    entry_clear(&t->root);
    free(t);
}

/* ---- one entry ---- */

struct walk {
    const struct table_update *u;
    struct task_group *group;
    pthread_mutex_t lock; /* guards u->changes, u->twins */
};

/* A folder to be looked through: its entry, and what was in it before. */
struct visit {
    struct walk *walk;
    char *path; /* owned; "" is the root */
    struct entry *folder;
    struct entry *before; /* owned, all of them cleared at the end */
    size_t n_before;
};

static int64_t age_ns(const struct timespec *now, const struct timespec *then)
{
    return (now->tv_sec - then->tv_sec) * 1000000000 + now->tv_nsec - then->tv_nsec;
}

static int read_digest(struct walk *w, int dir_fd, struct entry *now, const struct entry *before,
                       struct err *err)
{
    struct digest d;
    const struct known_digest *known = known_digests_find(w->u->known, now->st.ino);
    if (now->st.size == 0)
        return 0;
    if (known) {
        memcpy(now->digest, known->bytes, sizeof now->digest);
        return 0;
    }
    if (w->u->is_copy && before && !change_rule_metadata(&now->st, &before->st)) {
        memcpy(now->digest, before->digest, sizeof now->digest);
        return 0;
    }
    if (change_rule_digest(dir_fd, now->name, w->u->cancel, &d, err))
        return -1;
    memcpy(now->digest, d.bytes, sizeof now->digest);
    return 0;
}

/* Fills in `now` from the file system. */
static int look(struct walk *w, int dir_fd, const struct stat *raw, struct entry *now,
                const struct entry *before, struct err *err)
{
    bool has_capability;
    buf_init(&now->capability, LIMIT_XATTR_VALUE);
    if (node_stat_from(raw, dir_fd, now->name, &w->u->all->options.ids, &now->st, err))
        return -1;
    if (S_ISLNK(now->st.mode))
        return fs_read_link(dir_fd, now->name, &now->link, err);
    if (!S_ISREG(now->st.mode))
        return 0;
    if (node_get_capability(dir_fd, now->name, &now->capability, &has_capability, err))
        return -1;
    return read_digest(w, dir_fd, now, before, err);
}

static bool has_changed(const struct entry *now, const struct entry *before)
{
    if (change_rule_metadata(&now->st, &before->st))
        return true;
    if (S_ISLNK(now->st.mode))
        return strcmp(now->link, before->link) != 0;
    return S_ISREG(now->st.mode) &&
           (memcmp(now->digest, before->digest, sizeof now->digest) != 0 ||
            !span_equal(buf_span(&now->capability), buf_span(&before->capability)));
}

static bool is_untouched(const struct stat *raw, const struct entry *before)
{
    return !S_ISDIR(raw->st_mode) && !before->is_young && raw->st_ino == before->st.ino &&
           raw->st_dev == before->st.dev && raw->st_ctim.tv_sec == before->st.ctime.tv_sec &&
           raw->st_ctim.tv_nsec == before->st.ctime.tv_nsec;
}

static char *join(const char *path, const char *name)
{
    return *path ? xasprintf("%s/%s", path, name) : xstrdup(name);
}

static void tell(struct visit *v, const char *name, enum change_kind kind)
{
    if (!v->walk->u->changes)
        return;
    AUTO_FREE char *path = join(v->path, name);
    pthread_mutex_lock(&v->walk->lock);
    change_list_add(v->walk->u->changes, path, kind);
    pthread_mutex_unlock(&v->walk->lock);
}

/* ---- a folder ---- */

static int visit_folder(void *arg, struct err *err);

/* Takes what was in the folder before, when it was one. */
static void add_visit(struct visit *from, struct entry *folder, struct entry *before)
{
    struct visit *v = xcalloc(1, sizeof *v);
    *v = (struct visit){ .walk = from->walk,
                         .path = join(from->path, folder->name),
                         .folder = folder };
    if (before) {
        v->before = STEAL(before->children);
        v->n_before = before->n_children;
        before->n_children = 0;
    }
    task_group_add(v->walk->group, visit_folder, v);
}

/* A name that is there now; `before` NULL: was not there. */
static int visit_name(struct visit *v, int fd, const struct timespec *clock, struct entry *now,
                      struct entry *before, struct err *err)
{
    struct stat raw;
    char *name = now->name;
    if (fstatat(fd, name, &raw, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", name);
    bool was_there = before && !S_ISSOCK(before->st.mode);
    if (S_ISREG(raw.st_mode) && raw.st_nlink > 1) {
        AUTO_FREE char *path = join(v->path, name);
        pthread_mutex_lock(&v->walk->lock);
        str_list_push(v->walk->u->twins, path);
        pthread_mutex_unlock(&v->walk->lock);
    }
    if (before && is_untouched(&raw, before)) {
        *now = *before;
        *before = (struct entry){ 0 };
        free(name);
        return 0;
    }
    if (look(v->walk, fd, &raw, now, before, err))
        return -1;
    now->is_young = age_ns(clock, &raw.st_ctim) < grain_ns;
    if (S_ISSOCK(raw.st_mode)) {
        if (was_there)
            tell(v, name, CHANGE_DELETE);
        return 0;
    }
    if (!was_there || has_changed(now, before))
        tell(v, name, was_there ? CHANGE_MODIFY : CHANGE_ADD);
    if (S_ISDIR(raw.st_mode))
        add_visit(v, now, before);
    return 0;
}

static int visit_names(struct visit *v, int fd, struct str_list *names, struct err *err)
{
    struct timespec clock;
    struct entry *e = v->folder;
    clock_gettime(CLOCK_REALTIME_COARSE, &clock);
    e->children = xcalloc(names->n + 1, sizeof *e->children);
    for (size_t i = 0, b = 0; i < names->n || b < v->n_before;) {
        struct entry *before = b < v->n_before ? &v->before[b] : NULL;
        int order = !before ? -1 : i == names->n ? 1 : strcmp(names->items[i], before->name);
        if (order > 0) {
            if (!S_ISSOCK(before->st.mode))
                tell(v, before->name, CHANGE_DELETE);
            b++;
            continue;
        }
        struct entry *now = &e->children[e->n_children++];
        now->name = STEAL(names->items[i]);
        if (visit_name(v, fd, &clock, now, order == 0 ? before : NULL, err))
            return -1;
        i++;
        b += order == 0;
    }
    return 0;
}

static int visit_opened(struct visit *v, struct err *err)
{
    AUTO_FD int fd = -1;
    struct str_list names = { 0 };
    if (strlen(v->path) >= LIMIT_PATH)
        return err_set(err, ERR_LIMIT, "%s: a path of more than %d bytes", v->path, LIMIT_PATH - 1);
    if (cancel_check(v->walk->u->cancel, err) ||
        fs_open(v->walk->u->root_fd, *v->path ? v->path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                0, &fd, err) ||
        fs_list(fd, ".", &names, err))
        return -1;
    int status = visit_names(v, fd, &names, err);
    str_list_clear(&names);
    return status;
}

static void visit_free(struct visit *v)
{
    for (size_t i = 0; i < v->n_before; i++)
        entry_clear(&v->before[i]);
    free(v->before);
    free(v->path);
    free(v);
}

static int visit_folder(void *arg, struct err *err)
{
    struct visit *v = arg;
    int status = visit_opened(v, err);
    if (status)
        err_wrap(err, "look through /%s", v->path);
    visit_free(v);
    return status;
}

int table_update(struct table *t, const struct table_update *u, struct err *err)
{
    struct walk w = { .u = u, .group = task_group_new(u->all->options.pool, 0) };
    pthread_mutex_init(&w.lock, NULL);
    struct visit *root = xcalloc(1, sizeof *root);
    *root = (struct visit){ .walk = &w,
                            .path = xstrdup(""),
                            .folder = &t->root,
                            .before = STEAL(t->root.children),
                            .n_before = t->root.n_children };
    t->root.n_children = 0;
    task_group_add(w.group, visit_folder, root);
    int status = task_group_wait(w.group, err);
    task_group_free(w.group);
    pthread_mutex_destroy(&w.lock);
    if (status == 0 && u->changes)
        change_list_sort(u->changes);
    return status;
}

/* ---- files with several names ---- */

static struct entry *find(struct table *t, const char *path)
{
    struct span rest = span_of(path);
    struct entry *at = &t->root;
    while (at && rest.len > 0) {
        struct span name = span_cut(&rest, '/');
        struct entry *next = NULL;
        size_t low = 0, high = at->n_children;
        while (low < high && !next) {
            size_t middle = low + (high - low) / 2;
            struct entry *e = &at->children[middle];
            int order = strncmp(e->name, name.ptr, name.len);
            if (order == 0 && e->name[name.len] == '\0')
                next = e;
            else if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
        at = next;
    }
    return at;
}

/* Replaces the name by a copy; the folder keeps its mtime. */
static int separate(int root_fd, const char *path, const struct stat *st, struct err *err)
{
    static const char temporary[] = ".kiln-separate";
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
    const char *name = slash ? slash + 1 : path;
    AUTO_FD int fd = -1;
    struct stat folder;
    if (fs_open(root_fd, parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err))
        return -1;
    if (fstat(fd, &folder))
        return err_sys(err, "stat %s", parent);
    if (directory_copy_file(fd, name, fd, temporary, st, err))
        return -1;
    if (renameat(fd, temporary, fd, name))
        return err_sys(err, "rename to %s", path);
    struct timespec times[2] = { folder.st_atim, folder.st_mtim };
    return futimens(fd, times) ? err_sys(err, "set the times of %s", parent) : 0;
}

int table_separate(struct table *t, int root_fd, const struct str_list *twins, struct err *err)
{
    vec_each (twins, path) {
        struct stat st;
        struct entry *e = find(t, *path);
        if (fstatat(root_fd, *path, &st, AT_SYMLINK_NOFOLLOW))
            return err_sys(err, "stat %s", *path);
        if (st.st_nlink > 1 && separate(root_fd, *path, &st, err))
            return err_wrap(err, "give %s an inode of its own", *path);
        if (fstatat(root_fd, *path, &st, AT_SYMLINK_NOFOLLOW))
            return err_sys(err, "stat %s", *path);
        if (!e)
            continue;
        e->st.ino = st.st_ino;
        e->st.ctime = st.st_ctim;
        e->is_young = true;
    }
    return 0;
}
