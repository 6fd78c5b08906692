/* engine/graph/print_json.c - a graph in full, for tests and for people who look for a difference.
 *
 * What is at its default is left out.  Threads: only reads. */
#include <string.h>

#include "base/codec/json.h"
#include "base/codec/text.h"
#include "engine/graph/internal.h"

static void put_text(struct json *o, const char *key, const char *text)
{
    if (text && text[0])
        json_set_str(o, key, text);
}

static void put_int(struct json *o, const char *key, int64_t value, int64_t or_else)
{
    if (value != or_else)
        json_set_int(o, key, value);
}

static void put_flag(struct json *o, const char *key, bool value)
{
    if (value)
        json_set_bool(o, key, true);
}

static void put_strings(struct json *o, const char *key, struct strings s)
{
    if (!s.n)
        return;
    struct json *array = json_new_array();
    for (size_t i = 0; i < s.n; i++)
        json_push(array, json_new_str(s.items[i]));
    json_set(o, key, array);
}

static void put_pairs(struct json *o, const char *key, struct pairs p)
{
    if (!p.n)
        return;
    struct json *object = json_new_object();
    for (size_t i = 0; i < p.n; i++)
        json_set_str(object, p.items[i].key, p.items[i].value);
    json_set(o, key, object);
}

static struct json *mount_json(const struct op_mount *m)
{
    static const char *const types[] = { "bind", "secret", "ssh", "cache", "tmpfs" };
    static const char *const sharings[] = { "shared", "private", "locked" };
    static const char *const contents[] = { "default", "on", "off" };
    struct json *o = json_new_object();
    json_set_str(o, "type", types[m->type]);
    json_set_str(o, "dest", m->dest);
    put_text(o, "selector", m->selector);
    put_int(o, "input", m->input, -1);
    put_int(o, "output", m->output, -1);
    put_flag(o, "readonly", m->is_readonly);
    put_text(o, "id", m->id);
    if (m->type == MOUNT_CACHE)
        json_set_str(o, "sharing", sharings[m->sharing]);
    put_int(o, "size", m->size, 0);
    put_int(o, "uid", m->uid, 0);
    put_int(o, "gid", m->gid, 0);
    put_int(o, "mode", m->mode, 0);
    put_flag(o, "optional", m->is_optional);
    put_text(o, "resultID", m->result_id);
    if (m->content_cache != CONTENT_CACHE_DEFAULT)
        json_set_str(o, "contentCache", contents[m->content_cache]);
    return o;
}

static void put_proxy(struct json *o, const struct exec_proxy *p)
{
    if (!p->is_set)
        return;
    struct json *proxy = json_new_object();
    put_text(proxy, "http", p->http);
    put_text(proxy, "https", p->https);
    put_text(proxy, "ftp", p->ftp);
    put_text(proxy, "no", p->no);
    put_text(proxy, "all", p->all);
    json_set(o, "proxy", proxy);
}

static void put_exec_lists(struct json *o, const struct op_exec *op)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < op->n_hosts; i++) {
        struct json *host = json_new_object();
        json_set_str(host, "host", op->hosts[i].host);
        json_set_str(host, "ip", op->hosts[i].ip);
        json_push(list, host);
    }
    json_set(o, "hosts", list);
    list = json_new_array();
    for (size_t i = 0; i < op->n_ulimits; i++) {
        struct json *limit = json_new_object();
        json_set_str(limit, "name", op->ulimits[i].name);
        json_set_int(limit, "soft", op->ulimits[i].soft);
        json_set_int(limit, "hard", op->ulimits[i].hard);
        json_push(list, limit);
    }
    json_set(o, "ulimits", list);
    list = json_new_array();
    for (size_t i = 0; i < op->n_exit_codes; i++)
        json_push(list, json_new_int(op->exit_codes[i]));
    json_set(o, "exitCodes", list);
    list = json_new_array();
    for (size_t i = 0; i < op->n_secret_env; i++) {
        struct json *secret = json_new_object();
        json_set_str(secret, "id", op->secret_env[i].id);
        json_set_str(secret, "name", op->secret_env[i].name);
        put_flag(secret, "optional", op->secret_env[i].is_optional);
        json_push(list, secret);
    }
    json_set(o, "secretEnv", list);
    list = json_new_array();
    for (size_t i = 0; i < op->n_devices; i++) {
        struct json *device = json_new_object();
        json_set_str(device, "name", op->devices[i].name);
        put_flag(device, "optional", op->devices[i].is_optional);
        json_push(list, device);
    }
    json_set(o, "devices", list);
}

