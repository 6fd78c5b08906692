/* frontend/dockerfile/epoch.c - SOURCE_DATE_EPOCH: the time that config and history tell.
 *
 * Seconds since 1970; or what has a time of its own: "context" (the main context), a named context,
 * or a stage that is nothing but one ADD of something remote.  Then it is the newest file's there:
 * a commit's time in git, Last-Modified of a file from a server, the newest entry of an archive.  A
 * folder has none, and is no error.
 *
 * Threads: a converter belongs to one thread. */
#include <string.h>
#include <time.h>

#include "frontend/dockerfile/convert_internal.h"
#include "frontend/dockerfile/remote_url.h"

#define VARIABLE "SOURCE_DATE_EPOCH"
static const uint64_t last_second = 253402300799; /* of the year 9999 */

static int invalid(const struct converter *c, const char *text, const char *why, struct err *err)
{
    err_set(err, ERR_INVALID, "%s: invalid " VARIABLE ": %s%s%s", c->file_name, text,
            *why ? ": " : "", why);
    return err_hint(err, "give seconds since 1970, for instance $(git log -1 --pretty=%%ct)");
}

static void keep(struct converter *c, int64_t seconds)
{
    struct tm tm;
    char date[32];
    time_t t = (time_t)seconds;
    c->result->has_epoch = true;
    c->result->epoch = seconds;
    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
    c->created = arena_strdup(c->arena, date);
}

/* The builder's content becomes a graph of its own. */
static int ask(struct converter *c, struct edge edge, struct err *err)
{
    AUTO(graph_free) struct graph *g = NULL;
    bool has_time = false;
    int64_t seconds = 0;
    if (!c->host->time_of)
        return err_set(err, ERR_UNSUPPORTED, "%s: the time of a source cannot be asked for here",
                       VARIABLE);
    if (graph_builder_finish(c->builder, &edge, 1, &g, err) ||
        c->host->time_of(c->host->arg, g, &has_time, &seconds, err))
        return -1;
    if (has_time && seconds >= 0 && (uint64_t)seconds <= last_second)
        keep(c, seconds);
    return 0;
}

static int of_context(struct converter *c, struct context *x, struct err *err)
{
    struct edge edge = { 0 };
    if (x->type == CONTEXT_LOCAL && !x->is_archive)
        return 0;
    return context_edge(c, x, &edge, err) ? -1 : ask(c, edge, err);
}

static int of_named(struct converter *c, const char *text, const char *key, const char *value,
                    struct err *err)
{
    struct context x = { .type = context_type_of(value), .name = key, .source = value };
    if (strncmp(value, "local:", 6) == 0)
        return 0;
    if (x.type == CONTEXT_LOCAL)
        return invalid(c, text, "this context has no time", err);
    return of_context(c, &x, err);
}

/* The one remote source that a stage consists of; no vertex when it is anything else. */
static struct edge only_source(struct edge root)
{
    struct edge none = { 0 };
    const struct vertex *v = root.vertex;
    if (!v || v->type != OP_FILE || v->n_inputs != 1 || v->file.n_actions != 1 ||
        v->file.actions[0].type != ACTION_COPY || v->file.actions[0].input >= 0)
        return none;
    const struct vertex *from = v->inputs[0].vertex;
    bool is_remote =
        from->type == OP_SOURCE && (strncmp(from->source.identifier, "git://", 6) == 0 ||
                                    strncmp(from->source.identifier, "http", 4) == 0);
    return is_remote ? v->inputs[0] : none;
}

static int of_stage(struct converter *c, struct build_stage *s, const char *text, struct err *err)
{
    static const char why[] = "the stage must be FROM scratch with one ADD of a URL and no more";
    if (strcmp(s->base_name, "scratch") != 0 || s->is_replaced)
        return invalid(c, text, why, err);
    if (base_begin(c, s, err))
        return blame(c, s->where, s->parsed->text, err);
    vec_each (&s->steps, step)
        if (step->in->type == INSTRUCTION_RUN || step->n_sources > 0)
            return invalid(c, text, why, err);
    vec_each (&s->steps, step)
        if (dispatch_step(c, s, step, err))
            return -1;
    struct edge source = only_source(s->state.root);
    return source.vertex ? ask(c, source, err) : invalid(c, text, why, err);
}

/* What is no number. */
static int of_name(struct converter *c, const char *text, struct err *err)
{
    const char *key = NULL;
    c->builder = graph_builder_new();
    if (strcmp(text, "context") == 0)
        return of_context(c, &c->main, err);
    const char *value = named_context_find(c, &c->target_platform, text, &key);
    if (value)
        return of_named(c, text, key, value, err);
    struct build_stage *s = map_find(&c->stages_by_name, lower_case(c->arena, text));
    return s ? of_stage(c, s, text, err) : invalid(c, text, "", err);
}

static const char *given_text(const struct converter *c)
{
    const char *text = c->o->source_date_epoch ? c->o->source_date_epoch : build_arg(c, VARIABLE);
    return text ? text : env_find(&c->globals, VARIABLE);
}

void epoch_prepare(struct converter *c)
{
    const char *text = given_text(c);
    uint64_t seconds;
    c->takes_commit_times = text && text[0] && !unsigned_parse(text, 10, last_second, &seconds);
}

void epoch_set_mtime(const struct converter *c, struct git_ref *g)
{
    if (c->takes_commit_times && !g->mtime[0])
        g->mtime = "commit";
}

int epoch_set(struct converter *c, struct err *err)
{
    const char *text = given_text(c);
    uint64_t seconds;
    c->created = c->o->created;
    if (!text || !text[0])
        return 0;
    epoch_prepare(c);
    if (!unsigned_parse(text, 10, last_second, &seconds))
        return of_name(c, text, err);
    keep(c, (int64_t)seconds);
    return 0;
}
