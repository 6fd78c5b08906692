/* engine/attest/op_json.c - an operation of the graph as provenance shows it.
 *
 * Names of fields are those that Go's encoding/json gives BuildKit's protobuf structs; what is at
 * its default is left out.  Secrets have ids here, never values; URLs lose user and password.
 *
 * Spec: BuildKit solver/pb/ops.proto, docs/attestations/slsa-definitions.md. */
#include <string.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/attest/internal.h"

static void put_text(struct json *o, const char *key, const char *text)
{
    if (text && *text)
        json_set_str(o, key, text);
}

static void put_url(struct json *o, const char *key, const char *text)
{
    AUTO_FREE char *clean = urls_redacted(text ? text : "");
    put_text(o, key, clean);
}

static void put_int(struct json *o, const char *key, int64_t value)
{
    if (value)
        json_set_int(o, key, value);
}

static void put_flag(struct json *o, const char *key, bool value)
{
    if (value)
        json_set_bool(o, key, true);
}

static void put_list(struct json *o, const char *key, struct strings list)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < list.n; i++)
        json_push(array, json_new_str(list.items[i]));
    if (list.n)
        json_set(o, key, array);
    else
        json_free(array);
}

/* ---- source ---- */

static struct json *source_json(const struct op_source *s)
{
    struct json *o = json_new_object(), *attrs = json_new_object();
    put_url(o, "identifier", s->identifier);
    for (size_t i = 0; i < s->attrs.n; i++)
        /* Of this session alone: the same build would differ by it. */
        if (strcmp(s->attrs.items[i].key, ATTR_LOCAL_SESSION) != 0 &&
            strcmp(s->attrs.items[i].key, ATTR_LOCAL_UNIQUE) != 0)
            put_url(attrs, s->attrs.items[i].key, s->attrs.items[i].value);
    json_set(o, "attrs", attrs);
    if (!json_len(attrs))
        json_remove(o, "attrs");
    return o;
}

/* ---- exec ---- */

static struct json *secret_json(const struct op_mount *m)
{
    struct json *o = json_new_object();
    json_set_str(o, "ID", m->id);
    put_int(o, "uid", m->uid);
    put_int(o, "gid", m->gid);
    put_int(o, "mode", m->mode);
    put_flag(o, "optional", m->is_optional);
    return o;
}

static struct json *mount_json(const struct op_mount *m)
{
    struct json *o = json_new_object(), *more = NULL;
    bool has_edges = m->type != MOUNT_SECRET && m->type != MOUNT_SSH; /* else never set: 0 */
    json_set_int(o, "input", has_edges ? m->input : 0);
    put_text(o, "selector", m->selector);
    json_set_str(o, "dest", m->dest);
    json_set_int(o, "output", has_edges ? m->output : 0);
    put_flag(o, "readonly", m->is_readonly);
    put_int(o, "mountType",
            m->type == MOUNT_BIND     ? 0
            : m->type == MOUNT_SECRET ? 1
            : m->type == MOUNT_SSH    ? 2
            : m->type == MOUNT_CACHE  ? 3
                                      : 4);
    if (m->type == MOUNT_SECRET)
        json_set(o, "secretOpt", secret_json(m));
    if (m->type == MOUNT_SSH)
        json_set(o, "SSHOpt", secret_json(m));
    if (m->type == MOUNT_CACHE) {
        json_set(o, "cacheOpt", more = json_new_object());
        json_set_str(more, "ID", m->id);
        put_int(more, "sharing", m->sharing);
    }
    if (m->type == MOUNT_TMPFS) {
        json_set(o, "TmpfsOpt", more = json_new_object());
        put_int(more, "size", m->size);
    }
    put_int(o, "contentCache", m->content_cache);
    return o;
}

static void put_proxy(struct json *meta, const struct exec_proxy *p)
{
    struct json *o = json_new_object();
    put_url(o, "http_proxy", p->http);
    put_url(o, "https_proxy", p->https);
    put_url(o, "ftp_proxy", p->ftp);
    put_url(o, "no_proxy", p->no);
    put_url(o, "all_proxy", p->all);
    json_set(meta, "proxy_env", o);
}

