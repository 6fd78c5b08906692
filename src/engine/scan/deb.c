/* engine/scan/deb.c - what dpkg has installed.
 *
 * One stanza a package; those that are only known of (removed, half-way) are not there.  A
 * distroless image has one file for each instead.  Licenses stand in each package's copyright file
 * where that is in the machine-readable format.
 *
 * Spec: deb-control(5); dpkg(1) "package states"; copyright-format 1.0. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/map.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/scan/internal.h"

/* The short names, each once, joined by AND.  Empty when the format is another one. */
static void licenses_of(struct span text, struct buf *out)
{
    AUTO_VALUE(map_clear) struct map seen = { 0 };
    struct span rest = text;
    struct field f = { 0 };
    if (!field_next(&rest, &f) || !field_is(&f, "Format"))
        return;
    while (rest.len) {
        if (!field_next(&rest, &f) || !field_is(&f, "License"))
            continue;
        AUTO_FREE char *name = span_dup(first_line(f.value));
        if (!*name || map_has(&seen, name) || strlen(name) + 16 > buf_room(out))
            continue;
        map_set(&seen, name, NULL);
        bool is_compound = strchr(name, ' ') != NULL;
        buf_printf(out, "%s%s%s%s", out->len ? " AND " : "", is_compound ? "(" : "", name,
                   is_compound ? ")" : "");
    }
}

static void read_licenses(struct scan *s, struct span package, struct buf *out)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    AUTO_FD int fd = -1;
    struct err absent = { 0 };
    AUTO_FREE char *path =
        xasprintf("usr/share/doc/%.*s/copyright", SPAN_ARG(span_first(package, 255)));
    buf_init(&text, LIMIT_SCAN_TEXT);
    if (fs_open_file_in_root(s->root_fd, path, &fd, &absent) || fs_read_fd(fd, &text, &absent))
        return;
    licenses_of(buf_span(&text), out);
}

/* Waiting for a trigger, a package is there and set up. */
static bool is_installed(struct span status)
{
    return !status.len || span_ends(status, " installed") ||
           span_ends(status, " triggers-pending") || span_ends(status, " triggers-awaited");
}

void deb_parse(struct scan *s, struct span text, const char *path)
{
    for (struct span rest = text; rest.len;) {
        struct found found = { .type = "deb", .origin = path };
        struct span status = { 0 };
        for (struct field f; field_next(&rest, &f);) {
            if (field_is(&f, "Package"))
                found.name = f.value;
            else if (field_is(&f, "Version"))
                found.version = f.value;
            else if (field_is(&f, "Architecture"))
                found.arch = f.value;
            else if (field_is(&f, "Maintainer"))
                found.supplier = f.value;
            else if (field_is(&f, "Status"))
                status = f.value;
        }
        if (!found.name.len || !found.version.len || !is_installed(status))
            continue;
        AUTO_VALUE(buf_clear) struct buf license = { 0 };
        buf_init(&license, LIMIT_PATH);
        if (s->root_fd >= 0)
            read_licenses(s, found.name, &license);
        found.license = buf_span(&license);
        scan_add(s, &found);
    }
}

static int read_file(struct scan *s, const char *path, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    AUTO_FD int fd = -1;
    buf_init(&text, LIMIT_SCAN_DATABASE);
    if (fs_open_file_in_root(s->root_fd, path, &fd, err) || fs_read_fd(fd, &text, err))
        return -1;
    deb_parse(s, buf_span(&text), path);
    return 0;
}

/* distroless: a file for each package, and lists of checksums. */
static void read_folder(struct scan *s, const char *folder)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    AUTO_FD int fd = -1;
    struct err err = { 0 };
    if (fs_open_in_root(s->root_fd, folder, O_RDONLY | O_DIRECTORY, 0, &fd, &err) ||
        fs_list(fd, ".", &names, &err))
        return;
    vec_each (&names, name) {
        AUTO_FREE char *path = xasprintf("%s/%s", folder, *name);
        struct err why = { 0 };
        if (!span_ends(span_of(*name), ".md5sums") && read_file(s, path, &why))
            scan_unread(s, path, &why);
    }
}

int deb_scan(struct scan *s, struct err *err)
{
    static const char status[] = "var/lib/dpkg/status";
    if (!scan_hides(s, status) && read_file(s, status, err)) {
        if (err->kind != ERR_NOT_FOUND)
            scan_unread(s, status, err);
        err_clear(err);
    }
    read_folder(s, "var/lib/dpkg/status.d");
    return cancel_check(s->options->cancel, err);
}
