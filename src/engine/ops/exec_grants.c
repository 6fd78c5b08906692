/* engine/ops/exec_grants.c - what a step may have only when the build was granted it.
 *
 * Spec: BuildKit util/entitlements: network.host, security.insecure, device. */
#include <string.h>

#include "engine/ops/internal.h"

static bool may_use(const struct ops_grants *g, const char *device)
{
    for (size_t i = 0; i < g->n_devices; i++)
        if (strcmp(g->devices[i], device) == 0)
            return true;
    return g->has_every_device;
}

static int check_device(const struct ops *ops, const struct exec_device *d, struct err *err)
{
    AUTO_VALUE(cdi_edits_clear) struct cdi_edits found = { 0 };
    const char *folders = ops->o.cdi_folders ? ops->o.cdi_folders : CDI_FOLDERS;
    bool is_there = false;
    if (cdi_find(folders, d->name, &found, &is_there, err))
        return err_wrap(err, "device %s", d->name);
    if (!is_there && d->is_optional)
        return 0;
    if (!is_there) {
        err_set(err, ERR_NOT_FOUND, "device %s: not found", d->name);
        return err_hint(err, "no file in %s describes it", folders);
    }
    if (found.allows_itself || may_use(&ops->o.grants, d->name))
        return 0;
    err_set(err, ERR_DENIED, "device %s is not allowed", d->name);
    return err_hint(err, "allow it with --allow device=%s", d->name);
}

int exec_check_grants(const struct ops *ops, const struct op_exec *e, struct err *err)
{
    const struct ops_grants *g = &ops->o.grants;
    const char *missing = e->network == NETWORK_HOST && !g->has_network_host ? "network.host"
                          : e->security == SECURITY_INSECURE && !g->has_security_insecure
                              ? "security.insecure"
                              : NULL;
    if (missing) {
        err_set(err, ERR_DENIED, "%s is not allowed", missing);
        return err_hint(err, "allow it with --allow %s", missing);
    }
    for (size_t i = 0; i < e->n_devices; i++)
        if (check_device(ops, &e->devices[i], err))
            return -1;
    return 0;
}

int exec_find_devices(const struct ops *ops, const struct op_exec *e, struct cdi_edits *out,
                      struct err *err)
{
    const char *folders = ops->o.cdi_folders ? ops->o.cdi_folders : CDI_FOLDERS;
    for (size_t i = 0; i < e->n_devices; i++) {
        bool is_there = false;
        if (cdi_find(folders, e->devices[i].name, out, &is_there, err))
            return err_wrap(err, "device %s", e->devices[i].name);
    }
    return 0;
}
