/* engine/ops/source_op.c - where file systems come from: a table of schemes, each with its own
 * file. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "engine/ops/source.h"

static const struct scheme *const schemes[] = {
    &image_scheme, &local_scheme, &http_scheme, &https_scheme, &git_scheme, &layout_scheme,
};

static int find_scheme(const struct vertex *v, const struct scheme **out, struct err *err)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        *out = schemes[i];
        if (strncmp(v->source.identifier, (*out)->prefix, strlen((*out)->prefix)) == 0)
            return 0;
    }
    return err_set(err, ERR_UNSUPPORTED, "%s: sources of this kind are not known here",
                   v->source.identifier);
}

struct digest source_digest(const char *key)
{
    AUTO_FREE char *text = xasprintf("buildkit.source.v0:%s", key);
    return digest_of(span_of(text));
}

/* ---- what was learned for a vertex's key and is needed to run it ---- */

void *answer_find(struct ops *ops, const struct vertex *v)
{
    pthread_mutex_lock(&ops->lock);
    void *answer = map_find(&ops->answers, digest_text(&v->digest).s);
    pthread_mutex_unlock(&ops->lock);
    return answer;
}

void answer_keep(struct ops *ops, const struct vertex *v, void *answer)
{
    pthread_mutex_lock(&ops->lock);
    map_set(&ops->answers, digest_text(&v->digest).s, answer);
    pthread_mutex_unlock(&ops->lock);
}

/* ---- secrets ---- */

int authorization_read(const struct ops *ops, const char *id, const char *prefix, char **out,
                       struct err *err)
{
    AUTO_VALUE(secret_clear) struct buf secret = { 0 };
    bool is_there = false;
    buf_init(&secret, LIMIT_SECRET);
    *out = NULL;
    if (secret_read(ops, id, &secret, &is_there, err) || !is_there)
        return err->kind ? -1 : 0;
    struct span value = span_trim(buf_span(&secret)); /* files tend to end in a newline */
    if (value.len == 0 || memchr(value.ptr, '\n', value.len) ||
        memchr(value.ptr, '\r', value.len) || memchr(value.ptr, '\0', value.len))
        return err_set(err, ERR_INVALID, "secret %s: is empty or has more than one line", id);
    *out = xasprintf("%s%.*s", prefix, SPAN_ARG(value));
    return 0;
}

void secret_clear(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_clear(b);
}

void secret_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* ---- the table's members ---- */

static int source_key(void *arg, const struct vertex *v, struct arena *a, struct op_key *out,
                      const struct cancel *cancel, struct err *err)
{
    const struct scheme *scheme = NULL;
    (void)a;
    *out = (struct op_key){ 0 };
    return find_scheme(v, &scheme, err) || scheme->key(arg, v, out, cancel, err) ? -1 : 0;
}

static int source_content(void *arg, const struct vertex *v, size_t i, struct result *r,
                          struct digest *out, const struct cancel *cancel, struct err *err)
{
    struct ops *ops = arg;
    (void)v, (void)i;
    AUTO_VALUE(opened_close) struct opened o = { 0 };
    struct tree_digest_options options = { .pool = ops->o.pool, .cancel = cancel };
    if (result_open(ops, r, cancel, &o, err))
        return -1;
    return tree_digest(o.tree, &(struct tree_selector){ .path = "" }, &options, out, err);
}

static int source_run(void *arg, const struct op_run *run, struct err *err)
{
    const struct scheme *scheme = NULL;
    return find_scheme(run->vertex, &scheme, err) || scheme->run(arg, run, err) ? -1 : 0;
}

void source_impl_init(struct op_impl *impl, struct ops *ops)
{
    *impl = (struct op_impl){
        .arg = ops, .key = source_key, .content = source_content, .run = source_run
    };
}
