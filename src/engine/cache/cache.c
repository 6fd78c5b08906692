/* engine/cache/cache.c - see cache.h. */
#include "engine/cache/cache.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/store/object.h"

struct cache {
    struct store *store; /* borrowed */
    struct cache_codec codec;
    struct solver_cache ops;
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS cache_record (key TEXT PRIMARY KEY, content TEXT NOT NULL,"
    " outputs TEXT NOT NULL, name TEXT NOT NULL, made_at INTEGER NOT NULL) WITHOUT ROWID;";

#define RECORD_PREFIX "record:"

static char *record_id(const struct digest *key)
{
    return xasprintf(RECORD_PREFIX "%s", digest_text(key).s);
}

static int record_hide(void *arg, struct store *st, const char *id, struct err *err)
{
    (void)arg;
    struct query *q = NULL;
    if (query_open(store_db(st), "DELETE FROM cache_record WHERE key = ?1", &q, err))
        return -1;
    query_text(q, 1, id + strlen(RECORD_PREFIX));
    return query_run(q, err);
}

/* What a row holds; the texts of the outputs are "" for scratch. */
struct record {
    struct digest content;
    struct str_list outputs;
};

static void record_clear(struct record *r)
{
    str_list_clear(&r->outputs);
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
    AUTO(json_free) struct json *outputs = NULL;
    if (digest_parse(span_of(query_get_text(q, 0)), &out->content, err) ||
        json_parse(span_of(query_get_text(q, 1)), &outputs, err))
        return -1;
    if (!json_to_list(outputs, &out->outputs))
        return err_set(err, ERR_CORRUPT, "read cache record %s: outputs are no list of texts", key);
    return 0;
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

static int cache_find(void *arg, const struct digest *key, struct result **outputs,
                      size_t n_outputs, struct digest *content, bool *is_there, struct err *err)
{
    struct cache *c = arg;
    AUTO_VALUE(record_clear) struct record r = { 0 };
    int status = record_find(c, key, &r, is_there, err);
    if (status == 0 && *is_there) {
        *is_there = r.outputs.n == n_outputs;
        if (*is_there)
            status = load_outputs(c, &r, outputs, is_there, err);
        if (status || !*is_there)
            for (size_t i = 0; i < n_outputs; i++) {
                result_unref(outputs[i]);
                outputs[i] = NULL;
            }
    }
    if (status)
        return err_wrap(err, "look up cache record %s", digest_text(key).s);
    if (*is_there)
        *content = r.content;
    return 0;
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
    if (query_run(q, err))
        return -1;
    return object_put(c->store, id, text.len, &needs, err);
}

static int cache_put(void *arg, const struct digest *keys, size_t n_keys,
                     const struct digest *content, struct result *const *outputs, size_t n_outputs,
                     const struct vertex *v, struct err *err)
{
    struct cache *c = arg;
    AUTO_VALUE(record_clear) struct record r = { .content = *content };
    for (size_t i = 0; i < n_outputs; i++) {
        char *text = outputs[i] ? c->codec.save(outputs[i]) : xstrdup("");
        if (!text)
            return 0;
        str_list_take(&r.outputs, text);
    }
    AUTO_VALUE(buf_clear) struct buf name = { 0 };
    buf_init(&name, LIMIT_GRAPH_BYTES);
    vertex_print_name(v, &name);
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
    c->ops = (struct solver_cache){ .arg = c, .find = cache_find, .put = cache_put };
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
