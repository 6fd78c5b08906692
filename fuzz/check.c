/* fuzz/check.c - any text can be checked, outlined and listed: warnings have a known rule and a
 * place inside of the text, what would fail has a kind; a check says of an unresolvable image what
 * a build would, and says the same twice; all of it can be printed. */
#include <assert.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/check.h"
#include "frontend/dockerfile/outline.h"
#include "frontend/dockerfile/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Images whose name has an "x" are not there; those with an "o" bring triggers. */
static int resolve(void *arg, const struct reference *ref, const struct platform *p,
                   enum image_resolve mode, struct image_meta *out, struct err *err)
{
    static const char plain[] = "{\"os\":\"linux\",\"config\":{\"Env\":[\"A=1\",\"PATH=/b\"]}}";
    static const char trigger[] = "{\"config\":{\"OnBuild\":[\"ARG T=$A\",\"CMD b\"]}}";
    (void)arg, (void)mode;
    if (strchr(ref->repository, 'x'))
        return err_set(err, ERR_NOT_FOUND, "not there");
    image_config_clear(&out->config);
    if (image_config_parse(span_of(strchr(ref->repository, 'o') ? trigger : plain), &out->config,
                           err))
        return -1;
    out->config.platform = *p;
    out->digest = digest_of(span_of(ref->repository));
    return 0;
}

static int read_file(void *arg, const char *context, const char *path, struct buf *out,
                     bool *is_there, struct err *err)
{
    (void)arg, (void)context;
    *is_there = strcmp(path, ".dockerignore") == 0;
    return *is_there ? buf_append(out, SPAN("a\n"), err) : 0;
}

static void print_report(const struct dockerfile_report *r, struct span text, int n_lines)
{
    AUTO_VALUE(buf_clear) struct buf out;
    AUTO(json_free) struct json *o = dockerfile_report_json(r, text, "D");
    buf_init(&out, SIZE_MAX);
    for (size_t i = 0; i < r->warnings.n; i++) {
        const struct dockerfile_warning *w = &r->warnings.items[i];
        assert(check_rule_find(w->rule) && w->text[0]);
        assert(w->where.first > 0 && w->where.first <= w->where.last && w->where.last <= n_lines);
        assert(i == 0 || w[-1].where.first <= w->where.first);
    }
    json_print(o, &out);
    dockerfile_report_print(r, text, "D", &out);
    assert(!r->would_fail || (r->why.kind != ERR_NONE && r->where.last <= n_lines));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 16 * KIB)
        return 0;
    const struct span text = span_bytes(data, size);
    const struct dockerfile_options o = { .filename = "D" };
    const struct frontend_host host = { .resolve_image = resolve, .read_context_file = read_file };
    AUTO_VALUE(dockerfile_report_clear) struct dockerfile_report r, again;
    AUTO_VALUE(dockerfile_outline_clear) struct dockerfile_outline outline;
    AUTO_VALUE(dockerfile_targets_clear) struct dockerfile_targets targets;
    AUTO_VALUE(dockerfile_result_clear) struct dockerfile_result built;
    AUTO_VALUE(buf_clear) struct buf out;
    struct err err = { 0 };
    int n_lines = 1;
    for (size_t i = 0; i < size; i++)
        n_lines += data[i] == '\n';
    dockerfile_check(text, &o, &host, &r);
    dockerfile_check(text, &o, &host, &again);
    print_report(&r, text, n_lines);
    assert(r.warnings.n == again.warnings.n && strcmp(r.why.text, again.why.text) == 0);
    /* What the target needs is part of all: a check that finds nothing wrong lets it be built. */
    int failed = dockerfile_convert(text, &o, &host, &built, &err);
    assert(!failed || r.would_fail || err.kind == ERR_LIMIT);
    buf_init(&out, SIZE_MAX);
    if (dockerfile_outline_read(text, &o, &host, &outline, &err) == 0) {
        AUTO(json_free) struct json *json = dockerfile_outline_json(&outline, text);
        json_print(json, &out);
        dockerfile_outline_print(&outline, &out);
    }
    if (dockerfile_targets_read(text, &o, &targets, &err) == 0) {
        AUTO(json_free) struct json *json = dockerfile_targets_json(&targets, text);
        json_print(json, &out);
        dockerfile_targets_print(&targets, &out);
        assert(targets.n > 0 && targets.items[targets.n - 1].is_default);
    }
    return 0;
}
