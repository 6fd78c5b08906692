/* engine/source/http_kept.c - see http_kept.h. */
#include "engine/source/http_kept.h"

#include <stdlib.h>
#include <time.h>

#include "base/core/mem.h"

enum { KEPT_DAYS = 365, DAY_S = 24 * 3600 };

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS http_file (url TEXT PRIMARY KEY, etag TEXT NOT NULL,"
    " last_modified TEXT NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;";

void http_kept_clear(struct http_kept *k)
{
    free(k->etag);
    free(k->last_modified);
    *k = (struct http_kept){ 0 };
}

int http_kept_open(struct store *st, struct err *err)
{
    struct query *q = NULL;
    if (db_apply(store_db(st), schema, err) ||
        query_open(store_db(st), "DELETE FROM http_file WHERE at < ?1", &q, err))
        return -1;
    query_int(q, 1, (int64_t)time(NULL) - (int64_t)KEPT_DAYS * DAY_S);
    return query_run(q, err);
}

int http_kept_find(struct store *st, const char *url, struct http_kept *out, bool *is_there,
                   struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    struct digest name = digest_of(span_of(url));
    struct digest_text text = digest_text(&name);
    if (query_open(store_db(st), "SELECT etag, last_modified, digest FROM http_file WHERE url = ?1",
                   &q, err))
        return -1;
    query_text(q, 1, text.s);
    if (query_step(q, is_there, err))
        return -1;
    if (!*is_there)
        return 0;
    if (digest_parse(span_of(query_get_text(q, 2)), &out->digest, err))
        return -1;
    out->etag = xstrdup(query_get_text(q, 0));
    out->last_modified = xstrdup(query_get_text(q, 1));
    return 0;
}

int http_kept_put(struct store *st, const char *url, const struct http_kept *k, struct err *err)
{
    struct query *q = NULL;
    struct digest name = digest_of(span_of(url));
    struct digest_text text = digest_text(&name), content = digest_text(&k->digest);
    if (query_open(store_db(st),
                   "INSERT OR REPLACE INTO http_file (url, etag, last_modified, digest, at)"
                   " VALUES (?1, ?2, ?3, ?4, ?5)",
                   &q, err))
        return -1;
    query_text(q, 1, text.s);
    query_text(q, 2, k->etag);
    query_text(q, 3, k->last_modified);
    query_text(q, 4, content.s);
    query_int(q, 5, (int64_t)time(NULL));
    return query_run(q, err);
}
