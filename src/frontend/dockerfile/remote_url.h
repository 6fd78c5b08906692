/* frontend/dockerfile/remote_url.h - sources that are no path: git repositories and http files.
 *
 * git:   git@HOST:PATH, ssh://, git://, and http(s):// whose path ends in ".git"; behind it
 *        "#REF:SUBDIR", or "?ref= tag= branch= subdir= checksum= commit= keep-git-dir=
 *        submodules= mtime= fetch-by-commit=".
 * http:  every other http:// and https://.
 *
 * Spec: dockerfile reference "ADD"; BuildKit frontend/dockerfile/dfgitutil. */
#pragma once
#include <stdbool.h>

#include "base/core/arena.h"
#include "base/core/err.h"
#include "engine/graph/op.h"
#include "frontend/dockerfile/instruction.h"

struct git_ref {
    const char *remote; /* the URL without what was behind it */
    const char *id;     /* host and path, the same for all protocols: "github.com/a/b.git" */
    const char *ref, *subdir, *checksum; /* "" when not given */
    const char *mtime;                   /* "checkout", "commit", or "" */
    enum tristate keep_git_dir, submodules, fetch_by_commit;
    bool is_ssh;
};

bool url_is_git(const char *text);
bool url_is_http(const char *text); /* and not git */
/* For a text that url_is_git().  Fails: INVALID: an unknown or doubled option. */
NODISCARD int git_ref_parse(const char *text, struct arena *a, struct git_ref *out,
                            struct err *err);
/* The operation; strings live in `a`. */
struct op_source git_source(const struct git_ref *g, struct arena *a);
/* The name that ADD gives to a file from this URL: the last part of its path, "__unnamed__". */
const char *url_file_name(const char *url, struct arena *a);
struct op_source http_source(const char *url, const char *file_name, const char *checksum,
                             struct arena *a); /* checksum "": none */
