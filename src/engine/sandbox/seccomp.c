/* engine/sandbox/seccomp.c - installs the filter that seccomp_profile.c made when kiln was
 * compiled.
 *
 * Spec: seccomp(2).  Threads: no state. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/sandbox/internal.h"

static struct sock_filter profile[] = {
#include "engine/sandbox/seccomp_profile.inc"
};
enum { N_PROFILE = sizeof profile / sizeof *profile };
_Static_assert(N_PROFILE <= BPF_MAXINSNS, "the kernel takes no longer program");

int filter_install(struct err *err)
{
    struct sock_fprog program = { .len = N_PROFILE, .filter = profile };
    /* Without SPEC_ALLOW kernels before 5.16 slow every process with a filter down. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
        return err_sys(err, "install the seccomp filter");
    return 0;
}
