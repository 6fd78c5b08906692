/* cli/sbom.c - kiln sbom: what is in an image, as it says itself, else as found by looking. */
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "build/attested.h"
#include "cli/cli.h"
#include "engine/attest/spdx.h"

struct sbom_flags {
    const char *platform;
    bool scan, all, remote;
};
static const struct flag flags_table[] = {
    { "platform", 0, FLAG_TEXT, offsetof(struct sbom_flags, platform), "OS/ARCH",
      "of an image of several (default: this machine's)", NULL, COMPLETES_NOTHING },
    { "scan", 0, FLAG_SWITCH, offsetof(struct sbom_flags, scan), NULL,
      "look inside, whatever is attached", NULL, COMPLETES_NOTHING },
    { "all", 0, FLAG_SWITCH, offsetof(struct sbom_flags, all), NULL,
      "every document that is attached, of scanned stages and contexts too", NULL,
      COMPLETES_NOTHING },
    { "remote", 0, FLAG_SWITCH, offsetof(struct sbom_flags, remote), NULL,
      "ask the registry, whatever the store has", NULL, COMPLETES_NOTHING },
    { 0 },
};

/* ---- as a table ---- */

static const char *or_dash(const char *text)
{
    return text && *text && strcmp(text, "NOASSERTION") != 0 ? text : "-";
}

/* "deb" of "pkg:deb/...". */
static char *type_of(const struct json *package)
{
    const struct json *refs = json_get(package, "externalRefs");
    for (size_t i = 0; i < json_len(refs); i++) {
        const char *purl = json_get_str(json_at(refs, i), "referenceLocator");
        if (purl && strncmp(purl, "pkg:", 4) == 0)
            return xstrndup(purl + 4, strcspn(purl + 4, "/"));
    }
    return NULL;
}

/* Packages alone: what has no package URL is the document's own. */
static void say_table(const struct json *document)
{
    struct table t = { .n_columns = 4 };
    static const char *const head[] = { "NAME", "VERSION", "TYPE", "LICENSE" };
    const struct json *packages = json_get(document, "packages");
    for (size_t i = 0; i < 4; i++)
        str_list_push(&t.cells, head[i]);
    for (size_t i = 0; i < json_len(packages); i++) {
        const struct json *p = json_at(packages, i);
        AUTO_FREE char *type = type_of(p);
        if (!type)
            continue;
        str_list_push(&t.cells, or_dash(json_get_str(p, "name")));
        str_list_push(&t.cells, or_dash(json_get_str(p, "versionInfo")));
        str_list_push(&t.cells, type);
        str_list_push(&t.cells, or_dash(json_get_str(p, "licenseDeclared")));
    }
    table_say(&t);
    table_clear(&t);
}

static void note_unread(const struct json *document)
{
    const char *comment = json_get_str(json_get(document, "creationInfo"), "comment");
    if (comment)
        note("%s", comment);
}

static int say_documents(struct cli *cli, const struct str_list *texts, bool wants_all,
                         struct err *err)
{
    for (size_t i = 0; i < texts->n && (i == 0 || wants_all); i++) {
        AUTO(json_free) struct json *document = NULL;
        if (json_parse(span_of(texts->items[i]), &document, err))
            return err_wrap(err, "the document");
        if (cli->wants_json) {
            AUTO_VALUE(buf_clear) struct buf pretty = { 0 };
            buf_init(&pretty, (size_t)(4 * GIB));
            json_print_pretty(document, &pretty);
            say("%s", pretty.data);
            continue;
        }
        if (wants_all)
            say("%s%s", i ? "\n" : "", or_dash(json_get_str(document, "name")));
        say_table(document);
        note_unread(document);
    }
    if (texts->n > 1 && !wants_all)
        note("%zu documents are attached: --all prints each", texts->n);
    return 0;
}

/* ---- where it comes from ---- */

static int find(struct cli *cli, const struct attested_query *q, struct str_list *out,
                struct err *err)
{
    AUTO(engine_close) struct engine *e = NULL;
    return cli_engine(cli, false, NULL, &e, err) || attested_find(e, q, out, err) ? -1 : 0;
}

/* Only this looks inside, and needs what a build needs. */
static int scan(struct cli *cli, const struct attested_query *q, struct str_list *out,
                struct err *err)
{
    AUTO(engine_close) struct engine *e = NULL;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, (size_t)(4 * GIB));
    if (cli_engine(cli, true, NULL, &e, err) || attested_scan(e, q, "sbom", &text, err))
        return -1;
    str_list_take(out, buf_take(&text));
    return 0;
}

static int sbom(struct cli *cli, const struct sbom_flags *flags, const struct attested_query *q,
                struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list texts = { 0 };
    if (!flags->scan && find(cli, q, &texts, err))
        return -1;
    if (!texts.n && !flags->scan)
        note("no bill is attached to %s: looking inside", cli->args[0]);
    if (!texts.n && scan(cli, q, &texts, err))
        return -1;
    return say_documents(cli, &texts, flags->all, err);
}

static int run(struct cli *cli, const void *values, struct err *err)
{
    const struct sbom_flags *flags = values;
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    struct platform platform = platform_host();
    struct attested_query q = { .image = &ref,
                                .platform = &platform,
                                .is_remote = flags->remote,
                                .predicate_type = SPDX_PREDICATE,
                                .cancel = cli->cancel };
    if ((flags->platform && platform_parse(span_of(flags->platform), &platform, err)) ||
        reference_parse(span_of(cli->args[0]), &ref, err))
        return cli_misuse(cli, -1);
    return sbom(cli, flags, &q, err) ? err_wrap(err, "sbom of %s", cli->args[0]) : 0;
}

const struct command command_sbom = {
    .name = "sbom",
    .args = "IMAGE",
    .summary = "Prints what is in an image: its packages, versions and licenses",
    .about =
        "The bill that is attached to the image (kiln build --sbom=true, docker buildx build\n"
        "--sbom=true), else one made by looking inside.  Of an image that is not in the store\n"
        "the registry is asked.\n\n"
        "With --format json it is the SPDX 2.3 document itself.  What is found: packages of\n"
        "dpkg, apk and rpm, modules of Go programs, Java archives, packages of npm and Python.",
    .examples = "kiln sbom app\nkiln sbom --format json debian:12 | jq .packages[].name\n"
                "kiln sbom --scan --platform linux/arm64 registry.example.com/team/app:1.2",
    .flags = flags_table,
    .flags_size = sizeof(struct sbom_flags),
    .n_args_min = 1,
    .n_args_max = 1,
    .completes = COMPLETES_IMAGE,
    .run = run,
};
