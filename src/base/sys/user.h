/* base/sys/user.h - who we are, and entering a user namespace.
 *
 * Threads: userns_enter() and mountns_enter() must be called while the process has one thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/core/err.h"

/* How ids inside relate to ids outside. */
struct id_map {
    bool is_single; /* only id 0 exists: chown to another id is impossible */
    uint32_t n_ids; /* ids 0 .. n_ids-1 exist (gaps ignored) */
};

/* True when this process may mount and chown by itself: uid 0 with CAP_SYS_ADMIN and CAP_CHOWN. */
bool user_is_privileged(void);
/* Enters a new user and mount namespace in which we are root: as root outside with every id that
 * exists there, else with newuidmap/newgidmap and /etc/subuid where those are there and work, else
 * with our own id as the only one.  Mounts become private.
 * Fails: DENIED with a hint that names what forbids it (sysctl, seccomp, AppArmor); a child tries
 * it first, so the process is as it was then. */
NODISCARD int userns_enter(struct id_map *out, struct err *err);
/* A private mount namespace, so that every mount vanishes with this process.  Fails: DENIED. */
NODISCARD int mountns_enter(struct err *err);
/* The id map in force now (from /proc/self/uid_map). */
NODISCARD int id_map_current(struct id_map *out, struct err *err);
/* $HOME, else the passwd entry's, else "/".  Borrowed from libc: copy it before other threads
 * start. */
const char *user_home(void);
