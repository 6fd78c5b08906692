/* engine/sandbox/run_internal.h - one sandbox_run(), shared by run.c and wait.c. */
#pragma once
#include <signal.h>

#include "engine/sandbox/internal.h"

enum { N_OWN_MOUNTS = 2 }; /* /etc/hosts, /etc/resolv.conf */

struct run {
    struct sandbox *sb;           /* borrowed */
    const struct step_plan *plan; /* borrowed */
    struct buf hosts, resolv_conf;
    struct step_mount *mounts; /* owned; ours, then the plan's */
    size_t n_mounts;
    int root_fd;          /* owned */
    vec(int) owned;       /* descriptors that are closed once the plan is sent */
    struct stubs stubs;   /* removed when nothing of the step is left */
    int socket;           /* owned; to the step */
    int streams[2];       /* owned: stdout and stderr; -1 when closed or the caller's */
    int terminal;         /* owned; -1: none */
    bool input_has_ended; /* nothing more for the terminal */
    bool signals_have_ended;

    bool has_ended, was_oom_killed;
    struct step_message last; /* STEP_ENDED */
    struct err failure;       /* STEP_FAILED */
    enum err_kind killed_for; /* ERR_NONE, ERR_TIMEOUT, ERR_CANCELED */
};

/* Moves output, passes signals, until nothing is left of the step. */
NODISCARD int run_wait(struct run *r, struct err *err);
