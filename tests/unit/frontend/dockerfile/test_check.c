/* tests/unit/frontend/dockerfile/test_check.c - every build check: what sets it off, what does not,
 * and how it is told.  Texts and lines are BuildKit's. */
#include "convert_fixture.h"
#include "frontend/dockerfile/check.h"
#include "frontend/dockerfile/rules.h"
#include "tap.h"

/* The warnings of a check, and what would make a build fail, a line each. */
static char *check_text(const char *text, const char *options)
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    AUTO_VALUE(dockerfile_report_clear) struct dockerfile_report r;
    struct buf out;
    buf_init(&out, MIB);
    conversion_setup(&v, options);
    const struct frontend_host host = { &v, host_resolve, NULL, host_read, host_time };
    dockerfile_check(span_of(text), &v.options, &host, &r);
    for (size_t i = 0; i < r.warnings.n; i++) {
        const struct dockerfile_warning *w = &r.warnings.items[i];
        buf_printf(&out, "%d %s: %s\n", w->where.first, w->rule, w->text);
    }
    if (r.would_fail)
        buf_printf(&out, "%d fails: %s\n", r.where.first, r.why.text);
    return out.data ? buf_take(&out) : xstrdup("");
}

/* Rows: a Dockerfile, options, every warning.  "FROM a" stands for an image that is not there. */
static const struct {
    const char *rule, *text, *options, *want;
} rows[] = {
    { "StageNameCasing", "FROM scratch AS Big", "",
      "1 StageNameCasing: Stage name 'Big' should be lowercase\n" },
    { "FromAsCasing", "FROM scratch as a\nFROM scratch AS b", "",
      "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match\n" },
    { "FromAsCasing of small letters", "from scratch AS a", "",
      "1 FromAsCasing: 'AS' and 'from' keywords' casing do not match\n" },
    { "FromAsCasing has no opinion on From", "From scratch as a\nFROM scratch AS b", "",
      "1 ConsistentInstructionCasing: Command 'From' should match the case of the command majority "
      "(uppercase)\n" },
    { "NoEmptyContinuation", "FROM scratch\nCOPY a \\\n\n /", "",
      "4 NoEmptyContinuation: Empty continuation line\n" },
    { "ConsistentInstructionCasing", "from scratch\nCOPY a /\ncopy b /", "",
      "2 ConsistentInstructionCasing: Command 'COPY' should match the case of the command majority "
      "(lowercase)\n" },
    { "ConsistentInstructionCasing leaves global ARGs alone", "arg A\narg B\nARG C\nFROM scratch",
      "", "" },
    { "DuplicateStageName", "FROM scratch AS a\nFROM scratch AS A", "",
      "2 DuplicateStageName: Duplicate stage name \"a\", stage names should be unique\n"
      "2 StageNameCasing: Stage name 'A' should be lowercase\n" },
    { "ReservedStageName", "FROM scratch AS scratch\nFROM scratch AS context", "",
      "1 ReservedStageName: Stage name should not use the same name as reserved stage "
      "\"scratch\"\n"
      "2 ReservedStageName: Stage name should not use the same name as reserved stage "
      "\"context\"\n" },
    { "JSONArgsRecommended", "FROM scratch\nCMD a\nentrypoint b\nHEALTHCHECK CMD c", "",
      "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior "
      "related to OS signals\n"
      "3 ConsistentInstructionCasing: Command 'entrypoint' should match the case of the command "
      "majority (uppercase)\n"
      "3 JSONArgsRecommended: JSON arguments recommended for entrypoint to prevent unintended "
      "behavior related to OS signals\n" },
    { "JSONArgsRecommended trusts who sets SHELL", "FROM scratch\nSHELL [\"/s\"]\nCMD a", "", "" },
    { "MaintainerDeprecated", "FROM scratch\nMAINTAINER me", "",
      "2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label\n" },
    { "UndefinedArgInFrom", "ARG image=scratch\nFROM ${imag:-scratch}\nFROM $imag$image", "",
      "3 UndefinedArgInFrom: FROM argument 'imag' is not declared (did you mean image?)\n" },
    { "UndefinedArgInFrom of a platform", "FROM --platform=${BULDPLATFORM:-linux}/amd64$X scratch",
      "", "1 UndefinedArgInFrom: FROM argument 'X' is not declared\n" },
    { "UndefinedArgInFrom leaves declared ones alone", "ARG tag\nFROM alpine:3.20$tag", "", "" },
    { "InvalidDefaultArgInFrom", "ARG image\nFROM $image", "build-arg:image=scratch",
      "2 InvalidDefaultArgInFrom: Default value for ARG $image results in empty or invalid base "
      "image name\n" },
    { "InvalidDefaultArgInFrom of a tag", "ARG V\nFROM alpine:$V AS b", "build-arg:V=3.20",
      "2 InvalidDefaultArgInFrom: Default value for ARG alpine:$V results in empty or invalid base "
      "image name\n" },
    { "InvalidDefaultArgInFrom takes a default that is good", "ARG V=3.20\nFROM alpine:$V",
      "build-arg:V=latest", "" },
    { "WorkdirRelativePath",
      "FROM scratch AS a\nWORKDIR x\nFROM a\nWORKDIR y\nFROM scratch\n"
      "WORKDIR /z\nWORKDIR z",
      "",
      "2 WorkdirRelativePath: Relative workdir \"x\" can have unexpected results if the base image "
      "changes\n" },
    { "UndefinedVar", "FROM alpine:3.20\nARG known\nENV PATH=$PAHT:$known A=$x", "",
      "3 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)\n"
      "3 UndefinedVar: Usage of undefined variable '$x'\n" },
    { "UndefinedVar in documents, not in RUN",
      "FROM scratch\nCOPY <<E /x\n$a\nE\nRUN $b\n"
      "COPY <<'E' /x\n$c\nE",
      "", "2 UndefinedVar: Usage of undefined variable '$a'\n" },
    { "UndefinedVar of every stage, needed or not",
      "FROM scratch AS a\nCOPY $foo .\nFROM scratch\n"
      "COPY $bar .",
      "",
      "2 UndefinedVar: Usage of undefined variable '$foo'\n"
      "4 UndefinedVar: Usage of undefined variable '$bar'\n" },
    { "UndefinedVar of the target alone",
      "FROM scratch AS a\nCOPY $foo .\nFROM scratch\nCOPY $bar .", "target=a",
      "2 UndefinedVar: Usage of undefined variable '$foo'\n" },
    { "MultipleInstructionsDisallowed",
      "FROM scratch\nCMD [\"a\"]\nCMD [\"b\"]\nENTRYPOINT [\"a\"]\nentrypoint [\"b\"]\n"
      "HEALTHCHECK NONE\nHEALTHCHECK NONE\nFROM scratch\nCMD [\"a\"]",
      "",
      "2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same "
      "stage because only the last one will be used\n"
      "4 MultipleInstructionsDisallowed: Multiple entrypoint instructions should not be used in "
      "the same stage because only the last one will be used\n"
      "5 ConsistentInstructionCasing: Command 'entrypoint' should match the case of the command "
      "majority (uppercase)\n"
      "6 MultipleInstructionsDisallowed: Multiple HEALTHCHECK instructions should not be used in "
      "the same stage because only the last one will be used\n" },
    { "LegacyKeyValueFormat", "FROM scratch\nENV a b\nLABEL c d", "",
      "2 LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV key "
      "value\" "
      "format\n"
      "3 LegacyKeyValueFormat: \"LABEL key=value\" should be used instead of legacy \"LABEL key "
      "value\" format\n" },
    { "InvalidBaseImagePlatform", "FROM foreign:1", "",
      "1 InvalidBaseImagePlatform: Base image foreign:1 was pulled with platform \"linux/arm64\", "
      "expected \"linux/amd64\" for current build\n" },
    { "RedundantTargetPlatform",
      "FROM --platform=$TARGETPLATFORM scratch\n"
      "FROM --platform=${TARGETPLATFORM} scratch\n"
      "FROM --platform=$TARGETOS/$TARGETARCH scratch\n"
      "FROM --platform=$BUILDPLATFORM scratch",
      "",
      "1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is "
      "redundant as this is the default behavior\n"
      "2 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is "
      "redundant as this is the default behavior\n" },
    { "SecretsUsedInArgOrEnv",
      "ARG GLOBAL_TOKEN\nFROM scratch\nARG SECRET_PASSPHRASE AUTH=x\nENV SUPER_Secret=a apikey=b\n"
      "ENV git_key= sunflower=c key-id=d\nARG PUBLIC_KEY TOKEN_FILE key_version monkey",
      "",
      "3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "
      "\"AUTH\")\n"
      "3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "
      "\"SECRET_PASSPHRASE\")\n"
      "4 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "
      "\"SUPER_Secret\")\n"
      "4 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "
      "\"apikey\")\n"
      "5 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "
      "\"git_key\")\n" },
    { "FromPlatformFlagConstDisallowed",
      "FROM --platform=linux/amd64 scratch\n"
      "FROM --platform=linux/amd64 scratch AS my-amd64",
      "",
      "1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "
      "\"linux/amd64\"\n" },
    { "CopyIgnoredFile", "FROM scratch\nCOPY ./log/a b /\nADD log/x /\nCOPY *.log /",
      "file:context/.dockerignore=log\\n",
      "2 CopyIgnoredFile: Attempting to Copy file \"log/a\" that is excluded by .dockerignore\n"
      "3 CopyIgnoredFile: Attempting to Add file \"log/x\" that is excluded by .dockerignore\n" },
    { "CopyIgnoredFile cannot tell where files are taken in again", "FROM scratch\nCOPY log /",
      "file:context/.dockerignore=log\\n!log/x\\n", "" },
    { "CopyIgnoredFile is about the context alone",
      "FROM scratch AS a\nFROM scratch\n"
      "COPY --from=a log /",
      "file:context/.dockerignore=log\\n", "" },
    { "ExposeProtoCasing", "FROM scratch\nEXPOSE 80/TcP 81/udp", "",
      "2 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be "
      "lowercase\n" },
    { "ExposeInvalidFormat", "FROM scratch\nEXPOSE 127.0.0.1:80:80 5000:5000 90", "",
      "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port "
      "mapping, found '127.0.0.1:80:80'\n"
      "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port "
      "mapping, found '5000:5000'\n" },
    { "InvalidDefinitionDescription is silent", "# x\nFROM scratch AS a", "", "" },
    { "InvalidDefinitionDescription",
      "# check=experimental=all\n# not this\nARG A=1\n# nor that\nARG B C\n# y\n\n# x\nFROM "
      "scratch AS a\n# D is good\nARG D\n# ends anew\n#\nARG E\n# unnamed\nFROM scratch",
      "",
      "3 InvalidDefinitionDescription: Comment for ARG should follow the format: `# A "
      "<description>`\n"
      "5 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> "
      "<description>`\n"
      "9 InvalidDefinitionDescription: Comment for FROM should follow the format: `# a "
      "<description>`\n" },
    { "a directive is nobody's comment", "# check=experimental=all\nFROM scratch AS a", "", "" },
    { "a good file says nothing", "FROM scratch\nCOPY a /\nCMD [\"a\"]", "", "" },
};

