/* engine/ops/exec_op.c - RUN: a process in a root file system.
 *
 * Spec: BuildKit solver/llbsolver/ops/exec.go, executor; runc's HOME. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/ops/key.h"

/* ---- keys ---- */

/* Whether what the step sees of input i may stand for it: a mount that is not the root, and whose
 * result, if it has one, holds nothing that was not seen.  BuildKit lets the last mount of an input
 * decide; all must agree here. */
static bool is_by_content(const struct vertex *v, size_t i)
{
    bool found = false;
    for (size_t k = 0; k < v->exec.n_mounts; k++) {
        const struct op_mount *m = &v->exec.mounts[k];
        if (m->input != (int32_t)i)
            continue;
        const char *selector = m->selector ? m->selector : "";
        bool is_all = selector[strspn(selector, "/")] == '\0';
        if ((strcmp(m->dest, "/") == 0 && m->content_cache != CONTENT_CACHE_ON) ||
            (m->output >= 0 && !m->is_readonly && !is_all) || m->content_cache == CONTENT_CACHE_OFF)
            return false;
        found = true;
    }
    return found;
}

static int exec_key(void *arg, const struct vertex *v, struct arena *a, struct op_key *out,
                    const struct cancel *cancel, struct err *err)
{
    struct ops *ops = arg;
    (void)cancel;
    if (exec_check_grants(ops, &v->exec, err))
        return -1;
    atomic_store(&ops->has_steps, true);
    struct op_key_input *inputs = arena_alloc(a, sizeof *inputs * (v->n_inputs + 1));
    for (size_t i = 0; i < v->n_inputs; i++) {
        AUTO_VALUE(key_paths_clear) struct key_paths paths = { 0 };
        exec_input_paths(v, i, a, &paths);
        inputs[i].by_content = is_by_content(v, i);
        if (paths.n)
            inputs[i].selector = exec_selector(&paths);
        inputs[i].order = key_order(&paths);
    }
    *out = (struct op_key){ .digest = key_of_exec(v), .inputs = inputs };
    return 0;
}

static int exec_content(void *arg, const struct vertex *v, size_t i, struct result *r,
                        struct digest *out, const struct cancel *cancel, struct err *err)
{
    AUTO(arena_free) struct arena *a = arena_new();
    AUTO_VALUE(key_paths_clear) struct key_paths paths = { 0 };
    exec_input_paths(v, i, a, &paths);
    return key_content(arg, r, &paths, cancel, out, err);
}

/* ---- running ---- */

/* What a step prints goes to the display. */
struct step_log {
    const struct op_run *run;
    char id[DIGEST_TEXT_MAX];
};

static void take_output(void *arg, enum step_stream stream, struct span bytes)
{
    struct step_log *log = arg;
    progress_tell(log->run->progress, (struct progress_event){ .kind = PROGRESS_LOG,
                                                               .id = log->id,
                                                               .vertex = log->run->vertex,
                                                               .stream = stream,
                                                               .bytes = bytes });
}

/* The working directory is there before every step, its owner the step's user. */
static int make_cwd(int root_fd, const char *cwd, const struct account *who, struct err *err)
{
    struct new_folder folder = { .mode = 0755,
                                 .owner = { .is_set = true, .uid = who->uid, .gid = who->gid },
                                 .timestamp_ns = TIMESTAMP_NONE };
    return make_folders(root_fd, cwd, &folder, err);
}

static bool has_variable(const struct strings *env, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
            return true;
    return false;
}

static void add_proxy(struct str_list *env, const struct strings *own, const char *upper,
                      const char *lower, const char *value)
{
    if (!value || !*value)
        return;
    if (!has_variable(own, upper))
        str_list_take(env, xasprintf("%s=%s", upper, value));
    if (!has_variable(own, lower))
        str_list_take(env, xasprintf("%s=%s", lower, value));
}

static int add_secret_env(struct ops *ops, const struct op_exec *e, struct str_list *env,
                          struct err *err)
{
    for (size_t i = 0; i < e->n_secret_env; i++) {
        const struct exec_secret_env *s = &e->secret_env[i];
        AUTO_VALUE(buf_clear) struct buf value = { 0 };
        bool is_there = false;
        buf_init(&value, LIMIT_STEP_FILE);
        if (secret_read(ops, s->id, &value, &is_there, err))
            return -1;
        if (!is_there && !s->is_optional) {
            err_set(err, ERR_NOT_FOUND, "secret %s: not found", s->id);
            return err_hint(err, "give it with --secret id=%s,src=FILE", s->id);
        }
        if (is_there)
            str_list_take(env, xasprintf("%s=%.*s", s->name, SPAN_ARG(buf_span(&value))));
        if (value.data)
            explicit_bzero(value.data, value.len);
    }
    return 0;
}

