/* engine/sandbox/plan.c - a plan as bytes, from kiln to the launcher and its children.
 *
 * Both ends are the same program image, so numbers travel as they lie in memory.  Text is its
 * length plus one as 8 bytes (0 for NULL), then its bytes with the NUL; a list is its length, then
 * its items; a descriptor is its number in the message's list.  One function visits all fields and
 * serves both directions, so that they cannot disagree. */
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/sandbox/internal.h"

struct wire {
    struct buf *out; /* writing: where to; NULL when reading */
    struct span in;  /* reading: what is left */
    struct arena *arena;
    int *fds;
    size_t n_fds;
    bool is_broken;
};

static void raw(struct wire *w, void *p, size_t size)
{
    if (w->is_broken)
        return;
    if (w->out) {
        struct err err = { 0 };
        w->is_broken = buf_append(w->out, span_bytes(p, size), &err) < 0;
    } else if (w->in.len < size) {
        w->is_broken = true;
    } else {
        memcpy(p, w->in.ptr, size);
        w->in = span_skip(w->in, size);
    }
}
#define FIELD(w, field) raw((w), &(field), sizeof(field))

static void bytes(struct wire *w, struct span *s)
{
    FIELD(w, s->len);
    if (w->out) {
        struct err err = { 0 };
        w->is_broken = w->is_broken || buf_append(w->out, *s, &err) < 0;
    } else if (w->is_broken || s->len > w->in.len) {
        w->is_broken = true;
        *s = (struct span){ 0 };
    } else {
        *s = span_bytes(arena_strndup(w->arena, w->in.ptr ? w->in.ptr : "", s->len), s->len);
        w->in = span_skip(w->in, s->len);
    }
}

static void text(struct wire *w, const char **s)
{
    bool is_there = *s != NULL;
    struct span value = span_of(*s);
    FIELD(w, is_there);
    bytes(w, &value);
    if (!w->out)
        *s = is_there ? value.ptr : NULL;
}

/* The items to visit: ours when writing, new ones when reading. */
static void *list(struct wire *w, const void *items, size_t *n, size_t size)
{
    FIELD(w, *n);
    if (w->out)
        return (void *)(uintptr_t)items;
    if (w->is_broken || *n > w->in.len) { /* an item has at least one byte */
        w->is_broken = true;
        *n = 0;
    }
    return arena_alloc(w->arena, size_mul(*n + 1, size));
}

static void texts(struct wire *w, const char *const **items, size_t *n)
{
    const char **all = list(w, *items, n, sizeof **items);
    for (size_t i = 0; i < *n; i++)
        text(w, &all[i]);
    *items = all;
}

static void descriptor(struct wire *w, int *fd)
{
    int number = -1;
    if (w->out && *fd >= 0) {
        if (w->n_fds < STEP_MAX_FDS) {
            number = (int)w->n_fds;
            w->fds[w->n_fds++] = *fd;
        } else {
            w->is_broken = true;
        }
    }
    FIELD(w, number);
    if (w->out)
        return;
    bool is_known = number >= 0 && (size_t)number < w->n_fds;
    w->is_broken = w->is_broken || (number >= 0 && !is_known);
    *fd = is_known ? w->fds[number] : -1;
}

static void visit_mounts(struct wire *w, struct step_plan *p)
{
    struct step_mount *mounts = list(w, p->mounts, &p->n_mounts, sizeof *mounts);
    for (size_t i = 0; i < p->n_mounts; i++) {
        struct step_mount m = w->out ? mounts[i] : (struct step_mount){ .source_fd = -1 };
        FIELD(w, m.type);
        text(w, &m.dest);
        FIELD(w, m.is_readonly);
        if (m.type == STEP_BIND)
            descriptor(w, &m.source_fd);
        FIELD(w, m.is_device);
        FIELD(w, m.size);
        FIELD(w, m.mode);
        bytes(w, &m.content);
        FIELD(w, m.uid);
        FIELD(w, m.gid);
        if (!w->out)
            mounts[i] = m;
    }
    p->mounts = mounts;
}

static void visit_limits(struct wire *w, struct step_plan *p)
{
    struct step_ulimit *ulimits = list(w, p->ulimits, &p->n_ulimits, sizeof *ulimits);
    for (size_t i = 0; i < p->n_ulimits; i++) {
        struct step_ulimit u = w->out ? ulimits[i] : (struct step_ulimit){ 0 };
        text(w, &u.name);
        FIELD(w, u.soft);
        FIELD(w, u.hard);
        if (!w->out)
            ulimits[i] = u;
    }
    p->ulimits = ulimits;
    struct step_resources *r = &p->resources;
    FIELD(w, r->memory);
    FIELD(w, r->memory_swap);
    FIELD(w, r->cpu_shares);
    FIELD(w, r->cpu_quota_us);
    FIELD(w, r->cpu_period_us);
    text(w, &r->cpuset_cpus);
    text(w, &r->cpuset_mems);
    FIELD(w, r->pids_max);
    text(w, &r->cgroup_parent);
}

