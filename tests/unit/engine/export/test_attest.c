/* What is said of an image, where BuildKit puts it; read by skopeo and jq. */
#include "fixture.h"

#define PREDICATE "{\"a\":\"<b>\",\"n\":[1,2]}"

static const struct attestation said[] = {
    { .predicate_type = "https://spdx.dev/Document",
      .file = "sbom.spdx.json",
      .predicate = { PREDICATE, sizeof PREDICATE - 1 } },
    { .predicate_type = "https://slsa.dev/provenance/v1",
      .file = "provenance.json",
      .predicate = { "{}", 2 },
      .is_inline_only = true },
};

static int export_said(struct lab *l, const char *text, struct export_result *out)
{
    struct export_spec s;
    struct export_image image = {
        .snapshot = l->top, .config = &l->config, .attestations = said, .n_attestations = 2
    };
    AUTO_VALUE(buf_clear) struct buf whole = { 0 };
    const char *dir = strstr(text, "DIR");
    buf_init(&whole, 1 << 16);
    buf_printf(&whole, "%.*s%s%s", dir ? (int)(dir - text) : (int)strlen(text), text,
               dir ? tap_dir() : "", dir ? dir + 3 : "");
    err_clear(&err);
    *out = (struct export_result){ 0 };
    if (export_spec_parse(whole.data, &s, &err))
        return -1;
    int status = export_images(&l->host, &s, &image, 1, out, &err);
    export_spec_clear(&s);
    return status;
}

TEST("an image of which something is said is an index with an artifact that has it as subject")
{
    if (!has_program("skopeo") || !has_program("jq"))
        SKIP("needs skopeo and jq");
    LAB(l);
    struct export_result r;
    REQUIRE_OK(export_said(&l, "type=oci,dest=DIR/x,tar=false,name=host:5000/a/app:1", &r), &err);
    EXPECT_STR(r.target.media_type, "application/vnd.oci.image.index.v1+json");
    RUN("skopeo inspect --raw oci:x:1 >index; sha256sum index | grep -q %s",
        digest_hex(&r.target.digest).s);
    AUTO_FREE char *index =
        shell("jq -c '[.manifests[]|[.platform,(.annotations|.[\"vnd.docker.reference.type\"]?)]]' "
              "index; jq -r '.manifests[0].digest == "
              ".manifests[1].annotations[\"vnd.docker.reference.digest\"]' index");
    EXPECT_STR(index, "[[{\"architecture\":\"amd64\",\"os\":\"linux\"},null],[{\"architecture\":"
                      "\"unknown\",\"os\":\"unknown\"},\"attestation-manifest\"]]\ntrue");
    RUN("cp x/blobs/sha256/$(jq -r .manifests[1].digest index | cut -c8-) m");
    AUTO_FREE char *manifest =
        shell("jq -c '[.mediaType,.artifactType,.config,.subject.mediaType,(.subject|keys|length),"
              "(.layers[]|[.mediaType,.annotations])]' m; jq -r .subject.digest m; jq -r "
              ".manifests[0].digest index");
    EXPECT_CONTAINS(manifest,
                    "[\"application/vnd.oci.image.manifest.v1+json\","
                    "\"application/vnd.docker.attestation.manifest.v1+json\",{\"mediaType\":"
                    "\"application/vnd.oci.empty.v1+json\",\"digest\":\"sha256:"
                    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2,"
                    "\"data\":\"e30=\"},\"application/vnd.oci.image.manifest.v1+json\",3,"
                    "[\"application/vnd.in-toto+json\",{\"in-toto.io/predicate-type\":"
                    "\"https://spdx.dev/Document\"}],[\"application/vnd.in-toto+json\","
                    "{\"in-toto.io/predicate-type\":\"https://slsa.dev/provenance/v1\"}]]");
    RUN("test $(jq -r .subject.digest m) = $(jq -r .manifests[0].digest index)");
    AUTO_FREE char *statement =
        shell("jq -c '[._type,.predicateType,.subject[0].name,.predicate]' "
              "x/blobs/sha256/$(jq -r .layers[0].digest m | cut -c8-);"
              "test $(jq -r .subject[0].digest.sha256 x/blobs/sha256/$(jq -r .layers[0].digest m | "
              "cut -c8-)) = $(jq -r .manifests[0].digest index | cut -c8-)");
    EXPECT_STR(statement,
               "[\"https://in-toto.io/Statement/v1\",\"https://spdx.dev/Document\",\"pkg:docker/"
               "host:5000/a/app@1?platform=linux%2Famd64\",{\"a\":\"<b>\",\"n\":[1,2]}]");
    RUN("skopeo copy -q --all oci:x:1 dir:copy"); /* every blob is there */
    export_result_clear(&r);
    lab_close(&l);
}

