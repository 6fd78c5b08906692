/* engine/remotecache/document.c - reading cache documents; see document.h.
 *
 * They come from whoever may push to the registry: every index is checked once here, and neither
 * layers nor records lead back to themselves, so that nobody behind has to look. */
#include "engine/remotecache/document.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/codec/json.h"
#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/remotecache/internal.h"

struct digest record_digest(const struct digest *d, int64_t output)
{
    char text[DIGEST_TEXT_MAX + 24];
    int len = snprintf(text, sizeof text, "%s@%" PRId64, digest_text(d).s, output);
    return digest_of(span_bytes(text, (size_t)len));
}

void cache_document_clear(struct cache_document *d)
{
    arena_free(d->arena);
    *d = (struct cache_document){ 0 };
}

/* ---- fields ---- */

static int read_digest(const struct json *o, const char *key, struct digest *out, struct err *err)
{
    const char *text = json_get_str(o, key);
    if (!text)
        return err_set(err, ERR_INVALID, "field %s: is missing or no string", key);
    return digest_parse(span_of(text), out, err) ? err_wrap(err, "field %s", key) : 0;
}

/* An index below `limit`; -1 too when `may_be_none`.  Absent is 0, which Go leaves out. */
static int read_index(const struct json *v, size_t limit, bool may_be_none, int32_t *out,
                      struct err *err)
{
    int64_t n = v ? json_int(v) : 0;
    if ((v && json_type(v) != JSON_INTEGER) || n < (may_be_none ? -1 : 0) || n >= (int64_t)limit)
        return err_set(err, ERR_INVALID, "an index that leads nowhere");
    *out = (int32_t)n;
    return 0;
}

static int read_time(const struct json *o, struct timespec *out, struct err *err)
{
    const char *text = json_get_str(o, "createdAt");
    *out = (struct timespec){ 0 };
    return text && time_parse(text, out, err) ? err_wrap(err, "field createdAt") : 0;
}

/* An array or nothing. */
static int read_array(const struct json *o, const char *key, size_t limit, const struct json **out,
                      size_t *n, struct err *err)
{
    *out = json_get(o, key);
    *n = json_len(*out);
    if (json_type(*out) != JSON_ARRAY && json_type(*out) != JSON_NULL)
        return err_set(err, ERR_INVALID, "field %s: is no array", key);
    if (*n > limit)
        return err_set(err, ERR_LIMIT, "field %s: has %zu entries, more than %zu", key, *n, limit);
    return 0;
}

/* ---- layers ---- */

/* Every chain of parents ends, within LIMIT_LAYERS.  depth 0: not known yet. */
static int check_parents(const struct cache_document *d, struct err *err)
{
    AUTO_FREE uint32_t *depth = xcalloc(d->n_layers + 1, sizeof *depth);
    for (size_t i = 0; i < d->n_layers; i++) {
        uint32_t n = 0, below = 0;
        int32_t at;
        for (at = (int32_t)i; at >= 0 && !depth[at] && n <= LIMIT_LAYERS; n++)
            at = d->layers[at].parent;
        below = at >= 0 ? depth[at] : 0;
        if (n + below > LIMIT_LAYERS)
            return err_set(err, ERR_INVALID,
                           "layer %zu: its parents lead back to it, or are more than %d", i,
                           LIMIT_LAYERS);
        for (at = (int32_t)i; n > 0; n--) {
            depth[at] = n + below;
            at = d->layers[at].parent;
        }
    }
    return 0;
}

static int read_layers(const struct json *o, struct cache_document *d, struct err *err)
{
    const struct json *array;
    if (read_array(o, "layers", LIMIT_CACHE_LAYERS, &array, &d->n_layers, err))
        return -1;
    d->layers = arena_alloc(d->arena, sizeof *d->layers * (d->n_layers + 1));
    for (size_t i = 0; i < d->n_layers; i++) {
        const struct json *v = json_at(array, i);
        if (read_digest(v, "blob", &d->layers[i].blob, err) ||
            read_index(json_get(v, "parent"), d->n_layers, true, &d->layers[i].parent, err))
            return err_wrap(err, "layers[%zu]", i);
    }
    return check_parents(d, err);
}

/* ---- records ---- */

