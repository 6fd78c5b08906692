/* tests/unit/engine/export/fixture.h - snapshots made by the shell, and where they are exported
 * from. */
#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "base/sys/user.h"
#include "engine/export/export.h"
#include "image/store/blob.h"
#include "image/store/name.h"
#include "shell.h"

static struct err err;
static struct id_map the_ids;
static bool is_ready; /* namespaces were entered */

struct lab {
    struct export_host host; /* its parts are owned here */
    struct image_config config;
    size_t n_base_history;
    struct snapshot *top; /* two layers: base and app */
};

/* Runs the script in a work on top of `parent`, which is taken. */
static struct snapshot *add_layer(struct lab *l, struct snapshot *parent, const char *script)
{
    AUTO(work_close) struct work *w = NULL;
    AUTO(snapshot_unref) struct snapshot *below = parent;
    struct snapshot *out = NULL;
    if (work_open(l->host.snapshots, parent, NULL, &w, &err)) {
        tap_fail(__FILE__, __LINE__, "work_open: %s", err.text);
        return NULL;
    }
    RUN("cd %s; %s", work_path(w), script);
    if (work_commit(w, NULL, &out, &err))
        tap_fail(__FILE__, __LINE__, "work_commit: %s", err.text);
    return out;
}

__attribute__((unused)) static void add_history(struct image_config *c, const char *text,
                                                bool is_empty)
{
    *vec_push(&c->history) = (struct history){ .created = xstrdup("2001-09-09T01:46:40Z"),
                                               .created_by = xstrdup(text),
                                               .is_empty_layer = is_empty };
}

/* An image of two layers with all times at the epoch 1000000000 or before. */
static bool lab_open(struct lab *l)
{
    AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
    *l = (struct lab){ 0 };
    l->host.pool = l->host.transfers = pool_new(2);
    err_clear(&err);
    if (clock_init(&l->host.clock, "1000000000", &err) ||
        store_open(path, NULL, &l->host.store, &err) ||
        snapshots_open(&(struct snapshots_options){ .store = l->host.store,
                                                    .pool = l->host.pool,
                                                    .ids = the_ids },
                       &l->host.snapshots, &err)) {
        tap_fail(__FILE__, __LINE__, "open: %s", err.text);
        return false;
    }
    l->host.has_epoch = true;
    l->top =
        add_layer(l, NULL,
                  "mkdir bin etc; echo base >bin/sh; chmod 755 bin/sh; ln -s sh bin/ash; echo h "
                  ">etc/hosts; ln etc/hosts etc/hard; touch -d @900000000 bin/sh etc/hosts");
    l->top = add_layer(l, l->top, "mkdir app; seq 5000 >app/data; rm etc/hard");
    struct platform p = { .is_set = true, .os = "linux", .architecture = "amd64" };
    image_config_init(&l->config, &p);
    free(l->config.created);
    l->config.created = xstrdup("2001-09-09T01:46:40Z");
    image_config_set_env(&l->config, "PATH", "/bin");
    str_list_push(&l->config.cmd, "sh");
    l->config.has_cmd = true;
    add_history(&l->config, "ADD base", false);
    add_history(&l->config, "CMD [\"sh\"]", true);
    add_history(&l->config, "RUN seq", false);
    return l->top != NULL;
}

static void lab_close(struct lab *l)
{
    image_config_clear(&l->config);
    snapshot_unref(l->top);
    snapshots_close(l->host.snapshots);
    store_close(l->host.store);
    pool_free(l->host.pool);
}

#define LAB(l)                                                                                     \
    struct lab l;                                                                                  \
    if (!is_ready)                                                                                 \
        SKIP("needs namespaces");                                                                  \
    if (!lab_open(&l))                                                                             \
    return

/* Exports the image as -o says; DIR in the text stands for the case's folder. */
__attribute__((unused)) static int export_as(struct lab *l, const char *text,
                                             struct export_result *out)
{
    struct export_spec s;
    struct export_image image = { .snapshot = l->top, .config = &l->config };
    AUTO_VALUE(buf_clear) struct buf whole = { 0 };
    const char *dir = strstr(text, "DIR");
    buf_init(&whole, 1 << 16);
    if (dir)
        buf_printf(&whole, "%.*s%s%s", (int)(dir - text), text, tap_dir(), dir + 3);
    else
        buf_puts(&whole, text);
    err_clear(&err);
    *out = (struct export_result){ 0 };
    if (export_spec_parse(whole.data, &s, &err)) {
        tap_fail(__FILE__, __LINE__, "%s: %s", whole.data, err.text);
        return -1;
    }
    int status = export_images(&l->host, &s, &image, 1, out, &err);
    export_spec_clear(&s);
    return status;
}

__attribute__((unused)) static char *blob_text(struct lab *l, const struct digest *d)
{
    struct buf text;
    buf_init(&text, 16 * MIB);
    EXPECT_OK(blob_read(l->host.store, d, &text, &err), &err);
    buf_puts(&text, "");
    return buf_take(&text);
}

__attribute__((unused)) static int lab_main(int argc, char **argv)
{
    is_ready = (user_is_privileged() ? mountns_enter(&err) || id_map_current(&the_ids, &err)
                                     : userns_enter(&the_ids, &err)) == 0;
    return tap_main(argc, argv);
}
