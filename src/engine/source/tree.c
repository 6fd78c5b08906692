/* engine/source/tree.c - opening trees, walking them, finding what a COPY source names. */
#include "engine/source/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/internal.h"

int tree_of_context(struct store *st, const char *path, const struct pattern_list *ignore,
                    struct tree **out, struct err *err)
{
    int fd = -1;
    if (st && index_open(st, err))
        return -1;
    if (fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &fd, err))
        return err_wrap(err, "open the build context %s", path);
    struct tree *t = xcalloc(1, sizeof *t);
    *t = (struct tree){
        .root_fd = fd, .owns_fd = true, .is_context = true, .ignore = ignore, .store = st
    };
    *out = t;
    return 0;
}

struct tree *tree_of_folder(int root_fd, const struct id_map *ids)
{
    struct tree *t = xcalloc(1, sizeof *t);
    *t = (struct tree){ .root_fd = root_fd };
    if (ids) {
        t->ids = *ids;
        t->has_ids = true;
    }
    return t;
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    if (t->owns_fd)
        close(t->root_fd);
    free(t);
}

int tree_fd(const struct tree *t)
{
    return t->root_fd;
}

bool tree_is_context(const struct tree *t)
{
    return t->is_context;
}

bool tree_hides(const struct tree *t, const char *path, int *line)
{
    if (line)
        *line = 0;
    return t->ignore && *path && pattern_list_excludes(t->ignore, path, line);
}

int tree_stat(const struct tree *t, int dir_fd, const char *name, struct node_stat *out,
              struct err *err)
{
    if (!t->is_context)
        return node_stat(dir_fd, name, t->has_ids ? &t->ids : NULL, out, err);
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "look at %s", name);
    *out = (struct node_stat){ .mode = st.st_mode,
                               .rdev = st.st_rdev,
                               .size = (uint64_t)st.st_size,
                               .mtime = st.st_mtim,
                               .ctime = st.st_ctim,
                               .dev = st.st_dev,
                               .ino = st.st_ino,
                               .nlink = st.st_nlink };
    return 0;
}

/* ---- walking ---- */

struct walk {
    const struct tree *tree;
    const struct tree_walk *how;
    size_t n_prefix; /* bytes of the start's path in each path, the "/" behind it included */
    size_t depth;
};

/* A folder on the way: hidden ones are told only when something below them is. */
struct level {
    struct level *above;
    const struct tree_entry *entry;
    bool is_told;
    int verdict; /* of its visit: 1: its content is left out */
};

static int tell(struct walk *w, struct level *l, struct err *err)
{
    if (!l || l->is_told)
        return l ? l->verdict : 0;
    int above = tell(w, l->above, err);
    if (above)
        return above;
    l->is_told = true;
    l->verdict = w->how->visit(w->how->arg, l->entry, err);
    return l->verdict;
}

/* Whether an entry is left out; *is_pruned: all below it too. */
static bool is_left_out(const struct walk *w, const char *path, bool *is_pruned)
{
    const struct pattern_list *ignore = w->tree->ignore, *include = w->how->include;
    const struct pattern_list *exclude = w->how->exclude;
    const char *relative = strlen(path) < w->n_prefix ? "" : path + w->n_prefix;
    bool is_hidden = tree_hides(w->tree, path, NULL);
    *is_pruned = is_hidden && pattern_list_prunes(ignore, path);
    if (!*relative)
        return is_hidden;
    if (exclude && pattern_list_excludes(exclude, relative, NULL)) {
        is_hidden = true;
        *is_pruned |= pattern_list_prunes(exclude, relative);
    }
    if (include && !pattern_list_excludes(include, relative, NULL)) {
        is_hidden = true;
        *is_pruned |= !pattern_list_reaches(include, relative);
    }
    return is_hidden;
}

static int walk_folder(struct walk *w, int dir_fd, const char *name, struct level *l,
                       struct err *err);

static int walk_entry(struct walk *w, int dir_fd, const char *name, const char *path,
                      struct level *above, struct err *err)
{
    struct tree_entry entry = { .path = path, .dir_fd = dir_fd, .name = name };
    if (tree_stat(w->tree, dir_fd, name, &entry.stat, err))
        return err_wrap(err, "walk %s", path);
    bool is_folder = S_ISDIR(entry.stat.mode), is_pruned = false;
    bool is_hidden = is_left_out(w, path, &is_pruned);
    if (is_hidden && (!is_folder || is_pruned))
        return 0;
    struct level level = { .above = above, .entry = &entry };
    if (!is_hidden) {
        int verdict = tell(w, &level, err);
        if (verdict)
            return verdict < 0 ? -1 : 0;
    }
    return is_folder ? walk_folder(w, dir_fd, name, &level, err) : 0;
}

