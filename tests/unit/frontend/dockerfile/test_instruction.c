/* tests/unit/frontend/dockerfile/test_instruction.c - triggers, mounts, and values that only some
 * instructions take; whole files are in test_fixtures.c. */
#include "frontend/dockerfile/instruction.h"

#include "dump.h"

TEST("every instruction has its name")
{
    EXPECT_STR(instruction_type_name(INSTRUCTION_ADD), "ADD");
    EXPECT_STR(instruction_type_name(INSTRUCTION_WORKDIR), "WORKDIR");
}

TEST("a trigger of a base image is one instruction")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "RUN a", "  1-1 RUN shell-form args=[\"a\"]" },
        { "copy --from=b c d", "  1-1 COPY flags=[\"--from=b\"] sources=[\"c\"] dest=\"d\" "
                               "from=\"b\"" },
        { "RUN <<E\nx\nE", "  1-3 RUN shell-form args=[\"<<E\"] script\n      heredoc E expands "
                           "word=\"<<E\" content=\"x\\n\"" },
        { "ENV a\\ b=c", "  1-1 ENV\n      \"a\\\\ b\"=\"c\"" },
        { "RUN a\nRUN b", "ONBUILD: onbuild trigger should be a single expression: RUN a\nRUN b" },
        { "", "ONBUILD: the Dockerfile cannot be empty" },
        { "FROM a", "ONBUILD FROM a: FROM isn't allowed as an ONBUILD trigger" },
        { "ONBUILD RUN a",
          "ONBUILD ONBUILD RUN a: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" },
        { "COPY a", "ONBUILD COPY a: COPY requires at least two arguments, but only one was "
                    "provided. Destination could not be determined" },
        { "RNU a", "ONBUILD RNU a: unknown instruction: RNU (did you mean RUN?)" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(arena_free) struct arena *a = arena_new();
        const struct instruction *in = NULL;
        struct err err = { 0 };
        struct buf out;
        buf_init(&out, MIB);
        if (dockerfile_parse_trigger(rows[i].text, a, &in, &err))
            buf_puts(&out, err.text);
        else
            dump_instruction(&out, in);
        EXPECT_STR(out.data, rows[i].want);
        buf_clear(&out);
    }
}

/* $X is "cache", $FAIL fails, all else stays. */
static int expand(void *arg, const char *value, const char **out, struct err *err)
{
    (void)arg;
    if (strcmp(value, "$FAIL") == 0)
        return err_set(err, ERR_INVALID, "asked to fail");
    *out = strcmp(value, "$X") == 0 ? "cache" : value;
    return 0;
}

static void dump_mount(struct buf *b, const struct run_mount *m)
{
    static const char *const types[] = { "bind", "secret", "ssh", "cache", "tmpfs" };
    static const char *const sharings[] = { "", "private", "locked" };
    buf_puts(b, types[m->type]);
    dump_field(b, "from", m->from);
    dump_field(b, "source", m->source);
    dump_field(b, "target", m->target);
    dump_field(b, "id", m->id);
    dump_field(b, "env", m->env);
    dump_field(b, "sharing", sharings[m->sharing]);
    dump_flag(b, "ro", m->is_readonly);
    dump_flag(b, "required", m->is_required);
    if (m->has_mode)
        buf_printf(b, " mode=%o", m->mode);
    if (m->has_uid)
        buf_printf(b, " uid=%u", m->uid);
    if (m->has_gid)
        buf_printf(b, " gid=%u", m->gid);
    dump_number(b, "size", m->size);
}

static char *parse_mount(const char *text, mount_expand_fn fn)
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct run_mount m;
    struct err err = { 0 };
    struct buf out;
    buf_init(&out, MIB);
    if (run_mount_parse(text, fn, NULL, a, &m, &err))
        return xstrdup(err.text);
    dump_mount(&out, &m);
    return buf_take(&out);
}

