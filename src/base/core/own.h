/* base/core/own.h - ownership: what is freed when a variable goes out of scope, and what is handed
 * on.
 *
 *     AUTO(store_close) struct store *st = NULL;   closed at the end of the scope
 *     AUTO_FREE char *name = NULL;
 *     AUTO_FD int fd = -1;
 *     *out = STEAL(st);                            handed to the caller, as the last act
 *
 * Every `noun_free`, `noun_close` used so is declared with DEFINE_AUTO(struct noun, noun_free). */
#pragma once

#define NODISCARD __attribute__((warn_unused_result))

/* `unused`: a variable may be there for its end of scope alone; clang would warn. */
#define AUTO(fn) __attribute__((cleanup(fn##_auto), unused))
#define DEFINE_AUTO(type, fn)                                                                      \
    static inline __attribute__((unused)) void fn##_auto(type **p)                                 \
    {                                                                                              \
        if (*p)                                                                                    \
            fn(*p);                                                                                \
    }
/* For values rather than pointers: AUTO_VALUE(buf_clear) struct buf b. */
#define AUTO_VALUE(fn) __attribute__((cleanup(fn), unused))

#define STEAL(p)                                                                                   \
    ({                                                                                             \
        __typeof__(p) stolen_ = (p);                                                               \
        (p) = NULL;                                                                                \
        stolen_;                                                                                   \
    })
#define STEAL_FD(fd)                                                                               \
    ({                                                                                             \
        int stolen_ = (fd);                                                                        \
        (fd) = -1;                                                                                 \
        stolen_;                                                                                   \
    })

void auto_free_pointer(void *p); /* *(void **)p is freed */
void auto_close_fd(int *fd);     /* closed unless -1; errno is kept */

#define AUTO_FREE __attribute__((cleanup(auto_free_pointer), unused))
#define AUTO_FD __attribute__((cleanup(auto_close_fd), unused))
