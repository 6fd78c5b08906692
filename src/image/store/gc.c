/* image/store/gc.c - see gc.h.
 *
 * Leaves are taken in rounds: all objects that nothing needs and no name reaches, oldest first,
 * until what stays fits; taking a leaf makes new leaves for the next round.  Each round is one
 * transaction that forgets the objects and moves their files to trash/, which is emptied outside of
 * it. */
#include "image/store/gc.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/core/mem.h"
#include "image/store/internal.h"

/* Objects of one round; more wait for the next, so that no transaction is long. */
#define ROUND_MAX "1000"

struct leaf {
    char *id;
    uint64_t size;
};
struct leaves {
    struct leaf *items;
    size_t n, cap;
};

static void leaves_clear(struct leaves *l)
{
    vec_each (l, leaf)
        free(leaf->id);
    vec_clear(l);
}

int store_usage(struct store *st, const char *prefix, uint64_t *n_objects, uint64_t *size,
                struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(st->db,
                   "SELECT count(*), coalesce(sum(size), 0) FROM object"
                   " WHERE substr(id, 1, length(?1)) = ?1",
                   &q, err))
        return -1;
    query_text(q, 1, prefix ? prefix : "");
    bool has_row = false;
    if (query_step(q, &has_row, err))
        return -1;
    *n_objects = has_row ? (uint64_t)query_get_int(q, 0) : 0;
    *size = has_row ? (uint64_t)query_get_int(q, 1) : 0;
    return 0;
}

static int find_leaves(struct store *st, int64_t before_s, struct leaves *out, struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(st->db,
                   "WITH RECURSIVE kept (id) AS (SELECT digest FROM name UNION"
                   " SELECT need.needs FROM need JOIN kept ON need.id = kept.id UNION"
                   " SELECT referrer.digest FROM referrer JOIN kept ON referrer.subject = kept.id)"
                   " SELECT id, size FROM object WHERE used_at < ?1 AND id NOT IN kept"
                   " AND NOT EXISTS (SELECT 1 FROM need JOIN object o ON o.id = need.id"
                   "                 WHERE need.needs = object.id)"
                   " ORDER BY used_at, id LIMIT " ROUND_MAX,
                   &q, err))
        return -1;
    query_int(q, 1, before_s);
    for (bool has_row = true;;) {
        if (query_step(q, &has_row, err))
            return -1;
        if (!has_row)
            return 0;
        *vec_push(out) = (struct leaf){ .id = xstrdup(query_get_text(q, 0)),
                                        .size = (uint64_t)query_get_int(q, 1) };
    }
}

/* One collection at work. */
struct collection {
    struct store *store;
    const struct gc_options *options;
    uint64_t too_much; /* bytes to take */
    struct gc_result *taken;
};

/* Only what was not used since may go.  Asked inside of each round's transaction: who takes a lease
 * and then marks a use (a write too) is either seen here, or finds the object gone. */
static int64_t cutoff(struct store *st, const struct gc_options *o, struct err *err)
{
    int64_t oldest = 0, now = now_s();
    if (lease_oldest(st, &oldest, err))
        return -1;
    if (oldest > now + 1)
        oldest = now + 1;
    if (o->unused_for_s && now - (int64_t)o->unused_for_s < oldest)
        return now - (int64_t)o->unused_for_s;
    return oldest;
}

static int take_inside(struct collection *c, struct err *err)
{
    AUTO_VALUE(leaves_clear) struct leaves leaves = { 0 };
    int64_t before_s = cutoff(c->store, c->options, err);
    if (before_s < 0 || find_leaves(c->store, before_s, &leaves, err))
        return -1;
    vec_each (&leaves, leaf) {
        if (c->taken->size >= c->too_much)
            break;
        if (c->options->is_dry ? object_forget(c->store, leaf->id, err)
                               : object_hide(c->store, leaf->id, err))
            return -1;
        c->taken->n_objects++;
        c->taken->size += leaf->size;
    }
    return 0;
}

static int take_round(struct collection *c, struct err *err)
{
    if (db_begin(c->store->db, err))
        return -1;
    int status = take_inside(c, err);
    return db_end(c->store->db, status == 0, err) || status ? -1 : 0;
}

static int take_rounds(struct collection *c, struct err *err)
{
    while (c->taken->size < c->too_much) {
        uint64_t before = c->taken->n_objects;
        if (cancel_check(c->options->cancel, err) || take_round(c, err))
            return err_wrap(err, "make room in the store %s", c->store->path);
        if (c->taken->n_objects == before)
            break;
    }
    return 0;
}

/* A dry collection forgets everything in one transaction and takes that back. */
static int take_dry(struct collection *c, struct err *err)
{
    if (db_begin(c->store->db, err))
        return -1;
    int status = take_rounds(c, err);
    return db_end(c->store->db, false, err) || status ? -1 : 0;
}

int store_gc(struct store *st, const struct gc_options *o, struct gc_result *out, struct err *err)
{
    *out = (struct gc_result){ 0 };
    uint64_t n = 0, size = 0;
    if (store_usage(st, "", &n, &size, err))
        return -1;
    struct collection c = { .store = st, .options = o, .taken = out };
    c.too_much = o->keep == 0 ? UINT64_MAX : size > o->keep ? size - o->keep : 0;
    if (o->is_dry ? take_dry(&c, err) : take_rounds(&c, err))
        return -1;
    out->kept = size > out->size ? size - out->size : 0;
    if (!o->is_dry)
        trash_empty(st);
    return 0;
}

void store_unreserve(struct store *st, uint64_t bytes)
{
    if (st->options.ceiling == 0)
        return;
    pthread_mutex_lock(&st->lock);
    st->promised -= bytes < st->promised ? bytes : st->promised;
    pthread_mutex_unlock(&st->lock);
}

/* Promises when the room is there. */
static bool try_promise(struct store *st, uint64_t used, uint64_t bytes)
{
    uint64_t ceiling = st->options.ceiling;
    pthread_mutex_lock(&st->lock);
    uint64_t taken = used + st->promised;
    bool fits = bytes <= ceiling && taken <= ceiling - bytes;
    if (fits)
        st->promised += bytes;
    pthread_mutex_unlock(&st->lock);
    return fits;
}

int store_reserve(struct store *st, uint64_t bytes, struct err *err)
{
    uint64_t ceiling = st->options.ceiling, n = 0, size = 0;
    struct gc_result result = { 0 };
    if (ceiling == 0)
        return 0;
    if (store_usage(st, "", &n, &size, err))
        return -1;
    if (try_promise(st, size, bytes))
        return 0;
    pthread_mutex_lock(&st->lock);
    uint64_t wanted = bytes + st->promised;
    pthread_mutex_unlock(&st->lock);
    result.kept = size;
    if (wanted < ceiling &&
        store_gc(st, &(struct gc_options){ .keep = ceiling - wanted }, &result, err))
        return -1;
    if (try_promise(st, result.kept, bytes))
        return 0;
    err_set(err, ERR_LIMIT,
            "reserve %" PRIu64 " bytes in the store %s: its ceiling is %" PRIu64 ", and %" PRIu64
            " are named or in use",
            bytes, st->path, ceiling, result.kept);
    return err_hint(err, "remove images (kiln rm, kiln prune) or raise the ceiling");
}
