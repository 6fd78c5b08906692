/* engine/sandbox/seccomp_profile.c - which system calls reach the kernel from a step: a program of
 * the build, which prints the filter as lines of C for seccomp.c.
 *
 * Made when kiln is compiled, since libseccomp takes 15 ms of processor time to find the shortest
 * form of rules that never change.
 *
 * Everything that is not allowed fails with EPERM, but clone3 with ENOSYS, so that C libraries fall
 * back to clone, whose flags can be looked at.
 *
 * libseccomp knows the calls of its own time.  Newer ones would fail with EPERM, which C libraries
 * do not take for "not there" (fchmodat2 broke builds so); a few instructions in front of the
 * filter allow those that are harmless and answer ENOSYS to the rest.  From 424 on, numbers are the
 * same on all architectures.
 *
 * Spec: seccomp(2), Docker's default profile. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/sandbox/seccomp_calls.h"

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

struct target {
    const char *name; /* as Meson and uname(2) call it */
    uint32_t main, also[2];
    const char *const names[7]; /* calls of this architecture; NULL-terminated */
};
static const struct target targets[] = {
    { "x86_64",
      SCMP_ARCH_X86_64,
      { SCMP_ARCH_X86, SCMP_ARCH_X32 },
      { "arch_prctl", "modify_ldt" } },
    { "aarch64",
      SCMP_ARCH_AARCH64,
      { SCMP_ARCH_ARM },
      { "arm_fadvise64_64", "arm_sync_file_range", "sync_file_range2", "breakpoint", "cacheflush",
        "set_tls" } },
};

static int add_target(scmp_filter_ctx ctx, const struct target *t)
{
    int status = 0;
    if (t->main != seccomp_arch_native()) {
        status = seccomp_arch_add(ctx, t->main);
        if (status == 0)
            status = seccomp_arch_remove(ctx, seccomp_arch_native());
    }
    for (size_t i = 0; status == 0 && i < 2 && t->also[i]; i++)
        status = seccomp_arch_add(ctx, t->also[i]);
    for (size_t i = 0; status == 0 && t->names[i]; i++)
        status = allow(ctx, t->names[i]);
    return status;
}

static int add_rules(scmp_filter_ctx ctx, const struct target *t)
{
    /* The kernel forbids nothing by itself here: setuid programs must work. */
    int status = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
    if (status == 0)
        seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list; older: a list */
    if (status == 0)
        status = add_target(ctx, t);
    for (size_t i = 0; status == 0 && seccomp_allowed[i]; i++)
        status = allow(ctx, seccomp_allowed[i]);
    return status < 0 ? status : allow_with_arguments(ctx);
}

/* ---- the program ---- */

static int print(FILE *out, int fd)
{
    struct sock_filter code[BPF_MAXINSNS];
    ssize_t size = pread(fd, code + PRELUDE, sizeof code - sizeof *code * PRELUDE, 0);
    if (size <= 0 || size % (ssize_t)sizeof *code)
        return -EIO;
    size_t n = PRELUDE + (size_t)size / sizeof *code;
    prelude_write(code);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "{ 0x%02x, %u, %u, 0x%08x },\n", code[i].code, code[i].jt, code[i].jf,
                code[i].k);
    return ferror(out) ? -EIO : 0;
}

static int make(const struct target *t, FILE *out)
{
    int fd = memfd_create("seccomp", MFD_CLOEXEC);
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int status = fd < 0 || !ctx ? -ENOMEM : add_rules(ctx, t);
    if (status == 0)
        status = seccomp_export_bpf(ctx, fd);
    if (ctx)
        seccomp_release(ctx);
    if (status == 0)
        status = print(out, fd);
    if (fd >= 0)
        close(fd);
    return status;
}

/* seccomp_profile ARCHITECTURE FILE */
int main(int argc, char **argv)
{
    int status = -EINVAL;
    FILE *out = argc == 3 ? fopen(argv[2], "w") : NULL;
    for (size_t i = 0; out && i < sizeof targets / sizeof *targets; i++)
        if (strcmp(targets[i].name, argv[1]) == 0)
            status = make(&targets[i], out);
    if (out && fclose(out) != 0)
        status = -EIO;
    if (status)
        fprintf(stderr, "seccomp_profile: %s\n", strerror(-status));
    return status ? 1 : 0;
}
