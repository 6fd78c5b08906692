/* engine/sandbox/caps.c - what a step may do as root: Docker's default capabilities.
 *
 * Spec: capabilities(7), "Transformation of capabilities during execve()".  None is inheritable or
 * ambient: a program that runs as another user than root has none at all. */
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/sandbox/internal.h"

#define BIT(cap) (UINT64_C(1) << (cap))
static const uint64_t kept =
    BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) | BIT(CAP_MKNOD) |
    BIT(CAP_NET_RAW) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) |
    BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);

int caps_drop_bounding(struct err *err)
{
    for (unsigned long cap = 0; cap < 64; cap++) {
        if (kept & BIT(cap))
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
            if (errno == EINVAL) /* past the last one that this kernel knows */
                break;
            return err_sys(err, "drop capability %lu", cap);
        }
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return err_sys(err, "drop ambient capabilities");
    return 0;
}

int caps_keep_default(struct err *err)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
    if (syscall(SYS_capget, &header, data) < 0)
        return err_sys(err, "read capabilities");
    for (size_t i = 0; i < 2; i++) {
        uint32_t word = (uint32_t)(kept >> (32 * i)) & data[i].permitted;
        data[i] = (struct __user_cap_data_struct){ .effective = word, .permitted = word };
    }
    return syscall(SYS_capset, &header, data) < 0 ? err_sys(err, "drop capabilities") : 0;
}
