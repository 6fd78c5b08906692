/* engine/sandbox/message.c - messages with descriptors over SOCK_SEQPACKET sockets. */
#include <errno.h>
#include <sys/socket.h>

#include "engine/sandbox/internal.h"

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * STEP_MAX_FDS)];
};

int frame_send(int socket, struct span bytes, const int *fds, size_t n_fds, struct err *err)
{
    union control control = { 0 };
    struct iovec part = { .iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (n_fds > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = &control.header; /* CMSG_FIRSTHDR() */
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    ssize_t n;
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_sys(err, "send to the step's launcher") : 0;
}

int frame_receive(int socket, void *to, size_t size, size_t *got, int *fds, size_t *n_fds,
                  struct err *err)
{
    union control control = { 0 };
    struct iovec part = { .iov_base = to, .iov_len = size };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    *n_fds = 0;
    ssize_t n;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, "receive from the step's launcher");
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        *n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), *n_fds * sizeof(int));
    }
    *got = (size_t)n;
    if (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC))
        return err_set(err, ERR_LIMIT, "receive from the step's launcher: too many open files");
    return 0;
}

void message_send(int socket, const struct step_message *m, int fd)
{
    struct err err = { 0 };
    size_t size = m->type == STEP_FAILED ? sizeof *m : offsetof(struct step_message, err);
    if (frame_send(socket, span_bytes(m, size), &fd, fd >= 0, &err) < 0)
        return; /* the receiver is gone, and with it the wish to know */
}

int message_receive(int socket, struct step_message *m, int *fd, bool *is_end, struct err *err)
{
    int fds[STEP_MAX_FDS];
    size_t got, n_fds;
    *m = (struct step_message){ 0 };
    *fd = -1;
    int status = frame_receive(socket, m, sizeof *m, &got, fds, &n_fds, err);
    for (size_t i = 1; i < n_fds; i++)
        fd_close(&fds[i]);
    if (n_fds > 0)
        *fd = fds[0];
    *is_end = status == 0 && got == 0;
    return status;
}
