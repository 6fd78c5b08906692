/* engine/cache/cache.c - see cache.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/cache/internal.h"
#include "image/store/object.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS cache_record (key TEXT PRIMARY KEY, content TEXT NOT NULL,"
    " outputs TEXT NOT NULL, name TEXT NOT NULL, made_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS cache_input (key TEXT PRIMARY KEY, contents TEXT NOT NULL)"
    " WITHOUT ROWID;";

#define RECORD_PREFIX "record:"

static char *record_id(const struct digest *key)
{
    return xasprintf(RECORD_PREFIX "%s", digest_text(key).s);
}

static int record_hide(void *arg, struct store *st, const char *id, struct err *err)
{
    static const char *const statements[] = { "DELETE FROM cache_record WHERE key = ?1",
                                              "DELETE FROM cache_input WHERE key = ?1" };
    (void)arg;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        struct query *q = NULL;
        if (query_open(store_db(st), statements[i], &q, err))
            return -1;
        query_text(q, 1, id + strlen(RECORD_PREFIX));
        if (query_run(q, err))
            return -1;
    }
    return 0;
}

/* What a row holds; the texts of the outputs are "" for scratch. */
struct record {
    struct digest content;
    struct str_list outputs;
    struct str_list contents; /* what was read of each input: digests, "" where nobody looked */
};

static void record_clear(struct record *r)
{
    str_list_clear(&r->outputs);
    str_list_clear(&r->contents);
}

static int read_list(const char *text, const char *key, struct str_list *out, struct err *err)
{
    AUTO(json_free) struct json *list = NULL;
    if (json_parse(span_of(text), &list, err))
        return -1;
    return json_to_list(list, out)
               ? 0
               : err_set(err, ERR_CORRUPT, "read cache record %s: a list that is none", key);
}

static int record_select(struct cache *c, const char *key, struct record *out, bool *is_there,
                         struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(store_db(c->store), "SELECT content, outputs FROM cache_record WHERE key = ?1",
                   &q, err))
        return -1;
    query_text(q, 1, key);
    if (query_step(q, is_there, err))
        return -1;
    if (!*is_there)
        return 0;
    return digest_parse(span_of(query_get_text(q, 0)), &out->content, err) ||
                   read_list(query_get_text(q, 1), key, &out->outputs, err)
               ? -1
               : 0;
}

/* Records of nothing but what their definition says have none. */
static int contents_select(struct cache *c, const char *key, struct record *out, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    bool is_there = false;
    if (query_open(store_db(c->store), "SELECT contents FROM cache_input WHERE key = ?1", &q, err))
        return -1;
    query_text(q, 1, key);
    if (query_step(q, &is_there, err))
        return -1;
    return is_there ? read_list(query_get_text(q, 0), key, &out->contents, err) : 0;
}

/* Finds the row and marks it, and all that it needs, as used, so that nothing of it is collected.
 */
static int record_find(struct cache *c, const struct digest *key, struct record *out,
                       bool *is_there, struct err *err)
{
    AUTO_FREE char *id = record_id(key);
    struct db *db = store_db(c->store);
    if (db_begin(db, err))
        return -1;
    int status = record_select(c, id + strlen(RECORD_PREFIX), out, is_there, err);
    if (status == 0 && *is_there)
        status = contents_select(c, id + strlen(RECORD_PREFIX), out, err);
    if (status == 0 && *is_there)
        status = object_touch(c->store, id, is_there, err);
    return db_end(db, status == 0, err) || status ? -1 : 0;
}

static int load_outputs(struct cache *c, const struct record *r, struct result **outputs,
                        bool *is_there, struct err *err)
{
    for (size_t i = 0; i < r->outputs.n; i++) {
        const char *text = r->outputs.items[i];
        if (!*text)
            continue;
        if (c->codec.load(c->codec.arg, text, &outputs[i], err))
            return -1;
        if (!outputs[i]) {
            *is_there = false;
            return 0;
        }
    }
    return 0;
}

static void drop_outputs(struct result **outputs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        result_unref(outputs[i]);
        outputs[i] = NULL;
    }
}

/* Of what was read of the inputs, what the caller does not know itself. */
static int fill_contents(const struct record *r, struct solver_record *out, struct err *err)
{
    for (size_t i = 0; i < r->contents.n && i < out->vertex->n_inputs; i++) {
        struct digest *d = &out->input_content[i];
        if (r->contents.items[i][0] && !digest_is_set(d) &&
            digest_parse(span_of(r->contents.items[i]), d, err))
            return -1;
    }
    return 0;
}