TEST("each build check, with BuildKit's words and lines")
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = check_text(rows[i].text, rows[i].options);
        if (strcmp(got, rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "%s gives\n%s\nexpected\n%s", rows[i].rule, got,
                     rows[i].want);
    }
}

TEST("no build check is without a row")
{
    for (size_t i = 0; i < N_CHECK_RULES; i++) {
        bool is_there = false;
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            is_there = is_there || strcmp(rows[k].rule, check_rules[i].name) == 0;
        if (!is_there)
            tap_fail(__FILE__, __LINE__, "%s", check_rules[i].name);
    }
}

#define CASING                                                                                     \
    "2 ConsistentInstructionCasing: Command 'copy' should match the case of the command majority " \
    "(uppercase)\n"
TEST("skip, error and experimental, in the file and as a build argument")
{
    static const struct {
        const char *directive, *options, *want;
    } cases[] = {
        { "x", "", "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match\n" CASING },
        { "check=skip=all", "", "" },
        { "check=skip=all;error=true", "", "" },
        { "check=skip=ConsistentInstructionCasing, FromAsCasing", "", "" },
        { "check=skip=ConsistentInstructionCasing", "",
          "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match\n" },
        { "check=skip=FromAsCasing;error=true", "",
          CASING "2 fails: Dockerfile:2: lint violation found for rules: "
                 "ConsistentInstructionCasing\n" },
        { "check=error=true", "",
          "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match\n" CASING
          "1 fails: Dockerfile:1: lint violation found for rules: FromAsCasing "
          "ConsistentInstructionCasing\n" },
        { "check=skip=all", "build-arg:BUILDKIT_DOCKERFILE_CHECK=skip=FromAsCasing;error=true",
          CASING "2 fails: Dockerfile:2: lint violation found for rules: "
                 "ConsistentInstructionCasing\n" },
        { "check=error=true", "build-arg:BUILDKIT_DOCKERFILE_CHECK=skip=all", "" },
        { "check=skip=all", "build-arg:BUILDKIT_DOCKERFILE_CHECK=",
          "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match\n" CASING },
        { "check=skip=all", "build-arg:BUILDKIT_DOCKERFILE_CHECK=what=1",
          "0 fails: Dockerfile: BUILDKIT_DOCKERFILE_CHECK: invalid check option \"what\"\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *text =
            xasprintf("# %s\nFROM scratch as base\ncopy Dockerfile .\n", cases[i].directive);
        AUTO_FREE char *got = check_text(text, cases[i].options);
        /* The rows count lines from FROM. */
        for (char *p = got; *p; p = strchr(p, '\n') + 1)
            *p = (char)(*p > '0' ? *p - 1 : *p);
        for (char *p = got; (p = strstr(p, "Dockerfile:")); p++)
            if (p[11] > '0' && p[11] <= '9')
                p[11]--;
        EXPECT_STR(got, cases[i].want);
    }
}

TEST("an image that is not there fails the build, yet the checks go on")
{
    AUTO_FREE char *got =
        check_text("FROM nosuch AS a\nENV x=$FROM_IMAGE\nCMD a\nFROM a\nCOPY $y /\n"
                   "FROM scratch\nCOPY $z /\nCOPY --from=gone /a /b\n",
                   "");
    EXPECT_STR(got, "3 JSONArgsRecommended: JSON arguments recommended for CMD to prevent "
                    "unintended behavior related to OS signals\n"
                    "7 UndefinedVar: Usage of undefined variable '$z'\n"
                    "1 fails: Dockerfile:1: FROM nosuch AS a: nosuch: not in any registry\n");
}

TEST("what was found before an error is told with it, by a build too")
{
    AUTO_FREE char *got = check_text("FROM scratch AS Big\nRUN --mount=target=/ x\n", "");
    EXPECT_STR(got, "1 StageNameCasing: Stage name 'Big' should be lowercase\n"
                    "2 fails: Dockerfile:2: RUN --mount=target=/ x: invalid mount target \"/\"\n");
    AUTO_FREE char *unread = check_text("FROM scratch AS Big\nRUNN x\n", "");
    EXPECT_STR(unread, "2 fails: Dockerfile:2: unknown instruction: RUNN (did you mean RUN?)\n");
    AUTO_FREE char *foreign = check_text("# syntax=a/b\nFROM scratch\n", "");
    EXPECT_STR(foreign, "1 fails: Dockerfile:1: # syntax=a/b: not docker/dockerfile, and other "
                        "front ends are not run\n");
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v, SPAN("FROM scratch\nCMD a\nCOPY $x /\nRUN --mount=target=/ x\n"), "");
    EXPECT(v.has_failed);
    REQUIRE(v.result.warnings.n == 2);
    EXPECT_STR(v.result.warnings.items[0].rule, "JSONArgsRecommended");
    EXPECT_STR(v.result.warnings.items[1].rule, "UndefinedVar");
}

