/* image/store/name.c - see name.h. */
#include "image/store/name.h"

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/store/internal.h"

/* Everything but the digest and the media type that a descriptor holds belongs to the manifest, not
 * to its name; so the row keeps the descriptor as JSON. */
static int insert_name(struct store *st, enum name_scope scope, const char *name,
                       const struct descriptor *target, struct err *err)
{
    AUTO(json_free) struct json *object = descriptor_write(target);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, SIZE_MAX / 2);
    json_print(object, &text);
    if (text.len > LIMIT_JSON) /* nobody could list names any more */
        return err_set(err, ERR_LIMIT, "the descriptor has %zu bytes", text.len);
    struct query *q = NULL;
    if (query_open(st->db,
                   "INSERT OR REPLACE INTO name (scope, name, digest, descriptor, set_at)"
                   " VALUES (?1, ?2, ?3, ?4, ?5)",
                   &q, err))
        return -1;
    struct digest_text digest = digest_text(&target->digest);
    query_int(q, 1, scope);
    query_text(q, 2, name);
    query_text(q, 3, digest.s);
    query_text(q, 4, text.data);
    query_int(q, 5, now_s());
    return query_run(q, err);
}

int name_set(struct store *st, enum name_scope scope, const char *name,
             const struct descriptor *target, struct err *err)
{
    if (insert_name(st, scope, name, target, err) || layout_write_index(st, err))
        return err_wrap(err, "name %s", name);
    return 0;
}

static int read_descriptor(struct query *q, int column, struct descriptor *out, struct err *err)
{
    AUTO(json_free) struct json *object = NULL;
    if (json_parse(span_of(query_get_text(q, column)), &object, err))
        return -1;
    return descriptor_read(object, out, err);
}

int name_find(struct store *st, enum name_scope scope, const char *name, struct descriptor *out,
              bool *is_there, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(st->db, "SELECT descriptor FROM name WHERE scope = ?1 AND name = ?2", &q, err))
        return -1;
    query_int(q, 1, scope);
    query_text(q, 2, name);
    if (query_step(q, is_there, err))
        return -1;
    return *is_there ? read_descriptor(q, 0, out, err) : 0;
}

int name_remove(struct store *st, enum name_scope scope, const char *name, bool *was_there,
                struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(st->db, "DELETE FROM name WHERE scope = ?1 AND name = ?2 RETURNING 1", &q, err))
        return -1;
    query_int(q, 1, scope);
    query_text(q, 2, name);
    bool has_row = false, more = false;
    if (query_step(q, &has_row, err) || (has_row && query_step(q, &more, err)))
        return -1;
    query_close(STEAL(q));
    if (was_there)
        *was_there = has_row;
    return has_row ? layout_write_index(st, err) : 0;
}

int name_leads_to(struct store *st, const struct digest *d, bool *out, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(st->db,
                   "WITH RECURSIVE up (id) AS (VALUES (?1) UNION"
                   " SELECT need.id FROM need JOIN up ON need.needs = up.id)"
                   " SELECT 1 FROM up JOIN name ON name.digest = up.id LIMIT 1",
                   &q, err))
        return -1;
    struct digest_text id = digest_text(d);
    query_text(q, 1, id.s);
    return query_step(q, out, err);
}

void names_clear(struct names *l)
{
    vec_each (l, named) {
        free(named->name);
        descriptor_clear(&named->target);
    }
    vec_clear(l);
}

int name_list(struct store *st, enum name_scope scope, const char *prefix, const char *after,
              size_t limit, struct names *out, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(st->db,
                   "SELECT name, descriptor, set_at FROM name WHERE scope = ?1"
                   " AND substr(name, 1, length(?2)) = ?2 AND (?3 IS NULL OR name > ?3)"
                   " ORDER BY name LIMIT ?4",
                   &q, err))
        return -1;
    query_int(q, 1, scope);
    query_text(q, 2, prefix);
    query_text(q, 3, after);
    query_int(q, 4, limit ? (int64_t)limit : -1);
    for (bool has_row = true;;) {
        if (query_step(q, &has_row, err))
            return -1;
        if (!has_row)
            return 0;
        struct named *named = vec_push(out);
        named->name = xstrdup(query_get_text(q, 0));
        named->set_at_s = query_get_int(q, 2);
        if (read_descriptor(q, 1, &named->target, err))
            return -1;
    }
}
