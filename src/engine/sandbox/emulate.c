/* engine/sandbox/emulate.c - programs of another architecture, by qemu's user mode.
 *
 * The kernel starts an emulator by itself for what is registered in binfmt_misc.  Where the machine
 * has it so, nothing is done here.  Else the step gets a user namespace of its own, with the same
 * ids, and in it a binfmt_misc of its own (Linux 6.7): so nothing is registered for anybody else,
 * nothing stays, and no privilege over the machine is needed.  The emulator is opened before the
 * step has its own root and handed to the kernel as an open file, so the image need not hold it.
 *
 * Devices cannot be made in such a step, as in any user namespace.  A failure is no error: an image
 * that says arm64 may hold programs of this machine; it is told when a program cannot be started.
 *
 * Spec: kernel Documentation/admin-guide/binfmt-misc.rst; elf(5). */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "engine/sandbox/internal.h"

#define BINFMT_FOLDER "/proc/sys/fs/binfmt_misc"

struct machine {
    const char *architecture; /* as OCI calls it */
    const char *qemu;
    unsigned char elf_class, elf_data;
    uint16_t elf_machine;
};
static const struct machine machines[] = {
    { "amd64", "x86_64", ELFCLASS64, ELFDATA2LSB, EM_X86_64 },
    { "386", "i386", ELFCLASS32, ELFDATA2LSB, EM_386 },
    { "arm64", "aarch64", ELFCLASS64, ELFDATA2LSB, EM_AARCH64 },
    { "arm", "arm", ELFCLASS32, ELFDATA2LSB, EM_ARM },
    { "riscv64", "riscv64", ELFCLASS64, ELFDATA2LSB, EM_RISCV },
    { "ppc64le", "ppc64le", ELFCLASS64, ELFDATA2LSB, EM_PPC64 },
    { "s390x", "s390x", ELFCLASS64, ELFDATA2MSB, EM_S390 },
    { "mips64le", "mips64el", ELFCLASS64, ELFDATA2LSB, EM_MIPS },
    { "mips64", "mips64", ELFCLASS64, ELFDATA2MSB, EM_MIPS },
    { "loong64", "loongarch64", ELFCLASS64, ELFDATA2LSB, 258 },
};

/* Architectures whose programs this machine runs by itself. */
static bool is_native(const char *architecture)
{
#if defined __x86_64__
    return strcmp(architecture, "amd64") == 0 || strcmp(architecture, "386") == 0;
#else
    return strcmp(architecture, "arm64") == 0 || strcmp(architecture, "arm") == 0;
#endif
}

static const struct machine *machine_of(const struct step_plan *p)
{
    if (!p->architecture || is_native(p->architecture))
        return NULL;
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (strcmp(machines[i].architecture, p->architecture) == 0)
            return &machines[i];
    return NULL;
}

/* ---- before the step has a root of its own ---- */

/* Whether the machine has an emulator of this name that works in every root ("flags: ...F"). */
static bool is_registered(const struct machine *m)
{
    char path[128], text[512];
    snprintf(path, sizeof path, BINFMT_FOLDER "/qemu-%s", m->qemu);
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = '\0';
    const char *flags = strstr(text, "\nflags: ");
    return strncmp(text, "enabled", 7) == 0 && flags &&
           memchr(flags + 8, 'F', strcspn(flags + 8, "\n"));
}

/* Debian calls the one that needs no libraries "-static", others call it by its plain name. */
static int open_emulator(const struct machine *m)
{
    static const char *const ends[] = { "-static", "" };
    const char *path = getenv("PATH");
    struct span rest = span_of(path ? path : "/usr/local/bin:/usr/bin:/bin");
    while (rest.ptr) {
        struct span folder = span_cut(&rest, ':');
        for (size_t i = 0; folder.len && i < sizeof ends / sizeof *ends; i++) {
            AUTO_FREE char *file = xasprintf("%.*s/qemu-%s%s", SPAN_ARG(folder), m->qemu, ends[i]);
            int fd = access(file, X_OK) == 0 ? open(file, O_RDONLY | O_CLOEXEC) : -1;
            if (fd >= 0)
                return fd;
        }
    }
    return -1;
}

void emulator_find(struct step_job *job)
{
    const struct machine *m = machine_of(&job->plan);
    job->emulator = -1;
    if (!m || is_registered(m))
        return;
    job->emulator = open_emulator(m);
    if (job->emulator < 0)
        snprintf(job->no_emulator, sizeof job->no_emulator,
                 "install qemu-user-static, which has qemu-%s-static, beside kiln", m->qemu);
}

/* ---- a namespace that has the emulator ---- */

