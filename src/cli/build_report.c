/* cli/build_report.c - what kiln build leaves behind: files for scripts, lines for people. */
#include <fcntl.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "cli/build_flags.h"

/* The first output that is an image; NULL: none is. */
static const struct export_result *image_of(const struct build_result *r)
{
    vec_each (&r->exports, e)
        if (digest_is_set(&e->target.digest))
            return e;
    return NULL;
}

/* Of that output: those it names itself, else the tags. */
static char *names_of(const struct build_request *q, const struct build_result *r,
                      const struct export_result *image)
{
    struct buf names;
    size_t i = image ? (size_t)(image - r->exports.items) : 0;
    const struct str_list *own = i < q->exports.n ? &q->exports.items[i].names : &q->tags;
    buf_init(&names, LIMIT_JSON);
    vec_each (own->n ? own : &q->tags, tag) {
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        struct err unused = { 0 };
        AUTO_FREE char *name =
            reference_parse(span_of(*tag), &ref, &unused) ? xstrdup(*tag) : reference_text(&ref);
        buf_printf(&names, "%s%s", names.len ? "," : "", name);
    }
    return names.len ? buf_take(&names) : NULL;
}

/* As buildx: the config's digest where there is one image, the index's where there are several. */
static int write_iidfile(const char *path, const struct build_result *r, struct err *err)
{
    const struct export_result *image = image_of(r);
    if (!image)
        return err_set(err, ERR_INVALID, "--iidfile %s: no image was made", path);
    const struct digest *id =
        digest_is_set(&image->config_digest) ? &image->config_digest : &image->target.digest;
    struct digest_text text = digest_text(id);
    return fs_write_file(AT_FDCWD, path, span_of(text.s), 0644, false, err);
}

static int write_metadata(const char *path, const struct build_request *q,
                          const struct build_result *r, struct err *err)
{
    AUTO(json_free) struct json *o = json_new_object();
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    const struct export_result *image = image_of(r);
    AUTO_FREE char *names = names_of(q, r, image);
    if (image && digest_is_set(&image->config_digest))
        json_set_str(o, "containerimage.config.digest", digest_text(&image->config_digest).s);
    if (image) {
        json_set(o, "containerimage.descriptor", descriptor_write(&image->target));
        json_set_str(o, "containerimage.digest", digest_text(&image->target.digest).s);
        json_set_str(o, "image.name", names);
    }
    buf_init(&text, LIMIT_JSON);
    json_print_pretty(o, &text);
    buf_putc(&text, '\n');
    return fs_write_file(AT_FDCWD, path, buf_span(&text), 0644, false, err);
}

int build_write_files(const struct build_flags *f, const struct build_request *q,
                      const struct build_result *r, struct err *err)
{
    if (f->iidfile && write_iidfile(f->iidfile, r, err))
        return -1;
    return f->metadata_file ? write_metadata(f->metadata_file, q, r, err) : 0;
}

/* ---- for people ---- */

void build_note_warnings(const struct build_result *r)
{
    if (r->warnings.n)
        note("\n %zu warning%s found (kiln build --check shows the lines):", r->warnings.n,
             r->warnings.n > 1 ? "s" : "");
    vec_each (&r->warnings, w)
        if (w->line)
            note(" - %s (line %d)", w->text, w->line);
        else
            note(" - %s", w->text);
}

/* Those of an image that is kept here and nowhere else.  NULL: of the default output. */
static void note_kept(const struct build_request *q, const struct export_spec *spec,
                      const struct export_result *image, const char *store)
{
    const struct str_list *names = spec && spec->names.n ? &spec->names : &q->tags;
    if (spec && (spec->type != EXPORT_IMAGE || !spec->is_kept || spec->is_pushed))
        return;
    vec_each (names, name)
        note("kept %s in the store %s (kiln push sends it)", *name, store);
    if (names->n)
        return;
    if (spec && spec->dangling_prefix)
        note("kept %s@%s in the store %s", spec->dangling_prefix,
             digest_text(&image->target.digest).s, store);
    else
        note("built %s, which has no name and is kept as cache only (-t names it)",
             digest_text(&image->target.digest).s);
}

static void note_names(const struct build_request *q, const struct build_result *r,
                       const char *store)
{
    vec_each (&r->exports, e)
        vec_each (&e->pinned, pinned)
            note("pushed %s", *pinned);
    for (size_t i = 0; i < r->exports.n; i++)
        note_kept(q, q->exports.n ? &q->exports.items[i] : NULL, &r->exports.items[i], store);
}

/* ---- for programs ---- */

static struct json *export_json(const struct export_result *e)
{
    struct json *o = json_new_object();
    if (digest_is_set(&e->target.digest))
        json_set_str(o, "digest", digest_text(&e->target.digest).s);
    if (digest_is_set(&e->config_digest))
        json_set_str(o, "configDigest", digest_text(&e->config_digest).s);
    json_set_str(o, "mediaType", e->target.media_type);
    json_set(o, "pushed", json_of_list(&e->pinned));
    return o;
}

static void say_summary(const struct build_request *q, const struct build_result *r)
{
    AUTO(json_free) struct json *o = json_new_object();
    struct json *exports = json_new_array(), *warnings = json_new_array();
    struct json *bases = json_new_object();
    const struct export_result *image = image_of(r);
    if (image)
        json_set_str(o, "digest", digest_text(&image->target.digest).s);
    if (image && digest_is_set(&image->config_digest))
        json_set_str(o, "configDigest", digest_text(&image->config_digest).s);
    json_set(o, "names", json_of_list(&q->tags));
    json_set_int(o, "vertices", (int64_t)r->n_vertices);
    json_set_int(o, "cached", (int64_t)r->n_cached);
    vec_each (&r->exports, e)
        json_push(exports, export_json(e));
    json_set(o, "outputs", exports);
    map_each (&r->base_images, e)
        json_set_str(bases, e->key, e->value);
    json_set(o, "baseImages", bases);
    vec_each (&r->warnings, w) {
        struct json *one = json_new_object();
        json_set_str(one, "text", w->text);
        json_set_str(one, "rule", w->rule);
        json_set_int(one, "line", w->line);
        json_push(warnings, one);
    }
    json_set(o, "warnings", warnings);
    if (q->explains)
        json_set(o, "steps", explanations_json(r));
    say_json(o);
}

void build_report(struct cli *cli, const struct build_flags *f, const struct build_request *q,
                  const struct build_result *r, const char *store)
{
    enum display_mode mode = f->quiet ? DISPLAY_QUIET : display_mode_parse(f->progress);
    const struct export_result *image = image_of(r);
    bool is_for_people = mode != DISPLAY_QUIET && mode != DISPLAY_RAWJSON;
    if (is_for_people) {
        build_note_warnings(r);
        note_names(q, r, store);
    }
    vec_each (&q->exports, spec)
        if (spec->dest && !strcmp(spec->dest, "-"))
            return; /* stdout is the output itself */
    if (cli->wants_json)
        say_summary(q, r);
    else if (mode == DISPLAY_QUIET && image)
        say("%s", digest_text(&image->target.digest).s);
}
