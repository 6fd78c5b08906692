/* tests/unit/base/sys/child.h - parts of a case that run in a child: as another user, or with
 * system calls that fail.
 *
 * Faults are made by a seccomp filter: the kernel answers a chosen call with a chosen errno. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

enum { NOBODY = 65534 };

#ifdef KILN_COVERAGE /* what a child ran would not be counted */
extern void __gcov_dump(void);
#else
__attribute__((unused)) static void __gcov_dump(void)
{
}
#endif

/* Runs fn in a child; what fails there fails here. */
__attribute__((unused)) static void in_child(void (*fn)(void))
{
    const char *dir = tap_dir(); /* the parent's to remove */
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        tap.has_failed = false;
        fn();
        fflush(stdout);
        __gcov_dump();
        _exit(tap.has_failed);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        tap_fail(__FILE__, __LINE__, "the child in %s ended with status %d", dir, status);
}

/* From root to nobody, who then owns the case's folder.  False when that cannot be. */
__attribute__((unused)) static bool become_nobody(void)
{
    if (geteuid() != 0)
        return true; /* an ordinary user already */
    if (chown(tap_dir(), NOBODY, NOBODY) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return false;
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0; /* else /proc/self is root's */
}

/* From now on the kernel answers `number` with `code` when argument `arg` has all bits of `mask`.
 */
__attribute__((unused)) static void refuse_with(int number, unsigned arg, uint64_t mask, int code)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    struct scmp_arg_cmp cmp = {
        .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = mask
    };
    if (!filter ||
        seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((uint16_t)code), number, 1, &cmp) ||
        seccomp_load(filter))
        tap_fail(__FILE__, __LINE__, "no seccomp filter for call %d", number);
    seccomp_release(filter);
}

__attribute__((unused)) static void refuse(int number, int code)
{
    refuse_with(number, 0, 0, code);
}

/* The case's folder as a descriptor. */
__attribute__((unused)) static int open_dir(void)
{
    int fd = open(tap_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        abort();
    return fd;
}

/* How many descriptors are open. */
__attribute__((unused)) static int count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}
