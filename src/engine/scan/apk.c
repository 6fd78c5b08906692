/* engine/scan/apk.c - what Alpine's apk has installed.
 *
 * One letter, a colon, a value; an empty line ends a package.  Spec: apk-tools "installed" data
 * base: P name, V version, A architecture, L license, m maintainer. */
#include <fcntl.h>

#include "base/core/limits.h"
#include "base/sys/fs.h"
#include "engine/scan/internal.h"

static void take_line(struct found *f, struct span line)
{
    if (line.len < 2 || line.ptr[1] != ':')
        return;
    struct span value = span_skip(line, 2);
    switch (line.ptr[0]) {
    case 'P':
        f->name = value;
        break;
    case 'V':
        f->version = value;
        break;
    case 'A':
        f->arch = value;
        break;
    case 'L':
        f->license = value;
        break;
    case 'm':
        f->supplier = value;
        break;
    default:
        break;
    }
}

void apk_parse(struct scan *s, struct span text, const char *path)
{
    for (struct span rest = text; rest.len;) {
        struct found found = { .type = "apk", .origin = path };
        for (struct span line; rest.len && (line = span_cut(&rest, '\n')).len;)
            take_line(&found, line);
        if (found.version.len)
            scan_add(s, &found);
    }
}

int apk_scan(struct scan *s, struct err *err)
{
    static const char *const places[] = { "lib/apk/db/installed", "usr/lib/apk/db/installed" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        AUTO_VALUE(buf_clear) struct buf text = { 0 };
        AUTO_FD int fd = -1;
        struct err why = { 0 };
        buf_init(&text, LIMIT_SCAN_DATABASE);
        if (scan_hides(s, places[i]))
            continue;
        if (fs_open_file_in_root(s->root_fd, places[i], &fd, &why) || fs_read_fd(fd, &text, &why)) {
            if (why.kind != ERR_NOT_FOUND)
                scan_unread(s, places[i], &why);
            continue;
        }
        apk_parse(s, buf_span(&text), places[i]);
    }
    return cancel_check(s->options->cancel, err);
}
