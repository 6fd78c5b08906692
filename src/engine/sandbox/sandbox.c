/* engine/sandbox/sandbox.c - the sandbox as kiln holds it, and the tiers there are. */
#include "engine/sandbox/sandbox.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "engine/sandbox/internal.h"

int sandbox_start(struct sandbox **out, struct err *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_sys(err, "start the sandbox");
    fflush(NULL); /* the launcher must not print what is still in our buffers */
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        launcher_main(&namespace_tier, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        fd_close(&ends[0]);
        return err_sys(err, "start the sandbox");
    }
    *out = xcalloc(1, sizeof **out);
    (*out)->tier = &namespace_tier;
    (*out)->launcher = pid;
    (*out)->socket = ends[0];
    return 0;
}

void sandbox_stop(struct sandbox *sb)
{
    if (!sb)
        return;
    int saved = errno;
    fd_close(&sb->socket);
    while (waitpid(sb->launcher, NULL, 0) < 0 && errno == EINTR) {
    }
    free(sb);
    errno = saved;
}

void sandbox_expect(struct sandbox *sb)
{
    struct err ignored = { 0 };
    if (frame_send(sb->socket, SPAN("?"), NULL, 0, &ignored))
        err_clear(&ignored); /* the first step will tell */
}

const char *sandbox_tier(const struct sandbox *sb)
{
    return sb->tier->name;
}

void sandbox_probe(struct sandbox_report out[SANDBOX_TIERS])
{
    static const char *const names[SANDBOX_TIERS] = { "namespace", "chroot", "translate" };
    for (size_t i = 0; i < SANDBOX_TIERS; i++) {
        out[i] = (struct sandbox_report){ .tier = names[i] };
        if (i == 0)
            namespace_tier.probe(&out[i]);
        else
            snprintf(out[i].text, sizeof out[i].text, "this version of kiln does not have it yet");
    }
}
