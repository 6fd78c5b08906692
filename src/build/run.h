/* build/run.h - an image's own process in the sandbox, as docker run starts it: for trying an
 * image, and for tests.
 *
 * What it writes vanishes with it.  Threads: called by any thread; several at once. */
#pragma once
#include "build/build.h"

struct run_volume {
    const char *source; /* a path of ours */
    const char *dest;   /* absolute, inside */
    bool is_readonly;
};

/* All is borrowed.  NULL and empty lists: what the image says. */
struct run_request {
    const struct reference *image;
    const struct platform *platform; /* NULL: this machine's */
    enum resolve_mode resolve_mode;  /* RESOLVE_DEFAULT: the store, else the registry */
    const char *const *args;         /* in place of the image's Cmd */
    size_t n_args;
    const char *entrypoint;     /* in place of the image's, whose Cmd is dropped then; "": none */
    const struct str_list *env; /* "K=V" on top of the image's; NULL: none */
    const char *user, *workdir, *hostname;
    bool has_no_network;
    bool is_readonly;
    const struct run_volume *volumes;
    size_t n_volumes;
    int timeout_ms; /* 0: none */
    int stdin_fd;   /* -1: /dev/null */
    int stdout_fd, stderr_fd;
    bool has_terminal; /* see step_plan */
    uint16_t rows, columns;
    int signals_fd; /* -1: none */
};

/* A root file system with all that the process needs, before it starts: what takes long (fetching,
 * unpacking) happens here.  Borrows both.  Fails: NOT_FOUND (image, user), INVALID (nothing to
 * run), what the registry may. */
struct run;
NODISCARD int run_open(struct engine *e, const struct run_request *q, const struct cancel *cancel,
                       struct run **out, struct err *err);
/* The process, to its end, once.  One that ends with another status than 0 is no error.  Fails as
 * sandbox_run(). */
NODISCARD int run_process(struct run *r, const struct cancel *cancel, struct step_result *out,
                          struct err *err);
void run_close(struct run *r); /* what the process wrote is gone */
DEFINE_AUTO(struct run, run_close)
