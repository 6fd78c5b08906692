/* frontend/dockerfile/dispatch_run.c - RUN and WORKDIR: steps that change the root file system
 * without copying.
 *
 * Threads: a converter belongs to one thread. */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/convert_internal.h"

const char *workdir_set(struct build_stage *s, const char *path, struct arena *a)
{
    struct stage_state *st = &s->state;
    const char *old = st->config.working_dir ? st->config.working_dir : "";
    const char *new = path[0] == '/' ? path : arena_printf(a, "%s/%s", old, path);
    st->cwd = rooted_path(new, a);
    free(st->config.working_dir);
    st->config.working_dir = xstrdup(st->cwd);
    return st->cwd;
}

struct owner owner_parse(const char *text, struct arena *a)
{
    struct owner owner = { .is_set = text[0] != '\0' };
    const char *colon = strchrnul(text, ':');
    const char *parts[] = { arena_strndup(a, text, (size_t)(colon - text)),
                            *colon ? colon + 1 : "" };
    struct owner_part *out[] = { &owner.user, &owner.group };
    for (int i = 0; i < 2; i++) {
        uint64_t id;
        if (!parts[i][0])
            continue;
        bool is_id = unsigned_parse(parts[i], 10, UINT32_MAX - 1, &id);
        *out[i] = is_id ? (struct owner_part){ .kind = OWNER_ID, .id = (uint32_t)id }
                        : (struct owner_part){ .kind = OWNER_NAME, .name = parts[i] };
    }
    return owner;
}

/* Makes the folder, for the user of the moment. */
static int make_workdir(struct dispatch *d, const char *path, struct err *err)
{
    struct stage_state *st = &d->stage->state;
    const char *prefix = step_prefix(d->c, d->stage, &st->platform, d->step->is_trigger, true);
    const char *text;
    struct source_range range;
    if (step_text(d, d->in->text, false, &text, err))
        return -1;
    struct vertex_about about = step_about(d, arena_printf(d->arena, "%s%s", prefix, text), &range);
    about.ignores_cache = false;
    const struct op_action mkdir = {
        .type = ACTION_MKDIR,
        .path = path,
        .mode = 0755,
        .makes_parents = true,
        .owner = owner_parse(st->config.user ? st->config.user : "", d->arena),
        .timestamp_ns = d->c->result->has_epoch ? d->c->result->epoch * 1000000000 : TIMESTAMP_NONE,
    };
    return graph_add_file(d->c->builder, st->root, &mkdir, 1, &about, &st->root, err);
}

int dispatch_workdir(struct dispatch *d, struct err *err)
{
    const char *path;
    if (expand(d, d->in->workdir, &path, err))
        return -1;
    check_workdir(d, path);
    path = workdir_set(d->stage, path, d->arena);
    bool has_layer = strcmp(path, "/") != 0;
    if (has_layer && make_workdir(d, path, err))
        return -1;
    return history_add(d, arena_printf(d->arena, "WORKDIR %s", path), has_layer, err);
}

/* --- RUN --- */

/* The first line of a heredoc, for the step's name. */
static const char *summary(const char *doc, struct arena *a)
{
    struct span rest = trim_blanks(span_of(doc)), line = span_cut(&rest, '\n');
    if (span_ends(line, "\r"))
        line = span_first(line, line.len - 1);
    return arena_printf(a, "%.*s%s", SPAN_ARG(line), rest.ptr ? "..." : "");
}

