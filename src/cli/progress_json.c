/* cli/progress_json.c - progress for programs: one object a line, of the shape of BuildKit's
 * SolveStatus.
 *
 *     {"vertexes":[{"digest","inputs","name","started","completed","cached","error"}]}
 *     {"statuses":[{"id","vertex","name","total","current","timestamp","started","completed"}]}
 *     {"logs":[{"vertex","stream","data","timestamp"}]}      data is base64
 *     {"warnings":[{"vertex","level","short"}]}              short is base64
 *
 * What has no digest (a task) gets that of its id, as in BuildKit. */
#include "base/codec/json.h"
#include "base/codec/text.h"
#include "base/core/clock.h"
#include "base/core/mem.h"
#include "cli/progress_internal.h"

static void put_digest(struct json *o, const char *key, const struct item *item)
{
    struct digest d;
    struct err unused = { 0 };
    if (digest_parse(span_of(item->id), &d, &unused))
        d = digest_of(span_of(item->id));
    json_set_str(o, key, digest_text(&d).s);
}

static void put_time(struct json *o, const char *key, const struct display *d, uint64_t at_ns)
{
    if (!at_ns)
        return;
    int64_t since = (int64_t)(at_ns - d->opened_ns);
    int64_t ns = d->opened_at.tv_nsec + since % 1000000000;
    struct timespec t = { .tv_sec = d->opened_at.tv_sec + (time_t)(since / 1000000000) };
    t.tv_sec += ns < 0 ? -1 : ns / 1000000000;
    t.tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
    char text[TIME_TEXT_MAX];
    time_print(t, text);
    json_set_str(o, key, text);
}

static void put_base64(struct json *o, const char *key, struct span bytes)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, OUT_MAX);
    base64_print(bytes, &text);
    json_set_str(o, key, text.data ? text.data : "");
}

/* {"KEY":[o]} and a newline; takes `o`. */
static void put_line(struct display *d, const char *key, struct json *o)
{
    AUTO(json_free) struct json *line = json_new_object();
    struct json *list = json_new_array();
    json_push(list, o);
    json_set(line, key, list);
    json_print(line, &d->out);
    buf_putc(&d->out, '\n');
}

static void take_inputs(struct item *item, const struct vertex *v)
{
    if (!v || !v->n_inputs || item->inputs)
        return;
    item->inputs = json_new_array();
    for (size_t i = 0; i < v->n_inputs; i++)
        if (v->inputs[i].vertex)
            json_push(item->inputs, json_new_str(digest_text(&v->inputs[i].vertex->digest).s));
}

static void print_vertex(struct display *d, struct item *item)
{
    struct json *o = json_new_object();
    put_digest(o, "digest", item);
    if (item->inputs)
        json_set(o, "inputs", json_ref(item->inputs));
    json_set(o, "name", json_new_strn(span_of(item->name)));
    put_time(o, "started", d, item->started_ns);
    put_time(o, "completed", d, item->ended_ns);
    if (item->state == ITEM_CACHED)
        json_set_bool(o, "cached", true);
    if (item->state == ITEM_FAILED)
        json_set(o, "error", json_new_strn(span_of(item->error)));
    if (item->state == ITEM_CANCELED)
        json_set_str(o, "error", "canceled");
    put_line(d, "vertexes", o);
}

static void print_status(struct display *d, const struct item *item, const struct progress_event *e)
{
    struct json *o = json_new_object();
    const char *name = e->part ? e->part : "";
    json_set_str(o, "id", name);
    put_digest(o, "vertex", item);
    json_set_str(o, "name", name);
    if (e->total)
        json_set_int(o, "total", (int64_t)e->total);
    json_set_int(o, "current", (int64_t)e->current);
    put_time(o, "timestamp", d, e->at_ns);
    vec_each (&item->parts, p)
        if (span_is(span_of(p->name), name)) {
            put_time(o, "started", d, p->started_ns);
            put_time(o, "completed", d, p->ended_ns);
        }
    put_line(d, "statuses", o);
}

static void rawjson_event(struct display *d, struct item *item, const struct progress_event *e)
{
    take_inputs(item, e->vertex);
    if (e->kind == PROGRESS_STATUS) {
        print_status(d, item, e);
        return;
    }
    if (e->kind != PROGRESS_LOG && e->kind != PROGRESS_WARN) {
        print_vertex(d, item);
        return;
    }
    struct json *o = json_new_object();
    put_digest(o, "vertex", item);
    if (e->kind == PROGRESS_LOG) {
        json_set_int(o, "stream", e->stream);
        put_base64(o, "data", e->bytes);
        put_time(o, "timestamp", d, e->at_ns);
        put_line(d, "logs", o);
    } else {
        json_set_int(o, "level", 1);
        put_base64(o, "short", span_of(e->text));
        put_line(d, "warnings", o);
    }
}

const struct display_ops display_rawjson = { .event = rawjson_event };
