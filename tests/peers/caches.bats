# Caches go both ways between kiln and BuildKit: the daemons of tests/peers/trixie, where they were made.
load helper
load ../harness/registry

suites="trixie forky" # BuildKit 0.13 and 0.25

# docker SUITE ...: in the chroot, with a daemon of this file's own.
docker_of() {
    local suite=$1
    shift
    KILN_PEERS_SUITE=$suite KILN_PEERS_INSTANCE=caches "$BATS_TEST_DIRNAME/trixie" "$@"
}

has_suite() {
    [ "$(id -u)" = 0 ] && [ -e "${KILN_PEERS:-${XDG_CACHE_HOME:-/var/cache}/kiln-peers}/$1/root/.complete" ]
}

setup_file() {
    local suite
    for suite in $suites; do
        ! has_suite "$suite" || docker_of "$suite" start >/dev/null 2>&1 3>&-
    done
}

teardown_file() {
    local suite
    for suite in $suites; do
        ! has_suite "$suite" || docker_of "$suite" stop >/dev/null 2>&1
    done
}

teardown() {
    stop_registry
}

# start: a base image in a registry, and a context whose Dockerfile `steps_for` writes.
start() {
    has_suite trixie || has_suite forky || skip "needs root and tests/peers/trixie make"
    can_build
    need busybox jq
    start_registry </dev/null
    mkdir -p base ctx/folder/deep
    cp "$(command -v busybox)" base/busybox
    cat >base/Dockerfile <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /etc /tmp && echo root:x:0:0:root:/root:/bin/sh > /etc/passwd && echo root:x:0: > /etc/group && \
    echo app:x:7:8::/home:/bin/sh >> /etc/passwd && echo app:x:8: >> /etc/group
DOCKERFILE
    kiln build -q -t "$registry/base" --push base >/dev/null
    echo one >ctx/folder/one
    echo two >ctx/folder/deep/two
    ln -s ../folder/one ctx/folder/link
    chmod 0700 ctx/folder/deep
    echo ignored >ctx/folder/ignored
    echo folder/ignored >ctx/.dockerignore
}

# steps_for SUITE: a Dockerfile with steps of all kinds.  BuildKit 0.13 keyed owners and steps with mounts in
# another way than 0.25 does, and kiln.
steps_for() {
    cat >ctx/Dockerfile <<DOCKERFILE
FROM $registry/base AS tool
ARG WORD=word
RUN echo \$WORD > /tool && mkdir /dir && cat /proc/sys/kernel/random/uuid > /dir/uuid
FROM $registry/base AS last
ENV A=b
WORKDIR /app/here
COPY folder folder
COPY --chmod=0750 folder/one folder/l* /picked/
COPY --from=tool /tool /tool
COPY --from=tool /dir /copied
ADD folder/deep /deep/
DOCKERFILE
    [ "$1" = trixie ] || cat >>ctx/Dockerfile <<'DOCKERFILE'
COPY --chown=app:app folder /owned
COPY --from=tool --chown=7 /dir /owned
RUN --mount=type=bind,from=tool,source=/dir,target=/m cat /m/uuid > /seen
RUN --mount=type=tmpfs,target=/t --mount=type=bind,source=folder,target=/f cat /f/one > /t/x && cp /t/x /one
RUN --mount=type=cache,id=mine,target=/c --mount=type=cache,target=/d,uid=7,mode=0700 echo x > /c/x
RUN --mount=type=secret,id=s true
DOCKERFILE
    cat >>ctx/Dockerfile <<'DOCKERFILE'
USER app
RUN cat /proc/sys/kernel/random/uuid > /home/moment || true
RUN echo last
DOCKERFILE
}

# missed LOG: steps that kiln did not take from a cache.
missed() {
    awk '/^#[0-9]+ \[/ && !($1 in name) { name[$1] = $0; sub(/^#[0-9]+ /, "", name[$1]) }
        /^#[0-9]+ CACHED/ { cached[$1] = 1 }
        END { for (n in name) if (!(n in cached) && name[n] ~ / (RUN|COPY|ADD|WORKDIR) /) print name[n] }' <<<"$1"
}

