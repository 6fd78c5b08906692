/* What -o means. */
#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/export/export.h"
#include "tap.h"

static struct err err;

static void print_annotations(struct buf *b, const struct annotations *l)
{
    static const char *const places[] = { "", "index:", "descriptor:", "index-descriptor:" };
    vec_each (l, a) {
        buf_printf(b, " %s", places[a->place]);
        if (a->platform.is_set)
            buf_printf(b, "[%s]", platform_text(&a->platform).s);
        buf_printf(b, "%s=%s", a->key, a->value);
    }
}

/* All of a spec that is not as export_spec_init() leaves it for a type, in one line. */
static char *print(const struct export_spec *s)
{
    static const char *const types[] = { "image", "oci", "docker", "local", "tar", "cacheonly" };
    struct export_spec plain;
    struct buf b;
    export_spec_init(&plain, s->type);
    buf_init(&b, 1 << 16);
    buf_puts(&b, types[s->type]);
    vec_each (&s->names, name)
        buf_printf(&b, " name:%s", *name);
    if (s->dest)
        buf_printf(&b, " dest:%s", s->dest);
    if (s->compression != plain.compression || s->compression_level != -1)
        buf_printf(&b, " %s:%d", compression_name(s->compression), s->compression_level);
    if (s->rewrites_times != -1)
        buf_printf(&b, " times:%d", s->rewrites_times);
    buf_puts(&b, s->is_pushed ? " pushed" : "");
    buf_puts(&b, s->by_digest ? " by-digest" : "");
    buf_puts(&b, s->is_kept ? "" : " not-kept");
    buf_puts(&b, s->is_tar == plain.is_tar ? "" : s->is_tar ? " tar" : " folder");
    buf_puts(&b, s->has_docker_types == plain.has_docker_types ? ""
                 : s->has_docker_types                         ? " docker-types"
                                                               : " oci-types");
    buf_puts(&b, s->is_forced ? " forced" : "");
    buf_puts(&b, s->is_insecure ? " insecure" : "");
    buf_puts(&b, s->is_unpacked ? " unpacked" : "");
    buf_puts(&b, s->has_canonical ? " canonical" : "");
    buf_puts(&b, s->deletes ? " deletes" : "");
    buf_puts(&b, s->has_no_artifact ? " no-artifact" : "");
    if (s->attestation_prefix)
        buf_printf(&b, " attestations:%s", s->attestation_prefix);
    if (s->dangling_prefix)
        buf_printf(&b, " dangling:%s", s->dangling_prefix);
    if (s->splits_platforms != -1)
        buf_printf(&b, " split:%d", s->splits_platforms);
    if (s->epoch)
        buf_printf(&b, " epoch:%s", s->epoch);
    print_annotations(&b, &s->annotations);
    export_spec_clear(&plain);
    return buf_take(&b);
}

