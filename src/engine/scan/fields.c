/* engine/scan/fields.c - bytes of a file, and texts of the form "Name: value" (Debian control
 * files, Python's metadata, manifests of jars, os-release). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/scan/internal.h"

int bytes_read(const struct bytes *b, uint64_t at, void *to, size_t n, struct err *err)
{
    uint64_t end = 0;
    if (!u64_add(at, n, &end) || end > b->size)
        return err_set(err, ERR_CORRUPT, "the file ends before byte %llu", (unsigned long long)end);
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(b->fd, (char *)to + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "read");
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "the file became shorter");
        done += (size_t)got;
    }
    return 0;
}

int bytes_take(const struct bytes *b, uint64_t at, uint64_t n, struct buf *out, struct err *err)
{
    uint64_t end = 0;
    if (n > buf_room(out))
        return err_set(err, ERR_LIMIT, "more than %zu bytes", out->ceiling);
    if (!u64_add(at, n, &end) || end > b->size) /* before memory is asked for */
        return err_set(err, ERR_CORRUPT, "the file ends before byte %llu", (unsigned long long)end);
    if (n == 0)
        return 0;
    if (bytes_read(b, at, buf_reserve(out, (size_t)n), (size_t)n, err))
        return -1;
    buf_grown(out, (size_t)n);
    return 0;
}

static struct span cut_line(struct span *rest)
{
    struct span line = span_cut(rest, '\n');
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool continues(struct span rest)
{
    return rest.len && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t');
}

bool field_next(struct span *rest, struct field *out)
{
    const char *limit = rest->ptr ? rest->ptr + rest->len : NULL;
    while (rest->len) {
        struct span line = cut_line(rest);
        if (!line.len)
            return false;
        while (continues(*rest))
            (void)cut_line(rest);
        ptrdiff_t colon = span_find(line, ':');
        if (colon <= 0)
            continue;
        const char *end = rest->ptr ? rest->ptr : limit;
        out->name = span_trim(span_first(line, (size_t)colon));
        line.len = (size_t)(end - line.ptr);
        out->value = span_trim(span_skip(line, (size_t)colon + 1));
        return true;
    }
    return false;
}

bool field_is(const struct field *f, const char *name)
{
    return f->name.len == strlen(name) && strncasecmp(f->name.ptr, name, f->name.len) == 0;
}

struct span first_line(struct span value)
{
    struct span rest = value;
    return span_trim(span_cut(&rest, '\n'));
}
