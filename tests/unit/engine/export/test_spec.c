/* What -o means. */
#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/export/export.h"
#include "tap.h"

static struct err err;

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
    map_each (&s->annotations, e)
        buf_printf(&b, " %s=%s", e->key, (const char *)e->value);
    map_each (&s->index_annotations, e)
        buf_printf(&b, " index:%s=%s", e->key, (const char *)e->value);
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
        { "type=image,unpack=true,name-canonical=true,dangling-name-prefix=x", "image" },
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
        { "type=image,compression=estargz", "compression=estargz is not there yet" },
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
        { "type=image,annotation-manifest-descriptor.k=v",
          "annotations of descriptors are not there yet" },
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

TAP_MAIN()