static int read_links(const struct json *array, struct cache_document *d, struct cache_links *out,
                      struct err *err)
{
    if (json_type(array) != JSON_ARRAY && json_type(array) != JSON_NULL)
        return err_set(err, ERR_INVALID, "an input that is no array");
    size_t n = json_len(array);
    out->items = arena_alloc(d->arena, sizeof *out->items * (n + 1));
    for (size_t i = 0; i < n; i++) {
        const struct json *v = json_at(array, i);
        const char *selector = json_get_str(v, "selector");
        struct cache_link *l = &out->items[out->n];
        struct err ignored = { 0 };
        int32_t record = 0;
        if (read_index(json_get(v, "link"), d->n_records, false, &record, err))
            return -1;
        l->record = (uint32_t)record;
        /* A selector that is no digest selects nothing that is known here. */
        if (!selector || !*selector || digest_parse(span_of(selector), &l->selector, &ignored) == 0)
            out->n++;
    }
    return 0;
}

static int read_inputs(const struct json *v, struct cache_document *d, struct cache_record *r,
                       struct err *err)
{
    const struct json *array;
    if (read_array(v, "inputs", LIMIT_CACHE_INPUTS, &array, &r->n_inputs, err))
        return -1;
    r->inputs = arena_alloc(d->arena, sizeof *r->inputs * (r->n_inputs + 1));
    for (size_t i = 0; i < r->n_inputs; i++)
        if (read_links(json_at(array, i), d, &r->inputs[i], err))
            return err_wrap(err, "inputs[%zu]", i);
    return 0;
}

static int read_chain(const struct json *v, struct cache_document *d, struct cache_result *out,
                      struct err *err)
{
    const struct json *array;
    if (read_array(v, "layers", LIMIT_LAYERS, &array, &out->n_chain, err))
        return -1;
    uint32_t *chain = arena_alloc(d->arena, sizeof *chain * (out->n_chain + 1));
    for (size_t i = 0; i < out->n_chain; i++) {
        int32_t layer = 0;
        if (read_index(json_at(array, i), d->n_layers, false, &layer, err))
            return -1;
        chain[i] = (uint32_t)layer;
    }
    out->layer = -1;
    out->chain = chain;
    return read_time(v, &out->created, err);
}

static int read_results(const struct json *v, struct cache_document *d, struct cache_record *r,
                        struct err *err)
{
    const struct json *layers, *chains;
    size_t n_layers = 0, n_chains = 0;
    if (read_array(v, "layers", LIMIT_CACHE_LAYERS, &layers, &n_layers, err) ||
        read_array(v, "chains", LIMIT_CACHE_LAYERS, &chains, &n_chains, err))
        return -1;
    r->results = arena_alloc(d->arena, sizeof *r->results * (n_layers + n_chains + 1));
    for (size_t i = 0; i < n_layers; i++) {
        struct cache_result *result = &r->results[r->n_results++];
        const struct json *one = json_at(layers, i);
        if (read_index(json_get(one, "layer"), d->n_layers, false, &result->layer, err) ||
            read_time(one, &result->created, err))
            return err_wrap(err, "layers[%zu]", i);
    }
    for (size_t i = 0; i < n_chains; i++)
        if (read_chain(json_at(chains, i), d, &r->results[r->n_results++], err))
            return err_wrap(err, "chains[%zu]", i);
    return 0;
}

/* Takes records away whose inputs are all taken, until none is left: what stays leads to itself. */
static int check_links(const struct cache_document *d, struct err *err)
{
    AUTO_FREE size_t *n_waiting = xcalloc(d->n_records + 1, sizeof *n_waiting);
    AUTO_FREE size_t *first_user = xcalloc(d->n_records + 2, sizeof *first_user);
    AUTO_FREE uint32_t *ready = xcalloc(d->n_records + 1, sizeof *ready);
    size_t n_links = 0, n_ready = 0, n_done = 0;
    for (size_t i = 0; i < d->n_records; i++)
        for (size_t k = 0; k < d->records[i].n_inputs; k++)
            for (size_t l = 0; l < d->records[i].inputs[k].n; l++) {
                first_user[d->records[i].inputs[k].items[l].record + 1]++;
                n_waiting[i]++;
                n_links++;
            }
    AUTO_FREE uint32_t *users = xcalloc(n_links + 1, sizeof *users);
    AUTO_FREE size_t *at = xcalloc(d->n_records + 1, sizeof *at);
    for (size_t i = 0; i < d->n_records; i++) {
        first_user[i + 1] += first_user[i];
        at[i] = first_user[i];
        if (!n_waiting[i])
            ready[n_ready++] = (uint32_t)i;
    }
    for (size_t i = 0; i < d->n_records; i++)
        for (size_t k = 0; k < d->records[i].n_inputs; k++)
            for (size_t l = 0; l < d->records[i].inputs[k].n; l++)
                users[at[d->records[i].inputs[k].items[l].record]++] = (uint32_t)i;
    while (n_done < n_ready) {
        uint32_t r = ready[n_done++];
        for (size_t i = first_user[r]; i < first_user[r + 1]; i++)
            if (--n_waiting[users[i]] == 0)
                ready[n_ready++] = users[i];
    }
    return n_done == d->n_records ? 0 : err_set(err, ERR_INVALID, "records that need themselves");
}

