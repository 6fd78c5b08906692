/* engine/snapshot/record.c - what the database knows of snapshots.
 *
 * Table snapshot: one row for each; `layer` is the blob's descriptor as JSON, or null, `folder` the
 * name below snapshots/ once there is one, `form` who can read that folder.  Table snapshot_layer:
 * the blobs that were made of a step's layer.  Object "snapshot:..." of the store is made and
 * dropped together with the row. */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "engine/snapshot/internal.h"
#include "image/layer/estargz.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS snapshot (id TEXT PRIMARY KEY, parent TEXT, is_step INTEGER NOT "
    "NULL, diff_id TEXT, origin TEXT, layer TEXT, form TEXT NOT NULL, folder TEXT UNIQUE,"
    " created_s INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS snapshot_layer (id TEXT NOT NULL, compression TEXT NOT NULL,"
    " level INTEGER NOT NULL, epoch TEXT NOT NULL, diff_id TEXT NOT NULL, layer TEXT NOT NULL,"
    " PRIMARY KEY (id, compression, level, epoch)) WITHOUT ROWID;";

void record_clear(struct record *r)
{
    free(r->id);
    free(r->parent);
    free(r->origin);
    free(r->form);
    free(r->folder);
    layer_ref_clear(&r->layer);
    *r = (struct record){ 0 };
}

int record_prepare(struct db *db, struct err *err)
{
    return db_apply(db, schema, err);
}

/* ---- descriptors as text ---- */

/* Type, digest, size, and what makes it an estargz: what else a manifest says of a layer may be as
 * long as the manifest. */
static char *descriptor_text(const struct descriptor *d)
{
    if (!d->media_type)
        return NULL;
    AUTO_VALUE(descriptor_clear)
    struct descriptor plain = descriptor_make(d->media_type, &d->digest, d->size);
    static const char *const kept[] = { ESTARGZ_TOC_DIGEST, ESTARGZ_SIZE };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value = map_find_str(&d->annotations, kept[i]);
        if (value && strlen(value) < DIGEST_TEXT_MAX)
            map_set_str(&plain.annotations, kept[i], value);
    }
    AUTO(json_free) struct json *object = descriptor_write(&plain);
    struct buf text;
    buf_init(&text, LIMIT_JSON);
    json_print(object, &text);
    return buf_take(&text);
}

/* Texts that are NULL give an unset value. */
static int read_layer(const char *blob, const char *diff_id, struct layer_ref *out, struct err *err)
{
    if (diff_id && digest_parse(span_of(diff_id), &out->diff_id, err))
        return -1;
    if (!blob)
        return 0;
    AUTO(json_free) struct json *object = NULL;
    return json_parse(span_of(blob), &object, err) || descriptor_read(object, &out->blob, err) ? -1
                                                                                               : 0;
}

/* ---- snapshot ---- */

int record_find(struct db *db, const char *id, struct record *out, bool *is_there, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(
            db,
            "SELECT parent, is_step, diff_id, origin, layer, form, folder, created_s FROM snapshot"
            " WHERE id = ?1",
            &q, err))
        return -1;
    query_text(q, 1, id);
    if (query_step(q, is_there, err))
        return -1;
    if (!*is_there)
        return 0;
    *out = (struct record){
        .id = xstrdup(id),
        .parent = xstrdup_or_null(query_get_text(q, 0)),
        .is_step = query_get_int(q, 1),
        .origin = xstrdup_or_null(query_get_text(q, 3)),
        .form = xstrdup_or_null(query_get_text(q, 5)),
        .folder = xstrdup_or_null(query_get_text(q, 6)),
        .created_s = query_get_int(q, 7),
    };
    if (read_layer(query_get_text(q, 4), query_get_text(q, 2), &out->layer, err)) {
        record_clear(out);
        return err_wrap(err, "read the record of %s", id);
    }
    return 0;
}

