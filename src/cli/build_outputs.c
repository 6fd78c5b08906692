/* cli/build_outputs.c - where the result of kiln build goes: --output, --annotation, --push,
 * --load.
 *
 * Spec: docker buildx build. */
#include "cli/build_flags.h"

/* The last output that is an image; one is added when there is none. */
static struct export_spec *image_of(struct build_request *q)
{
    struct export_spec *image = NULL;
    vec_each (&q->exports, spec)
        if (spec->type == EXPORT_IMAGE)
            image = spec;
    if (!image) {
        image = vec_push(&q->exports);
        export_spec_init(image, EXPORT_IMAGE);
    }
    return image;
}

/* Every image among the outputs gets it. */
static int annotate(struct build_request *q, const char *text, struct err *err)
{
    bool is_taken = false;
    vec_each (&q->exports, spec) {
        if (!export_is_image(spec))
            continue;
        if (export_spec_annotate(spec, text, err))
            return err_wrap(err, "--annotation");
        is_taken = true;
    }
    return is_taken ? 0 : err_set(err, ERR_INVALID, "--annotation %s: no output is an image", text);
}

int build_take_outputs(const struct build_flags *f, struct build_request *q, struct err *err)
{
    vec_each (&f->output, text) {
        struct export_spec spec;
        if (export_spec_parse(*text, &spec, err))
            return -1;
        *vec_push(&q->exports) = spec;
    }
    /* On top of -o type=image they say more of the same one, as in buildx. */
    if (f->push || f->load) {
        struct export_spec *image = image_of(q);
        image->is_pushed |= f->push;
        image->is_kept |= f->load;
    }
    if (f->annotation.n && !q->exports.n)
        image_of(q);
    vec_each (&f->annotation, text)
        if (annotate(q, *text, err))
            return -1;
    return 0;
}
