/* tests/harness/tap.h - unit tests that print TAP.
 *
 *     TEST("a short name is completed") { EXPECT_STR(print(parse("alpine")), "docker.io/..."); }
 *     TAP_MAIN()
 *
 * Each TEST is one case; a failed EXPECT marks it failed and goes on, a failed REQUIRE leaves the
 * case.  A test function finds an empty folder in tap_dir(), removed afterwards.  SKIP("needs ...")
 * leaves the case as skipped, for what this machine cannot do. */
#pragma once
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/err.h"

struct tap_case {
    const char *name;
    void (*run)(void);
    struct tap_case *next;
};

struct tap_state {
    struct tap_case *first, **last;
    bool has_failed;
    const char *skipped;
    char dir[64];
};
static struct tap_state tap = { .last = &tap.first };

__attribute__((unused)) static void tap_register(struct tap_case *c)
{
    *tap.last = c;
    tap.last = &c->next;
}

__attribute__((unused, format(printf, 3, 4))) static void tap_fail(const char *file, int line,
                                                                   const char *fmt, ...)
{
    tap.has_failed = true;
    char text[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    printf("# %s:%d: ", file, line);
    for (const char *p = text; *p; p++) {
        putchar(*p);
        if (*p == '\n')
            printf("#   ");
    }
    putchar('\n');
}

static int tap_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

__attribute__((unused)) static void tap_remove_tree(const char *path)
{
    nftw(path, tap_remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

/* An empty folder of this case's own. */
__attribute__((unused)) static const char *tap_dir(void)
{
    if (!tap.dir[0]) {
        snprintf(tap.dir, sizeof tap.dir, "/tmp/kiln-test-XXXXXX");
        if (!mkdtemp(tap.dir))
            abort();
    }
    return tap.dir;
}

#define TAP_JOIN_(a, b) a##b
#define TAP_JOIN(a, b) TAP_JOIN_(a, b)
#define TEST_(sentence, id)                                                                        \
    static void TAP_JOIN(tap_run_, id)(void);                                                      \
    static struct tap_case TAP_JOIN(tap_case_, id) = { sentence, TAP_JOIN(tap_run_, id), NULL };   \
    __attribute__((constructor)) static void TAP_JOIN(tap_add_, id)(void)                          \
    {                                                                                              \
        tap_register(&TAP_JOIN(tap_case_, id));                                                    \
    }                                                                                              \
    static void TAP_JOIN(tap_run_, id)(void)
#define TEST(sentence) TEST_(sentence, __COUNTER__)

#define EXPECT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            tap_fail(__FILE__, __LINE__, "expected %s", #cond);                                    \
    } while (0)
#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            tap_fail(__FILE__, __LINE__, "required %s", #cond);                                    \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define EXPECT_INT(got, want)                                                                      \
    do {                                                                                           \
        intmax_t got_ = (intmax_t)(got), want_ = (intmax_t)(want);                                 \
        if (got_ != want_)                                                                         \
            tap_fail(__FILE__, __LINE__, "%s is %jd, expected %jd", #got, got_, want_);            \
    } while (0)
#define EXPECT_STR(got, want)                                                                      \
    do {                                                                                           \
        const char *got_ = (got), *want_ = (want);                                                 \
        if (!got_ || !want_ ? got_ != want_ : strcmp(got_, want_) != 0)                            \
            tap_fail(__FILE__, __LINE__, "%s is\n%s\nexpected\n%s", #got, got_ ? got_ : "(null)",  \
                     want_ ? want_ : "(null)");                                                    \
    } while (0)
#define EXPECT_CONTAINS(got, part)                                                                 \
    do {                                                                                           \
        const char *got_ = (got), *part_ = (part);                                                 \
        if (!got_ || !strstr(got_, part_))                                                         \
            tap_fail(__FILE__, __LINE__, "%s is\n%s\nwithout\n%s", #got, got_ ? got_ : "(null)",   \
                     part_);                                                                       \
    } while (0)
/* A call that must succeed; prints the error's text when not.  REQUIRE_OK leaves the case. */
#define EXPECT_OK(call, e)                                                                         \
    do {                                                                                           \
        if ((call) != 0)                                                                           \
            tap_fail(__FILE__, __LINE__, "%s failed: %s", #call, (e)->text);                       \
    } while (0)
#define REQUIRE_OK(call, e)                                                                        \
    do {                                                                                           \
        if ((call) != 0) {                                                                         \
            tap_fail(__FILE__, __LINE__, "%s failed: %s", #call, (e)->text);                       \
            return;                                                                                \
        }                                                                                          \
    } while (0)
/* A call that must fail with this kind. */
#define EXPECT_ERR(call, e, k)                                                                     \
    do {                                                                                           \
        if ((call) == 0)                                                                           \
            tap_fail(__FILE__, __LINE__, "%s succeeded, expected %s", #call, err_kind_name(k));    \
        else if ((e)->kind != (k))                                                                 \
            tap_fail(__FILE__, __LINE__, "%s failed as %s (%s), expected %s", #call,               \
                     err_kind_name((e)->kind), (e)->text, err_kind_name(k));                       \
    } while (0)
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        tap.skipped = (reason);                                                                    \
        return;                                                                                    \
    } while (0)

/* Runs all cases, or those whose name contains argv[1]. */
__attribute__((unused)) static int tap_main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int n = 0, failed = 0;
    for (struct tap_case *c = tap.first; c; c = c->next)
        n += argc < 2 || strstr(c->name, argv[1]) != NULL;
    printf("1..%d\n", n);
    int i = 0;
    for (struct tap_case *c = tap.first; c; c = c->next) {
        if (argc >= 2 && !strstr(c->name, argv[1]))
            continue;
        tap.has_failed = false;
        tap.skipped = NULL;
        tap.dir[0] = '\0';
        c->run();
        if (tap.dir[0])
            tap_remove_tree(tap.dir);
        failed += tap.has_failed;
        printf("%s %d - %s", tap.has_failed ? "not ok" : "ok", ++i, c->name);
        if (tap.skipped && !tap.has_failed)
            printf(" # SKIP %s", tap.skipped);
        putchar('\n');
    }
    return failed > 0;
}

#define TAP_MAIN()                                                                                 \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return tap_main(argc, argv);                                                               \
    }
