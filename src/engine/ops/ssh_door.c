/* engine/ops/ssh_door.c - a socket of ours before an ssh agent; see ssh.h.
 *
 * A message is its length as four bytes, big-endian, then that many, the first of which is its
 * type.  The client's are read whole and looked at: to list keys and to sign may pass, all else
 * (adding, removing, locking, extensions) is answered with a failure, since a step may use keys but
 * do nothing to the agent.  One request at a time and connection, as the protocol has it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "engine/ops/ssh.h"

enum {
    CONNECTIONS_MAX = 16,
    MESSAGE_MAX = 256 * 1024, /* as OpenSSH's agent */
    LENGTH_SIZE = 4,
    AGENT_FAILURE = 5,
    REQUEST_IDENTITIES = 11,
    SIGN_REQUEST = 13,
};

struct connection {
    int client, agent;  /* owned; agent -1: not asked yet */
    bool is_waiting;    /* for the agent's answer */
    struct buf message; /* what came of the one that is due */
};

struct ssh_door {
    char *agent, *folder, *path; /* owned */
    int listener;                /* owned */
    struct connection connections[CONNECTIONS_MAX];
    size_t n;
};

static void connection_clear(struct connection *c)
{
    auto_close_fd(&c->client);
    auto_close_fd(&c->agent);
    buf_clear(&c->message);
}

static int address_of(const char *path, struct sockaddr_un *out, struct err *err)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof out->sun_path)
        return err_set(err, ERR_LIMIT, "%s: too long for a socket", path);
    memcpy(out->sun_path, path, strlen(path) + 1);
    return 0;
}

static int listen_at(struct ssh_door *d, const struct ssh_door_options *o, struct err *err)
{
    struct sockaddr_un address;
    d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (address_of(d->path, &address, err))
        return -1;
    if (d->listener < 0 || bind(d->listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(d->listener, CONNECTIONS_MAX) < 0)
        return err_sys(err, "listen at %s", d->path);
    if (chown(d->path, o->uid, o->gid) < 0) {
        bool is_unknown = errno == EINVAL;
        err_sys(err, "give it to %u:%u", (unsigned)o->uid, (unsigned)o->gid);
        return is_unknown ? err_hint(err, "this user id does not exist here: kiln doctor says "
                                          "which do")
                          : -1;
    }
    return chmod(d->path, o->mode & 0777) < 0 ? err_sys(err, "set its mode") : 0;
}

int ssh_door_open(const struct ssh_door_options *o, struct ssh_door **out, struct err *err)
{
    AUTO(ssh_door_close) struct ssh_door *d = xcalloc(1, sizeof *d);
    d->listener = -1;
    d->agent = xstrdup(o->agent);
    if (ssh_folder_make(&d->folder, err))
        return -1;
    d->path = xasprintf("%s/door", d->folder);
    if (listen_at(d, o, err))
        return -1;
    *out = STEAL(d);
    return 0;
}

const char *ssh_door_path(const struct ssh_door *d)
{
    return d->path;
}

void ssh_door_close(struct ssh_door *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++)
        connection_clear(&d->connections[i]);
    auto_close_fd(&d->listener);
    if (d->path)
        unlink(d->path);
    if (d->folder)
        rmdir(d->folder);
    free(d->agent);
    free(d->folder);
    free(d->path);
    free(d);
}

/* ---- messages ---- */

/* The length of the message that is due, header and all; 0: not known yet. */
static size_t message_size(const struct buf *b)
{
    if (b->len < LENGTH_SIZE)
        return 0;
    const unsigned char *p = (const unsigned char *)b->data;
    return LENGTH_SIZE +
           ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | (size_t)p[3]);
}

/* Reads no byte more than the message has.  False: the other side is gone or makes no sense. */
static bool message_read(int fd, struct buf *b, bool *is_whole)
{
    struct err ignored = { 0 };
    char bytes[8192];
    *is_whole = false;
    for (;;) {
        size_t size = message_size(b);
        if (size > MESSAGE_MAX || size == LENGTH_SIZE)
            return false;
        if (size && b->len == size) {
            *is_whole = true;
            return true;
        }
        size_t wanted = (size ? size : LENGTH_SIZE) - b->len;
        ssize_t n = recv(fd, bytes, wanted < sizeof bytes ? wanted : sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0 || buf_append(b, span_bytes(bytes, (size_t)n), &ignored))
            return false;
    }
}

/* Who does not take a message at once is let go: it would stop the others. */
static bool message_write(int fd, struct span bytes)
{
    return send(fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)bytes.len;
}

static bool agent_connect(struct ssh_door *d, struct connection *c)
{
    struct sockaddr_un address;
    struct err ignored = { 0 };
    if (c->agent >= 0)
        return true;
    c->agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return c->agent >= 0 && address_of(d->agent, &address, &ignored) == 0 &&
           connect(c->agent, (struct sockaddr *)&address, sizeof address) == 0;
}

/* False: the connection is to end. */
static bool take_request(struct ssh_door *d, struct connection *c)
{
    static const char failure[] = { 0, 0, 0, 1, AGENT_FAILURE };
    bool is_whole = false;
    if (!message_read(c->client, &c->message, &is_whole))
        return false;
    if (!is_whole)
        return true;
    int type = (unsigned char)c->message.data[LENGTH_SIZE];
    bool may_pass = type == REQUEST_IDENTITIES || type == SIGN_REQUEST;
    bool is_good = may_pass ? agent_connect(d, c) && message_write(c->agent, buf_span(&c->message))
                            : message_write(c->client, span_bytes(failure, sizeof failure));
    c->message.len = 0;
    c->is_waiting = may_pass;
    return is_good;
}

static bool take_answer(struct connection *c)
{
    bool is_whole = false;
    if (!message_read(c->agent, &c->message, &is_whole))
        return false;
    if (!is_whole)
        return true;
    bool is_good = message_write(c->client, buf_span(&c->message));
    c->message.len = 0;
    c->is_waiting = false;
    return is_good;
}

static void accept_one(struct ssh_door *d)
{
    int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct connection *c = &d->connections[d->n++];
    *c = (struct connection){ .client = fd, .agent = -1 };
    buf_init(&c->message, LENGTH_SIZE + MESSAGE_MAX);
}

/* ---- the step's waiting ---- */

/* The connections in order, then, while there is room for more, the listener. */
size_t ssh_door_watch(void *door, struct pollfd *fds, size_t room)
{
    struct ssh_door *d = door;
    size_t n = 0;
    for (; n < d->n && n < room; n++) {
        const struct connection *c = &d->connections[n];
        fds[n] = (struct pollfd){ .fd = c->is_waiting ? c->agent : c->client, .events = POLLIN };
    }
    if (d->n < CONNECTIONS_MAX && n < room)
        fds[n++] = (struct pollfd){ .fd = d->listener, .events = POLLIN };
    return n;
}

void ssh_door_serve(void *door, const struct pollfd *fds, size_t n)
{
    struct ssh_door *d = door;
    size_t before = d->n, kept = 0;
    for (size_t i = 0; i < before; i++) {
        struct connection *c = &d->connections[i];
        bool is_ready = i < n && fds[i].revents;
        bool stays = !is_ready || (c->is_waiting ? take_answer(c) : take_request(d, c));
        if (stays)
            d->connections[kept++] = *c;
        else
            connection_clear(c);
    }
    d->n = kept;
    if (n > before && fds[before].revents)
        accept_one(d);
}
