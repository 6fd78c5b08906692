#include "base/core/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>

#include "base/core/mem.h"
#include "child.h"

/* ---- order, limits, errors ---- */

struct trace {
    atomic_int n_run, n_now, n_most;
    char order[64];
};

struct step {
    struct trace *trace;
    int number;
    enum err_kind fails; /* ERR_NONE: succeeds */
};

static int note(void *arg, struct err *err)
{
    struct step *s = arg;
    int now = atomic_fetch_add(&s->trace->n_now, 1) + 1;
    int most = atomic_load(&s->trace->n_most);
    while (now > most && !atomic_compare_exchange_weak(&s->trace->n_most, &most, now)) {
    }
    int at = atomic_fetch_add(&s->trace->n_run, 1);
    if (at < 63)
        s->trace->order[at] = (char)('a' + s->number);
    for (int i = 0; i < 3; i++)
        sched_yield();
    atomic_fetch_sub(&s->trace->n_now, 1);
    return s->fails ? err_set(err, s->fails, "step %d", s->number) : 0;
}

TEST("one thread runs tasks in the order given")
{
    struct err err = { 0 };
    struct trace trace = { 0 };
    struct step steps[20];
    AUTO(pool_free) struct pool *p = pool_new(1);
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 0);
    for (int i = 0; i < 20; i++) {
        steps[i] = (struct step){ .trace = &trace, .number = i };
        task_group_add(g, note, &steps[i]);
    }
    EXPECT_OK(task_group_wait(g, &err), &err);
    EXPECT_STR(trace.order, "abcdefghijklmnopqrst");
    EXPECT_INT(trace.n_most, 1);
    EXPECT_INT(err.kind, ERR_NONE);
}

TEST("no more threads work than the pool has, nor more of a group than its limit")
{
    struct err err = { 0 };
    struct trace all = { 0 }, few = { 0 };
    struct step wide[200], narrow[200];
    AUTO(pool_free) struct pool *p = pool_new(4);
    EXPECT_INT(pool_threads(p), 4);
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 0);
    AUTO(task_group_free) struct task_group *limited = task_group_new(p, 2);
    for (int i = 0; i < 200; i++) {
        wide[i] = (struct step){ .trace = &all, .number = i % 26 };
        narrow[i] = (struct step){ .trace = &few, .number = i % 26 };
        task_group_add(limited, note, &narrow[i]);
        task_group_add(g, note, &wide[i]);
    }
    EXPECT_OK(task_group_wait(limited, &err), &err);
    EXPECT_OK(task_group_wait(g, &err), &err);
    EXPECT_INT(all.n_run, 200);
    EXPECT_INT(few.n_run, 200);
    EXPECT(all.n_most <= 4);
    EXPECT(few.n_most <= 2);
}

TEST("the first error is kept, what is queued behind it is dropped, and so is what comes later")
{
    struct err err = { 0 };
    struct trace trace = { 0 };
    struct step steps[8];
    AUTO(pool_free) struct pool *p = pool_new(1);
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 1);
    AUTO(task_group_free) struct task_group *other = task_group_new(p, 0);
    for (int i = 0; i < 8; i++)
        steps[i] = (struct step){ .trace = &trace, .number = i };
    steps[2].fails = ERR_CORRUPT;
    steps[3].fails = ERR_DENIED;
    for (int i = 0; i < 6; i++)
        task_group_add(g, note, &steps[i]);
    EXPECT_ERR(task_group_wait(g, &err), &err, ERR_CORRUPT);
    EXPECT_STR(err.text, "step 2");
    task_group_add(g, note, &steps[6]);
    EXPECT_ERR(task_group_wait(g, &err), &err, ERR_CORRUPT);
    EXPECT_STR(trace.order, "abc");
    task_group_add(other, note, &steps[7]); /* another group is not touched */
    EXPECT_OK(task_group_wait(other, &err), &err);
    EXPECT_STR(trace.order, "abch");
}

TEST("many failing tasks on many threads leave one error and nothing behind")
{
    AUTO(pool_free) struct pool *p = pool_new(4);
    for (int round = 0; round < 50; round++) {
        struct err err = { 0 };
        struct trace trace = { 0 };
        struct step steps[40];
        AUTO(task_group_free) struct task_group *g = task_group_new(p, (size_t)(round % 4));
        for (int i = 0; i < 40; i++) {
            steps[i] = (struct step){ .trace = &trace, .fails = i % 3 == 2 ? ERR_LIMIT : ERR_NONE };
            task_group_add(g, note, &steps[i]);
        }
        EXPECT_ERR(task_group_wait(g, &err), &err, ERR_LIMIT);
        EXPECT_INT(trace.n_now, 0);
    }
}

