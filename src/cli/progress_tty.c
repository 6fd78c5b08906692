/* cli/progress_tty.c - progress that redraws the last lines of a terminal, as buildx does.
 *
 *     [+] Building 3.4s (5/9)
 *      => CACHED [2/3] RUN make                                             0.0s
 *      => [3/3] COPY --from=build /app /app                                 1.2s
 *      => => sha256:0123456789ab 3.1MB / 30MB                               1.2s
 *
 * A frame is made of the model each time, cut to the height of the window: lines of output go
 * first, then parts of what has ended, then what ended longest ago.  Drawing goes up by the rows
 * that the last frame takes at the present width, so a window that became narrower is no trouble.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "base/core/clock.h"
#include "base/core/mem.h"
#include "cli/progress_internal.h"

enum { LOG_LINES = 6, NAME_MIN = 20 };

enum colour { PLAIN, BLUE, RED, YELLOW };

struct line {
    struct buf text;
    char right[16]; /* the time, at the right edge */
    enum colour colour;
};

/* What is left out of a frame that would be too high, in this order. */
struct detail {
    size_t n_logs;        /* lines of output of each running step */
    bool has_ended_parts; /* parts of items that have ended */
    size_t n_skipped;     /* items that ended longest ago */
    size_t n_parts;       /* of each running item; where not all fit, those that move */
};

struct frame {
    vec(struct line) lines;
    size_t rows, columns;
    uint64_t now_ns;
    struct detail detail;
};

static void frame_clear(struct frame *f)
{
    vec_each (&f->lines, l)
        buf_clear(&l->text);
    vec_clear(&f->lines);
}

/* Digests as people compare them: the first twelve digits. */
static void print_shortened(const char *text, struct buf *out)
{
    const char *at;
    while ((at = strstr(text, "sha256:")) && strspn(at + 7, "0123456789abcdef") == 64) {
        buf_put(out, span_bytes(text, (size_t)(at - text) + 7 + 12));
        text = at + 7 + 64;
    }
    buf_puts(out, text);
}

/* Room for the text is what the time leaves; the last column stays free, since terminals differ in
 * what a line that fills it does. */
static void add_line(struct frame *f, enum colour colour, const char *text, const char *right)
{
    struct line *l = vec_push(&f->lines);
    AUTO_VALUE(buf_clear) struct buf shortened = { 0 };
    buf_init(&shortened, OUT_MAX);
    buf_init(&l->text, OUT_MAX);
    print_shortened(text, &shortened);
    snprintf(l->right, sizeof l->right, "%s", right);
    l->colour = colour;
    size_t room = f->columns - 1 - (right[0] ? strlen(right) + 1 : 0);
    size_t taken = text_print(buf_span(&shortened), room, &l->text);
    if (right[0] && taken < room)
        buf_printf(&l->text, "%*s", (int)(room - taken), "");
    if (right[0])
        buf_printf(&l->text, " %s", l->right);
}

static void add_part(struct frame *f, const struct part *p)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    char right[16];
    buf_init(&text, OUT_MAX);
    buf_printf(&text, " => => %s ", p->name);
    part_print_bytes(p, &text);
    snprintf(right, sizeof right, "%.1fs",
             seconds_between(p->started_ns, p->ended_ns ? p->ended_ns : f->now_ns));
    add_line(f, p->ended_ns ? BLUE : PLAIN, text.data, right);
}

static void add_logs(struct frame *f, const struct item *item)
{
    struct span log = buf_span(&item->log), tail = log;
    size_t n = 0;
    while (n < f->detail.n_logs && tail.len) {
        tail.len--; /* the newline of the line that is looked for */
        ptrdiff_t before = span_rfind(tail, '\n');
        tail.len = before < 0 ? 0 : (size_t)before + 1;
        n++;
    }
    struct span rest = span_skip(log, tail.len);
    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        span_cut(&line, ' '); /* its time */
        AUTO_FREE char *text = xasprintf(" => => # %.*s", SPAN_ARG(line));
        add_line(f, PLAIN, text, "");
    }
}

/* All parts as one line, where they are too many. */
static void add_sum(struct frame *f, const struct item *item)
{
    struct part sum = { .started_ns = f->now_ns };
    size_t n_ended = 0;
    vec_each (&item->parts, p) {
        n_ended += p->ended_ns != 0;
        sum.current += p->current;
        sum.total += p->total;
        sum.started_ns = p->started_ns < sum.started_ns ? p->started_ns : sum.started_ns;
    }
    AUTO_FREE char *name = xasprintf("%zu of %zu parts", n_ended, item->parts.n);
    sum.name = name;
    add_part(f, &sum);
}

static void add_parts(struct frame *f, const struct item *item)
{
    bool is_running = item->state == ITEM_RUNNING;
    size_t n = f->detail.n_parts;
    bool has_all = is_running ? item->parts.n <= n : f->detail.has_ended_parts;
    if (is_running && !has_all && n) {
        add_sum(f, item);
        n--;
    }
    vec_each (&item->parts, p)
        if (has_all || (is_running && !p->ended_ns && n)) {
            add_part(f, p);
            n -= !has_all;
        }
}

static void add_item(struct frame *f, const struct item *item)
{
    static const struct {
        const char *prefix;
        enum colour colour;
    } looks[] = { [ITEM_RUNNING] = { "", PLAIN },
                  [ITEM_DONE] = { "", BLUE },
                  [ITEM_CACHED] = { "CACHED ", BLUE },
                  [ITEM_FAILED] = { "ERROR ", RED },
                  [ITEM_CANCELED] = { "CANCELED ", YELLOW } };
    AUTO_FREE char *text = xasprintf(" => %s%s", looks[item->state].prefix, item->name);
    bool is_running = item->state == ITEM_RUNNING;
    char right[16];
    snprintf(right, sizeof right, "%.1fs",
             seconds_between(item->started_ns, is_running ? f->now_ns : item->ended_ns));
    add_line(f, looks[item->state].colour, text, right);
    add_parts(f, item);
    vec_each (&item->warnings, warning) {
        AUTO_FREE char *line = xasprintf(" => => WARN: %s", *warning);
        add_line(f, YELLOW, line, "");
    }
    if (is_running)
        add_logs(f, item);
}

