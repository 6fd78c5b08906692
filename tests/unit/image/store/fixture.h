/* tests/unit/image/store/fixture.h - a store in the case's own folder, and content for it. */
#pragma once
#include "base/core/mem.h"
#include "image/store/blob.h"
#include "image/store/gc.h"
#include "image/store/ingest.h"
#include "image/store/lease.h"
#include "image/store/name.h"
#include "image/store/object.h"
#include "tap.h"

static struct err err;

/* NULL when it cannot be opened; the case has failed then. */
__attribute__((unused)) static struct store *open_store(const struct store_options *o)
{
    struct store *st = NULL;
    AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
    err_clear(&err);
    EXPECT_OK(store_open(path, o, &st, &err), &err);
    return st;
}

__attribute__((unused)) static struct digest put(struct store *st, const char *text)
{
    struct digest d = { 0 };
    EXPECT_OK(blob_put(st, span_of(text), &d, &err), &err);
    return d;
}

__attribute__((unused)) static bool has(struct store *st, const struct digest *d)
{
    bool is_there = false;
    EXPECT_OK(blob_find(st, d, &is_there, NULL, &err), &err);
    return is_there;
}

/* As if everything had been used `ago_s` seconds before now. */
__attribute__((unused)) static void age(struct store *st, int64_t ago_s)
{
    struct query *q = NULL;
    REQUIRE_OK(query_open(store_db(st), "UPDATE object SET used_at = used_at - ?1", &q, &err),
               &err);
    query_int(q, 1, ago_s);
    EXPECT_OK(query_run(q, &err), &err);
}

/* A manifest with this config and one layer. */
__attribute__((unused)) static struct descriptor put_image(struct store *st, const char *config,
                                                           const char *layer)
{
    struct digest c = put(st, config), l = put(st, layer);
    struct manifest m = { .annotations = STR_MAP };
    m.config = descriptor_make(MEDIA_OCI_CONFIG, &c, strlen(config));
    *vec_push(&m.layers) = descriptor_make(MEDIA_OCI_LAYER, &l, strlen(layer));
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 1 << 20);
    manifest_print(&m, &text);
    manifest_clear(&m);
    struct descriptor d = { 0 };
    EXPECT_OK(manifest_put(st, buf_span(&text), MEDIA_OCI_MANIFEST, &d, &err), &err);
    return d;
}

/* What a shell command prints, without the last line's end. */
__attribute__((unused, format(printf, 1, 2))) static char *shell(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *command = xvasprintf(fmt, args);
    va_end(args);
    FILE *pipe = popen(command, "r");
    static char text[65536];
    size_t n = pipe ? fread(text, 1, sizeof text - 1, pipe) : 0;
    if (pipe)
        pclose(pipe);
    text[n] = '\0';
    if (n > 0 && text[n - 1] == '\n')
        text[n - 1] = '\0';
    return text;
}
