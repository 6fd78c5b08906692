/* engine/ops/key_content.c - which paths of an input are read, and what they hold; see key.h. */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/ops/key.h"

#define SEPARATOR ((struct span){ "", 1 }) /* NUL */

/* The paths, NUL between two. */
static struct digest hash_names(const struct key_paths *paths)
{
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    for (size_t i = 0; i < paths->n; i++) {
        if (i)
            hasher_update(h, SEPARATOR);
        hasher_update(h, span_of(paths->items[i].path));
    }
    return hasher_final(h);
}

struct digest exec_selector(const struct key_paths *paths)
{
    return hash_names(paths);
}

struct digest file_selector(const struct key_paths *paths)
{
    AUTO_VALUE(key_paths_clear) struct key_paths sorted = { 0 };
    for (size_t i = 0; i < paths->n; i++) {
        size_t at = sorted.n;
        (void)vec_push(&sorted);
        for (; at > 0 && strcmp(sorted.items[at - 1].path, paths->items[i].path) < 0; at--)
            sorted.items[at] = sorted.items[at - 1];
        sorted.items[at] = paths->items[i];
    }
    return hash_names(&sorted);
}

struct digest key_order(const struct key_paths *paths)
{
    return paths->n < 2 ? (struct digest){ 0 } : hash_names(paths);
}

void key_paths_clear(struct key_paths *paths)
{
    vec_clear(paths);
}

/* ---- each once ---- */

static bool has_any(const struct strings *texts)
{
    return texts && texts->n > 0;
}

/* Whether the path stands for all that is there. */
static bool is_whole(const struct key_path *p)
{
    return !(p->has_wildcards && pattern_has_wildcard(p->path)) && !has_any(p->include) &&
           !has_any(p->exclude);
}

static bool lies_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    bool has_slash = len > 0 && folder[len - 1] == '/';
    return strcmp(path, folder) != 0 && strncmp(path, folder, len) == 0 &&
           (has_slash || path[len] == '/');
}

/* Whether another path, or the same one before it, says what paths->items[i] says. */
static bool is_told(const struct key_paths *paths, size_t i)
{
    const struct key_path *p = &paths->items[i];
    for (size_t k = 0; is_whole(p) && k < paths->n; k++) {
        const struct key_path *q = &paths->items[k];
        if (!is_whole(q) || q->follows != p->follows)
            continue;
        if (lies_below(p->path, q->path) || (k < i && strcmp(p->path, q->path) == 0))
            return true;
    }
    return false;
}

static int rank(const struct key_path *p)
{
    return !is_whole(p) ? 2 : p->follows;
}

/* By path; of equal ones those that do not follow links first, choices last, else as they came. */
static bool comes_before(const struct key_path *p, const struct key_path *q)
{
    int order = strcmp(p->path, q->path);
    return order ? order < 0 : rank(p) < rank(q);
}

static void insert(struct key_paths *sorted, const struct key_path *p)
{
    size_t at = sorted->n;
    (void)vec_push(sorted);
    for (; at > 0 && comes_before(p, &sorted->items[at - 1]); at--)
        sorted->items[at] = sorted->items[at - 1];
    sorted->items[at] = *p;
}

/* ---- content ---- */

static struct str_list list_of(const struct strings *s)
{
    return s ? (struct str_list){ .items = (char **)(uintptr_t)s->items, .n = s->n }
             : (struct str_list){ 0 };
}

static int hash_paths(const struct tree *t, const struct key_paths *paths,
                      const struct tree_digest_options *o, struct digest *out, struct err *err)
{
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    for (size_t i = 0; i < paths->n; i++) {
        const struct key_path *p = &paths->items[i];
        struct str_list include = list_of(p->include), exclude = list_of(p->exclude);
        struct tree_selector selector = { .path = p->path,
                                          .follows = p->follows,
                                          .has_wildcards = p->has_wildcards,
                                          .include = &include,
                                          .exclude = &exclude };
        struct digest d = { 0 };
        if (tree_digest(t, &selector, o, &d, err))
            return -1;
        struct digest_text text = digest_text(&d);
        if (i)
            hasher_update(h, SEPARATOR);
        hasher_update(h, span_of(text.s));
    }
    *out = hasher_final(h);
    return 0;
}

/* Who wants to know of every file that is read. */
struct telling {
    const struct ops *ops;
    const struct key_paths *paths;
};

static void tell_read(void *arg, const char *path, const struct digest *d)
{
    const struct telling *t = arg;
    const struct ops_options *o = &t->ops->o;
    o->on_read(o->on_read_arg, t->paths->vertex, t->paths->input, path, d);
}

int key_content(struct ops *ops, struct result *r, const struct key_paths *paths,
                const struct cancel *cancel, struct digest *out, struct err *err)
{
    struct telling telling = { .ops = ops, .paths = paths };
    struct tree_digest_options o = { .pool = ops->o.pool,
                                     .cancel = cancel,
                                     .seen = ops->o.on_read ? tell_read : NULL,
                                     .seen_arg = &telling };
    AUTO_VALUE(opened_close) struct opened opened = { 0 };
    AUTO_VALUE(key_paths_clear) struct key_paths sorted = { 0 };
    for (size_t i = 0; i < paths->n; i++)
        if (!is_told(paths, i))
            insert(&sorted, &paths->items[i]);
    if (result_open(ops, r, cancel, &opened, err))
        return -1;
    return hash_paths(opened.tree, &sorted, &o, out, err);
}