/* A script that names its interpreter becomes a file below /dev/pipes, which is run. */
static int mount_script(struct dispatch *d, const struct heredoc *doc, struct exec_parts *parts,
                        struct err *err)
{
    const struct op_action mkfile = {
        .type = ACTION_MKFILE,
        .path = rooted_path(doc->name, d->arena),
        .mode = 0755,
        .timestamp_ns = TIMESTAMP_NONE,
        .data = span_of(doc->content),
    };
    struct source_range range;
    struct vertex_about about = step_about(d, "[internal] preparing inline document", &range);
    about.ignores_cache = false;
    struct op_mount mount = {
        .type = MOUNT_BIND,
        .dest = "/dev/pipes/",
        .selector = "/",
        .is_readonly = true,
    };
    if (graph_add_file(d->c->builder, (struct edge){ 0 }, &mkfile, 1, &about, &mount.from, err))
        return -1;
    *vec_push(&parts->mounts) = mount;
    return 0;
}

static void one_text(struct arena *a, const char *text, struct strings *out)
{
    const char **items = arena_alloc(a, sizeof *items);
    items[0] = text;
    *out = (struct strings){ items, 1 };
}

/* The line with its heredocs behind it, as the shell wants to read them. */
static const char *with_documents(const char *line, const struct heredocs *docs, struct arena *a)
{
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_puts(&text, line);
    for (size_t i = 0; i < docs->n; i++)
        buf_printf(&text, "\n%s%s", docs->items[i].raw, docs->items[i].name);
    return arena_strndup(a, text.data, text.len);
}

/* What runs, heredocs put into it; *name is what the step is called. */
static int command_of(struct dispatch *d, struct exec_parts *parts, struct strings *args,
                      const char **name, struct err *err)
{
    const struct run *run = &d->in->run;
    const struct heredocs *docs = &d->in->heredocs;
    struct arena *a = d->arena;
    *args = run->command.args;
    *name = d->in->text;
    if (docs->n && (!run->command.is_shell || args->n != 1))
        return err_set(err, ERR_INVALID, "parsing produced an invalid run command");
    if (docs->n && run->is_script) {
        const struct heredoc *doc = &docs->items[0];
        *name = arena_printf(a, "%s (%s)", *name, summary(doc->raw, a));
        bool has_interpreter = span_starts(span_of(doc->content), "#!") &&
                               strcmp(d->stage->state.config.platform.os, "windows") != 0;
        if (has_interpreter && mount_script(d, doc, parts, err))
            return -1;
        one_text(a, has_interpreter ? arena_printf(a, "/dev/pipes/%s", doc->name) : doc->content,
                 args);
    } else if (docs->n) {
        one_text(a, with_documents(args->items[0], docs, a), args);
    }
    if (run->command.is_shell)
        *args = with_shell(d->stage, args, a);
    if (!args->n)
        return err_set(err, ERR_INVALID, "has no command to run");
    return 0;
}

/* "RUN |1 A=b /bin/sh -c x # buildkit": the ARGs in force, with their values of this moment. */
static const char *run_history(struct dispatch *d, const struct strings *args)
{
    const struct stage_state *st = &d->stage->state;
    AUTO_VALUE(map_clear) struct map last = { 0 };
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, SIZE_MAX);
    static const char none[] = "";
    vec_each (&st->args, arg)
        map_set(&last, arg->name,
                arg->value ? (void *)(uintptr_t)arg->value : (void *)(uintptr_t)none);
    buf_puts(&out, "RUN ");
    if (last.n)
        buf_printf(&out, "|%zu ", last.n);
    map_each (&last, e) {
        const char *value = env_find(&st->env, e->key);
        buf_printf(&out, "%s=%s ", e->key, value ? value : (const char *)e->value);
    }
    buf_printf(&out, "%s # buildkit", joined(args, d->arena));
    return arena_strndup(d->arena, out.data, out.len);
}

static void add_secret_names(struct env *env, const struct exec_parts *parts)
{
    vec_each (&parts->secret_env, secret)
        env_set(env, secret->name, "****");
}