static const struct {
    const char *text, *want;
} mounts[] = {
    { "target=/x", "bind target=\"/x\" ro" },
    { "type=bind,src=a,dst=b,rw", "bind source=\"a\" target=\"b\"" },
    { "type=bind,source=a,destination=b,readwrite=false", "bind source=\"a\" target=\"b\" ro" },
    { "TYPE=Bind,from=stage,ro=0,target=/x", "bind from=\"stage\" target=\"/x\"" },
    { "type=cache,target=/c", "cache target=\"/c\"" },
    { "type=cache,target=/c,readonly", "cache target=\"/c\" ro" },
    { "type=cache,id=i,target=/c,sharing=Locked,mode=0700,uid=1,gid=2",
      "cache target=\"/c\" id=\"i\" sharing=\"locked\" mode=700 uid=1 gid=2" },
    { "type=cache,target=/c,sharing=private,from=f,source=/s",
      "cache from=\"f\" source=\"/s\" target=\"/c\" sharing=\"private\"" },
    { "type=cache,target=/c,sharing=shared", "cache target=\"/c\"" },
    { "type=tmpfs,target=/t", "tmpfs target=\"/t\"" },
    { "type=tmpfs,target=/t,size=100", "tmpfs target=\"/t\" size=100" },
    { "type=tmpfs,target=/t,size=1.5k", "tmpfs target=\"/t\" size=1536" },
    { "type=tmpfs,target=/t,size=64m", "tmpfs target=\"/t\" size=67108864" },
    { "type=tmpfs,target=/t,size=2 GiB", "tmpfs target=\"/t\" size=2147483648" },
    { "type=tmpfs,target=/t,size=1GB", "tmpfs target=\"/t\" size=1073741824" },
    { "type=tmpfs,target=/t,size=3b", "tmpfs target=\"/t\" size=3" },
    { "type=secret,id=s", "secret id=\"s\" ro" },
    { "type=secret,id=s,env=TOKEN,required", "secret id=\"s\" env=\"TOKEN\" ro required" },
    { "type=secret,target=/t,required=false,mode=0444", "secret target=\"/t\" ro mode=444" },
    { "type=secret,source=/t", "secret source=\"/t\" ro" },
    { "type=ssh", "ssh ro" },
    { "type=ssh,id=x,required=True", "ssh id=\"x\" ro required" },
    { "type=$X,target=/c", "cache target=\"/c\"" },
    { "type=bind,\"target=/a,b\"", "bind target=\"/a,b\" ro" },
    { "type=bind,\"target=a\"\"b\"", "bind target=\"a\\\"b\" ro" },
    { "type=bind,from=a$,target=/x", "bind from=\"a$\" target=\"/x\" ro" },
    /* refused */
    { "type=$FAIL", "asked to fail" },
    { "", "failed to parse csv mounts: EOF" },
    { "type=bind,a\"b", "failed to parse csv mounts: parse error on line 1, column 2: bare \" in "
                        "non-quoted-field" },
    { "\"type=bind\"x", "failed to parse csv mounts: parse error on line 1: extraneous or missing "
                        "\" in quoted-field" },
    { "type=volume,target=/x", "unsupported mount type \"volume\"" },
    { "type=tmpf", "unsupported mount type \"tmpf\" (did you mean tmpfs?)" },
    { "type=cache,target=/c,sharing=share", "unsupported sharing value \"share\" (did you mean "
                                            "shared?)" },
    { "type=cache,target=/c,sharing=all", "unsupported sharing value \"all\"" },
    { "target=/x,size=1", "unexpected key 'size' for mount type 'bind'" },
    { "type=tmpfs,target=/t,size=x", "invalid value for size: x" },
    { "type=tmpfs,target=/t,size=1z", "invalid value for size: 1z" },
    { "type=tmpfs,target=/t,size=9999999p", "invalid value for size: 9999999p" },
    { "required,type=secret,id=x", "unexpected key 'required' for mount type 'bind'" },
    { "type=secret,id=x,required=maybe", "invalid value for required: maybe" },
    { "target=/x,ro=maybe", "invalid value for ro: maybe" },
    { "type=cache,target=/x,mode=9", "invalid value 9 for mode" },
    { "type=cache,target=/x,uid=-1", "invalid value -1 for uid" },
    { "type=cache,target=/x,gid=4294967296", "invalid value 4294967296 for gid" },
    { "type=cache,target=/x,gid=", "invalid value  for gid" },
    { "target=/x,mode=0700", "mode not allowed for \"bind\" type mounts" },
    { "type=tmpfs,target=/x,uid=1", "uid not allowed for \"tmpfs\" type mounts" },
    { "target=/x,gid=1", "gid not allowed for \"bind\" type mounts" },
    { "type=secret,id=x,from=y", "secret mount should not have a from" },
    { "type=secret,id=x,sharing=locked", "secret mount should not define sharing" },
    { "type=secret,env=X", "invalid secret mount. one of source, target required" },
    { "type=secret,id=x,source=y", "both source and id can't be set" },
    { "target=/x,sharing=locked", "invalid cache sharing set for bind mount" },
    { "type=ssh,source=x", "ssh does not support source" },
    { "from=$S,target=/x",
      "'from' doesn't support variable expansion, define alias stage instead" },
    { "target", "invalid field 'target' must be a key=value pair" },
    { "Foo=bar", "unexpected key 'foo' in 'Foo=bar' (did you mean from?)" },
    { "Volumes=bar", "unexpected key 'volumes' in 'Volumes=bar'" },
};