static int read_records(const struct json *array, struct cache_document *d, struct err *err)
{
    if (json_type(array) != JSON_ARRAY && json_type(array) != JSON_NULL)
        return err_set(err, ERR_INVALID, "records are no array");
    d->n_records = json_len(array);
    if (d->n_records > LIMIT_CACHE_RECORDS)
        return err_set(err, ERR_LIMIT, "%zu records, more than %d", d->n_records,
                       LIMIT_CACHE_RECORDS);
    d->records = arena_alloc(d->arena, sizeof *d->records * (d->n_records + 1));
    for (size_t i = 0; i < d->n_records; i++) {
        struct cache_record *r = &d->records[i];
        const struct json *v = json_at(array, i);
        if (read_digest(v, "digest", &r->digest, err) || read_inputs(v, d, r, err) ||
            read_results(v, d, r, err))
            return err_wrap(err, "records[%zu]", i);
    }
    return check_links(d, err);
}

/* ---- documents ---- */

static int parse_json(struct span text, struct json **out, struct err *err)
{
    if (text.len > LIMIT_JSON)
        return err_set(err, ERR_LIMIT, "is larger than %zu bytes", LIMIT_JSON);
    return json_parse(text, out, err);
}

static int read_document(struct span text, struct cache_document *d, struct err *err)
{
    AUTO(json_free) struct json *o = NULL;
    if (parse_json(text, &o, err))
        return -1;
    if (json_type(o) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "is no JSON object");
    return read_layers(o, d, err) || read_records(json_get(o, "records"), d, err) ? -1 : 0;
}

int cache_document_parse(struct span text, struct cache_document *out, struct err *err)
{
    *out = (struct cache_document){ .arena = arena_new() };
    if (read_document(text, out, err) == 0)
        return 0;
    cache_document_clear(out);
    return err_wrap(err, "parse cache records");
}

int cache_document_parse_records(struct span text, const struct digest *layers, size_t n_layers,
                                 struct cache_document *out, struct err *err)
{
    AUTO(json_free) struct json *records = NULL;
    *out = (struct cache_document){ .arena = arena_new(), .n_layers = n_layers };
    out->layers = arena_alloc(out->arena, sizeof *out->layers * (n_layers + 1));
    for (size_t i = 0; i < n_layers; i++)
        out->layers[i] = (struct cache_layer){ .blob = layers[i], .parent = (int32_t)i - 1 };
    if (n_layers <= LIMIT_LAYERS && parse_json(text, &records, err) == 0 &&
        read_records(records, out, err) == 0)
        return 0;
    cache_document_clear(out);
    if (!err->kind)
        err_set(err, ERR_LIMIT, "%zu layers, more than %d", n_layers, LIMIT_LAYERS);
    return err_wrap(err, "parse cache records");
}

bool cache_result_layers(const struct cache_document *d, const struct cache_result *r,
                         uint32_t *chain, size_t *n)
{
    *n = 0;
    if (r->layer < 0) {
        for (size_t i = 0; i < r->n_chain; i++)
            chain[(*n)++] = r->chain[i];
        return true;
    }
    size_t depth = 0;
    for (int32_t at = r->layer; at >= 0; at = d->layers[at].parent)
        if (++depth > LIMIT_LAYERS)
            return false;
    *n = depth;
    for (int32_t at = r->layer; at >= 0; at = d->layers[at].parent)
        chain[--depth] = (uint32_t)at;
    return true;
}