TEST("an output is read as buildx reads it")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "out", "local dest:out" },
        { "/tmp/a b", "local dest:/tmp/a b" },
        { "-", "tar dest:-" },
        { "type=image", "image" },
        { "type=image,name=a", "image name:a" },
        { "type=registry,name=r/a:1", "image name:r/a:1 pushed" },
        { "type=image,\"name=a,b:2\",push=true", "image name:a name:b:2 pushed" },
        { "name=a,type=image,push", "image name:a pushed" },
        { "type=image,push=false,store=false", "image not-kept" },
        { "type=image,name=r/a,push=1,push-by-digest=true", "image name:r/a pushed by-digest" },
        { "type=oci,dest=x.tar", "oci dest:x.tar" },
        { "type=oci,dest=-", "oci dest:-" },
        { "type=oci,dest=d,tar=false", "oci dest:d folder" },
        { "type=docker", "docker" },
        { "type=docker,dest=x.tar,name=a", "docker name:a dest:x.tar" },
        { "type=docker,oci-mediatypes=true", "docker oci-types" },
        { "type=image,oci-mediatypes=false", "image docker-types" },
        { "type=image,compression=zstd,compression-level=19,force-compression=true",
          "image zstd:19 forced" },
        { "type=image,compression=uncompressed", "image uncompressed:-1" },
        { "type=image,compression-level=0", "image gzip:0" },
        { "type=image,rewrite-timestamp=true", "image times:1" },
        { "type=image,rewrite-timestamp=false", "image times:0" },
        { "type=local,dest=d", "local dest:d" },
        { "type=tar,dest=-", "tar dest:-" },
        { "type=cacheonly", "cacheonly" },
        { "type=image,annotation.a=1,annotation-manifest.b=2,annotation-index.c=3",
          "image a=1 b=2 index:c=3" },
        { "type=image,\"annotation.x=say \"\"hi\"\", you\"", "image x=say \"hi\", you" },
        { "type=image,annotation.k=a=b", "image k=a=b" },
        { "type=image,annotation-manifest-descriptor.a=1,annotation-index-descriptor.b.c=2",
          "image descriptor:a=1 index-descriptor:b.c=2" },
        { "type=oci,dest=x,annotation[linux/arm64].a=1,annotation-manifest-descriptor[linux/arm/v7]"
          ".b.c=2,annotation.empty=",
          "oci dest:x [linux/arm64]a=1 descriptor:[linux/arm/v7]b.c=2 empty=" },
        { "type=image,unpack=true,name-canonical,dangling-name-prefix=x",
          "image unpacked canonical dangling:x" },
        { "type=registry,registry.insecure=true,name=r/a", "image name:r/a pushed insecure" },
        { "type=image,store=F,push=True", "image pushed not-kept" },
        { "type=image,compression=estargz,compression-level=9", "image estargz:9" },
        { "type=image,compression=gzip,compression-level=9", "image gzip:9" },
        { "type=image,compression-level=22,compression=zstd", "image zstd:22" },
        { "type=docker,compression=estargz", "docker estargz:-1 oci-types" },
        { "type=docker,dest=x,annotation-manifest-descriptor.k=v",
          "docker dest:x oci-types descriptor:k=v" },
        { "type=docker,annotation.k=v", "docker k=v" },
        { "type=image,source-date-epoch=1700000000", "image epoch:1700000000" },
        { "type=tar,dest=-,source-date-epoch=", "tar dest:-" },
        { "type=local,dest=d,platform-split=false,mode=delete", "local dest:d deletes split:0" },
        { "type=local,dest=d,mode=copy,platform-split", "local dest:d split:1" },
        { "type=tar,dest=-,platform-split=false", "tar dest:- split:0" },
        { "type=image,prefer-nondist-layers=false,buildinfo=false,buildinfo-attrs=true", "image" },
        { "type=image,oci-artifact=false,attestation-inline=true", "image no-artifact" },
        { "type=local,dest=d,attestation-prefix=x-", "local dest:d attestations:x-" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct export_spec s;
        err_clear(&err);
        if (export_spec_parse(rows[i].text, &s, &err)) {
            tap_fail(__FILE__, __LINE__, "%s: %s", rows[i].text, err.text);
            continue;
        }
        AUTO_FREE char *got = print(&s);
        EXPECT_STR(got, rows[i].want);
        export_spec_clear(&s);
    }
}

TEST("what makes no sense is refused, naming it")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "type=wasm", "type=wasm: no such output" },
        { "dest=x", "type= is missing" },
        { "type=image,,name=a", "an empty field" },
        { "type=image,", "an empty field" },
        { "type=image,colour=red", "colour: no such key of an output" },
        { "type=image,push=maybe", "push=maybe: true or false is expected" },
        { "type=image,compression=lzma", "lzma" },
        { "type=image,compression-level=99", "compression-level=99: a number from 0 to 22" },
        { "type=image,compression-level=-1", "compression-level=-1: a number from 0 to 22" },
        { "type=image,dest=x", "dest=x: an image goes by its name" },
        { "type=oci", "dest= is missing" },
        { "type=local", "dest= is missing" },
        { "type=tar,dest=", "dest= is empty" },
        { "type=local,dest=-", "dest=-: a folder cannot go to stdout" },
        { "type=oci,dest=-,tar=false", "dest=-: a folder cannot go to stdout" },
        { "type=docker,tar=false", "tar=false: dest= is missing" },
        { "type=oci,dest=x,push=true", "push=true: only type=image can be pushed" },
        { "type=image,name=UPPER", "UPPER" },
        { "type=image,name=a@sha256:"
          "0000000000000000000000000000000000000000000000000000000000000000",
          "an output's digest cannot be chosen" },
        { "type=image,annotation-colour.k=v", "unknown annotation type \"colour\"" },
        { "type=image,annotation.=v", "an annotation without a key" },
        { "type=image,annotation.a b=v", "a blank in the key" },
        { "type=image,annotation[linux/amd64.k=v", "an annotation without a key" },
        { "type=image,annotation[linux/amd64/a/b].k=v", "linux/amd64/a/b" },
        { "type=local,dest=d,annotation.k=v", "annotation.k: type=local has no such key" },
        { "type=local,dest=d,compression=zstd", "compression: type=local has no such key" },
        { "type=image,platform-split=true", "platform-split: type=image has no such key" },
        { "type=cacheonly,dest=x", "dest: type=cacheonly has no such key" },
        { "type=local,dest=d,mode=mirror", "mode=mirror: copy or delete is expected" },
        { "type=tar,dest=d,mode=delete", "mode: type=tar has no such key" },
        { "type=image,compression-level=10", "compression-level=10: gzip has levels from 0 to 9" },
        { "type=image,compression=estargz,compression-level=10",
          "compression-level=10: estargz has levels from 0 to 9" },
        { "type=image,compression=uncompressed,compression-level=1",
          "compression-level=1: uncompressed has none" },
        { "type=image,source-date-epoch=today", "source-date-epoch=today" },
        { "type=image,dangling-name-prefix=UPPER", "dangling-name-prefix=UPPER" },
        { "type=image,prefer-nondist-layers=true", "every layer is distributed like the others" },
        { "type=image,\"name=a", "an open quote" },
        { "type=image,\"name=a\"b", "text behind a closing quote" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct export_spec s;
        err_clear(&err);
        if (export_spec_parse(rows[i].text, &s, &err) == 0) {
            tap_fail(__FILE__, __LINE__, "%s was taken", rows[i].text);
            export_spec_clear(&s);
            continue;
        }
        EXPECT_CONTAINS(err.text, rows[i].want);
        AUTO_FREE char *start = xasprintf("output \"%s\": ", rows[i].text);
        EXPECT(strncmp(err.text, start, strlen(start)) == 0);
    }
}