static int cache_find(void *arg, const struct digest *key, struct solver_record *out,
                      bool *is_there, struct err *err)
{
    struct cache *c = arg;
    size_t n_outputs = out->vertex->n_outputs;
    AUTO_VALUE(record_clear) struct record r = { 0 };
    int status = record_find(c, key, &r, is_there, err);
    if (status == 0 && *is_there) {
        *is_there = r.outputs.n == n_outputs;
        if (*is_there)
            status = load_outputs(c, &r, out->outputs, is_there, err);
        if (status == 0 && *is_there)
            status = fill_contents(&r, out, err);
        if (status || !*is_there)
            drop_outputs(out->outputs, n_outputs);
    }
    if (status)
        return err_wrap(err, "look up cache record %s", digest_text(key).s);
    if (*is_there)
        out->content = r.content;
    return 0;
}

static int contents_insert(struct cache *c, const char *key, const struct str_list *contents,
                           struct err *err)
{
    AUTO(json_free) struct json *list = json_of_list(contents);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct query *q = NULL;
    buf_init(&text, LIMIT_JSON);
    json_print(list, &text);
    if (query_open(store_db(c->store),
                   "INSERT OR REPLACE INTO cache_input (key, contents) VALUES (?1, ?2)", &q, err))
        return -1;
    query_text(q, 1, key);
    query_text(q, 2, text.data);
    return query_run(q, err);
}

static int record_insert(struct cache *c, const struct digest *key, const struct record *r,
                         const char *name, struct err *err)
{
    AUTO_FREE char *id = record_id(key);
    AUTO(json_free) struct json *outputs = json_of_list(&r->outputs);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_JSON);
    json_print(outputs, &text);
    AUTO_VALUE(str_list_clear) struct str_list needs = { 0 };
    vec_each (&r->outputs, output)
        if (**output)
            str_list_push(&needs, *output);
    struct query *q = NULL;
    if (query_open(store_db(c->store),
                   "INSERT OR REPLACE INTO cache_record (key, content, outputs, name, made_at)"
                   " VALUES (?1, ?2, ?3, ?4, ?5)",
                   &q, err))
        return -1;
    struct digest_text content = digest_text(&r->content);
    query_text(q, 1, id + strlen(RECORD_PREFIX));
    query_text(q, 2, content.s);
    query_text(q, 3, text.data);
    query_text(q, 4, name);
    query_int(q, 5, time(NULL));
    if (query_run(q, err) ||
        (r->contents.n && contents_insert(c, id + strlen(RECORD_PREFIX), &r->contents, err)))
        return -1;
    return object_put(c->store, id, text.len, &needs, err);
}

/* As texts; false when an output must not be remembered. */
static bool save_record(struct cache *c, const struct solver_record *from, struct record *to)
{
    bool has_contents = false;
    to->content = from->content;
    for (size_t i = 0; i < from->vertex->n_outputs; i++) {
        struct result *r = from->outputs[i];
        char *text = r ? c->codec.save(r) : xstrdup("");
        if (!text)
            return false;
        str_list_take(&to->outputs, text);
    }
    for (size_t i = 0; i < from->vertex->n_inputs; i++)
        has_contents |= digest_is_set(&from->input_content[i]);
    for (size_t i = 0; has_contents && i < from->vertex->n_inputs; i++)
        str_list_push(&to->contents, digest_text(&from->input_content[i]).s);
    return true;
}

static int cache_put(void *arg, const struct digest *keys, size_t n_keys,
                     const struct solver_record *record, struct err *err)
{
    struct cache *c = arg;
    AUTO_VALUE(record_clear) struct record r = { 0 };
    if (!save_record(c, record, &r))
        return 0;
    AUTO_VALUE(buf_clear) struct buf name = { 0 };
    buf_init(&name, LIMIT_GRAPH_BYTES);
    vertex_print_name(record->vertex, &name);
    struct db *db = store_db(c->store);
    if (db_begin(db, err))
        return -1;
    int status = 0;
    for (size_t i = 0; i < n_keys && status == 0; i++)
        status = record_insert(c, &keys[i], &r, name.data ? name.data : "", err);
    return db_end(db, status == 0, err) || status ? -1 : 0;
}

int cache_open(struct store *st, const struct cache_codec *codec, struct cache **out,
               struct err *err)
{
    AUTO(cache_close) struct cache *c = xcalloc(1, sizeof *c);
    *c = (struct cache){ .store = st, .codec = *codec };
    c->ops = (struct solver_cache){ .arg = c,
                                    .find = cache_find,
                                    .put = cache_put,
                                    .claim = cache_claim,
                                    .release = cache_release };
    if (db_apply(store_db(st), schema, err))
        return -1;
    object_kind_add(st, &(struct object_kind){ .prefix = RECORD_PREFIX, .hide = record_hide });
    *out = STEAL(c);
    return 0;
}

void cache_close(struct cache *c)
{
    free(c);
}

const struct solver_cache *cache_ops(struct cache *c)
{
    return &c->ops;
}
