/* cli/progress.c - events into the model, the buffer to the terminal; see progress.h. */
#include "cli/progress.h"

#include <errno.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "base/codec/json.h"
#include "base/core/clock.h"
#include "base/core/mem.h"
#include "cli/progress_internal.h"

enum { TICK_MS = 100 };

/* ---- small things ---- */

enum display_mode display_mode_parse(const char *text)
{
    static const char *const names[] = { [DISPLAY_AUTO] = "auto",
                                         [DISPLAY_TTY] = "tty",
                                         [DISPLAY_PLAIN] = "plain",
                                         [DISPLAY_RAWJSON] = "rawjson",
                                         [DISPLAY_QUIET] = "quiet" };
    for (size_t i = 0; text && i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(text, names[i]))
            return (enum display_mode)i;
    return DISPLAY_AUTO;
}

struct size_text size_text(uint64_t size)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    struct size_text t;
    double n = (double)size;
    size_t unit = 0;
    while (n >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        n /= 1000;
        unit++;
    }
    int places = unit == 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2;
    snprintf(t.s, sizeof t.s, "%.*f%s", places, n, units[unit]);
    return t;
}

double seconds_between(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

void part_print_bytes(const struct part *p, struct buf *out)
{
    if (p->total)
        buf_printf(out, "%s / %s", size_text(p->current).s, size_text(p->total).s);
    else if (p->current)
        buf_puts(out, size_text(p->current).s);
}

/* ---- the model ---- */

static void item_free(struct item *item)
{
    vec_each (&item->parts, p)
        free(p->name);
    vec_clear(&item->parts);
    buf_clear(&item->lines[0]);
    buf_clear(&item->lines[1]);
    buf_clear(&item->log);
    buf_clear(&item->waiting);
    str_list_clear(&item->warnings);
    json_free(item->inputs);
    free(item->id);
    free(item->name);
    free(item->error);
    free(item);
}

struct item *display_item(struct display *d, const char *id, const char *name)
{
    struct item *item = map_find(&d->by_id, id);
    if (!item) {
        item = xcalloc(1, sizeof *item);
        item->number = d->items.n + 1;
        item->id = xstrdup(id);
        item->name = xstrdup(name ? name : id);
        buf_init(&item->lines[0], 2 * (size_t)LOG_LINE_MAX);
        buf_init(&item->lines[1], 2 * (size_t)LOG_LINE_MAX);
        buf_init(&item->log, OUT_MAX);
        buf_init(&item->waiting, OUT_MAX);
        *vec_push(&d->items) = item;
        map_set(&d->by_id, id, item);
    } else if (name && strcmp(item->name, name) != 0) {
        free(item->name);
        item->name = xstrdup(name);
    }
    return item;
}

static void take_status(struct item *item, const struct progress_event *e)
{
    const char *name = e->part ? e->part : "";
    struct part *part = NULL;
    vec_each (&item->parts, p)
        if (!strcmp(p->name, name))
            part = p;
    if (!part) {
        if (item->parts.n >= PARTS_MAX)
            return;
        part = vec_push(&item->parts);
        part->name = xstrdup(name);
        part->started_ns = e->at_ns;
    }
    part->current = e->current;
    part->total = e->total;
    part->ended_ns = e->is_part_done ? e->at_ns : 0;
}

/* Drops the oldest lines once there are twice as many bytes as are kept. */
static void keep_tail(struct buf *log, size_t keep)
{
    if (log->len < 2 * keep)
        return;
    struct span tail = span_skip(buf_span(log), log->len - keep);
    ptrdiff_t end = span_find(tail, '\n');
    char *kept = span_dup(span_skip(tail, (size_t)(end + 1)));
    buf_reset(log);
    buf_puts(log, kept);
    free(kept);
}

static void end_line(struct display *d, struct item *item, struct buf *begun, uint64_t at_ns)
{
    struct span line = buf_span(begun);
    if (span_ends(line, "\r"))
        line.len--;
    ptrdiff_t again = span_rfind(line, '\r'); /* a progress bar: what stayed visible */
    line = span_skip(line, (size_t)(again + 1));
    if (d->ops->log_tail) {
        buf_printf(&item->log, "%.3f ", seconds_between(item->started_ns, at_ns));
        buf_put(&item->log, line);
        buf_putc(&item->log, '\n');
        keep_tail(&item->log, d->ops->log_tail);
    }
    if (d->ops->line)
        d->ops->line(d, item, at_ns, line);
    buf_reset(begun);
}

static void take_log(struct display *d, struct item *item, const struct progress_event *e)
{
    struct span rest = e->bytes;
    struct buf *begun = &item->lines[e->stream == 2];
    while (rest.len) {
        ptrdiff_t end = span_find(rest, '\n');
        struct span piece = end < 0 ? rest : span_first(rest, (size_t)end);
        piece = span_first(piece, LOG_LINE_MAX - begun->len);
        buf_put(begun, piece);
        rest = span_skip(rest, piece.len);
        bool is_whole = rest.len && rest.ptr[0] == '\n';
        if (is_whole || begun->len >= LOG_LINE_MAX)
            end_line(d, item, begun, e->at_ns);
        if (is_whole)
            rest = span_skip(rest, 1);
    }
}

static void take_end(struct display *d, struct item *item, enum item_state state,
                     const struct progress_event *e)
{
    for (size_t i = 0; i < 2; i++)
        if (item->lines[i].len)
            end_line(d, item, &item->lines[i], e->at_ns);
    if (!item->started_ns)
        item->started_ns = e->at_ns;
    item->state = state;
    item->ended_ns = e->at_ns;
    vec_each (&item->parts, p)
        if (!p->ended_ns)
            p->ended_ns = e->at_ns;
    if (state != ITEM_FAILED) {
        buf_clear(&item->log);
        return;
    }
    free(item->error);
    item->error = xstrdup(e->text ? e->text : "failed");
}

static void take(struct display *d, struct item *item, const struct progress_event *e)
{
    switch (e->kind) {
    case PROGRESS_START:
        item->state = ITEM_RUNNING;
        item->started_ns = e->at_ns;
        item->ended_ns = 0;
        break;
    case PROGRESS_CACHED:
        take_end(d, item, ITEM_CACHED, e);
        break;
    case PROGRESS_DONE:
        take_end(d, item, ITEM_DONE, e);
        break;
    case PROGRESS_FAIL:
        take_end(d, item, ITEM_FAILED, e);
        break;
    case PROGRESS_CANCELED:
        take_end(d, item, ITEM_CANCELED, e);
        break;
    case PROGRESS_LOG:
        take_log(d, item, e);
        break;
    case PROGRESS_STATUS:
        take_status(item, e);
        break;
    case PROGRESS_WARN:
        str_list_push(&item->warnings, e->text ? e->text : "");
        break;
    }
}

static void tell(void *arg, const struct progress_event *e)
{
    struct display *d = arg;
    pthread_mutex_lock(&d->lock);
    while (d->out.len > OUT_WAIT && !d->is_closing)
        pthread_cond_wait(&d->changed, &d->lock);
    struct item *item = display_item(d, e->id ? e->id : "", e->name);
    if (!item->started_ns)
        item->started_ns = e->at_ns;
    take(d, item, e);
    if (d->ops->event)
        d->ops->event(d, item, e);
    if (d->out.len)
        pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

/* ---- the writer ---- */

static void write_out(int fd, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR)
            return; /* nobody is there to read */
        bytes = span_skip(bytes, n > 0 ? (size_t)n : 0);
    }
}

