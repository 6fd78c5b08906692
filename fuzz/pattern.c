/* fuzz/pattern.c - the first line is a name, the others a list of patterns: what a list prunes has
 * nothing in it that comes back, what a pattern alone matches a list of it excludes, and a clean
 * path stays as it is. */
#include <assert.h>
#include <string.h>

#include "base/codec/pattern.h"
#include "base/core/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_LINES = 16 };

static void check_folders(const struct pattern_list *l, const char *path)
{
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
        AUTO_FREE char *folder = xstrndup(path, (size_t)(slash - path));
        if (pattern_list_prunes(l, folder))
            assert(pattern_list_excludes(l, path, NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2000 || memchr(data, 0, size))
        return 0;
    struct span rest = span_bytes(data, size);
    AUTO_FREE char *path = pattern_clean(span_cut(&rest, '\n'));
    AUTO_FREE char *twice = pattern_clean(span_of(path));
    assert(strcmp(path, twice) == 0);
    const char *name = path[0] == '/' ? path + 1 : path;
    char *lines[MAX_LINES];
    size_t n = 0;
    while (rest.len && n < MAX_LINES)
        lines[n++] = span_dup(span_cut(&rest, '\n'));
    AUTO(pattern_list_free) struct pattern_list *l = NULL;
    struct err err = { 0 };
    if (pattern_list_of((const char *const *)lines, n, &l, &err) == 0)
        check_folders(l, name);
    else
        assert(err.kind == ERR_INVALID);
    for (size_t i = 0; i < n; i++) {
        AUTO(pattern_list_free) struct pattern_list *one = NULL;
        AUTO_FREE char *clean = pattern_clean(span_trim(span_of(lines[i])));
        const char *const texts[] = { clean };
        bool is_plain = clean[0] != '!' && clean[0] != '/' && !strstr(clean, "**") && name[0];
        if (is_plain && pattern_list_of(texts, 1, &one, &err) == 0 && pattern_match(clean, name))
            assert(pattern_list_excludes(one, name, NULL));
        free(lines[i]);
    }
    return 0;
}