int record_add(struct db *db, const struct record *r, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    AUTO_FREE char *blob = descriptor_text(&r->layer.blob);
    struct digest_text diff_id = digest_text(&r->layer.diff_id);
    if (query_open(db,
                   "INSERT INTO snapshot (id, parent, is_step, diff_id, origin, layer, form,"
                   " folder, created_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                   &q, err))
        return -1;
    query_text(q, 1, r->id);
    query_text(q, 2, r->parent);
    query_int(q, 3, r->is_step);
    query_text(q, 4, digest_is_set(&r->layer.diff_id) ? diff_id.s : NULL);
    query_text(q, 5, r->origin);
    query_text(q, 6, blob);
    query_text(q, 7, r->form);
    query_text(q, 8, r->folder);
    query_int(q, 9, r->created_s);
    bool has_row;
    return query_step(q, &has_row, err);
}

int record_set_folder(struct db *db, const char *id, const char *folder, bool *was_set,
                      struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(db,
                   "UPDATE snapshot SET folder = ?2 WHERE id = ?1 AND folder IS NULL"
                   " RETURNING 1",
                   &q, err))
        return -1;
    query_text(q, 1, id);
    query_text(q, 2, folder);
    return query_step(q, was_set, err);
}

int record_set_origin(struct db *db, const char *id, const char *origin, struct err *err)
{
    struct query *q = NULL;
    if (query_open(db, "UPDATE snapshot SET origin = ?2 WHERE id = ?1", &q, err))
        return -1;
    query_text(q, 1, id);
    query_text(q, 2, origin);
    return query_run(q, err);
}

int record_set_created(struct db *db, const char *id, int64_t created_s, struct err *err)
{
    struct query *q = NULL;
    if (query_open(db, "UPDATE snapshot SET created_s = ?2 WHERE id = ?1", &q, err))
        return -1;
    query_text(q, 1, id);
    query_int(q, 2, created_s);
    return query_run(q, err);
}

int record_drop(struct db *db, const char *id, struct err *err)
{
    struct query *q = NULL;
    if (query_open(db, "DELETE FROM snapshot WHERE id = ?1", &q, err))
        return -1;
    query_text(q, 1, id);
    if (query_run(q, err) || query_open(db, "DELETE FROM snapshot_layer WHERE id = ?1", &q, err))
        return -1;
    query_text(q, 1, id);
    return query_run(q, err);
}

int record_has_folder(struct db *db, const char *folder, bool *out, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(db, "SELECT 1 FROM snapshot WHERE folder = ?1", &q, err))
        return -1;
    query_text(q, 1, folder);
    return query_step(q, out, err);
}

/* ---- snapshot_layer ---- */

static void epoch_text(const struct seal_key *key, char text[24])
{
    text[0] = '\0';
    if (key->has_epoch)
        snprintf(text, 24, "%lld", (long long)key->epoch_s);
}

int sealed_find(struct db *db, const char *id, const struct seal_key *key, struct layer_ref *out,
                bool *is_there, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    char epoch[24];
    if (query_open(db,
                   "SELECT layer, diff_id FROM snapshot_layer"
                   " WHERE id = ?1 AND compression = ?2 AND level = ?3 AND epoch = ?4",
                   &q, err))
        return -1;
    epoch_text(key, epoch);
    query_text(q, 1, id);
    query_text(q, 2, compression_name(key->compression));
    query_int(q, 3, key->level);
    query_text(q, 4, epoch);
    if (query_step(q, is_there, err))
        return -1;
    return *is_there ? read_layer(query_get_text(q, 0), query_get_text(q, 1), out, err) : 0;
}

int sealed_put(struct db *db, const char *id, const struct seal_key *key,
               const struct layer_ref *layer, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    AUTO_FREE char *blob = descriptor_text(&layer->blob);
    struct digest_text diff_id = digest_text(&layer->diff_id);
    char epoch[24];
    if (query_open(db,
                   "INSERT OR REPLACE INTO snapshot_layer (id, compression, level, epoch, diff_id,"
                   " layer) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                   &q, err))
        return -1;
    epoch_text(key, epoch);
    query_text(q, 1, id);
    query_text(q, 2, compression_name(key->compression));
    query_int(q, 3, key->level);
    query_text(q, 4, epoch);
    query_text(q, 5, diff_id.s);
    query_text(q, 6, blob);
    bool has_row;
    return query_step(q, &has_row, err);
}
