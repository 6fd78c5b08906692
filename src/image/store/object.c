/* image/store/object.c - see object.h. */
#include "image/store/object.h"

#include <string.h>

#include "base/core/mem.h"
#include "image/store/internal.h"

void object_kind_add(struct store *st, const struct object_kind *kind)
{
    vec_each (&st->kinds, known)
        if (strcmp(known->prefix, kind->prefix) == 0) {
            *known = *kind;
            return;
        }
    *vec_push(&st->kinds) = *kind;
}

static int need_put(struct db *db, const char *id, const char *needs, struct err *err)
{
    struct query *q = NULL;
    if (query_open(db, "INSERT OR IGNORE INTO need (id, needs) VALUES (?1, ?2)", &q, err))
        return -1;
    query_text(q, 1, id);
    query_text(q, 2, needs);
    return query_run(q, err);
}

static int put_inside(struct db *db, const char *id, uint64_t size, const struct str_list *needs,
                      struct err *err)
{
    struct query *q = NULL;
    if (query_open(
            db,
            "INSERT INTO object (id, size, used_at) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (id) DO UPDATE SET size = excluded.size, used_at = excluded.used_at",
            &q, err))
        return -1;
    query_text(q, 1, id);
    query_int(q, 2, (int64_t)size);
    query_int(q, 3, now_s());
    if (query_run(q, err))
        return -1;
    for (size_t i = 0; needs && i < needs->n; i++)
        if (need_put(db, id, needs->items[i], err))
            return -1;
    return 0;
}

int object_put(struct store *st, const char *id, uint64_t size, const struct str_list *needs,
               struct err *err)
{
    if (db_begin(st->db, err))
        return -1;
    int status = put_inside(st->db, id, size, needs, err);
    return db_end(st->db, status == 0, err) || status ? -1 : 0;
}

/* All that an object leads to, itself included. */
#define CLOSURE                                                                                    \
    "WITH RECURSIVE reach (id) AS (VALUES (?1) UNION"                                              \
    " SELECT need.needs FROM need JOIN reach ON need.id = reach.id) "

/* Whether the object and all that it needs are recorded. */
static int is_whole(struct db *db, const char *id, bool *out, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(db,
                   CLOSURE "SELECT 1 FROM reach WHERE id NOT IN (SELECT id FROM object) LIMIT 1",
                   &q, err))
        return -1;
    query_text(q, 1, id);
    bool has_missing = false;
    if (query_step(q, &has_missing, err))
        return -1;
    *out = !has_missing;
    return 0;
}

static int touch_all(struct db *db, const char *id, struct err *err)
{
    struct query *q = NULL;
    if (query_open(db, CLOSURE "UPDATE object SET used_at = ?2 WHERE used_at < ?2 AND id IN reach",
                   &q, err))
        return -1;
    query_text(q, 1, id);
    query_int(q, 2, now_s());
    return query_run(q, err);
}

static int touch_inside(struct store *st, const char *id, bool *is_there, struct err *err)
{
    if (is_whole(st->db, id, is_there, err))
        return -1;
    return *is_there ? touch_all(st->db, id, err) : object_remove(st, id, err);
}

int object_touch(struct store *st, const char *id, bool *is_there, struct err *err)
{
    if (st->options.is_readonly)
        return is_whole(st->db, id, is_there, err);
    if (db_begin(st->db, err))
        return -1;
    int status = touch_inside(st, id, is_there, err);
    return db_end(st->db, status == 0, err) || status ? -1 : 0;
}

int object_forget(struct store *st, const char *id, struct err *err)
{
    struct db *db = st->db;
    struct query *q = NULL;
    if (query_open(db, "DELETE FROM object WHERE id = ?1", &q, err))
        return -1;
    query_text(q, 1, id);
    if (query_run(q, err) || query_open(db, "DELETE FROM need WHERE id = ?1", &q, err))
        return -1;
    query_text(q, 1, id);
    if (query_run(q, err) || query_open(db, "DELETE FROM referrer WHERE digest = ?1", &q, err))
        return -1;
    query_text(q, 1, id);
    return query_run(q, err);
}

int object_hide(struct store *st, const char *id, struct err *err)
{
    if (object_forget(st, id, err))
        return -1;
    struct digest digest;
    struct err no_digest = { 0 };
    if (digest_parse(span_of(id), &digest, &no_digest) == 0)
        return store_trash(st, blob_path(&digest).s, err);
    vec_each (&st->kinds, kind)
        if (strncmp(id, kind->prefix, strlen(kind->prefix)) == 0 && kind->hide)
            return kind->hide(kind->arg, st, id, err);
    return 0;
}

/* The object and everything that leads to it. */
static int list_dependents(struct db *db, const char *id, struct str_list *out, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(db,
                   "WITH RECURSIVE up (id) AS (VALUES (?1) UNION"
                   " SELECT need.id FROM need JOIN up ON need.needs = up.id)"
                   " SELECT id FROM up WHERE id IN (SELECT id FROM object)",
                   &q, err))
        return -1;
    query_text(q, 1, id);
    for (bool has_row = true;;) {
        if (query_step(q, &has_row, err))
            return -1;
        if (!has_row)
            return 0;
        str_list_push(out, query_get_text(q, 0));
    }
}

static int remove_inside(struct store *st, const char *id, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list ids = { 0 };
    if (list_dependents(st->db, id, &ids, err))
        return -1;
    vec_each (&ids, one)
        if (object_hide(st, *one, err))
            return -1;
    return 0;
}

int object_remove(struct store *st, const char *id, struct err *err)
{
    if (db_begin(st->db, err))
        return -1;
    int status = remove_inside(st, id, err);
    return db_end(st->db, status == 0, err) || status ? -1 : 0;
}
