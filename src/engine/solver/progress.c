/* engine/solver/progress.c - see progress.h. */
#include "engine/solver/progress.h"

#include "base/core/clock.h"
#include "base/core/err.h"

void progress_tell(const struct progress *p, struct progress_event e)
{
    if (!p || !p->tell)
        return;
    e.at_ns = clock_monotonic_ns();
    p->tell(p->arg, &e);
}

void progress_status(const struct progress *p, const char *id, const char *part, uint64_t current,
                     uint64_t total)
{
    progress_tell(
        p,
        (struct progress_event){
            .kind = PROGRESS_STATUS, .id = id, .part = part, .current = current, .total = total });
}

void progress_part_done(const struct progress *p, const char *id, const char *part, uint64_t total)
{
    progress_tell(p, (struct progress_event){ .kind = PROGRESS_STATUS,
                                              .id = id,
                                              .part = part,
                                              .current = total,
                                              .total = total,
                                              .is_part_done = true });
}

void progress_task_start(const struct progress *p, const char *id, const char *name)
{
    progress_tell(p, (struct progress_event){ .kind = PROGRESS_START, .id = id, .name = name });
}

void progress_task_end(const struct progress *p, const char *id, int status, const struct err *err)
{
    enum progress_kind kind = status == 0                 ? PROGRESS_DONE
                              : err->kind == ERR_CANCELED ? PROGRESS_CANCELED
                                                          : PROGRESS_FAIL;
    progress_tell(
        p, (struct progress_event){ .kind = kind, .id = id, .text = status ? err->text : NULL });
}
