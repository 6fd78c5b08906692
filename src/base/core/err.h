/* base/core/err.h - what went wrong, told once and completed on the way up.
 *
 * A `struct err` lives on the caller's stack, zeroed (`struct err err = { 0 };`), and is never
 * NULL. It is set where the failure is seen; each caller that knows more adds one prefix.  A text
 * reads `what was tried: on which object: why`, lower case, no full stop.
 *
 * Threads: an err belongs to one thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/core/own.h"

enum err_kind {
    ERR_NONE,
    ERR_NOT_FOUND,
    ERR_EXISTS,
    ERR_DENIED,
    ERR_INVALID, /* breaks its specification, or wrong usage */
    ERR_CORRUPT, /* digest or size differ from what was promised */
    ERR_LIMIT,
    ERR_NETWORK,
    ERR_TIMEOUT,
    ERR_UNSUPPORTED,
    ERR_CANCELED,
    ERR_SYSTEM, /* a system call failed; `sys` is its errno */
};

enum { ERR_TEXT_MAX = 1536, ERR_HINT_MAX = 512 };

struct err {
    enum err_kind kind;
    int sys; /* errno, or 0 */
    char text[ERR_TEXT_MAX];
    char hint[ERR_HINT_MAX]; /* what to do about it, or "" */
};

/* Sets kind and text; drops any hint.  Returns -1, so that callers can `return err_set(...)`. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets text followed by ": " and the text of the current errno, and the kind that fits errno:
 * ENOENT NOT_FOUND; EEXIST EXISTS; EACCES, EPERM DENIED; ETIMEDOUT TIMEOUT; else SYSTEM.
 * Returns -1. */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "FMT: " before the text that is there.  Returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says what to do; replaces an earlier hint.  Returns -1. */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* clang's analyzer sees one file at a time: here it learns that these never return 0. */
#ifdef __clang_analyzer__
#define ERR_FAILED_(call)                                                                          \
    ({                                                                                             \
        call;                                                                                      \
        -1;                                                                                        \
    })
#define err_set(...) ERR_FAILED_(err_set(__VA_ARGS__))
#define err_sys(...) ERR_FAILED_(err_sys(__VA_ARGS__))
#define err_wrap(...) ERR_FAILED_(err_wrap(__VA_ARGS__))
#define err_hint(...) ERR_FAILED_(err_hint(__VA_ARGS__))
#endif

/* Forgets an error that was dealt with. */
void err_clear(struct err *err);

/* "not found", "denied", ...: for logs and JSON. */
const char *err_kind_name(enum err_kind kind);
