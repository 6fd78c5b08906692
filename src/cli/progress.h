/* cli/progress.h - what a person or a log sees while something runs.
 *
 * Events of any thread change a model (items, their parts, the last lines that steps printed) and
 * become bytes in a buffer; one thread, started here, writes the buffer out, and on a terminal
 * redraws ten times a second.  So an event never waits for a slow terminal, up to a ceiling of
 * bytes.
 *
 * Threads: the sink takes events of any thread; all else belongs to the thread that opened it,
 * which opened the engine before. */
#pragma once
#include "base/core/own.h"
#include "engine/solver/progress.h"

enum display_mode { DISPLAY_AUTO, DISPLAY_TTY, DISPLAY_PLAIN, DISPLAY_RAWJSON, DISPLAY_QUIET };
/* The choices of --progress; "json" is rawjson. */
#define DISPLAY_CHOICES "auto|tty|plain|rawjson|quiet"
/* NULL and "" are DISPLAY_AUTO; the table of options checked it. */
enum display_mode display_mode_parse(const char *text);

struct display;
/* `title`: "Building".  AUTO is TTY on a terminal that can move its cursor, else PLAIN. */
NODISCARD int display_open(enum display_mode mode, const char *title, int fd, struct display **out,
                           struct err *err);
/* Where events go; borrowed, lives as long as the display. */
const struct progress *display_sink(struct display *d);
/* Draws the last state, then, but for rawjson, what failed steps printed.  NULL is fine. */
void display_close(struct display *d);
DEFINE_AUTO(struct display, display_close)

/* "3.10MB" as buildx: decimal units. */
struct size_text {
    char s[24];
};
struct size_text size_text(uint64_t size);
