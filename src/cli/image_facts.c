/* cli/image_facts.c - see image_facts.h. */
#include "cli/image_facts.h"

#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/core/nearest.h"
#include "cli/options.h"
#include "image/store/blob.h"
#include "image/store/name.h"

enum { NESTING_MAX = 4 };

void image_facts_clear(struct image_facts *f)
{
    str_list_clear(&f->platforms);
    free(f->created);
    *f = (struct image_facts){ 0 };
}

/* *is_there false: the store has not got it. */
static int read_document(struct store *st, const struct descriptor *d, struct buf *out,
                         bool *is_there, struct err *err)
{
    if (blob_find(st, &d->digest, is_there, NULL, err))
        return -1;
    return *is_there ? blob_read(st, &d->digest, out, err) : 0;
}

static int add_manifest(struct store *st, const struct manifest *m, struct image_facts *f,
                        struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    AUTO_VALUE(image_config_clear) struct image_config config = { 0 };
    bool is_there, is_first = !f->platforms.n;
    buf_init(&bytes, LIMIT_CONFIG);
    f->size += m->config.size;
    vec_each (&m->layers, layer)
        f->size += layer->size;
    if (is_first)
        f->n_layers = m->layers.n;
    if (!media_is_config(m->config.media_type))
        return 0; /* an artifact */
    if (read_document(st, &m->config, &bytes, &is_there, err))
        return -1;
    if (!is_there)
        return 0;
    if (image_config_parse(buf_span(&bytes), &config, err))
        return err_wrap(err, "config %s", digest_text(&m->config.digest).s);
    str_list_push(&f->platforms, platform_text(&config.platform).s);
    if (is_first)
        f->created = STEAL(config.created);
    return 0;
}

static int add_target(struct store *st, const struct descriptor *target, struct image_facts *f,
                      int depth, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    bool is_there;
    buf_init(&bytes, LIMIT_MANIFEST);
    if (read_document(st, target, &bytes, &is_there, err))
        return -1;
    if (!is_there || depth > NESTING_MAX)
        return 0;
    if (!media_is_index(target->media_type)) {
        AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
        return manifest_parse(buf_span(&bytes), target->media_type, &m, err) ||
                       add_manifest(st, &m, f, err)
                   ? -1
                   : 0;
    }
    AUTO_VALUE(index_clear) struct index index = { 0 };
    if (index_parse(buf_span(&bytes), target->media_type, &index, err))
        return -1;
    vec_each (&index.manifests, entry)
        if (add_target(st, entry, f, depth + 1, err))
            return -1;
    return 0;
}

int image_facts_read(struct store *st, const struct descriptor *target, struct image_facts *out,
                     struct err *err)
{
    if (add_target(st, target, out, 0, err))
        return err_wrap(err, "read image %s", digest_text(&target->digest).s);
    return 0;
}

static int not_found(struct store *st, const char *text, struct err *err)
{
    struct names all = { 0 };
    struct str_list familiar = { 0 };
    struct err unused = { 0 };
    err_set(err, ERR_NOT_FOUND, "image %s: not in the store", text);
    if (!name_list(st, NAME_IMAGE, "", NULL, 0, &all, &unused))
        vec_each (&all, named) {
            AUTO_VALUE(reference_clear) struct reference ref = { 0 };
            if (!reference_parse(span_of(named->name), &ref, &unused))
                str_list_take(&familiar, reference_familiar(&ref));
        }
    const char *near = nearest(text, (const char *const *)familiar.items, familiar.n);
    if (near)
        err_hint(err, "did you mean %s?", near);
    else
        err_hint(err, "kiln images lists what is there; kiln pull %s asks the registry", text);
    str_list_clear(&familiar);
    names_clear(&all);
    return -1;
}

int image_get(struct store *st, const char *text, struct reference *ref, struct descriptor *out,
              struct err *err)
{
    bool is_there;
    if (reference_parse(span_of(text), ref, err))
        return -1;
    AUTO_FREE char *name = reference_text(ref);
    if (name_find(st, NAME_IMAGE, name, out, &is_there, err))
        return -1;
    return is_there ? 0 : not_found(st, text, err);
}
