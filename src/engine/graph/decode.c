/* engine/graph/decode.c - an operation out of protobuf bytes, checked.
 *
 * Everything passes through here, what a front end made as well as what came from outside; so
 * whoever reads a vertex may rely on it: indexes are in range, texts are UTF-8 without NUL, an exec
 * has a root, outputs are numbered 0, 1, ... without gap.
 *
 * Spec: engine/graph/ops.proto; BuildKit solver/llbsolver/ops for what is required.
 * Threads: nothing shared. */
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/graph/internal.h"

/* protobuf-c asks for memory here; nothing is freed before the arena is. */
struct pool_memory {
    struct arena *arena;
    size_t *room;
    bool is_full; /* something was refused */
};

static void *pool_alloc(void *data, size_t size)
{
    struct pool_memory *p = data;
    if (size > *p->room) {
        p->is_full = true;
        return NULL;
    }
    *p->room -= size;
    return arena_alloc(p->arena, size);
}

static void pool_free(void *data, void *ptr)
{
    (void)data, (void)ptr;
}

int message_unpack(const ProtobufCMessageDescriptor *type, struct span bytes, struct arena *a,
                   size_t *room, const char *what, ProtobufCMessage **out, struct err *err)
{
    struct pool_memory memory = { .arena = a, .room = room };
    ProtobufCAllocator allocator = { .alloc = pool_alloc,
                                     .free = pool_free,
                                     .allocator_data = &memory };
    static const uint8_t none[1];
    const uint8_t *data = bytes.len ? (const uint8_t *)bytes.ptr : none;
    *out = protobuf_c_message_unpack(type, &allocator, bytes.len, data);
    if (memory.is_full)
        return err_set(err, ERR_LIMIT, "%s: unpacks to more than %zu bytes", what, UNPACK_ROOM);
    if (!*out)
        return err_set(err, ERR_INVALID, "%s: is no protobuf message of its kind", what);
    return 0;
}

/* Length of the UTF-8 character at s (RFC 3629: shortest form, no surrogates), or 0. */
static size_t utf8_len(const uint8_t *s, size_t len)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t least;
    } forms[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
    if (s[0] < 0x80)
        return s[0] ? 1 : 0;
    for (size_t i = 0; i < 3; i++) {
        if ((s[0] & forms[i].mask) != forms[i].lead)
            continue;
        size_t n = i + 2;
        uint32_t c = s[0] & (uint8_t)~forms[i].mask;
        if (n > len)
            return 0;
        for (size_t k = 1; k < n; k++) {
            if ((s[k] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (s[k] & 0x3f);
        }
        return c < forms[i].least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
    }
    return 0;
}

int text_check(struct span text, const char *field, struct err *err)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = utf8_len((const uint8_t *)text.ptr + i, text.len - i);
        if (!n)
            return err_set(err, ERR_INVALID, "field %s: byte %zu is %s", field, i,
                           text.ptr[i] ? "not UTF-8" : "NUL");
        i += n;
    }
    return 0;
}

int decode_text(struct decoder *d, ProtobufCBinaryData data, const char *field, const char **out)
{
    if (text_check(span_of_data(data), field, d->err))
        return -1;
    *out = data.len ? arena_strndup(d->arena, (const char *)data.data, data.len) : "";
    return 0;
}

int decode_texts(struct decoder *d, const ProtobufCBinaryData *items, size_t n, const char *field,
                 struct strings *out)
{
    const char **texts = arena_alloc(d->arena, (n + 1) * sizeof *texts);
    for (size_t i = 0; i < n; i++)
        if (decode_text(d, items[i], field, &texts[i]))
            return -1;
    *out = (struct strings){ texts, n };
    return 0;
}

int decode_pairs(struct decoder *d, Llb__Pair *const *items, size_t n, const char *field,
                 struct pairs *out)
{
    struct pair *pairs = arena_alloc(d->arena, (n + 1) * sizeof *pairs);
    for (size_t i = 0; i < n; i++)
        if (decode_text(d, items[i]->key, field, &pairs[i].key) ||
            decode_text(d, items[i]->value, field, &pairs[i].value))
            return -1;
    *out = pairs_merge(d->arena, (struct pairs){ pairs, n }, (struct pairs){ 0 });
    return 0;
}

int decode_index(struct decoder *d, int64_t index, size_t limit, const char *field, int32_t *out)
{
    if (index < -1 || index >= (int64_t)limit || index > INT32_MAX)
        return err_set(d->err, ERR_INVALID, "field %s: index %lld is out of range (%zu)", field,
                       (long long)index, limit);
    *out = (int32_t)index;
    return 0;
}

static int decode_enum(struct decoder *d, int32_t value, int32_t largest, const char *field)
{
    if (value < 0 || value > largest)
        return err_set(d->err, ERR_UNSUPPORTED, "field %s: value %d is not known", field, value);
    return 0;
}

