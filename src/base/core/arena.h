/* base/core/arena.h - many small allocations that die together. */
#pragma once
#include <stdarg.h>

#include "base/core/own.h"
#include "base/core/span.h"

struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *a);
DEFINE_AUTO(struct arena, arena_free)

void *arena_alloc(struct arena *a, size_t size)
    __attribute__((returns_nonnull)); /* zeroed, aligned to 16 */
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t len) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