static struct json *meta_json(const struct op_exec *e)
{
    struct json *o = json_new_object(), *hosts = json_new_array(), *limits = json_new_array();
    put_list(o, "args", e->args);
    put_list(o, "env", e->env);
    put_text(o, "cwd", e->cwd);
    put_text(o, "user", e->user);
    if (e->proxy.is_set)
        put_proxy(o, &e->proxy);
    for (size_t i = 0; i < e->n_hosts; i++) {
        struct json *host = json_new_object();
        json_set_str(host, "Host", e->hosts[i].host);
        json_set_str(host, "IP", e->hosts[i].ip);
        json_push(hosts, host);
    }
    json_set(o, "extraHosts", hosts);
    put_text(o, "hostname", e->hostname);
    for (size_t i = 0; i < e->n_ulimits; i++) {
        struct json *limit = json_new_object();
        json_set_str(limit, "Name", e->ulimits[i].name);
        json_set_int(limit, "Soft", e->ulimits[i].soft);
        json_set_int(limit, "Hard", e->ulimits[i].hard);
        json_push(limits, limit);
    }
    json_set(o, "ulimit", limits);
    if (!e->n_hosts)
        json_remove(o, "extraHosts");
    if (!e->n_ulimits)
        json_remove(o, "ulimit");
    put_text(o, "cgroupParent", e->cgroup_parent);
    put_flag(o, "removeMountStubsRecursive", e->removes_mount_stubs);
    return o;
}

static struct json *exec_json(const struct op_exec *e)
{
    struct json *o = json_new_object(), *mounts = json_new_array(), *secrets = json_new_array();
    json_set(o, "meta", meta_json(e));
    for (size_t i = 0; i < e->n_mounts; i++)
        json_push(mounts, mount_json(&e->mounts[i]));
    json_set(o, "mounts", mounts);
    put_int(o, "network", e->network);
    put_int(o, "security", e->security);
    for (size_t i = 0; i < e->n_secret_env; i++) {
        struct json *secret = json_new_object();
        json_set_str(secret, "ID", e->secret_env[i].id);
        json_set_str(secret, "name", e->secret_env[i].name);
        put_flag(secret, "optional", e->secret_env[i].is_optional);
        json_push(secrets, secret);
    }
    json_set(o, "secretenv", secrets);
    if (!e->n_secret_env)
        json_remove(o, "secretenv");
    return o;
}

/* ---- file ---- */

static void put_owner_part(struct json *owner, const char *key, const struct owner_part *p)
{
    struct json *choice = json_new_object(), *part = json_new_object(), *name = NULL;
    if (p->kind == OWNER_ID) {
        json_set_int(choice, "byID", p->id);
    } else if (p->kind == OWNER_NAME) {
        json_set(choice, "byName", name = json_new_object());
        json_set_str(name, "name", p->name);
        json_set_int(name, "input", p->input);
    }
    json_set(part, "User", choice);
    if (p->kind != OWNER_KEEP)
        json_set(owner, key, part);
    else
        json_free(part);
}

static void put_common(struct json *o, const struct op_action *a)
{
    struct json *owner = NULL;
    if (a->owner.is_set) {
        json_set(o, "owner", owner = json_new_object());
        put_owner_part(owner, "user", &a->owner.user);
        put_owner_part(owner, "group", &a->owner.group);
    }
    put_int(o, "mode", a->mode);
    json_set_int(o, "timestamp", a->timestamp_ns);
}

static struct json *copy_json(const struct op_action *a)
{
    struct json *o = json_new_object();
    put_text(o, "src", a->src);
    put_text(o, "dest", a->path);
    put_common(o, a);
    put_flag(o, "followSymlink", a->follows_symlinks);
    put_flag(o, "dirCopyContents", a->copies_dir_contents);
    put_flag(o, "attemptUnpackDockerCompatibility", a->unpacks_archives);
    put_flag(o, "createDestPath", a->creates_dest_path);
    put_flag(o, "allowWildcard", a->has_wildcards);
    put_flag(o, "allowEmptyWildcard", a->may_match_nothing);
    put_list(o, "include_patterns", a->include);
    put_list(o, "exclude_patterns", a->exclude);
    put_list(o, "required_paths", a->required);
    put_flag(o, "alwaysReplaceExistingDestPaths", a->replaces_existing);
    put_text(o, "modeStr", a->mode_text);
    return o;
}

