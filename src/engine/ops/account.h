/* engine/ops/account.h - who runs: users and groups, as an image's own files have them.
 *
 * Spec: passwd(5), group(5); docker's reading of USER.  Threads: no state. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/err.h"

struct account {
    uint32_t uid, gid;
    char *home; /* owned; NULL: not known */
    struct {
        uint32_t *items; /* supplementary */
        size_t n, cap;
    } groups;
};
void account_clear(struct account *a);
/* "", name, uid, name:group, uid:gid as USER has them.  A name that is not there is NOT_FOUND. */
NODISCARD int account_find(int root_fd, const char *user, struct account *out, struct err *err);
/* The uid and primary group of a name; false when it is not there or the file is missing. */
bool account_find_user(int root_fd, const char *name, uint32_t *uid, uint32_t *gid);
bool account_find_group(int root_fd, const char *name, uint32_t *gid);
