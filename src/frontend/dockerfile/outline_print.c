/* frontend/dockerfile/outline_print.c - outlines and targets as JSON and as tables for people.
 *
 * Threads: values. */
#include <assert.h>
#include <string.h>

#include "base/codec/text.h"
#include "frontend/dockerfile/check.h"
#include "frontend/dockerfile/outline.h"

/* Leaves out what is empty, as these documents do. */
static void set_text(struct json *o, const char *key, const char *value)
{
    if (value[0])
        json_set(o, key, json_new_strn(span_of(value)));
}

static struct json *sources_json(struct span text)
{
    AUTO_VALUE(buf_clear) struct buf data;
    struct json *list = json_new_array();
    buf_init(&data, SIZE_MAX);
    base64_print(text, &data);
    json_push(list, json_new_strn(buf_span(&data)));
    return list;
}

static struct json *item_json(const struct outline_item *item)
{
    struct json *o = json_new_object();
    json_set(o, item->kind == OUTLINE_CACHE ? "ID" : "name", json_new_strn(span_of(item->name)));
    set_text(o, "description", item->description);
    set_text(o, "value", item->value);
    if (item->is_required)
        json_set_bool(o, "required", true);
    json_set(o, "location", source_lines_json(item->where));
    return o;
}

struct json *dockerfile_outline_json(const struct dockerfile_outline *outline, struct span text)
{
    static const char *const keys[] = { [OUTLINE_ARG] = "args",
                                        [OUTLINE_SECRET] = "secrets",
                                        [OUTLINE_SSH] = "ssh",
                                        [OUTLINE_CACHE] = "cache" };
    struct json *o = json_new_object();
    set_text(o, "name", outline->name);
    set_text(o, "description", outline->description);
    for (size_t i = 0; i < outline->n; i++) {
        const char *key = keys[outline->items[i].kind];
        if (!json_get(o, key))
            json_set(o, key, json_new_array());
        json_push(json_get(o, key), item_json(&outline->items[i]));
    }
    json_set(o, "sources", sources_json(text));
    return o;
}

struct json *dockerfile_targets_json(const struct dockerfile_targets *l, struct span text)
{
    struct json *o = json_new_object(), *targets = json_new_array();
    for (size_t i = 0; i < l->n; i++) {
        const struct dockerfile_target *t = &l->items[i];
        struct json *one = json_new_object();
        set_text(one, "name", t->name);
        if (t->is_default)
            json_set_bool(one, "default", true);
        set_text(one, "description", t->description);
        set_text(one, "base", t->base);
        set_text(one, "platform", t->platform);
        json_set(one, "location", source_lines_json(t->where));
        json_push(targets, one);
    }
    json_set(o, "targets", targets);
    json_set(o, "sources", sources_json(text));
    return o;
}

/* --- tables --- */

enum { MAX_COLUMNS = 3 };

/* Rows of cells, the heading first; `gap` blanks between the widest cell and the next column. */
struct grid {
    vec(const char *) cells;
    size_t n_columns, gap;
};

static void grid_row(struct grid *g, const char *first, const char *second, const char *third)
{
    const char *const cells[MAX_COLUMNS] = { first, second, third };
    size_t n = g->n_columns;
    assert(n <= MAX_COLUMNS);
    for (size_t i = 0; i < n; i++)
        *vec_push(&g->cells) = cells[i];
}

static void grid_print(struct grid *g, struct buf *out)
{
    size_t widths[MAX_COLUMNS] = { 0 };
    for (size_t i = 0; i < g->cells.n; i++) {
        size_t len = strlen(g->cells.items[i]), *width = &widths[i % g->n_columns];
        *width = len > *width ? len : *width;
    }
    for (size_t i = 0; i < g->cells.n; i++) {
        size_t column = i % g->n_columns;
        bool is_last = column + 1 == g->n_columns;
        buf_printf(out, "%-*s%s", is_last ? 0 : (int)(widths[column] + g->gap), g->cells.items[i],
                   is_last ? "\n" : "");
    }
    vec_clear(&g->cells);
}

static void print_kind(const struct dockerfile_outline *o, enum outline_kind kind, struct buf *out)
{
    static const char *const heads[][MAX_COLUMNS] = {
        [OUTLINE_ARG] = { "BUILD ARG", "VALUE", "DESCRIPTION" },
        [OUTLINE_SECRET] = { "SECRET", "REQUIRED" },
        [OUTLINE_SSH] = { "SSH", "REQUIRED" },
        [OUTLINE_CACHE] = { "CACHE" },
    };
    static const size_t widths[] = { 3, 2, 2, 1 };
    struct grid g = { .n_columns = widths[kind], .gap = 3 };
    grid_row(&g, heads[kind][0], heads[kind][1], heads[kind][2]);
    for (size_t i = 0; i < o->n; i++) {
        const struct outline_item *item = &o->items[i];
        const char *second = kind == OUTLINE_ARG ? item->value : item->is_required ? "true" : "";
        if (item->kind == kind)
            grid_row(&g, item->name, second, item->description);
    }
    if (g.cells.n > g.n_columns) {
        grid_print(&g, out);
        buf_putc(out, '\n');
    }
    vec_clear(&g.cells);
}

void dockerfile_outline_print(const struct dockerfile_outline *o, struct buf *out)
{
    if (o->name[0] || o->description[0]) {
        struct grid g = { .n_columns = 2, .gap = 1 };
        grid_row(&g, "TARGET:", o->name[0] ? o->name : "(default)", NULL);
        if (o->description[0])
            grid_row(&g, "DESCRIPTION:", o->description, NULL);
        grid_print(&g, out);
        buf_putc(out, '\n');
    }
    for (int kind = OUTLINE_ARG; kind <= OUTLINE_CACHE; kind++)
        print_kind(o, (enum outline_kind)kind, out);
}

void dockerfile_targets_print(const struct dockerfile_targets *l, struct buf *out)
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct grid g = { .n_columns = 2, .gap = 1 };
    grid_row(&g, "TARGET", "DESCRIPTION", NULL);
    for (size_t i = 0; i < l->n; i++) {
        const struct dockerfile_target *t = &l->items[i];
        const char *name = t->name;
        if (t->is_default)
            name = arena_printf(a, "%s%s(default)", name, name[0] ? " " : "");
        grid_row(&g, name, t->description, NULL);
    }
    grid_print(&g, out);
}
