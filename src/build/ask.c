/* build/ask.c - see ask.h. */
#include "build/ask.h"

#include <stdlib.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "build/context.h"
#include "build/given.h"
#include "build/internal.h"
#include "frontend/dockerfile/remote_url.h"
#include "image/store/lease.h"

void build_answer_clear(struct build_answer *a)
{
    buf_clear(&a->text);
    free(a->name);
    free(a->excerpt);
    dockerfile_report_clear(&a->report);
    dockerfile_outline_clear(&a->outline);
    dockerfile_targets_clear(&a->targets);
    *a = (struct build_answer){ 0 };
}

static int first_platform(const struct build_request *q, struct platform *out, struct err *err)
{
    *out = platform_host();
    if (!q->platforms.n)
        return 0;
    const char *text = q->platforms.items[0];
    return platform_parse(span_of(text), out, err) ? err_wrap(err, "--platform %s", text) : 0;
}

static void keep_excerpt(struct build_answer *out, struct source_lines where)
{
    struct buf text;
    buf_init(&text, LIMIT_DOCKERFILE);
    dockerfile_excerpt(buf_span(&out->text), out->name, where, &text);
    out->excerpt = text.data ? buf_take(&text) : NULL;
}

static int answer(struct build_answer *out, const struct dockerfile_options *o,
                  const struct frontend_host *host, struct err *err)
{
    struct span text = buf_span(&out->text);
    struct source_lines where = { 0 };
    int status = 0;
    if (out->question == ASK_CHECK) {
        dockerfile_check(text, o, host, &out->report);
        where = out->report.where;
    } else if (out->question == ASK_OUTLINE) {
        status = dockerfile_outline_read(text, o, host, &out->outline, err);
        where = out->outline.where;
    } else {
        status = dockerfile_targets_read(text, o, &out->targets, err);
        where = out->targets.where;
    }
    keep_excerpt(out, where);
    return status;
}

/* Questions take no time of the context: that would be a look inside. */
static int no_time(void *arg, const struct graph *g, bool *has_time, int64_t *seconds,
                   struct err *err)
{
    (void)arg, (void)g, (void)err;
    *has_time = false;
    *seconds = 0;
    return 0;
}

bool build_ask_is_plain(const struct build_request *q)
{
    return q->context_fd < 0 && !(q->context && context_is_remote(q->context)) &&
           !(q->dockerfile && url_is_http(q->dockerfile));
}

static int read_and_answer(struct asked *a, struct recipe *recipe, struct build_answer *out,
                           struct err *err)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    struct dockerfile_options o;
    if (recipe_load(a, recipe, err) || given_options(a, arena, &o, err) ||
        first_platform(a->request, &o.target_platform, err))
        return -1;
    struct frontend_host host = frontend_host_of(a);
    host.time_of = no_time;
    out->text = recipe->text;
    recipe->text = (struct buf){ 0 };
    out->name = xstrdup(recipe->name);
    return answer(out, &o, &host, err);
}

int build_ask(struct engine *e, const struct build_request *q, enum build_question question,
              const struct progress *progress, struct cancel *cancel, struct build_answer *out,
              struct err *err)
{
    AUTO(lease_close) struct lease *lease = NULL;
    AUTO_VALUE(recipe_clear) struct recipe recipe = { 0 };
    AUTO_VALUE(contexts_close) struct contexts contexts = { .lock_fd = -1 };
    struct asked asked = { .engine = e,
                           .request = q,
                           .contexts = &contexts,
                           .recipe = &recipe,
                           .mode = q->pulls ? RESOLVE_PULL : RESOLVE_DEFAULT,
                           .progress = progress,
                           .cancel = cancel };
    *out = (struct build_answer){ .question = question };
    if ((e && lease_open(e->store, 0, &lease, err)) || contexts_open(&asked, &contexts, err))
        return -1;
    return read_and_answer(&asked, &recipe, out, err);
}
