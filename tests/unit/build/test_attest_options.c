/* --attest, --sbom and --provenance, as buildx reads them. */
#include "base/core/mem.h"
#include "build/attest.h"
#include "tap.h"

static struct err err;

/* "s" sbom, "p" provenance, "x" max, "2" v0.2, "r" reproducible, "i" inline-only, then texts. */
static char *told(const struct attest_options *o)
{
    return xasprintf("%s%s%s%s%s%s%s%s%s%s", o->has_sbom ? "s" : "", o->has_provenance ? "p" : "",
                     o->is_max ? "x" : "", o->version == SLSA_02 ? "2" : "",
                     o->is_reproducible ? "r" : "", o->is_inline_only ? "i" : "",
                     o->builder_id ? " " : "", o->builder_id ? o->builder_id : "",
                     o->filename ? " " : "", o->filename ? o->filename : "");
}

TEST("what is asked for")
{
    static const struct {
        const char *flag, *text, *want; /* want NULL: refused */
        const char *why;
    } rows[] = {
        { "attest", "type=sbom", "s", NULL },
        { "attest", "type=provenance", "p", NULL },
        { "attest", "mode=max,type=provenance", "px", NULL },
        { "attest", "type=provenance,mode=min,version=v0.2", "p2", NULL },
        { "attest", "type=provenance,reproducible=true,inline-only=1,\"builder-id=a,b\"", "pri a,b",
          NULL },
        { "attest", "type=provenance,filename=p.json", "p p.json", NULL },
        { "attest", "type=provenance,disabled=true", "", NULL },
        { "sbom", "true", "s", NULL },
        { "sbom", "false", "", NULL },
        { "sbom", "1", "s", NULL },
        { "provenance", "true", "p", NULL },
        { "provenance", "mode=max", "px", NULL },
        { "provenance", "mode=max,builder-id=https://x", "px https://x", NULL },
        { "provenance", "False", "", NULL },
        { "attest", "mode=max", NULL, "attestation type not specified" },
        { "attest", "type=vex", NULL, "type=vex" },
        { "attest", "type=sbom,mode=max", NULL, "mode: no such key" },
        { "attest", "type=provenance,mode=mid", NULL, "min or max" },
        { "attest", "type=provenance,version=v2", NULL, "v1 or v0.2" },
        { "attest", "type=provenance,reproducible=maybe", NULL, "true or false" },
        { "attest", "type=provenance,filename=a/b", NULL, "without slashes" },
        { "attest", "type=provenance,filename=..", NULL, "without slashes" },
        { "attest", "type=sbom,generator=docker/scanner", NULL, "other scanners" },
        { "attest", "type=provenance,max", NULL, "KEY=VALUE" },
        { "attest", "type=sbom,\"x", NULL, "quote" },
        { "provenance", "max", NULL, "--provenance max: \"max\": KEY=VALUE" },
        { "sbom", "yes", NULL, "KEY=VALUE" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(attest_options_clear) struct attest_options o = { 0 };
        err_clear(&err);
        int status = strcmp(rows[i].flag, "attest") == 0
                         ? attest_options_parse(rows[i].text, &o, &err)
                         : attest_options_short(rows[i].flag, rows[i].text, &o, &err);
        AUTO_FREE char *got = told(&o);
        if (rows[i].want && status == 0)
            EXPECT_STR(got, rows[i].want);
        else if (rows[i].want || status == 0)
            tap_fail(__FILE__, __LINE__, "%s: %s", rows[i].text, status ? err.text : "taken");
        else
            EXPECT_CONTAINS(err.text, rows[i].why);
    }
}

TEST("the last one counts")
{
    AUTO_VALUE(attest_options_clear) struct attest_options o = { 0 };
    EXPECT_OK(attest_options_parse("type=provenance,mode=max", &o, &err), &err);
    EXPECT_OK(attest_options_short("provenance", "false", &o, &err), &err);
    EXPECT(!o.has_provenance);
}

TAP_MAIN()
