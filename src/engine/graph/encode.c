/* engine/graph/encode.c - an operation as deterministic protobuf bytes.
 *
 * The rules by which Go's protobuf writes proto3, so that digests agree with BuildKit's: fields in
 * the order of their numbers (protobuf-c does that), no zero, no empty text, no empty list;
 * messages that BuildKit's client always sets are there even when empty; entries of maps sorted by
 * key, each with key and value even when these are empty.
 *
 * Spec: engine/graph/ops.proto.  Threads: nothing shared. */
#include <stdlib.h>
#include <string.h>

#include "engine/graph/internal.h"

/* A message of the scratch arena, all fields absent. */
#define NEW(a, type, init)                                                                         \
    ({                                                                                             \
        type *new_ = arena_alloc((a), sizeof *new_);                                               \
        init(new_);                                                                                \
        new_;                                                                                      \
    })
/* An array of n pointers for a repeated field; at least one, so that it is never NULL. */
#define NEW_ARRAY(a, type, n) ((type *)arena_alloc((a), ((n) + 1) * sizeof(type)))
/* proto3: a value that is zero is left out. */
#define SET(m, field, value) ((m)->field = (value), (m)->has_##field = (m)->field != 0)
#define SET_TEXT(m, field, text)                                                                   \
    ((m)->field = data_of_text(text), (m)->has_##field = (m)->field.len != 0)

ProtobufCBinaryData data_of(struct span bytes)
{
    return (ProtobufCBinaryData){ .len = bytes.len, .data = (uint8_t *)(uintptr_t)bytes.ptr };
}

ProtobufCBinaryData data_of_text(const char *text)
{
    return data_of(span_of(text));
}

struct span span_of_data(ProtobufCBinaryData d)
{
    return span_bytes(d.data, d.len);
}

int message_pack(const ProtobufCMessage *m, struct buf *out, struct err *err)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    if (size > buf_room(out))
        return err_set(err, ERR_LIMIT, "build graph: is larger than %zu bytes", out->ceiling);
    if (size) {
        protobuf_c_message_pack(m, (uint8_t *)buf_reserve(out, size));
        buf_grown(out, size);
    }
    return 0;
}

static ProtobufCBinaryData *texts(struct arena *a, struct strings s, size_t *n)
{
    ProtobufCBinaryData *items = NEW_ARRAY(a, ProtobufCBinaryData, s.n);
    for (size_t i = 0; i < s.n; i++)
        items[i] = data_of_text(s.items[i]);
    *n = s.n;
    return items;
}

static Llb__Pair **pairs(struct arena *a, struct pairs p, size_t *n)
{
    struct pairs sorted = pairs_merge(a, p, (struct pairs){ 0 });
    Llb__Pair **items = NEW_ARRAY(a, Llb__Pair *, sorted.n);
    for (size_t i = 0; i < sorted.n; i++) {
        items[i] = NEW(a, Llb__Pair, llb__pair__init);
        items[i]->has_key = items[i]->has_value = true;
        items[i]->key = data_of_text(sorted.items[i].key);
        items[i]->value = data_of_text(sorted.items[i].value);
    }
    *n = sorted.n;
    return items;
}

static Llb__SourceOp *source_op(struct arena *a, const struct op_source *op)
{
    Llb__SourceOp *m = NEW(a, Llb__SourceOp, llb__source_op__init);
    SET_TEXT(m, identifier, op->identifier);
    m->attrs = pairs(a, op->attrs, &m->n_attrs);
    return m;
}

static Llb__Secret *secret(struct arena *a, const struct op_mount *mount)
{
    Llb__Secret *m = NEW(a, Llb__Secret, llb__secret__init);
    SET_TEXT(m, id, mount->id);
    SET(m, uid, mount->uid);
    SET(m, gid, mount->gid);
    SET(m, mode, mount->mode);
    SET(m, optional, mount->is_optional);
    return m;
}

static Llb__Mount *mount_message(struct arena *a, const struct op_mount *mount)
{
    Llb__Mount *m = NEW(a, Llb__Mount, llb__mount__init);
    SET(m, input, mount->input);
    SET_TEXT(m, selector, mount->selector);
    SET_TEXT(m, dest, mount->dest);
    /* BuildKit's client leaves `output` of these alone. */
    if (mount->type != MOUNT_SECRET && mount->type != MOUNT_SSH)
        SET(m, output, mount->output);
    SET(m, readonly, mount->is_readonly);
    SET(m, type, (int32_t)mount->type);
    SET(m, content_cache, (int32_t)mount->content_cache);
    if (mount->type == MOUNT_TMPFS) {
        m->tmpfs = NEW(a, Llb__Tmpfs, llb__tmpfs__init);
        SET(m->tmpfs, size, mount->size);
    } else if (mount->type == MOUNT_CACHE) {
        m->cache = NEW(a, Llb__Cache, llb__cache__init);
        SET_TEXT(m->cache, id, mount->id);
        SET(m->cache, sharing, (int32_t)mount->sharing);
    } else if (mount->type == MOUNT_SECRET) {
        m->secret = secret(a, mount);
    } else if (mount->type == MOUNT_SSH) {
        m->ssh = secret(a, mount);
    }
    return m;
}

