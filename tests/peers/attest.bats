#!/usr/bin/env bats
# What is said of images, between kiln and docker's buildx with BuildKit (tests/peers/trixie).

load helper
load ../harness/registry

setup_file() {
    export KILN_PEERS_INSTANCE=attest
}

teardown() {
    stop_registry
}

teardown_file() {
    KILN_PEERS_INSTANCE=attest "$BATS_TEST_DIRNAME/trixie" stop >/dev/null 2>&1 || true
}

# The witness is made by hand (two minutes, 900 MB): where it is not there the cases are skipped.
docker() {
    "$BATS_TEST_DIRNAME/trixie" run docker "$@"
}

ready() {
    [ -e "${KILN_PEERS:-${XDG_CACHE_HOME:-/var/cache}/kiln-peers}/trixie/root/.complete" ] ||
        skip "needs the chroot that tests/peers/trixie make makes"
    need jq busybox
    can_build
    "$BATS_TEST_DIRNAME/trixie" start >/dev/null 3>&-
    start_registry </dev/null
    registry=localhost:${registry#*:} # which docker speaks to without TLS
    mkdir -p ctx
    cp "$(command -v busybox)" ctx/busybox
    cat >ctx/Dockerfile <<'DOCKERFILE'
FROM scratch AS one
COPY --chown=1:2 --chmod=755 busybox /bin/busybox
FROM scratch
ARG A=1
COPY --from=one /bin/busybox /bin/
ADD busybox /b
WORKDIR /w
RUN --network=none --mount=type=cache,id=c,target=/c --mount=type=secret,id=s --mount=type=tmpfs,target=/t ["/bin/busybox","true"]
COPY <<F /x
hello
F
DOCKERFILE
}

@test "buildx reads the bill and the provenance that kiln attached" {
    ready
    mkdir -p ctx/node_modules/a
    printf '{"name":"a","version":"1"}' >ctx/node_modules/a/package.json
    printf 'FROM scratch\nCOPY . /\n' >ctx/Dockerfile
    kiln build --quiet -t "$registry/ours:1" --push --sbom=true --provenance=mode=max,builder-id=https://ci/1 ctx >/dev/null
    docker buildx imagetools inspect "$registry/ours:1" --format '{{ json .SBOM.SPDX }}' |
        jq -e '.packages[] | select(.name == "a") | .versionInfo == "1"'
    docker buildx imagetools inspect "$registry/ours:1" --format '{{ json .Provenance.SLSA }}' |
        jq -e '.runDetails.builder.id == "https://ci/1"'
    docker buildx imagetools inspect "$registry/ours:1" | grep -q 'vnd.docker.reference.type:.*attestation-manifest'
}

@test "kiln reads what BuildKit attached, and says the same of the same Dockerfile" {
    ready
    docker buildx build --quiet --provenance=mode=max --build-arg A=x -t "$registry/theirs:1" --push "$PWD/ctx" 2>/dev/null
    kiln provenance --format json "$registry/theirs:1" >theirs.json
    kiln build --quiet --provenance=mode=max,version=v0.2 --build-arg A=x -t ours ctx >/dev/null
    kiln provenance --format json ours >ours.json
    # Digests depend on how a context is asked for, which is not the same in both; times and ids too.
    same='del(.metadata.buildInvocationID, .metadata.buildStartedOn, .metadata.buildFinishedOn, .buildConfig.digestMapping)
        | del(.buildConfig.llbDefinition[].op.Op?.source?.attrs["local.followpaths"])
        | .metadata["https://mobyproject.org/buildkit@v1#metadata"] |=
            {source: (.source.locations | keys), files: [.source.infos[] | [.filename, .data]],
             layers: (.layers | map_values(.[0] | length))}'
    diff <(jq -S "$same" theirs.json) <(jq -S "$same" ours.json)
}

@test "kiln makes a bill of an image of BuildKit's that has none" {
    ready
    docker buildx build --quiet --provenance=false -t "$registry/theirs:2" --push "$PWD/ctx" 2>/dev/null
    run --separate-stderr kiln sbom "$registry/theirs:2"
    [ "$status" = 0 ]
    [[ $stderr = *"no bill is attached"* ]]
}
