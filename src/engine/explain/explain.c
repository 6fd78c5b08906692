/* engine/explain/explain.c - see explain.h.
 *
 * Table explain_step: one row for each place, instruction and position in it; the row of a step
 * that runs again replaces the one before. */
#include "engine/explain/explain.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/explain/facts.h"
#include "image/store/db.h"

enum { DAYS_KEPT = 30 };
/* Of the list of files that one vertex reads: a build must not grow with its context. */
#define FILES_MAX ((size_t)(8 * MIB))

/* What is known of a vertex in this build. */
struct seen {
    const struct vertex *vertex;
    bool is_found, is_done, has_too_many_files;
    enum solve_how how;
    struct digest content;
    struct map facts; /* strings */
    struct buf files; /* "PATH" NUL, 32 bytes of a digest: only made facts of when it runs */
};

struct explain {
    struct store *store;
    const char *place;
    pthread_mutex_t lock; /* guards all below */
    struct map by_digest; /* of the vertex -> struct seen, owned */
    struct seen *last;    /* of explain_read() */
    bool has_news;        /* something ran to its end */
};

static void seen_free(void *p)
{
    struct seen *s = p;
    map_clear(&s->facts);
    buf_clear(&s->files);
    free(s);
}

struct explain *explain_new(struct store *st, const char *place)
{
    struct explain *e = xcalloc(1, sizeof *e);
    *e = (struct explain){ .store = st, .place = place, .by_digest = { .free_value = seen_free } };
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

void explain_free(struct explain *e)
{
    if (!e)
        return;
    map_clear(&e->by_digest);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

void explanations_clear(struct explanations *l)
{
    vec_each (l, one) {
        free(one->step);
        free(one->why);
    }
    vec_clear(l);
}

/* ---- while the build runs ---- */

static struct seen *seen_of(struct explain *e, const struct vertex *v)
{
    struct digest_text key = digest_text(&v->digest);
    struct seen *s = map_find(&e->by_digest, key.s);
    if (!s) {
        s = xcalloc(1, sizeof *s);
        *s = (struct seen){ .vertex = v, .facts = STR_MAP };
        buf_init(&s->files, FILES_MAX);
        map_set(&e->by_digest, key.s, s);
    }
    return s;
}

void explain_read(void *explain, const struct vertex *v, size_t input, const char *path,
                  const struct digest *d)
{
    struct explain *e = explain;
    size_t len = strlen(path) + 1;
    (void)input;
    pthread_mutex_lock(&e->lock);
    struct seen *s = e->last && e->last->vertex == v ? e->last : seen_of(e, v);
    e->last = s;
    s->has_too_many_files |= buf_room(&s->files) < len + 32;
    if (!s->has_too_many_files) {
        buf_put(&s->files, span_bytes(path, len));
        buf_put(&s->files, span_bytes(d->bytes, 32));
    }
    pthread_mutex_unlock(&e->lock);
}

static void add_files(const struct seen *s, struct map *facts)
{
    struct span rest = buf_span(&s->files);
    while (!s->has_too_many_files && rest.len > 32) {
        const char *path = rest.ptr;
        char hex[65] = "";
        rest = span_skip(rest, strlen(path) + 1);
        hex_print(span_first(rest, 32), hex);
        rest = span_skip(rest, 32);
        facts_add(facts, FACT_FILE, path, hex);
    }
}

/* What earlier steps gave: where the vertex says what it reads of one, that, else all of it. */
static void add_inputs(struct explain *e, const struct solver_record *r, struct map *facts)
{
    for (size_t i = 0; i < r->vertex->n_inputs; i++) {
        const struct vertex *input = r->vertex->inputs[i].vertex;
        const struct seen *s = seen_of(e, input);
        bool is_read = digest_is_set(&r->input_content[i]);
        const struct digest *d = is_read ? &r->input_content[i] : &s->content;
        if (input->type == OP_SOURCE && !is_read) {
            facts_of_source(input, facts);
            continue;
        }
        char name[24];
        snprintf(name, sizeof name, "%zu", i);
        if (digest_is_set(d))
            facts_add(facts, FACT_STEP, name, digest_text(d).s);
    }
}

void explain_found(void *explain, const struct solver_record *r, enum solve_how how)
{
    struct explain *e = explain;
    pthread_mutex_lock(&e->lock);
    struct seen *s = seen_of(e, r->vertex);
    s->is_found = true;
    s->how = how;
    s->content = r->content;
    if (how == SOLVE_BY_RUNNING && r->vertex->type != OP_SOURCE) {
        facts_of_vertex(r->vertex, &s->facts);
        add_files(s, &s->facts);
        add_inputs(e, r, &s->facts);
    }
    buf_clear(&s->files);
    pthread_mutex_unlock(&e->lock);
}

void explain_done(void *explain, const struct vertex *v)
{
    struct explain *e = explain;
    pthread_mutex_lock(&e->lock);
    struct seen *s = seen_of(e, v);
    s->is_done = true;
    e->has_news |= s->is_found && s->how == SOLVE_BY_RUNNING && v->type != OP_SOURCE;
    pthread_mutex_unlock(&e->lock);
}

/* ---- kept ---- */

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS explain_step (place TEXT NOT NULL, text TEXT NOT NULL,"
    " position TEXT NOT NULL, made_at_ns INTEGER NOT NULL, facts BLOB NOT NULL,"
    " PRIMARY KEY (place, text, position)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS explain_step_text ON explain_step (text);";

/* "[build 2/5] RUN make" is at "build 2" and says "RUN make". */
struct label {
    char *whole, *position, *text;
};

static void label_clear(struct label *l)
{
    free(l->whole);
    free(l->position);
    free(l->text);
}

static struct label label_of(const struct vertex *v)
{
    struct buf name;
    buf_init(&name, LIMIT_GRAPH_BYTES);
    vertex_print_name(v, &name);
    buf_putc(&name, '\0');
    struct label l = { .whole = buf_take(&name) };
    const char *end = l.whole[0] == '[' ? strstr(l.whole, "] ") : NULL;
    const char *slash = end ? memchr(l.whole, '/', (size_t)(end - l.whole)) : NULL;
    while (slash && memchr(slash + 1, '/', (size_t)(end - slash - 1)))
        slash = memchr(slash + 1, '/', (size_t)(end - slash - 1));
    l.position = slash ? xstrndup(l.whole + 1, (size_t)(slash - l.whole - 1)) : xstrdup("");
    /* As written, not as expanded: a changed argument is the same instruction. */
    const char *written = pairs_find(&v->description, "com.docker.dockerfile.v1.command");
    l.text = xstrdup(written ? written : end ? end + 2 : l.whole);
    return l;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int keep(struct explain *e, const struct seen *s, const struct label *l, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf facts = { 0 };
    struct query *q = NULL;
    buf_init(&facts, LIMIT_GRAPH_BYTES);
    if (facts_write(&s->facts, &facts, err) ||
        query_open(store_db(e->store),
                   "INSERT OR REPLACE INTO explain_step (place, text, position, made_at_ns, facts)"
                   " VALUES (?1, ?2, ?3, ?4, ?5)",
                   &q, err))
        return -1;
    query_text(q, 1, e->place);
    query_text(q, 2, l->text);
    query_text(q, 3, l->position);
    query_int(q, 4, now_ns());
    query_blob(q, 5, buf_span(&facts));
    return query_run(q, err);
}

static int drop_old(struct explain *e, struct err *err)
{
    struct query *q = NULL;
    if (query_open(store_db(e->store), "DELETE FROM explain_step WHERE made_at_ns < ?1", &q, err))
        return -1;
    query_int(q, 1, now_ns() - (int64_t)DAYS_KEPT * 24 * 3600 * 1000000000);
    return query_run(q, err);
}

/* The nearest earlier one. */
static int find_before(struct explain *e, const struct label *l, struct map *out, bool *is_there,
                       struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(
            store_db(e->store),
            "SELECT facts FROM explain_step WHERE (text = ?2) OR (place = ?1 AND position = ?3)"
            " ORDER BY (place = ?1) * 4 + (text = ?2) * 2 + (position = ?3) DESC,"
            " made_at_ns DESC LIMIT 1",
            &q, err))
        return -1;
    query_text(q, 1, e->place);
    query_text(q, 2, l->text);
    query_text(q, 3, l->position);
    if (query_step(q, is_there, err))
        return -1;
    return *is_there ? facts_read(query_get_blob(q, 0), out, err) : 0;
}

/* ---- told ---- */

static int find_reason(struct explain *e, const struct seen *s, const struct label *l, char **out,
                       struct err *err)
{
    AUTO_VALUE(map_clear) struct map before = STR_MAP;
    bool is_there = false;
    if (s->vertex->ignores_cache) {
        *out = xstrdup("asked for (--no-cache)");
        return 0;
    }
    if (find_before(e, l, &before, &is_there, err))
        return -1;
    *out = is_there ? facts_difference(&s->facts, &before, s->vertex)
                    : xstrdup("not built here before");
    if (!*out)
        *out = xstrdup("nothing differs, but its result is no longer in the store");
    return 0;
}

static bool has_run(const struct seen *s)
{
    return s && s->is_found && s->how == SOLVE_BY_RUNNING;
}

static int explain_one(struct explain *e, const struct vertex *v, bool is_covered,
                       struct explanations *out, struct err *err)
{
    const struct seen *s = map_find(&e->by_digest, digest_text(&v->digest).s);
    AUTO_VALUE(label_clear) struct label l = label_of(v);
    bool is_found = s && s->is_found;
    AUTO_FREE char *why = NULL;
    if (has_run(s) && find_reason(e, s, &l, &why, err))
        return -1;
    *vec_push(out) = (struct explanation){ .step = xstrdup(l.whole),
                                           .line = v->n_ranges ? v->ranges[0].start_line : 0,
                                           .is_reached = is_found || is_covered,
                                           .how = is_found ? s->how : SOLVE_BY_DEFINITION,
                                           .why = STEAL(why) };
    return 0;
}

/* What nobody wanted stands behind something found; after a failure there are others too. */
static bool *find_covered(struct explain *e, const struct graph *g)
{
    bool *covered = xcalloc(g->n_vertices + 1, sizeof *covered);
    for (size_t i = g->n_vertices; i-- > 0;) {
        const struct vertex *v = g->vertices[i];
        const struct seen *s = map_find(&e->by_digest, digest_text(&v->digest).s);
        bool covers = covered[i] || (s && s->is_found && s->how != SOLVE_BY_RUNNING);
        for (size_t k = 0; covers && k < v->n_inputs; k++)
            covered[v->inputs[k].vertex->position] = true;
    }
    return covered;
}

static int explain_all(struct explain *e, const struct graph *g, struct explanations *out,
                       struct err *err)
{
    AUTO_FREE bool *covered = find_covered(e, g);
    for (size_t i = 0; i < g->n_vertices; i++)
        if (g->vertices[i]->type != OP_SOURCE &&
            explain_one(e, g->vertices[i], covered[i], out, err))
            return -1;
    return 0;
}

static int keep_all(struct explain *e, const struct graph *g, struct err *err)
{
    if (drop_old(e, err))
        return -1;
    for (size_t i = 0; i < g->n_vertices; i++) {
        const struct seen *s = map_find(&e->by_digest, digest_text(&g->vertices[i]->digest).s);
        if (!has_run(s) || !s->is_done || g->vertices[i]->type == OP_SOURCE)
            continue;
        AUTO_VALUE(label_clear) struct label l = label_of(g->vertices[i]);
        if (keep(e, s, &l, err))
            return -1;
    }
    return 0;
}

int explain_finish(struct explain *e, const struct graph *g, struct explanations *out,
                   struct err *err)
{
    struct db *db = store_db(e->store);
    if (!out && !e->has_news)
        return 0;
    if (db_apply(db, schema, err) || db_begin(db, err))
        return -1;
    int status = out ? explain_all(e, g, out, err) : 0;
    if (status == 0 && e->has_news)
        status = keep_all(e, g, err);
    return db_end(db, status == 0, err) || status ? -1 : 0;
}