TEST("a key that is nearly one is corrected, a misplaced one is told where it belongs")
{
    static const struct {
        const char *text, *hint;
    } rows[] = {
        { "type=image,compresion=gzip", "did you mean compression?" },
        { "type=image,force-compresion=1", "did you mean force-compression?" },
        { "type=image,names=x", "did you mean name?" },
        { "type=local,dst=x", "did you mean dest?" },
        { "type=image,annotation-manifets.k=v", "did you mean manifest?" },
        { "type=image,colour=red", "" },
        { "type=local,dest=x,store=true", "it is a key of image" },
        { "type=local,dest=x,name=y", "it is a key of image, oci, docker" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct export_spec s;
        err_clear(&err);
        EXPECT(export_spec_parse(rows[i].text, &s, &err) < 0);
        EXPECT_STR(err.hint, rows[i].hint);
    }
}

TEST("--annotation takes buildx's lists of places")
{
    static const struct {
        const char *text, *want; /* want: as above, or "error: " and a part of its text */
    } rows[] = {
        { "a=1", " a=1" },
        { "a.b=x=y", " a.b=x=y" },
        { "manifest:a=1", " a=1" },
        { "index:a=1", " index:a=1" },
        { "manifest,index:a=1", " a=1 index:a=1" },
        { "manifest-descriptor[linux/arm64],index-descriptor:a=b:c",
          " descriptor:[linux/arm64]a=b:c index-descriptor:a=b:c" },
        { "manifest[linux/amd64]:a=", " [linux/amd64]a=" },
        { "a", "error: expected key=value" },
        { "=1", "error: an annotation without a key" },
        { "index:=1", "error: an annotation without a key" },
        { "image:a=1", "error: unknown annotation type \"image\"" },
        { "manifest[linux/amd64:a=1", "error: \"]\" is missing" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(annotations_clear) struct annotations l = { 0 };
        struct buf b;
        err_clear(&err);
        buf_init(&b, 1 << 12);
        buf_puts(&b, "");
        if (annotations_parse(&l, rows[i].text, &err) == 0)
            print_annotations(&b, &l);
        else
            buf_printf(&b, "error: %s", err.text);
        AUTO_FREE char *got = buf_take(&b);
        if (strncmp(rows[i].want, "error: ", 7) == 0)
            EXPECT_CONTAINS(got, rows[i].want + 7);
        else
            EXPECT_STR(got, rows[i].want);
    }
}

TEST("what is for one platform counts more than what is for all, wherever it is said")
{
    AUTO_VALUE(annotations_clear) struct annotations l = { 0 };
    struct platform arm = { .is_set = true, .os = "linux", .architecture = "arm64" };
    struct platform amd = { .is_set = true, .os = "linux", .architecture = "amd64" };
    EXPECT_OK(annotations_add(&l, "annotation[linux/arm64].k", "arm", &err), &err);
    EXPECT_OK(annotations_add(&l, "annotation.k", "all", &err), &err);
    EXPECT_OK(annotations_add(&l, "annotation-index.k", "index", &err), &err);
    AUTO_VALUE(map_clear) struct map of_arm = STR_MAP;
    AUTO_VALUE(map_clear) struct map of_amd = STR_MAP;
    annotations_collect(&l, ANNOTATION_MANIFEST, &arm, &of_arm);
    annotations_collect(&l, ANNOTATION_MANIFEST, &amd, &of_amd);
    EXPECT_STR(map_find_str(&of_arm, "k"), "arm");
    EXPECT_STR(map_find_str(&of_amd, "k"), "all");
    EXPECT_INT(of_arm.n, 1);
    struct platform both[] = { arm, amd };
    EXPECT_OK(annotations_check(&l, both, 2, true, &err), &err);
    err_clear(&err);
    EXPECT(annotations_check(&l, both, 1, false, &err) < 0);
    EXPECT_CONTAINS(err.text, "index annotations not supported for single platform export");
    err_clear(&err);
    EXPECT(annotations_check(&l, &amd, 1, true, &err) < 0);
    EXPECT_CONTAINS(err.text, "annotation k: no platform linux/arm64 is built");
}

TAP_MAIN()