TEST("mounts are read as BuildKit reads them")
{
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        AUTO_FREE char *got = parse_mount(mounts[i].text, expand);
        EXPECT_STR(got, mounts[i].want);
    }
}

TEST("before anything can be expanded a mount is only checked as far as that goes")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "type=$TYPE,required,target=/x", "bind" },
        { "type=cache,target=/x,mode=$MODE", "bind" },
        { "type=`x`,target=/x", "bind" },
        { "type=volume", "unsupported mount type \"volume\"" },
        { "type=$TYPE,from=$STAGE", "'from' doesn't support variable expansion, define alias stage "
                                    "instead" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = parse_mount(rows[i].text, NULL);
        EXPECT_STR(got, rows[i].want);
    }
}

TEST("durations are Go's")
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {
        { "1s", 1000000000 },
        { "1h2m3.5s", 3723500000000 },
        { "1.5h", 5400000000000 },
        { "+5ms", 5000000 },
        { "2000us", 2000000 },
        { "2000\u00b5s", 2000000 },
        { "2000\u03bcs", 2000000 },
        { "1000000ns", 1000000 },
        { ".5s", 500000000 },
        { "1.s", 1000000000 },
        { "0", 0 },
        { "0s", 0 },
        { "", 0 },
        { "-0", 0 },
        { ".s", -1 },
        { "+", -1 },
        { "1", -1 },
        { "1d", -1 },
        { "s", -1 },
        { "1s2", -1 },
        { "9999999999h", -1 },
        { "1..5s", -1 },
        { "1s ", 1000000000 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(dockerfile_free) struct dockerfile *df = NULL;
        AUTO_FREE char *text = xasprintf("FROM a\nHEALTHCHECK --interval=%s CMD x\n", rows[i].text);
        struct source_lines where;
        struct err err = { 0 };
        int64_t got = -1;
        if (dockerfile_parse(span_of(text), "D", &df, &where, &err) == 0)
            got = df->stages[0].instructions[0].healthcheck.interval_ns;
        if (got != rows[i].want)
            tap_fail(__FILE__, __LINE__, "%s gives %jd: %s", rows[i].text, (intmax_t)got, err.text);
    }
}

TEST("devices have a name and may be required")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "v.com/c=d", " device=\"v.com/c=d\"" },
        { "v.com/c,required=true", " device=\"v.com/c\" required" },
        { "required,NAME=x", " device=\"x\" required" },
        { "a,b", "D:2: invalid field 'b' must be a key=value pair" },
        { "a,name=b", "D:2: device name already set to a" },
        { "a,required=x", "D:2: invalid value for required: x" },
        { "a,nam=b", "D:2: unexpected key 'nam' in 'nam=b' (did you mean name?)" },
        { "\\\"a", "D:2: failed to parse csv devices: parse error on line 1: extraneous or missing "
                   "\" in quoted-field" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(dockerfile_free) struct dockerfile *df = NULL;
        AUTO_FREE char *text = xasprintf("FROM a\nRUN --device=%s x\n", rows[i].text);
        struct source_lines where;
        struct err err = { 0 };
        struct buf out;
        buf_init(&out, MIB);
        if (dockerfile_parse(span_of(text), "D", &df, &where, &err)) {
            buf_puts(&out, err.text);
        } else {
            const struct run *run = &df->stages[0].instructions[0].run;
            dump_field(&out, "device", run->devices[0].name);
            dump_flag(&out, "required", run->devices[0].is_required);
        }
        EXPECT_STR(out.data, rows[i].want);
        buf_clear(&out);
    }
}

TEST("control characters in an error are shown as escapes")
{
    AUTO_FREE char *got = parse_and_dump(SPAN("FROM a\nENV A=1 '\x01\t\x7f\\'\n"));
    EXPECT_CONTAINS(got, "can't find = in \"'\\x01\\t\\x7f\\\\'\". Must be");
}

TAP_MAIN()
