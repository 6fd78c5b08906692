/* tests/unit/engine/snapshot/fixture.h - a store, snapshots in it, layers made by tar, steps made
 * by the shell. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/snapshot/snapshot.h"
#include "image/oci/media_type.h"
#include "image/store/blob.h"
#include "image/store/gc.h"
#include "image/store/ingest.h"
#include "image/store/lease.h"
#include "image/store/object.h"
#include "tap.h"

static struct err err;
static struct id_map test_ids;
static struct layer_watch test_watch; /* of benches that are opened */

/* What a shell command prints, without the last line's end; "" and a failed case when it fails.
 * The result is the caller's. */
__attribute__((format(printf, 1, 2))) static char *shell(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *command = xvasprintf(fmt, args);
    va_end(args);
    AUTO_FREE char *strict = xasprintf("set -e\nexport LC_ALL=C.UTF-8 TZ=UTC\n%s", command);
    struct buf out;
    buf_init(&out, 16 * MIB);
    FILE *pipe = popen(strict, "r");
    char part[4096];
    for (size_t n; pipe && (n = fread(part, 1, sizeof part, pipe)) > 0;)
        buf_put(&out, span_bytes(part, n));
    int status = pipe ? pclose(pipe) : -1;
    if (status)
        tap_fail(__FILE__, __LINE__, "status %d of: %s\n%s", status, command,
                 out.data ? out.data : "");
    buf_puts(&out, "");
    if (out.len && out.data[out.len - 1] == '\n')
        out.data[out.len - 1] = '\0';
    return out.data ? buf_take(&out) : xstrdup("");
}
#define RUN(...)                                                                                   \
    do {                                                                                           \
        AUTO_FREE char *ignored_ = shell(__VA_ARGS__);                                             \
    } while (0)

struct bench {
    struct store *store;
    struct pool *pool;
    struct snapshots *all;
    int n_fetched;
};

/* Blobs that the store has not got lie in the case's folder. */
static int fetch(void *arg, const char *origin, const struct descriptor *blob,
                 const struct cancel *cancel, struct err *e)
{
    struct bench *b = arg;
    (void)cancel;
    __atomic_add_fetch(&b->n_fetched, 1, __ATOMIC_SEQ_CST);
    AUTO_FREE char *path = xasprintf("%s/remote/%s", tap.dir, digest_hex(&blob->digest).s);
    AUTO_FD int fd = -1;
    AUTO(ingest_close) struct ingest *in = NULL;
    if (strcmp(origin, "example.org/base") != 0)
        return err_set(e, ERR_INVALID, "origin %s", origin);
    if (fs_open(AT_FDCWD, path, O_RDONLY, 0, &fd, e) ||
        ingest_open(b->store, &blob->digest, blob->size, &in, e))
        return -1;
    AUTO(reader_close) struct reader *from = reader_of_fd(fd, false);
    AUTO(writer_close) struct writer *to = writer_to_ingest(in);
    return stream_copy(from, to, NULL, e) || ingest_commit(in, NULL, e) ? -1 : 0;
}

static bool bench_open(struct bench *b, const char *driver)
{
    AUTO_FREE char *path = xasprintf("%s/store-%s", tap_dir(), driver ? driver : "any");
    *b = (struct bench){ 0 };
    err_clear(&err);
    b->pool = pool_new(2);
    if (store_open(path, NULL, &b->store, &err) == 0 &&
        snapshots_open(&(struct snapshots_options){ .store = b->store,
                                                    .pool = b->pool,
                                                    .ids = test_ids,
                                                    .driver = driver,
                                                    .fetch = fetch,
                                                    .fetch_arg = b,
                                                    .watch = test_watch },
                       &b->all, &err) == 0)
        return true;
    tap_fail(__FILE__, __LINE__, "open: %s", err.text);
    return false;
}

static void bench_close(struct bench *b)
{
    snapshots_close(b->all);
    store_close(b->store);
    pool_free(b->pool);
    *b = (struct bench){ 0 };
}

/* ---- layers ---- */

/* A layer made of what the script leaves in an empty folder; `pack` turns the folder (cwd) into
 * "$1".tar (NULL: all of it), `compress` is "cat", "gzip", "zstd". */