static void drop_empty_lists(struct json *o)
{
    static const char *const keys[] = { "hosts", "ulimits", "exitCodes", "secretEnv", "devices" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!json_len(json_get(o, keys[i])))
            json_remove(o, keys[i]);
}

static struct json *exec_json(const struct op_exec *op)
{
    static const char *const networks[] = { "default", "host", "none" };
    struct json *o = json_new_object(), *mounts = json_new_array();
    put_strings(o, "args", op->args);
    put_strings(o, "env", op->env);
    put_text(o, "cwd", op->cwd);
    put_text(o, "user", op->user);
    put_text(o, "hostname", op->hostname);
    for (size_t i = 0; i < op->n_mounts; i++)
        json_push(mounts, mount_json(&op->mounts[i]));
    json_set(o, "mounts", mounts);
    if (op->network != NETWORK_DEFAULT)
        json_set_str(o, "network", networks[op->network]);
    put_flag(o, "insecure", op->security == SECURITY_INSECURE);
    put_text(o, "cgroupParent", op->cgroup_parent);
    put_flag(o, "removeMountStubs", op->removes_mount_stubs);
    put_proxy(o, &op->proxy);
    put_exec_lists(o, op);
    drop_empty_lists(o);
    return o;
}

static void put_owner_part(struct json *o, const char *key, const struct owner_part *p)
{
    if (p->kind == OWNER_ID)
        json_set_int(o, key, p->id);
    if (p->kind != OWNER_NAME)
        return;
    struct json *named = json_new_object();
    json_set_str(named, "name", p->name);
    json_set_int(named, "input", p->input);
    json_set(o, key, named);
}

static void put_owner(struct json *o, const struct owner *owner)
{
    if (!owner->is_set)
        return;
    struct json *both = json_new_object();
    put_owner_part(both, "user", &owner->user);
    put_owner_part(both, "group", &owner->group);
    json_set(o, "owner", both);
}

static void put_copy(struct json *o, const struct op_action *act)
{
    json_set_str(o, "src", act->src);
    put_text(o, "modeText", act->mode_text);
    put_strings(o, "include", act->include);
    put_strings(o, "exclude", act->exclude);
    put_strings(o, "required", act->required);
    put_flag(o, "followSymlinks", act->follows_symlinks);
    put_flag(o, "dirContents", act->copies_dir_contents);
    put_flag(o, "unpack", act->unpacks_archives);
    put_flag(o, "createDestPath", act->creates_dest_path);
    put_flag(o, "mayMatchNothing", act->may_match_nothing);
    put_flag(o, "replaceExisting", act->replaces_existing);
}

static void put_data(struct json *o, struct span data)
{
    struct err not_text = { 0 };
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 2 * LIMIT_GRAPH_BYTES);
    if (text_check(data, "data", &not_text) == 0) {
        json_set(o, "data", json_new_strn(data));
        return;
    }
    base64_print(data, &text);
    json_set_str(o, "dataBase64", text.data);
}

