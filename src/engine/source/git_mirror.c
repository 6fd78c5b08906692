/* engine/source/git_mirror.c - the bare repositories in the store to which remotes are fetched.
 *
 *     git/HEX        the mirror; HEX is a hash of the URL and of how its objects are named
 *     git/HEX.lock   held while it is made or written to; reading needs no lock
 *     git/config     all the configuration there is
 * A mirror has a ref refs/kiln/OBJECT for all that was asked for.  It is made aside and renamed;
 * one without an object in the database is what a crash left, and made anew.
 *
 * Fetching tries what costs least: the object by its hash, without history; then the ref, without
 * history; then everything. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/git_internal.h"
#include "image/store/object.h"

#define PREFIX "git:"
enum { LOCK_POLL_MS = 50, NAME_DIGITS = 32 };

static int hide(void *arg, struct store *st, const char *id, struct err *err)
{
    (void)arg;
    AUTO_FREE char *path = xasprintf("git/%s", id + strlen(PREFIX));
    return fs_exists(store_fd(st), path) ? store_trash(st, path, err) : 0;
}

void git_mirror_kind_add(struct git_source *s)
{
    object_kind_add(s->store, &(struct object_kind){ .prefix = PREFIX, .hide = hide });
}

void git_mirror_clear(struct git_mirror *m)
{
    free(m->path);
    m->path = NULL;
}

/* A mirror that is being written to. */
struct writing {
    struct git_run *how;
    char *name; /* HEX */
    int lock_fd;
};

static void writing_clear(struct writing *w)
{
    free(w->name);
    if (w->lock_fd >= 0)
        close(w->lock_fd);
}

/* ---- opening ---- */

static int lock(struct writing *w, struct err *err)
{
    AUTO_FREE char *path = xasprintf("git/%s.lock", w->name);
    while (fs_lock(store_fd(w->how->source->store), path, true, false, &w->lock_fd, err)) {
        if (err->kind != ERR_EXISTS)
            return -1;
        err_clear(err);
        if (cancel_sleep_ms(w->how->wish->cancel, LOCK_POLL_MS, err))
            return -1;
    }
    return 0;
}

static int note_size(struct writing *w, struct err *err)
{
    AUTO_FREE char *counts = NULL, *id = xasprintf(PREFIX "%s", w->name);
    uint64_t kib = 0;
    struct git_run inside = *w->how;
    inside.remote = NULL;
    if (git_ask(&inside, GIT_ARGS("count-objects", "-v"), &counts, err))
        return -1;
    struct span rest = span_of(counts);
    while (rest.ptr) {
        struct span value = span_cut(&rest, '\n'), key = span_cut(&value, ':');
        uint64_t n = 0;
        if ((span_is(key, "size") || span_is(key, "size-pack")) &&
            span_u64(span_trim(value), UINT64_MAX / 4096, &n))
            kib += n;
    }
    return object_put(w->how->source->store, id, kib * KIB, NULL, err);
}

static int make(struct writing *w, const char *format, struct err *err)
{
    struct store *st = w->how->source->store;
    AUTO_FREE char *path = xasprintf("git/%s", w->name), *aside = xasprintf("git/%s.new", w->name);
    AUTO_FREE char *at = xasprintf("%s/%s.new", w->how->source->folder, w->name);
    AUTO_FREE char *object_format = xasprintf("--object-format=%s", format);
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    struct git_run inside = { .source = w->how->source, .wish = w->how->wish };
    if (fs_remove_tree(store_fd(st), path, err) || fs_remove_tree(store_fd(st), aside, err) ||
        git_run(&inside, GIT_ARGS("init", "--quiet", "--bare", "--template=", object_format, at),
                &r, err))
        return -1;
    return renameat(store_fd(st), aside, store_fd(st), path) < 0 ? err_sys(err, "rename %s", aside)
                                                                 : 0;
}

static int open_mirror(struct writing *w, size_t hash_len, struct git_mirror *m, struct err *err)
{
    struct git_source *s = w->how->source;
    const char *format = hash_len == 64 ? "sha256" : "sha1";
    AUTO_FREE char *key = xasprintf("%s\n%s", format, w->how->remote->url);
    struct digest d = digest_of(span_of(key));
    bool is_there = false;
    w->name = xstrndup(digest_hex(&d).s, NAME_DIGITS);
    AUTO_FREE char *path = xasprintf("git/%s", w->name), *id = xasprintf(PREFIX "%s", w->name);
    if (lock(w, err) || object_touch(s->store, id, &is_there, err) ||
        ((!is_there || !fs_exists(store_fd(s->store), path)) && make(w, format, err)))
        return -1;
    m->path = xasprintf("%s/%s", s->folder, w->name);
    w->how->git_dir = m->path;
    /* What a killed git left would stop the next; the lock says that there is none. */
    AUTO_FREE char *left = xasprintf("%s/shallow.lock", path);
    return fs_remove_tree(store_fd(s->store), left, err) || note_size(w, err) ? -1 : 0;
}

/* ---- fetching ---- */

static bool is_shallow(const struct writing *w)
{
    AUTO_FREE char *path = xasprintf("git/%s/shallow", w->name);
    return fs_exists(store_fd(w->how->source->store), path);
}

static int has_object(const struct writing *w, const char *object, bool *is_there, struct err *err)
{
    AUTO_FREE char *commit = xasprintf("%s^{commit}", object);
    struct git_run inside = *w->how;
    inside.remote = NULL;
    return git_try(&inside, GIT_ARGS("cat-file", "-e", commit), is_there, err);
}

