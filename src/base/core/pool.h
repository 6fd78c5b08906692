/* base/core/pool.h - the worker pool: the only source of threads.
 *
 * Tasks are run in the order given, by up to n_threads threads.  A task that waits for a group runs
 * other tasks of that group meanwhile, so nesting cannot dead-lock.  A task may even wait for the
 * group it belongs to: it then waits for the tasks that it added, and those that they added.
 *
 * Threads start when there is work for them, with all signals blocked: a handler runs in the thread
 * that was there before.  Threads: locked inside. */
#pragma once
#include <stddef.h>

#include "base/core/cancel.h"
#include "base/core/err.h"

struct pool;
struct task_group;

typedef int (*task_fn)(void *arg, struct err *err);

/* n_threads 0: one for each processor this process may use (affinity, cgroup quota). */
struct pool *pool_new(size_t n_threads);
void pool_free(struct pool *p); /* waits for what is queued; its groups are freed before */
DEFINE_AUTO(struct pool, pool_free)
size_t pool_threads(const struct pool *p);

/* Tasks that are waited for together.  The first error is kept for good; tasks of the group that
 * are queued or added after it are dropped.  At most `limit` of the group run at once; 0: no limit
 * of its own. */
struct task_group *task_group_new(struct pool *p, size_t limit);
void task_group_free(struct task_group *g); /* waits; not from a task of the group */
DEFINE_AUTO(struct task_group, task_group_free)
void task_group_add(struct task_group *g, task_fn fn,
                    void *arg); /* arg is borrowed until the task ended */
/* Waits for all.  Returns -1 with the first error. */
NODISCARD int task_group_wait(struct task_group *g, struct err *err);

/* One long-lived thread of its own, for what blocks by nature (a server's accept loop, a pipe
 * stage). */
struct thread;
NODISCARD int thread_start(struct thread **out, const char *name, void (*fn)(void *arg), void *arg,
                           struct err *err);
void thread_join(struct thread *t); /* waits and frees; NULL is fine */
