# kiln build --check and --call: what a Dockerfile says of itself, without a build.
load helper

@test "a good Dockerfile: status 0, one line on stdout" {
    mkdir ctx
    printf 'FROM scratch\nCOPY a /\nCMD ["a"]\n' >ctx/Dockerfile
    run --separate-stderr kiln build --check ctx
    [ "$status" = 0 ]
    [ "$output" = "Check complete, no warnings found." ]
    [ "$(kiln build --call=check,format=json ctx 2>/dev/null | jq -c .warnings)" = '[]' ]
}

@test "warnings: rule, page, words and lines on stdout, status 1, nothing built" {
    mkdir ctx
    printf 'FROM scratch AS first\nCOPY $foo /\nFROM scratch\nCMD a\n' >ctx/Dockerfile
    run --separate-stderr kiln build --check -t app ctx
    echo "$output"
    [ "$status" = 1 ]
    [ "$output" = "Check complete, 2 warnings have been found!

WARNING: UndefinedVar - https://docs.docker.com/go/dockerfile/rule/undefined-var/
Usage of undefined variable '\$foo'
Dockerfile:2
--------------------
   1 |     FROM scratch AS first
   2 | >>> COPY \$foo /
   3 |     FROM scratch
   4 |     CMD a
--------------------

WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
Dockerfile:4
--------------------
   2 |     COPY \$foo /
   3 |     FROM scratch
   4 | >>> CMD a
--------------------" ]
    [ -z "$(kiln images -q 2>/dev/null)" ]
    run --separate-stderr kiln build --check --target first ctx
    [ "$(grep -c ^WARNING <<<"$output")" = 1 ]
    kiln build --call=check,ignorestatus=true ctx >/dev/null
}

@test "the same as JSON, for programs" {
    need jq
    mkdir ctx
    printf 'FROM scratch\nCMD \\\n a\n' >ctx/Dockerfile
    for how in "--call=check,format=json" "--call=lint,format=json" "--check --format json"; do
        run --separate-stderr kiln build $how ctx
        [ "$status" = 1 ]
        [ "$(jq -c '.warnings[0] | [.ruleName, .url, .location]' <<<"$output")" = \
            '["JSONArgsRecommended","https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",{"ranges":[{"start":{"line":2},"end":{"line":3}}]}]' ]
        [ "$(jq -r '.sources[0].data | @base64d' <<<"$output")" = "$(cat ctx/Dockerfile)" ]
    done
}

@test "what would fail a build is told after the warnings" {
    need jq
    mkdir ctx
    printf '# check=skip=FromAsCasing;error=true\nFROM scratch as a\nCMD a\n' >ctx/Dockerfile
    run --separate-stderr kiln build --check ctx
    [ "$status" = 1 ]
    [[ "$output" == "Check complete, 1 warning has been found!"* ]]
    [[ "$stderr" == *"error: Dockerfile:3: lint violation found for rules: JSONArgsRecommended"* ]]
    run --separate-stderr kiln build ctx
    [ "$status" = 1 ]
    [[ "$stderr" == *" 1 warning found (kiln build --check shows the lines):
 - JSONArgsRecommended: JSON arguments recommended for CMD "*" (line 3)"* ]]
    [[ "$stderr" == *"error: Dockerfile:3: lint violation found for rules: JSONArgsRecommended"* ]]
    kiln build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=all ctx
    printf 'FROM scratch as Big\nRUNN x\n' >ctx/Dockerfile
    run --separate-stderr kiln build --call=check,format=json ctx
    [ "$status" = 1 ]
    [ "$(jq -r .buildError.message <<<"$output")" = "Dockerfile:2: unknown instruction: RUNN (did you mean RUN?)" ]
    [ "$(jq -c .buildError.location.ranges[0].start <<<"$output")" = '{"line":2}' ]
    [[ "$stderr" == *'   2 | >>> RUNN x'* ]]
}

@test "an image out of reach: the checks go on, and the status is 1" {
    mkdir ctx
    printf 'FROM 127.0.0.1:9/gone\nENV a=$FROM_THERE\nCMD a\n' >ctx/Dockerfile
    run --separate-stderr kiln build --check ctx
    [ "$status" = 1 ]
    [[ "$output" == "Check complete, 1 warning has been found!"*"WARNING: JSONArgsRecommended"* ]]
    [[ "$stderr" == *"error: Dockerfile:1: FROM 127.0.0.1:9/gone: "*"onnection refused"* ]]
}

@test "a build ends with its warnings, each once for all platforms" {
    need jq
    can_build
    mkdir ctx
    printf 'FROM scratch\nCMD a\n' >ctx/Dockerfile
    run --separate-stderr kiln build --platform linux/amd64,linux/arm64 ctx
    echo "$stderr"
    [ "$status" = 0 ]
    [ "$(lines_of "$stderr" '^ - JSONArgsRecommended: .* (line 2)$')" = 1 ]
    [[ "$stderr" == *"
 1 warning found (kiln build --check shows the lines):
 - JSONArgs"* ]]
    [ "$(kiln build --format json ctx 2>/dev/null | jq -c '.warnings[] | [.rule, .line]')" = '["JSONArgsRecommended",2]' ]
}

@test "--call outline: what a target takes" {
    need jq
    mkdir ctx
    cat >ctx/Dockerfile <<'DOCKERFILE'
# VERSION of the base
ARG VERSION=1
FROM scratch AS other
ARG UNUSED
# app is what runs
FROM scratch AS app
ARG VERSION
# LEVEL of noise
ARG LEVEL=low
RUN --mount=type=secret,id=token,required --mount=type=ssh --mount=type=cache,target=/c x
DOCKERFILE
    run --separate-stderr kiln build --call outline --build-arg LEVEL=high ctx
    [ "$status" = 0 ]
    [ "$output" = "TARGET:      app
DESCRIPTION: is what runs

BUILD ARG   VALUE   DESCRIPTION
VERSION     1       of the base
LEVEL       high    of noise

SECRET   REQUIRED
token    true

SSH       REQUIRED
default   

CACHE
/c" ]
    kiln build --call=outline,format=json ctx >outline 2>/dev/null
    [ "$(jq -c '[.name, .description, .args[].name, .secrets[0].required, .cache[0].ID, .ssh[0].location.ranges[0].start.line]' outline)" = \
        '["app","is what runs","VERSION","LEVEL",true,"/c",10]' ]
}

@test "--call targets: needs neither store nor image" {
    need jq
    mkdir ctx
    printf '# build compiles\nFROM 127.0.0.1:9/gone AS build\nFROM build\n' >ctx/Dockerfile
    export KILN_ROOT=/proc/no/store
    run --separate-stderr kiln build --call targets ctx
    [ "$status" = 0 ]
    [ "$output" = "TARGET    DESCRIPTION
build     compiles
(default) " ]
    [ "$(kiln build --call=targets,format=json ctx 2>/dev/null | jq -c '.targets[] | [.name, .base, .default]')" = \
        '["build","127.0.0.1:9/gone",null]
[null,"build",true]' ]
}

@test "wrong questions, and other front ends" {
    mkdir ctx
    echo 'FROM scratch' >ctx/Dockerfile
    for call in what check,format=xml outline,x; do
        run kiln build --call "$call" ctx
        [ "$status" = 2 ]
        [[ "$output" == "error: --call $call: "* ]]
    done
    run kiln build --check --call targets ctx
    [ "$status" = 2 ]
    printf '#!/usr/bin/env kiln\n# syntax=example.com/frontend:2 x\nFROM scratch\n' >ctx/Dockerfile
    for flags in "" --check "--call targets"; do
        run kiln build $flags ctx
        [ "$status" = 1 ]
        [[ "$output" == *"error: Dockerfile:2: # syntax=example.com/frontend:2: not docker/dockerfile"* ]]
        [[ "$output" == *"hint: "*"--build-arg BUILDKIT_SYNTAX=docker/dockerfile:1" ]]
    done
    kiln build --check --build-arg BUILDKIT_SYNTAX=docker.io/docker/dockerfile:1.7-labs ctx
    run kiln build --check --build-arg BUILDKIT_SYNTAX=example.com/f ctx
    [ "$status" = 1 ]
    [[ "$output" == *"error: Dockerfile: BUILDKIT_SYNTAX=example.com/f: not docker/dockerfile"* ]]
}
