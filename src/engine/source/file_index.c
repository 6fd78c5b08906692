/* engine/source/file_index.c - records of a context's files by what the kernel says of them.
 *
 * Table file_record: (dev, ino) -> size, mtime, ctime, record (see tree_record.c).  An entry counts
 * when all five agree; ctime cannot be set back by who changes the file, its mode or its
 * attributes, and owners are no part of a context's records.  A row lives for a month, then its
 * file is read again. */
#include <string.h>
#include <time.h>

#include "engine/source/internal.h"

enum { KEEP_S = 30 * 24 * 3600 };

static const char schema[] =
    "DROP TABLE IF EXISTS file_index;" /* digests of another kind */
    "CREATE TABLE IF NOT EXISTS file_record (dev INTEGER NOT NULL, ino INTEGER NOT NULL,"
    " size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL,"
    " record BLOB NOT NULL, put_at INTEGER NOT NULL, PRIMARY KEY (dev, ino)) WITHOUT ROWID;";

static int64_t nanoseconds(const struct timespec *t)
{
    return t->tv_sec * 1000000000 + t->tv_nsec;
}

int index_find(struct store *st, const struct node_stat *file, struct digest *out, bool *is_there,
               struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(store_db(st),
                   "SELECT record FROM file_record WHERE dev = ?1 AND ino = ?2 AND size = ?3"
                   " AND mtime = ?4 AND ctime = ?5",
                   &q, err))
        return -1;
    query_int(q, 1, (int64_t)file->dev);
    query_int(q, 2, (int64_t)file->ino);
    query_int(q, 3, (int64_t)file->size);
    query_int(q, 4, nanoseconds(&file->mtime));
    query_int(q, 5, nanoseconds(&file->ctime));
    if (query_step(q, is_there, err))
        return -1;
    if (!*is_there)
        return 0;
    struct span bytes = query_get_blob(q, 0);
    *is_there = bytes.len == 32;
    *out = (struct digest){ .algorithm = DIGEST_SHA256 };
    memcpy(out->bytes, bytes.ptr, *is_there ? 32 : 0);
    return 0;
}

int index_begin(struct store *st, struct err *err)
{
    return db_begin(store_db(st), err);
}

int index_put(struct store *st, const struct node_stat *file, const struct digest *d,
              struct err *err)
{
    struct query *q = NULL;
    if (query_open(
            store_db(st),
            "INSERT OR REPLACE INTO file_record (dev, ino, size, mtime, ctime, record, put_at)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            &q, err))
        return -1;
    query_int(q, 1, (int64_t)file->dev);
    query_int(q, 2, (int64_t)file->ino);
    query_int(q, 3, (int64_t)file->size);
    query_int(q, 4, nanoseconds(&file->mtime));
    query_int(q, 5, nanoseconds(&file->ctime));
    query_blob(q, 6, span_bytes(d->bytes, 32));
    query_int(q, 7, time(NULL));
    return query_run(q, err);
}

int index_end(struct store *st, struct err *err)
{
    return db_end(store_db(st), true, err);
}

int index_open(struct store *st, struct err *err)
{
    struct query *q = NULL;
    if (db_apply(store_db(st), schema, err) ||
        query_open(store_db(st), "DELETE FROM file_record WHERE put_at < ?1", &q, err))
        return -1;
    query_int(q, 1, time(NULL) - KEEP_S);
    return query_run(q, err);
}
