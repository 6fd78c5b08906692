/* base/core/pool.h - the worker pool: the only source of threads.
 *
 * Tasks are run in the order given, by up to n_threads threads.  A task that waits for a group runs
 * other tasks of that group meanwhile, so nesting cannot dead-lock.
 *
 * Threads: locked inside. */
#pragma once
#include <stddef.h>

#include "base/core/cancel.h"
#include "base/core/err.h"

struct pool;
struct task_group;

typedef int (*task_fn)(void *arg, struct err *err);

/* n_threads 0: one for each processor this process may use. */
struct pool *pool_new(size_t n_threads);
void pool_free(struct pool *p); /* waits for what is queued */
DEFINE_AUTO(struct pool, pool_free)
size_t pool_threads(const struct pool *p);

/* Tasks that are waited for together.  The first error is kept, later tasks of the group still queued
 * are dropped once one failed.  At most `limit` of the group run at once; 0: no limit of its own. */
struct task_group *task_group_new(struct pool *p, size_t limit);
void task_group_free(struct task_group *g); /* waits */
DEFINE_AUTO(struct task_group, task_group_free)
void task_group_add(struct task_group *g, task_fn fn, void *arg); /* arg is borrowed until the task ended */
/* Waits for all.  Returns -1 with the first error. */
NODISCARD int task_group_wait(struct task_group *g, struct err *err);

/* One long-lived thread of its own, for what blocks by nature (a server's accept loop, a pipe stage). */
struct thread;
NODISCARD int thread_start(struct thread **out, const char *name, void (*fn)(void *arg), void *arg,
                           struct err *err);
void thread_join(struct thread *t); /* waits and frees; NULL is fine */
