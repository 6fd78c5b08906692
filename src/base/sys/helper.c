/* base/sys/helper.c - see helper.h. */
#include "base/sys/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/mem.h"

enum { LEAVE_MS = 1000, TICK_MS = 5 };

struct helper {
    pid_t pid;
    int in, out; /* our ends; owned */
};

static void release(int *fd)
{
    auto_close_fd(fd);
    *fd = -1;
}

/* A session of its own, no signal blocked or ignored. */
static int prepare_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    int code = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF);
    if (code == 0)
        code = posix_spawnattr_setsigmask(attr, &none);
    return code ? code : posix_spawnattr_setsigdefault(attr, &all);
}

static int prepare_files(posix_spawn_file_actions_t *files, int in, int out)
{
    int code = posix_spawn_file_actions_adddup2(files, in, STDIN_FILENO);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
    return code ? code : posix_spawn_file_actions_adddup2(files, out, STDERR_FILENO);
}

static int spawn(const char *const *argv, const char *const *env, int in, int out, pid_t *pid)
{
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t files;
    int code = posix_spawnattr_init(&attr);
    if (code)
        return code;
    code = posix_spawn_file_actions_init(&files);
    if (code == 0) {
        code = prepare_attributes(&attr);
        if (code == 0)
            code = prepare_files(&files, in, out);
        if (code == 0)
            code = posix_spawnp(pid, argv[0], &files, &attr, (char *const *)(uintptr_t)argv,
                                (char *const *)(uintptr_t)(env ? env : (const void *)environ));
        posix_spawn_file_actions_destroy(&files);
    }
    posix_spawnattr_destroy(&attr);
    return code;
}

int helper_start(const char *const *argv, const char *const *env, struct helper **out,
                 struct err *err)
{
    AUTO(helper_stop) struct helper *h = xcalloc(1, sizeof *h);
    int in[2], from[2];
    h->in = h->out = -1;
    if (pipe2(in, O_CLOEXEC) < 0)
        return err_sys(err, "start %s", argv[0]);
    AUTO_FD int theirs_in = in[0];
    h->in = in[1];
    if (pipe2(from, O_CLOEXEC) < 0)
        return err_sys(err, "start %s", argv[0]);
    AUTO_FD int theirs_out = from[1];
    h->out = from[0];
    errno = spawn(argv, env, theirs_in, theirs_out, &h->pid);
    if (errno) {
        h->pid = 0;
        return err_sys(err, "start %s", argv[0]);
    }
    *out = STEAL(h);
    return 0;
}

/* Whether `line` stands alone on a line of the text; the text is cut before it then. */
static bool cut_at_line(struct buf *text, size_t from, const char *line)
{
    AUTO_FREE char *wanted = xasprintf("%s\n", line);
    for (const char *at = text->data ? text->data + from : NULL; at;) {
        if (strncmp(at, wanted, strlen(wanted)) == 0) {
            text->len = (size_t)(at - text->data);
            text->data[text->len] = '\0';
            return true;
        }
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    return false;
}

static int wait_readable(const struct helper *h, uint64_t end_ms, const struct cancel *cancel,
                         struct err *err)
{
    struct pollfd fds[] = { { .fd = h->out, .events = POLLIN },
                            { .fd = cancel_fd(cancel), .events = POLLIN } };
    for (;;) {
        uint64_t now = clock_monotonic_ms();
        if (now >= end_ms)
            return err_set(err, ERR_TIMEOUT, "it says nothing");
        int n = poll(fds, 2, (int)(end_ms - now));
        if (n < 0 && errno != EINTR)
            return err_sys(err, "wait for it");
        if (cancel_check(cancel, err))
            return -1;
        if (n > 0)
            return 0;
    }
}

int helper_expect(struct helper *h, const char *line, int timeout_ms, const struct cancel *cancel,
                  struct buf *out, bool *is_there, struct err *err)
{
    uint64_t end_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    size_t from = out->len;
    *is_there = false;
    while (!*is_there) {
        char bytes[4096];
        if (wait_readable(h, end_ms, cancel, err))
            return -1;
        ssize_t n = read(h->out, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "read what it says");
        if (n == 0)
            return 0;
        if (buf_append(out, span_bytes(bytes, (size_t)n), err))
            return -1;
        *is_there = cut_at_line(out, from, line);
    }
    return 0;
}

void helper_stop(struct helper *h)
{
    if (!h)
        return;
    int saved = errno, status;
    release(&h->in);
    release(&h->out);
    uint64_t end_ms = clock_monotonic_ms() + LEAVE_MS;
    while (h->pid > 0) {
        pid_t gone = waitpid(h->pid, &status, WNOHANG);
        if (gone == h->pid || (gone < 0 && errno != EINTR))
            break;
        if (clock_monotonic_ms() >= end_ms) {
            kill(-h->pid, SIGKILL); /* not reaped yet, so the ids are still its own */
            while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR) {
            }
            break;
        }
        poll(NULL, 0, TICK_MS);
    }
    free(h);
    errno = saved;
}
