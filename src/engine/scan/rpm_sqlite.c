/* engine/scan/rpm_sqlite.c - rpm's data base in SQLite: one table, a header in each row.
 *
 * The file is opened as one that nobody changes and nothing is trusted in (db_open_foreign()): no
 * journal beside it is looked at, which rpm empties when it closes it. */
#include "base/core/mem.h"
#include "engine/scan/internal.h"
#include "image/store/db.h"

int rpm_sqlite_read(struct scan *s, const struct bytes *b, const char *path, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    AUTO(query_close) struct query *q = NULL;
    if (db_open_foreign(b->fd, &db, err) ||
        query_open(db, "SELECT blob FROM Packages ORDER BY hnum", &q, err))
        return -1;
    for (bool has_row = true;;) {
        struct err why = { 0 };
        if (query_step(q, &has_row, err) || cancel_check(s->options->cancel, err))
            return -1;
        if (!has_row)
            return 0;
        if (rpm_header_parse(s, query_get_blob(q, 0), path, &why))
            scan_unread(s, path, &why);
    }
}
