/* base/sys/internal.h - what user.c and userns.c share. */
#pragma once
#include <stdint.h>

#include "base/core/err.h"
#include "base/core/vec.h"

/* Ids that exist here, as /proc/self/uid_map or gid_map lists them. */
struct id_range {
    uint32_t first, n_ids;
};
struct id_ranges {
    struct id_range *items; /* owned */
    size_t n, cap;
};
void id_ranges_clear(struct id_ranges *ranges);
NODISCARD int id_ranges_read(const char *path, struct id_ranges *out, struct err *err);

/* Mounts made here or elsewhere stay where they were made. */
NODISCARD int mounts_make_private(struct err *err);

/* Looks for what forbids namespaces here, after a call failed with the errno `code`: makes `err`
 * DENIED and gives it that hint unless it has one.  Returns -1. */
int userns_explain(int code, struct err *err);