TEST("a report as JSON and as text")
{
    static const char text[] = "# hello\nFROM scratch\nCMD a\n";
    AUTO_VALUE(conversion_clear) struct conversion v;
    AUTO_VALUE(dockerfile_report_clear) struct dockerfile_report r;
    AUTO_VALUE(buf_clear) struct buf out;
    conversion_setup(&v, "");
    buf_init(&out, MIB);
    const struct frontend_host host = { &v, host_resolve, NULL, host_read, host_time };
    dockerfile_check(span_of(text), &v.options, &host, &r);
    AUTO(json_free) struct json *o = dockerfile_report_json(&r, span_of(text), "Dockerfile");
    json_print(o, &out);
    EXPECT_STR(out.data,
               "{\"warnings\":[{\"ruleName\":\"JSONArgsRecommended\",\"description\":\"JSON "
               "arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to "
               "OS signals\",\"url\":\"https://docs.docker.com/go/dockerfile/rule/"
               "json-args-recommended/\",\"detail\":\"JSON arguments recommended for CMD to "
               "prevent unintended behavior related to OS signals\",\"location\":{\"ranges\":[{"
               "\"start\":{\"line\":3},\"end\":{\"line\":3}}]}}],\"sources\":[{\"filename\":"
               "\"Dockerfile\",\"language\":\"Dockerfile\",\"data\":"
               "\"IyBoZWxsbwpGUk9NIHNjcmF0Y2gKQ01EIGEK\"}]}");
    buf_reset(&out);
    dockerfile_report_print(&r, span_of(text), "Dockerfile", &out);
    EXPECT_STR(out.data,
               "Check complete, 1 warning has been found!\n\n"
               "WARNING: JSONArgsRecommended - "
               "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/\n"
               "JSON arguments recommended for CMD to prevent unintended behavior related to OS "
               "signals\n"
               "Dockerfile:3\n"
               "--------------------\n"
               "   1 |     # hello\n"
               "   2 |     FROM scratch\n"
               "   3 | >>> CMD a\n"
               "--------------------\n");
}

TAP_MAIN()
