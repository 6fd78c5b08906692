/* tests/unit/image/layer/fixture.h - archives and trees as text, other programs, other users.
 *
 * An entry is a line: `TYPE PATH MODE UID:GID [MAJOR:MINOR | -> LINK | = CONTENT]`, TYPE being one
 * of file folder symlink link char block fifo.  layer_of() makes the archive of such lines,
 * tree_of() prints a tree in the same way, so a test reads as lines in, lines out. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/core/vec.h"
#include "base/sys/fs.h"
#include "image/layer/apply.h"
#include "image/layer/node.h"
#include "image/layer/tar_reader.h"
#include "image/layer/tar_writer.h"
#include "tap.h"

enum { THEN = 1700000000 }; /* mtime of every entry */

/* ---- files and programs ---- */

__attribute__((unused)) static bool has_program(const char *name)
{
    AUTO_FREE char *command = xasprintf("command -v %s >/dev/null 2>&1", name);
    return system(command) == 0;
}

/* What a shell command prints, run in the case's folder; its exit status in *status, unless NULL.
 */
__attribute__((unused, format(printf, 2, 3))) static char *shell(int *status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *command = xvasprintf(fmt, args);
    va_end(args);
    AUTO_FREE char *there = xasprintf("cd %s && %s", tap_dir(), command);
    struct buf b;
    struct err err = { 0 };
    buf_init(&b, (size_t)(64 * MIB));
    FILE *f = popen(there, "r");
    if (!f || fs_read_fd(fileno(f), &b, &err))
        abort();
    int result = pclose(f);
    if (status)
        *status = result;
    buf_puts(&b, "");
    return b.data ? buf_take(&b) : xstrdup("");
}

/* Whether a shell command succeeds; what it says is shown when not. */
__attribute__((unused)) static bool shell_works(const char *command)
{
    int status;
    AUTO_FREE char *said = shell(&status, "( %s\n) 2>&1", command);
    if (status != 0)
        printf("# %s\n", said);
    return status == 0;
}

/* Opens the folder NAME of the case, making it. */
__attribute__((unused)) static int folder(const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", tap_dir(), name);
    if (mkdir(path, 0755) && errno != EEXIST)
        abort();
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        abort();
    return fd;
}

__attribute__((unused)) static void put_file(const char *name, struct span bytes)
{
    AUTO_FREE char *path = xasprintf("%s/%s", tap_dir(), name);
    struct err err = { 0 };
    if (fs_write_file(AT_FDCWD, path, bytes, 0644, false, &err))
        abort();
}

__attribute__((unused)) static struct buf fixture(const char *name)
{
    struct buf b;
    struct err err = { 0 };
    AUTO_FREE char *path = xasprintf("%s/layer/%s", getenv("KILN_FIXTURES"), name);
    buf_init(&b, (size_t)(16 * MIB));
    if (fs_read_file(AT_FDCWD, path, &b, &err)) {
        printf("# %s\n", err.text);
        abort();
    }
    return b;
}

/* ---- lines to archives ---- */

static const char *const type_words[] = {
    [TAR_FILE] = "file",        [TAR_HARD_LINK] = "link",     [TAR_SYMLINK] = "symlink",
    [TAR_CHAR_DEVICE] = "char", [TAR_BLOCK_DEVICE] = "block", [TAR_FOLDER] = "folder",
    [TAR_FIFO] = "fifo",
};

__attribute__((unused)) static struct tar_entry blank_entry(enum tar_type type, const char *path)
{
    return (struct tar_entry){ .type = type,
                               .path = path,
                               .link = "",
                               .user_name = "",
                               .group_name = "",
                               .mode = 0644,
                               .mtime.tv_sec = THEN };
}

static void add_line(struct tar_writer *t, char *line)
{
    struct err err = { 0 };
    char type[16], path[1024];
    int end = 0;
    struct tar_entry e = blank_entry(TAR_FILE, path);
    if (sscanf(line, "%15s %1023s %o %u:%u%n", type, path, &e.mode, &e.uid, &e.gid, &end) != 5)
        abort();
    for (size_t i = 0; i < sizeof type_words / sizeof *type_words; i++)
        if (strcmp(type, type_words[i]) == 0)
            e.type = (enum tar_type)i;
    const char *rest = line + end;
    struct span content = { 0 };
    if (strncmp(rest, " -> ", 4) == 0)
        e.link = rest + 4;
    else if (strncmp(rest, " = ", 3) == 0)
        content = span_of(rest + 3);
    else if (*rest && sscanf(rest, " %u:%u", &e.dev_major, &e.dev_minor) != 2)
        abort();
    e.size = content.len;
    if (tar_writer_entry(t, &e, &err) || tar_writer_write(t, content, &err)) {
        printf("# %s\n", err.text);
        abort();
    }
}

/* The archive of these lines. */
__attribute__((unused)) static struct buf layer_of(const char *lines)
{
    struct buf b;
    struct err err = { 0 };
    buf_init(&b, (size_t)(64 * MIB));
    AUTO(writer_close) struct writer *w = writer_to_buf(&b);
    AUTO(tar_writer_free) struct tar_writer *t = tar_writer_new(w, NULL);
    for (struct span rest = span_of(lines); rest.len > 0;) {
        AUTO_FREE char *line = span_dup(span_cut(&rest, '\n'));
        if (*line)
            add_line(t, line);
    }
    if (tar_writer_finish(t, &err))
        abort();
    return b;
}

