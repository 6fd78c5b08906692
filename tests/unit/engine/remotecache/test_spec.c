/* --cache-from and --cache-to, as docker buildx reads them. */
#include "engine/remotecache/spec.h"

#include "base/core/mem.h"
#include "tap.h"

static const struct {
    const char *name;
    bool is_export;
    const char *text, *want; /* NULL: refused */
} rows[] = {
    { "a lone name is a registry's", false, "reg.example/app:cache", "reg.example/app:cache min" },
    { "names with commas between them are several", false, "a/b:1,c/d:2", "a/b:1 min; c/d:2 min" },
    { "type and ref", true, "type=registry,ref=a/b,mode=max", "a/b max" },
    { "keys come in any order", true, "mode=max,ref=a/b,type=registry", "a/b max" },
    { "a folder to write to", true, "type=local,dest=/c", "local:/c min" },
    { "a folder to read from", false, "type=local,src=/c", "local:/c min" },
    { "a field with a comma is quoted", true, "type=local,\"dest=a,b\"", "local:a,b min" },
    { "inside the image", true, "type=inline", "inline min" },
    { "cache mounts by id", true, "type=local,dest=c,\"mounts=go,npm\"", "local:c min go npm" },
    { "all cache mounts", true, "type=local,dest=c,mounts=all", "local:c min all" },
    { "an index, Docker's types", true, "type=registry,ref=a,oci-mediatypes=false",
      "a min docker index" },
    { "an index", true, "type=registry,ref=a,image-manifest=false", "a min index" },
    { "type is needed", true, "ref=a/b", NULL },
    { "ref is needed", true, "type=registry", NULL },
    { "dest is needed", true, "type=local", NULL },
    { "src is no place to write to", true, "type=local,src=/c", NULL },
    { "dest is no place to read from", false, "type=local,dest=/c", NULL },
    { "a mode that is none", true, "type=registry,ref=a,mode=most", NULL },
    { "inline is not read by that name", false, "type=inline", NULL },
    { "inline has no mode=max", true, "type=inline,mode=max", NULL },
    { "inline has no place for mounts", true, "type=inline,mounts=all", NULL },
    { "a type that is not there", true, "type=s3,bucket=b", NULL },
    { "a type that is none", true, "type=floppy", NULL },
    { "a key that is none", false, "type=registry,ref=a,mode=max", NULL },
    { "a field that is no pair", true, "type=registry,ref=a,max", NULL },
    { "an empty id", true, "type=local,dest=c,\"mounts=a,,b\"", NULL },
    { "Docker's types in an image manifest", true,
      "type=registry,ref=a,oci-mediatypes=false,image-manifest=true", NULL },
    { "an empty name", false, "a/b,", NULL },
    { "a level beyond all", true, "type=registry,ref=a,compression-level=23", NULL },
};

static void print(const struct cache_specs *l, struct buf *out)
{
    vec_each (l, s) {
        AUTO_FREE char *name = cache_spec_name(s);
        buf_printf(out, "%s%s %s", s == l->items ? "" : "; ", name, s->is_max ? "max" : "min");
        buf_puts(out, s->has_docker_types ? " docker" : "");
        buf_puts(out, s->is_index ? " index" : "");
        vec_each (&s->mounts, id)
            buf_printf(out, " %s", *id);
    }
}

TEST("a flag gives what it says, or is refused by name")
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(cache_specs_clear) struct cache_specs l = { 0 };
        AUTO_VALUE(buf_clear) struct buf text = { 0 };
        struct err err = { 0 };
        buf_init(&text, 4096);
        int status = cache_specs_parse(rows[i].text, rows[i].is_export, &l, &err);
        if (status == 0)
            print(&l, &text);
        if (status == 0 && rows[i].is_export && l.items[0].has_all_mounts)
            buf_puts(&text, " all");
        if (rows[i].want) {
            EXPECT_OK(status, &err);
            EXPECT_STR(text.data, rows[i].want);
        } else {
            EXPECT(status == -1 && (err.kind == ERR_INVALID || err.kind == ERR_UNSUPPORTED));
            EXPECT_CONTAINS(err.text, rows[i].is_export ? "--cache-to " : "--cache-from ");
        }
    }
}

TEST("an id of a Dockerfile is known with and without the slash that front ends put before it")
{
    AUTO_VALUE(cache_specs_clear) struct cache_specs l = { 0 };
    struct err err = { 0 };
    REQUIRE_OK(cache_specs_parse("type=local,dest=c,mounts=go", true, &l, &err), &err);
    EXPECT(cache_spec_has_mount(&l.items[0], "/go"));
    EXPECT(cache_spec_has_mount(&l.items[0], "go"));
    EXPECT(!cache_spec_has_mount(&l.items[0], "/gone"));
}

TAP_MAIN()
