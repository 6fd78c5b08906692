/* frontend/dockerfile/dispatch_mount.c - RUN --mount: binds, caches, tmpfs, secrets, sockets.
 *
 * Spec: dockerfile reference "RUN --mount".  Threads: a converter belongs to one thread. */
#include <string.h>

#include "frontend/dockerfile/capture.h"
#include "frontend/dockerfile/convert_internal.h"

static int expand_option(void *arg, const char *value, const char **out, struct err *err)
{
    return expand(arg, value, out, err);
}

static void add_secret(struct dispatch *d, const struct run_mount *m, struct exec_parts *parts)
{
    const char *id = m->source[0] ? m->source : m->id;
    const char *slash = strrchr(m->target, '/');
    if (!id[0])
        id = slash ? slash + 1 : m->target;
    capture_mount(d, OUTLINE_SECRET, id, m->is_required);
    if (m->env[0])
        *vec_push(&parts->secret_env) = (struct exec_secret_env){ id, m->env, !m->is_required };
    if (m->env[0] && !m->target[0])
        return;
    const char *base = strrchr(id, '/');
    *vec_push(&parts->mounts) = (struct op_mount){
        .type = MOUNT_SECRET,
        .dest = m->target[0] ? m->target
                             : arena_printf(d->arena, "/run/secrets/%s", base ? base + 1 : id),
        .id = id,
        .uid = m->uid,
        .gid = m->gid,
        .mode = m->has_mode ? m->mode : 0400,
        .is_optional = !m->is_required,
    };
}

/* `number` counts the sockets of the step. */
static void add_ssh(struct dispatch *d, const struct run_mount *m, int number,
                    struct exec_parts *parts)
{
    const char *dest =
        m->target[0] ? m->target : arena_printf(d->arena, "/run/buildkit/ssh_agent.%d", number);
    capture_mount(d, OUTLINE_SSH, m->id[0] ? m->id : "default", m->is_required);
    if (!parts->ssh_socket)
        parts->ssh_socket = dest;
    *vec_push(&parts->mounts) = (struct op_mount){
        .type = MOUNT_SSH,
        .dest = dest,
        .id = m->id, /* "" for the default, as BuildKit's front end leaves it */
        .uid = m->uid,
        .gid = m->gid,
        .mode = m->has_mode ? m->mode : 0600,
        .is_optional = !m->is_required,
    };
}

/* A cache whose owner or mode is told starts in a folder that is made so. */
static int make_cache_folder(struct dispatch *d, const struct run_mount *m, struct op_mount *out,
                             struct err *err)
{
    const struct op_action mkdir = {
        .type = ACTION_MKDIR,
        .path = "/cache",
        .mode = (int32_t)((m->has_mode ? m->mode : 0755) & 07777),
        .timestamp_ns = TIMESTAMP_NONE,
        .owner = { .is_set = true,
                   .user = { .kind = OWNER_ID, .id = m->uid },
                   .group = { .kind = OWNER_ID, .id = m->gid } },
    };
    const struct vertex_about about = { .name = "[internal] setting cache mount permissions" };
    out->selector = "/cache";
    return graph_add_file(d->c->builder, out->from, &mkdir, 1, &about, &out->from, err);
}

/* What is mounted: a stage, an image, the build context, or nothing. */
static int mount_from(struct dispatch *d, const struct run_mount *m, struct build_stage *source,
                      struct op_mount *out, struct err *err)
{
    if (m->type == MOUNT_TMPFS || (m->type == MOUNT_CACHE && !source))
        return 0;
    const char *path = rooted_path(m->source, d->arena);
    if (!source) {
        map_set(&d->c->main.paths, path, NULL);
        return context_edge(d->c, &d->c->main, &out->from, err);
    }
    if (base_begin_source(d->c, source, err))
        return -1;
    if (!source->state.is_done) {
        err_set(err, ERR_INVALID,
                "cannot mount from stage %s to %s, stage needs to be defined before current "
                "command",
                quoted(d->arena, m->from), quoted(d->arena, m->target));
        return err_hint(err, "move the stage %s above this one", m->from);
    }
    stage_uses_path(source, path);
    out->from = source->state.root;
    return 0;
}

static const char *cache_id(struct dispatch *d, const struct run_mount *m)
{
    const char *space = build_arg(d->c, "BUILDKIT_CACHE_MOUNT_NS");
    AUTO_FREE char *target = pattern_clean(span_of(m->target));
    return arena_printf(d->arena, "%s/%s", space ? space : "", m->id[0] ? m->id : target);
}

static int add_files(struct dispatch *d, const struct run_mount *m, struct build_stage *source,
                     struct exec_parts *parts, struct err *err)
{
    const char *path = rooted_path(m->source, d->arena);
    const char *target =
        m->target[0] == '/'
            ? m->target
            : rooted_path(arena_printf(d->arena, "%s/%s", d->stage->state.cwd, m->target),
                          d->arena);
    struct op_mount mount = {
        .type = m->type,
        .dest = target,
        .is_readonly = m->is_readonly,
        .has_no_output = m->type == MOUNT_BIND && !m->is_readonly,
        .sharing = m->sharing,
        .size = m->type == MOUNT_TMPFS ? m->size : 0,
    };
    if (strcmp(target, "/") == 0)
        return err_set(err, ERR_INVALID, "invalid mount target \"/\"");
    if (m->type == MOUNT_CACHE) {
        mount.id = cache_id(d, m);
        capture_mount(d, OUTLINE_CACHE, m->id[0] ? m->id : target, false);
    }
    if (mount_from(d, m, source, &mount, err))
        return -1;
    if (m->type != MOUNT_TMPFS && strcmp(path, "/") != 0)
        mount.selector = path;
    else if (m->type == MOUNT_CACHE && (m->has_uid || m->has_gid || m->has_mode) &&
             make_cache_folder(d, m, &mount, err))
        return -1;
    *vec_push(&parts->mounts) = mount;
    return 0;
}

int run_mounts(struct dispatch *d, struct exec_parts *parts, struct err *err)
{
    const struct strings *mounts = &d->in->run.mounts;
    int n_sockets = 0;
    for (size_t i = 0; i < mounts->n; i++) {
        struct run_mount m;
        if (run_mount_parse(mounts->items[i], expand_option, d, d->arena, &m, err))
            return -1;
        if (m.type == MOUNT_SECRET)
            add_secret(d, &m, parts);
        else if (m.type == MOUNT_SSH)
            add_ssh(d, &m, n_sockets++, parts);
        else if (add_files(d, &m, d->step->sources[i], parts, err))
            return -1;
    }
    return 0;
}