/* The step's name is expanded with secrets shown as stars. */
static int run_name(struct dispatch *d, const char *text, const struct exec_parts *parts,
                    const char **out, struct err *err)
{
    struct stage_state *st = &d->stage->state;
    const char *prefix = step_prefix(d->c, d->stage, &st->platform, d->step->is_trigger, true);
    struct env own = st->env, masked = { 0 };
    env_copy(&masked, &own);
    add_secret_names(&masked, parts);
    st->env = masked;
    int failed = step_text(d, text, true, out, err);
    st->env = own;
    env_clear(&masked);
    if (!failed)
        *out = arena_printf(d->arena, "%s%s", prefix, *out);
    return failed;
}

static struct strings run_env(struct dispatch *d, const struct exec_parts *parts)
{
    const struct env *env = &d->stage->state.env;
    struct strings list = env_strings(env, d->arena);
    if (!parts->ssh_socket || env_find(env, "SSH_AUTH_SOCK"))
        return list;
    const char **items = arena_alloc(d->arena, (list.n + 1) * sizeof *items);
    memcpy(items, list.items, list.n * sizeof *items);
    items[list.n] = arena_printf(d->arena, "SSH_AUTH_SOCK=%s", parts->ssh_socket);
    return (struct strings){ items, list.n + 1 };
}

static const struct exec_device *run_devices(struct dispatch *d)
{
    const struct run *run = &d->in->run;
    struct exec_device *devices = arena_alloc(d->arena, (run->n_devices + 1) * sizeof *devices);
    for (size_t i = 0; i < run->n_devices; i++)
        devices[i] = (struct exec_device){ run->devices[i].name, !run->devices[i].is_required };
    return devices;
}

static void exec_parts_clear(struct exec_parts *p)
{
    vec_clear(&p->mounts);
    vec_clear(&p->secret_env);
}

/* The operation of a step, its parts known. */
static struct op_exec exec_op(struct dispatch *d, const struct exec_parts *parts,
                              const struct strings *args)
{
    const struct dockerfile_options *o = d->c->o;
    const struct run *run = &d->in->run;
    return (struct op_exec){
        .args = *args,
        .env = run_env(d, parts),
        .cwd = d->stage->state.cwd,
        .user = d->stage->state.user,
        .hostname = o->hostname ? o->hostname : build_arg(d->c, "BUILDKIT_SANDBOX_HOSTNAME"),
        .mounts = parts->mounts.items,
        .n_mounts = parts->mounts.n,
        .network = run->network == NETWORK_DEFAULT ? o->network : run->network,
        .security = run->security,
        .proxy = d->c->proxy,
        .hosts = o->hosts,
        .n_hosts = o->n_hosts,
        .ulimits = o->ulimits,
        .n_ulimits = o->n_ulimits,
        .cgroup_parent = o->cgroup_parent,
        .secret_env = parts->secret_env.items,
        .n_secret_env = parts->secret_env.n,
        .devices = run_devices(d),
        .n_devices = run->n_devices,
    };
}

int dispatch_run(struct dispatch *d, struct err *err)
{
    struct stage_state *st = &d->stage->state;
    AUTO_VALUE(exec_parts_clear) struct exec_parts parts = { 0 };
    struct strings args;
    const char *text;
    stage_uses_path(d->stage, "/");
    *vec_push(&parts.mounts) = (struct op_mount){ .dest = "/", .from = st->root };
    if (command_of(d, &parts, &args, &text, err) || run_mounts(d, &parts, err))
        return -1;
    if (d->c->o->shm_size > 0)
        *vec_push(&parts.mounts) =
            (struct op_mount){ .type = MOUNT_TMPFS, .dest = "/dev/shm", .size = d->c->o->shm_size };
    struct source_range range;
    if (run_name(d, text, &parts, &text, err))
        return -1;
    struct vertex_about about = step_about(d, text, &range);
    const struct pair command = { "com.docker.dockerfile.v1.command", d->in->text };
    about.description = (struct pairs){ &command, 1 };
    const struct op_exec op = exec_op(d, &parts, &args);
    if (graph_add_exec(d->c->builder, &op, &about, &st->root, err))
        return -1;
    return history_add(d, run_history(d, &args), true, err);
}
