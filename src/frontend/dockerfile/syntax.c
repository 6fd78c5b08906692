/* frontend/dockerfile/syntax.c - which front end a file asks for.
 *
 * Threads: no state. */
#include "frontend/dockerfile/syntax.h"

#include <string.h>

#include "frontend/dockerfile/directives.h"
#include "frontend/dockerfile/parse_internal.h"
#include "image/oci/reference.h"

bool syntax_is_dockerfile(const char *image)
{
    static const char *const ours[] = { "docker/dockerfile", "docker/dockerfile-upstream" };
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    struct err ignored = { 0 };
    if (strcmp(image, "dockerfile.v0") == 0)
        return true;
    if (reference_parse(span_of(image), &ref, &ignored))
        return false;
    struct span name = span_of(ref.repository);
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(ours[i]);
        bool is_last = span_ends(name, ours[i]);
        if (is_last && (name.len == len || name.ptr[name.len - len - 1] == '/'))
            return true;
    }
    return false;
}

static int refuse(const char *how, const char *image, struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED,
                   "%s%s: not docker/dockerfile, and other front ends are "
                   "not run",
                   how, image);
}

int syntax_check(struct span text, const char *build_arg, struct source_lines *where,
                 struct err *err)
{
    AUTO(arena_free) struct arena *a = arena_new();
    *where = (struct source_lines){ 0 };
    if (build_arg) {
        struct span rest = trim_blanks(span_of(build_arg)), word = { 0 };
        next_word(&rest, &word); /* what follows is its command line */
        const char *image = arena_strndup(a, word.ptr ? word.ptr : "", word.len);
        if (syntax_is_dockerfile(image))
            return 0;
        refuse("BUILDKIT_SYNTAX=", image, err);
        return err_hint(err, "leave the build argument out, or give docker/dockerfile:1");
    }
    const char *image = directives_find_syntax(text, a, where);
    if (!image[0] || syntax_is_dockerfile(image)) {
        *where = (struct source_lines){ 0 };
        return 0;
    }
    refuse("# syntax=", image, err);
    return err_hint(err, "the Dockerfile language is built in: take the line out, or overrule it "
                         "with --build-arg BUILDKIT_SYNTAX=docker/dockerfile:1");
}