static struct json *mkfile_json(const struct op_action *a)
{
    struct json *o = json_new_object();
    struct buf data;
    buf_init(&data, 2 * LIMIT_GRAPH_BYTES);
    base64_print(a->data, &data);
    put_text(o, "path", a->path);
    put_text(o, "data", data.data);
    put_common(o, a);
    buf_clear(&data);
    return o;
}

static struct json *other_json(const struct op_action *a)
{
    struct json *o = json_new_object();
    bool is_link = a->type == ACTION_SYMLINK;
    if (is_link)
        put_text(o, "oldpath", a->target);
    put_text(o, is_link ? "newpath" : "path", a->path);
    if (a->type != ACTION_RM)
        put_common(o, a);
    put_flag(o, "makeParents", a->makes_parents);
    put_flag(o, "allowNotFound", a->may_be_missing);
    put_flag(o, "allowWildcard", a->type == ACTION_RM && a->has_wildcards);
    return o;
}

static struct json *action_json(const struct op_action *a)
{
    static const char *const names[] = { [ACTION_COPY] = "copy",
                                         [ACTION_MKFILE] = "mkfile",
                                         [ACTION_MKDIR] = "mkdir",
                                         [ACTION_RM] = "rm",
                                         [ACTION_SYMLINK] = "symlink" };
    struct json *o = json_new_object(), *choice = json_new_object();
    json_set_int(o, "input", a->input);
    json_set_int(o, "secondaryInput", a->secondary);
    json_set_int(o, "output", a->output);
    json_set(choice, names[a->type],
             a->type == ACTION_COPY     ? copy_json(a)
             : a->type == ACTION_MKFILE ? mkfile_json(a)
                                        : other_json(a));
    json_set(o, "Action", choice);
    return o;
}

static struct json *file_json(const struct op_file *f)
{
    struct json *o = json_new_object(), *actions = json_new_array();
    for (size_t i = 0; i < f->n_actions; i++)
        json_push(actions, action_json(&f->actions[i]));
    json_set(o, "actions", actions);
    return o;
}

/* ---- the rest ---- */

static struct json *merge_json(const struct op_merge *m)
{
    struct json *o = json_new_object(), *inputs = json_new_array();
    for (size_t i = 0; i < m->n_inputs; i++) {
        struct json *input = json_new_object();
        json_set_int(input, "input", m->inputs[i]);
        json_push(inputs, input);
    }
    json_set(o, "inputs", inputs);
    return o;
}

static struct json *diff_json(const struct op_diff *d)
{
    struct json *o = json_new_object(), *lower = json_new_object(), *upper = json_new_object();
    json_set_int(lower, "input", d->lower);
    json_set_int(upper, "input", d->upper);
    json_set(o, "lower", lower);
    json_set(o, "upper", upper);
    return o;
}

static struct json *choice_json(const struct vertex *v)
{
    switch (v->type) {
    case OP_SOURCE:
        return source_json(&v->source);
    case OP_EXEC:
        return exec_json(&v->exec);
    case OP_FILE:
        return file_json(&v->file);
    case OP_MERGE:
        return merge_json(&v->merge);
    case OP_DIFF:
        return diff_json(&v->diff);
    case OP_BUILD:
    case OP_PASSTHROUGH:
        break;
    }
    return json_new_object();
}

struct json *op_json(const struct vertex *v)
{
    struct json *o = json_new_object(), *choice = json_new_object(), *constraints = NULL;
    json_set(choice, op_type_name(v->type), choice_json(v));
    json_set(o, "Op", choice);
    if (v->platform.is_set) {
        struct json *platform = json_new_object();
        json_set_str(platform, "Architecture", v->platform.architecture);
        json_set_str(platform, "OS", v->platform.os);
        put_text(platform, "Variant", v->platform.variant);
        put_text(platform, "OSVersion", v->platform.os_version);
        json_set(o, "platform", platform);
    }
    json_set(o, "constraints", constraints = json_new_object());
    put_list(constraints, "filter", v->constraints);
    return o;
}
