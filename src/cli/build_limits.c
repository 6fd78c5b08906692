/* cli/build_limits.c - limits of RUN steps, as docker build reads them.
 *
 * Spec: docker build "--memory" and those beside it, docker run "--ulimit". */
#include <string.h>
#include <strings.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "cli/build_flags.h"

/* "512m", "1.5g" is none: digits and a unit, powers of 1024. */
static int read_bytes(const char *flag, const char *text, uint64_t *out, struct err *err)
{
    static const char units[] = "bkmgt";
    size_t n = strspn(text, "0123456789");
    const char *unit = text + n, *found = *unit ? strchr("bkmgtBKMGT", *unit) : units;
    uint64_t factor = 1, number = 0;
    for (const char *u = units; found && *unit && strncasecmp(u, unit, 1) != 0; u++)
        factor *= KIB;
    if (found && *unit)
        unit++;
    if (factor > 1 && strcasecmp(unit, "ib") == 0)
        unit += 2;
    else if (factor > 1 && strcasecmp(unit, "b") == 0)
        unit++;
    if (!found || *unit || !span_u64(span_first(span_of(text), n), INT64_MAX / factor, &number))
        return err_set(err, ERR_INVALID, "--%s %s: no size such as 512m or 2g", flag, text);
    *out = number * factor;
    return 0;
}

static int read_number(const char *flag, const char *text, uint64_t *out, struct err *err)
{
    return !text || span_u64(span_of(text), INT64_MAX, out)
               ? 0
               : err_set(err, ERR_INVALID, "--%s %s: no number", flag, text);
}

static int take_memory(const struct build_flags *f, struct step_resources *r, struct err *err)
{
    enum { LEAST = 6 * 1024 * 1024 }; /* as docker: less starts no program */
    uint64_t swap = 0;
    if (f->memory && read_bytes("memory", f->memory, &r->memory, err))
        return -1;
    if (f->memory && r->memory < LEAST)
        return err_set(err, ERR_INVALID, "--memory %s: the least is 6m", f->memory);
    if (!f->memory_swap)
        return 0;
    if (!f->memory)
        return err_set(err, ERR_INVALID, "--memory-swap: needs --memory, which it is counted with");
    if (strcmp(f->memory_swap, "-1") == 0) {
        r->memory_swap = -1;
        return 0;
    }
    if (read_bytes("memory-swap", f->memory_swap, &swap, err))
        return -1;
    if (swap < r->memory)
        return err_set(err, ERR_INVALID,
                       "--memory-swap %s: less than --memory %s, which it "
                       "contains",
                       f->memory_swap, f->memory);
    r->memory_swap = (int64_t)swap;
    return 0;
}

/* "0-3,7" */
static int check_list(const char *flag, const char *text, struct err *err)
{
    return !text || (*text && strspn(text, "0123456789,-") == strlen(text))
               ? 0
               : err_set(err, ERR_INVALID, "--%s %s: a list such as 0-3,7 is expected", flag, text);
}

static int take_cpu(const struct build_flags *f, struct step_resources *r, struct err *err)
{
    uint64_t quota = 0;
    if (read_number("cpu-shares", f->cpu_shares, &r->cpu_shares, err) ||
        read_number("cpu-period", f->cpu_period, &r->cpu_period_us, err) ||
        read_number("cpu-quota", f->cpu_quota, &quota, err) ||
        check_list("cpuset-cpus", f->cpuset_cpus, err) ||
        check_list("cpuset-mems", f->cpuset_mems, err))
        return -1;
    if (r->cpu_period_us && (r->cpu_period_us < 1000 || r->cpu_period_us > 1000000))
        return err_set(err, ERR_INVALID, "--cpu-period %s: 1000 to 1000000 is expected",
                       f->cpu_period);
    if (quota && quota < 1000)
        return err_set(err, ERR_INVALID, "--cpu-quota %s: the least is 1000", f->cpu_quota);
    r->cpu_quota_us = (int64_t)quota;
    r->cpuset_cpus = f->cpuset_cpus;
    r->cpuset_mems = f->cpuset_mems;
    return 0;
}

static bool is_limit(const char *name)
{
    static const char *const names[] = { "core",    "cpu",      "data",   "fsize",      "locks",
                                         "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                         "rss",     "rtprio",   "rttime", "sigpending", "stack" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool read_limit(struct span text, int64_t *out)
{
    uint64_t n = 0;
    if (span_is(text, "-1") || span_is(text, "unlimited")) {
        *out = -1;
        return true;
    }
    bool is_number = span_u64(text, INT64_MAX, &n);
    *out = (int64_t)n;
    return is_number;
}

static int take_ulimit(struct build_call *c, const char *text, struct err *err)
{
    struct span hard = span_of(text), name = span_cut(&hard, '='), soft = span_cut(&hard, ':');
    struct exec_ulimit u = { .name = build_call_keep(c, name) };
    if (!is_limit(u.name))
        return err_set(err, ERR_INVALID, "--ulimit %s: invalid ulimit type: %s", text, u.name);
    if (!read_limit(soft, &u.soft) || (hard.ptr && !read_limit(hard, &u.hard)))
        return err_set(err, ERR_INVALID, "--ulimit %s: NAME=SOFT[:HARD] is expected", text);
    if (!hard.ptr)
        u.hard = u.soft;
    if (u.hard >= 0 && (u.soft < 0 || u.soft > u.hard))
        return err_set(err, ERR_INVALID,
                       "--ulimit %s: ulimit soft limit must be less than or equal to hard limit",
                       text);
    *vec_push(&c->ulimits) = u;
    return 0;
}

int build_take_limits(const struct build_flags *f, struct build_call *c, struct err *err)
{
    struct build_request *q = &c->request;
    uint64_t shm = 0;
    if (take_memory(f, &q->resources, err) || take_cpu(f, &q->resources, err) ||
        (f->shm_size && read_bytes("shm-size", f->shm_size, &shm, err)))
        return -1;
    vec_each (&f->ulimit, text)
        if (take_ulimit(c, *text, err))
            return -1;
    q->shm_size = (int64_t)shm;
    q->cgroup_parent = f->cgroup_parent;
    q->ulimits = c->ulimits.items;
    q->n_ulimits = c->ulimits.n;
    return 0;
}
