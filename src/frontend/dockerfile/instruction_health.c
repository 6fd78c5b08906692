/* frontend/dockerfile/instruction_health.c - HEALTHCHECK.
 *
 * Threads: values. */
#include <string.h>

#include "frontend/dockerfile/parse_internal.h"

#define NS_PER_MS 1000000

static int parse_interval(const char *name, const char *value, struct arena *a, int64_t *ns,
                          struct err *err)
{
    *ns = 0;
    if (!value[0])
        return 0;
    if (duration_parse(value, a, ns, err))
        return err_hint(err, "write a number with its unit: 30s, 1m30s, 500ms");
    if (*ns != 0 && *ns < NS_PER_MS)
        return err_set(err, ERR_INVALID, "Interval \"%s\" cannot be less than 1ms", name);
    return 0;
}

static int parse_retries(const char *value, struct arena *a, int *retries, struct err *err)
{
    if (!value[0])
        return 0;
    uint64_t n;
    bool is_negative = value[0] == '-';
    if (!unsigned_parse(value + (is_negative || value[0] == '+'), 10, INT32_MAX, &n))
        return err_set(err, ERR_INVALID, "strconv.ParseInt: parsing %s: invalid syntax",
                       quoted(a, value));
    if (is_negative && n)
        return err_set(err, ERR_INVALID, "--retries cannot be negative (-%d)", (int)n);
    *retries = (int)n;
    return 0;
}

static int parse_health_flags(const struct parse_input *input, struct health_probe *out,
                              struct err *err)
{
    struct arena *a = input->arena;
    const char *interval = "", *timeout = "", *period = "", *start = "", *retries = "";
    const struct flag_spec specs[] = {
        { "interval", FLAG_TEXT, &interval },   { "timeout", FLAG_TEXT, &timeout },
        { "start-period", FLAG_TEXT, &period }, { "start-interval", FLAG_TEXT, &start },
        { "retries", FLAG_TEXT, &retries },
    };
    if (flags_parse(&input->raw->flags, specs, sizeof specs / sizeof *specs, a, err) ||
        parse_interval("interval", interval, a, &out->interval_ns, err) ||
        parse_interval("timeout", timeout, a, &out->timeout_ns, err) ||
        parse_interval("start-period", period, a, &out->start_period_ns, err) ||
        parse_interval("start-interval", start, a, &out->start_interval_ns, err))
        return -1;
    return parse_retries(retries, a, &out->retries, err);
}

/* The kind of the test in front of its arguments. */
static struct strings health_test(const char *kind, const struct strings *args, struct arena *a)
{
    struct text_list test = { 0 };
    *vec_push(&test) = kind;
    for (size_t i = 0; i < args->n; i++)
        *vec_push(&test) = args->items[i];
    return text_list_keep(&test, a);
}

int parse_healthcheck(const struct parse_input *input, struct instruction *in, struct err *err)
{
    struct arena *a = input->arena;
    const char *args = input->raw->args, *end = args + strlen(args), *p = args;
    while (p < end && !blank_len(p, end))
        p++;
    const char *kind = upper_case(a, arena_strndup(a, args, (size_t)(p - args)));
    struct span rest = trim_blanks(span_bytes(p, (size_t)(end - p)));
    struct command_line command = { 0 };
    if (!kind[0])
        return err_set(err, ERR_INVALID, "HEALTHCHECK requires at least one argument");
    if (command_line_parse(input, arena_strndup(a, rest.ptr, rest.len), &in->is_json, &command,
                           err))
        return -1;
    if (strcmp(kind, "NONE") == 0) {
        if (command.args.n)
            return err_set(err, ERR_INVALID, "HEALTHCHECK NONE takes no arguments");
        in->healthcheck.test = health_test("NONE", &command.args, a);
        return 0;
    }
    if (parse_health_flags(input, &in->healthcheck, err))
        return -1;
    if (strcmp(kind, "CMD") != 0)
        return err_set(err, ERR_INVALID, "Unknown type %s in HEALTHCHECK (try CMD)",
                       quoted(a, kind));
    if (!command.args.n)
        return err_set(err, ERR_INVALID, "Missing command after HEALTHCHECK CMD");
    in->healthcheck.test = health_test(in->is_json ? "CMD" : "CMD-SHELL", &command.args, a);
    return 0;
}
