/* cli/version.c - kiln version */
#include "cli/cli.h"
#include "image/oci/platform.h"

static int run(struct cli *cli, const void *flags, struct err *err)
{
    (void)flags, (void)err;
    struct platform host = platform_host();
    if (!cli->wants_json) {
        say("kiln %s %s", KILN_VERSION, platform_text(&host).s);
        return 0;
    }
    AUTO(json_free) struct json *o = json_new_object();
    json_set_str(o, "version", KILN_VERSION);
    json_set_str(o, "platform", platform_text(&host).s);
    say_json(o);
    return 0;
}

const struct command command_version = {
    .name = "version",
    .args = "",
    .summary = "Prints version and platform of this program",
    .run = run,
};