static int decode_source(struct decoder *d, const Llb__SourceOp *m, struct op_source *op)
{
    if (decode_text(d, m->identifier, "identifier", &op->identifier) ||
        decode_pairs(d, m->attrs, m->n_attrs, "attrs", &op->attrs))
        return -1;
    if (!op->identifier[0])
        return err_set(d->err, ERR_INVALID, "field identifier: is missing");
    return 0;
}

static int decode_secret(struct decoder *d, const Llb__Secret *m, struct op_mount *mount)
{
    mount->id = "";
    if (!m)
        return 0;
    mount->uid = m->uid;
    mount->gid = m->gid;
    mount->mode = m->mode;
    mount->is_optional = m->optional;
    return decode_text(d, m->id, "id", &mount->id);
}

static int decode_cache(struct decoder *d, const Llb__Cache *m, struct op_mount *mount)
{
    if (!m)
        return 0;
    if (decode_enum(d, m->sharing, CACHE_LOCKED, "sharing"))
        return -1;
    mount->sharing = (enum cache_sharing)m->sharing;
    return decode_text(d, m->id, "id", &mount->id);
}

static int decode_mount(struct decoder *d, const Llb__Mount *m, size_t n_mounts,
                        struct op_mount *mount)
{
    if (decode_enum(d, m->type, MOUNT_TMPFS, "mountType") ||
        decode_enum(d, m->content_cache, CONTENT_CACHE_OFF, "contentCache") ||
        decode_text(d, m->dest, "dest", &mount->dest) ||
        decode_text(d, m->selector, "selector", &mount->selector) ||
        decode_text(d, m->result_id, "resultID", &mount->result_id) ||
        decode_index(d, m->input, d->v->n_inputs, "input", &mount->input))
        return -1;
    mount->type = (enum mount_type)m->type;
    mount->content_cache = (enum content_cache)m->content_cache;
    mount->is_readonly = m->readonly;
    mount->id = "";
    mount->output = -1;
    if (mount->input >= 0)
        mount->from = d->v->inputs[mount->input];
    if (mount->type == MOUNT_TMPFS)
        mount->size = m->tmpfs ? m->tmpfs->size : 0;
    if (mount->type == MOUNT_CACHE && decode_cache(d, m->cache, mount))
        return -1;
    if ((mount->type == MOUNT_SECRET && decode_secret(d, m->secret, mount)) ||
        (mount->type == MOUNT_SSH && decode_secret(d, m->ssh, mount)))
        return -1;
    if (mount->type == MOUNT_BIND && decode_index(d, m->output, n_mounts, "output", &mount->output))
        return -1;
    mount->has_no_output = mount->output < 0;
    return 0;
}

int decode_outputs(struct decoder *d, const int32_t *outputs, size_t n)
{
    bool *is_there = arena_alloc(d->arena, n + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (outputs[i] < 0)
            continue;
        if (is_there[outputs[i]])
            return err_set(d->err, ERR_INVALID, "field output: %d is given twice", outputs[i]);
        is_there[outputs[i]] = true;
        count++;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!is_there[i])
            return err_set(d->err, ERR_INVALID, "field output: %u is missing", i);
    d->v->n_outputs = count;
    return 0;
}

static int decode_mounts(struct decoder *d, const Llb__ExecOp *m, struct op_exec *op)
{
    struct op_mount *mounts = arena_alloc(d->arena, (m->n_mounts + 1) * sizeof *mounts);
    int32_t *outputs = arena_alloc(d->arena, (m->n_mounts + 1) * sizeof *outputs);
    size_t n_roots = 0;
    for (size_t i = 0; i < m->n_mounts; i++) {
        if (decode_mount(d, m->mounts[i], m->n_mounts, &mounts[i]))
            return err_wrap(d->err, "mount %zu", i);
        outputs[i] = mounts[i].output;
        n_roots += strcmp(mounts[i].dest, "/") == 0;
    }
    if (n_roots != 1)
        return err_set(d->err, ERR_INVALID, "field mounts: %zu of them are \"/\", not one",
                       n_roots);
    op->mounts = mounts;
    op->n_mounts = m->n_mounts;
    return decode_outputs(d, outputs, m->n_mounts);
}

static int decode_proxy(struct decoder *d, const Llb__ProxyEnv *m, struct exec_proxy *p)
{
    static const Llb__ProxyEnv none = LLB__PROXY_ENV__INIT;
    p->is_set = m != NULL;
    if (!m)
        m = &none;
    if (decode_text(d, m->http, "http_proxy", &p->http) ||
        decode_text(d, m->https, "https_proxy", &p->https) ||
        decode_text(d, m->ftp, "ftp_proxy", &p->ftp) || decode_text(d, m->no, "no_proxy", &p->no) ||
        decode_text(d, m->all, "all_proxy", &p->all))
        return -1;
    return 0;
}