static int make_env(struct ops *ops, const struct op_exec *e, const struct account *who,
                    struct str_list *env, struct err *err)
{
    for (size_t i = 0; i < e->env.n; i++)
        str_list_push(env, e->env.items[i]);
    if (!has_variable(&e->env, "HOME"))
        str_list_take(env, xasprintf("HOME=%s", who->home ? who->home : "/"));
    if (e->proxy.is_set) {
        add_proxy(env, &e->env, "HTTP_PROXY", "http_proxy", e->proxy.http);
        add_proxy(env, &e->env, "HTTPS_PROXY", "https_proxy", e->proxy.https);
        add_proxy(env, &e->env, "FTP_PROXY", "ftp_proxy", e->proxy.ftp);
        add_proxy(env, &e->env, "NO_PROXY", "no_proxy", e->proxy.no);
        add_proxy(env, &e->env, "ALL_PROXY", "all_proxy", e->proxy.all);
    }
    return add_secret_env(ops, e, env, err);
}

/* As in a Go string; 0: as it is. */
static char escape_of(char c)
{
    switch (c) {
    case '\n':
        return 'n';
    case '\t':
        return 't';
    case '\r':
        return 'r';
    case '"':
    case '\\':
        return c;
    default:
        return 0;
    }
}

/* The command as people know it from docker's messages. */
static char *command_text(const struct op_exec *e)
{
    struct buf text;
    buf_init(&text, 2 * LIMIT_GRAPH_BYTES);
    for (size_t i = 0; i < e->args.n; i++) {
        if (i)
            buf_putc(&text, ' ');
        for (const char *p = e->args.items[i]; *p; p++) {
            if (escape_of(*p))
                buf_putc(&text, '\\');
            buf_putc(&text, escape_of(*p) ? escape_of(*p) : *p);
        }
    }
    return text.data ? buf_take(&text) : xstrdup("");
}

static int check_exit(const struct ops *ops, const struct op_exec *e, const struct step_result *r,
                      struct err *err)
{
    bool is_good = e->n_exit_codes == 0 && r->exit_status == 0;
    for (size_t i = 0; i < e->n_exit_codes; i++)
        is_good |= e->exit_codes[i] == r->exit_status;
    if (is_good)
        return 0;
    AUTO_FREE char *command = command_text(e);
    err_set(err, ERR_SYSTEM, "process \"%.900s\" did not complete successfully: exit code: %d",
            command, r->exit_status);
    if (r->was_oom_killed)
        return err_hint(err, "it was killed because it used more memory than it may have");
    if (r->exit_status == 137)
        return err_hint(err, "137 means killed: often the machine or the Pod ran out of memory");
    if (ops->o.ids.is_single)
        return err_hint(err,
                        "kiln has one user id here, so a step cannot become another user: apt-get "
                        "wants -o APT::Sandbox::User=root then; uidmap and a range for the user "
                        "in /etc/subuid and /etc/subgid give the others");
    return -1;
}

struct step_parts {
    struct account who;
    struct str_list env;
    struct step_host *hosts;
    struct step_ulimit *ulimits;
    gid_t *groups;
    struct cdi_edits devices;
    struct step_mount *mounts; /* of the operation, then of its devices */
};

static void parts_clear(struct step_parts *p)
{
    account_clear(&p->who);
    vec_each (&p->env, one)
        explicit_bzero(*one, strlen(*one));
    str_list_clear(&p->env);
    free(p->hosts);
    free(p->ulimits);
    free(p->groups);
    free(p->mounts);
    cdi_edits_clear(&p->devices);
}

static void fill_lists(const struct op_exec *e, struct step_parts *p, struct step_plan *plan)
{
    size_t n_others = 0;
    p->hosts = xcalloc(e->n_hosts + 1, sizeof *p->hosts);
    for (size_t i = 0; i < e->n_hosts; i++)
        p->hosts[i] = (struct step_host){ .name = e->hosts[i].host, .ip = e->hosts[i].ip };
    p->ulimits = xcalloc(e->n_ulimits + 1, sizeof *p->ulimits);
    for (size_t i = 0; i < e->n_ulimits; i++)
        p->ulimits[i] = (struct step_ulimit){ .name = e->ulimits[i].name,
                                              .soft = e->ulimits[i].soft,
                                              .hard = e->ulimits[i].hard };
    /* The group of the user is one of the supplementary ones too, as containerd has it. */
    p->groups = xcalloc(p->who.groups.n + 1, sizeof *p->groups);
    p->groups[0] = p->who.gid;
    for (size_t i = 0; i < p->who.groups.n; i++)
        if (p->who.groups.items[i] != p->who.gid)
            p->groups[++n_others] = p->who.groups.items[i];
    plan->hosts = p->hosts;
    plan->n_hosts = e->n_hosts;
    plan->ulimits = p->ulimits;
    plan->n_ulimits = e->n_ulimits;
    plan->groups = p->groups;
    plan->n_groups = 1 + n_others;
}