TEST("with Docker's types, or oci-artifact=false, it is an image of the platform unknown/unknown")
{
    static const struct {
        const char *spec, *want;
    } rows[] = {
        { "type=oci,dest=DIR/x,tar=false,name=app,oci-mediatypes=false",
          "[\"application/vnd.docker.distribution.manifest.v2+json\",null,"
          "\"application/vnd.docker.container.image.v1+json\",null,null]" },
        { "type=oci,dest=DIR/x,tar=false,name=app,oci-artifact=false",
          "[\"application/vnd.oci.image.manifest.v1+json\",null,"
          "\"application/vnd.oci.image.config.v1+json\",null,"
          "{\"in-toto.io/predicate-type\":\"https://spdx.dev/Document\"}]" },
    };
    if (!has_program("jq"))
        SKIP("needs jq");
    LAB(l);
    for (size_t i = 0; i < 2; i++) {
        struct export_result r;
        RUN("rm -rf x");
        REQUIRE_OK(export_said(&l, rows[i].spec, &r), &err);
        RUN("cp x/blobs/sha256/%s index; cp x/blobs/sha256/$(jq -r .manifests[1].digest index | "
            "cut -c8-) m",
            digest_hex(&r.target.digest).s);
        AUTO_FREE char *got = shell("jq -c '[.mediaType,.artifactType,.config.mediaType,.subject,"
                                    ".layers[0].annotations]' m");
        EXPECT_STR(got, rows[i].want);
        AUTO_FREE char *config = shell(
            "c=x/blobs/sha256/$(jq -r .config.digest m | cut -c8-); jq -c '[.os,.architecture,"
            ".config]' $c; [ \"$(jq -c .rootfs.diff_ids $c)\" = \"$(jq -c '[.layers[].digest]' "
            "m)\" "
            "]");
        EXPECT_STR(config, "[\"unknown\",\"unknown\",{}]");
        export_result_clear(&r);
    }
    lab_close(&l);
}

TEST("docker's archive cannot hold it, and says what can")
{
    LAB(l);
    struct export_result r;
    EXPECT_ERR(export_said(&l, "type=docker,dest=DIR/x.tar,name=app", &r), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "docker exporter does not currently support");
    EXPECT_CONTAINS(err.hint, "type=oci");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("beside files it is a file, about each of them, but for what is for images only")
{
    if (!has_program("jq"))
        SKIP("needs jq");
    LAB(l);
    struct export_result r;
    REQUIRE_OK(export_said(&l, "type=local,dest=DIR/out,attestation-prefix=x-", &r), &err);
    REQUIRE_OK(export_said(&l, "type=tar,dest=DIR/out.tar", &r), &err);
    AUTO_FREE char *got = shell(
        "ls out; stat -c %%a out/x-sbom.spdx.json; jq -r '.subject[]|.name' out/x-sbom.spdx.json; "
        "jq -r '.subject[]|.digest.sha256+\"  out/\"+.name' out/x-sbom.spdx.json | sha256sum -c "
        "--quiet; tar -tvf out.tar | tail -n 1 | cut -c1-10; tar -xOf out.tar sbom.spdx.json | cmp "
        "- out/x-sbom.spdx.json");
    EXPECT_STR(got, "app\nbin\netc\nx-sbom.spdx.json\n600\napp/data\nbin/sh\netc/hosts\n"
                    "-rw-------");
    lab_close(&l);
}

int main(int argc, char **argv)
{
    return lab_main(argc, argv);
}
