/* engine/scan/os.c - which distribution this is.
 *
 * Spec: os-release(5). */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/scan/internal.h"

/* Without quotes; shell escapes stand as they are. */
static struct span unquoted(struct span s)
{
    bool is_quoted =
        s.len >= 2 && (s.ptr[0] == '"' || s.ptr[0] == '\'') && s.ptr[s.len - 1] == s.ptr[0];
    return is_quoted ? span_bytes(s.ptr + 1, s.len - 2) : s;
}

static void set(char **to, struct span value)
{
    AUTO(json_free) struct json *text = json_new_strn(span_first(value, LIMIT_PATH));
    free(*to);
    *to = value.len ? xstrdup(json_str(text)) : NULL;
}

static void parse(struct span text, struct os_release *out)
{
    struct span rest = text;
    while (rest.ptr) {
        struct span value = span_trim(span_cut(&rest, '\n')), key = span_cut(&value, '=');
        if (span_is(key, "ID"))
            set(&out->id, unquoted(value));
        else if (span_is(key, "VERSION_ID"))
            set(&out->version_id, unquoted(value));
        else if (span_is(key, "PRETTY_NAME"))
            set(&out->pretty_name, unquoted(value));
    }
}

void os_release_read(int root_fd, struct os_release *out)
{
    static const char *const places[] = { "etc/os-release", "usr/lib/os-release" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        AUTO_VALUE(buf_clear) struct buf text = { 0 };
        AUTO_FD int fd = -1;
        struct err absent = { 0 };
        buf_init(&text, LIMIT_SCAN_TEXT);
        if (fs_open_file_in_root(root_fd, places[i], &fd, &absent) ||
            fs_read_fd(fd, &text, &absent))
            continue;
        parse(buf_span(&text), out);
        return;
    }
}
