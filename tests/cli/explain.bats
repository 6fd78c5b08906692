# kiln build --explain: hit or miss, and for a miss what differs from the last build.
load helper

setup() {
    kiln_setup
    base
    mkdir app
    echo one >app/a
    echo one >app/b
    cat >app/Dockerfile <<'DOCKERFILE'
FROM base
ARG VERSION=1
COPY a b /d/
RUN echo $VERSION > /version
RUN echo last > /last
DOCKERFILE
}

# why STEP: what is said below the line of the step.
why() {
    kiln build --explain --progress plain "${@:2}" app 2>log || true
    grep -F -A 1 -e "$1" <(sed -n '/^why each step/,$p' log) | sed -n '2s/^ *//p'
}

@test "the first time every step is new, the second time every step is a hit" {
    [ "$(why 'COPY a b')" = "MISS: not built here before" ]
    [ "$(why 'COPY a b')" = "hit" ]
    [ "$(why 'RUN echo last')" = "hit" ]
}

@test "a file by its path, one that is new, one that is gone" {
    why RUN
    echo two >app/b
    [ "$(why 'COPY a b')" = "MISS: file b changed" ]
    [[ "$(why 'RUN echo last')" = hit ]]
    mkdir -p app/src/deep
    touch app/src/one app/src/deep/two
    printf 'FROM base\nCOPY src /src\n' >app/Dockerfile
    why COPY
    echo 1 >app/src/deep/two
    touch -d 2001-01-01 app/src/one # its time is no content
    [ "$(why 'COPY src')" = "MISS: file src/deep/two changed" ]
    touch app/src/three
    [ "$(why 'COPY src')" = "MISS: file src/three is new" ]
    rm app/src/one app/src/three
    echo 2 >app/src/deep/two
    [ "$(why 'COPY src')" = "MISS: file src/deep/two changed, and 2 more" ]
}

@test "a file of another stage" {
    printf 'FROM base AS make\nARG V=1\nRUN mkdir /out; echo $V >/out/a; echo >/out/b\nFROM base\nCOPY --from=make /out /d\n' \
        >app/Dockerfile
    why COPY
    [ "$(why 'COPY --from' --build-arg V=2)" = "MISS: file out/a changed" ]
}

@test "an argument" {
    why RUN
    [ "$(why 'RUN echo 2 >' --build-arg VERSION=2)" = "MISS: variable VERSION changed" ]
}

@test "an instruction, and what stands on it" {
    why RUN
    sed -i 's/echo \$VERSION/echo v$VERSION/' app/Dockerfile
    [[ "$(why 'RUN echo v1')" == "MISS: the command was: /bin/sh -c echo \$VERSION > /version" ]]
    sed -i 's/echo v/echo w/' app/Dockerfile
    kiln build --explain --progress plain app 2>log
    grep -A 1 'RUN echo last' log | grep -q 'MISS: the result of .*RUN echo w1.* changed'
}

@test "a base image by its digest" {
    why RUN
    printf 'FROM base\nRUN echo more > /more\n' >other.Dockerfile
    kiln build --quiet -t base -f other.Dockerfile app
    [[ "$(why 'COPY a b')" =~ ^"MISS: "docker.io/library/base:latest" was sha256:"[0-9a-f]{12}", is sha256:"[0-9a-f]{12}$ ]]
}

@test "--no-cache, a result that was pruned, and --cache-only" {
    why RUN
    [ "$(why 'RUN echo last' --no-cache)" = "MISS: asked for (--no-cache)" ]
    kiln prune --force >/dev/null
    [[ "$(why 'COPY a b')" == "MISS: nothing differs, but its result is no longer in the store" ]]
    [ "$(why 'RUN echo last' --cache-only --build-arg VERSION=3)" = "not reached" ]
    grep -A 1 'RUN echo 3' log | grep -q 'MISS: variable VERSION changed'
}

@test "as JSON, with the line" {
    need jq
    why RUN
    kiln build --explain --format json --progress quiet --build-arg VERSION=5 app >json
    [ "$(jq -r '.steps[] | select(.line == 4) | .why' json)" = "variable VERSION changed" ]
    [ "$(jq -r '.steps[] | select(.line == 3) | "\(.hit) \(.by)"' json)" = "true definition" ]
}
