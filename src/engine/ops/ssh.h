/* engine/ops/ssh.h - ssh keys of the caller's, lent and never given away.
 *
 * A key is used by asking an agent to sign with it.  An option names an agent that runs already,
 * or files with keys, for which Debian's ssh-agent is started privately when the first one asks and
 * ended with us.  A step never sees the agent's socket: it gets one of ours (struct ssh_door),
 * through which two requests go: what keys there are, and to sign.
 *
 * Spec: draft-miller-ssh-agent.  Threads: agents are locked inside; a door belongs to one thread.
 */
#pragma once
#include <poll.h>
#include <sys/types.h>

#include "base/core/cancel.h"
#include "engine/ops/ops.h"

struct ssh_agents;
/* Borrows the options.  Nothing is started yet. */
struct ssh_agents *ssh_agents_new(const struct ssh_option *options, size_t n);
void ssh_agents_free(struct ssh_agents *a); /* ends what was started */
/* The socket of the agent for `id`, borrowed as long as the agents live; *path NULL: nobody gave
 * one.  Fails: NOT_FOUND (no SSH_AUTH_SOCK, no such file, no ssh-agent here), DENIED (a key that
 * ssh-add does not take; its words), TIMEOUT, SYSTEM. */
NODISCARD int ssh_agents_find(struct ssh_agents *a, const char *id, const struct cancel *cancel,
                              const char **path, struct err *err);

/* A new folder for a socket, whose path is short enough for one; the caller's, as is the text. */
NODISCARD int ssh_folder_make(char **out, struct err *err);

/* A socket before an agent, for one step. */
struct ssh_door;
struct ssh_door_options {
    const char *agent; /* path of its socket */
    uid_t uid;
    gid_t gid;
    mode_t mode;
};
NODISCARD int ssh_door_open(const struct ssh_door_options *o, struct ssh_door **out,
                            struct err *err);
const char *ssh_door_path(const struct ssh_door *d);
void ssh_door_close(struct ssh_door *d);
DEFINE_AUTO(struct ssh_door, ssh_door_close)
/* Fit struct step_service. */
size_t ssh_door_watch(void *door, struct pollfd *fds, size_t room);
void ssh_door_serve(void *door, const struct pollfd *fds, size_t n);
