/* frontend/dockerfile/instruction_run.c - RUN and its flags, but for what --mount says.
 *
 * Threads: values. */
#include <string.h>

#include "frontend/dockerfile/parse_internal.h"

static int parse_network(const char *value, struct arena *a, struct run *run, struct err *err)
{
    static const struct {
        const char *name;
        enum exec_network network;
    } known[] = { { "default", NETWORK_DEFAULT },
                  { "none", NETWORK_NONE },
                  { "host", NETWORK_HOST } };
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(value, known[i].name) == 0) {
            run->network = known[i].network;
            return 0;
        }
    }
    err_set(err, ERR_INVALID, "invalid network mode %s", quoted(a, value));
    return err_hint(err, "known are default, none and host");
}

static int parse_security(const char *value, struct arena *a, struct run *run, struct err *err)
{
    bool is_insecure = strcmp(value, "insecure") == 0;
    run->security = is_insecure ? SECURITY_INSECURE : SECURITY_SANDBOX;
    if (is_insecure || strcmp(value, "sandbox") == 0)
        return 0;
    err_set(err, ERR_INVALID, "security %s is not valid", quoted(a, value));
    return err_hint(err, "known are sandbox and insecure");
}

/* One field of --device; the first that is no key is the name. */
static int parse_device_field(const char *field, struct arena *a, struct run_device *out,
                              struct err *err)
{
    static const char *const keys[] = { "name", "required" };
    const char *equals = strchr(field, '=');
    const char *key =
        lower_case(a, equals ? arena_strndup(a, field, (size_t)(equals - field)) : field);
    if (strcmp(key, "required") == 0) {
        out->is_required = true;
        if (equals && !span_bool(span_of(equals + 1), &out->is_required))
            return err_set(err, ERR_INVALID, "invalid value for %s: %s", key, equals + 1);
        return 0;
    }
    if (equals && strcmp(key, "name") == 0) {
        if (out->name[0])
            return err_set(err, ERR_INVALID, "device name already set to %s", out->name);
        out->name = equals + 1;
        return 0;
    }
    if (!out->name[0]) {
        out->name = field;
        return 0;
    }
    if (!equals)
        return err_set(err, ERR_INVALID, "invalid field '%s' must be a key=value pair", field);
    err_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, field);
    return did_you_mean(err, key, keys, 2, false);
}

static int parse_devices(const struct text_list *values, struct arena *a, struct run *run,
                         struct err *err)
{
    if (!values->n)
        return 0;
    struct run_device *devices = arena_alloc(a, values->n * sizeof *devices);
    for (size_t i = 0; i < values->n; i++) {
        struct strings fields;
        devices[i].name = "";
        if (words_csv(values->items[i], a, &fields, err))
            return err_wrap(err, "failed to parse csv devices");
        for (size_t k = 0; k < fields.n; k++)
            if (parse_device_field(fields.items[k], a, &devices[i], err))
                return -1;
    }
    run->devices = devices;
    run->n_devices = values->n;
    return 0;
}

static int check_mounts(const struct strings *mounts, struct arena *a, struct err *err)
{
    for (size_t i = 0; i < mounts->n; i++) {
        struct run_mount ignored;
        if (run_mount_parse(mounts->items[i], NULL, NULL, a, &ignored, err))
            return -1;
    }
    return 0;
}

static int parse_run_flags(const struct parse_input *input, struct run *run, struct err *err)
{
    struct arena *a = input->arena;
    const char *network = "default", *security = "sandbox";
    AUTO_VALUE(text_list_clear) struct text_list mounts = { 0 };
    AUTO_VALUE(text_list_clear) struct text_list devices = { 0 };
    const struct flag_spec specs[] = {
        { "mount", FLAG_LIST, &mounts },
        { "network", FLAG_TEXT, &network },
        { "security", FLAG_TEXT, &security },
        { "device", FLAG_LIST, &devices },
    };
    if (flags_parse(&input->raw->flags, specs, sizeof specs / sizeof *specs, a, err) ||
        parse_network(network, a, run, err) || parse_security(security, a, run, err) ||
        parse_devices(&devices, a, run, err))
        return -1;
    run->mounts = text_list_keep(&mounts, a);
    return check_mounts(&run->mounts, a, err);
}

int parse_run(const struct parse_input *input, struct instruction *in, struct err *err)
{
    struct run *run = &in->run;
    if (parse_run_flags(input, run, err) ||
        command_line_parse(input, input->raw->args, &in->is_json, &run->command, err))
        return -1;
    struct heredoc doc;
    struct err ignored = { 0 };
    if (input->raw->heredocs.n &&
        heredoc_parse_word(input->raw->args, input->arena, &run->is_script, &doc, &ignored))
        run->is_script = false;
    return 0;
}