static struct layer_ref make_layer(const char *script, const char *pack, const char *compress)
{
    static int counter;
    AUTO_FREE char *at = xasprintf("%s/layer-%d", tap_dir(), counter++);
    RUN("mkdir -p %s %s/../remote; cd %s; umask 022; %s", at, at, at, script);
    RUN("cd %s; %s", at,
        pack ? pack : "tar --sort=name --numeric-owner --format=pax -cf ../layer.tar .");
    RUN("cd %s/..; %s <layer.tar >layer.blob; rm -rf %s", at, compress, at);
    AUTO_FREE char *diff_id = shell("sha256sum <%s/layer.tar | cut -c-64", tap_dir());
    AUTO_FREE char *digest = shell("sha256sum <%s/layer.blob | cut -c-64", tap_dir());
    AUTO_FREE char *size = shell("stat -c %%s %s/layer.blob", tap_dir());
    RUN("cd %s; mv layer.blob remote/%s", tap_dir(), digest);
    struct layer_ref l = { 0 };
    AUTO_FREE char *full = xasprintf("sha256:%s", diff_id);
    AUTO_FREE char *full_blob = xasprintf("sha256:%s", digest);
    struct digest blob = { 0 };
    EXPECT_OK(digest_parse(span_of(full), &l.diff_id, &err), &err);
    EXPECT_OK(digest_parse(span_of(full_blob), &blob, &err), &err);
    l.blob = descriptor_make(MEDIA_OCI_LAYER_GZIP, &blob, strtoull(size, NULL, 10));
    return l;
}

static struct snapshot *chain(struct bench *b, const struct layer_ref *layers, size_t n)
{
    struct snapshot *s = NULL;
    EXPECT_OK(snapshot_of_layers(b->all, layers, n, "example.org/base", &s, &err), &err);
    return s;
}

__attribute__((unused)) static const char *const drivers[] = { "overlay", "directory" };
__attribute__((unused)) static int first_driver; /* 1 where nothing may be mounted */
#define EACH_DRIVER(d) for (const char *const *d = drivers + first_driver; d < drivers + 2; d++)

/* ---- steps ---- */

/* Runs the script in a work on top of `parent`; NULL when it failed. */
static struct snapshot *step(struct bench *b, struct snapshot *parent, const char *script)
{
    AUTO(work_close) struct work *w = NULL;
    struct snapshot *out = NULL;
    if (work_open(b->all, parent, NULL, &w, &err)) {
        tap_fail(__FILE__, __LINE__, "work_open: %s", err.text);
        return NULL;
    }
    RUN("cd %s; umask 022; exec 2>&1; %s", work_path(w), script);
    if (work_commit(w, NULL, &out, &err))
        tap_fail(__FILE__, __LINE__, "work_commit: %s", err.text);
    return out;
}

static struct layer_ref seal(struct bench *b, struct snapshot *s, enum compression c)
{
    struct layer_ref l = { 0 };
    EXPECT_OK(
        snapshot_seal(b->all, s,
                      &(struct seal_options){ .compression = c, .level = -1, .keeps_pulled = true },
                      &l, &err),
        &err);
    return l;
}

static char *blob_path_of(struct bench *b, const struct layer_ref *l)
{
    return xasprintf("%s/blobs/sha256/%s", store_path(b->store), digest_hex(&l->blob.digest).s);
}

/* The sealed layer as `bsdtar -tf` tells it. */
__attribute__((unused)) static char *sealed_names(struct bench *b, struct snapshot *s)
{
    struct layer_ref l = seal(b, s, COMPRESSION_NONE);
    AUTO_FREE char *path = blob_path_of(b, &l);
    char *text = shell("bsdtar -tf %s", path);
    layer_ref_clear(&l);
    return text;
}

/* Type, mode, owner, mtime (not of folders), size, link, content of everything below, sorted. */
static char *tree(const char *path)
{
    return shell(
        "cd %s; find . -mindepth 1 ! -type d -printf '%%P %%y %%m %%U:%%G %%T@ %%s %%l\\n' "
        "| sed 's/\\(\\.[0-9]*\\) / /' | sort;"
        "find . -mindepth 1 -type d -printf '%%P %%y %%m %%U:%%G\\n' | sort;"
        "find . -type f -print0 | sort -z | xargs -0r sha256sum",
        path);
}

static char *tree_of(struct bench *b, struct snapshot *s)
{
    AUTO(view_close) struct view *v = NULL;
    if (view_open(b->all, s, NULL, &v, &err)) {
        tap_fail(__FILE__, __LINE__, "view_open: %s", err.text);
        return xstrdup("");
    }
    return tree(view_path(v));
}

/* As if everything had been used long before now. */
__attribute__((unused)) static void age(struct bench *b)
{
    struct query *q = NULL;
    REQUIRE_OK(
        query_open(store_db(b->store), "UPDATE object SET used_at = used_at - 100000", &q, &err),
        &err);
    EXPECT_OK(query_run(q, &err), &err);
}
