/* base/net/http_body.c - a request's body from the connection's thread to the handler.
 *
 * Bounded: a handler that reads slowly stops the connection from reading, and TCP does the rest.
 * Each side copies outside the lock, since nobody else touches its part of the ring.
 *
 * Threads: one pushes, one reads; body_break() from any. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/net/server_internal.h"

enum { RING_SIZE = 512 * 1024 };

static int body_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    struct body_pipe *p = (struct body_pipe *)r;
    pthread_mutex_lock(&p->mutex);
    if (!p->is_wanted) {
        p->is_wanted = true;
        pthread_cond_broadcast(&p->changed);
    }
    while (!p->len && !p->is_whole && !p->is_broken)
        pthread_cond_wait(&p->changed, &p->mutex);
    size_t start = p->start, len = p->len;
    bool is_cut = !len && !p->is_whole;
    pthread_mutex_unlock(&p->mutex);
    if (is_cut)
        return err_set(err, ERR_NETWORK, "read request body: the connection ended after %llu bytes",
                       (unsigned long long)p->n_read);
    if (len > cap)
        len = cap;
    if (len > RING_SIZE - start)
        len = RING_SIZE - start;
    if (len)
        memcpy(to, p->ring + start, len);
    pthread_mutex_lock(&p->mutex);
    p->start = (start + len) % RING_SIZE;
    p->len -= len;
    p->n_read += len;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    *n = len;
    return 0;
}

static const struct reader_ops body_ops = { .read = body_read };

void body_init(struct body_pipe *p, bool is_empty)
{
    *p = (struct body_pipe){ .reader.ops = &body_ops, .is_whole = is_empty };
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
}

void body_clear(struct body_pipe *p)
{
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    free(p->ring);
}

/* Puts what fits, in one or two pieces; called by the only thread that adds. */
static size_t fill(struct body_pipe *p, size_t start, size_t len, struct span bytes)
{
    size_t n = 0;
    while (n < bytes.len && len + n < RING_SIZE) {
        size_t at = (start + len + n) % RING_SIZE;
        size_t room = at < start ? start - at : RING_SIZE - at;
        struct span piece = span_first(span_skip(bytes, n), room);
        memcpy(p->ring + at, piece.ptr, piece.len);
        n += piece.len;
    }
    return n;
}

size_t body_offer(struct body_pipe *p, struct span bytes)
{
    if (!p->ring)
        p->ring = xmalloc(RING_SIZE);
    pthread_mutex_lock(&p->mutex);
    size_t start = p->start, len = p->len;
    bool is_unread = p->is_done || p->is_broken;
    pthread_mutex_unlock(&p->mutex);
    if (is_unread)
        return bytes.len;
    size_t n = fill(p, start, len, bytes);
    pthread_mutex_lock(&p->mutex);
    p->len += n;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    return n;
}

void body_push(struct body_pipe *p, struct span bytes)
{
    for (;;) {
        bytes = span_skip(bytes, body_offer(p, bytes));
        if (!bytes.len)
            return;
        pthread_mutex_lock(&p->mutex);
        while (p->len == RING_SIZE && !p->is_done && !p->is_broken)
            pthread_cond_wait(&p->changed, &p->mutex);
        pthread_mutex_unlock(&p->mutex);
    }
}

void body_wait_wanted(struct body_pipe *p)
{
    pthread_mutex_lock(&p->mutex);
    while (!p->is_wanted && !p->is_done)
        pthread_cond_wait(&p->changed, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
}

static void raise_flag(struct body_pipe *p, bool *flag)
{
    pthread_mutex_lock(&p->mutex);
    *flag = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

void body_end(struct body_pipe *p)
{
    raise_flag(p, &p->is_whole);
}

void body_break(struct body_pipe *p)
{
    raise_flag(p, &p->is_broken);
}

void body_done(struct body_pipe *p)
{
    raise_flag(p, &p->is_done);
}

static bool look(struct body_pipe *p, const bool *flag)
{
    pthread_mutex_lock(&p->mutex);
    bool is_up = *flag;
    pthread_mutex_unlock(&p->mutex);
    return is_up;
}

bool body_is_wanted(struct body_pipe *p)
{
    return look(p, &p->is_wanted);
}

bool body_is_done(struct body_pipe *p)
{
    return look(p, &p->is_done);
}
