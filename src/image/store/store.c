/* image/store/store.c - opening and closing, and what survives a power cut. */
#include "image/store/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/store/internal.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS object (id TEXT PRIMARY KEY, size INTEGER NOT NULL,"
    " used_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS need (id TEXT NOT NULL, needs TEXT NOT NULL,"
    " PRIMARY KEY (id, needs)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS need_back ON need (needs);"
    "CREATE TABLE IF NOT EXISTS name (scope INTEGER NOT NULL, name TEXT NOT NULL,"
    " digest TEXT NOT NULL, descriptor TEXT NOT NULL, set_at INTEGER NOT NULL,"
    " PRIMARY KEY (scope, name)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS name_digest ON name (digest);"
    "CREATE TABLE IF NOT EXISTS referrer (subject TEXT NOT NULL, digest TEXT NOT NULL,"
    " descriptor TEXT NOT NULL, PRIMARY KEY (subject, digest)) WITHOUT ROWID;";

/* Of the tables above and of those that other rooms keep in the same file; goes up by one whenever
 * an older kiln would misread what a newer one wrote.  0: a new file. */
enum { SCHEMA_VERSION = 1 };

static int schema_version(struct store *st, int64_t *out, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    bool has_row = false;
    if (query_open(st->db, "PRAGMA user_version", &q, err) || query_step(q, &has_row, err))
        return -1;
    *out = has_row ? query_get_int(q, 0) : 0;
    return 0;
}

static int schema_prepare(struct store *st, struct err *err)
{
    int64_t version = 0;
    if (schema_version(st, &version, err))
        return -1;
    if (version > SCHEMA_VERSION) {
        err_set(err, ERR_UNSUPPORTED, "open the store %s: its index is of version %lld, not %d",
                st->path, (long long)version, SCHEMA_VERSION);
        return err_hint(err, "a newer kiln made it: use that one, or another folder with --root");
    }
    if (st->options.is_readonly)
        return 0;
    if (db_apply(st->db, schema, err))
        return -1;
    return version == SCHEMA_VERSION ? 0 : db_apply(st->db, "PRAGMA user_version = 1", err);
}

int64_t now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec;
}

static int store_folder(struct store *st, const char *path, struct err *err)
{
    if (!st->options.is_readonly && fs_make_dirs(AT_FDCWD, path, 0755, err)) {
        err_wrap(err, "make the store %s", path);
        return err_hint(err, "choose another folder with --root or KILN_ROOT");
    }
    if (fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &st->fd, err))
        return err_wrap(err, "open the store %s", path);
    char *absolute = realpath(path, NULL);
    if (!absolute)
        return err_sys(err, "find the store %s", path);
    st->path = absolute;
    return 0;
}

int store_open(const char *path, const struct store_options *o, struct store **out, struct err *err)
{
    AUTO(store_close) struct store *st = xcalloc(1, sizeof *st);
    st->fd = -1;
    pthread_mutex_init(&st->lock, NULL);
    if (o)
        st->options = *o;
    if (store_folder(st, path, err) || layout_prepare(st, err))
        return -1;
    AUTO_FREE char *db_path = xasprintf("%s/kiln.db", st->path);
    if (db_open(db_path, st->options.is_readonly, &st->db, err))
        return -1;
    if (schema_prepare(st, err))
        return -1;
    *out = STEAL(st);
    return 0;
}

void store_close(struct store *st)
{
    if (!st)
        return;
    db_close(st->db);
    if (st->fd >= 0)
        close(st->fd);
    vec_clear(&st->kinds);
    vec_clear(&st->unsettled);
    pthread_mutex_destroy(&st->lock);
    free(st->path);
    free(st);
}

const char *store_path(const struct store *st)
{
    return st->path;
}

int store_fd(const struct store *st)
{
    return st->fd;
}

struct db *store_db(const struct store *st)
{
    return st->db;
}

int store_settle(struct store *st, struct err *err)
{
    pthread_mutex_lock(&st->lock);
    size_t n = st->unsettled.n;
    struct digest *blobs = STEAL(st->unsettled.items);
    st->unsettled.n = st->unsettled.cap = 0;
    pthread_mutex_unlock(&st->lock);
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++) {
        AUTO_FD int fd = openat(st->fd, blob_path(&blobs[i]).s, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && fdatasync(fd) < 0)
            status = err_sys(err, "sync blob %s", digest_text(&blobs[i]).s);
    }
    free(blobs);
    return status;
}
