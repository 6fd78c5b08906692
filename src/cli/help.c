/* cli/help.c - what --help prints, from the tables; see options.h. */
#include <string.h>

#include "base/core/mem.h"
#include "cli/options.h"

enum { FLAG_COLUMN = 30 }; /* where the explanations of options begin */

void flag_print(const struct flag *f, struct buf *out)
{
    if (f->letter)
        buf_printf(out, "-%c, ", f->letter);
    else
        buf_puts(out, "    ");
    buf_printf(out, "--%s", f->name);
    if (f->kind != FLAG_SWITCH)
        buf_printf(out, " %s", f->value);
}

static void print_flags(const char *title, const struct flag *rows, struct buf *out)
{
    if (!rows || !rows->name)
        return;
    buf_printf(out, "\n%s:\n", title);
    for (const struct flag *f = rows; f->name; f++) {
        size_t start = out->len;
        buf_puts(out, "  ");
        flag_print(f, out);
        size_t width = out->len - start;
        if (width > FLAG_COLUMN - 2) {
            buf_putc(out, '\n');
            width = 0;
        }
        buf_printf(out, "%*s%s", (int)(FLAG_COLUMN - width), "", f->help);
        if (f->choices)
            buf_printf(out, ": %s", f->choices);
        buf_putc(out, '\n');
    }
}

void command_print_usage(const struct command *c, struct buf *out)
{
    buf_printf(out, "Usage: kiln %s%s%s%s\n", c->name, c->flags ? " [FLAGS]" : "",
               c->args[0] ? " " : "", c->args);
}

void command_print_help(const struct command *c, const struct flag *global, struct buf *out)
{
    command_print_usage(c, out);
    buf_printf(out, "\n%s.\n", c->summary);
    if (c->about)
        buf_printf(out, "\n%s\n", c->about);
    print_flags("Flags", c->flags, out);
    print_flags("Flags of every command", global, out);
    if (c->examples) {
        buf_puts(out, "\nExamples:\n");
        struct span rest = span_of(c->examples);
        while (rest.ptr) {
            struct span line = span_cut(&rest, '\n');
            buf_printf(out, "  %.*s\n", SPAN_ARG(line));
        }
    }
}

void commands_print_help(const struct command *const *commands, const struct flag *global,
                         struct buf *out)
{
    buf_puts(out,
             "Usage: kiln COMMAND [FLAGS] [ARGS]\n\n"
             "Builds container images without a daemon and without privileges.\n\nCommands:\n");
    for (; *commands; commands++)
        if (!(*commands)->is_hidden)
            buf_printf(out, "  %-16s %s\n", (*commands)->name, (*commands)->summary);
    print_flags("Flags of every command", global, out);
    buf_puts(out, "\n`kiln COMMAND --help` tells about one command.\n");
}
