/* base/core/mem.h - memory that is there or the program ends.
 *
 * Sizes from outside were checked against a ceiling of base/core/limits.h before they come here;
 * running out of memory aborts. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/own.h"

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrdup_or_null(const char *s); /* NULL gives NULL */
char *xstrndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
char *xvasprintf(const char *fmt, va_list args)
    __attribute__((format(printf, 1, 0), returns_nonnull));

/* a + b, a * b: abort on overflow.  For sizes whose parts were bounded already. */
size_t size_add(size_t a, size_t b);
size_t size_mul(size_t a, size_t b);
/* The same for format sizes; false on overflow, *out untouched. */
NODISCARD bool u64_add(uint64_t a, uint64_t b, uint64_t *out);
