/* engine/ops/cdi.c - see cdi.h. */
#include "engine/ops/cdi.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec/yaml.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"

void cdi_edits_clear(struct cdi_edits *e)
{
    str_list_clear(&e->env);
    vec_each (&e->mounts, m) {
        free(m->host);
        free(m->dest);
    }
    vec_clear(&e->mounts);
    e->allows_itself = false;
}

static void add_mount(struct cdi_edits *out, const char *host, const char *dest, bool is_device,
                      bool is_readonly)
{
    *vec_push(&out->mounts) = (struct cdi_mount){ .host = xstrdup(host),
                                                  .dest = xstrdup(dest),
                                                  .is_device = is_device,
                                                  .is_readonly = is_readonly };
}

static int add_nodes(const struct json *edits, struct cdi_edits *out, struct err *err)
{
    const struct json *nodes = json_get(edits, "deviceNodes");
    for (size_t i = 0; i < json_len(nodes); i++) {
        const struct json *node = json_at(nodes, i);
        const char *dest = json_get_str(node, "path"), *host = json_get_str(node, "hostPath");
        if (!dest || dest[0] != '/' || (host && host[0] != '/'))
            return err_set(err, ERR_INVALID, "deviceNodes[%zu]: no absolute path", i);
        const char *permissions = json_get_str(node, "permissions");
        if (permissions && *permissions && (!strchr(permissions, 'r') || !strchr(permissions, 'w')))
            return err_set(err, ERR_UNSUPPORTED,
                           "deviceNodes[%zu]: permissions \"%s\": kiln lends a device for reading "
                           "and writing or not at all",
                           i, permissions);
        add_mount(out, host ? host : dest, dest, true, false);
    }
    return 0;
}

static int add_mounts(const struct json *edits, struct cdi_edits *out, struct err *err)
{
    const struct json *mounts = json_get(edits, "mounts");
    for (size_t i = 0; i < json_len(mounts); i++) {
        const struct json *mount = json_at(mounts, i);
        const char *host = json_get_str(mount, "hostPath");
        const char *dest = json_get_str(mount, "containerPath");
        AUTO_VALUE(str_list_clear) struct str_list options = { 0 };
        if (!host || host[0] != '/' || !dest || dest[0] != '/')
            return err_set(err, ERR_INVALID, "mounts[%zu]: no absolute path", i);
        if (!json_to_list(json_get(mount, "options"), &options))
            return err_set(err, ERR_INVALID, "mounts[%zu]: options are no list of texts", i);
        add_mount(out, host, dest, false, str_list_has(&options, "ro"));
    }
    return 0;
}

/* containerEdits, of a file or of one device in it. */
static int add_edits(const struct json *edits, struct cdi_edits *out, struct err *err)
{
    if (!json_to_list(json_get(edits, "env"), &out->env))
        return err_set(err, ERR_INVALID, "env is no list of texts");
    if (json_len(json_get(edits, "hooks")) > 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "its hooks are programs of the host's, which kiln "
                       "does not run");
    return add_nodes(edits, out, err) || add_mounts(edits, out, err) ? -1 : 0;
}

static bool says_allowed(const struct json *of)
{
    const char *value = json_get_str(json_get(of, "annotations"), CDI_ALLOWS_ITSELF);
    return value && strcmp(value, "true") == 0;
}

/* `wanted`: a device's name, "*", or NULL for the first one. */
static int take_devices(const struct json *spec, const char *wanted, struct cdi_edits *out,
                        bool *is_there, struct err *err)
{
    const struct json *devices = json_get(spec, "devices");
    bool is_all = wanted && strcmp(wanted, "*") == 0;
    for (size_t i = 0; i < json_len(devices); i++) {
        const struct json *device = json_at(devices, i);
        const char *name = json_get_str(device, "name");
        if (!name || (wanted && !is_all && strcmp(wanted, name) != 0))
            continue;
        bool is_allowed = says_allowed(spec) || says_allowed(device);
        out->allows_itself = *is_there ? out->allows_itself && is_allowed : is_allowed;
        *is_there = true;
        if (add_edits(json_get(device, "containerEdits"), out, err))
            return err_wrap(err, "device %s", name);
        if (!is_all)
            break;
    }
    return *is_there ? add_edits(json_get(spec, "containerEdits"), out, err) : 0;
}

/* NULL: it cannot be read, or is none. */
static struct json *read_spec(int folder, const char *file)
{
    struct err ignored = { 0 };
    struct json *spec = NULL;
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, LIMIT_JSON);
    if (fs_read_file(folder, file, &text, &ignored))
        return NULL;
    bool is_json = span_ends(span_of(file), ".json");
    int status = is_json ? json_parse(buf_span(&text), &spec, &ignored)
                         : yaml_parse(buf_span(&text), &spec, &ignored);
    return status ? NULL : spec;
}

static int look_in_folder(const char *path, const char *class, const char *wanted,
                          struct cdi_edits *out, bool *is_there, struct err *err)
{
    AUTO_FD int folder = -1;
    AUTO_VALUE(str_list_clear) struct str_list files = { 0 };
    if (fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &folder, err) ||
        fs_list(folder, ".", &files, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    for (size_t i = 0; i < files.n && !*is_there; i++) {
        struct span name = span_of(files.items[i]);
        if (!span_ends(name, ".json") && !span_ends(name, ".yaml"))
            continue;
        AUTO(json_free) struct json *spec = read_spec(folder, files.items[i]);
        const char *kind = json_get_str(spec, "kind");
        if (kind && strcmp(kind, class) == 0 && take_devices(spec, wanted, out, is_there, err))
            return err_wrap(err, "%s/%s", path, files.items[i]);
    }
    return 0;
}

int cdi_find(const char *folders, const char *name, struct cdi_edits *out, bool *is_there,
             struct err *err)
{
    const char *equals = strchr(name, '=');
    AUTO_FREE char *class = equals ? xstrndup(name, (size_t)(equals - name)) : xstrdup(name);
    AUTO_FREE char *rest = xstrdup(folders);
    *is_there = false;
    while (rest && *rest && !*is_there) { /* the last folder first */
        char *colon = strrchr(rest, ':');
        const char *path = colon ? colon + 1 : rest;
        if (*path && look_in_folder(path, class, equals ? equals + 1 : NULL, out, is_there, err))
            return -1;
        *(colon ? colon : rest) = '\0';
    }
    return 0;
}
