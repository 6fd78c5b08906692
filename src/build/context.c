/* build/context.c - see context.h. */
#include "build/context.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec/compress.h"
#include "base/codec/foreign.h"
#include "base/codec/text.h"
#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "build/given.h"
#include "build/internal.h"
#include "frontend/dockerfile/remote_url.h"

#define FILE_NAME "context" /* of the one file that a stream or a server gives */
enum { HEAD = 512 };        /* a tar header */

void contexts_close(struct contexts *x)
{
    struct err ignored = { 0 };
    if (x->spool_name) {
        AUTO_FREE char *lock = xasprintf("%s.lock", x->spool_name);
        if (fs_remove_tree(x->store, x->spool_name, &ignored) == 0)
            unlinkat(x->store, lock, 0);
        auto_close_fd(&x->lock_fd);
    }
    buf_clear(&x->text);
    free(x->url);
    free(x->spool);
    free(x->spool_name);
}

bool context_is_remote(const char *text)
{
    return url_is_git(text) || url_is_http(text) || strncmp(text, "github.com/", 11) == 0;
}

/* "github.com/a/b#ref" as a git URL. */
static char *complete_url(const char *text)
{
    size_t n = strcspn(text, "?#");
    struct span path = span_first(span_of(text), n);
    if (strncmp(text, "github.com/", 11) != 0)
        return xstrdup(text);
    return xasprintf("https://%.*s%s%s", SPAN_ARG(path), span_ends(path, ".git") ? "" : ".git",
                     text + n);
}

/* ---- looking inside ---- */

/* What the graph gives, open for reading. */
static int look_inside(struct asked *a, const struct graph *g, struct view **out, struct err *err)
{
    struct engine *e = a->engine;
    AUTO(arena_free) struct arena *arena = arena_new();
    struct ops_options o;
    if (given_ops(a, arena, &o, err))
        return -1;
    AUTO(ops_free) struct ops *ops = ops_new(&o);
    struct solve_options how = { .ops = ops_table(ops),
                                 .cache = cache_ops(e->cache),
                                 .pool = e->steps,
                                 .progress = a->told,
                                 .cancel = a->cancel };
    struct result *results[1] = { 0 };
    struct snapshot *s = NULL;
    int status = solve(g, &how, results, NULL, err);
    AUTO(result_unref) struct result *r = results[0];
    return status || result_snapshot(r, &s, err) ? -1
                                                 : view_open(e->snapshots, s, a->cancel, out, err);
}

static int look_at_context(struct asked *a, const char *source, bool has_archive, struct view **out,
                           struct err *err)
{
    struct frontend_host host = frontend_host_of(a);
    struct dockerfile_options o = { .context = source,
                                    .has_archive = has_archive,
                                    .build_args = &a->request->build_args,
                                    .source_date_epoch = a->request->source_date_epoch };
    AUTO(graph_free) struct graph *g = NULL;
    return dockerfile_context_graph(&o, &host, &g, err) ? -1 : look_inside(a, g, out, err);
}

