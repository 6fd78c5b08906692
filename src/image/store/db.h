/* image/store/db.h - the index beside the blobs: SQLite behind our header, the only file that knows
 * it.
 *
 * One connection, WAL, no sync per commit: a crash of the machine may lose the last transactions,
 * never the file.  Rooms that keep something in it own their tables: they name them after the room
 * and make them with db_apply().
 *
 * Threads: locked inside.  A query or a transaction holds the lock from its opening to its end, so
 * keep both short and never do other I/O meanwhile.  The lock is recursive: queries nest in a
 * transaction. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/codec/digest.h"
#include "base/core/err.h"
#include "base/core/span.h"

struct db;
/* Fails: SYSTEM, CORRUPT (no SQLite file; the hint says what to do), LIMIT when somebody else keeps
 * it locked for 30 s. */
NODISCARD int db_open(const char *path, bool is_readonly, struct db **out, struct err *err);
/* Somebody else's data base, an open file that nobody changes: read-only, no journal is looked at,
 * nothing in its schema is trusted or run.  Borrows fd until db_close().  Fails: CORRUPT, SYSTEM.
 */
NODISCARD int db_open_foreign(int fd, struct db **out, struct err *err);
void db_close(struct db *db);
DEFINE_AUTO(struct db, db_close)
/* Runs statements that give no rows: the tables of a room, `CREATE TABLE IF NOT EXISTS ...`. */
NODISCARD int db_apply(struct db *db, const char *sql, struct err *err);

/* A transaction for writing.  Everything between is seen by others at once or not at all; db_end()
 * commits when `is_good`, else takes all back, and gives the lock free in any case. */
NODISCARD int db_begin(struct db *db, struct err *err);
NODISCARD int db_end(struct db *db, bool is_good, struct err *err);

/* One statement: open, bind (places count from 1), step until no row, close.
 * `sql` must be a literal: statements are kept prepared by its address. */
struct query;
NODISCARD int query_open(struct db *db, const char *sql, struct query **out, struct err *err);
void query_close(struct query *q);
DEFINE_AUTO(struct query, query_close)
void query_int(struct query *q, int place, int64_t value);
void query_text(struct query *q, int place,
                const char *text); /* NULL: null; borrowed until close */
void query_blob(struct query *q, int place, struct span bytes); /* borrowed until close */
NODISCARD int query_step(struct query *q, bool *has_row, struct err *err);
/* Columns count from 0; what they give is valid until the next step. */
int64_t query_get_int(struct query *q, int column);
const char *query_get_text(struct query *q, int column); /* NULL for null */
struct span query_get_blob(struct query *q, int column);
/* Binds nothing, wants no row: step once and close. */
NODISCARD int query_run(struct query *q, struct err *err);
