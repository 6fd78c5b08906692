/* engine/scan/scan.c - the search: data bases at their places, then one walk over all files for
 * what tells of itself. */
#include "engine/scan/scan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec/json.h"
#include "base/codec/purl.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/scan/internal.h"
#include "engine/source/tree.h"

static void package_clear(struct package *p)
{
    free(p->type);
    free(p->name);
    free(p->version);
    free(p->arch);
    free(p->license);
    free(p->supplier);
    free(p->purl);
    free(p->origin);
}

void scan_result_clear(struct scan_result *r)
{
    vec_each (&r->packages, p)
        package_clear(p);
    vec_clear(&r->packages);
    free(r->os.id);
    free(r->os.version_id);
    free(r->os.pretty_name);
    str_list_clear(&r->unread);
    *r = (struct scan_result){ 0 };
}

bool scan_hides(const struct scan *s, const char *path)
{
    return s->options->hides && s->options->hides(s->options->hides_arg, path);
}

void scan_unread(struct scan *s, const char *path, struct err *err)
{
    enum { UNREAD_MAX = 1000 };
    if (s->out->unread.n < UNREAD_MAX) {
        AUTO_FREE char *text = xasprintf("%s: %s", path, err->text);
        AUTO(json_free) struct json *clean = json_new_strn(span_of(text));
        str_list_push(&s->out->unread, json_str(clean));
    }
    err_clear(err);
}

/* ---- what is found ---- */

/* UTF-8 without line ends, NULL for nothing. */
static char *text_of(struct span value)
{
    struct span line = first_line(span_trim(span_first(value, LIMIT_PATH)));
    if (!line.len)
        return NULL;
    AUTO(json_free) struct json *clean = json_new_strn(line);
    return xstrdup(json_str(clean));
}

/* PEP 503: lower case, runs of "-_." are one dash. */
static char *python_name(const char *name)
{
    char *out = xstrdup(name), *to = out;
    for (const char *from = name; *from; from++) {
        bool is_mark = strchr("-_.", *from) != NULL;
        if (is_mark && to > out && to[-1] == '-')
            continue;
        *to++ = is_mark ? '-' : *from >= 'A' && *from <= 'Z' ? (char)(*from | 0x20) : *from;
    }
    *to = '\0';
    return out;
}

/* Packages of a distribution are in its name; others in their own. */
static void set_purl(const struct scan *s, struct package *p, const char *namespace_,
                     const char *epoch)
{
    const struct os_release *os = &s->out->os;
    bool is_deb = strcmp(p->type, "deb") == 0, is_rpm = strcmp(p->type, "rpm") == 0;
    bool is_of_os = is_deb || is_rpm || strcmp(p->type, "apk") == 0;
    AUTO_FREE char *name = strcmp(p->type, "pypi") == 0 ? python_name(p->name) : xstrdup(p->name);
    AUTO_FREE char *distro = !is_of_os || !os->id ? NULL
                             : os->version_id     ? xasprintf("%s-%s", os->id, os->version_id)
                                                  : xstrdup(os->id);
    if (is_of_os)
        namespace_ = os->id ? os->id : is_deb ? "debian" : is_rpm ? "redhat" : "alpine";
    struct purl purl = { .type = p->type,
                         .namespace_ = namespace_,
                         .name = name,
                         .version = p->version,
                         .qualifiers = {
                             { "arch", p->arch }, { "distro", distro }, { "epoch", epoch } } };
    p->purl = purl_print(&purl);
}

void scan_add(struct scan *s, const struct found *f)
{
    AUTO_FREE char *namespace_ = text_of(f->namespace_), *epoch = text_of(f->epoch);
    AUTO_FREE char *name = text_of(f->name);
    if (!name)
        return;
    if (s->out->packages.n >= LIMIT_SCAN_PACKAGES) {
        s->is_full = true;
        return;
    }
    struct package *p = vec_push(&s->out->packages);
    *p = (struct package){ .type = xstrdup(f->type),
                           .name = xstrdup(name),
                           .version = text_of(f->version),
                           .arch = text_of(f->arch),
                           .license = text_of(f->license),
                           .supplier = text_of(f->supplier),
                           .origin = text_of(span_of(f->origin)) };
    set_purl(s, p, namespace_, epoch);
    /* Where the group is a part of the name, people see it so. */
    const char *between = strcmp(f->type, "maven") == 0 ? ":" : "/";
    if (!namespace_ || (strcmp(namespace_, name) == 0 && *between == ':'))
        return;
    free(p->name);
    p->name = xasprintf("%s%s%s", namespace_, between, name);
}

/* ---- files that tell of themselves ---- */

struct file {
    struct scan *scan;
    const struct tree_entry *entry;
    struct bytes bytes;
};

static int read_text(const struct file *f, struct buf *out, struct err *err)
{
    buf_init(out, LIMIT_SCAN_TEXT);
    return bytes_take(&f->bytes, 0, f->bytes.size, out, err);
}

static int read_npm(const struct file *f, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    return read_text(f, &text, err) || npm_parse(f->scan, buf_span(&text), f->entry->path, err) ? -1
                                                                                                : 0;
}