/* Each id of ours as itself: the ranges of our own map, which says where they are outside. */
static bool map_ids(pid_t pid, const char *file)
{
    char path[64], text[4096], same[4096];
    snprintf(path, sizeof path, "/proc/self/%s", file);
    AUTO_FD int from = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = from < 0 ? -1 : read(from, text, sizeof text - 1);
    size_t len = 0;
    struct span rest = span_bytes(text, n < 0 ? 0 : (size_t)n);
    text[rest.len] = '\0';
    while (rest.len > 0 && len < sizeof same - 64) {
        char *end; /* "INSIDE OUTSIDE COUNT" and a line feed, written by the kernel */
        unsigned long inside = strtoul(rest.ptr, &end, 10);
        (void)strtoul(end, &end, 10);
        unsigned long count = strtoul(end, &end, 10);
        if (*end != '\n')
            return false;
        len +=
            (size_t)snprintf(same + len, sizeof same - len, "%lu %lu %lu\n", inside, inside, count);
        span_cut(&rest, '\n');
    }
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    AUTO_FD int to = open(path, O_WRONLY | O_CLOEXEC);
    return len > 0 && to >= 0 && write(to, same, len) == (ssize_t)len;
}

/* Only somebody outside of the new namespace, who has rights over these ids, may map them: a child
 * that stays behind.  Returns its pid; it waits for a byte from `go`. */
static pid_t leave_mapper(int go, int unused)
{
    pid_t pid = getpid(), mapper = fork();
    if (mapper != 0)
        return mapper;
    char byte;
    close(unused);
    bool is_good = read(go, &byte, 1) == 1 && map_ids(pid, "uid_map") && map_ids(pid, "gid_map");
    _exit(is_good ? 0 : 1);
}

static int enter_namespace(void)
{
    int ends[2], status = 1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    pid_t mapper = leave_mapper(ends[0], ends[1]);
    close(ends[0]);
    bool is_in = mapper > 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    int code = errno;
    /* While this process may not be looked at, the files of it in /proc are root's of the machine.
     */
    if (is_in)
        prctl(PR_SET_DUMPABLE, 1);
    bool has_told = is_in && write(ends[1], "x", 1) == 1;
    close(ends[1]);
    while (mapper > 0 && waitpid(mapper, &status, 0) < 0 && errno == EINTR) {
    }
    prctl(PR_SET_DUMPABLE, 0);
    errno = is_in ? EPERM : code;
    return has_told && status == 0 ? 0 : -1;
}

/* ":NAME:M:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS".  The bytes after the magic that say the ABI count
 * for nothing, nor whether a program can be loaded anywhere. */
static void print_rule(const struct machine *m, int emulator, char *out, size_t size)
{
    bool is_big = m->elf_data == ELFDATA2MSB;
    unsigned high = m->elf_machine >> 8, low = m->elf_machine & 0xff;
    snprintf(out, size,
             ":qemu-%s:M::\\x7fELF\\x%02x\\x%02x\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
             "\\x%02x\\x%02x\\x%02x\\x%02x:"
             "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff"
             "%s\\xff\\xff:/proc/self/fd/%d:POCF",
             m->qemu, m->elf_class, m->elf_data, is_big ? 0 : 2, is_big ? 2 : 0,
             is_big ? high : low, is_big ? low : high, is_big ? "\\xff\\xfe" : "\\xfe\\xff",
             emulator);
}

/* A binfmt_misc with one rule, mounted where it belongs, which keeps it there as long as the step.
 */
static int register_emulator(const struct machine *m, int emulator)
{
    char rule[512];
    AUTO_FD int context = (int)syscall(SYS_fsopen, "binfmt_misc", FSOPEN_CLOEXEC);
    if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    AUTO_FD int mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
    AUTO_FD int file = mount < 0 ? -1 : openat(mount, "register", O_WRONLY | O_CLOEXEC);
    print_rule(m, emulator, rule, sizeof rule);
    if (file < 0 || write(file, rule, strlen(rule)) != (ssize_t)strlen(rule))
        return -1;
    return (int)syscall(SYS_move_mount, mount, "", AT_FDCWD, BINFMT_FOLDER,
                        MOVE_MOUNT_F_EMPTY_PATH);
}

void emulator_enter(struct step_job *job)
{
    const struct machine *m = machine_of(&job->plan);
    if (!m || job->emulator < 0)
        return;
    const char *what = "a user namespace of the step's own";
    int status = enter_namespace();
    if (status == 0) {
        what = "a binfmt_misc of the step's own, which takes Linux 6.7";
        status = register_emulator(m, job->emulator);
    }
    if (status < 0)
        snprintf(job->no_emulator, sizeof job->no_emulator,
                 "qemu-%s is there, but %s cannot be had (%s): register it for the whole machine "
                 "in binfmt_misc, flag F",
                 m->qemu, what, strerror(errno));
}
