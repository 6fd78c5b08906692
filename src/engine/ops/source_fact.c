/* engine/ops/source_fact.c - what came for a source whose name says only where from: the commit of
 * a repository, the digest of a file from a server.
 *
 * Spec: BuildKit solver/llbsolver/provenance (materials). */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "engine/ops/source.h"
#include "engine/source/git_source.h"
#include "engine/source/http_source.h"

/* URL#REF, the URL as it was reached, the ref as it was asked for. */
static char *git_uri(const struct vertex *v)
{
    const char *url = pairs_find(&v->source.attrs, ATTR_GIT_FULL_URL);
    const char *hash = strchr(v->source.identifier, '#');
    struct span at = span_of(hash ? hash + 1 : NULL), ref = span_cut(&at, ':');
    struct span identifier = span_of(v->source.identifier);
    struct span bare = span_cut(&identifier, '#');
    AUTO_FREE char *whole = span_dup(bare);
    return xasprintf("%s%s%.*s", url && *url ? url : whole, ref.len ? "#" : "", SPAN_ARG(ref));
}

bool ops_source_fact(struct ops *ops, const struct vertex *v, struct source_fact *out)
{
    if (v->type != OP_SOURCE)
        return false;
    const char *name = v->source.identifier;
    bool is_git = strncmp(name, "git://", 6) == 0;
    bool is_http = strncmp(name, "http://", 7) == 0 || strncmp(name, "https://", 8) == 0;
    const void *answer = is_git || is_http ? answer_find(ops, v) : NULL;
    if (!answer)
        return false;
    const struct git_commit *commit = answer;
    const struct http_file *file = answer;
    struct digest_text file_hex = is_git ? (struct digest_text){ 0 } : digest_hex(&file->digest);
    const char *hex = is_git ? commit->commit : file_hex.s;
    *out = (struct source_fact){ .uri = is_git ? git_uri(v) : xstrdup(name),
                                 .algorithm = strlen(hex) == 40 ? "sha1" : "sha256",
                                 .hex = xstrdup(hex) };
    return true;
}

void source_fact_clear(struct source_fact *f)
{
    free(f->uri);
    free(f->hex);
    *f = (struct source_fact){ 0 };
}
