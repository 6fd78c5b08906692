/* cli/build_flags.h - the flags of kiln build, and the request that they make. */
#pragma once
#include "cli/cli.h"

struct build_flags {
    struct str_list cache_from, cache_to, tag, build_arg, label, no_cache_filter, output, platform,
        secret, add_host, build_context, annotation, ssh, allow, ulimit, attest;
    const char *sbom, *provenance;
    const char *file, *target, *progress, *iidfile, *metadata_file, *network, *call;
    const char *memory, *memory_swap, *cpu_shares, *cpu_period, *cpu_quota, *cpuset_cpus,
        *cpuset_mems, *shm_size, *cgroup_parent;
    bool no_cache, cache_only, explain, pull, push, load, quiet, check;
};
extern const struct flag build_flags[];

/* A request and what it borrows. */
struct build_call {
    struct build_request request;
    vec(struct secret_option) secrets;
    vec(struct ssh_option) ssh;
    vec(const char **) ssh_paths; /* one list for each of ssh; owned */
    vec(struct exec_ulimit) ulimits;
    struct str_list texts; /* that secrets and the like point into */
    struct buf dockerfile; /* from stdin */
};
/* Fails: INVALID (the flags), NOT_FOUND (the context), SYSTEM (stdin). */
NODISCARD int build_call_make(const struct build_flags *f, const char *context,
                              struct build_call *out, struct err *err);
void build_call_clear(struct build_call *c);
/* A copy that lives as long as the call. */
const char *build_call_keep(struct build_call *c, struct span text);

/* build_limits.c: --memory and all like it, and --ulimit, as docker reads them.  Fails: INVALID. */
NODISCARD int build_take_limits(const struct build_flags *f, struct build_call *c, struct err *err);
/* build_outputs.c: --output, --annotation, --push, --load.  Fails: INVALID, UNSUPPORTED. */
NODISCARD int build_take_outputs(const struct build_flags *f, struct build_request *q,
                                 struct err *err);
/* build_ssh.c: default|ID[=SOCKET|KEY[,KEY]].  Fails: INVALID. */
NODISCARD int build_take_ssh(struct build_call *c, const char *text, struct err *err);

/* build_attest.c: what to say of the image.  Fails: INVALID, UNSUPPORTED (generator=). */
NODISCARD int build_take_attest(const struct build_flags *f, struct attest_options *out,
                                struct err *err);

/* build_ask.c: --call and --check.  Whether they ask for something else than a build. */
NODISCARD int build_call_is_question(const struct build_flags *f, bool *is_question,
                                     struct err *err); /* fails: INVALID */
NODISCARD int build_answer_question(struct cli *cli, const struct build_flags *f,
                                    const struct build_call *c, struct err *err);

/* build_report.c: --iidfile and --metadata-file, as buildx writes them; the summary. */
NODISCARD int build_write_files(const struct build_flags *f, const struct build_request *q,
                                const struct build_result *r, struct err *err);
/* stderr: names pushed and kept, warnings; stdout: digest or JSON. */
void build_note_warnings(const struct build_result *r);
void build_report(struct cli *cli, const struct build_flags *f, const struct build_request *q,
                  const struct build_result *r, const char *store);

/* build_explain.c: what --explain says, on stderr and in the summary. */
void note_explanations(const struct build_result *r);
struct json *explanations_json(const struct build_result *r);
