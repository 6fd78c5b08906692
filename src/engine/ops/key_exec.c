/* engine/ops/key_exec.c - the key of a step.
 *
 * Left out: proxies, addresses of extra hosts, ids of caches that are not called by their folder.
 * A step with no mount but its root has no mounts in its key (BuildKit had forgotten them once, and
 * keeps the keys).
 *
 * Spec: BuildKit solver/llbsolver/ops/exec.go. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "engine/ops/key.h"

/* ---- mounts ---- */

static struct json *secret(const struct op_mount *m)
{
    struct json *o = json_new_object();
    key_put_text(o, "ID", m->id);
    key_put_int(o, "uid", m->uid);
    key_put_int(o, "gid", m->gid);
    key_put_int(o, "mode", m->mode);
    key_put_flag(o, "optional", m->is_optional);
    return o;
}

/* What a Dockerfile calls a cache that it does not name: its folder, perhaps behind a prefix. */
static bool has_default_name(const struct op_mount *m)
{
    const char *slash = strchr(m->id, '/');
    return m->sharing == CACHE_SHARED &&
           (strcmp(m->id, m->dest) == 0 || (slash && strcmp(slash + 1, m->dest) == 0));
}

static struct json *cache(const struct op_mount *m)
{
    struct json *o = json_new_object();
    if (has_default_name(m))
        key_put_text(o, "ID", m->id);
    return o;
}

static struct json *tmpfs(const struct op_mount *m)
{
    struct json *o = json_new_object();
    key_put_int(o, "size", m->size);
    return o;
}

static struct json *mount(const struct op_mount *m)
{
    struct json *o = json_new_object();
    bool has_output = m->type != MOUNT_SECRET && m->type != MOUNT_SSH;
    key_put_int(o, "input", m->input);
    key_put_text(o, "dest", m->dest);
    key_put_int(o, "output", has_output ? m->output : 0);
    key_put_flag(o, "readonly", m->is_readonly);
    key_put_int(o, "mountType", m->type);
    if (m->type == MOUNT_TMPFS)
        json_set(o, "TmpfsOpt", tmpfs(m));
    else if (m->type == MOUNT_CACHE)
        json_set(o, "cacheOpt", cache(m));
    else if (m->type == MOUNT_SECRET)
        json_set(o, "secretOpt", secret(m));
    else if (m->type == MOUNT_SSH)
        json_set(o, "SSHOpt", secret(m));
    key_put_text(o, "resultID", m->result_id);
    key_put_int(o, "contentCache", m->content_cache);
    return o;
}

static bool is_root_alone(const struct op_exec *e)
{
    const struct op_mount *m = e->mounts;
    return e->n_mounts == 1 && strcmp(m->dest, "/") == 0 && !m->is_readonly &&
           m->type == MOUNT_BIND && (!m->result_id || !*m->result_id);
}

/* ---- what runs ---- */

static void put_lists(struct json *meta, const struct op_exec *e)
{
    struct json *hosts = json_new_array();
    for (size_t i = 0; i < e->n_hosts; i++) {
        struct json *o = json_new_object();
        key_put_text(o, "Host", e->hosts[i].host);
        json_push(hosts, o);
    }
    key_put_array(meta, "extraHosts", hosts);
    key_put_text(meta, "hostname", e->hostname);
    struct json *ulimits = json_new_array();
    for (size_t i = 0; i < e->n_ulimits; i++) {
        struct json *o = json_new_object();
        key_put_text(o, "Name", e->ulimits[i].name);
        key_put_int(o, "Soft", e->ulimits[i].soft);
        key_put_int(o, "Hard", e->ulimits[i].hard);
        json_push(ulimits, o);
    }
    key_put_array(meta, "ulimit", ulimits);
    key_put_text(meta, "cgroupParent", e->cgroup_parent);
    key_put_flag(meta, "removeMountStubsRecursive", e->removes_mount_stubs);
    struct json *codes = json_new_array();
    for (size_t i = 0; i < e->n_exit_codes; i++)
        json_push(codes, json_new_int(e->exit_codes[i]));
    key_put_array(meta, "validExitCodes", codes);
}

static struct json *meta(const struct op_exec *e)
{
    struct json *o = json_new_object();
    key_put_list(o, "args", &e->args);
    key_put_list(o, "env", &e->env);
    key_put_text(o, "cwd", e->cwd);
    key_put_text(o, "user", e->user);
    put_lists(o, e);
    return o;
}

static struct json *exec(const struct op_exec *e)
{
    struct json *o = json_new_object(), *mounts = json_new_array();
    struct json *secrets = json_new_array(), *devices = json_new_array();
    json_set(o, "meta", meta(e));
    for (size_t i = 0; !is_root_alone(e) && i < e->n_mounts; i++)
        json_push(mounts, mount(&e->mounts[i]));
    key_put_array(o, "mounts", mounts);
    key_put_int(o, "network", e->network);
    key_put_int(o, "security", e->security);
    for (size_t i = 0; i < e->n_secret_env; i++) {
        struct json *s = json_new_object();
        key_put_text(s, "ID", e->secret_env[i].id);
        key_put_text(s, "name", e->secret_env[i].name);
        key_put_flag(s, "optional", e->secret_env[i].is_optional);
        json_push(secrets, s);
    }
    key_put_array(o, "secretenv", secrets);
    for (size_t i = 0; i < e->n_devices; i++) {
        struct json *d = json_new_object();
        key_put_text(d, "name", e->devices[i].name);
        key_put_flag(d, "optional", e->devices[i].is_optional);
        json_push(devices, d);
    }
    key_put_array(o, "cdiDevices", devices);
    return o;
}

struct digest key_of_exec(const struct vertex *v)
{
    struct platform p = v->platform.is_set ? v->platform : platform_host();
    AUTO(json_free) struct json *o = json_new_object();
    json_set_str(o, "Type", "buildkit.exec.v0");
    json_set(o, "Exec", exec(&v->exec));
    json_set_str(o, "OS", p.os);
    json_set_str(o, "Arch", p.architecture);
    key_put_text(o, "Variant", p.variant);
    key_put_text(o, "OSVersion", p.os_version);
    return key_digest(o);
}

/* ---- what is read ---- */

void exec_input_paths(const struct vertex *v, size_t i, struct arena *a, struct key_paths *out)
{
    out->vertex = v;
    out->input = i;
    for (size_t k = 0; k < v->exec.n_mounts; k++) {
        const struct op_mount *m = &v->exec.mounts[k];
        if (m->input != (int32_t)i || m->type == MOUNT_SECRET || m->type == MOUNT_SSH ||
            m->type == MOUNT_TMPFS)
            continue;
        AUTO_FREE char *rooted = xasprintf("/%s", m->selector ? m->selector : "");
        AUTO_FREE char *clean = pattern_clean(span_of(rooted));
        *vec_push(out) = (struct key_path){ .path = arena_strdup(a, clean), .follows = true };
    }
}