static int decode_meta_lists(struct decoder *d, const Llb__Meta *m, struct op_exec *op)
{
    struct exec_host *hosts = arena_alloc(d->arena, (m->n_extra_hosts + 1) * sizeof *hosts);
    for (size_t i = 0; i < m->n_extra_hosts; i++)
        if (decode_text(d, m->extra_hosts[i]->host, "host", &hosts[i].host) ||
            decode_text(d, m->extra_hosts[i]->ip, "ip", &hosts[i].ip))
            return -1;
    struct exec_ulimit *ulimits = arena_alloc(d->arena, (m->n_ulimit + 1) * sizeof *ulimits);
    for (size_t i = 0; i < m->n_ulimit; i++) {
        ulimits[i] = (struct exec_ulimit){ .soft = m->ulimit[i]->soft, .hard = m->ulimit[i]->hard };
        if (decode_text(d, m->ulimit[i]->name, "ulimit", &ulimits[i].name))
            return -1;
    }
    int32_t *codes = arena_alloc(d->arena, (m->n_exit_codes + 1) * sizeof *codes);
    for (size_t i = 0; i < m->n_exit_codes; i++)
        codes[i] = m->exit_codes[i];
    op->hosts = hosts;
    op->n_hosts = m->n_extra_hosts;
    op->ulimits = ulimits;
    op->n_ulimits = m->n_ulimit;
    op->exit_codes = codes;
    op->n_exit_codes = m->n_exit_codes;
    return 0;
}

static int decode_meta(struct decoder *d, const Llb__Meta *m, struct op_exec *op)
{
    if (!m || !m->n_args)
        return err_set(d->err, ERR_INVALID, "field args: a step needs a command");
    if (decode_texts(d, m->args, m->n_args, "args", &op->args) ||
        decode_texts(d, m->env, m->n_env, "env", &op->env) ||
        decode_text(d, m->cwd, "cwd", &op->cwd) || decode_text(d, m->user, "user", &op->user) ||
        decode_text(d, m->hostname, "hostname", &op->hostname) ||
        decode_text(d, m->cgroup_parent, "cgroupParent", &op->cgroup_parent) ||
        decode_proxy(d, m->proxy_env, &op->proxy) || decode_meta_lists(d, m, op))
        return -1;
    if (!op->cwd[0])
        return err_set(d->err, ERR_INVALID, "field cwd: a step needs a working directory");
    op->removes_mount_stubs = m->remove_mount_stubs;
    return 0;
}

static int decode_exec(struct decoder *d, const Llb__ExecOp *m, struct op_exec *op)
{
    if (decode_meta(d, m->meta, op) || decode_mounts(d, m, op) ||
        decode_enum(d, m->network, NETWORK_NONE, "network") ||
        decode_enum(d, m->security, SECURITY_INSECURE, "security"))
        return -1;
    op->network = (enum exec_network)m->network;
    op->security = (enum exec_security)m->security;
    struct exec_secret_env *secrets = arena_alloc(d->arena, (m->n_secretenv + 1) * sizeof *secrets);
    for (size_t i = 0; i < m->n_secretenv; i++) {
        secrets[i].is_optional = m->secretenv[i]->optional;
        if (decode_text(d, m->secretenv[i]->id, "secretenv", &secrets[i].id) ||
            decode_text(d, m->secretenv[i]->name, "secretenv", &secrets[i].name))
            return -1;
    }
    struct exec_device *devices = arena_alloc(d->arena, (m->n_devices + 1) * sizeof *devices);
    for (size_t i = 0; i < m->n_devices; i++) {
        devices[i].is_optional = m->devices[i]->optional;
        if (decode_text(d, m->devices[i]->name, "cdiDevices", &devices[i].name))
            return -1;
    }
    op->secret_env = secrets;
    op->n_secret_env = m->n_secretenv;
    op->devices = devices;
    op->n_devices = m->n_devices;
    return 0;
}

static int decode_merge(struct decoder *d, const Llb__MergeOp *m, struct op_merge *op)
{
    int32_t *inputs = arena_alloc(d->arena, (m->n_inputs + 1) * sizeof *inputs);
    if (m->n_inputs < 2)
        return err_set(d->err, ERR_INVALID, "field inputs: a merge needs two");
    for (size_t i = 0; i < m->n_inputs; i++)
        if (decode_index(d, m->inputs[i]->input, d->v->n_inputs, "input", &inputs[i]))
            return -1;
    *op = (struct op_merge){ inputs, m->n_inputs };
    return 0;
}

