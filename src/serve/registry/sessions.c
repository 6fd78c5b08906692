/* serve/registry/sessions.c - see sessions.h. */
#include "serve/registry/sessions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/codec/text.h"
#include "base/core/clock.h"
#include "base/core/map.h"
#include "base/core/mem.h"

struct sessions {
    pthread_mutex_t lock; /* guards all; sessions too, but the ingest of one that is claimed */
    struct map by_id;     /* borrowed values: freed by hand, outside of the lock */
    unsigned n_max;
    uint64_t idle_ms;
};

static void session_free(struct session *one)
{
    if (!one)
        return;
    ingest_close(one->ingest);
    free(one->repository);
    free(one);
}

struct sessions *sessions_new(unsigned n_max, int idle_ms)
{
    struct sessions *s = xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    s->n_max = n_max;
    s->idle_ms = (uint64_t)idle_ms;
    return s;
}

void sessions_free(struct sessions *s)
{
    if (!s)
        return;
    map_each (&s->by_id, e)
        session_free(e->value);
    map_clear(&s->by_id);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool is_idle(const struct sessions *s, const struct session *one, uint64_t now)
{
    return !one->is_claimed && now - one->touched_at_ms >= s->idle_ms;
}

/* Takes one idle session out, to be freed without the lock; NULL when there is none. */
static struct session *take_idle(struct sessions *s)
{
    uint64_t now = clock_monotonic_ms();
    struct session *found = NULL;
    pthread_mutex_lock(&s->lock);
    map_each (&s->by_id, e)
        if (is_idle(s, e->value, now)) {
            found = e->value;
            break;
        }
    if (found)
        map_remove(&s->by_id, found->id);
    pthread_mutex_unlock(&s->lock);
    return found;
}

void sessions_expire(struct sessions *s)
{
    for (struct session *one; (one = take_idle(s));)
        session_free(one);
}

int session_open(struct sessions *s, const char *repository, struct session **out, struct err *err)
{
    uint8_t random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return err_sys(err, "name an upload");
    sessions_expire(s);
    struct session *one = xcalloc(1, sizeof *one);
    hex_print(span_bytes(random, sizeof random), one->id);
    one->repository = xstrdup(repository);
    one->touched_at_ms = clock_monotonic_ms();
    one->is_claimed = true;
    pthread_mutex_lock(&s->lock);
    bool is_full = s->by_id.n >= s->n_max;
    if (!is_full)
        map_set(&s->by_id, one->id, one);
    pthread_mutex_unlock(&s->lock);
    if (is_full) {
        session_free(one);
        return err_set(err, ERR_LIMIT, "%u uploads are under way already: try again later",
                       s->n_max);
    }
    *out = one;
    return 0;
}

/* Under the lock. */
static struct session *find(struct sessions *s, const char *repository, const char *id)
{
    struct session *one = map_find(&s->by_id, id);
    return one && strcmp(one->repository, repository) == 0 && !is_idle(s, one, clock_monotonic_ms())
               ? one
               : NULL;
}

static int unknown(struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "no such upload in this repository: it has ended, was idle "
                   "too long, or the registry started anew");
}

int session_claim(struct sessions *s, const char *repository, const char *id, struct session **out,
                  struct err *err)
{
    pthread_mutex_lock(&s->lock);
    struct session *one = find(s, repository, id);
    bool is_taken = one && one->is_claimed;
    if (one && !is_taken)
        one->is_claimed = true;
    pthread_mutex_unlock(&s->lock);
    if (!one)
        return unknown(err);
    if (is_taken)
        return err_set(err, ERR_EXISTS, "another request is writing to this upload");
    *out = one;
    return 0;
}

void session_grew(struct sessions *s, struct session *one, uint64_t size)
{
    pthread_mutex_lock(&s->lock);
    one->size = size;
    one->touched_at_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&s->lock);
}

void session_release(struct sessions *s, struct session *one)
{
    pthread_mutex_lock(&s->lock);
    one->touched_at_ms = clock_monotonic_ms();
    one->is_claimed = false;
    pthread_mutex_unlock(&s->lock);
}

void session_drop(struct sessions *s, struct session *one)
{
    pthread_mutex_lock(&s->lock);
    map_remove(&s->by_id, one->id);
    pthread_mutex_unlock(&s->lock);
    session_free(one);
}

int session_look(struct sessions *s, const char *repository, const char *id, uint64_t *size,
                 struct err *err)
{
    pthread_mutex_lock(&s->lock);
    struct session *one = find(s, repository, id);
    if (one) {
        *size = one->size;
        one->touched_at_ms = clock_monotonic_ms();
    }
    pthread_mutex_unlock(&s->lock);
    return one ? 0 : unknown(err);
}
