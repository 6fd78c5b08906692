/* cli/inspect.c - kiln inspect: an image's documents, from the store or its registry. */
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "cli/cli.h"
#include "engine/source/image_source.h"
#include "image/store/blob.h"

struct inspect_flags {
    const char *platform;
    bool raw, config, remote;
};
static const struct flag flags_table[] = {
    { "raw", 0, FLAG_SWITCH, offsetof(struct inspect_flags, raw), NULL,
      "the manifest or index itself, byte for byte", NULL, COMPLETES_NOTHING },
    { "config", 0, FLAG_SWITCH, offsetof(struct inspect_flags, config), NULL,
      "the image config itself, byte for byte", NULL, COMPLETES_NOTHING },
    { "remote", 0, FLAG_SWITCH, offsetof(struct inspect_flags, remote), NULL,
      "ask the registry, whatever the store has", NULL, COMPLETES_NOTHING },
    { "platform", 0, FLAG_TEXT, offsetof(struct inspect_flags, platform), "OS/ARCH",
      "of an image of several (default: this machine's)", NULL, COMPLETES_NOTHING },
    { 0 },
};

static int print_blob(struct store *st, const struct digest *d, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    buf_init(&bytes, LIMIT_CONFIG);
    if (blob_read(st, d, &bytes, err))
        return -1;
    fwrite(bytes.data, 1, bytes.len, stdout);
    return 0;
}

static int add_config(struct store *st, const struct digest *d, struct json *o, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    struct json *config = NULL;
    buf_init(&bytes, LIMIT_CONFIG);
    if (blob_read(st, d, &bytes, err) || json_parse(buf_span(&bytes), &config, err))
        return err_wrap(err, "read the config");
    json_set(o, "config", config);
    return 0;
}

static int print_summary(struct store *st, const struct image *i, struct err *err)
{
    AUTO(json_free) struct json *o = json_new_object();
    AUTO_FREE char *name = reference_text(&i->reference);
    struct json *layers = json_new_array();
    uint64_t size = 0;
    vec_each (&i->layers, layer) {
        struct json *l = json_new_object();
        json_set_str(l, "mediaType", layer->blob.media_type);
        json_set_str(l, "digest", digest_text(&layer->blob.digest).s);
        json_set_str(l, "diffID", digest_text(&layer->diff_id).s);
        json_set_int(l, "size", (int64_t)layer->blob.size);
        json_push(layers, l);
        size += layer->blob.size;
    }
    json_set_str(o, "name", name);
    json_set_str(o, "digest", digest_text(&i->target.digest).s);
    json_set_str(o, "mediaType", i->target.media_type);
    json_set_str(o, "manifest", digest_text(&i->manifest.digest).s);
    json_set_str(o, "configDigest", digest_text(&i->config_digest).s);
    json_set_str(o, "platform", platform_text(&i->config.platform).s);
    json_set_int(o, "size", (int64_t)size);
    json_set(o, "layers", layers);
    if (add_config(st, &i->config_digest, o, err))
        return -1;
    say_json(o);
    return 0;
}

static int inspect(struct cli *cli, const struct inspect_flags *flags, struct engine *e,
                   const struct platform *platform, struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    struct store *st = engine_store(e);
    AUTO(image_source_free) struct image_source *source = image_source_new(engine_remote(e), st);
    const struct image *image = NULL;
    if (reference_parse(span_of(cli->args[0]), &ref, err))
        return cli_misuse(cli, -1);
    if (image_source_get(source, &ref, platform, flags->remote ? RESOLVE_PULL : RESOLVE_LOCAL,
                         cli->cancel, &image, err)) {
        if (!flags->remote && err->kind == ERR_NOT_FOUND && !err->hint[0])
            err_hint(err, "--remote asks the registry");
        return -1;
    }
    if (flags->raw)
        return print_blob(st, flags->platform ? &image->manifest.digest : &image->target.digest,
                          err);
    if (flags->config)
        return print_blob(st, &image->config_digest, err);
    return print_summary(st, image, err);
}

static int run(struct cli *cli, const void *values, struct err *err)
{
    const struct inspect_flags *flags = values;
    AUTO(engine_close) struct engine *e = NULL;
    struct platform platform = platform_host();
    if (flags->platform && platform_parse(span_of(flags->platform), &platform, err))
        return cli_misuse(cli, -1);
    if (cli_engine(cli, false, NULL, &e, err) || inspect(cli, flags, e, &platform, err))
        return err->kind == ERR_INVALID && cli->exit_status
                   ? -1
                   : err_wrap(err, "inspect %s", cli->args[0]);
    return 0;
}

const struct command command_inspect = {
    .name = "inspect",
    .args = "IMAGE",
    .summary = "Prints what an image is, as JSON",
    .about = "Without --raw or --config: digests, layers and the config in one document.",
    .examples = "kiln inspect app | jq .config.config.Env\nkiln inspect --remote --raw debian:12",
    .flags = flags_table,
    .flags_size = sizeof(struct inspect_flags),
    .n_args_min = 1,
    .n_args_max = 1,
    .completes = COMPLETES_IMAGE,
    .run = run,
};
