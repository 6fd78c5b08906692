/* base/sys/process.h - other programs: start, feed, read, stop.
 *
 * For helpers such as git and credential helpers; RUN steps are engine/sandbox's.
 * Threads: no state; started with posix_spawn, so safe in a threaded process. */
#pragma once
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/cancel.h"
#include "base/core/err.h"

struct process_result {
    int exit_status; /* 128 + signal when a signal ended it */
    struct buf out;  /* stdout, up to its ceiling */
    struct buf log;  /* stderr, the last bytes of it */
};
void process_result_clear(struct process_result *r);

struct process_options {
    const char *const *argv; /* argv[0] is looked up in PATH; NULL-terminated */
    const char *const *env;  /* NULL: ours */
    const char *cwd;         /* NULL: ours */
    struct span input;       /* stdin */
    size_t out_ceiling;      /* 0: LIMIT_JSON */
    int timeout_ms;          /* 0: none */
    int idle_timeout_ms;     /* of nothing printed on stdout or stderr; 0: none */
    const struct cancel *cancel;
};
/* Runs to its end.  A non-zero exit is no error here: look at exit_status.
 * Fails: NOT_FOUND (no such program), TIMEOUT, CANCELED, LIMIT, SYSTEM; the process is gone then.
 */
NODISCARD int process_run(const struct process_options *o, struct process_result *out,
                          struct err *err);
