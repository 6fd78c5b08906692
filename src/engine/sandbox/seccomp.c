/* engine/sandbox/seccomp.c - which system calls reach the kernel from a step.
 *
 * The filter is built once, in the launcher, and exported as BPF; a step installs it with one
 * seccomp(2).  Everything that is not allowed fails with EPERM, but clone3 with ENOSYS, so that C
 * libraries fall back to clone, whose flags can be looked at.
 *
 * libseccomp knows the calls of its own time.  Newer ones would fail with EPERM, which C libraries
 * do not take for "not there" (fchmodat2 broke builds so); a few instructions in front of the
 * filter allow those that are harmless and answer ENOSYS to the rest.  From 424 on, numbers are the
 * same on all architectures.
 *
 * Spec: seccomp(2), Docker's default profile. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "engine/sandbox/internal.h"

/* ---- calls that are newer than libseccomp ---- */

enum {
    LAST_KNOWN_CALL = 450, /* set_mempolicy_home_node: the last that libseccomp 2.5.4 knows */
    X32_BIT = 0x40000000,
    ARM_PRIVATE = 0x0f0000, /* calls of 32-bit ARM alone */
};
static const unsigned new_calls[] = {
    451,                /* cachestat */
    452,                /* fchmodat2 */
    453,                /* map_shadow_stack */
    454, 455, 456,      /* futex_wake, futex_wait, futex_requeue */
    462,                /* mseal */
    463, 464, 465, 466, /* setxattrat, getxattrat, listxattrat, removexattrat */
};
enum { N_NEW_CALLS = sizeof new_calls / sizeof *new_calls, PRELUDE = N_NEW_CALLS + 5 };

#define OP(op, arg, yes, no)                                                                       \
    (struct sock_filter)                                                                           \
    {                                                                                              \
        .code = (op), .jt = (yes), .jf = (no), .k = (arg)                                          \
    }

static void prelude_write(struct sock_filter *code)
{
    unsigned char n = N_NEW_CALLS; /* jumps count from the next instruction */
    *code++ = OP(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    *code++ = OP(BPF_JMP | BPF_JGT | BPF_K, LAST_KNOWN_CALL, 0, (unsigned char)(n + 3));
    *code++ = OP(BPF_JMP | BPF_JGE | BPF_K, ARM_PRIVATE, (unsigned char)(n + 2), 0);
    for (unsigned i = 0; i < N_NEW_CALLS; i++)
        *code++ = OP(BPF_JMP | BPF_JEQ | BPF_K, new_calls[i], (unsigned char)(n - i), 0);
    *code++ = OP(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
    *code++ = OP(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* ---- the rules ---- */

static int allow(scmp_filter_ctx ctx, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return 0; /* newer than the library */
    return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
}

static int allow_with_arguments(scmp_filter_ctx ctx)
{
    static const unsigned personas[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };
    for (size_t i = 0; i < sizeof personas / sizeof *personas; i++) {
        int status = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
                                      SCMP_A0(SCMP_CMP_EQ, personas[i], 0));
        if (status < 0)
            return status;
    }
    /* No new namespace of any kind. */
    scmp_datum_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                              CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    int status = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces, 0));
    if (status == 0)
        status = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (status == 0) /* AF_VSOCK would reach the hypervisor */
        status =
            seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, 40, 0));
    return status;
}

static int add_architectures(scmp_filter_ctx ctx)
{
#if defined __x86_64__
    static const uint32_t also[] = { SCMP_ARCH_X86, SCMP_ARCH_X32 };
    static const char *const names[] = { "arch_prctl", "modify_ldt" };
#elif defined __aarch64__
    static const uint32_t also[] = { SCMP_ARCH_ARM };
    static const char *const names[] = { "arm_fadvise64_64", "arm_sync_file_range",
                                         "sync_file_range2", "breakpoint",
                                         "cacheflush",       "set_tls" };
#else
#error "the seccomp profile is not written for this architecture"
#endif
    for (size_t i = 0; i < sizeof also / sizeof *also; i++) {
        int status = seccomp_arch_add(ctx, also[i]);
        if (status < 0 && status != -EEXIST)
            return status;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int status = allow(ctx, names[i]);
        if (status < 0)
            return status;
    }
    return 0;
}

static int add_rules(scmp_filter_ctx ctx)
{
    /* The kernel forbids nothing by itself here: setuid programs must work. */
    int status = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
    if (status == 0)
        seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list; older: a list */
    if (status == 0)
        status = add_architectures(ctx);
    for (size_t i = 0; status == 0 && seccomp_allowed[i]; i++)
        status = allow(ctx, seccomp_allowed[i]);
    return status < 0 ? status : allow_with_arguments(ctx);
}

static int read_program(int fd, struct filter *out, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, "build the seccomp filter");
    size_t size = (size_t)st.st_size, n = size / sizeof(struct sock_filter) + PRELUDE;
    if (n > BPF_MAXINSNS)
        return err_set(err, ERR_LIMIT, "build the seccomp filter: %zu instructions", n);
    struct sock_filter *code = xcalloc(n, sizeof *code);
    prelude_write(code);
    if (pread(fd, code + PRELUDE, size, 0) != (ssize_t)size) {
        free(code);
        return err_set(err, ERR_SYSTEM, "build the seccomp filter: it ends early");
    }
    *out = (struct filter){ .code = code, .n = (unsigned short)n };
    return 0;
}

int filter_build(struct filter *out, struct err *err)
{
    AUTO_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "build the seccomp filter");
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int status = ctx ? add_rules(ctx) : -ENOMEM;
    if (status == 0)
        status = seccomp_export_bpf(ctx, fd);
    if (ctx)
        seccomp_release(ctx);
    if (status < 0) {
        errno = -status;
        return err_sys(err, "build the seccomp filter");
    }
    return read_program(fd, out, err);
}

int filter_install(const struct filter *f, struct err *err)
{
    struct sock_fprog program = { .len = f->n, .filter = f->code };
    /* Without SPEC_ALLOW kernels before 5.16 slow every process with a filter down. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
        return err_sys(err, "install the seccomp filter");
    return 0;
}