/* With the lock held: it is given up while bytes are written. */
static void flush(struct display *d)
{
    struct buf bytes = d->out;
    if (!bytes.len)
        return;
    buf_init(&d->out, OUT_MAX);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    write_out(d->fd, buf_span(&bytes));
    buf_clear(&bytes);
    pthread_mutex_lock(&d->lock);
}

static void write_until_closed(void *arg)
{
    struct display *d = arg;
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); /* for widths */
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    uint64_t next_ns = clock_monotonic_ns();
    pthread_mutex_lock(&d->lock);
    while (!d->is_closing) {
        uint64_t now = clock_monotonic_ns();
        if (now >= next_ns) {
            if (d->ops->tick)
                d->ops->tick(d, now);
            next_ns = now + TICK_MS * 1000000ull;
        }
        flush(d);
        if (d->out.len || d->is_closing)
            continue;
        struct timespec until = { .tv_sec = (time_t)(next_ns / 1000000000),
                                  .tv_nsec = (long)(next_ns % 1000000000) };
        pthread_cond_timedwait(&d->changed, &d->lock, &until);
    }
    if (d->ops->finish)
        d->ops->finish(d, clock_monotonic_ns());
    flush(d);
    pthread_mutex_unlock(&d->lock);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
}

/* ---- open and close ---- */

static bool can_move_cursor(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term && term[0] && strcmp(term, "dumb") != 0;
}

static const struct display_ops *ops_of(enum display_mode mode, int fd)
{
    switch (mode) {
    case DISPLAY_TTY:
        return &display_tty;
    case DISPLAY_PLAIN:
        return &display_plain;
    case DISPLAY_RAWJSON:
        return &display_rawjson;
    case DISPLAY_QUIET:
        return &display_quiet;
    case DISPLAY_AUTO:
        break;
    }
    return can_move_cursor(fd) ? &display_tty : &display_plain;
}

static void display_free(struct display *d)
{
    vec_each (&d->items, item)
        item_free(*item);
    vec_clear(&d->items);
    vec_clear(&d->frame);
    map_clear(&d->by_id);
    buf_clear(&d->out);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d->title);
    free(d);
}

int display_open(enum display_mode mode, const char *title, int fd, struct display **out,
                 struct err *err)
{
    struct display *d = xcalloc(1, sizeof *d);
    const char *no_colour = getenv("NO_COLOR");
    d->ops = ops_of(mode, fd);
    d->sink = (struct progress){ .tell = tell, .arg = d };
    d->title = xstrdup(title);
    d->fd = fd;
    d->has_colour = can_move_cursor(fd) && !(no_colour && no_colour[0]);
    d->opened_ns = clock_monotonic_ns();
    clock_gettime(CLOCK_REALTIME, &d->opened_at);
    buf_init(&d->out, OUT_MAX);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&d->lock, NULL);
    if (thread_start(&d->writer, "display", write_until_closed, d, err)) {
        display_free(d);
        return -1;
    }
    *out = d;
    return 0;
}

const struct progress *display_sink(struct display *d)
{
    return d ? &d->sink : NULL;
}

/* What failed steps printed, for those who did not see it pass by. */
static void print_failures(struct display *d)
{
    vec_each (&d->items, at) {
        const struct item *item = *at;
        if (item->state != ITEM_FAILED || !item->log.len)
            continue;
        buf_printf(&d->out, "------\n > %s:\n", item->name);
        buf_put(&d->out, buf_span(&item->log));
        buf_puts(&d->out, "------\n");
    }
}

void display_close(struct display *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->is_closing = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    thread_join(d->writer);
    print_failures(d);
    write_out(d->fd, buf_span(&d->out));
    display_free(d);
}

/* Nothing is shown, but what a failed step printed. */
const struct display_ops display_quiet = { .log_tail = 8 * 1024 };