static int read_inside(const struct view *v, const char *path, struct buf *out, bool *is_there,
                       struct err *err)
{
    AUTO_FD int fd = -1;
    *is_there = false;
    if (fs_open_file_in_root(view_fd(v), path, &fd, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return err_wrap(err, "read %s", path);
        err_clear(err);
        return 0;
    }
    *is_there = true;
    return fs_read_fd(fd, out, err) ? err_wrap(err, "read %s", path) : 0;
}

static int fail(const struct build_request *q, struct err *err)
{
    AUTO_FREE char *shown = urls_redacted(q->context);
    return err_wrap(err, "build context %s", shown);
}

bool contexts_are_remote(const struct contexts *x)
{
    return x->source || x->has_archive;
}

int contexts_read(struct asked *a, const char *path, struct buf *out, bool *is_there,
                  struct err *err)
{
    const struct contexts *x = a->contexts;
    AUTO(view_close) struct view *v = NULL;
    if (look_at_context(a, x->source, x->has_archive, &v, err) ||
        read_inside(v, path, out, is_there, err))
        return fail(a->request, err);
    return 0;
}

int contexts_fetch(struct asked *a, const char *url, struct buf *out, struct err *err)
{
    AUTO(view_close) struct view *v = NULL;
    bool is_there = false;
    return look_at_context(a, url, false, &v, err) || read_inside(v, FILE_NAME, out, &is_there, err)
               ? -1
               : 0;
}

/* ---- times ---- */

static int note_time(void *arg, const struct tree_entry *e, struct err *err)
{
    int64_t *newest = arg;
    (void)err;
    if (!S_ISDIR(e->stat.mode) && e->stat.mtime.tv_sec > *newest)
        *newest = e->stat.mtime.tv_sec;
    return 0;
}

int contexts_time_of(void *asked, const struct graph *g, bool *has_time, int64_t *seconds,
                     struct err *err)
{
    struct asked *a = asked;
    AUTO(view_close) struct view *v = NULL;
    struct tree_walk how = { .visit = note_time, .arg = seconds, .cancel = a->cancel };
    *seconds = 0; /* also what a file has of which the server told no time */
    if (look_inside(a, g, &v, err))
        return -1;
    AUTO(tree_free) struct tree *tree = tree_of_folder(view_fd(v), &a->engine->ids);
    if (tree_walk(tree, "", &how, err))
        return -1;
    *has_time = *seconds > 0;
    return 0;
}

/* ---- what it is ---- */

/* tar, as it is or compressed; a text has no NUL. */
static bool is_archive(struct span head)
{
    return compression_sniff(head) != COMPRESSION_NONE || foreign_is_compressed(head) ||
           (head.len > 0 && memchr(head.ptr, 0, head.len));
}

static int open_server(struct asked *a, struct contexts *x, struct err *err)
{
    AUTO(view_close) struct view *v = NULL;
    AUTO_FD int fd = -1;
    char head[HEAD];
    if (look_at_context(a, x->source, false, &v, err) ||
        fs_open_file_in_root(view_fd(v), FILE_NAME, &fd, err))
        return -1;
    ssize_t n = read(fd, head, sizeof head);
    if (n < 0)
        return err_sys(err, "read what the server gave");
    x->has_archive = is_archive(span_bytes(head, (size_t)n));
    x->is_recipe = !x->has_archive;
    if (x->is_recipe && a->request->dockerfile && strcmp(a->request->dockerfile, "-") != 0)
        return err_set(err, ERR_INVALID, "it is a Dockerfile itself: --file is one too many");
    return 0;
}

/* ---- streams ---- */

/* Folders whose build is gone. */
static void sweep(int store)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    struct err ignored = { 0 };
    if (fs_list(store, "contexts", &names, &ignored))
        return;
    vec_each (&names, name) {
        AUTO_FD int lock_fd = -1;
        AUTO_FREE char *lock = xasprintf("contexts/%s", *name);
        if (!span_ends(span_of(*name), ".lock") ||
            fs_lock(store, lock, true, false, &lock_fd, &ignored)) {
            err_clear(&ignored);
            continue;
        }
        AUTO_FREE char *folder = xstrndup(lock, strlen(lock) - strlen(".lock"));
        if (fs_remove_tree(store, folder, &ignored) == 0)
            unlinkat(store, lock, 0);
    }
}

static int make_spool(struct asked *a, struct contexts *x, struct err *err)
{
    struct store *st = a->engine->store;
    x->store = store_fd(st);
    if (fs_make_dirs(x->store, "contexts", 0700, err))
        return -1;
    sweep(x->store);
    x->spool_name = xasprintf("contexts/%ld-%llu-%p", (long)getpid(),
                              (unsigned long long)clock_monotonic_ms(), (void *)x);
    x->spool = xasprintf("%s/%s", store_path(st), x->spool_name);
    AUTO_FREE char *lock = xasprintf("%s.lock", x->spool_name);
    x->folder = x->spool;
    return fs_lock(x->store, lock, true, true, &x->lock_fd, err) ||
                   fs_make_dirs(x->store, x->spool_name, 0700, err)
               ? -1
               : 0;
}