static void visit(struct wire *w, struct step_plan *p)
{
    descriptor(w, &p->root_fd);
    FIELD(w, p->is_root_readonly);
    texts(w, &p->args, &p->n_args);
    texts(w, &p->env, &p->n_env);
    text(w, &p->cwd);
    FIELD(w, p->uid);
    FIELD(w, p->gid);
    gid_t *groups = list(w, p->groups, &p->n_groups, sizeof *groups);
    for (size_t i = 0; i < p->n_groups; i++)
        FIELD(w, groups[i]);
    p->groups = groups;
    text(w, &p->hostname);
    text(w, &p->architecture);
    visit_mounts(w, p);
    FIELD(w, p->network);
    FIELD(w, p->is_insecure);
    visit_limits(w, p);
    descriptor(w, &p->stdin_fd);
    descriptor(w, &p->stdout_fd);
    descriptor(w, &p->stderr_fd);
    FIELD(w, p->has_terminal);
    FIELD(w, p->rows);
    FIELD(w, p->columns);
}

int plan_encode(const struct step_plan *plan, struct buf *out, int fds[STEP_MAX_FDS], size_t *n_fds,
                struct err *err)
{
    struct step_plan copy = *plan;
    struct wire w = { .out = out, .fds = fds, .n_fds = *n_fds };
    visit(&w, &copy);
    *n_fds = w.n_fds;
    return w.is_broken ? err_set(err, ERR_LIMIT,
                                 "the step's arguments, environment and files are larger than "
                                 "%zu MiB together",
                                 LIMIT_STEP_PLAN >> 20)
                       : 0;
}

int plan_decode(struct span in, const int *fds, size_t n_fds, struct arena *arena,
                struct step_plan *out, struct err *err)
{
    int copy[STEP_MAX_FDS];
    if (n_fds > STEP_MAX_FDS)
        return err_set(err, ERR_LIMIT, "read the step's plan: %zu descriptors", n_fds);
    memcpy(copy, fds, n_fds * sizeof *fds);
    struct wire w = { .in = in, .arena = arena, .fds = copy, .n_fds = n_fds };
    step_plan_init(out);
    visit(&w, out);
    return w.is_broken || w.in.len > 0 ? err_set(err, ERR_INVALID, "read the step's plan: broken")
                                       : 0;
}

void step_plan_init(struct step_plan *p)
{
    *p = (struct step_plan){
        .root_fd = -1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .signals_fd = -1
    };
}

/* True for `folder` itself and what is below it. */
static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static int mount_check(const struct step_mount *m, struct err *err)
{
    if (!m->dest || m->dest[0] != '/' || m->dest[strspn(m->dest, "/")] == '\0')
        return err_set(err, ERR_INVALID, "mount on %s: not an absolute path below /",
                       m->dest ? m->dest : "(nothing)");
    if (strlen(m->dest) >= LIMIT_PATH)
        return err_set(err, ERR_LIMIT, "mount on %.100s...: longer than %d bytes", m->dest,
                       LIMIT_PATH);
    if (is_below(m->dest, "/proc"))
        return err_set(err, ERR_INVALID, "mount on %s: nothing may be mounted in /proc", m->dest);
    if (m->type == STEP_FILE && m->content.len > LIMIT_STEP_FILE)
        return err_set(err, ERR_LIMIT, "mount on %s: the file is larger than %zu bytes", m->dest,
                       LIMIT_STEP_FILE);
    return 0;
}

int plan_check(const struct step_plan *plan, struct err *err)
{
    if (plan->n_args == 0 || !plan->args[0] || !plan->args[0][0])
        return err_set(err, ERR_INVALID, "the step names no program");
    if (plan->cwd && plan->cwd[0] != '/')
        return err_set(err, ERR_INVALID, "working directory %s: not an absolute path", plan->cwd);
    if (plan->n_mounts > LIMIT_STEP_MOUNTS)
        return err_set(err, ERR_LIMIT, "the step has %zu mounts, at most %d are possible",
                       plan->n_mounts, LIMIT_STEP_MOUNTS);
    if (plan->n_hosts > LIMIT_STEP_HOSTS) /* /etc/hosts has a ceiling */
        return err_set(err, ERR_LIMIT, "the step has %zu hosts, at most %d are possible",
                       plan->n_hosts, LIMIT_STEP_HOSTS);
    if (plan->hostname && strlen(plan->hostname) > 64)
        return err_set(err, ERR_INVALID, "host name %s: longer than 64 bytes", plan->hostname);
    if (plan->n_services > LIMIT_STEP_SERVICES)
        return err_set(err, ERR_LIMIT, "the step has %zu services, at most %d are possible",
                       plan->n_services, LIMIT_STEP_SERVICES);
    for (size_t i = 0; i < plan->n_mounts; i++) {
        if (mount_check(&plan->mounts[i], err) < 0)
            return -1;
    }
    return 0;
}