static int decode_diff(struct decoder *d, const Llb__DiffOp *m, struct op_diff *op)
{
    if (!m->lower || !m->upper)
        return err_set(d->err, ERR_INVALID, "field %s: is missing", m->lower ? "upper" : "lower");
    if (decode_index(d, m->lower->input, d->v->n_inputs, "lower", &op->lower) ||
        decode_index(d, m->upper->input, d->v->n_inputs, "upper", &op->upper))
        return -1;
    return 0;
}

static int decode_build(struct decoder *d, const Llb__BuildOp *m, struct op_build *op)
{
    if (decode_index(d, m->builder, d->v->n_inputs, "builder", &op->builder) ||
        decode_pairs(d, m->attrs, m->n_attrs, "attrs", &op->attrs))
        return -1;
    return 0;
}

static int decode_operation(struct decoder *d, const Llb__Op *op)
{
    struct vertex *v = d->v;
    v->n_outputs = 1;
    switch (op->op_case) {
    case LLB__OP__OP_SOURCE:
        v->type = OP_SOURCE;
        return decode_source(d, op->source, &v->source);
    case LLB__OP__OP_EXEC:
        v->type = OP_EXEC;
        return decode_exec(d, op->exec, &v->exec);
    case LLB__OP__OP_FILE:
        v->type = OP_FILE;
        return decode_file(d, op->file, &v->file);
    case LLB__OP__OP_MERGE:
        v->type = OP_MERGE;
        return decode_merge(d, op->merge, &v->merge);
    case LLB__OP__OP_DIFF:
        v->type = OP_DIFF;
        return decode_diff(d, op->diff, &v->diff);
    case LLB__OP__OP_BUILD:
        v->type = OP_BUILD;
        return decode_build(d, op->build, &v->build);
    case LLB__OP__OP_PASSTHROUGH:
        v->type = OP_PASSTHROUGH;
        return 0;
    default:
        return err_set(d->err, ERR_UNSUPPORTED, "is of a kind that is not known here");
    }
}

static int decode_inputs(struct decoder *d, const Llb__Op *op, const struct map *known)
{
    struct edge *edges = arena_alloc(d->arena, (op->n_inputs + 1) * sizeof *edges);
    for (size_t i = 0; i < op->n_inputs; i++) {
        const char *digest;
        if (decode_text(d, op->inputs[i]->digest, "digest", &digest))
            return -1;
        const struct vertex *v = map_find(known, digest);
        int64_t index = op->inputs[i]->index;
        if (!v)
            return err_set(d->err, ERR_INVALID, "input %zu: there is no operation %s", i, digest);
        if (index < 0 || index >= (int64_t)v->n_outputs)
            return err_set(d->err, ERR_INVALID, "input %zu: %s has no output %lld", i, digest,
                           (long long)index);
        edges[i] = (struct edge){ v, (uint32_t)index };
    }
    d->v->inputs = edges;
    d->v->n_inputs = op->n_inputs;
    return 0;
}

static int decode_platform_part(struct decoder *d, ProtobufCBinaryData data, const char *field,
                                char to[PLATFORM_PART_MAX])
{
    const char *text;
    if (decode_text(d, data, field, &text))
        return -1;
    if (strlen(text) >= PLATFORM_PART_MAX)
        return err_set(d->err, ERR_INVALID, "platform: field %s: is too long", field);
    memcpy(to, text, strlen(text) + 1);
    return 0;
}

static int decode_platform(struct decoder *d, const Llb__Platform *m, struct platform *p)
{
    if (!m)
        return 0;
    p->is_set = true;
    if (decode_platform_part(d, m->os, "OS", p->os) ||
        decode_platform_part(d, m->architecture, "Architecture", p->architecture) ||
        decode_platform_part(d, m->variant, "Variant", p->variant) ||
        decode_platform_part(d, m->os_version, "OSVersion", p->os_version))
        return -1;
    return 0;
}

static int decode_into(struct decoder *d, const Llb__Op *op, const struct map *known)
{
    static const Llb__WorkerConstraints none = LLB__WORKER_CONSTRAINTS__INIT;
    const Llb__WorkerConstraints *c = op->constraints ? op->constraints : &none;
    if (decode_inputs(d, op, known) || decode_operation(d, op) ||
        decode_platform(d, op->platform, &d->v->platform) ||
        decode_texts(d, c->filter, c->n_filter, "constraints", &d->v->constraints))
        return -1;
    return 0;
}

int vertex_decode(const Llb__Op *op, struct span encoded, struct arena *a, const struct map *known,
                  struct vertex **out, struct err *err)
{
    struct decoder d = { .arena = a, .v = arena_alloc(a, sizeof *d.v), .err = err };
    d.v->digest = digest_of(encoded);
    d.v->encoded = bytes_copy(a, encoded);
    if (decode_into(&d, op, known))
        return err_wrap(err, "operation %.19s", digest_text(&d.v->digest).s);
    *out = d.v;
    return 0;
}
