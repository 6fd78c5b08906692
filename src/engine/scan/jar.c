/* engine/scan/jar.c - what a Java archive says of itself, and of the archives in it.
 *
 * pom.properties of Maven says most: group, artifact, version, also of what was merged into the
 * archive.  Where it has none, the manifest; last the file's name ("guava-31.1.jar").
 *
 * Spec: JAR File Specification; Maven archiver. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/scan/internal.h"

enum { NESTING_MAX = 4, JARS_MAX = 5000 };

struct jar {
    struct scan *scan;
    const struct bytes *bytes;
    const char *path; /* "app.war!/WEB-INF/lib/x.jar" */
    int depth;
    size_t n_poms;
    size_t *n_jars; /* in the whole file */
    struct buf manifest;
};

static bool is_jar(struct span name)
{
    static const char *const ends[] = { ".jar", ".war", ".ear", ".hpi", ".jpi" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (span_ends(name, ends[i]))
            return true;
    return false;
}

/* ---- pom.properties ---- */

static void add_pom(struct jar *j, struct span text)
{
    struct found found = { .type = "maven", .origin = j->path };
    for (struct span rest = text; rest.ptr;) {
        struct span value = span_trim(span_cut(&rest, '\n')), key = span_cut(&value, '=');
        if (span_is(key, "groupId"))
            found.namespace_ = value;
        else if (span_is(key, "artifactId"))
            found.name = value;
        else if (span_is(key, "version"))
            found.version = value;
    }
    if (!found.name.len || !found.version.len)
        return;
    j->n_poms++;
    scan_add(j->scan, &found);
}

/* ---- the manifest ---- */

/* Lines go on after 72 bytes with a blank in front: they are joined. */
static void unfold(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        size_t end = i + (text.ptr[i] == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n');
        if (text.ptr[end] == '\n' && end + 1 < text.len && text.ptr[end + 1] == ' ')
            i = end + 1;
        else
            buf_putc(out, text.ptr[i]);
    }
}

/* "x/y/guava-31.1-jre.jar": name and version, cut at the first dash before a digit. */
static void read_file_name(const char *path, struct span *name, struct span *version)
{
    const char *slash = strrchr(path, '/');
    struct span file = span_of(slash ? slash + 1 : path);
    ptrdiff_t dot = span_rfind(file, '.');
    *name = dot > 0 ? span_first(file, (size_t)dot) : file;
    *version = (struct span){ 0 };
    for (size_t i = 1; i + 1 < name->len; i++)
        if (name->ptr[i] == '-' && name->ptr[i + 1] >= '0' && name->ptr[i + 1] <= '9') {
            *version = span_skip(*name, i + 1);
            *name = span_first(*name, i);
            return;
        }
}

/* Who has no group is his own, as most such old artifacts are in Maven's repository. */
static void add_from_manifest(struct jar *j)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct found found = { .type = "maven", .origin = j->path };
    struct span bundle = { 0 }, implementation = { 0 }, specification = { 0 };
    buf_init(&text, LIMIT_SCAN_TEXT + 1);
    unfold(buf_span(&j->manifest), &text);
    struct span rest = buf_span(&text);
    read_file_name(j->path, &found.name, &found.version);
    for (struct field f; field_next(&rest, &f);) {
        if (field_is(&f, "Implementation-Version"))
            implementation = f.value;
        else if (field_is(&f, "Bundle-Version"))
            bundle = f.value;
        else if (field_is(&f, "Specification-Version"))
            specification = f.value;
        else if (field_is(&f, "Implementation-Vendor-Id"))
            found.namespace_ = f.value;
        else if (field_is(&f, "Implementation-Vendor") || field_is(&f, "Bundle-Vendor"))
            found.supplier = f.value;
        else if (field_is(&f, "Bundle-License") && span_find(f.value, ',') < 0)
            found.license = f.value;
    }
    if (!found.version.len)
        found.version = implementation.len ? implementation : bundle.len ? bundle : specification;
    if (!found.namespace_.len)
        found.namespace_ = found.name;
    scan_add(j->scan, &found);
}

/* ---- the archive ---- */

static int read_jar(struct jar *j, struct err *err);

/* One in the archive becomes a nameless file. */
static int read_nested(struct jar *j, const struct zip_member *m, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf content = { 0 };
    AUTO_FREE char *path = xasprintf("%s!/%.*s", j->path, SPAN_ARG(m->name));
    AUTO_FD int fd = -1;
    if (j->depth >= NESTING_MAX || ++*j->n_jars > JARS_MAX)
        return err_set(err, ERR_LIMIT, "%s: archives in archives, too many", path);
    buf_init(&content, LIMIT_ZIP_NESTED);
    if (zip_read(j->bytes, m, &content, err))
        return err_wrap(err, "%.*s", SPAN_ARG(m->name));
    fd = memfd_create("jar", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "make a nameless file");
    if (fs_write_all(fd, buf_span(&content), err))
        return -1;
    struct bytes bytes = { .fd = fd, .size = content.len };
    buf_clear(&content); /* not both at once, and not one for each level */
    struct jar inner = {
        .scan = j->scan, .bytes = &bytes, .path = path, .depth = j->depth + 1, .n_jars = j->n_jars
    };
    return read_jar(&inner, err);
}

static int visit(void *arg, const struct zip_member *m, struct err *err)
{
    struct jar *j = arg;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct err why = { 0 };
    if (cancel_check(j->scan->options->cancel, err))
        return -1;
    buf_init(&text, LIMIT_SCAN_TEXT);
    if (span_is(m->name, "META-INF/MANIFEST.MF") && !j->manifest.len) {
        if (zip_read(j->bytes, m, &j->manifest, &why))
            scan_unread(j->scan, j->path, &why);
    } else if (span_starts(m->name, "META-INF/maven/") && span_ends(m->name, "/pom.properties")) {
        if (zip_read(j->bytes, m, &text, &why))
            scan_unread(j->scan, j->path, &why);
        else
            add_pom(j, buf_span(&text));
    } else if (is_jar(m->name) && read_nested(j, m, &why)) {
        if (why.kind == ERR_CANCELED) {
            *err = why;
            return -1;
        }
        scan_unread(j->scan, j->path, &why);
    }
    return 0;
}

static int read_jar(struct jar *j, struct err *err)
{
    buf_init(&j->manifest, LIMIT_SCAN_TEXT);
    int status = zip_walk(j->bytes, visit, j, err);
    if (status == 0 && !j->n_poms)
        add_from_manifest(j);
    buf_clear(&j->manifest);
    return status;
}

int jar_read(struct scan *s, const struct bytes *b, const char *path, struct err *err)
{
    size_t n_jars = 0;
    struct jar j = { .scan = s, .bytes = b, .path = path, .n_jars = &n_jars };
    return read_jar(&j, err);
}
