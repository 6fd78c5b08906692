/* image/store/db.c - SQLite behind our header.
 *
 * Statements stay prepared for the life of the connection, found by the address of their text.  A
 * query that is opened while the same statement is in use (a nested query) is prepared anew. */
#include "image/store/db.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "base/core/mem.h"
#include "base/core/vec.h"

enum { DB_BUSY_TIMEOUT_MS = 30000 };

struct query {
    struct db *db;
    const char *sql;
    sqlite3_stmt *statement;
    bool is_busy;
};

struct db {
    pthread_mutex_t lock; /* recursive; guards everything */
    sqlite3 *handle;
    char *path;
    unsigned depth;  /* of db_begin() */
    int rounds_left; /* of db_open_foreign(): until it takes too long */
    bool has_failed_inside;
    vec(struct query *) queries;
};

static int db_fail(struct db *db, const char *what, struct err *err)
{
    int code = sqlite3_errcode(db->handle) & 0xff;
    enum err_kind kind = code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? ERR_CORRUPT
                         : code == SQLITE_BUSY || code == SQLITE_LOCKED  ? ERR_LIMIT
                                                                         : ERR_SYSTEM;
    bool is_full =
        code == SQLITE_FULL || (code == SQLITE_IOERR && sqlite3_system_errno(db->handle) == ENOSPC);
    err_set(err, kind, "%s: %s: %s", what, db->path,
            is_full ? "no space left on device" : sqlite3_errmsg(db->handle));
    if (is_full)
        err->sys = ENOSPC;
    if (kind == ERR_CORRUPT)
        return err_hint(err, "move %s away; kiln makes a new one and fetches what it needs again",
                        db->path);
    if (kind == ERR_LIMIT)
        return err_hint(err, "another process has held the store's index locked for %d s",
                        DB_BUSY_TIMEOUT_MS / 1000);
    return -1;
}

static void db_lock(struct db *db)
{
    pthread_mutex_lock(&db->lock);
}

static void db_unlock(struct db *db)
{
    pthread_mutex_unlock(&db->lock);
}

static int db_exec(struct db *db, const char *sql, struct err *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_fail(db, "use the store's index", err);
    return 0;
}

/* The switch to WAL and the first look at a log that another process recovers do not wait as
 * other statements do; so we do. */
static int db_prepare(struct db *db, struct err *err)
{
    /* A new file is one page, which a crash of the machine leaves whole or away, and then there is
     * a new store: nothing to wait for the disk for. */
    static const char pragmas[] =
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "PRAGMA foreign_keys = ON; PRAGMA cache_size = -2048";
    enum { PAUSE_MS = 10 };
    for (int waited_ms = 0; db_exec(db, pragmas, err); waited_ms += PAUSE_MS) {
        if (err->kind != ERR_LIMIT || waited_ms >= DB_BUSY_TIMEOUT_MS)
            return -1;
        err_clear(err);
        struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
        nanosleep(&pause, NULL);
    }
    return 0;
}

static struct db *db_new(const char *path)
{
    struct db *db = xcalloc(1, sizeof *db);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&db->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    db->path = xstrdup(path);
    return db;
}

int db_open(const char *path, bool is_readonly, struct db **out, struct err *err)
{
    AUTO(db_close) struct db *db = db_new(path);
    int flags = SQLITE_OPEN_NOMUTEX |
                (is_readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK)
        return db_fail(db, "open the store's index", err);
    sqlite3_busy_timeout(db->handle, DB_BUSY_TIMEOUT_MS);
    /* The log is carried over when it is long, not at every end of a short command: that would cost
     * each of them three syncs. */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (!is_readonly && db_prepare(db, err))
        return -1;
    *out = STEAL(db);
    return 0;
}

/* Stops what a hostile file would make endless: a data base of rpm needs a few million. */
static int stop(void *n_left)
{
    int *left = n_left;
    return --*left < 0;
}

