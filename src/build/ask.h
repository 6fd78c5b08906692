/* build/ask.h - what a Dockerfile says of itself, asked instead of built: `--call`.
 *
 * Nothing runs.  Targets come from the text alone; checks and outlines ask for base images'
 * configs, of the first platform.
 *
 * Threads: as build.h. */
#pragma once
#include "build/build.h"
#include "frontend/dockerfile/check.h"
#include "frontend/dockerfile/outline.h"

enum build_question { ASK_CHECK, ASK_OUTLINE, ASK_TARGETS };
struct build_answer {
    enum build_question question;
    struct buf text;                   /* the Dockerfile's */
    char *name;                        /* the Dockerfile's */
    struct dockerfile_report report;   /* ASK_CHECK */
    struct dockerfile_outline outline; /* ASK_OUTLINE */
    struct dockerfile_targets targets; /* ASK_TARGETS */
    char *excerpt; /* where something fails, also in a report: the lines, marked; NULL: none */
};
void build_answer_clear(struct build_answer *a);
/* Whether the Dockerfile is a file of this machine and the context a folder: then the engine needs
 * no sandbox, and for ASK_TARGETS there need be none. */
bool build_ask_is_plain(const struct build_request *q);
/* A check that finds something is no failure here.  Fails as the
 * front end does; `out` must be cleared in every case. */
NODISCARD int build_ask(struct engine *e, const struct build_request *q,
                        enum build_question question, const struct progress *progress,
                        struct cancel *cancel, struct build_answer *out, struct err *err);
