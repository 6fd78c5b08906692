/* engine/snapshot/mount.h - one overlay mount.
 *
 * Two ways: fsopen(2) with an option for each layer (Linux 6.8 and newer, 500 layers), and mount(2)
 * with all layers in one page of text, whose names are kept short by a thread that stands in the
 * snapshots folder.  Linux: Documentation/filesystems/overlayfs.rst.  Threads: no state. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/core/err.h"

struct overlay_mount {
    int base_fd;               /* all paths but `target` are below it */
    const char *const *lowers; /* lowers[0] is the top */
    size_t n_lowers;
    const char *upper, *work; /* NULL: read-only; then n_lowers is at least 2 */
    const char *target;       /* absolute, an existing folder */
    bool is_user;             /* marks are kept in user.overlay.* */
    bool is_old;              /* mount(2) only: for tests */
};
/* Fails: UNSUPPORTED (overlayfs is not there or does not take these folders), DENIED, LIMIT (more
 * layers than the kernel takes). */
NODISCARD int overlay_mount(const struct overlay_mount *m, struct err *err);
/* Nobody sees it from now on; who has files open keeps them. */
void overlay_unmount(const char *target);
