/* cli/progress_internal.h - the model that the displays draw. */
#pragma once
#include <pthread.h>
#include <time.h>

#include "base/core/buf.h"
#include "base/core/map.h"
#include "base/core/pool.h"
#include "base/core/vec.h"
#include "cli/progress.h"

enum item_state { ITEM_RUNNING, ITEM_DONE, ITEM_CACHED, ITEM_FAILED, ITEM_CANCELED };

/* One part of an item's work. */
struct part {
    char *name; /* owned */
    uint64_t current, total;
    uint64_t started_ns, ended_ns; /* 0: not yet */
    uint64_t told_ns;              /* plain: when it was printed last */
};

enum {
    PARTS_MAX = 500,           /* of an item; later ones are not shown */
    LOG_LINE_MAX = 64 * 1024,  /* a longer line is shown as several */
    LOG_TAIL = 512 * 1024,     /* of what a step printed, kept in case it fails */
    OUT_WAIT = 1024 * 1024,    /* events wait when so much is still to be written */
    OUT_MAX = 64 * 1024 * 1024 /* never reached */
};

struct item {
    size_t number; /* 1 for the first that was seen */
    char *id, *name;
    enum item_state state;
    uint64_t started_ns, ended_ns;
    char *error; /* owned or NULL */
    vec(struct part) parts;
    struct buf lines[2]; /* begun by a step on stdout and stderr, not ended yet */
    struct buf log;      /* the last lines, each "0.532 text\n" */
    struct str_list warnings;
    struct json *inputs; /* rawjson: digests; owned or NULL */
    /* plain */
    struct buf waiting;      /* lines not shown yet */
    uint64_t waits_since_ns; /* valid while there are such lines */
    bool was_shown;
};

struct display_ops {
    /* After the model has changed; `line` is set for each line that a step ended. */
    void (*event)(struct display *d, struct item *item, const struct progress_event *e);
    void (*line)(struct display *d, struct item *item, uint64_t at_ns, struct span line);
    void (*tick)(struct display *d, uint64_t now_ns); /* ten times a second */
    void (*finish)(struct display *d, uint64_t now_ns);
    size_t log_tail; /* bytes of a step's output to keep */
};
extern const struct display_ops display_tty, display_plain, display_rawjson, display_quiet;

struct display {
    pthread_mutex_t lock;   /* guards all below */
    pthread_cond_t changed; /* something to write, room again, or the end */
    const struct display_ops *ops;
    struct progress sink;
    char *title;
    int fd;
    vec(struct item *) items; /* in order of appearance */
    struct map by_id;         /* id -> item, borrowed */
    uint64_t opened_ns;
    struct timespec opened_at; /* the wall clock then, for rawjson */
    struct buf out;            /* to be written */
    bool is_closing;
    struct thread *writer;
    /* plain */
    struct item *current;    /* whose lines are being shown */
    uint64_t current_was_ns; /* when it said something last */
    /* tty */
    bool has_colour;
    vec(size_t) frame; /* columns of each line that is on the screen */
};

struct item *display_item(struct display *d, const char *id, const char *name); /* found or made */
double seconds_between(uint64_t from_ns, uint64_t to_ns);
/* "3.1MB / 30MB", "3.1MB" or "" */
void part_print_bytes(const struct part *p, struct buf *out);
/* Text on one line for a terminal: no escape sequences, no control characters, at most `columns`
 * wide; returns the columns taken.  The thread's locale is UTF-8. */
size_t text_print(struct span text, size_t columns, struct buf *out);
