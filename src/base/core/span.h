/* base/core/span.h - borrowed bytes: pointer and length, not NUL-terminated. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
};

/* A literal: SPAN("sha256"). */
#define SPAN(literal) ((struct span){ .ptr = (literal), .len = sizeof(literal) - 1 })
/* For printf: "%.*s", SPAN_ARG(s). */
#define SPAN_ARG(s) ((int)(s).len), ((s).ptr ? (s).ptr : "")

struct span span_of(const char *text); /* NULL gives the empty span */
struct span span_bytes(const void *ptr, size_t len);
bool span_equal(struct span a, struct span b);
bool span_is(struct span s, const char *text);
bool span_starts(struct span s, const char *prefix);
bool span_ends(struct span s, const char *suffix);
struct span span_skip(struct span s, size_t n);  /* without the first n bytes (at most all) */
struct span span_first(struct span s, size_t n); /* the first n bytes (at most all) */
struct span span_trim(struct span s);            /* without blanks, tabs, CR, LF at both ends */
/* Position of the first / last `c`, or -1. */
ptrdiff_t span_find(struct span s, char c);
ptrdiff_t span_rfind(struct span s, char c);
/* Cuts *rest at the first `sep`: returns what was before it, *rest becomes what follows.
 * Without `sep` returns all and *rest becomes empty with ptr NULL. */
struct span span_cut(struct span *rest, char sep);
char *span_dup(struct span s); /* NUL-terminated copy, owned by the caller */
/* Decimal digits only, at most `max`.  False when empty, not a number or too large. */
bool span_u64(struct span s, uint64_t max, uint64_t *out);
/* The words of Go\'s strconv.ParseBool: 1 t T true TRUE True, 0 f F false FALSE False. */
bool span_bool(struct span s, bool *out);