static void distrust(struct db *db)
{
    enum { LONGEST = 64 << 20, STEPS = 1000000, ROUNDS = 2000 };
    static const int off[] = { SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW,
                               SQLITE_DBCONFIG_TRUSTED_SCHEMA };
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        sqlite3_db_config(db->handle, off[i], 0, NULL);
    sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, LONGEST);
    db->rounds_left = ROUNDS;
    sqlite3_progress_handler(db->handle, STEPS, stop, &db->rounds_left);
}

int db_open_foreign(int fd, struct db **out, struct err *err)
{
    AUTO_FREE char *uri = xasprintf("file:/proc/self/fd/%d?immutable=1", fd);
    AUTO(db_close) struct db *db = db_new("data base");
    if (sqlite3_open_v2(uri, &db->handle,
                        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                        NULL) != SQLITE_OK) {
        db_fail(db, "open", err);
        return err_hint(err, "%s", "");
    }
    distrust(db);
    *out = STEAL(db);
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    vec_each (&db->queries, q) {
        sqlite3_finalize((*q)->statement);
        free(*q);
    }
    vec_clear(&db->queries);
    sqlite3_close(db->handle);
    pthread_mutex_destroy(&db->lock);
    free(db->path);
    free(db);
}

int db_apply(struct db *db, const char *sql, struct err *err)
{
    db_lock(db);
    int status = db_exec(db, sql, err);
    db_unlock(db);
    return status;
}

int db_begin(struct db *db, struct err *err)
{
    db_lock(db);
    if (db->depth == 0) {
        db->has_failed_inside = false;
        if (db_exec(db, "BEGIN IMMEDIATE", err)) {
            db_unlock(db);
            return -1;
        }
    }
    db->depth++;
    return 0;
}

/* A transaction inside another one ends with it: when it is taken back, the outer one is too. */
int db_end(struct db *db, bool is_good, struct err *err)
{
    int status = 0;
    if (!is_good)
        db->has_failed_inside = true;
    if (--db->depth == 0) {
        if (db->has_failed_inside)
            sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
        else if (db_exec(db, "COMMIT", err)) {
            sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
            status = -1;
        }
    }
    db_unlock(db);
    return status;
}

int query_open(struct db *db, const char *sql, struct query **out, struct err *err)
{
    db_lock(db);
    struct query *found = NULL;
    vec_each (&db->queries, q)
        if ((*q)->sql == sql && !(*q)->is_busy)
            found = *q;
    if (!found) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
            SQLITE_OK) {
            db_fail(db, "ask the store's index", err);
            db_unlock(db);
            return -1;
        }
        found = xcalloc(1, sizeof *found);
        *found = (struct query){ .db = db, .sql = sql, .statement = statement };
        *vec_push(&db->queries) = found;
    }
    found->is_busy = true;
    *out = found;
    return 0;
}

void query_close(struct query *q)
{
    if (!q)
        return;
    sqlite3_reset(q->statement);
    sqlite3_clear_bindings(q->statement);
    q->is_busy = false;
    db_unlock(q->db);
}

void query_int(struct query *q, int place, int64_t value)
{
    sqlite3_bind_int64(q->statement, place, value);
}

void query_text(struct query *q, int place, const char *text)
{
    if (text)
        sqlite3_bind_text(q->statement, place, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(q->statement, place);
}

void query_blob(struct query *q, int place, struct span bytes)
{
    sqlite3_bind_blob64(q->statement, place, bytes.ptr ? bytes.ptr : "", bytes.len, SQLITE_STATIC);
}

int query_step(struct query *q, bool *has_row, struct err *err)
{
    int code = sqlite3_step(q->statement);
    *has_row = code == SQLITE_ROW;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return db_fail(q->db, "use the store's index", err);
    return 0;
}

int64_t query_get_int(struct query *q, int column)
{
    return sqlite3_column_int64(q->statement, column);
}

const char *query_get_text(struct query *q, int column)
{
    return (const char *)sqlite3_column_text(q->statement, column);
}

struct span query_get_blob(struct query *q, int column)
{
    const void *ptr = sqlite3_column_blob(q->statement, column);
    return span_bytes(ptr, (size_t)sqlite3_column_bytes(q->statement, column));
}

int query_run(struct query *q, struct err *err)
{
    bool has_row = false;
    int status = query_step(q, &has_row, err);
    query_close(q);
    return status;
}