static void add_header(struct display *d, struct frame *f, bool is_over)
{
    size_t n_ended = 0;
    bool has_failed = false, is_canceled = false;
    vec_each (&d->items, item) {
        n_ended += (*item)->state != ITEM_RUNNING;
        has_failed |= (*item)->state == ITEM_FAILED;
        is_canceled |= (*item)->state == ITEM_CANCELED;
    }
    const char *verdict = !is_over                ? ""
                          : has_failed            ? " FAILED"
                          : is_canceled           ? " CANCELED"
                          : n_ended == d->items.n ? " FINISHED"
                                                  : "";
    AUTO_FREE char *text =
        xasprintf("[+] %s %.1fs (%zu/%zu)%s", d->title, seconds_between(d->opened_ns, f->now_ns),
                  n_ended, d->items.n, verdict);
    add_line(f, PLAIN, text, "");
}

static void compose(struct display *d, struct frame *f, bool is_over)
{
    frame_clear(f);
    add_header(d, f, is_over);
    size_t n_skip = f->detail.n_skipped;
    vec_each (&d->items, item) {
        bool is_skipped = n_skip && (*item)->state != ITEM_RUNNING && (*item)->state != ITEM_FAILED;
        if (is_skipped)
            n_skip--;
        else
            add_item(f, *item);
    }
}

/* Leaves out more and more until the frame fits. */
static void fit(struct display *d, struct frame *f)
{
    f->detail =
        (struct detail){ .n_logs = LOG_LINES, .has_ended_parts = true, .n_parts = PARTS_MAX };
    compose(d, f, false);
    if (f->lines.n > f->rows) {
        f->detail.has_ended_parts = false;
        compose(d, f, false);
    }
    if (f->lines.n > f->rows) {
        f->detail.n_skipped = f->lines.n - f->rows;
        compose(d, f, false);
    }
    while (f->lines.n > f->rows && f->detail.n_logs > 1) {
        f->detail.n_logs--;
        compose(d, f, false);
    }
    for (size_t n = f->rows; f->lines.n > f->rows && n-- > 0;) {
        f->detail = (struct detail){ .n_skipped = d->items.n, .n_parts = n };
        compose(d, f, false);
    }
    while (f->lines.n > f->rows && f->lines.n > 1) { /* more runs than there are rows */
        struct line *second = &f->lines.items[1];
        buf_clear(&second->text);
        memmove(second, second + 1, (f->lines.n - 2) * sizeof *second);
        f->lines.n--;
    }
}

static void window_size(const struct display *d, struct frame *f)
{
    struct winsize size = { 0 };
    f->rows = 24;
    f->columns = 80;
    if (!ioctl(d->fd, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
        f->rows = size.ws_row;
        f->columns = size.ws_col;
    }
    f->rows = f->rows > 2 ? f->rows - 1 : 1; /* the cursor stands below the frame */
    if (f->columns < NAME_MIN)
        f->columns = NAME_MIN;
}

/* Moves to where the last frame began.  Its lines may take several rows now. */
static void go_back(struct display *d, size_t columns)
{
    size_t rows = 0;
    vec_each (&d->frame, width)
        rows += *width > columns ? (*width + columns - 1) / columns : 1;
    if (rows)
        buf_printf(&d->out, "\033[%zuA", rows);
    buf_putc(&d->out, '\r');
    d->frame.n = 0;
}

static void draw(struct display *d, struct frame *f)
{
    static const char *const codes[] = {
        [BLUE] = "\033[34m", [RED] = "\033[31m", [YELLOW] = "\033[33m"
    };
    AUTO_VALUE(buf_clear) struct buf ignored = { 0 };
    buf_init(&ignored, OUT_MAX);
    go_back(d, f->columns);
    vec_each (&f->lines, l) {
        bool is_coloured = d->has_colour && codes[l->colour];
        buf_printf(&d->out, "%s%.*s%s\033[K\n", is_coloured ? codes[l->colour] : "",
                   SPAN_ARG(buf_span(&l->text)), is_coloured ? "\033[0m" : "");
        buf_reset(&ignored);
        *vec_push(&d->frame) = text_print(buf_span(&l->text), SIZE_MAX, &ignored);
    }
    buf_puts(&d->out, "\033[J");
}

static void tty_tick(struct display *d, uint64_t now_ns)
{
    AUTO_VALUE(frame_clear) struct frame f = { .now_ns = now_ns };
    if (!d->items.n || d->out.len)
        return; /* nothing to tell, or the terminal is slower than we are */
    window_size(d, &f);
    fit(d, &f);
    draw(d, &f);
}

/* Once more and whole: what does not fit scrolls up. */
static void tty_finish(struct display *d, uint64_t now_ns)
{
    AUTO_VALUE(frame_clear) struct frame f = { .now_ns = now_ns };
    if (!d->items.n)
        return;
    window_size(d, &f);
    f.detail = (struct detail){ .has_ended_parts = true, .n_parts = PARTS_MAX };
    compose(d, &f, true);
    draw(d, &f);
}

const struct display_ops display_tty = {
    .tick = tty_tick,
    .finish = tty_finish,
    .log_tail = LOG_TAIL,
};