/* ---- nesting ---- */

struct tree {
    struct pool *pool;
    int depth;
    size_t limit;
    atomic_int *n_leaves;
};

static int grow(void *arg, struct err *err)
{
    struct tree *t = arg;
    if (t->depth == 0) {
        atomic_fetch_add(t->n_leaves, 1);
        return 0;
    }
    struct tree below = *t;
    below.depth--;
    AUTO(task_group_free) struct task_group *g = task_group_new(t->pool, t->limit);
    for (int i = 0; i < 3; i++)
        task_group_add(g, grow, &below);
    return task_group_wait(g, err);
}

TEST("tasks that wait for tasks of their own end, however few the threads")
{
    for (size_t n_threads = 1; n_threads <= 3; n_threads++)
        for (size_t limit = 0; limit <= 2; limit++) {
            struct err err = { 0 };
            atomic_int n_leaves = 0;
            AUTO(pool_free) struct pool *p = pool_new(n_threads);
            struct tree top = { .pool = p, .depth = 6, .limit = limit, .n_leaves = &n_leaves };
            AUTO(task_group_free) struct task_group *g = task_group_new(p, 0);
            task_group_add(g, grow, &top);
            EXPECT_OK(task_group_wait(g, &err), &err);
            EXPECT_INT(n_leaves, 729);
        }
}

struct family {
    struct task_group *group;
    atomic_int *n_run;
    atomic_int n_ended_below; /* of the tasks that this one added */
    struct family *parent;
    int depth;
};

/* Adds two of its kind to its own group and waits for them; they lie on this stack. */
static int breed(void *arg, struct err *err)
{
    struct family *f = arg;
    atomic_fetch_add(f->n_run, 1);
    struct family below[2];
    int result = 0;
    if (f->depth > 0) {
        for (int i = 0; i < 2; i++) {
            below[i] = (struct family){
                .group = f->group, .n_run = f->n_run, .parent = f, .depth = f->depth - 1
            };
            task_group_add(f->group, breed, &below[i]);
        }
        result = task_group_wait(f->group, err);
        if (atomic_load(&f->n_ended_below) != 2)
            result = err_set(err, ERR_INVALID, "went on before its subtasks had ended");
    }
    if (f->parent)
        atomic_fetch_add(&f->parent->n_ended_below, 1);
    return result;
}

TEST("a task may add to its own group, and waits then for what it added")
{
    for (size_t n_threads = 1; n_threads <= 3; n_threads++)
        for (size_t limit = 0; limit <= 2; limit++) {
            struct err err = { 0 };
            atomic_int n_run = 0;
            AUTO(pool_free) struct pool *p = pool_new(n_threads);
            AUTO(task_group_free) struct task_group *g = task_group_new(p, limit);
            struct family first[3];
            for (int i = 0; i < 3; i++) {
                first[i] = (struct family){ .group = g, .n_run = &n_run, .depth = 4 };
                task_group_add(g, breed, &first[i]);
            }
            EXPECT_OK(task_group_wait(g, &err), &err);
            EXPECT_INT(n_run, 93);
        }
}

static int abandon(void *arg, struct err *err)
{
    struct family *f = arg;
    (void)err;
    atomic_fetch_add(f->n_run, 1);
    if (atomic_fetch_sub(&f->n_ended_below, 1) > 0)
        task_group_add(f->group, abandon, f);
    return 0;
}

TEST("a task may end before the tasks that it added")
{
    struct err err = { 0 };
    atomic_int n_run = 0;
    AUTO(pool_free) struct pool *p = pool_new(2);
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 1);
    struct family chain = { .group = g, .n_run = &n_run, .n_ended_below = 100 };
    task_group_add(g, abandon, &chain);
    EXPECT_OK(task_group_wait(g, &err), &err);
    EXPECT_INT(n_run, 101);
}

static int fail_below(void *arg, struct err *err)
{
    struct pool *p = arg;
    struct trace trace = { 0 };
    struct step bad = { .trace = &trace, .number = 7, .fails = ERR_NETWORK };
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 0);
    task_group_add(g, note, &bad);
    return task_group_wait(g, err) < 0 ? err_wrap(err, "pull") : 0;
}

TEST("an error below comes up with its prefixes")
{
    struct err err = { 0 };
    AUTO(pool_free) struct pool *p = pool_new(2);
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 0);
    task_group_add(g, fail_below, p);
    EXPECT_ERR(task_group_wait(g, &err), &err, ERR_NETWORK);
    EXPECT_STR(err.text, "pull: step 7");
}

/* ---- ends ---- */

