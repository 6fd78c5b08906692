/* base/core/pool.c - one lock, one queue of ready tasks, and groups that hold back what is over
 * their limit.
 *
 * A task that may start stands in two lists: the pool's (where idle threads look) and its group's
 * (where a task that waits for the group looks).  A task over its group's limit stands in the
 * group's backlog until another of the group ends.  So every step is O(1), and whoever waits for a
 * group finds either a task to run, or tasks that run elsewhere and will end.
 *
 * Threads: `lock` guards everything in pool and groups; no task runs while it is held. */
#include "base/core/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "base/core/mem.h"
#include "base/core/span.h"
#include "base/core/vec.h"

struct task {
    TAILQ_ENTRY(task) in_pool;  /* when ready */
    TAILQ_ENTRY(task) in_group; /* when ready or in the backlog */
    struct task_group *group;   /* borrowed */
    struct task *parent;        /* the task of the same group that added it, or NULL */
    size_t n_below;             /* unfinished tasks that it added, and that those added */
    bool has_ended;             /* kept for its children's sake only */
    task_fn fn;
    void *arg; /* borrowed */
};
TAILQ_HEAD(task_list, task);

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a task is ready, or the pool ends */
    struct task_list ready;
    vec(pthread_t) threads; /* started so far */
    size_t n_threads;       /* at most */
    size_t n_idle;
    size_t n_ready;
    size_t n_unfinished; /* ready, in a backlog or running */
    bool is_ending;
};

struct task_group {
    struct pool *pool;      /* borrowed; its lock guards what follows */
    pthread_cond_t changed; /* a task became ready or ended */
    struct task_list ready; /* may start */
    struct task_list backlog;
    size_t limit;
    size_t n_active;     /* ready or running, without those that wait for their subtasks */
    size_t n_unfinished; /* all that were added and have not ended */
    bool has_failed;
    struct err first; /* valid when has_failed */
};

/* What this thread is doing: the innermost task it runs, and for which pool it works.  It belongs
 * to the thread as its stack does. */
static _Thread_local struct {
    const struct pool *pool;
    struct task *task;
} here;

/* The processors that the cgroup's quota is worth, rounded up; `otherwise` when there is none. */
static size_t cgroup_processors(size_t otherwise)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!file)
        return otherwise;
    char line[64] = "";
    uint64_t quota, period;
    struct span rest = span_of(fgets(line, sizeof line, file));
    fclose(file);
    rest = span_trim(rest);
    struct span first = span_cut(&rest, ' ');
    if (!span_u64(first, UINT32_MAX, &quota) || !span_u64(rest, UINT32_MAX, &period) || !period)
        return otherwise; /* "max 100000" */
    uint64_t n = (quota + period - 1) / period;
    return n > 0 && n < otherwise ? (size_t)n : otherwise;
}

static size_t usable_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return cgroup_processors(n > 0 ? (size_t)n : 1);
}

struct pool *pool_new(size_t n_threads)
{
    struct pool *p = xcalloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    TAILQ_INIT(&p->ready);
    p->n_threads = n_threads ? n_threads : usable_processors();
    return p;
}

size_t pool_threads(const struct pool *p)
{
    return p->n_threads;
}

/* ---- with the lock held ---- */

static void *run_worker(void *arg);