/* ---- trees to lines ---- */

static bool is_opaque(int fd, const char *path)
{
    AUTO_FREE char *p = xasprintf("/proc/self/fd/%d/%s", fd, path);
    char value[8];
    return lgetxattr(p, "user.overlay.opaque", value, sizeof value) == 1 ||
           lgetxattr(p, "trusted.overlay.opaque", value, sizeof value) == 1;
}

static void put_content(struct buf *out, int fd, const char *path)
{
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    struct err err = { 0 };
    buf_init(&b, (size_t)MIB);
    if (fs_read_file(fd, path, &b, &err))
        buf_printf(out, " = (%s)", err.text);
    else if (b.len > 0)
        buf_printf(out, " = %.*s", SPAN_ARG(buf_span(&b)));
}

static void put_tree(struct buf *out, int fd, const char *path)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    struct err err = { 0 };
    if (fs_list(fd, *path ? path : ".", &names, &err))
        abort();
    vec_each (&names, name) {
        AUTO_FREE char *at = xasprintf("%s%s%s", path, *path ? "/" : "", *name);
        struct node_stat st;
        if (node_stat(fd, at, NULL, &st, &err)) {
            buf_printf(out, "%s\n", err.text);
            continue;
        }
        const char *type = S_ISREG(st.mode)    ? "file"
                           : S_ISDIR(st.mode)  ? "folder"
                           : S_ISLNK(st.mode)  ? "symlink"
                           : S_ISCHR(st.mode)  ? "char"
                           : S_ISBLK(st.mode)  ? "block"
                           : S_ISFIFO(st.mode) ? "fifo"
                                               : "?";
        buf_printf(out, "%s %s %o %u:%u", type, at, st.mode & 07777, st.uid, st.gid);
        AUTO_FREE char *link = NULL;
        if (S_ISREG(st.mode))
            put_content(out, fd, at);
        else if (S_ISLNK(st.mode) && fs_read_link(fd, at, &link, &err) == 0)
            buf_printf(out, " -> %s", link);
        else if (S_ISCHR(st.mode) || S_ISBLK(st.mode))
            buf_printf(out, " %u:%u", major(st.rdev), minor(st.rdev));
        if (S_ISDIR(st.mode) && is_opaque(fd, at))
            buf_puts(out, " opaque");
        if (st.mtime.tv_sec != THEN && !S_ISCHR(st.mode))
            buf_printf(out, " at %s", st.mtime.tv_sec == 0 ? "0" : "another time");
        buf_putc(out, '\n');
        if (S_ISDIR(st.mode))
            put_tree(out, fd, at);
    }
}

__attribute__((unused)) static char *tree_of(int fd)
{
    struct buf b;
    buf_init(&b, (size_t)(16 * MIB));
    put_tree(&b, fd, "");
    return b.data ? buf_take(&b) : xstrdup("");
}

/* ---- users ---- */

enum who {
    AS_WE_ARE,
    ONE_ID,    /* root of a user namespace with a single id */
    NOBODY,    /* an ordinary user */
    BARE_ROOT, /* uid 0 without capabilities */
};

static bool become_one_id(void)
{
    char map[32], group_map[32];
    snprintf(map, sizeof map, "0 %u 1", geteuid());
    snprintf(group_map, sizeof group_map, "0 %u 1", getegid());
    if (unshare(CLONE_NEWUSER))
        return false;
    int a = open("/proc/self/setgroups", O_WRONLY), b = open("/proc/self/uid_map", O_WRONLY),
        c = open("/proc/self/gid_map", O_WRONLY);
    return write(a, "deny", 4) == 4 && write(b, map, strlen(map)) > 0 &&
           write(c, group_map, strlen(group_map)) > 0;
}

static bool become_nobody(void)
{
    if (geteuid() != 0)
        return true;
    return !chown(tap_dir(), 65534, 65534) && !setgroups(0, NULL) && !setgid(65534) &&
           !setuid(65534) && !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else /proc/self is root's */
}

static bool become_bare_root(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { 0 };
    return geteuid() == 0 && syscall(SYS_capset, &head, none) == 0;
}

/* Runs fn in a child as somebody else; skips the case where that cannot be. */
__attribute__((unused)) static void as(enum who who, void (*fn)(void))
{
    const char *dir = tap_dir(); /* the parent's to remove */
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        bool is_become = who == ONE_ID      ? become_one_id()
                         : who == NOBODY    ? become_nobody()
                         : who == BARE_ROOT ? become_bare_root()
                                            : true;
        if (!is_become)
            _exit(77);
        tap.has_failed = false;
        fn();
        fflush(stdout);
        exit(tap.has_failed); /* not _exit(): coverage is written then */
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        tap.skipped = "needs root or user namespaces";
    else if (status != 0)
        tap_fail(__FILE__, __LINE__, "the child in %s ended with status %d", dir, status);
}