TEST("a pool and a group without work end at once")
{
    struct err err = { 0 };
    pool_free(NULL);
    task_group_free(NULL);
    AUTO(pool_free) struct pool *p = pool_new(0);
    EXPECT(pool_threads(p) >= 1);
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 0);
    EXPECT_OK(task_group_wait(g, &err), &err);
    EXPECT_OK(task_group_wait(g, &err), &err);
}

TEST("freeing a group waits for its tasks")
{
    struct trace trace = { 0 };
    struct step steps[50];
    AUTO(pool_free) struct pool *p = pool_new(3);
    struct task_group *g = task_group_new(p, 0);
    for (int i = 0; i < 50; i++) {
        steps[i] = (struct step){ .trace = &trace, .number = i % 26 };
        task_group_add(g, note, &steps[i]);
    }
    task_group_free(g);
    EXPECT_INT(trace.n_run, 50);
}

static void without_threads(void)
{
    struct err err = { 0 };
    struct trace trace = { 0 };
    struct step steps[3];
    struct thread *t = NULL;
    refuse(SCMP_SYS(clone), EAGAIN);
    refuse(SCMP_SYS(clone3), EAGAIN);
    AUTO(pool_free) struct pool *p = pool_new(4);
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 2);
    for (int i = 0; i < 3; i++) {
        steps[i] = (struct step){ .trace = &trace, .number = i };
        task_group_add(g, note, &steps[i]);
    }
    EXPECT_OK(task_group_wait(g, &err), &err);
    EXPECT_STR(trace.order, "abc");
    EXPECT_ERR(thread_start(&t, "never", NULL, NULL, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "start thread never: resource temporarily unavailable");
}

TEST("where no thread can be started, whoever waits does the work")
{
    in_child(without_threads);
}

/* How many threads a pool has under a cgroup whose cpu.max says `text`. */
static size_t threads_under(const char *text)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        return 0;
    AUTO(pool_free) struct pool *p = pool_new(0);
    return pool_threads(p);
}

static void under_quotas(void)
{
    cpu_set_t set;
    EXPECT_INT(sched_getaffinity(0, sizeof set, &set), 0);
    size_t all = (size_t)CPU_COUNT(&set), two = all < 2 ? all : 2;
    REQUIRE(unshare(CLONE_NEWNS) == 0);
    REQUIRE(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    REQUIRE(mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) == 0);
    EXPECT_INT(threads_under("max 100000\n"), all);
    EXPECT_INT(threads_under("50000 100000\n"), 1);
    EXPECT_INT(threads_under("100001 100000\n"), two);
    EXPECT_INT(threads_under("99999999 100000\n"), all);
    EXPECT_INT(threads_under("0 100000\n"), all);
    EXPECT_INT(threads_under("100000 0\n"), all);
    EXPECT_INT(threads_under(""), all);
}

TEST("a pool has a thread for each processor, but no more than the cgroup's quota is worth")
{
    if (geteuid() != 0 || access("/sys/fs/cgroup", F_OK) < 0)
        SKIP("needs root");
    pid_t probe = fork();
    if (probe == 0)
        _exit(unshare(CLONE_NEWNS) < 0);
    int status = 1;
    if (waitpid(probe, &status, 0) != probe || status != 0)
        SKIP("needs a mount namespace");
    in_child(under_quotas);
}

static int look_at_signals(void *arg, struct err *err)
{
    (void)err;
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    *(bool *)arg =
        sigismember(&set, SIGINT) && sigismember(&set, SIGTERM) && sigismember(&set, SIGPIPE);
    return 0;
}

TEST("workers leave signals to the thread that was there before")
{
    struct err err = { 0 };
    bool all_blocked = false;
    AUTO(pool_free) struct pool *p = pool_new(1);
    AUTO(task_group_free) struct task_group *g = task_group_new(p, 0);
    task_group_add(g, look_at_signals, &all_blocked);
    EXPECT_OK(task_group_wait(g, &err), &err);
    EXPECT(all_blocked);
    sigset_t mine;
    pthread_sigmask(SIG_BLOCK, NULL, &mine);
    EXPECT(!sigismember(&mine, SIGTERM));
}

static void tell_name(void *arg)
{
    pthread_getname_np(pthread_self(), arg, 16);
}

TEST("a thread of its own has a name, cut to what the kernel keeps")
{
    struct err err = { 0 };
    char name[16] = "";
    struct thread *t = NULL;
    REQUIRE_OK(thread_start(&t, "registry-accept-loop", tell_name, name, &err), &err);
    thread_join(t);
    EXPECT_STR(name, "registry-accept");
    thread_join(NULL);
}

TAP_MAIN()