static Llb__ProxyEnv *proxy_env(struct arena *a, const struct exec_proxy *p)
{
    Llb__ProxyEnv *m = NEW(a, Llb__ProxyEnv, llb__proxy_env__init);
    SET_TEXT(m, http, p->http);
    SET_TEXT(m, https, p->https);
    SET_TEXT(m, ftp, p->ftp);
    SET_TEXT(m, no, p->no);
    SET_TEXT(m, all, p->all);
    return m;
}

static void exec_lists(struct arena *a, const struct op_exec *op, Llb__Meta *m)
{
    m->extra_hosts = NEW_ARRAY(a, Llb__Host *, op->n_hosts);
    for (size_t i = 0; i < op->n_hosts; i++) {
        Llb__Host *h = m->extra_hosts[m->n_extra_hosts++] = NEW(a, Llb__Host, llb__host__init);
        SET_TEXT(h, host, op->hosts[i].host);
        SET_TEXT(h, ip, op->hosts[i].ip);
    }
    m->ulimit = NEW_ARRAY(a, Llb__Ulimit *, op->n_ulimits);
    for (size_t i = 0; i < op->n_ulimits; i++) {
        Llb__Ulimit *u = m->ulimit[m->n_ulimit++] = NEW(a, Llb__Ulimit, llb__ulimit__init);
        SET_TEXT(u, name, op->ulimits[i].name);
        SET(u, soft, op->ulimits[i].soft);
        SET(u, hard, op->ulimits[i].hard);
    }
    m->exit_codes = NEW_ARRAY(a, int32_t, op->n_exit_codes);
    for (size_t i = 0; i < op->n_exit_codes; i++)
        m->exit_codes[m->n_exit_codes++] = op->exit_codes[i];
}

static Llb__Meta *meta(struct arena *a, const struct op_exec *op)
{
    Llb__Meta *m = NEW(a, Llb__Meta, llb__meta__init);
    m->args = texts(a, op->args, &m->n_args);
    m->env = texts(a, op->env, &m->n_env);
    SET_TEXT(m, cwd, op->cwd);
    SET_TEXT(m, user, op->user);
    if (op->proxy.is_set)
        m->proxy_env = proxy_env(a, &op->proxy);
    SET_TEXT(m, hostname, op->hostname);
    SET_TEXT(m, cgroup_parent, op->cgroup_parent);
    SET(m, remove_mount_stubs, op->removes_mount_stubs);
    exec_lists(a, op, m);
    return m;
}

static Llb__ExecOp *exec_op(struct arena *a, const struct op_exec *op)
{
    Llb__ExecOp *m = NEW(a, Llb__ExecOp, llb__exec_op__init);
    m->meta = meta(a, op);
    m->mounts = NEW_ARRAY(a, Llb__Mount *, op->n_mounts);
    for (size_t i = 0; i < op->n_mounts; i++)
        m->mounts[m->n_mounts++] = mount_message(a, &op->mounts[i]);
    SET(m, network, (int32_t)op->network);
    SET(m, security, (int32_t)op->security);
    m->secretenv = NEW_ARRAY(a, Llb__SecretEnv *, op->n_secret_env);
    for (size_t i = 0; i < op->n_secret_env; i++) {
        Llb__SecretEnv *s = m->secretenv[m->n_secretenv++] =
            NEW(a, Llb__SecretEnv, llb__secret_env__init);
        SET_TEXT(s, id, op->secret_env[i].id);
        SET_TEXT(s, name, op->secret_env[i].name);
        SET(s, optional, op->secret_env[i].is_optional);
    }
    m->devices = NEW_ARRAY(a, Llb__Device *, op->n_devices);
    for (size_t i = 0; i < op->n_devices; i++) {
        Llb__Device *d = m->devices[m->n_devices++] = NEW(a, Llb__Device, llb__device__init);
        SET_TEXT(d, name, op->devices[i].name);
        SET(d, optional, op->devices[i].is_optional);
    }
    return m;
}

