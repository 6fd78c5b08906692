/* base/core/cancel.c - a flag for loops and an eventfd for waits, both set once and never taken
 * back.  One that is below another waits by an epoll of both eventfds.
 *
 * Firing is an atomic store and a write(2), so a signal handler may do it. */
#include "base/core/cancel.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/mem.h"

struct cancel {
    atomic_bool is_fired;
    int fd;                     /* owned; readable once fired, never read */
    const struct cancel *above; /* borrowed; NULL: none */
    int both_fd;                /* owned; readable when either is; -1: none above */
};

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "cancel_fire() is called from signal handlers");

static void require(bool is_done, const char *what)
{
    if (is_done)
        return;
    fprintf(stderr, "fatal: %s: %s\n", what, strerrordesc_np(errno));
    abort();
}

struct cancel *cancel_new(void)
{
    struct cancel *c = xcalloc(1, sizeof *c);
    c->both_fd = -1;
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    require(c->fd >= 0, "create an eventfd");
    return c;
}

struct cancel *cancel_new_below(const struct cancel *above)
{
    struct cancel *c = cancel_new();
    struct epoll_event on = { .events = EPOLLIN };
    if (!above)
        return c;
    c->above = above;
    c->both_fd = epoll_create1(EPOLL_CLOEXEC);
    require(c->both_fd >= 0 && epoll_ctl(c->both_fd, EPOLL_CTL_ADD, c->fd, &on) == 0 &&
                epoll_ctl(c->both_fd, EPOLL_CTL_ADD, cancel_fd(above), &on) == 0,
            "create an epoll");
    return c;
}

void cancel_free(struct cancel *c)
{
    if (!c)
        return;
    auto_close_fd(&c->fd);
    auto_close_fd(&c->both_fd);
    free(c);
}

void cancel_fire(struct cancel *c)
{
    if (!c || atomic_exchange(&c->is_fired, true))
        return;
    int saved = errno;
    /* Cannot fail: the counter goes from 0 to 1 and only once. */
    uint64_t one = 1;
    if (write(c->fd, &one, sizeof one) < 0)
        abort();
    errno = saved;
}

bool cancel_fired(const struct cancel *c)
{
    return c && (atomic_load(&c->is_fired) || cancel_fired(c->above));
}

int cancel_fd(const struct cancel *c)
{
    return !c ? -1 : c->both_fd >= 0 ? c->both_fd : c->fd;
}

int cancel_check(const struct cancel *c, struct err *err)
{
    return cancel_fired(c) ? err_set(err, ERR_CANCELED, "canceled") : 0;
}

int cancel_sleep_ms(const struct cancel *c, int timeout_ms, struct err *err)
{
    uint64_t now = clock_monotonic_ms(), end = now + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
    struct pollfd fd = { .fd = cancel_fd(c), .events = POLLIN }; /* poll(2) skips -1 */
    while (!cancel_fired(c) && now < end) {
        poll(&fd, 1, (int)(end - now)); /* EINTR: the loop looks at the clock again */
        now = clock_monotonic_ms();
    }
    return cancel_check(c, err);
}
