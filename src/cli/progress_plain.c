/* cli/progress_plain.c - progress as lines, for logs.
 *
 * BuildKit's plain format: "#5 [2/3] RUN make", "#5 0.532 what it printed", "#5 DONE 1.2s".  Lines
 * of one item stay together: while it talks, others wait; when it is silent for a second, or ends,
 * the one that has waited longest follows, and "#5 ..." says that more is to come. */
#include "base/core/clock.h"
#include "cli/progress_internal.h"

enum { WAITING_MAX = 64 * 1024 };        /* bytes: so much does not wait for its turn */
#define PATIENCE_NS 1000000000ull        /* silence after which others may speak */
#define STATUS_INTERVAL_NS 5000000000ull /* between two lines about the same part */

static void print_line(struct item *item, struct span text)
{
    buf_printf(&item->waiting, "#%zu ", item->number);
    buf_put(&item->waiting, text);
    buf_putc(&item->waiting, '\n');
}

/* Names on one line: a RUN with a heredoc has several. */
static void print_header(struct display *d, struct item *item)
{
    item->was_shown = true;
    buf_printf(&d->out, "#%zu ", item->number);
    for (const char *p = item->name; *p; p++)
        buf_putc(&d->out, (unsigned char)*p < ' ' ? ' ' : *p);
    buf_putc(&d->out, '\n');
}

/* The one that has waited longest; when nobody shows anything, also one that only began. */
static struct item *next_item(const struct display *d)
{
    struct item *next = NULL;
    vec_each (&d->items, item)
        if ((*item)->waiting.len && (!next || (*item)->waits_since_ns < next->waits_since_ns))
            next = *item;
    if (next || d->current)
        return next;
    vec_each (&d->items, item)
        if ((*item)->state == ITEM_RUNNING && !(*item)->was_shown)
            return *item;
    return NULL;
}

static void show_current(struct display *d, uint64_t now_ns)
{
    struct item *item = d->current;
    if (item->waiting.len) {
        buf_put(&d->out, buf_span(&item->waiting));
        buf_clear(&item->waiting);
        d->current_was_ns = now_ns;
    }
    if (item->state != ITEM_RUNNING) {
        buf_putc(&d->out, '\n');
        d->current = NULL;
    }
}

static void show(struct display *d, uint64_t now_ns, bool is_urgent)
{
    for (;;) {
        if (d->current)
            show_current(d, now_ns);
        struct item *next = next_item(d);
        bool is_turn = !d->current || is_urgent || now_ns > d->current_was_ns + PATIENCE_NS;
        if (!next || !is_turn)
            return;
        if (d->current)
            buf_printf(&d->out, "#%zu ...\n\n", d->current->number);
        d->current = next;
        d->current_was_ns = now_ns;
        print_header(d, next);
    }
}

static void print_part(struct item *item, struct part *p, uint64_t now_ns)
{
    bool is_new_end = p->ended_ns && p->told_ns < p->ended_ns;
    bool is_due =
        !p->ended_ns && now_ns > STATUS_INTERVAL_NS + (p->told_ns ? p->told_ns : p->started_ns);
    if (!is_new_end && !is_due)
        return;
    p->told_ns = now_ns;
    buf_printf(&item->waiting, "#%zu %s ", item->number, p->name);
    size_t before = item->waiting.len;
    part_print_bytes(p, &item->waiting);
    if (item->waiting.len > before)
        buf_putc(&item->waiting, ' ');
    buf_printf(&item->waiting, "%.1fs%s\n",
               seconds_between(p->started_ns, p->ended_ns ? p->ended_ns : now_ns),
               p->ended_ns ? " done" : "");
}

static void print_end(struct item *item, const struct progress_event *e)
{
    double took = seconds_between(item->started_ns, item->ended_ns);
    if (e->kind == PROGRESS_DONE)
        buf_printf(&item->waiting, "#%zu DONE %.1fs\n", item->number, took);
    else if (e->kind == PROGRESS_CACHED)
        print_line(item, SPAN("CACHED"));
    else if (e->kind == PROGRESS_CANCELED)
        print_line(item, SPAN("CANCELED"));
    else if (e->kind == PROGRESS_FAIL)
        buf_printf(&item->waiting, "#%zu ERROR: %s\n", item->number, item->error);
}

static void plain_event(struct display *d, struct item *item, const struct progress_event *e)
{
    size_t before = item->waiting.len;
    vec_each (&item->parts, p)
        print_part(item, p, e->at_ns);
    if (e->kind == PROGRESS_WARN)
        buf_printf(&item->waiting, "#%zu WARN: %s\n", item->number, e->text ? e->text : "");
    print_end(item, e);
    if (!before)
        item->waits_since_ns = e->at_ns;
    show(d, e->at_ns, item->waiting.len > WAITING_MAX);
}

static void plain_line(struct display *d, struct item *item, uint64_t at_ns, struct span line)
{
    (void)d;
    if (!item->waiting.len)
        item->waits_since_ns = at_ns;
    buf_printf(&item->waiting, "#%zu %.3f ", item->number,
               seconds_between(item->started_ns, at_ns));
    buf_put(&item->waiting, line);
    buf_putc(&item->waiting, '\n');
}

static void plain_tick(struct display *d, uint64_t now_ns)
{
    vec_each (&d->items, at) {
        struct item *item = *at;
        if (item->state != ITEM_RUNNING)
            continue;
        size_t before = item->waiting.len;
        vec_each (&item->parts, p)
            print_part(item, p, now_ns);
        if (!before)
            item->waits_since_ns = now_ns;
    }
    show(d, now_ns, false);
}

static void plain_finish(struct display *d, uint64_t now_ns)
{
    show(d, now_ns, true);
    if (d->current)
        buf_putc(&d->out, '\n');
}

const struct display_ops display_plain = {
    .event = plain_event,
    .line = plain_line,
    .tick = plain_tick,
    .finish = plain_finish,
    .log_tail = 8 * 1024,
};
