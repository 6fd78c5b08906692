/* engine/graph/print.c - names for people, one line per vertex.
 *
 * Threads: only reads. */
#include <string.h>

#include "engine/graph/graph.h"

static void print_action(const struct op_action *act, struct buf *out)
{
    switch (act->type) {
    case ACTION_COPY:
        buf_printf(out, "copy %s %s", act->src, act->path);
        return;
    case ACTION_MKFILE:
        buf_printf(out, "mkfile %s", act->path);
        return;
    case ACTION_MKDIR:
        buf_printf(out, "mkdir %s", act->path);
        return;
    case ACTION_RM:
        buf_printf(out, "rm %s", act->path);
        return;
    case ACTION_SYMLINK:
        buf_printf(out, "symlink %s -> %s", act->path, act->target);
        return;
    }
}

static void print_joined(const char *const *items, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i ? " " : "", items[i]);
}

void vertex_print_name(const struct vertex *v, struct buf *out)
{
    const char *custom = pairs_find(&v->description, "llb.customname");
    if (custom && custom[0]) {
        buf_puts(out, custom);
        return;
    }
    switch (v->type) {
    case OP_SOURCE:
        buf_puts(out, v->source.identifier);
        return;
    case OP_EXEC:
        print_joined(v->exec.args.items, v->exec.args.n, out);
        return;
    case OP_FILE:
        for (size_t i = 0; i < v->file.n_actions; i++) {
            buf_puts(out, i ? ", " : "");
            print_action(&v->file.actions[i], out);
        }
        return;
    case OP_MERGE:
    case OP_DIFF:
    case OP_BUILD:
    case OP_PASSTHROUGH:
        buf_puts(out, op_type_name(v->type));
        return;
    }
}

static void print_place(const struct vertex *v, struct buf *out)
{
    if (v->n_ranges)
        buf_printf(out, "  %s:%d", v->ranges[0].file->name, v->ranges[0].start_line);
}

static void print_vertex(const struct vertex *v, struct buf *out)
{
    buf_printf(out, "#%zu %s %.19s", v->position, op_type_name(v->type), digest_text(&v->digest).s);
    if (v->platform.is_set)
        buf_printf(out, " [%s]", platform_text(&v->platform).s);
    for (size_t i = 0; i < v->n_inputs; i++)
        buf_printf(out, "%s#%zu:%u", i ? " " : " inputs ", v->inputs[i].vertex->position,
                   v->inputs[i].index);
    if (v->ignores_cache)
        buf_puts(out, " no-cache");
    print_place(v, out);
    buf_puts(out, "  ");
    size_t name = out->len;
    vertex_print_name(v, out);
    for (size_t i = name; i < out->len; i++) /* heredocs; and nothing for the terminal to obey */
        if ((unsigned char)out->data[i] < ' ' || out->data[i] == 0x7f)
            out->data[i] = ' ';
    buf_putc(out, '\n');
}

void graph_print(const struct graph *g, struct buf *out)
{
    for (size_t i = 0; i < g->n_vertices; i++)
        print_vertex(g->vertices[i], out);
    for (size_t i = 0; i < g->n_results; i++) {
        if (g->results[i].vertex)
            buf_printf(out, "result #%zu:%u\n", g->results[i].vertex->position,
                       g->results[i].index);
        else
            buf_puts(out, "result scratch\n");
    }
}