/* What may be tried in another way: the server said no to this one. */
static bool is_refusal(const struct err *err)
{
    return err->kind == ERR_INVALID || err->kind == ERR_NETWORK;
}

static int fetch_flat(struct writing *w, const char *from, const char *object, bool *did,
                      struct err *err)
{
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    AUTO_FREE char *refspec = xasprintf("+%s:refs/kiln/%s", from, object);
    if (git_run(w->how,
                GIT_ARGS("fetch", "--progress", "--depth=1", "--no-tags", "--no-write-fetch-head",
                         "--no-auto-maintenance", "--", w->how->remote->url, refspec),
                &r, err)) {
        *did = false;
        if (!is_refusal(err))
            return -1;
        err_clear(err);
        return 0;
    }
    return has_object(w, object, did, err);
}

static int fetch_all(struct writing *w, const char *refspec, struct err *err)
{
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    const char *depth = is_shallow(w) ? "--unshallow" : "--progress";
    return git_run(w->how,
                   GIT_ARGS("fetch", "--progress", depth, "--tags", "--force",
                            "--no-write-fetch-head", "--no-auto-maintenance", "--",
                            w->how->remote->url, refspec),
                   &r, err);
}

static int fetch(struct writing *w, const struct git_commit *at, struct err *err)
{
    /* Branches and tags first: other refs can be many times more. */
    static const char *const all[] = { "+refs/heads/*:refs/remote/heads/*",
                                       "+refs/*:refs/remote/*" };
    bool has_it = false;
    if (has_object(w, at->object, &has_it, err))
        return -1;
    if (!has_it && fetch_flat(w, at->object, at->object, &has_it, err))
        return -1;
    if (!has_it && !git_is_hash(at->ref) && fetch_flat(w, at->ref, at->object, &has_it, err))
        return -1;
    for (size_t i = 0; i < 2 && !has_it; i++)
        if (fetch_all(w, all[i], err) || has_object(w, at->object, &has_it, err))
            return -1;
    return has_it ? 0 : err_set(err, ERR_NOT_FOUND, "it has no commit %s (any more)", at->object);
}

int git_mirror_fetch(struct git_run *how, const struct git_commit *at, struct git_mirror *out,
                     struct err *err)
{
    AUTO_VALUE(writing_clear) struct writing w = { .how = how, .lock_fd = -1 };
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    AUTO_FREE char *ref = xasprintf("refs/kiln/%s", at->object);
    if (open_mirror(&w, strlen(at->object), out, err) || fetch(&w, at, err))
        return -1;
    struct git_run inside = *how;
    inside.remote = NULL;
    return git_run(&inside, GIT_ARGS("update-ref", ref, at->object), &r, err) || note_size(&w, err)
               ? -1
               : 0;
}

/* ---- the beginning of a commit ---- */

/* Commits of a mirror that begin so, one a line. */
static int list_commits(struct writing *w, const char *part, char **out, struct err *err)
{
    AUTO_FREE char *wanted = xasprintf("--disambiguate=%s", part);
    AUTO_FREE char *lines = NULL;
    AUTO_VALUE(buf_clear) struct buf found = { 0 };
    struct git_run inside = *w->how;
    inside.remote = NULL;
    buf_init(&found, LIMIT_JSON);
    if (git_ask(&inside, GIT_ARGS("rev-parse", wanted), &lines, err))
        return -1;
    struct span rest = span_of(lines);
    while (rest.ptr && rest.len) {
        AUTO_FREE char *object = span_dup(span_cut(&rest, '\n')), *type = NULL;
        if (git_ask(&inside, GIT_ARGS("cat-file", "-t", object), &type, err))
            return -1;
        if (strcmp(type, "commit") == 0)
            buf_printf(&found, "%s%s", found.len ? "\n" : "", object);
    }
    *out = found.len ? buf_take(&found) : xstrdup("");
    return 0;
}

static int find_among(struct git_run *how, const char *part, size_t hash_len,
                      struct git_commit *out, struct err *err)
{
    AUTO_VALUE(writing_clear) struct writing w = { .how = how, .lock_fd = -1 };
    AUTO_VALUE(git_mirror_clear) struct git_mirror m = { 0 };
    AUTO_FREE char *found = NULL;
    /* Everything, not what happens to be here: another commit may begin so too. */
    int failed = open_mirror(&w, hash_len, &m, err) ||
                 fetch_all(&w, "+refs/*:refs/remote/*", err) ||
                 list_commits(&w, part, &found, err) || note_size(&w, err);
    how->git_dir = NULL; /* m goes */
    if (failed)
        return -1;
    if (!*found)
        return err_set(err, ERR_NOT_FOUND, "it has no branch, tag or commit \"%s\"", part);
    if (strchr(found, '\n'))
        return err_set(err, ERR_INVALID, "several commits begin with %s", part);
    snprintf(out->object, sizeof out->object, "%s", found);
    memcpy(out->commit, out->object, sizeof out->commit);
    snprintf(out->ref, sizeof out->ref, "%s", found);
    return 0;
}

int git_mirror_find(struct git_run *how, const char *part, struct git_commit *out, struct err *err)
{
    if (find_among(how, part, 40, out, err) == 0)
        return 0;
    if (!strstr(err->text, "mismatched algorithms")) /* the beginning does not tell which it is */
        return -1;
    err_clear(err);
    return find_among(how, part, 64, out, err);
}
