/* cli/complete_bash.c - completion for bash: two tables as functions, and a fixed part that uses
 * them.  Needs nothing but bash itself. */
#include "cli/options.h"

static const char fixed[] =
    "_kiln_images() {\n"
    "    kiln images --format json 2>/dev/null | sed -n 's/^ *\"name\": \"\\(.*\\)\",*$/\\1/p'\n"
    "}\n"
    "\n"
    "# Candidates for a value of kind $1 that begins with $2.\n"
    "_kiln_candidates() {\n"
    "    case $1 in\n"
    "    file) compgen -f -- \"$2\" ;;\n"
    "    folder) compgen -d -- \"$2\" ;;\n"
    "    image) compgen -W \"$(_kiln_images)\" -- \"$2\" ;;\n"
    "    words:*) compgen -W \"${1#words:}\" -- \"$2\" ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_kiln() {\n"
    "    # COMP_WORDS is cut at \":\" and \"=\"; names of images have both.\n"
    "    local line=${COMP_LINE:0:COMP_POINT} word command='' previous='' kind=''\n"
    "    local current=${line##*[[:space:]]}\n"
    "    local -a words\n"
    "    read -ra words <<<\"${line%\"$current\"}\"\n"
    "    for word in \"${words[@]:1}\"; do\n"
    "        case $word in\n"
    "        -*) ;;\n"
    "        *) if _kiln_is_command \"${command:+$command }$word\"; then\n"
    "               command=${command:+$command }$word\n"
    "           fi ;;\n"
    "        esac\n"
    "        previous=$word\n"
    "    done\n"
    "    [[ $previous == -* ]] && kind=$(_kiln_value \"$command\" \"$previous\")\n"
    "    if [[ -z $kind && $current == --*=* ]]; then\n"
    "        kind=$(_kiln_value \"$command\" \"${current%%=*}\")\n"
    "        current=${current#*=}\n"
    "    elif [[ -z $kind && $current == -* ]]; then\n"
    "        kind=\"words:$(_kiln_flags \"$command\")\"\n"
    "    elif [[ -z $kind ]]; then\n"
    "        kind=$(_kiln_args \"$command\")\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(_kiln_candidates \"$kind\" \"$current\")\n"
    "    # What stands before the last \":\" is in the line already.\n"
    "    local before=${current%\"${current##*:}\"}\n"
    "    COMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n"
    "}\n"
    "complete -o filenames -F _kiln kiln\n";

static void print_kind(enum completes completes, const char *choices, struct buf *out)
{
    static const char *const names[] = { [COMPLETES_NOTHING] = "any",
                                         [COMPLETES_FILE] = "file",
                                         [COMPLETES_FOLDER] = "folder",
                                         [COMPLETES_IMAGE] = "image" };
    if (!choices) {
        buf_puts(out, names[completes]);
        return;
    }
    buf_puts(out, "words:");
    for (const char *p = choices; *p; p++)
        buf_putc(out, *p == '|' ? ' ' : *p);
}

static void print_values(const char *command, const struct flag *f, struct buf *out)
{
    for (; f && f->name; f++) {
        if (f->kind == FLAG_SWITCH)
            continue;
        buf_printf(out, "    \"%s --%s\"", command, f->name);
        if (f->letter)
            buf_printf(out, " | \"%s -%c\"", command, f->letter);
        buf_puts(out, ") echo \"");
        print_kind(f->completes, f->choices, out);
        buf_puts(out, "\" ;;\n");
    }
}

static void print_names(const struct flag *f, struct buf *out)
{
    for (; f && f->name; f++)
        buf_printf(out, " --%s", f->name);
}

/* The words with which commands begin: "registry" once, though "registry serve" is one. */
static bool is_first_of_its_word(const struct command *const *all, const struct command *const *c)
{
    struct span rest = span_of((*c)->name), word = span_cut(&rest, ' ');
    for (; all < c; all++) {
        struct span other = span_of((*all)->name);
        if (span_equal(span_cut(&other, ' '), word))
            return false;
    }
    return true;
}

static void print_commands(const struct command *const *commands, struct buf *out)
{
    buf_puts(out, "_kiln_is_command() {\n    case $1 in\n");
    for (const struct command *const *c = commands; *c; c++) {
        struct span rest = span_of((*c)->name), word = span_cut(&rest, ' ');
        if (rest.ptr && is_first_of_its_word(commands, c))
            buf_printf(out, "    '%.*s') ;;\n", SPAN_ARG(word));
        buf_printf(out, "    '%s') ;;\n", (*c)->name);
    }
    buf_puts(out, "    *) return 1 ;;\n    esac\n}\n\n");
}

static void print_args(const struct command *const *commands, struct buf *out)
{
    buf_puts(out, "_kiln_args() {\n    case $1 in\n    '') echo \"words:");
    for (const struct command *const *c = commands; *c; c++) {
        struct span rest = span_of((*c)->name), word = span_cut(&rest, ' ');
        if (is_first_of_its_word(commands, c))
            buf_printf(out, "%s%.*s", c > commands ? " " : "", SPAN_ARG(word));
    }
    buf_puts(out, "\" ;;\n");
    for (const struct command *const *c = commands; *c; c++) {
        struct span rest = span_of((*c)->name), word = span_cut(&rest, ' ');
        if (rest.ptr)
            buf_printf(out, "    '%.*s') echo \"words:%.*s\" ;;\n", SPAN_ARG(word), SPAN_ARG(rest));
        if ((*c)->completes) {
            buf_printf(out, "    '%s') echo ", (*c)->name);
            print_kind((*c)->completes, NULL, out);
            buf_puts(out, " ;;\n");
        }
    }
    buf_puts(out, "    esac\n}\n\n");
}

void commands_print_bash(const struct command *const *commands, const struct flag *global,
                         struct buf *out)
{
    buf_puts(out, "# kiln completion bash: made from the program's tables.\n\n");
    print_commands(commands, out);
    print_args(commands, out);
    buf_puts(out, "_kiln_flags() {\n    case $1 in\n");
    for (const struct command *const *c = commands; *c; c++) {
        buf_printf(out, "    '%s') echo \"", (*c)->name);
        print_names((*c)->flags, out);
        print_names(global, out);
        buf_puts(out, "\" ;;\n");
    }
    buf_puts(out, "    *) echo \"");
    print_names(global, out);
    buf_puts(out, "\" ;;\n    esac\n}\n\n# What follows the flag $2 of the command $1.\n"
                  "_kiln_value() {\n    case \"$1 $2\" in\n");
    for (const struct command *const *c = commands; *c; c++)
        print_values((*c)->name, (*c)->flags, out);
    print_values("\"*\"", global, out);
    buf_puts(out, "    esac\n}\n\n");
    buf_puts(out, fixed);
}
