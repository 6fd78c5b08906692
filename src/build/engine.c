/* build/engine.c - what outlives one build, opened in the only order that works: namespaces, the
 * sandbox's launcher, then everything that may start threads. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/mem.h"
#include "base/sys/user.h"
#include "build/internal.h"

enum { PARALLEL_DEFAULT = 16, THREADS_MAX = 256, TELL_EVERY_MS = 50 };

char *engine_default_root(void)
{
    const char *named = getenv("KILN_ROOT"), *data = getenv("XDG_DATA_HOME");
    if (named && *named)
        return xstrdup(named);
    if (getuid() == 0)
        return xstrdup("/var/lib/kiln");
    if (data && *data)
        return xasprintf("%s/kiln", data);
    return xasprintf("%s/.local/share/kiln", user_home());
}

/* ---- moved bytes ---- */

void engine_watch(struct engine *e, struct watcher *w)
{
    pthread_mutex_lock(&e->lock);
    struct watcher *before = e->watcher;
    e->watcher = w;
    pthread_mutex_unlock(&e->lock);
    if (!w && before && before->has_begun)
        progress_task_end(before->progress, "transfer", 0, NULL);
}

static void tell_moved(void *arg, const struct digest *blob, bool is_push, uint64_t current,
                       uint64_t total)
{
    struct engine *e = arg;
    char part[DIGEST_TEXT_MAX + 16];
    snprintf(part, sizeof part, "%s %.19s", is_push ? "push" : "pull", digest_text(blob).s);
    uint64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&e->lock);
    struct watcher *w = e->watcher;
    if (w && current < total && now_ms < w->told_at_ms + TELL_EVERY_MS)
        w = NULL; /* a display needs no more than that; the last bytes are always told */
    if (w)
        w->told_at_ms = now_ms;
    if (w && !w->has_begun) {
        w->has_begun = true;
        progress_task_start(w->progress, "transfer", "[internal] transferring layers");
    }
    if (w && current < total)
        progress_status(w->progress, "transfer", part, current, total);
    else if (w)
        progress_part_done(w->progress, "transfer", part, total);
    pthread_mutex_unlock(&e->lock);
}

/* ---- opening ---- */

static int enter_namespaces(struct engine *e, struct err *err)
{
    e->is_root = user_is_privileged();
    if (e->is_root)
        return mountns_enter(err) || id_map_current(&e->ids, err) ? -1 : 0;
    if (userns_enter(&e->ids, err)) {
        if (!*err->hint)
            err_hint(err, "kiln doctor says what this place permits");
        return -1;
    }
    return 0;
}

static int open_remote(struct engine *e, const struct engine_options *o, struct err *err)
{
    struct remote_options remote = o->remote;
    if (!remote.moved) {
        remote.moved = tell_moved;
        remote.moved_arg = e;
    }
    return remote_open(&remote, &e->remote, err);
}

static int load_result(void *arg, const char *text, struct result **out, struct err *err)
{
    return result_load(arg, text, out, err);
}

/* $KILN_THREADS, or 0. */
static int threads_of_environment(size_t *out, struct err *err)
{
    const char *text = getenv("KILN_THREADS");
    uint64_t n = 0;
    if (text && *text && !span_u64(span_of(text), THREADS_MAX, &n))
        return err_set(err, ERR_INVALID, "KILN_THREADS=%s: no number up to %d", text, THREADS_MAX);
    *out = (size_t)n;
    return 0;
}

/* What only builds need. */
static int open_for_builds(struct engine *e, const struct engine_options *o, struct err *err)
{
    const char *driver = o->snapshot_driver ? o->snapshot_driver : getenv("KILN_SNAPSHOT_DRIVER");
    struct snapshots_options snapshots = { .store = e->store,
                                           .pool = e->pool,
                                           .transfers = e->steps,
                                           .ids = e->ids,
                                           .driver = driver && *driver ? driver : NULL,
                                           .fetch = image_source_fetch,
                                           .fetch_arg = e->images };
    if (snapshots_open(&snapshots, &e->snapshots, err) ||
        http_source_open(e->store, &e->http, err) || git_source_open(e->store, &e->git, err))
        return -1;
    struct cache_codec codec = { .arg = e->snapshots, .save = result_save, .load = load_result };
    return cache_open(e->store, &codec, &e->cache, err);
}

int engine_open(const struct engine_options *o, struct engine **out, struct err *err)
{
    AUTO(engine_close) struct engine *e = xcalloc(1, sizeof *e);
    AUTO_FREE char *root = o->root ? xstrdup(o->root) : engine_default_root();
    struct store_options store = { .ceiling = o->ceiling };
    size_t n_threads = o->n_threads;
    pthread_mutex_init(&e->lock, NULL);
    if (!n_threads && threads_of_environment(&n_threads, err))
        return -1;
    if (!o->has_no_sandbox && (enter_namespaces(e, err) || sandbox_start(&e->sandbox, err)))
        return -1;
    if (store_open(root, &store, &e->store, err) || open_remote(e, o, err))
        return -1;
    e->pool = pool_new(n_threads);
    e->steps = pool_new(o->n_parallel ? o->n_parallel : PARALLEL_DEFAULT);
    e->images = image_source_new(e->remote, e->store);
    if (!o->has_no_sandbox && open_for_builds(e, o, err))
        return -1;
    *out = STEAL(e);
    return 0;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    cache_close(e->cache);
    snapshots_close(e->snapshots);
    git_source_close(e->git);
    http_source_close(e->http);
    image_source_free(e->images);
    pool_free(e->steps);
    pool_free(e->pool);
    remote_close(e->remote);
    store_close(e->store);
    sandbox_stop(e->sandbox);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

struct store *engine_store(struct engine *e)
{
    return e->store;
}

struct remote *engine_remote(struct engine *e)
{
    return e->remote;
}

struct snapshots *engine_snapshots(struct engine *e)
{
    return e->snapshots;
}

struct sandbox *engine_sandbox(struct engine *e)
{
    return e->sandbox;
}

struct pool *engine_pool(struct engine *e)
{
    return e->pool;
}

struct image_source *engine_images(struct engine *e)
{
    return e->images;
}