static int walk_folder(struct walk *w, int dir_fd, const char *name, struct level *l,
                       struct err *err)
{
    const char *path = l->entry->path;
    if (++w->depth > LIMIT_PATH_DEPTH)
        return err_set(err, ERR_LIMIT, "walk %s: folders nest deeper than %d", path,
                       LIMIT_PATH_DEPTH);
    AUTO_FD int fd = -1;
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (cancel_check(w->how->cancel, err) ||
        fs_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err) ||
        fs_list(fd, ".", &names, err))
        return err_wrap(err, "walk %s", *path ? path : ".");
    vec_each (&names, child) {
        AUTO_FREE char *below = *path ? xasprintf("%s/%s", path, *child) : xstrdup(*child);
        if (l->is_told && l->verdict)
            break;
        if (walk_entry(w, fd, *child, below, l, err))
            return -1;
    }
    w->depth--;
    return 0;
}

/* Opens the folder that holds `path`; *name is its last part. */
static int open_parent(const struct tree *t, const char *path, int *fd, const char **name,
                       struct err *err)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
    *name = slash ? slash + 1 : *path ? path : ".";
    return fs_open_in_root(t->root_fd, parent, O_PATH | O_DIRECTORY, 0, fd, err);
}

int tree_walk(const struct tree *t, const char *path, const struct tree_walk *how, struct err *err)
{
    struct walk w = { .tree = t, .how = how, .n_prefix = *path ? strlen(path) + 1 : 0 };
    AUTO_FD int fd = -1;
    const char *name;
    if (open_parent(t, path, &fd, &name, err))
        return err_wrap(err, "walk %s", path);
    return walk_entry(&w, fd, name, path, NULL, err);
}

/* ---- finding ---- */

static int stop_at_first(void *arg, const struct tree_entry *e, struct err *err)
{
    (void)e;
    *(bool *)arg = true;
    return err_set(err, ERR_EXISTS, "found");
}

/* Whether anything at or below the path is not hidden. */
static bool shows(const struct tree *t, const char *path)
{
    bool found = false;
    struct err ignored = { 0 };
    struct tree_walk how = { .visit = stop_at_first, .arg = &found };
    if (!tree_hides(t, path, NULL))
        return true;
    if (pattern_list_prunes(t->ignore, path))
        return false;
    (void)!tree_walk(t, path, &how, &ignored);
    return found;
}

/* Where an O_PATH descriptor really is, relative to the root. */
static char *real_path(const struct tree *t, int fd)
{
    char link[64], root[PATH_MAX], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", t->root_fd);
    ssize_t n_root = readlink(link, root, sizeof root - 1);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n_root < 0 || n < n_root)
        return NULL;
    if (n_root == 1) /* the root is "/" */
        n_root = 0;
    return xstrndup(path + n_root + (n > n_root), (size_t)(n - n_root - (n > n_root)));
}

/* Whether an open failed because nothing is there to open. */
static bool is_absent(const struct err *err)
{
    return err->kind == ERR_NOT_FOUND || err->sys == ENOTDIR || err->sys == ELOOP;
}

/* 0 with *out NULL for what is absent, else the failure. */
static int absent_or_fail(struct err *err)
{
    if (!is_absent(err))
        return -1;
    err_clear(err);
    return 0;
}

/* `path` with its symlinked folders resolved inside the root, the last part too when `follows`;
 * *out NULL when nothing is there. */
static int resolve(const struct tree *t, const char *path, bool follows, char **out,
                   struct err *err)
{
    AUTO_FD int fd = -1, self = -1;
    const char *name;
    *out = NULL;
    if (follows || !*path) {
        if (fs_open_in_root(t->root_fd, *path ? path : ".", O_PATH, 0, &fd, err))
            return absent_or_fail(err);
        *out = real_path(t, fd);
        return 0;
    }
    if (open_parent(t, path, &fd, &name, err) ||
        fs_open(fd, name, O_PATH | O_NOFOLLOW, 0, &self, err))
        return absent_or_fail(err);
    AUTO_FREE char *parent = real_path(t, fd);
    if (parent)
        *out = *parent ? xasprintf("%s/%s", parent, name) : xstrdup(name);
    return 0;
}

