/* engine/ops/source_pins.c - what names that move stood for in this build: answers by vertex. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/map.h"
#include "base/core/mem.h"
#include "engine/ops/source.h"

struct source_pins {
    pthread_mutex_t lock; /* guards answers */
    struct map answers;   /* digest of a vertex to its answer; owned */
};

struct source_pins *source_pins_new(void)
{
    struct source_pins *p = xcalloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    p->answers.free_value = free;
    return p;
}

void source_pins_free(struct source_pins *p)
{
    if (!p)
        return;
    map_clear(&p->answers);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

bool pin_find(struct ops *ops, const struct vertex *v, void *answer, size_t size)
{
    struct source_pins *p = ops->o.pins;
    if (!p)
        return false;
    pthread_mutex_lock(&p->lock);
    const void *kept = map_find(&p->answers, digest_text(&v->digest).s);
    if (kept)
        memcpy(answer, kept, size);
    pthread_mutex_unlock(&p->lock);
    return kept;
}

void pin_keep(struct ops *ops, const struct vertex *v, const void *answer, size_t size)
{
    struct source_pins *p = ops->o.pins;
    if (!p)
        return;
    void *copy = xcalloc(1, size);
    memcpy(copy, answer, size);
    pthread_mutex_lock(&p->lock);
    map_set(&p->answers, digest_text(&v->digest).s, copy);
    pthread_mutex_unlock(&p->lock);
}
