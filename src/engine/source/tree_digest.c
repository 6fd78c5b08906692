/* engine/source/tree_digest.c - one digest for what an operation reads of a tree: BuildKit's
 * content checksum, so that caches may travel between the two.
 *
 * A file, link or device alone is its record (tree_record.c).  A folder is the SHA-256 of
 *
 *     NUL record NUL NAME digest NUL NAME digest ...
 *
 * its own record first, then what is in it, sorted by name; digests are written as text
 * ("sha256:...").  The root of a context has no record of its own; the digest of nothing stands
 * there.
 *
 * What wildcards or patterns choose is listed instead: every entry, folders before their content,
 * as the last part of its path and its record, with NUL between two.  A folder says nothing of what
 * is in it there, as some of that may be left out.  A list of none is the digest of nothing, and
 * one that holds what was asked for by its own name is that record.  Symlinks that lie in no listed
 * folder stand for what they lead to, when they are to be followed.
 *
 * Spec: BuildKit cache/contenthash. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec/text.h"
#include "base/core/mem.h"
#include "engine/source/internal.h"

#define NOTHING ((struct span){ "", 0 })

/* A name and the text of a digest, in one piece: there may be a hundred thousand of them. */
static void hash_entry(struct hasher *h, bool is_separated, const char *name,
                       const struct digest *d)
{
    enum { PREFIX = sizeof "sha256:" - 1, TEXT = PREFIX + 64 };
    char bytes[1 + NAME_MAX + TEXT + 1] = "";
    size_t len = is_separated, n = strnlen(name, NAME_MAX);
    memcpy(bytes + len, name, n);
    memcpy(bytes + len + n, "sha256:", PREFIX);
    hex_print(span_bytes(d->bytes, 32), bytes + len + n + PREFIX);
    hasher_update(h, span_bytes(bytes, len + n + TEXT));
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- a folder with all that is in it ---- */

struct level {
    struct hasher *hasher;
    char *name; /* owned */
};

struct folding {
    const struct tree *tree;
    const struct tree_digest_options *options;
    size_t n_prefix; /* bytes of the start's path in each path, the "/" behind it included */
    vec(struct level) levels;
    size_t n_open; /* of the levels; the rest are kept for their hashers */
    struct digest result;
};

static void folding_clear(struct folding *f)
{
    vec_each (&f->levels, level) {
        hasher_free(level->hasher);
        free(level->name);
    }
    vec_clear(&f->levels);
}

static void add_to_folder(struct folding *f, const char *name, const struct digest *d)
{
    struct hasher *h = f->levels.items[f->n_open - 1].hasher;
    hash_entry(h, true, name, d);
}

static void open_level(struct folding *f, const char *name, const struct digest *record)
{
    if (f->n_open == f->levels.n)
        *vec_push(&f->levels) = (struct level){ .hasher = hasher_new(DIGEST_SHA256) };
    struct level *level = &f->levels.items[f->n_open++];
    free(level->name);
    level->name = xstrdup(name);
    hash_entry(level->hasher, true, "", record);
}

/* Until n are open.  The last of all is the result. */
static void close_levels(struct folding *f, size_t n)
{
    while (f->n_open > n) {
        struct level *level = &f->levels.items[--f->n_open];
        struct digest d = hasher_final(level->hasher);
        if (f->n_open)
            add_to_folder(f, level->name, &d);
        else
            f->result = d;
    }
}

static size_t depth_of(const struct folding *f, const char *path)
{
    if (strlen(path) < f->n_prefix || !*path)
        return 0;
    size_t depth = 1;
    for (const char *p = path + f->n_prefix; *p; p++)
        depth += *p == '/';
    return depth;
}

static void tell(const struct tree_digest_options *o, const char *path,
                 const struct node_stat *stat, const struct digest *record)
{
    if (o->seen && !S_ISDIR(stat->mode))
        o->seen(o->seen_arg, path, record);
}

static int fold(void *arg, const char *path, const struct node_stat *stat,
                const struct digest *record, struct err *err)
{
    struct folding *f = arg;
    (void)err;
    tell(f->options, path, stat, record);
    close_levels(f, depth_of(f, path));
    if (S_ISDIR(stat->mode) && !*path && f->tree->is_context) {
        struct digest nothing = digest_of(NOTHING);
        open_level(f, "", &nothing);
    } else if (S_ISDIR(stat->mode)) {
        open_level(f, last_part(path), record);
    } else if (f->n_open)
        add_to_folder(f, last_part(path), record);
    else
        f->result = *record;
    return 0;
}

/* Of a path that is there, without a symlink on the way. */
static int digest_whole(const struct tree *t, const char *path, const struct tree_digest_options *o,
                        struct digest *out, struct err *err)
{
    AUTO_VALUE(folding_clear) struct folding f = { .tree = t, .options = o };
    struct record_walk how = { .take = fold, .arg = &f, .pool = o->pool, .cancel = o->cancel };
    f.n_prefix = *path ? strlen(path) + 1 : 0;
    if (tree_record(t, path, &how, err))
        return -1;
    close_levels(&f, 0);
    *out = f.result;
    return 0;
}

/* *out is left alone when nothing is there. */
static int digest_path(const struct tree *t, const char *path, bool follows,
                       const struct tree_digest_options *o, struct digest *out, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list found = { 0 };
    if (tree_find(t, path, false, follows, &found, err))
        return -1;
    return found.n ? digest_whole(t, found.items[0], o, out, err) : 0;
}

/* ---- what wildcards and patterns choose ---- */

struct listing {
    const struct tree *tree;
    const struct tree_selector *selector;
    const struct tree_digest_options *options;
    struct pattern_list *include, *exclude;
    const char *start;     /* of the walk at hand */
    bool has_waiting;      /* the start, a folder, is listed if something in it is */
    struct digest waiting; /* its record */
    struct hasher *hasher;
    size_t n;
    struct digest first; /* record and name of the first in the list */
    char *first_name;    /* owned */
};

static void listing_clear(struct listing *l)
{
    hasher_free(l->hasher);
    pattern_list_free(l->include);
    pattern_list_free(l->exclude);
    free(l->first_name);
}

static void list(struct listing *l, const char *path, const struct digest *record)
{
    const char *name = *path ? last_part(path) : ".";
    hash_entry(l->hasher, l->n > 0, name, record);
    if (l->n++ == 0) {
        l->first = *record;
        l->first_name = xstrdup(name);
    }
}

/* Patterns are relative to the start, which is "" to them. */
static bool is_start_chosen(const struct listing *l)
{
    return (!l->include || pattern_list_excludes(l->include, "", NULL)) &&
           !(l->exclude && pattern_list_excludes(l->exclude, "", NULL));
}

static int take(void *arg, const char *path, const struct node_stat *stat,
                const struct digest *record, struct err *err)
{
    struct listing *l = arg;
    struct digest d = *record;
    bool is_start = strcmp(path, l->start) == 0;
    if (is_start) {
        if (!*path) /* of the root only what is in it */
            return 0;
        if (!is_start_chosen(l)) {
            l->has_waiting = S_ISDIR(stat->mode);
            l->waiting = d;
            return 0;
        }
    }
    if (l->has_waiting)
        list(l, l->start, &l->waiting);
    l->has_waiting = false;
    tell(l->options, path, stat, record);
    bool is_top = is_start || (!*l->start && !strchr(path, '/'));
    if (S_ISLNK(stat->mode) && l->selector->follows && is_top &&
        digest_path(l->tree, path, true, l->options, &d, err))
        return -1;
    list(l, path, &d);
    return 0;
}

/* As the whole paths sort when a '/' is less than any other character. */
static int compare_paths(const void *a, const void *b)
{
    const unsigned char *p = *(unsigned char *const *)a, *q = *(unsigned char *const *)b;
    for (; *p && *p == *q; p++)
        q++;
    int left = *p == '/' ? 0 : *p, right = *q == '/' ? 0 : *q;
    return left != right ? left - right : *p - *q;
}

static bool has_any(const struct str_list *texts)
{
    return texts && texts->n > 0;
}

static int read_patterns(const struct str_list *texts, struct pattern_list **out, struct err *err)
{
    return has_any(texts) ? pattern_list_of((const char *const *)texts->items, texts->n, out, err)
                          : 0;
}

static int list_found(struct listing *l, struct str_list *found, struct err *err)
{
    struct record_walk how = { .take = take,
                               .arg = l,
                               .include = l->include,
                               .exclude = l->exclude,
                               .pool = l->options->pool,
                               .cancel = l->options->cancel };
    if (found->n)
        qsort(found->items, found->n, sizeof *found->items, compare_paths);
    vec_each (found, path) {
        l->start = *path;
        l->has_waiting = false;
        if (tree_record(l->tree, *path, &how, err))
            return -1;
    }
    return 0;
}

static int digest_list(const struct tree *t, const struct tree_selector *s,
                       const struct tree_digest_options *o, struct digest *out, struct err *err)
{
    AUTO_VALUE(listing_clear) struct listing l = { .tree = t, .selector = s, .options = o };
    AUTO_VALUE(str_list_clear) struct str_list found = { 0 };
    AUTO_FREE char *rooted = xasprintf("/%s", s->path);
    AUTO_FREE char *clean = pattern_clean(span_of(rooted));
    const char *name = strcmp(clean, "/") ? last_part(clean) : ".";
    l.hasher = hasher_new(DIGEST_SHA256);
    if (read_patterns(s->include, &l.include, err) || read_patterns(s->exclude, &l.exclude, err) ||
        tree_find(t, s->path, s->has_wildcards, false, &found, err) || list_found(&l, &found, err))
        return -1;
    bool is_itself = l.n == 1 && strcmp(l.first_name, name) == 0;
    *out = is_itself ? l.first : hasher_final(l.hasher);
    return 0;
}

int tree_digest(const struct tree *t, const struct tree_selector *s,
                const struct tree_digest_options *o, struct digest *out, struct err *err)
{
    *out = (struct digest){ 0 };
    bool has_wildcards = s->has_wildcards && pattern_has_wildcard(s->path);
    if (has_wildcards || has_any(s->include) || has_any(s->exclude))
        return digest_list(t, s, o, out, err);
    return digest_path(t, s->path, s->follows, o, out, err);
}
