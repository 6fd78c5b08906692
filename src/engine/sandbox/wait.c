/* engine/sandbox/wait.c - a thread waits for its step: output, messages, signals, time, cancel.
 *
 * The step's socket ends when the launcher has reaped the step's init, so what is in the pipes then
 * is all there will be. */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/sys/fs.h"
#include "engine/sandbox/run_internal.h"

enum slot {
    SLOT_STEP,
    SLOT_OUT,
    SLOT_ERR,
    SLOT_CANCEL,
    SLOT_SIGNALS,
    SLOT_LAUNCHER,
    SLOT_TERMINAL,
    SLOT_INPUT,
    N_SLOTS
};
enum { SERVICE_FDS = 64 }; /* of all services together */

/* What poll(2) looks at: ours, then the services' in order. */
struct slots {
    struct pollfd fds[N_SLOTS + SERVICE_FDS];
    size_t counts[LIMIT_STEP_SERVICES];
    size_t n;
};

static void deliver(struct run *r, enum step_stream stream, struct span bytes)
{
    struct err ignored = { 0 };
    if (r->plan->output)
        r->plan->output(r->plan->output_arg, stream, bytes);
    else if (r->plan->stdout_fd >= 0 && fs_write_all(r->plan->stdout_fd, bytes, &ignored) < 0)
        return; /* the reader has left */
}

/* One piece; closes at the end.  A terminal's end is EIO. */
static void read_stream(struct run *r, int *fd, enum step_stream stream)
{
    char bytes[65536];
    ssize_t n = read(*fd, bytes, sizeof bytes);
    if (n > 0)
        deliver(r, stream, span_bytes(bytes, (size_t)n));
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        fd_close(fd);
}

static void read_rest(struct run *r, int *fd, enum step_stream stream)
{
    for (;;) {
        struct pollfd one = { .fd = *fd, .events = POLLIN };
        if (*fd < 0 || poll(&one, 1, 0) <= 0)
            return;
        read_stream(r, fd, stream);
    }
}

static void step_send(struct run *r, enum step_message_type type, int value)
{
    message_send(r->socket, &(struct step_message){ .type = type, .value = value }, -1);
}

static void kill_for(struct run *r, enum err_kind why)
{
    if (r->killed_for != ERR_NONE || r->has_ended)
        return;
    r->killed_for = why;
    step_send(r, STEP_KILL, 0);
}

/* The kernel tells the program that its terminal has changed. */
static void pass_size(struct run *r)
{
    struct winsize size;
    if (r->terminal >= 0 && ioctl(r->plan->stdout_fd, TIOCGWINSZ, &size) == 0 &&
        ioctl(r->terminal, TIOCSWINSZ, &size) < 0)
        return; /* it has ended */
}

static void pass_signals(struct run *r)
{
    unsigned char numbers[16];
    ssize_t n = read(r->plan->signals_fd, numbers, sizeof numbers);
    r->signals_have_ended = n == 0;
    for (ssize_t i = 0; i < n; i++) {
        if (numbers[i] == SIGWINCH && r->plan->has_terminal)
            pass_size(r);
        else
            step_send(r, STEP_SIGNAL, numbers[i]);
    }
}

static void pass_input(struct run *r)
{
    struct err ignored = { 0 };
    char bytes[4096];
    ssize_t n = read(r->plan->stdin_fd, bytes, sizeof bytes);
    if (n > 0 && fs_write_all(r->terminal, span_bytes(bytes, (size_t)n), &ignored) == 0)
        return;
    r->input_has_ended = true;
    if (n == 0 && write(r->terminal, "\004", 1) != 1) /* end of file, as typed */
        return;
}

/* *is_end: nothing is left of the step. */
static int take_message(struct run *r, bool *is_end, struct err *err)
{
    struct step_message m;
    AUTO_FD int fd = -1;
    if (message_receive(r->socket, &m, &fd, is_end, err) < 0)
        return -1;
    if (*is_end)
        return 0;
    if (m.type == STEP_FAILED && r->failure.kind == ERR_NONE) {
        r->failure = m.err;
    } else if (m.type == STEP_ENDED) {
        r->last = m;
        r->has_ended = true;
    } else if (m.type == STEP_TERMINAL) {
        r->terminal = STEAL_FD(fd);
    } else if (m.type == STEP_GONE) {
        r->was_oom_killed = m.was_oom_killed;
        if (!r->has_ended) {
            r->last = m;
            r->last.not_applied = 0;
        }
    }
    return 0;
}

