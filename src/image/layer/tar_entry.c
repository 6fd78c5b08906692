/* image/layer/tar_entry.c - names of entries, made clean. */
#include "image/layer/tar_entry.h"

#include <string.h>

#include "base/core/limits.h"

const char *tar_type_name(enum tar_type type)
{
    static const char *const names[] = {
        [TAR_FILE] = "file",
        [TAR_HARD_LINK] = "hard link",
        [TAR_SYMLINK] = "symlink",
        [TAR_CHAR_DEVICE] = "character device",
        [TAR_BLOCK_DEVICE] = "block device",
        [TAR_FOLDER] = "folder",
        [TAR_FIFO] = "fifo",
    };
    return names[type];
}

/* Cuts the last component off out[0..len). */
static size_t parent_len(const char *out, size_t len)
{
    while (len > 0 && out[len - 1] != '/')
        len--;
    return len > 0 ? len - 1 : 0;
}

int tar_path_clean(struct span path, char *out, struct err *err)
{
    size_t len = 0, depth = 0;
    if (path.len > 0 && memchr(path.ptr, '\0', path.len))
        return err_set(err, ERR_INVALID, "path \"%.100s\": a NUL inside", path.ptr);
    for (struct span rest = path; rest.len > 0;) {
        struct span part = span_cut(&rest, '/');
        if (part.len == 0 || span_is(part, "."))
            continue;
        if (span_is(part, "..")) {
            len = parent_len(out, len);
            depth -= depth > 0;
            continue;
        }
        if (len + 1 + part.len + 1 > LIMIT_PATH)
            return err_set(err, ERR_LIMIT, "path \"%.*s...\": more than %d bytes", 100, path.ptr,
                           LIMIT_PATH - 1);
        if (++depth > LIMIT_PATH_DEPTH)
            return err_set(err, ERR_LIMIT, "path \"%.*s...\": more than %d folders deep", 100,
                           path.ptr, LIMIT_PATH_DEPTH);
        if (len > 0)
            out[len++] = '/';
        memcpy(out + len, part.ptr, part.len);
        len += part.len;
    }
    out[len] = '\0';
    return 0;
}
