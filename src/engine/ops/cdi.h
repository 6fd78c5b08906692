/* engine/ops/cdi.h - devices by name: what a machine's CDI files say one brings into a step.
 *
 * A name is "vendor.com/class=device"; "vendor.com/class" is the first device of its class and
 * "vendor.com/class=*" all of them.  Files are *.json and *.yaml in the folders given, those of a
 * later folder before those of an earlier one.
 *
 * A device is the host's own node, lent to read and write: its owner and mode are the host's (uid,
 * gid and fileMode of the file say nothing here), `permissions` that allow less are refused, since
 * nothing would enforce them, and "m" is never given.
 *
 * Spec: CDI SPEC.md 0.8; left out: hooks (programs of the host's that would run on the step's
 * root), which make a device unusable here.  Threads: no state. */
#pragma once
#include "base/core/err.h"
#include "base/core/vec.h"

#define CDI_FOLDERS "/etc/cdi:/var/run/cdi"
#define CDI_ALLOWS_ITSELF "org.mobyproject.buildkit.device.autoallow"

struct cdi_mount {
    char *host, *dest; /* owned */
    bool is_device, is_readonly;
};
struct cdi_edits {
    struct str_list env; /* "K=V" */
    struct {
        struct cdi_mount *items;
        size_t n, cap;
    } mounts;
    bool allows_itself; /* every device found says so: no entitlement is needed */
};
void cdi_edits_clear(struct cdi_edits *e);

/* Adds what the device brings to *out.  `folders` are separated by ":".  A file that is no CDI
 * specification is passed over unless it is of the device's class.  Fails: INVALID (a file of that
 * class that makes no sense), UNSUPPORTED (hooks), SYSTEM. */
NODISCARD int cdi_find(const char *folders, const char *name, struct cdi_edits *out, bool *is_there,
                       struct err *err);