# bk SUITE ARGS ...: BuildKit builds ctx, with nothing of its own; $missed: steps that it did not take from a
# cache.  (In its plain log a cached step whose layers are pulled looks like one that ran.)
bk() {
    local suite=$1
    shift
    docker_of "$suite" run docker builder prune -af >/dev/null 2>&1
    docker_of "$suite" run docker buildx build --network none --progress rawjson "$@" ctx >bk.log 2>&1 || {
        cat bk.log
        return 1
    }
    missed=$(jq -rn '[inputs | .vertexes[]?] | group_by(.digest)[] | select(any(.cached) | not) |
        [.[].name | select(. != null)] | last | select(test(" (RUN|COPY|ADD|WORKDIR) "))' bk.log)
    n_cached=$(grep -c '"cached": *true' bk.log || true)
}

fresh() {
    export KILN_ROOT="$BATS_TEST_TMPDIR/$1"
}

@test "BuildKit takes all steps from kiln's cache: registry, folder, image; with cache mounts in it" {
    start
    for suite in $suites; do
        has_suite "$suite" || continue
        steps_for "$suite"
        kiln build -q --network none -t "$registry/app" --push --cache-to type=inline --cache-to "$registry/min" \
            --cache-to "type=registry,ref=$registry/max,mode=max,mounts=all" \
            --cache-to "type=registry,ref=$registry/index,mode=max,image-manifest=false" \
            --cache-to "type=local,dest=folder,mode=max,compression=zstd,force-compression=true" ctx >/dev/null
        for from in "type=registry,ref=$registry/max" "type=registry,ref=$registry/index" "type=registry,ref=$registry/min" \
            "type=local,src=$PWD/folder" "type=registry,ref=$registry/app"; do
            bk "$suite" --cache-from "$from"
            echo "$suite $from: $missed"
            [ "$n_cached" -gt 0 ]
            [ -z "$missed" ]
        done
    done
}

@test "kiln takes all steps from BuildKit's cache: registry, folder, image; and gives it back" {
    start
    for suite in $suites; do
        has_suite "$suite" || continue
        steps_for "$suite"
        bk "$suite" --cache-to "type=registry,ref=$registry/$suite,mode=max" --cache-to \
            "type=local,dest=$PWD/folder-$suite,mode=max"
        bk "$suite" -t "$registry/app-$suite" --push --build-arg BUILDKIT_INLINE_CACHE=1
        for from in "$registry/$suite" "type=local,src=folder-$suite" "$registry/app-$suite"; do
            fresh "store-${from//\//-}"
            run --separate-stderr kiln build --network none --progress plain -t app --cache-from "$from" ctx
            echo "$suite $from: $stderr"
            [ "$status" = 0 ]
            [ -z "$(missed "$stderr")" ]
        done
        [ -n "$(kiln run app cat /copied/uuid)" ]
        kiln build -q --network none --cache-to "type=registry,ref=$registry/back-$suite,mode=max" ctx >/dev/null
        bk "$suite" --cache-from "type=registry,ref=$registry/back-$suite"
        echo "$suite back: $missed"
        [ -z "$missed" ]
    done
}

@test "of a changed context both run the same steps, whoever made the cache" {
    start
    for suite in $suites; do
        has_suite "$suite" || continue
        steps_for "$suite"
        echo two >ctx/folder/deep/two
        kiln build -q --network none --cache-to "type=registry,ref=$registry/kiln,mode=max" ctx >/dev/null
        touch -d '2001-01-01' ctx/folder/one # no change
        echo changed >ctx/folder/deep/two
        fresh "other-$suite"
        run --separate-stderr kiln build --network none --progress plain --cache-from "$registry/kiln" ctx
        want=$(missed "$stderr" | sort)
        [ -n "$want" ]
        bk "$suite" --cache-from "type=registry,ref=$registry/kiln"
        echo "$suite: $missed"
        echo "kiln: $want"
        [ "$(sort <<<"$missed")" = "$want" ]
    done
}
