/* tests/unit/frontend/dockerfile/test_convert_refuse.c - what is wrong, and how it is told. */
#include "convert_fixture.h"

TEST("what is wrong is told with file, line and instruction")
{
    static const struct {
        const char *text, *options, *want;
        enum err_kind kind;
        int line;
    } rows[] = {
        { "FRM x", "", "Dockerfile:1: unknown instruction: FRM", ERR_INVALID, 1 },
        { "FROM $X", "", "Dockerfile:1: FROM $X: base name ($X) should not be blank", ERR_INVALID,
          1 },
        { "FROM ${X:?unset}", "", "X: unset", ERR_INVALID, 1 },
        { "ARG A=${B:?none}\nFROM x", "",
          "Dockerfile:1: ARG A=${B:?none}: failed to process \"${B:?none}\": B: none", ERR_INVALID,
          1 },
        { "FROM --platform=$P alpine", "", "empty platform value from expression $P", ERR_INVALID,
          1 },
        { "FROM --platform=a/b/c/d alpine", "", "failed to parse platform a/b/c/d", ERR_INVALID,
          1 },
        { "FROM Alpine!", "", "failed to parse stage name \"Alpine!\"", ERR_INVALID, 1 },
        { "\nFROM alpin", "",
          "Dockerfile:2: FROM alpin: alpin: not in any registry (did you mean "
          "alpine?)",
          ERR_NOT_FOUND, 2 },
        { "FROM alpine AS build\nFROM biuld", "", "did you mean build?", ERR_NOT_FOUND, 2 },
        { "FROM alpine AS build\nFROM build AS prod", "target=pord",
          "Dockerfile: target stage \"pord\" could not be found (did you mean prod?)",
          ERR_NOT_FOUND, 0 },
        { "FROM alpine", "target=1", "target stage \"1\" could not be found", ERR_NOT_FOUND, 0 },
        { "FROM alpine AS a\nCOPY --from=b / /\nFROM a AS b\n", "",
          "Dockerfile:1: FROM alpine AS a: circular dependency detected on stage: a", ERR_INVALID,
          1 },
        { "FROM alpine AS a\nRUN --mount=from=a,target=/x y", "",
          "circular dependency detected on stage: a", ERR_INVALID, 1 },
        { "FROM alpine AS a\nCOPY --from=b / /\nFROM alpine AS b\nFROM a", "",
          "Dockerfile:2: COPY --from=b / /: cannot copy from stage \"b\", it needs to be defined "
          "before current stage \"a\"",
          ERR_INVALID, 2 },
        { "FROM alpine AS a\nRUN --mount=from=b,target=/m x\nFROM alpine AS b\nFROM a", "",
          "cannot mount from stage \"b\" to \"/m\", stage needs to be defined before current",
          ERR_INVALID, 2 },
        { "FROM alpine\nCOPY --from=1 a b", "",
          "Dockerfile:2: COPY --from=1 a b: invalid stage index 1", ERR_INVALID, 2 },
        { "FROM alpine\nARG X=y\nCOPY --from=$X a b", "",
          "variable expansion is not supported for --from", ERR_INVALID, 3 },
        { "FROM alpine\nCOPY --from=${x a b", "", "syntax error: missing '}'", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY https://x/y /", "", "source can't be a URL for COPY", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY git@x:y /", "", "source can't be a git ref for COPY", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY --chmod=888 a b", "",
          "invalid chmod parameter: '888'. it should be octal string and between 0 and 07777",
          ERR_INVALID, 2 },
        { "FROM alpine\nCOPY --chmod=10000 a b", "", "invalid chmod parameter", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY --chmod=u+q a b", "", "invalid chmod parameter", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY --chmod=rwx a b", "", "invalid chmod parameter", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY --exclude=[ a b", "", "--exclude=[: line 1: pattern \"[\": syntax",
          ERR_INVALID, 2 },
        { "FROM alpine\nADD --checksum=x a b", "", "checksum requires HTTP(S) or Git sources",
          ERR_INVALID, 2 },
        { "FROM alpine\nADD --checksum=x https://a/b https://c/d /", "",
          "checksum can't be specified for multiple sources", ERR_INVALID, 2 },
        { "FROM alpine\nADD --checksum=md5:00 https://a/b /", "",
          "--checksum=md5:00: ", ERR_UNSUPPORTED, 2 },
        { "FROM alpine\nADD --keep-git-dir=true https://a/b.git?keep-git-dir=false /", "",
          "inconsistent keep-git-dir configuration", ERR_INVALID, 2 },
        { "FROM alpine\nADD --checksum=ab https://a/b.git?checksum=cd /", "",
          "checksum mismatch \"ab\" != \"cd\"", ERR_INVALID, 2 },
        { "FROM alpine\nADD https://a/b.git?what=1 /", "", "unexpected query \"what\"", ERR_INVALID,
          2 },
        { "FROM alpine\nADD https://a/b.git?ref=1&ref=2 /", "", "ref: is given twice", ERR_INVALID,
          2 },
        { "FROM alpine\nADD https://a/b.git?submodules=maybe /", "", "invalid submodules value",
          ERR_INVALID, 2 },
        { "FROM alpine\nADD https://a/b.git?ref=%zz /", "", "https://a/b.git?ref=%zz", ERR_INVALID,
          2 },
        { "FROM alpine\nADD https://a/b.git?ref=1#2 /", "", "both a fragment and a query",
          ERR_INVALID, 2 },
        { "FROM alpine\nADD https://a/b.git?mtime=now /", "",
          "invalid mtime value: \"now\": checkout or commit", ERR_INVALID, 2 },
        { "FROM alpine\nADD https://a/b.git?fetch-by-commit=2 /", "",
          "invalid fetch-by-commit value: \"2\"", ERR_INVALID, 2 },
        { "FROM alpine\nENV \"\"=x", "", "ENV names can not be blank", ERR_INVALID, 2 },
        { "FROM alpine\nENV A=${B:?no}", "", "B: no", ERR_INVALID, 2 },
        { "FROM alpine\nLABEL a=${B:?no}", "", "B: no", ERR_INVALID, 2 },
        { "FROM alpine\nARG A=${B:?no}", "", "B: no", ERR_INVALID, 2 },
        { "FROM alpine\nUSER ${B:?no}", "", "B: no", ERR_INVALID, 2 },
        { "FROM alpine\nWORKDIR ${B:?no}", "", "B: no", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY a ${B:?no}", "", "B: no", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY <<E /x\n${B:?no}\nE\n", "", "COPY <<E /x: <<E: failed to process",
          ERR_INVALID, 2 },
        { "FROM alpine\nEXPOSE ${B:?no}", "", "B: no", ERR_INVALID, 2 },
        { "FROM alpine\nSTOPSIGNAL ${B:?no}", "", "B: no", ERR_INVALID, 2 },
        { "FROM alpine\nVOLUME ${B:?no}", "", "B: no", ERR_INVALID, 2 },
        { "FROM alpine\nVOLUME [\"$B\"]", "", "VOLUME specified can not be an empty string",
          ERR_INVALID, 2 },
        { "FROM alpine\nSTOPSIGNAL SIGNOPE", "", "invalid signal: SIGNOPE", ERR_INVALID, 2 },
        { "FROM alpine\nSTOPSIGNAL 65", "", "invalid signal: 65", ERR_INVALID, 2 },
        { "FROM alpine\nSTOPSIGNAL RTMIN+16", "", "invalid signal", ERR_INVALID, 2 },
        { "FROM alpine\nEXPOSE 70000", "", "invalid containerPort: 70000", ERR_INVALID, 2 },
        { "FROM alpine\nEXPOSE 9-8", "", "invalid containerPort: 9-8", ERR_INVALID, 2 },
        { "FROM alpine\nEXPOSE 1/icmp", "", "invalid port: \"1/icmp\": invalid proto: icmp",
          ERR_INVALID, 2 },
        { "FROM alpine\nEXPOSE /tcp", "", "invalid port: \"/tcp\": no port specified", ERR_INVALID,
          2 },
        { "FROM alpine\nEXPOSE 80:", "", "invalid port: \"80:\": no port specified", ERR_INVALID,
          2 },
        { "FROM alpine\nEXPOSE x:80", "", "invalid hostPort: x", ERR_INVALID, 2 },
        { "FROM alpine\nEXPOSE 1.2.3:80:80", "", "invalid IP address: 1.2.3", ERR_INVALID, 2 },
        { "FROM alpine\nEXPOSE 1:2:3:80:80", "", "invalid IP address: 1:2:3", ERR_INVALID, 2 },
        { "FROM alpine\nEXPOSE 1-2:80-82", "",
          "invalid ranges specified for container and host Ports: 80-82 and 1-2", ERR_INVALID, 2 },
        { "FROM alpine\nRUN []", "", "has no command to run", ERR_INVALID, 2 },
        { "FROM alpine\nRUN --mount=target=/ x", "", "invalid mount target \"/\"", ERR_INVALID, 2 },
        { "FROM alpine\nRUN --mount=type=tmpfs,target=.. x", "", "invalid mount target \"/\"",
          ERR_INVALID, 2 },
        { "FROM alpine\nRUN --mount=type=$T,target=/x x", "", "unsupported mount type \"\"",
          ERR_INVALID, 2 },
        { "FROM alpine\nRUN --mount=target=${B:?no} x", "", "B: no", ERR_INVALID, 2 },
        { "FROM bad-trigger:1", "",
          "Dockerfile:1: FROM bad-trigger:1: ONBUILD FROM x: FROM isn't allowed as an ONBUILD "
          "trigger",
          ERR_INVALID, 1 },
        { "FROM failing-trigger:1", "", "invalid stage index 7", ERR_INVALID, 1 },
        { "FROM alpine AS a\nONBUILD ENV A=${B:?no}\nFROM a", "",
          "Dockerfile:3: ONBUILD ENV A=${B:?no}: failed to process", ERR_INVALID, 3 },
        { "FROM alpine\nCOPY . /", "file:context/.dockerignore=a\\n[",
          "Dockerfile:2: COPY . /: .dockerignore:2: pattern \"[\": syntax error in pattern",
          ERR_INVALID, 2 },
        { "FROM alpine\nCOPY . /", "file:context/.dockerignore=\\n!",
          ".dockerignore:2: illegal exclusion pattern: \"!\"", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY . /", "file:context/.dockerignore=broken",
          "read .dockerignore: Input/output error", ERR_SYSTEM, 2 },
        { "FROM alpine\nRUN --mount=target=/x y", "file:dockerfile/Dockerfile.dockerignore=broken",
          "read Dockerfile.dockerignore: Input/output error", ERR_SYSTEM, 2 },
        { "FROM alpine\nCOPY --from=c . /", "context:c=local:d\nfile:d/.dockerignore=broken",
          "read .dockerignore", ERR_SYSTEM, 2 },
        { "FROM c", "context:c=local:d\nfile:d/.dockerignore=broken", "Dockerfile:1: FROM c: read",
          ERR_SYSTEM, 1 },
        { "FROM alpine\nCOPY --from=c . /", "context:c=https://a/b.git?x=1", "unexpected query",
          ERR_INVALID, 2 },
        { "FROM alpine\nCOPY --from=c . /", "context:c=oci-layout://x", "OCI layouts are not here",
          ERR_UNSUPPORTED, 2 },
        { "FROM alpine\nCOPY --from=c . /", "context:c=what:x",
          "context c: what:x: unsupported context source", ERR_INVALID, 2 },
        { "FROM alpine\nCOPY --from=nope . /", "", "Dockerfile:2: --from=nope: nope: not in any",
          ERR_NOT_FOUND, 2 },
        { "FROM alpine", "build-arg:SOURCE_DATE_EPOCH=yesterday",
          "invalid SOURCE_DATE_EPOCH: yesterday", ERR_INVALID, 0 },
        { "FROM alpine", "build-arg:SOURCE_DATE_EPOCH=lib\ncontext:lib=docker-image://alpine",
          "invalid SOURCE_DATE_EPOCH: lib: this context has no time", ERR_INVALID, 0 },
        { "FROM scratch AS a\nADD https://a/b https://a/c /\nFROM alpine",
          "build-arg:SOURCE_DATE_EPOCH=a", "invalid SOURCE_DATE_EPOCH: a: the stage must be",
          ERR_INVALID, 0 },
        { "FROM alpine AS a\nADD https://a/b /\nFROM alpine", "build-arg:SOURCE_DATE_EPOCH=a",
          "invalid SOURCE_DATE_EPOCH: a: the stage must be", ERR_INVALID, 0 },
        { "FROM scratch AS a\nADD https://a/b /\nRUN x\nFROM alpine",
          "build-arg:SOURCE_DATE_EPOCH=a", "invalid SOURCE_DATE_EPOCH: a: the stage must be",
          ERR_INVALID, 0 },
        { "FROM scratch AS a\nADD b /\nFROM alpine", "build-arg:SOURCE_DATE_EPOCH=a",
          "invalid SOURCE_DATE_EPOCH: a: the stage must be", ERR_INVALID, 0 },
        { "FROM scratch AS a\nADD https://a/b /\nWORKDIR /x\nFROM alpine",
          "build-arg:SOURCE_DATE_EPOCH=a", "invalid SOURCE_DATE_EPOCH: a: the stage must be",
          ERR_INVALID, 0 },
        { "FROM alpine\nCOPY a /",
          "context=https://a/b.git\nbuild-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR=perhaps",
          "BUILDKIT_CONTEXT_KEEP_GIT_DIR=perhaps: true or false is expected", ERR_INVALID, 2 },
        { "FROM alpine", "build-arg:BUILDKIT_DOCKERFILE_CHECK=nonsense",
          "BUILDKIT_DOCKERFILE_CHECK: ", ERR_INVALID, 0 },
        { "# check=error=true\nFROM alpine\nWORKDIR a\nCMD b\nCOPY $c /", "",
          "Dockerfile:3: lint violation found for rules: WorkdirRelativePath JSONArgsRecommended "
          "UndefinedVar",
          ERR_INVALID, 3 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(rows[i].text), rows[i].options);
        if (!v.has_failed) {
            tap_fail(__FILE__, __LINE__, "%s was taken, expected %s", rows[i].text, rows[i].want);
            continue;
        }
        EXPECT_CONTAINS(v.err.text, rows[i].want);
        EXPECT_INT(v.result.where.first, rows[i].line);
        if (v.err.kind != rows[i].kind)
            tap_fail(__FILE__, __LINE__, "%s fails as %s", rows[i].text, err_kind_name(v.err.kind));
        EXPECT(!v.result.graph);
    }
}

TEST("a few lines that multiply a value without end are refused")
{
    static const char *const rows[] = {
        "ENV A=$A$A$A$A\n",     "LABEL l=$A$A$A$A$A$A$A$A\n",     "ARG A=$A$A$A$A\n",
        "COPY $A$A$A $A$A /\n", "EXPOSE ${A:+1}\nENV A=$A$A$A\n", "COPY <<E /x\n$A$A$A$A\nE\n"
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(buf_clear) struct buf text;
        buf_init(&text, MIB);
        buf_puts(&text, "FROM scratch\nENV A=");
        for (int k = 0; k < 30000; k++)
            buf_putc(&text, 'a');
        buf_putc(&text, '\n');
        for (int k = 0; k < 1000; k++)
            buf_puts(&text, rows[i]);
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, buf_span(&text), "");
        EXPECT(v.has_failed && v.err.kind == ERR_LIMIT);
        EXPECT_CONTAINS(v.err.text, "Dockerfile:");
    }
}

TEST("more variables than any process takes are refused")
{
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, MIB);
    buf_puts(&text, "FROM scratch");
    for (int k = 0; k < 10001; k++)
        buf_printf(&text, "%s v%d=1", k % 100 ? "" : "\nENV", k);
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v, buf_span(&text), "");
    EXPECT(v.has_failed && v.err.kind == ERR_LIMIT);
    EXPECT_CONTAINS(v.err.text, "more than 10000 variables");
}

TAP_MAIN()