/* Starts fn in a thread that leaves signals to the others.  Returns an errno. */
static int start_thread(pthread_t *out, void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int code = pthread_create(out, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return code;
}

static void wake_a_worker(struct pool *p)
{
    if (p->n_ready > p->n_idle && p->threads.n < p->n_threads) {
        pthread_t thread;
        /* Without another thread the work is done by those there are, or by who waits for it. */
        if (start_thread(&thread, run_worker, p) == 0)
            *vec_push(&p->threads) = thread;
    }
    pthread_cond_signal(&p->work);
}

static void make_ready(struct task *t)
{
    struct task_group *g = t->group;
    g->n_active++;
    TAILQ_INSERT_TAIL(&g->ready, t, in_group);
    TAILQ_INSERT_TAIL(&g->pool->ready, t, in_pool);
    g->pool->n_ready++;
    wake_a_worker(g->pool);
    pthread_cond_broadcast(&g->changed);
}

/* Lets tasks out of the backlog as the limit permits. */
static void promote(struct task_group *g)
{
    struct task *t;
    while ((t = TAILQ_FIRST(&g->backlog)) && (!g->limit || g->n_active < g->limit)) {
        TAILQ_REMOVE(&g->backlog, t, in_group);
        make_ready(t);
    }
}

/* A task has ended or was dropped.  It stays in memory while tasks that it added do not. */
static void count_out(struct task *t)
{
    struct task_group *g = t->group;
    t->has_ended = true;
    for (struct task *up = t->parent; up; up = up->parent)
        up->n_below--;
    while (t && t->has_ended && t->n_below == 0) {
        struct task *parent = t->parent;
        free(t);
        t = parent;
    }
    g->n_unfinished--;
    if (--g->pool->n_unfinished == 0 && g->pool->is_ending)
        pthread_cond_broadcast(&g->pool->work);
    pthread_cond_broadcast(&g->changed);
}

static void take_ready(struct task_group *g, struct task *t)
{
    assert(t->group == g);
    TAILQ_REMOVE(&g->ready, t, in_group);
    TAILQ_REMOVE(&g->pool->ready, t, in_pool);
    g->pool->n_ready--;
}

static void drop_queued(struct task_group *g)
{
    struct task *t;
    while ((t = TAILQ_FIRST(&g->backlog))) {
        TAILQ_REMOVE(&g->backlog, t, in_group);
        count_out(t);
    }
    while ((t = TAILQ_FIRST(&g->ready))) {
        /* The analyzer does not see that TAILQ_REMOVE moves the head, here and below. */
        take_ready(g, t); /* NOLINT(clang-analyzer-unix.Malloc) */
        g->n_active--;
        count_out(t);
    }
}

/* Runs a ready task; the lock is let go meanwhile. */
static void run_task(struct task_group *g, struct task *t)
{
    struct pool *p = g->pool;
    take_ready(g, t);
    pthread_mutex_unlock(&p->lock);

    __typeof__(here) before = here;
    here.pool = p;
    here.task = t;
    struct err err = { 0 };
    int result = t->fn(t->arg, &err);
    here = before;

    pthread_mutex_lock(&p->lock);
    if (result != 0 && !g->has_failed) {
        g->has_failed = true;
        g->first = err;
        drop_queued(g);
    }
    g->n_active--;
    promote(g);
    count_out(t); /* last: whoever waits may free the group once the lock is let go */
}

/* ---- workers ---- */

static void *run_worker(void *arg)
{
    struct pool *p = arg;
    here.pool = p;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct task *t = TAILQ_FIRST(&p->ready);
        if (t) {
            run_task(t->group, t);
        } else if (p->is_ending && p->n_unfinished == 0) {
            break;
        } else {
            p->n_idle++;
            pthread_cond_wait(&p->work, &p->lock);
            p->n_idle--;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    int saved = errno;
    pthread_mutex_lock(&p->lock);
    p->is_ending = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    vec_each (&p->threads, thread)
        pthread_join(*thread, NULL);
    vec_clear(&p->threads);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
    errno = saved;
}

/* ---- groups ---- */

struct task_group *task_group_new(struct pool *p, size_t limit)
{
    struct task_group *g = xcalloc(1, sizeof *g);
    g->pool = p;
    g->limit = limit;
    pthread_cond_init(&g->changed, NULL);
    TAILQ_INIT(&g->ready);
    TAILQ_INIT(&g->backlog);
    return g;
}

/* The task of this group that this thread runs, or NULL. */
static struct task *own_task(const struct task_group *g)
{
    return here.task && here.task->group == g ? here.task : NULL;
}

void task_group_add(struct task_group *g, task_fn fn, void *arg)
{
    struct task *t = xcalloc(1, sizeof *t);
    *t = (struct task){ .group = g, .fn = fn, .arg = arg };
    pthread_mutex_lock(&g->pool->lock);
    if (g->has_failed) {
        free(t);
    } else {
        g->n_unfinished++;
        g->pool->n_unfinished++;
        t->parent = own_task(g);
        for (struct task *up = t->parent; up; up = up->parent)
            up->n_below++;
        TAILQ_INSERT_TAIL(&g->backlog, t, in_group);
        promote(g);
    }
    pthread_mutex_unlock(&g->pool->lock);
}

/* A task of the group waits for those that it added, anybody else for all.  A worker makes itself
 * useful meanwhile; so does whoever waits when no thread could be started at all.
 *
 * No circle can arise: a task waits for tasks that started after it, be it those it added or the
 * one that its thread runs meanwhile. */
static void wait_locked(struct task_group *g)
{
    struct pool *p = g->pool;
    const struct task *self = own_task(g);
    if (self) { /* it waits, so another may be active in its place */
        g->n_active--;
        promote(g);
        pthread_cond_broadcast(&g->changed);
    }
    for (;;) {
        bool is_done = self ? self->n_below == 0 : g->n_unfinished == 0;
        if (is_done && (!self || !g->limit || g->n_active < g->limit))
            break;
        struct task *t = TAILQ_FIRST(&g->ready);
        if (t && (here.pool == p || p->threads.n == 0))
            run_task(g, t); /* NOLINT(clang-analyzer-unix.Malloc) */
        else
            pthread_cond_wait(&g->changed, &p->lock);
    }
    if (self)
        g->n_active++;
}

int task_group_wait(struct task_group *g, struct err *err)
{
    pthread_mutex_lock(&g->pool->lock);
    wait_locked(g);
    bool has_failed = g->has_failed;
    if (has_failed)
        *err = g->first;
    pthread_mutex_unlock(&g->pool->lock);
    return has_failed ? -1 : 0;
}

void task_group_free(struct task_group *g)
{
    if (!g)
        return;
    int saved = errno;
    assert(!own_task(g));
    pthread_mutex_lock(&g->pool->lock);
    wait_locked(g);
    pthread_mutex_unlock(&g->pool->lock);
    pthread_cond_destroy(&g->changed);
    free(g);
    errno = saved;
}

/* ---- a thread of its own ---- */

struct thread {
    pthread_t id;
    void (*fn)(void *arg);
    void *arg; /* borrowed */
    char name[16];
};

static void *run_thread(void *arg)
{
    struct thread *t = arg;
    pthread_setname_np(pthread_self(), t->name);
    t->fn(t->arg);
    return NULL;
}

int thread_start(struct thread **out, const char *name, void (*fn)(void *arg), void *arg,
                 struct err *err)
{
    AUTO_FREE struct thread *t = xcalloc(1, sizeof *t);
    t->fn = fn;
    t->arg = arg;
    snprintf(t->name, sizeof t->name, "%.15s", name);
    int code = start_thread(&t->id, run_thread, t);
    if (code != 0) {
        errno = code;
        return err_sys(err, "start thread %s", name);
    }
    *out = STEAL(t);
    return 0;
}

void thread_join(struct thread *t)
{
    if (!t)
        return;
    int saved = errno;
    pthread_join(t->id, NULL);
    free(t);
    errno = saved;
}
