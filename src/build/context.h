/* build/context.h - where a build reads from: a folder, a stream, a git repository, a server.
 *
 * A repository and a file from a server are sources of the graph; what of them is needed before
 * there is a graph (the Dockerfile, a time) is read by solving a graph of the source alone, whose
 * result the build then finds cached.  A stream is kept as one file of a folder in the store,
 * contexts/ID, that goes away with the build; ID.lock is held as long, so that the next build
 * removes what a killed one left.
 *
 * Spec: dockerfile reference "Build context"; BuildKit frontend/dockerui/context.go; buildx.
 * Threads: none of its own. */
#pragma once
#include "build/build.h"
#include "frontend/dockerfile/convert.h"

struct asked;
struct contexts {
    const char *folder; /* what local://context is; borrowed or `spool` */
    const char *source; /* a URL instead of it; NULL: none.  Borrowed or `url` */
    bool has_archive;   /* what it gives is one archive, to be unpacked */
    bool is_recipe;     /* what it gives is the Dockerfile */
    bool has_text;      /* the stream was a Dockerfile */
    struct buf text;    /* it */
    char *url, *spool;  /* owned */
    char *spool_name;   /* owned; below the store */
    int store, lock_fd; /* borrowed; owned */
};
void contexts_close(struct contexts *x);

/* Finds out what the request's context is; reads its stream.  *out is to be closed in any case.
 * Fails: INVALID (more than one Dockerfile on a stream), LIMIT, NETWORK and all that a source may.
 */
NODISCARD int contexts_open(struct asked *a, struct contexts *out, struct err *err);
/* True when the Dockerfile is to be read by contexts_read(), not from the folder. */
bool contexts_are_remote(const struct contexts *x);
/* Appends a file of a context that is no folder. */
NODISCARD int contexts_read(struct asked *a, const char *path, struct buf *out, bool *is_there,
                            struct err *err);
/* Appends what the server gives for `url`. */
NODISCARD int contexts_fetch(struct asked *a, const char *url, struct buf *out, struct err *err);
/* Fits struct frontend_host; arg is a struct asked. */
int contexts_time_of(void *asked, const struct graph *g, bool *has_time, int64_t *seconds,
                     struct err *err);