static void services_set(const struct run *r, struct slots *s)
{
    for (size_t i = 0; i < r->plan->n_services; i++) {
        const struct step_service *one = &r->plan->services[i];
        s->counts[i] = one->watch(one->arg, s->fds + s->n, N_SLOTS + SERVICE_FDS - s->n);
        s->n += s->counts[i];
    }
}

static void services_serve(const struct run *r, const struct slots *s)
{
    const struct pollfd *at = s->fds + N_SLOTS;
    for (size_t i = 0; i < r->plan->n_services; i++) {
        const struct step_service *one = &r->plan->services[i];
        one->serve(one->arg, at, s->counts[i]);
        at += s->counts[i];
    }
}

static void slots_set(const struct run *r, struct slots *s)
{
    bool is_killed = r->killed_for != ERR_NONE || r->has_ended;
    bool takes_input = r->terminal >= 0 && !r->input_has_ended;
    const int fds[N_SLOTS] = { [SLOT_STEP] = r->socket,
                               [SLOT_OUT] = r->streams[0],
                               [SLOT_ERR] = r->streams[1],
                               [SLOT_CANCEL] = is_killed ? -1 : cancel_fd(r->plan->cancel),
                               [SLOT_SIGNALS] = r->signals_have_ended ? -1 : r->plan->signals_fd,
                               [SLOT_LAUNCHER] = r->sb->socket,
                               [SLOT_TERMINAL] = r->terminal,
                               [SLOT_INPUT] = takes_input ? r->plan->stdin_fd : -1 };
    for (size_t i = 0; i < N_SLOTS; i++)
        s->fds[i] = (struct pollfd){ .fd = fds[i], .events = i == SLOT_LAUNCHER ? 0 : POLLIN };
    s->n = N_SLOTS;
    services_set(r, s);
}

static int time_left(const struct run *r, uint64_t end_ms)
{
    if (r->plan->timeout_ms <= 0 || r->killed_for != ERR_NONE || r->has_ended)
        return -1;
    uint64_t now = clock_monotonic_ms();
    return now >= end_ms ? 0 : (int)(end_ms - now);
}

static int serve(struct run *r, const struct pollfd *slots, bool *is_end, struct err *err)
{
    if (slots[SLOT_LAUNCHER].revents)
        return err_set(err, ERR_SYSTEM, "run the step: its launcher was killed");
    if (slots[SLOT_OUT].revents)
        read_stream(r, &r->streams[0], STEP_STDOUT);
    if (slots[SLOT_ERR].revents)
        read_stream(r, &r->streams[1], STEP_STDERR);
    if (slots[SLOT_TERMINAL].revents)
        read_stream(r, &r->terminal, STEP_STDOUT);
    if (slots[SLOT_INPUT].revents && r->terminal >= 0)
        pass_input(r);
    if (slots[SLOT_SIGNALS].revents)
        pass_signals(r);
    if (slots[SLOT_CANCEL].revents)
        kill_for(r, ERR_CANCELED);
    return slots[SLOT_STEP].revents ? take_message(r, is_end, err) : 0;
}

int run_wait(struct run *r, struct err *err)
{
    uint64_t end_ms =
        clock_monotonic_ms() + (uint64_t)(r->plan->timeout_ms > 0 ? r->plan->timeout_ms : 0);
    bool is_end = false;
    while (!is_end) {
        struct slots slots;
        slots_set(r, &slots);
        int n = poll(slots.fds, slots.n, time_left(r, end_ms));
        if (n < 0 && errno != EINTR)
            return err_sys(err, "wait for the step");
        if (n == 0)
            kill_for(r, ERR_TIMEOUT);
        if (n > 0)
            services_serve(r, &slots);
        if (n > 0 && serve(r, slots.fds, &is_end, err) < 0)
            return -1;
    }
    read_rest(r, &r->streams[0], STEP_STDOUT);
    read_rest(r, &r->streams[1], STEP_STDERR);
    read_rest(r, &r->terminal, STEP_STDOUT);
    return 0;
}
