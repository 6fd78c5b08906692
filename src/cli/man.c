/* cli/man.c - manual pages from the tables: they cannot say other than what the program does.
 *
 * Spec: mdoc(7). */
#include <ctype.h>
#include <string.h>

#include "base/core/mem.h"
#include "cli/options.h"

#define DATE "November 24, 2026"

enum { LINE_MAX_COLUMNS = 76 };

/* `is_line_start`: a dot or quote there would be a request to the formatter. */
static void print_escaped(struct span text, bool is_line_start, struct buf *out)
{
    if (is_line_start && text.len && strchr(".'", text.ptr[0]))
        buf_puts(out, "\\&");
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\\')
            buf_puts(out, "\\e");
        else
            buf_putc(out, text.ptr[i]);
}

static struct span next_word(struct span *rest)
{
    while (rest->len && strchr(" \n", rest->ptr[0]))
        *rest = span_skip(*rest, 1);
    size_t n = 0;
    while (n < rest->len && !strchr(" \n", rest->ptr[n]))
        n++;
    struct span word = span_first(*rest, n);
    *rest = span_skip(*rest, n);
    return word;
}

/* Running text, wrapped; each sentence begins a line, as mdoc wants it. */
static void print_text(struct span text, struct buf *out)
{
    size_t column = 0;
    for (struct span word = next_word(&text); word.len; word = next_word(&text)) {
        if (column && column + 1 + word.len > LINE_MAX_COLUMNS) {
            buf_putc(out, '\n');
            column = 0;
        } else if (column) {
            buf_putc(out, ' ');
            column++;
        }
        print_escaped(word, column == 0, out);
        column += word.len;
        if (span_ends(word, ".")) {
            buf_putc(out, '\n');
            column = 0;
        }
    }
    if (column)
        buf_putc(out, '\n');
}

static void print_paragraphs(const char *text, struct buf *out)
{
    for (const char *end; text; text = end ? end + 2 : NULL) {
        end = strstr(text, "\n\n");
        print_text(end ? span_bytes(text, (size_t)(end - text)) : span_of(text), out);
        if (end)
            buf_puts(out, ".Pp\n");
    }
}

static void print_flag(const struct flag *f, struct buf *out)
{
    struct buf text;
    buf_init(&text, 64 * 1024);
    buf_puts(out, ".It ");
    if (f->letter)
        buf_printf(out, "Fl %c , ", f->letter);
    buf_printf(out, "Fl -%s", f->name);
    if (f->kind != FLAG_SWITCH)
        buf_printf(out, " Ar \"%s\"", f->value);
    buf_putc(out, '\n');
    buf_printf(&text, "%c%s", toupper((unsigned char)f->help[0]), f->help + 1);
    if (f->choices)
        buf_printf(&text, ": %s", f->choices);
    if (f->kind == FLAG_LIST)
        buf_puts(&text, "; may be given several times");
    buf_putc(&text, '.');
    print_text(buf_span(&text), out);
    buf_clear(&text);
}

static void print_flags(const struct flag *rows, struct buf *out)
{
    buf_puts(out, ".Bl -tag -width Ds\n");
    for (; rows->name; rows++)
        print_flag(rows, out);
    buf_puts(out, ".El\n");
}

static void print_exit_status(struct buf *out)
{
    buf_puts(out,
             ".Sh EXIT STATUS\n"
             "0 when all was done, 1 when something failed, 2 when the command line is wrong,\n"
             "130 when interrupted.\n");
}

static void print_examples(const char *examples, struct buf *out)
{
    struct span rest = span_of(examples);
    buf_puts(out, ".Sh EXAMPLES\n.Bd -literal -offset indent\n");
    while (rest.ptr) {
        print_escaped(span_cut(&rest, '\n'), true, out);
        buf_putc(out, '\n');
    }
    buf_puts(out, ".Ed\n");
}

static void print_command(const struct command *c, const struct flag *global, struct buf *out)
{
    AUTO_FREE char *title = xasprintf("kiln-%s", c->name);
    for (char *p = title; *p; p++)
        *p = *p == ' ' ? '-' : *p;
    AUTO_FREE char *upper = xstrdup(title);
    for (char *p = upper; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    buf_printf(out, ".Dd %s\n.Dt %s 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd %c%s\n", DATE, upper, title,
               tolower((unsigned char)c->summary[0]), c->summary + 1);
    buf_printf(out, ".Sh SYNOPSIS\n.Nm kiln %s\n", c->name);
    if (c->flags)
        buf_puts(out, ".Op Ar flags\n");
    if (c->args[0])
        buf_printf(out, ".Ar \"%s\"\n", c->args);
    AUTO_FREE char *summary = xasprintf("%s.", c->summary);
    buf_puts(out, ".Sh DESCRIPTION\n");
    print_text(span_of(summary), out);
    if (c->about) {
        buf_puts(out, ".Pp\n");
        print_paragraphs(c->about, out);
    }
    if (c->flags) {
        buf_puts(out, ".Pp\nThe flags are:\n");
        print_flags(c->flags, out);
    }
    buf_puts(out, ".Pp\nFlags of every command:\n");
    print_flags(global, out);
    print_exit_status(out);
    if (c->examples)
        print_examples(c->examples, out);
}

static void print_program(const struct command *const *commands, const struct flag *global,
                          struct buf *out)
{
    buf_printf(
        out,
        ".Dd %s\n.Dt KILN 1\n.Os\n.Sh NAME\n.Nm kiln\n"
        ".Nd builds container images without a daemon and without privileges\n"
        ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar flags\n.Op Ar arguments\n"
        ".Sh DESCRIPTION\nResults go to standard output, progress and errors to standard error.\n"
        "The commands, each with a manual page such as kiln-build(1), are:\n"
        ".Bl -tag -width Ds\n",
        DATE);
    for (; *commands; commands++) {
        if ((*commands)->is_hidden)
            continue;
        AUTO_FREE char *summary = xasprintf("%s.", (*commands)->summary);
        buf_printf(out, ".It Cm %s\n", (*commands)->name);
        print_text(span_of(summary), out);
    }
    buf_puts(out, ".El\n.Pp\nFlags of every command:\n");
    print_flags(global, out);
    buf_puts(out,
             ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
             ".It Ev KILN_ROOT\nThe store, where\n.Fl -root\nis not given.\n"
             ".It Ev KILN_SNAPSHOT_DRIVER\nHow root file systems are kept: overlay or directory;\n"
             "the better one that works here is found by trying.\n"
             ".It Ev KILN_THREADS\nThreads that compute; as many as there are processors.\n"
             ".It Ev SOURCE_DATE_EPOCH\nThe time that goes into images, in seconds since 1970.\n"
             ".It Ev REGISTRY_AUTH_FILE , DOCKER_CONFIG\nWhere credentials are.\n"
             ".It Ev NO_COLOR\nNo colours when set.\n.El\n");
    print_exit_status(out);
}

void command_print_man(const struct command *const *commands, const struct command *c,
                       const struct flag *global, struct buf *out)
{
    if (c)
        print_command(c, global, out);
    else
        print_program(commands, global, out);
}