/* Some bytes; *n 0 is the end. */
static int read_some(struct asked *a, char *bytes, size_t size, size_t *n, struct err *err)
{
    int from = a->request->context_fd;
    struct pollfd fds[] = { { .fd = from, .events = POLLIN },
                            { .fd = cancel_fd(a->cancel), .events = POLLIN } };
    ssize_t got = -1;
    while (got < 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return err_sys(err, "read the stream");
        if (cancel_check(a->cancel, err))
            return -1;
        got = fds[0].revents ? read(from, bytes, size) : -1;
        if (fds[0].revents && got < 0 && errno != EINTR && errno != EAGAIN)
            return err_sys(err, "read the stream");
    }
    *n = (size_t)got;
    return 0;
}

static int read_head(struct asked *a, char *head, size_t *len, struct err *err)
{
    size_t n = 1;
    for (*len = 0; n > 0 && *len < HEAD; *len += n)
        if (read_some(a, head + *len, HEAD - *len, &n, err))
            return -1;
    return 0;
}

static int keep_archive(struct asked *a, struct contexts *x, struct span head, struct err *err)
{
    AUTO_FREE char *path = xasprintf("%s/" FILE_NAME, x->spool_name);
    AUTO_FREE char *bytes = xmalloc(MIB);
    AUTO_FD int fd = -1;
    size_t n = 1;
    x->has_archive = true;
    if (fs_open(x->store, path, O_CREAT | O_EXCL | O_WRONLY, 0600, &fd, err) ||
        fs_write_all(fd, head, err))
        return -1;
    while (n > 0)
        if (read_some(a, bytes, MIB, &n, err) || fs_write_all(fd, span_bytes(bytes, n), err))
            return -1;
    return 0;
}

static int keep_text(struct asked *a, struct contexts *x, struct span head, struct err *err)
{
    const char *name = a->request->dockerfile;
    char bytes[8192];
    size_t n = 1;
    if (name)
        return err_set(err, ERR_INVALID,
                       "ambiguous Dockerfile source: both stdin and --file %s are one", name);
    x->has_text = true;
    buf_init(&x->text, LIMIT_DOCKERFILE);
    if (buf_append(&x->text, head, err))
        return -1;
    while (n > 0)
        if (read_some(a, bytes, sizeof bytes, &n, err) ||
            buf_append(&x->text, span_bytes(bytes, n), err))
            return -1;
    return 0;
}

/* An archive, or the Dockerfile with an empty context. */
static int open_stream(struct asked *a, struct contexts *x, struct err *err)
{
    char bytes[HEAD];
    size_t len = 0;
    if (make_spool(a, x, err) || read_head(a, bytes, &len, err))
        return -1;
    struct span head = span_bytes(bytes, len);
    return is_archive(head) ? keep_archive(a, x, head, err) : keep_text(a, x, head, err);
}

int contexts_open(struct asked *a, struct contexts *out, struct err *err)
{
    const struct build_request *q = a->request;
    *out = (struct contexts){ .folder = q->context, .lock_fd = -1 };
    a->contexts = out;
    int status = 0;
    if (q->context_fd >= 0) {
        status = open_stream(a, out, err);
    } else if (q->context && context_is_remote(q->context) && !fs_exists(AT_FDCWD, q->context)) {
        out->source = out->url = complete_url(q->context);
        out->folder = NULL;
        if (url_is_http(out->source))
            status = open_server(a, out, err);
    }
    return status ? fail(q, err) : 0;
}
