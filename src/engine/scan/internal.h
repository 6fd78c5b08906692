/* engine/scan/internal.h - what the readers share: bytes of a file, fields of a text, and where to
 * say what was found. */
#pragma once
#include "base/core/buf.h"
#include "engine/scan/scan.h"

/* ---- an open file, read at places ---- */

struct bytes {
    int fd; /* borrowed */
    uint64_t size;
};
/* All of `n` bytes.  Fails: CORRUPT past the end. */
NODISCARD int bytes_read(const struct bytes *b, uint64_t at, void *to, size_t n, struct err *err);
/* Appends them to `out`.  Fails also: LIMIT above its ceiling. */
NODISCARD int bytes_take(const struct bytes *b, uint64_t at, uint64_t n, struct buf *out,
                         struct err *err);

/* ---- "Name: value" texts ---- */

struct field {
    struct span name, value; /* the value with its continuation lines, trimmed */
};
/* Cuts the next field off *rest; false at the end of the stanza (an empty line, which is cut off
 * too) or of the text. */
bool field_next(struct span *rest, struct field *out);
bool field_is(const struct field *f, const char *name); /* case does not count */
/* The value's first line. */
struct span first_line(struct span value);

/* ---- what is found ---- */

struct scan {
    int root_fd;
    struct scan_result *out;
    const struct scan_options *options;
    bool is_full; /* LIMIT_SCAN_PACKAGES were found */
};

/* Texts as they stand in the file: trimmed and made UTF-8 by scan_add().  Empty: nothing is said.
 */
struct found {
    const char *type; /* of its purl */
    struct span namespace_, name, version, arch, epoch, license, supplier;
    const char *origin;
};
/* One without name is dropped. */
void scan_add(struct scan *s, const struct found *f);
/* Remembers that something could not be read, and forgets the error. */
void scan_unread(struct scan *s, const char *path, struct err *err);
bool scan_hides(const struct scan *s, const char *path);

/* ---- readers: each of one format; `path` is told as the origin ---- */

void os_release_read(int root_fd, struct os_release *out);
/* deb.c: the data bases at their places */
NODISCARD int deb_scan(struct scan *s, struct err *err);
void deb_parse(struct scan *s, struct span text, const char *path);
/* apk.c */
NODISCARD int apk_scan(struct scan *s, struct err *err);
void apk_parse(struct scan *s, struct span text, const char *path);
/* rpm.c, rpm_db.c */
NODISCARD int rpm_scan(struct scan *s, struct err *err);
/* One header, as rpm keeps it in any of its data bases.  Fails: CORRUPT. */
NODISCARD int rpm_header_parse(struct scan *s, struct span blob, const char *path, struct err *err);
/* Calls rpm_header_parse() with every header.  A broken one is told and passed over. */
NODISCARD int rpm_sqlite_read(struct scan *s, const struct bytes *b, const char *path,
                              struct err *err);
NODISCARD int rpm_ndb_read(struct scan *s, const struct bytes *b, const char *path,
                           struct err *err);
NODISCARD int rpm_bdb_read(struct scan *s, const struct bytes *b, const char *path,
                           struct err *err);
/* go.c: *is_elf false: no ELF, nothing to say. */
NODISCARD int go_read(struct scan *s, const struct bytes *b, const char *path, struct err *err);
/* jar.c */
NODISCARD int jar_read(struct scan *s, const struct bytes *b, const char *path, struct err *err);
/* npm.c, python.c: texts */
NODISCARD int npm_parse(struct scan *s, struct span text, const char *path, struct err *err);
void python_parse(struct scan *s, struct span text, const char *path);

/* ---- zip.c: the directory of an archive ---- */

struct zip_member {
    struct span name;           /* valid while it is visited */
    uint64_t header_at;         /* of its local header */
    uint64_t packed_size, size; /* bytes */
    uint32_t crc;
    uint16_t method; /* 0 stored, 8 deflated */
};
/* Returns 0 to go on, -1 with err set to end. */
typedef int (*zip_visit_fn)(void *arg, const struct zip_member *m, struct err *err);
/* Fails: CORRUPT, LIMIT (LIMIT_ZIP_ENTRIES), UNSUPPORTED (several disks). */
NODISCARD int zip_walk(const struct bytes *b, zip_visit_fn visit, void *arg, struct err *err);
/* The content, verified against its checksum.  Fails: CORRUPT, LIMIT above the ceiling of `out`,
 * UNSUPPORTED (another method). */
NODISCARD int zip_read(const struct bytes *b, const struct zip_member *m, struct buf *out,
                       struct err *err);