/* All names that the pattern's parts match, one part at a time; `done` is what is decided already.
 */
static int expand(const struct tree *t, const char *done, struct span rest, struct str_list *out,
                  struct err *err)
{
    if (rest.len == 0) {
        str_list_push(out, done);
        return 0;
    }
    AUTO_FREE char *part = span_dup(span_cut(&rest, '/'));
    if (!pattern_has_wildcard(part)) {
        AUTO_FREE char *next = *done ? xasprintf("%s/%s", done, part) : xstrdup(part);
        return expand(t, next, rest, out, err);
    }
    AUTO_FD int fd = -1;
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (fs_open_in_root(t->root_fd, *done ? done : ".", O_RDONLY | O_DIRECTORY, 0, &fd, err))
        return absent_or_fail(err);
    if (fs_list(fd, ".", &names, err))
        return err_wrap(err, "list %s", done);
    vec_each (&names, name) {
        if (!pattern_match(part, *name))
            continue;
        AUTO_FREE char *next = *done ? xasprintf("%s/%s", done, *name) : xstrdup(*name);
        if (expand(t, next, rest, out, err))
            return -1;
    }
    return 0;
}

/* Relative and clean; ".." at the root stays there. */
static char *inside_root(const char *path)
{
    AUTO_FREE char *rooted = xasprintf("/%s", path);
    AUTO_FREE char *clean = pattern_clean(span_of(rooted));
    return xstrdup(clean + strspn(clean, "/"));
}

/* Bytes of the parts before the first with a wildcard. */
static size_t literal_len(const char *pattern)
{
    size_t len = 0;
    for (struct span rest = span_of(pattern); rest.len > 0;) {
        AUTO_FREE char *part = span_dup(span_cut(&rest, '/'));
        if (pattern_has_wildcard(part))
            break;
        len += strlen(part) + 1;
    }
    return len ? len - 1 : 0;
}

/* What a pattern found: symlinks lead on within its literal parts, and as the last one; what lies
 * behind others was not found (Go's filepath.Walk does not go there). */
static int resolve_found(const struct tree *t, const char *one, size_t n_literal, bool follows,
                         char **out, struct err *err)
{
    AUTO_FREE char *start = NULL, *real = NULL;
    *out = NULL;
    if (n_literal >= strlen(one))
        return resolve(t, one, follows, out, err);
    AUTO_FREE char *literal = xstrndup(one, n_literal);
    if (resolve(t, literal, true, &start, err) || resolve(t, one, false, &real, err))
        return -1;
    if (!start || !real)
        return 0;
    AUTO_FREE char *want = *start ? xasprintf("%s/%s", start, one + n_literal + (n_literal > 0))
                                  : xstrdup(one + n_literal + (n_literal > 0));
    if (strcmp(real, want) != 0)
        return 0;
    return resolve(t, one, follows, out, err);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int tree_find_names(const struct tree *t, const char *path, bool has_wildcards, bool follows,
                    struct str_list *out, struct str_list *names, struct err *err)
{
    AUTO_FREE char *clean = inside_root(path);
    size_t n_literal = has_wildcards ? literal_len(clean) : SIZE_MAX;
    AUTO_VALUE(str_list_clear) struct str_list found = { 0 };
    if (!has_wildcards)
        str_list_push(&found, clean);
    else if (pattern_check(clean, err) || expand(t, "", span_of(clean), &found, err))
        return -1;
    vec_each (&found, one) {
        AUTO_FREE char *real = NULL;
        if (resolve_found(t, *one, n_literal, follows, &real, err))
            return err_wrap(err, "find %s", path);
        if (!real || !shows(t, real))
            continue;
        str_list_push(out, real);
        str_list_push(names, *one);
    }
    return 0;
}

int tree_find(const struct tree *t, const char *path, bool has_wildcards, bool follows,
              struct str_list *out, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list found = { 0 }, names = { 0 };
    if (tree_find_names(t, path, has_wildcards, follows, &found, &names, err))
        return -1;
    size_t first = out->n;
    vec_each (&found, one)
        if (!str_list_has(out, *one))
            str_list_push(out, *one);
    if (out->n > first)
        qsort(out->items + first, out->n - first, sizeof *out->items, compare_texts);
    return 0;
}
