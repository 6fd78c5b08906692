/* build/run.c - see run.h. */
#include "build/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "engine/ops/account.h"
#include "image/store/lease.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct run {
    struct engine *engine;
    const struct run_request *request;
    struct lease *lease;
    const struct image *image; /* the engine's */
    struct snapshot *snapshot;
    struct work *work;
    struct account who;
    struct str_list args, env;
    struct step_mount *mounts;
    gid_t *groups;
};

void run_close(struct run *r)
{
    if (!r)
        return;
    work_close(r->work);
    snapshot_unref(r->snapshot);
    lease_close(r->lease);
    account_clear(&r->who);
    str_list_clear(&r->args);
    str_list_clear(&r->env);
    free(r->mounts);
    free(r->groups);
    free(r);
}

static int make_args(const struct run_request *q, const struct image_config *c,
                     struct str_list *out, struct err *err)
{
    bool is_own = q->entrypoint;
    if (is_own && *q->entrypoint)
        str_list_push(out, q->entrypoint);
    if (!is_own)
        str_list_copy(out, &c->entrypoint);
    for (size_t i = 0; i < q->n_args; i++)
        str_list_push(out, q->args[i]);
    if (!q->n_args && !is_own)
        str_list_copy(out, &c->cmd);
    if (out->n)
        return 0;
    err_set(err, ERR_INVALID, "the image says nothing of what to run");
    return err_hint(err, "name a program after the image");
}

/* The later value of a name counts. */
static void set_env(struct str_list *env, const char *text)
{
    size_t len = strcspn(text, "=");
    vec_each (env, one)
        if (!strncmp(*one, text, len) && (*one)[len] == '=') {
            free(*one);
            *one = xstrdup(text);
            return;
        }
    str_list_push(env, text);
}

static bool has_env(const struct str_list *env, const char *name)
{
    size_t len = strlen(name);
    vec_each (env, one)
        if (!strncmp(*one, name, len) && (*one)[len] == '=')
            return true;
    return false;
}

static void make_env(const struct run_request *q, const struct image_config *c,
                     const struct account *who, struct str_list *out)
{
    vec_each (&c->env, one)
        set_env(out, *one);
    for (size_t i = 0; q->env && i < q->env->n; i++)
        set_env(out, q->env->items[i]);
    if (!has_env(out, "PATH"))
        str_list_push(out, "PATH=" PATH_DEFAULT);
    if (!has_env(out, "HOME"))
        str_list_take(out, xasprintf("HOME=%s", who->home ? who->home : "/"));
    if (q->has_terminal && !has_env(out, "TERM"))
        str_list_push(out, "TERM=xterm");
}

static void make_lists(struct run *r)
{
    const struct run_request *q = r->request;
    r->mounts = xcalloc(q->n_volumes + 1, sizeof *r->mounts);
    for (size_t i = 0; i < q->n_volumes; i++)
        r->mounts[i] = (struct step_mount){ .type = STEP_BIND,
                                            .source = q->volumes[i].source,
                                            .source_fd = -1,
                                            .dest = q->volumes[i].dest,
                                            .is_readonly = q->volumes[i].is_readonly };
    r->groups = xcalloc(r->who.groups.n + 1, sizeof *r->groups);
    for (size_t i = 0; i < r->who.groups.n; i++)
        r->groups[i] = r->who.groups.items[i];
}

static void make_plan(const struct run *r, struct step_plan *plan)
{
    const struct run_request *q = r->request;
    const char *cwd = q->workdir ? q->workdir : r->image->config.working_dir;
    step_plan_init(plan);
    plan->root = work_path(r->work);
    plan->is_root_readonly = q->is_readonly;
    plan->args = (const char *const *)r->args.items;
    plan->n_args = r->args.n;
    plan->env = (const char *const *)r->env.items;
    plan->n_env = r->env.n;
    plan->cwd = cwd && *cwd ? cwd : "/";
    plan->uid = r->who.uid;
    plan->gid = r->who.gid;
    plan->groups = r->groups;
    plan->n_groups = r->who.groups.n;
    plan->mounts = r->mounts;
    plan->n_mounts = q->n_volumes;
    plan->hostname = q->hostname;
    plan->architecture = r->image->config.platform.architecture;
    plan->network = q->has_no_network ? STEP_NETWORK_NONE : STEP_NETWORK_HOST;
    plan->timeout_ms = q->timeout_ms;
    plan->stdin_fd = q->stdin_fd;
    plan->stdout_fd = q->stdout_fd;
    plan->stderr_fd = q->stderr_fd;
    plan->has_terminal = q->has_terminal;
    plan->rows = q->rows;
    plan->columns = q->columns;
    plan->signals_fd = q->signals_fd;
}

/* The image unpacked, in a folder of its own, and who runs there. */
static int prepare(struct run *r, const struct cancel *cancel, struct err *err)
{
    const struct run_request *q = r->request;
    struct snapshots *all = engine_snapshots(r->engine);
    struct platform host = platform_host();
    if (lease_open(engine_store(r->engine), 0, &r->lease, err) ||
        image_source_get(engine_images(r->engine), q->image, q->platform ? q->platform : &host,
                         q->resolve_mode, cancel, &r->image, err))
        return -1;
    const struct image *i = r->image;
    const char *user = q->user ? q->user : i->config.user ? i->config.user : "";
    if (make_args(q, &i->config, &r->args, err) ||
        snapshot_of_layers(all, i->layers.items, i->layers.n, i->origin, &r->snapshot, err) ||
        work_open(all, r->snapshot, cancel, &r->work, err) ||
        account_find(work_fd(r->work), user, &r->who, err))
        return -1;
    make_env(q, &i->config, &r->who, &r->env);
    make_lists(r);
    return 0;
}

static int wrap(const struct run *r, struct err *err)
{
    AUTO_FREE char *name = reference_familiar(r->request->image);
    return err_wrap(err, "run %s", name);
}

int run_open(struct engine *e, const struct run_request *q, const struct cancel *cancel,
             struct run **out, struct err *err)
{
    if (!engine_sandbox(e))
        return err_set(err, ERR_INVALID, "run: this engine was opened without a sandbox");
    AUTO(run_close) struct run *r = xcalloc(1, sizeof *r);
    r->engine = e;
    r->request = q;
    if (prepare(r, cancel, err))
        return wrap(r, err);
    *out = STEAL(r);
    return 0;
}

int run_process(struct run *r, const struct cancel *cancel, struct step_result *out,
                struct err *err)
{
    struct step_plan plan;
    make_plan(r, &plan);
    plan.cancel = cancel;
    return sandbox_run(engine_sandbox(r->engine), &plan, out, err) ? wrap(r, err) : 0;
}
