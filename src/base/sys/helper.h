/* base/sys/helper.h - another program that stays while we need it, and never longer.
 *
 * Its stdin is a pipe that ends when we let go or die, however we die; a program that reads it to
 * its end leaves then.  What it prints (stdout and stderr) is read line by line while it starts.
 *
 * Threads: no state; started with posix_spawn, so safe in a threaded process. */
#pragma once
#include "base/core/buf.h"
#include "base/core/cancel.h"
#include "base/core/err.h"

struct helper;
/* argv[0] is looked up in PATH; NULL-terminated.  `env` NULL: ours.  It gets a session of its own,
 * so it can ask nobody at a terminal.  Fails: NOT_FOUND (no such program), SYSTEM. */
NODISCARD int helper_start(const char *const *argv, const char *const *env, struct helper **out,
                           struct err *err);
/* Reads until it has printed `line` alone on one; what came before is appended to `out`.
 * *is_there false: it ended, or closed its output, first.  Fails: TIMEOUT, CANCELED, LIMIT, SYSTEM.
 */
NODISCARD int helper_expect(struct helper *h, const char *line, int timeout_ms,
                            const struct cancel *cancel, struct buf *out, bool *is_there,
                            struct err *err);
/* Ends its stdin and waits for it for a moment; then it and its process group are killed. */
void helper_stop(struct helper *h);
DEFINE_AUTO(struct helper, helper_stop)
