/* build/given.h - what a build is given from outside, as the engine wants it: networks, hosts,
 * entitlements, limits.
 *
 * Threads: no state. */
#pragma once
#include "build/build.h"
#include "frontend/dockerfile/convert.h"

/* "default", "host", "none"; NULL: default. */
NODISCARD int given_network(const char *text, enum exec_network *out, struct err *err);
/* "host:ip" or "host=ip"; "host-gateway" is this machine as a step reaches it. */
NODISCARD int given_hosts(const struct str_list *texts, struct arena *a, struct exec_host **out,
                          struct err *err);
/* All that operations are given, but how layers are sealed. */
struct asked;
NODISCARD int given_ops(const struct asked *a, struct arena *arena, struct ops_options *out,
                        struct err *err);
/* What a request says to the front end, but for the platform.  Borrows all that is asked for; the
 * rest is the arena's.  Fails: INVALID. */
NODISCARD int given_options(const struct asked *a, struct arena *arena,
                            struct dockerfile_options *out, struct err *err);
/* Build argument BUILDKIT_MULTI_PLATFORM: whether one platform is named and exported as several
 * are.  Fails: INVALID. */
NODISCARD int given_index(const struct build_request *q, bool *out, struct err *err);
/* The request's entitlements and --network.  Fails: INVALID; DENIED when this place cannot grant
 * one. */
NODISCARD int given_grants(const struct build_request *q, bool is_root, struct arena *a,
                           struct ops_grants *out, struct err *err);
/* One sentence for each limit that some step could not have: bits of enum step_resource. */
void given_warn(unsigned not_applied, struct build_result *out);