static int read_python(const struct file *f, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    if (read_text(f, &text, err))
        return -1;
    python_parse(f->scan, buf_span(&text), f->entry->path);
    return 0;
}

static int read_jar(const struct file *f, struct err *err)
{
    return jar_read(f->scan, &f->bytes, f->entry->path, err);
}

static int read_program(const struct file *f, struct err *err)
{
    return go_read(f->scan, &f->bytes, f->entry->path, err);
}

/* node_modules/NAME/package.json, node_modules/@SCOPE/NAME/package.json */
static bool is_npm(const struct tree_entry *e)
{
    static const char folder[] = "node_modules/";
    if (strcmp(e->name, "package.json") != 0)
        return false;
    struct span path = span_of(e->path), last = { 0 };
    for (const char *at = e->path; (at = strstr(at, folder)); at++)
        if (at == e->path || at[-1] == '/')
            last = span_skip(path, (size_t)(at - e->path) + sizeof folder - 1);
    size_t n_slashes = 0;
    for (size_t i = 0; i < last.len; i++)
        n_slashes += last.ptr[i] == '/';
    return last.len && n_slashes == (last.ptr[0] == '@' ? 2U : 1U);
}

static bool is_python(const struct tree_entry *e)
{
    struct span path = span_of(e->path);
    return span_ends(path, ".dist-info/METADATA") || span_ends(path, ".egg-info/PKG-INFO") ||
           span_ends(path, ".egg-info");
}

static bool is_jar(const struct tree_entry *e)
{
    struct span name = span_of(e->name);
    return span_ends(name, ".jar") || span_ends(name, ".war") || span_ends(name, ".ear") ||
           span_ends(name, ".hpi") || span_ends(name, ".jpi");
}

static bool is_program(const struct tree_entry *e)
{
    return e->stat.mode & 0111;
}

static const struct {
    bool (*fits)(const struct tree_entry *e);
    int (*read)(const struct file *f, struct err *err);
} kinds[] = { { is_npm, read_npm },
              { is_python, read_python },
              { is_jar, read_jar },
              { is_program, read_program } };

static int read_file(struct scan *s, const struct tree_entry *e, size_t kind, struct err *err)
{
    AUTO_FD int fd = -1;
    struct file file = { .scan = s, .entry = e, .bytes = { .size = e->stat.size } };
    if (fs_open(e->dir_fd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err))
        return -1;
    file.bytes.fd = fd;
    return kinds[kind].read(&file, err);
}

static bool is_of_the_kernel(const char *path)
{
    return strcmp(path, "proc") == 0 || strcmp(path, "sys") == 0 || strcmp(path, "dev") == 0;
}

static int visit(void *arg, const struct tree_entry *e, struct err *err)
{
    struct scan *s = arg;
    if (S_ISDIR(e->stat.mode))
        return is_of_the_kernel(e->path);
    if (!S_ISREG(e->stat.mode) || !e->stat.size || scan_hides(s, e->path))
        return 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kinds[i].fits(e))
            continue;
        if (read_file(s, e, i, err)) {
            if (err->kind == ERR_CANCELED)
                return -1;
            scan_unread(s, e->path, err);
        }
        return 0;
    }
    return 0;
}

/* ---- the list ---- */

static int compare_texts(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int compare_packages(const void *a, const void *b)
{
    const struct package *x = a, *y = b;
    int order = strcmp(x->type, y->type);
    order = order ? order : strcmp(x->name, y->name);
    order = order ? order : compare_texts(x->version, y->version);
    order = order ? order : strcmp(x->purl, y->purl);
    order = order ? order : compare_texts(x->origin, y->origin);
    return order ? order : compare_texts(x->license, y->license);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void settle(struct scan_result *r)
{
    size_t n = 0;
    if (r->unread.n)
        qsort(r->unread.items, r->unread.n, sizeof *r->unread.items, compare_lines);
    if (!r->packages.n)
        return;
    qsort(r->packages.items, r->packages.n, sizeof *r->packages.items, compare_packages);
    for (size_t i = 0; i < r->packages.n; i++) {
        struct package *p = &r->packages.items[i];
        if (n && strcmp(r->packages.items[n - 1].purl, p->purl) == 0)
            package_clear(p);
        else
            r->packages.items[n++] = *p;
    }
    r->packages.n = n;
}

int scan_root(int root_fd, const struct scan_options *o, struct scan_result *out, struct err *err)
{
    static const struct scan_options none = { 0 };
    struct scan s = { .root_fd = root_fd, .out = out, .options = o ? o : &none };
    AUTO(tree_free) struct tree *tree = tree_of_folder(root_fd, NULL);
    struct tree_walk how = { .visit = visit, .arg = &s, .cancel = s.options->cancel };
    *out = (struct scan_result){ 0 };
    os_release_read(root_fd, &out->os);
    if (deb_scan(&s, err) || apk_scan(&s, err) || rpm_scan(&s, err) ||
        tree_walk(tree, "", &how, err))
        return err_wrap(err, "scan");
    if (s.is_full)
        return err_set(err, ERR_LIMIT, "scan: more than %d packages", LIMIT_SCAN_PACKAGES);
    settle(out);
    return 0;
}
