#include "base/core/cancel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/core/clock.h"
#include "base/core/pool.h"
#include "tap.h"

static bool is_readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

TEST("firing is seen by loops and by poll, and stays")
{
    struct err err = { 0 };
    AUTO(cancel_free) struct cancel *c = cancel_new();
    EXPECT(!cancel_fired(c));
    EXPECT(!is_readable(cancel_fd(c)));
    EXPECT_OK(cancel_check(c, &err), &err);
    cancel_fire(c);
    cancel_fire(c);
    EXPECT(cancel_fired(c));
    EXPECT(is_readable(cancel_fd(c)));
    EXPECT(is_readable(cancel_fd(c)));
    EXPECT_ERR(cancel_check(c, &err), &err, ERR_CANCELED);
    EXPECT_STR(err.text, "canceled");
}

TEST("one below another is fired with it, and alone")
{
    AUTO(cancel_free) struct cancel *above = cancel_new();
    AUTO(cancel_free) struct cancel *below = cancel_new_below(above);
    AUTO(cancel_free) struct cancel *other = cancel_new_below(above);
    AUTO(cancel_free) struct cancel *deepest = cancel_new_below(other);
    AUTO(cancel_free) struct cancel *alone = cancel_new_below(NULL);
    EXPECT(!cancel_fired(below) && !is_readable(cancel_fd(below)));
    cancel_fire(below);
    EXPECT(cancel_fired(below) && is_readable(cancel_fd(below)));
    EXPECT(!cancel_fired(above) && !is_readable(cancel_fd(above)));
    EXPECT(!cancel_fired(other) && !is_readable(cancel_fd(deepest)));
    cancel_fire(above);
    EXPECT(cancel_fired(other) && is_readable(cancel_fd(other)));
    EXPECT(cancel_fired(deepest) && is_readable(cancel_fd(deepest)));
    EXPECT(!cancel_fired(alone) && !is_readable(cancel_fd(alone)));
}

TEST("without a cancel nothing is ever canceled")
{
    struct err err = { 0 };
    EXPECT(!cancel_fired(NULL));
    EXPECT_INT(cancel_fd(NULL), -1);
    EXPECT_OK(cancel_check(NULL, &err), &err);
    EXPECT_OK(cancel_sleep_ms(NULL, 1, &err), &err);
    cancel_fire(NULL);
    cancel_free(NULL);
}

static struct cancel *from_signal;

static void on_signal(int number)
{
    (void)number;
    cancel_fire(from_signal);
}

TEST("a signal handler may fire, and errno is as before")
{
    from_signal = cancel_new();
    struct sigaction action = { .sa_handler = on_signal }, old;
    sigaction(SIGUSR1, &action, &old);
    errno = 17;
    raise(SIGUSR1);
    EXPECT_INT(errno, 17);
    EXPECT(cancel_fired(from_signal));
    EXPECT(is_readable(cancel_fd(from_signal)));
    sigaction(SIGUSR1, &old, NULL);
    cancel_free(from_signal);
}

static void fire(void *arg)
{
    cancel_fire(arg);
}

TEST("a sleeper is woken from another thread")
{
    struct err err = { 0 };
    AUTO(cancel_free) struct cancel *c = cancel_new();
    uint64_t start = clock_monotonic_ms();
    struct thread *t = NULL;
    REQUIRE_OK(thread_start(&t, "firer", fire, c, &err), &err);
    EXPECT_ERR(cancel_sleep_ms(c, 60000, &err), &err, ERR_CANCELED);
    EXPECT(clock_monotonic_ms() - start < 50000);
    thread_join(t);
}

TEST("a sleep lasts its time, and a fired one or none at all does not begin")
{
    struct err err = { 0 };
    AUTO(cancel_free) struct cancel *c = cancel_new();
    uint64_t start = clock_monotonic_ns();
    EXPECT_OK(cancel_sleep_ms(c, 5, &err), &err);
    EXPECT(clock_monotonic_ns() - start >= 4000000);
    EXPECT_OK(cancel_sleep_ms(c, 0, &err), &err);
    EXPECT_OK(cancel_sleep_ms(c, -5, &err), &err);
    cancel_fire(c);
    EXPECT_ERR(cancel_sleep_ms(c, 60000, &err), &err, ERR_CANCELED);
}

TAP_MAIN()