static Llb__OwnerPart *owner_part(struct arena *a, const struct owner_part *p)
{
    if (p->kind == OWNER_KEEP)
        return NULL;
    Llb__OwnerPart *m = NEW(a, Llb__OwnerPart, llb__owner_part__init);
    if (p->kind == OWNER_ID) {
        m->part_case = LLB__OWNER_PART__PART_BY_ID;
        m->by_id = p->id;
        return m;
    }
    m->part_case = LLB__OWNER_PART__PART_BY_NAME;
    m->by_name = NEW(a, Llb__OwnerName, llb__owner_name__init);
    SET_TEXT(m->by_name, name, p->name);
    SET(m->by_name, input, p->input);
    return m;
}

static Llb__Owner *owner(struct arena *a, const struct owner *o)
{
    if (!o->is_set)
        return NULL;
    Llb__Owner *m = NEW(a, Llb__Owner, llb__owner__init);
    m->user = owner_part(a, &o->user);
    m->group = owner_part(a, &o->group);
    return m;
}

static Llb__Copy *copy(struct arena *a, const struct op_action *act)
{
    Llb__Copy *m = NEW(a, Llb__Copy, llb__copy__init);
    SET_TEXT(m, src, act->src);
    SET_TEXT(m, dest, act->path);
    m->owner = owner(a, &act->owner);
    SET(m, mode, act->mode);
    SET(m, follow_symlink, act->follows_symlinks);
    SET(m, dir_copy_contents, act->copies_dir_contents);
    SET(m, attempt_unpack, act->unpacks_archives);
    SET(m, create_dest_path, act->creates_dest_path);
    SET(m, allow_wildcard, act->has_wildcards);
    SET(m, allow_empty_wildcard, act->may_match_nothing);
    SET(m, timestamp, act->timestamp_ns);
    m->include = texts(a, act->include, &m->n_include);
    m->exclude = texts(a, act->exclude, &m->n_exclude);
    SET(m, always_replace, act->replaces_existing);
    SET_TEXT(m, mode_text, act->mode_text);
    m->required = texts(a, act->required, &m->n_required);
    return m;
}

static void mkfile(struct arena *a, const struct op_action *act, Llb__FileAction *m)
{
    m->action_case = LLB__FILE_ACTION__ACTION_MKFILE;
    m->mkfile = NEW(a, Llb__MkFile, llb__mk_file__init);
    SET_TEXT(m->mkfile, path, act->path);
    SET(m->mkfile, mode, act->mode);
    m->mkfile->data = data_of(act->data);
    m->mkfile->has_data = act->data.len != 0;
    m->mkfile->owner = owner(a, &act->owner);
    SET(m->mkfile, timestamp, act->timestamp_ns);
}

static void mkdir_message(struct arena *a, const struct op_action *act, Llb__FileAction *m)
{
    m->action_case = LLB__FILE_ACTION__ACTION_MKDIR;
    m->mkdir = NEW(a, Llb__MkDir, llb__mk_dir__init);
    SET_TEXT(m->mkdir, path, act->path);
    SET(m->mkdir, mode, act->mode);
    SET(m->mkdir, make_parents, act->makes_parents);
    m->mkdir->owner = owner(a, &act->owner);
    SET(m->mkdir, timestamp, act->timestamp_ns);
}

static void rm(struct arena *a, const struct op_action *act, Llb__FileAction *m)
{
    m->action_case = LLB__FILE_ACTION__ACTION_RM;
    m->rm = NEW(a, Llb__Rm, llb__rm__init);
    SET_TEXT(m->rm, path, act->path);
    SET(m->rm, allow_not_found, act->may_be_missing);
    SET(m->rm, allow_wildcard, act->has_wildcards);
}

static void symlink_message(struct arena *a, const struct op_action *act, Llb__FileAction *m)
{
    m->action_case = LLB__FILE_ACTION__ACTION_SYMLINK;
    m->symlink = NEW(a, Llb__Symlink, llb__symlink__init);
    SET_TEXT(m->symlink, target, act->target);
    SET_TEXT(m->symlink, path, act->path);
    m->symlink->owner = owner(a, &act->owner);
    SET(m->symlink, timestamp, act->timestamp_ns);
}

static Llb__FileAction *action(struct arena *a, const struct op_action *act)
{
    Llb__FileAction *m = NEW(a, Llb__FileAction, llb__file_action__init);
    SET(m, input, act->input);
    SET(m, secondary, act->secondary);
    SET(m, output, act->output);
    switch (act->type) {
    case ACTION_COPY:
        m->action_case = LLB__FILE_ACTION__ACTION_COPY;
        m->copy = copy(a, act);
        break;
    case ACTION_MKFILE:
        mkfile(a, act, m);
        break;
    case ACTION_MKDIR:
        mkdir_message(a, act, m);
        break;
    case ACTION_RM:
        rm(a, act, m);
        break;
    case ACTION_SYMLINK:
        symlink_message(a, act, m);
        break;
    }
    return m;
}

