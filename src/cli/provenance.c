/* cli/provenance.c - kiln provenance: how an image was made, as is attached to it. */
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "build/attested.h"
#include "cli/cli.h"

#define SLSA "https://slsa.dev/provenance/" /* v0.2, v1 */

struct provenance_flags {
    const char *platform;
    bool remote;
};
static const struct flag flags_table[] = {
    { "platform", 0, FLAG_TEXT, offsetof(struct provenance_flags, platform), "OS/ARCH",
      "of an image of several (default: this machine's)", NULL, COMPLETES_NOTHING },
    { "remote", 0, FLAG_SWITCH, offsetof(struct provenance_flags, remote), NULL,
      "ask the registry, whatever the store has", NULL, COMPLETES_NOTHING },
    { 0 },
};

/* ---- as lines ---- */

static void say_line(const char *name, const char *value)
{
    if (value && *value)
        say("%-12s %s", name, value);
}

/* "URI sha256:HEX" */
static void say_material(const struct json *m)
{
    const struct json *digests = json_get(m, "digest");
    const char *uri = json_get_str(m, "uri");
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_ATTESTATION);
    buf_puts(&text, uri ? uri : "-");
    for (void *it = json_first(digests); it; it = json_next(digests, it))
        buf_printf(&text, " %s:%s", json_iter_key(it),
                   json_str(json_iter_value(it)) ? json_str(json_iter_value(it)) : "-");
    say_line("from", text.data);
}

static void say_args(const struct json *args)
{
    for (void *it = json_first(args); it; it = json_next(args, it)) {
        const char *value = json_str(json_iter_value(it));
        AUTO_FREE char *text = xasprintf("%s=%s", json_iter_key(it), value ? value : "");
        say_line("argument", text);
    }
}

/* Both versions, by what they call the same. */
static void say_lines(const struct json *p)
{
    const struct json *definition = json_get(p, "buildDefinition");
    const struct json *details = json_get(p, "runDetails"),
                      *metadata = json_get(details, "metadata");
    const struct json *external = json_get(definition, "externalParameters");
    const struct json *request = json_get(external, "request");
    const struct json *source = json_get(external, "configSource");
    const struct json *materials = json_get(definition, "resolvedDependencies");
    const struct json *builder = json_get(details, "builder");
    bool is_1 = definition != NULL;
    if (!is_1) {
        const struct json *invocation = json_get(p, "invocation");
        metadata = json_get(p, "metadata");
        request = json_get(invocation, "parameters");
        source = json_get(invocation, "configSource");
        materials = json_get(p, "materials");
        builder = json_get(p, "builder");
    }
    say_line("builder", json_get_str(builder, "id"));
    say_line("type", json_get_str(is_1 ? definition : p, "buildType"));
    say_line("started", json_get_str(metadata, is_1 ? "startedOn" : "buildStartedOn"));
    say_line("finished", json_get_str(metadata, is_1 ? "finishedOn" : "buildFinishedOn"));
    say_line("frontend", json_get_str(request, "frontend"));
    say_line("source", json_get_str(source, "uri"));
    say_line("file", json_get_str(source, is_1 ? "path" : "entryPoint"));
    say_args(json_get(request, "args"));
    for (size_t i = 0; i < json_len(materials); i++)
        say_material(json_at(materials, i));
}

static int say_predicate(struct cli *cli, const char *text, struct err *err)
{
    AUTO(json_free) struct json *predicate = NULL;
    if (json_parse(span_of(text), &predicate, err))
        return err_wrap(err, "the document");
    if (!cli->wants_json) {
        say_lines(predicate);
        return 0;
    }
    AUTO_VALUE(buf_clear) struct buf pretty = { 0 };
    buf_init(&pretty, (size_t)(4 * GIB));
    json_print_pretty(predicate, &pretty);
    say("%s", pretty.data);
    return 0;
}

static int provenance(struct cli *cli, const struct attested_query *q, struct err *err)
{
    AUTO(engine_close) struct engine *e = NULL;
    AUTO_VALUE(str_list_clear) struct str_list texts = { 0 };
    if (cli_engine(cli, false, NULL, &e, err) || attested_find(e, q, &texts, err))
        return -1;
    if (texts.n)
        return say_predicate(cli, texts.items[0], err);
    err_set(err, ERR_NOT_FOUND, "none is attached");
    return err_hint(err, q->is_remote ? "kiln build --provenance=true attaches one"
                                      : "kiln build --provenance=true attaches one; --remote asks "
                                        "the registry");
}

static int run(struct cli *cli, const void *values, struct err *err)
{
    const struct provenance_flags *flags = values;
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    struct platform platform = platform_host();
    struct attested_query q = { .image = &ref,
                                .platform = &platform,
                                .is_remote = flags->remote,
                                .predicate_type = SLSA,
                                .cancel = cli->cancel };
    if ((flags->platform && platform_parse(span_of(flags->platform), &platform, err)) ||
        reference_parse(span_of(cli->args[0]), &ref, err))
        return cli_misuse(cli, -1);
    return provenance(cli, &q, err) ? err_wrap(err, "provenance of %s", cli->args[0]) : 0;
}

const struct command command_provenance = {
    .name = "provenance",
    .args = "IMAGE",
    .summary = "Prints how an image was made, as is attached to it",
    .about =
        "SLSA provenance, v1 or v0.2, that kiln build --provenance=true, docker buildx build or\n"
        "another builder attached.  Of an image that is not in the store the registry is asked.\n"
        "Nothing but digests is verified: who said so is for signatures to tell.\n\n"
        "With --format json it is the predicate itself.",
    .examples = "kiln provenance app\n"
                "kiln provenance --format json app | jq .buildDefinition.resolvedDependencies",
    .flags = flags_table,
    .flags_size = sizeof(struct provenance_flags),
    .n_args_min = 1,
    .n_args_max = 1,
    .completes = COMPLETES_IMAGE,
    .run = run,
};
