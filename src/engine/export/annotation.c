/* engine/export/annotation.c - see annotation.h. */
#include "engine/export/annotation.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/core/nearest.h"

static const char *const places[] = { [ANNOTATION_MANIFEST] = "manifest",
                                      [ANNOTATION_INDEX] = "index",
                                      [ANNOTATION_MANIFEST_DESCRIPTOR] = "manifest-descriptor",
                                      [ANNOTATION_INDEX_DESCRIPTOR] = "index-descriptor" };
enum { N_PLACES = sizeof places / sizeof *places };

void annotations_clear(struct annotations *l)
{
    vec_each (l, a) {
        free(a->key);
        free(a->value);
    }
    vec_clear(l);
}

static void add(struct annotations *l, enum annotation_place place, const struct platform *p,
                struct span key, const char *value)
{
    *vec_push(l) = (struct annotation){
        .place = place, .platform = *p, .key = span_dup(key), .value = xstrdup(value)
    };
}

void annotations_copy(struct annotations *to, const struct annotations *from)
{
    vec_each (from, a)
        add(to, a->place, &a->platform, span_of(a->key), a->value);
}

/* ---- reading ---- */

bool annotation_is_key(const char *key)
{
    return strncmp(key, "annotation", 10) == 0 && key[10] && strchr("-[.", key[10]);
}

static int read_place(struct span name, enum annotation_place *out, struct err *err)
{
    for (size_t i = 0; i < N_PLACES; i++)
        if (span_is(name, places[i])) {
            *out = (enum annotation_place)i;
            return 0;
        }
    AUTO_FREE char *word = span_dup(name);
    const char *near = nearest(word, places, N_PLACES);
    err_set(err, ERR_INVALID, "unknown annotation type \"%s\"", word);
    return near ? err_hint(err, "did you mean %s?", near)
                : err_hint(err, "there are manifest, index, manifest-descriptor and "
                                "index-descriptor");
}

/* "PLACE", "PLACE[PLATFORM]" or "[PLATFORM]". */
static int read_target(struct span text, enum annotation_place *place, struct platform *p,
                       struct err *err)
{
    struct span rest = text, name = span_cut(&rest, '[');
    *place = ANNOTATION_MANIFEST;
    *p = (struct platform){ 0 };
    if (name.len && read_place(name, place, err))
        return -1;
    if (!rest.ptr)
        return 0;
    if (!span_ends(rest, "]"))
        return err_set(err, ERR_INVALID, "%.*s: a \"]\" is missing", SPAN_ARG(text));
    rest.len--;
    if (platform_parse(rest, p, err))
        return -1;
    p->is_set = true;
    return 0;
}

static int check_key(struct span key, struct err *err)
{
    for (size_t i = 0; i < key.len; i++)
        if ((unsigned char)key.ptr[i] <= ' ')
            return err_set(err, ERR_INVALID, "annotation \"%.*s\": a blank in the key",
                           SPAN_ARG(key));
    return key.len ? 0 : err_set(err, ERR_INVALID, "an annotation without a key");
}

/* The first "." outside of brackets: keys have dots, platforms may. */
static size_t target_length(struct span text)
{
    bool is_inside = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.' && !is_inside)
            return i;
        is_inside = text.ptr[i] == '[' || (is_inside && text.ptr[i] != ']');
    }
    return text.len;
}

int annotations_add(struct annotations *l, const char *key, const char *value, struct err *err)
{
    struct span text = span_skip(span_of(key), strlen("annotation"));
    size_t len = target_length(text);
    struct span target = span_first(text, len), name = span_skip(text, len + 1);
    enum annotation_place place;
    struct platform p;
    if (span_starts(target, "-"))
        target = span_skip(target, 1);
    if (check_key(name, err) || read_target(target, &place, &p, err))
        return err_wrap(err, "%s", key);
    add(l, place, &p, name, value);
    return 0;
}

int annotations_parse(struct annotations *l, const char *text, struct err *err)
{
    struct span value = span_of(text), key = span_cut(&value, '=');
    struct span types = { 0 }, rest = key, first = span_cut(&rest, ':');
    if (!value.ptr)
        return err_set(err, ERR_INVALID, "invalid annotation \"%s\", expected key=value", text);
    if (rest.ptr) {
        types = first;
        key = rest;
    }
    if (check_key(key, err))
        return -1;
    do {
        enum annotation_place place;
        struct platform p;
        if (read_target(span_cut(&types, ','), &place, &p, err))
            return err_wrap(err, "%s", text);
        add(l, place, &p, key, value.ptr);
    } while (types.ptr);
    return 0;
}

/* ---- using ---- */

bool annotations_need_oci(const struct annotations *l)
{
    vec_each (l, a)
        if (a->place != ANNOTATION_MANIFEST)
            return true;
    return false;
}

static bool has_platform(const struct platform *platforms, size_t n, const struct platform *p)
{
    for (size_t i = 0; i < n; i++)
        if (platform_equal(&platforms[i], p))
            return true;
    return false;
}

int annotations_check(const struct annotations *l, const struct platform *platforms, size_t n,
                      bool has_index, struct err *err)
{
    vec_each (l, a) {
        bool is_of_index = a->place == ANNOTATION_INDEX || a->place == ANNOTATION_INDEX_DESCRIPTOR;
        if (a->platform.is_set && !has_platform(platforms, n, &a->platform))
            return err_set(err, ERR_INVALID, "annotation %s: no platform %s is built", a->key,
                           platform_text(&a->platform).s);
        if (is_of_index && !has_index) {
            err_set(err, ERR_INVALID,
                    "annotation %s: index annotations not supported for single platform export",
                    a->key);
            return err_hint(err, "annotate the manifest, or build for several platforms");
        }
    }
    return 0;
}

void annotations_collect(const struct annotations *l, enum annotation_place place,
                         const struct platform *p, struct map *out)
{
    for (int is_special = 0; is_special < 2; is_special++)
        vec_each (l, a)
            if (a->place == place && a->platform.is_set == (bool)is_special &&
                (!is_special || !p || platform_equal(p, &a->platform)))
                map_set_str(out, a->key, a->value);
}