static struct json *action_json(const struct op_action *act)
{
    static const char *const types[] = { "", "copy", "mkfile", "mkdir", "rm", "symlink" };
    struct json *o = json_new_object();
    json_set_str(o, "type", types[act->type]);
    put_int(o, "input", act->input, -1);
    put_int(o, "secondaryInput", act->secondary, -1);
    put_int(o, "output", act->output, -1);
    json_set_str(o, "path", act->path);
    if (act->type == ACTION_COPY)
        put_copy(o, act);
    put_flag(o, "wildcards", act->has_wildcards);
    put_flag(o, "makeParents", act->makes_parents);
    put_flag(o, "mayBeMissing", act->may_be_missing);
    put_text(o, "target", act->target);
    if (act->type == ACTION_MKFILE)
        put_data(o, act->data);
    if (act->type == ACTION_COPY || act->type == ACTION_MKFILE || act->type == ACTION_MKDIR)
        put_int(o, "mode", act->mode, MODE_KEEP);
    put_int(o, "timestamp", act->timestamp_ns, TIMESTAMP_NONE);
    put_owner(o, &act->owner);
    return o;
}

static void put_operation(struct json *o, const struct vertex *v)
{
    struct json *list;
    switch (v->type) {
    case OP_SOURCE:
        json_set_str(o, "identifier", v->source.identifier);
        put_pairs(o, "attrs", v->source.attrs);
        return;
    case OP_EXEC:
        json_set(o, "exec", exec_json(&v->exec));
        return;
    case OP_FILE:
        list = json_new_array();
        for (size_t i = 0; i < v->file.n_actions; i++)
            json_push(list, action_json(&v->file.actions[i]));
        json_set(o, "actions", list);
        return;
    case OP_DIFF:
        json_set_int(o, "lower", v->diff.lower);
        json_set_int(o, "upper", v->diff.upper);
        return;
    case OP_BUILD:
        json_set_int(o, "builder", v->build.builder);
        put_pairs(o, "attrs", v->build.attrs);
        return;
    case OP_MERGE:
        list = json_new_array();
        for (size_t i = 0; i < v->merge.n_inputs; i++)
            json_push(list, json_new_int(v->merge.inputs[i]));
        json_set(o, "merge", list);
        return;
    case OP_PASSTHROUGH:
        return;
    }
}

static void put_about(struct json *o, const struct vertex *v)
{
    static const char *const exports[] = { "", "yes", "no" };
    put_pairs(o, "description", v->description);
    put_flag(o, "ignoreCache", v->ignores_cache);
    put_text(o, "exportCache", exports[v->export_cache]);
    put_strings(o, "caps", v->caps);
    if (v->group.is_set) {
        struct json *group = json_new_object();
        json_set_str(group, "id", v->group.id);
        json_set_str(group, "name", v->group.name);
        put_flag(group, "weak", v->group.is_weak);
        json_set(o, "progressGroup", group);
    }
    struct json *list = json_new_array();
    for (size_t i = 0; i < v->n_ranges; i++) {
        struct json *range = json_new_object();
        json_set_str(range, "file", v->ranges[i].file->name);
        json_set_int(range, "start", v->ranges[i].start_line);
        json_set_int(range, "end", v->ranges[i].end_line);
        json_push(list, range);
    }
    json_set(o, "ranges", list);
    if (!v->n_ranges)
        json_remove(o, "ranges");
}

static struct json *vertex_json(const struct vertex *v)
{
    struct json *o = json_new_object();
    json_set_str(o, "digest", digest_text(&v->digest).s);
    json_set_str(o, "type", op_type_name(v->type));
    if (v->n_inputs) {
        struct json *inputs = json_new_array();
        for (size_t i = 0; i < v->n_inputs; i++) {
            struct json *input = json_new_object();
            json_set_str(input, "digest", digest_text(&v->inputs[i].vertex->digest).s);
            json_set_int(input, "index", v->inputs[i].index);
            json_push(inputs, input);
        }
        json_set(o, "inputs", inputs);
    }
    put_operation(o, v);
    if (v->platform.is_set)
        json_set_str(o, "platform", platform_text(&v->platform).s);
    put_strings(o, "constraints", v->constraints);
    put_about(o, v);
    return o;
}

void graph_print_json(const struct graph *g, struct buf *out)
{
    AUTO(json_free) struct json *array = json_new_array();
    for (size_t i = 0; i < g->n_vertices; i++)
        json_push(array, vertex_json(g->vertices[i]));
    json_print_pretty(array, out);
}