static Llb__FileOp *file_op(struct arena *a, const struct op_file *op)
{
    Llb__FileOp *m = NEW(a, Llb__FileOp, llb__file_op__init);
    m->actions = NEW_ARRAY(a, Llb__FileAction *, op->n_actions);
    for (size_t i = 0; i < op->n_actions; i++)
        m->actions[m->n_actions++] = action(a, &op->actions[i]);
    return m;
}

static Llb__InputIndex *input_index(struct arena *a, int32_t index)
{
    Llb__InputIndex *m = NEW(a, Llb__InputIndex, llb__input_index__init);
    SET(m, input, index);
    return m;
}

static Llb__MergeOp *merge_op(struct arena *a, const struct op_merge *op)
{
    Llb__MergeOp *m = NEW(a, Llb__MergeOp, llb__merge_op__init);
    m->inputs = NEW_ARRAY(a, Llb__InputIndex *, op->n_inputs);
    for (size_t i = 0; i < op->n_inputs; i++)
        m->inputs[m->n_inputs++] = input_index(a, op->inputs[i]);
    return m;
}

static Llb__DiffOp *diff_op(struct arena *a, const struct op_diff *op)
{
    Llb__DiffOp *m = NEW(a, Llb__DiffOp, llb__diff_op__init);
    m->lower = input_index(a, op->lower);
    m->upper = input_index(a, op->upper);
    return m;
}

static Llb__Platform *platform_message(struct arena *a, const struct platform *p)
{
    Llb__Platform *m = NEW(a, Llb__Platform, llb__platform__init);
    SET_TEXT(m, architecture, p->architecture);
    SET_TEXT(m, os, p->os);
    SET_TEXT(m, variant, p->variant);
    SET_TEXT(m, os_version, p->os_version);
    return m;
}

static Llb__Input *input_message(struct arena *a, struct edge e)
{
    Llb__Input *m = NEW(a, Llb__Input, llb__input__init);
    SET_TEXT(m, digest, arena_strdup(a, digest_text(&e.vertex->digest).s));
    SET(m, index, e.index);
    return m;
}

static void set_operation(struct arena *a, const struct vertex *v, Llb__Op *m)
{
    switch (v->type) {
    case OP_SOURCE:
        m->op_case = LLB__OP__OP_SOURCE;
        m->source = source_op(a, &v->source);
        break;
    case OP_EXEC:
        m->op_case = LLB__OP__OP_EXEC;
        m->exec = exec_op(a, &v->exec);
        break;
    case OP_FILE:
        m->op_case = LLB__OP__OP_FILE;
        m->file = file_op(a, &v->file);
        break;
    case OP_MERGE:
        m->op_case = LLB__OP__OP_MERGE;
        m->merge = merge_op(a, &v->merge);
        break;
    case OP_DIFF:
        m->op_case = LLB__OP__OP_DIFF;
        m->diff = diff_op(a, &v->diff);
        break;
    case OP_BUILD:
    case OP_PASSTHROUGH:
        abort(); /* these are only ever copied as bytes */
    }
}

int vertex_encode(const struct vertex *v, struct buf *out, struct err *err)
{
    AUTO(arena_free) struct arena *a = arena_new();
    Llb__Op *m = NEW(a, Llb__Op, llb__op__init);
    m->inputs = NEW_ARRAY(a, Llb__Input *, v->n_inputs);
    for (size_t i = 0; i < v->n_inputs; i++)
        m->inputs[m->n_inputs++] = input_message(a, v->inputs[i]);
    set_operation(a, v, m);
    if (v->platform.is_set)
        m->platform = platform_message(a, &v->platform);
    m->constraints = NEW(a, Llb__WorkerConstraints, llb__worker_constraints__init);
    m->constraints->filter = texts(a, v->constraints, &m->constraints->n_filter);
    return message_pack(&m->base, out, err);
}

void terminal_encode(struct edge result, struct buf *out)
{
    AUTO(arena_free) struct arena *a = arena_new();
    Llb__Op *m = NEW(a, Llb__Op, llb__op__init);
    m->inputs = NEW_ARRAY(a, Llb__Input *, 1);
    m->inputs[m->n_inputs++] = input_message(a, result);
    size_t size = protobuf_c_message_get_packed_size(&m->base);
    protobuf_c_message_pack(&m->base, (uint8_t *)buf_reserve(out, size));
    buf_grown(out, size);
}
