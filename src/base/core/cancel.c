/* base/core/cancel.c - a flag for loops and an eventfd for waits, both set once and never taken
 * back.
 *
 * Firing is an atomic store and a write(2), so a signal handler may do it. */
#include "base/core/cancel.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/mem.h"

struct cancel {
    atomic_bool is_fired;
    int fd; /* owned; readable once fired, never read */
};

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "cancel_fire() is called from signal handlers");

struct cancel *cancel_new(void)
{
    struct cancel *c = xcalloc(1, sizeof *c);
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->fd < 0) {
        fprintf(stderr, "fatal: create an eventfd: %s\n", strerrordesc_np(errno));
        abort();
    }
    return c;
}

void cancel_free(struct cancel *c)
{
    if (!c)
        return;
    auto_close_fd(&c->fd);
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
    return c && atomic_load(&c->is_fired);
}

int cancel_fd(const struct cancel *c)
{
    return c ? c->fd : -1;
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
