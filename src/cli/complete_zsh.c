/* cli/complete_zsh.c - completion for zsh: one call of _arguments for each command. */
#include "cli/options.h"

/* Text inside '...' and [...] of a specification. */
static void print_quoted(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_puts(out, "'\\''");
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            buf_printf(out, "\\%c", *text);
        else
            buf_putc(out, *text);
    }
}

static const char *action(enum completes completes)
{
    static const char *const names[] = { [COMPLETES_NOTHING] = " ",
                                         [COMPLETES_FILE] = "_files",
                                         [COMPLETES_FOLDER] = "_files -/",
                                         [COMPLETES_IMAGE] = "_kiln_images" };
    return names[completes];
}

static void print_flag(const struct flag *f, struct buf *out)
{
    const char *many = f->kind == FLAG_LIST ? "*" : "";
    if (f->letter)
        buf_printf(out, " \\\n            '%s'{-%c%s,--%s%s}'[", many, f->letter,
                   f->kind == FLAG_SWITCH ? "" : "+", f->name, f->kind == FLAG_SWITCH ? "" : "=");
    else
        buf_printf(out, " \\\n            '%s--%s%s[", many, f->name,
                   f->kind == FLAG_SWITCH ? "" : "=");
    print_quoted(f->help, out);
    buf_putc(out, ']');
    if (f->kind != FLAG_SWITCH) {
        buf_putc(out, ':');
        print_quoted(f->value, out);
        buf_putc(out, ':');
        if (f->choices) {
            buf_putc(out, '(');
            for (const char *p = f->choices; *p; p++)
                buf_putc(out, *p == '|' ? ' ' : *p);
            buf_putc(out, ')');
        } else {
            buf_puts(out, action(f->completes));
        }
    }
    buf_putc(out, '\'');
}

static void print_command(const struct command *c, const struct flag *global, struct buf *out)
{
    buf_printf(out, "    '%s')\n        _arguments -s -S", c->name);
    for (const struct flag *f = c->flags; f && f->name; f++)
        print_flag(f, out);
    for (const struct flag *f = global; f->name; f++)
        print_flag(f, out);
    buf_puts(out, " \\\n            '*:");
    print_quoted(c->args[0] ? c->args : " ", out);
    buf_printf(out, ":%s' ;;\n", action(c->completes));
}

void commands_print_zsh(const struct command *const *commands, const struct flag *global,
                        struct buf *out)
{
    buf_puts(out, "#compdef kiln\n# kiln completion zsh: made from the program's tables.\n\n"
                  "_kiln_images() {\n    local -a names\n"
                  "    names=(${(f)\"$(kiln images --format json 2>/dev/null |\n"
                  "        sed -n 's/^ *\"name\": \"\\(.*\\)\",*$/\\1/p')\"})\n"
                  "    compadd -a names\n}\n\n"
                  "_kiln() {\n    local -a commands=(");
    for (const struct command *const *c = commands; *c; c++) {
        struct span rest = span_of((*c)->name), word = span_cut(&rest, ' ');
        buf_printf(out, "\n        '%.*s", SPAN_ARG(word));
        buf_putc(out, ':');
        print_quoted((*c)->summary, out);
        buf_putc(out, '\'');
    }
    buf_puts(out,
             ")\n    if (( CURRENT == 2 )); then\n"
             "        _describe command commands\n        return\n    fi\n"
             "    local name=$words[2]\n    shift words\n    (( CURRENT-- ))\n"
             "    if [[ $name == registry ]]; then\n"
             "        if (( CURRENT == 2 )); then\n            compadd serve\n            return\n"
             "        fi\n        name=\"registry $words[2]\"\n        shift words\n"
             "        (( CURRENT-- ))\n    fi\n    case $name in\n");
    for (; *commands; commands++)
        print_command(*commands, global, out);
    buf_puts(out, "    esac\n}\n\n_kiln \"$@\"\n");
}
