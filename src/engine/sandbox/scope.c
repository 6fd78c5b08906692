/* engine/sandbox/scope.c - where a step has no pid namespace: its signals stay with its own
 * processes.
 *
 * The step then sees the processes of kiln, and its root is root to them.  Reading them is refused
 * by their greater rights; signals are refused by Landlock, from Linux 6.12 on.
 *
 * Spec: landlock(7), "Scope flags". */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/sandbox/internal.h"

/* As the kernel has it; Debian 12's header is older. */
struct ruleset {
    uint64_t handled_access_fs, handled_access_net, scoped;
};
enum { SCOPE_SIGNAL = 1 << 1, FIRST_ABI_WITH_SCOPES = 6, RULESET_VERSION = 1 };

int signals_confine(struct err *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
    if (abi < FIRST_ABI_WITH_SCOPES)
        return 0; /* nothing that this kernel could do */
    struct ruleset rules = { .scoped = SCOPE_SIGNAL };
    AUTO_FD int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        return err_sys(err, "confine signals");
    return 0;
}