static void fill_mounts(const struct exec_mounts *m, struct step_parts *p, struct step_plan *plan)
{
    size_t n = 0;
    const struct step_mount *own = exec_mounts_list(m, &n);
    p->mounts = xcalloc(n + p->devices.mounts.n + 1, sizeof *p->mounts);
    for (size_t i = 0; i < n; i++)
        p->mounts[i] = own[i];
    vec_each (&p->devices.mounts, d)
        p->mounts[n++] = (struct step_mount){ .type = STEP_BIND,
                                              .dest = d->dest,
                                              .source = d->host,
                                              .source_fd = -1,
                                              .is_device = d->is_device,
                                              .is_readonly = d->is_readonly };
    plan->mounts = p->mounts;
    plan->n_mounts = n;
}

/* A step that forks without end must not take the machine with it.  Only where it gets a cgroup for
 * another limit anyway: to enter one takes the kernel 13 ms, and a step starts in 2. */
enum { PIDS_MAX = 16384 };

static bool has_limits(const struct step_resources *r)
{
    return r->memory || r->memory_swap || r->cpu_shares || r->cpu_quota_us || r->cpu_period_us ||
           r->cpuset_cpus || r->cpuset_mems;
}

static void fill_resources(const struct ops *ops, const struct op_exec *e, struct step_plan *plan)
{
    plan->resources = ops->o.resources;
    if (!plan->resources.pids_max && has_limits(&plan->resources))
        plan->resources.pids_max = PIDS_MAX;
    if (e->cgroup_parent && *e->cgroup_parent)
        plan->resources.cgroup_parent = e->cgroup_parent;
}

static int make_plan(struct ops *ops, const struct op_exec *e, const struct exec_mounts *m,
                     struct step_parts *p, struct step_plan *plan, struct err *err)
{
    int root_fd = exec_mounts_root_fd(m);
    step_plan_init(plan);
    if (account_find(root_fd, e->user ? e->user : "", &p->who, err) ||
        make_cwd(root_fd, e->cwd, &p->who, err) || exec_find_devices(ops, e, &p->devices, err) ||
        make_env(ops, e, &p->who, &p->env, err))
        return -1;
    str_list_copy(&p->env, &p->devices.env);
    plan->root = exec_mounts_root(m);
    plan->args = e->args.items;
    plan->n_args = e->args.n;
    plan->env = (const char *const *)p->env.items;
    plan->n_env = p->env.n;
    plan->cwd = *e->cwd ? e->cwd : "/";
    plan->uid = p->who.uid;
    plan->gid = p->who.gid;
    plan->hostname = e->hostname && *e->hostname ? e->hostname : "buildkitsandbox";
    fill_mounts(m, p, plan);
    fill_resources(ops, e, plan);
    plan->services = exec_mounts_services(m, &plan->n_services);
    plan->removes_mount_stubs = e->removes_mount_stubs;
    plan->network = e->network == NETWORK_NONE ? STEP_NETWORK_NONE : STEP_NETWORK_HOST;
    plan->is_insecure = e->security == SECURITY_INSECURE;
    plan->resolv_conf = ops->o.resolv_conf;
    fill_lists(e, p, plan);
    return 0;
}

/* What the user asked for and this place does not give is told once, at the end of the build. */
static void note_not_applied(struct ops *ops, const struct step_result *r)
{
    unsigned own = ops->o.resources.pids_max ? 0 : STEP_PIDS;
    atomic_fetch_or(&ops->not_applied, r->not_applied & ~own);
}

static int exec_run(void *arg, const struct op_run *run, struct err *err)
{
    struct ops *ops = arg;
    const struct op_exec *e = &run->vertex->exec;
    AUTO(exec_mounts_close) struct exec_mounts *mounts = NULL;
    AUTO_VALUE(parts_clear) struct step_parts parts = { 0 };
    struct step_plan plan;
    struct step_result result = { 0 };
    struct step_log log = { .run = run };
    memcpy(log.id, digest_text(&run->vertex->digest).s, sizeof log.id);
    ops_expect_steps(ops);
    if (!ops->o.sandbox)
        return err_set(err, ERR_UNSUPPORTED,
                       "no step can be run: this kiln was opened without a sandbox");
    if (exec_mounts_open(ops, run, &mounts, err) || make_plan(ops, e, mounts, &parts, &plan, err))
        return -1;
    if (run->vertex->platform.is_set)
        plan.architecture = run->vertex->platform.architecture;
    plan.cancel = run->cancel;
    plan.output = take_output;
    plan.output_arg = &log;
    if (sandbox_run(ops->o.sandbox, &plan, &result, err))
        return -1;
    note_not_applied(ops, &result);
    if (check_exit(ops, e, &result, err))
        return -1;
    return exec_mounts_commit(mounts, run, err);
}

void exec_impl_init(struct op_impl *impl, struct ops *ops)
{
    *impl =
        (struct op_impl){ .arg = ops, .key = exec_key, .content = exec_content, .run = exec_run };
}
