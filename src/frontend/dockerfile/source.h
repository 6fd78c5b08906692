/* frontend/dockerfile/source.h - places in a Dockerfile: line ranges, heredocs, warnings, excerpts.
 *
 * A `struct err` has no room for a place.  So every error of this room says it twice: the text
 * begins with "NAME:LINE: " for people, and the function fills a `struct source_lines` for the
 * caller, who shows the lines below the error with dockerfile_excerpt().  Later stages do the same
 * with the `where` that every instruction and stage carries. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/core/buf.h"
#include "base/core/span.h"

/* Lines first..last, counted from 1, both inclusive.  { 0, 0 }: no line in particular. */
struct source_lines {
    int first, last;
};

/* A text that follows its instruction: RUN <<EOF ... EOF. */
struct heredoc {
    const char *name;    /* the delimiter without its quotes: "EOF"; COPY's file name */
    const char *raw;     /* the body as written: every line with its line feed, leading tabs kept */
    const char *content; /* the same for a reader: without leading tabs after "<<-" */
    const char *word;    /* as written on the instruction's line: "<<-'EOF'", "3<<EOF" */
    int fd;              /* the number before "<<"; 0 when none */
    bool expands;        /* no part of the delimiter was quoted: COPY and ADD expand variables */
    bool strips_tabs;    /* "<<-" */
};
struct heredocs {
    const struct heredoc *items;
    size_t n;
};

/* What a build check (`docker build --check`) has to say; never an error. */
struct dockerfile_warning {
    const char *rule; /* "FromAsCasing": docs.docker.com/reference/build-checks */
    const char *text;
    struct source_lines where;
};
struct dockerfile_warnings {
    const struct dockerfile_warning *items;
    size_t n;
};

/* Appends the lines around `where` of the Dockerfile `text`, for people; the lines at fault are
 * marked with ">>>".  Nothing when `where` is { 0, 0 } or outside of the text.
 *
 *     Dockerfile:2
 *        1 |     FROM alpine
 *        2 | >>> COPY a
 *        3 |     RUN b
 */
void dockerfile_excerpt(struct span text, const char *name, struct source_lines where,
                        struct buf *out);
