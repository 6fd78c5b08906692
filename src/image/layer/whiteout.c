/* image/layer/whiteout.c - see whiteout.h. */
#include "image/layer/whiteout.h"

#include <stdbool.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/core/span.h"

int whiteout_parse(const char *path, enum whiteout_kind *out, const char **name, struct err *err)
{
    *out = WHITEOUT_NONE;
    *name = NULL;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        bool is_last = !strchr(part, '/');
        if (strncmp(part, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) != 0)
            continue;
        if (is_last && strcmp(part, WHITEOUT_OPAQUE_NAME) == 0) {
            *out = WHITEOUT_OPAQUE;
            return 0;
        }
        if (strncmp(part, WHITEOUT_META_PREFIX, strlen(WHITEOUT_META_PREFIX)) == 0) {
            *out = WHITEOUT_META;
            return 0;
        }
        if (!is_last)
            return err_set(err, ERR_INVALID, "%s: an entry below a whiteout", path);
        *name = part + strlen(WHITEOUT_PREFIX);
        if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
            return err_set(err, ERR_INVALID, "%s: a whiteout of no name", path);
        *out = WHITEOUT_NAME;
    }
    return 0;
}

char *whiteout_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    int parent_len = slash ? (int)(slash - path) + 1 : 0;
    return xasprintf("%.*s" WHITEOUT_PREFIX "%s", parent_len, path, path + parent_len);
}
