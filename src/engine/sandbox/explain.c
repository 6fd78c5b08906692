/* engine/sandbox/explain.c - why the kernel would not start a program.
 *
 * execve(2) says "no such file" for a missing interpreter and "exec format error" for a program of
 * another machine; a look at the file's first bytes tells which one is missing, or which machine.
 * Spec: elf(5), execve(2) "Interpreter scripts". */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/sandbox/internal.h"

static const struct {
    unsigned machine;
    const char *name;
} machines[] = {
    { EM_386, "386" },       { EM_X86_64, "amd64" },  { EM_ARM, "arm" },
    { EM_AARCH64, "arm64" }, { EM_RISCV, "riscv64" }, { EM_PPC64, "ppc64le" },
    { EM_S390, "s390x" },    { EM_MIPS, "mips" },     { 258, "loong64" },
};
#if defined __x86_64__
#define OUR_MACHINE "amd64"
#elif defined __aarch64__
#define OUR_MACHINE "arm64"
#endif

static const char *machine_name(unsigned machine)
{
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        if (machines[i].machine == machine)
            return machines[i].name;
    }
    return "another machine";
}

struct head {
    char bytes[4096];
    size_t n;
    int fd; /* owned; -1 when it cannot be read */
};

static void head_read(const char *path, struct head *h)
{
    h->n = 0;
    h->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = h->fd < 0 ? -1 : read(h->fd, h->bytes, sizeof h->bytes - 1);
    h->n = n < 0 ? 0 : (size_t)n;
    h->bytes[h->n] = '\0';
}

static bool is_elf(const struct head *h)
{
    return h->n >= sizeof(Elf64_Ehdr) && memcmp(h->bytes, ELFMAG, SELFMAG) == 0;
}

/* The program that an ELF file or a script needs to be run; "" when none is named. */
static void interpreter(const struct head *h, char *out, size_t size)
{
    out[0] = '\0';
    if (h->n > 2 && memcmp(h->bytes, "#!", 2) == 0) {
        struct span line = span_of(h->bytes + 2);
        line = span_cut(&line, '\n');
        while (line.len > 0 && *line.ptr == ' ')
            line = span_skip(line, 1);
        struct span first = span_cut(&line, ' ');
        snprintf(out, size, "%.*s", SPAN_ARG(first));
        return;
    }
    if (!is_elf(h) || h->bytes[EI_CLASS] != ELFCLASS64)
        return;
    Elf64_Ehdr header;
    memcpy(&header, h->bytes, sizeof header);
    for (unsigned i = 0; i < header.e_phnum && i < 64; i++) {
        Elf64_Phdr part;
        off_t at = (off_t)(header.e_phoff + (uint64_t)i * header.e_phentsize);
        if (pread(h->fd, &part, sizeof part, at) != (ssize_t)sizeof part)
            return;
        if (part.p_type != PT_INTERP)
            continue;
        ssize_t n = pread(h->fd, out, size - 1, (off_t)part.p_offset);
        out[n < 0 ? 0 : n] = '\0';
        return;
    }
}

static int explain_missing(const char *path, const struct head *h, struct err *err)
{
    char needed[256];
    struct stat st;
    interpreter(h, needed, sizeof needed);
    if (stat(path, &st) < 0 || !needed[0]) {
        err_set(err, ERR_NOT_FOUND, "start %s: not in the image", path);
    } else if (needed[strlen(needed) - 1] == '\r') {
        needed[strlen(needed) - 1] = '\0';
        err_set(err, ERR_NOT_FOUND, "start %s: its first line ends in a carriage return", path);
        err_hint(err, "save it with Unix line ends (dos2unix), or let git do so "
                      "(.gitattributes: \"*.sh text eol=lf\")");
    } else {
        err_set(err, ERR_NOT_FOUND, "start %s: its interpreter %s is not in the image", path,
                needed);
        err_hint(err, is_elf(h) ? "it is linked against another C library (glibc or musl) than "
                                  "the image has, or was built for a larger image"
                                : "its first line names it; install it or name another one");
    }
    return -1;
}

static int explain_denied(const char *path, struct err *err)
{
    struct stat st;
    bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    err_set(err, ERR_DENIED, "start %s: %s", path, is_dir ? "it is a folder" : "permission denied");
    if (!is_dir && access(path, X_OK) < 0)
        err_hint(err, "it is not executable for this user: chmod +x, or COPY --chmod=755");
    return -1;
}

static int explain_format(const char *path, const struct head *h, const char *no_emulator,
                          struct err *err)
{
    if (!is_elf(h)) {
        err_set(err, ERR_UNSUPPORTED, "start %s: neither a program nor a script with \"#!\"", path);
        return err_hint(err, "start the script with a line such as \"#!/bin/sh\"");
    }
    uint16_t machine;
    memcpy(&machine, h->bytes + offsetof(Elf64_Ehdr, e_machine), sizeof machine);
    err_set(err, ERR_UNSUPPORTED, "start %s: it is a program for %s, this machine is %s", path,
            machine_name(machine), OUR_MACHINE);
    return err_hint(err, "%s",
                    *no_emulator ? no_emulator
                                 : "say which platform the step is for (FROM --platform=...), or "
                                   "register an emulator in binfmt_misc on the node");
}

int program_explain(const char *path, int code, const char *no_emulator, struct err *err)
{
    struct head h;
    head_read(path, &h);
    if (code == ENOENT) {
        explain_missing(path, &h, err);
    } else if (code == EACCES) {
        explain_denied(path, err);
    } else if (code == ENOEXEC) {
        explain_format(path, &h, no_emulator, err);
    } else {
        errno = code;
        err_sys(err, "start %s", path);
    }
    err->sys = code;
    fd_close(&h.fd);
    return -1;
}
