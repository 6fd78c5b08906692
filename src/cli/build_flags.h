/* cli/build_flags.h - the flags of kiln build, and the request that they make. */
#pragma once
#include "cli/cli.h"

struct build_flags {
    struct str_list tag, build_arg, label, no_cache_filter, output, platform, secret, add_host,
        build_context;
    const char *file, *target, *progress, *iidfile, *metadata_file, *network;
    bool no_cache, cache_only, pull, push, load, quiet;
};
extern const struct flag build_flags[];

/* A request and what it borrows. */
struct build_call {
    struct build_request request;
    vec(struct secret_option) secrets;
    struct str_list texts; /* that secrets point into */
    struct buf dockerfile; /* from stdin */
    char *empty_context;   /* a folder made for a context that came as a Dockerfile; owned */
};
/* Fails: INVALID (the flags), UNSUPPORTED (contexts from elsewhere), SYSTEM (stdin). */
NODISCARD int build_call_make(const struct build_flags *f, const char *context,
                              struct build_call *out, struct err *err);
void build_call_clear(struct build_call *c);

/* build_report.c: --iidfile and --metadata-file, as buildx writes them; the summary. */
NODISCARD int build_write_files(const struct build_flags *f, const struct build_request *q,
                                const struct build_result *r, struct err *err);
/* stderr: names pushed and kept, warnings; stdout: digest or JSON. */
void build_report(struct cli *cli, const struct build_flags *f, const struct build_request *q,
                  const struct build_result *r, const char *store);
