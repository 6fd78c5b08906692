# tests/peers/helper.bash - `load helper`: images to look at, other users, other tools.
load ../harness/kiln

corpus=$BATS_TEST_DIRNAME/corpus

# can_build: skips where this machine permits no sandbox.
can_build() {
    kiln doctor >/dev/null || skip "images cannot be built here: $(kiln doctor | grep -m 1 BAD)"
}

# What all cases of a file share, in $shared: the program where any user may start it, the context of
# the corpus, a base image's context.
share() {
    need busybox python3
    shared=$BATS_FILE_TMPDIR/shared
    chmod a+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/file" "$BATS_FILE_TMPDIR" 2>/dev/null || true
    mkdir -p "$shared/bin" "$shared/base"
    cp "$KILN" "$shared/bin/kiln"
    cp "$(command -v busybox)" "$shared/base/busybox"
    cat >"$shared/base/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p -m 1777 /tmp /var/tmp && mkdir -p /etc /root && \
    echo root:x:0:0:root:/root:/bin/sh > /etc/passwd && echo root:x:0: > /etc/group
CMD ["echo", "hello from base"]
DOCKERFILE
    cp -r "$corpus" "$BATS_TEST_DIRNAME/build-corpus" "$shared"
    "$corpus/make-context" "$shared/context"
    chmod -R a+rX "$shared/bin" "$shared/base" "$shared/corpus"
    export shared
}

# need_of DOCKERFILE: what its first line says that it needs.
need_of() {
    sed -n '1s/^# needs: //p' "$1"
}

# as_user SUBIDS COMMAND ...: as nobody, with SUBIDS in /etc/subuid and /etc/subgid ("" for none); nothing
# of the machine changes.
as_user() {
    printf '%s' "$1" >"$BATS_TEST_TMPDIR/subids"
    chmod 0644 "$BATS_TEST_TMPDIR/subids"
    shift
    # shellcheck disable=SC2016
    unshare --mount sh -c 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid &&
        exec setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups "$@"' \
        "$BATS_TEST_TMPDIR/subids" "$@"
}
# shellcheck disable=SC2034 # for the files that load this
ranges=nobody:200000:65536$'\n'

need_root() {
    [ "$(id -u)" = 0 ] || skip "needs root to become another user"
    need unshare setpriv
}

# serve [FLAG ...]: the embedded registry over $KILN_ROOT; sets $registry to HOST:PORT.
serve() {
    local i
    : >"$BATS_TEST_TMPDIR/address"
    kiln registry serve --address 127.0.0.1:0 -q "$@" >"$BATS_TEST_TMPDIR/address" 3>&- &
    server=$!
    for ((i = 0; i < 500; i++)); do
        registry=$(cat "$BATS_TEST_TMPDIR/address")
        [ -z "$registry" ] || return 0
        sleep 0.02
    done
    return 1
}

stop_serving() {
    [ -z "${server:-}" ] || { kill "$server" && wait "$server"; } || true
    server=
}

# built: a copy of the store where the corpus was built (by setup_file, in $shared/store).
built() {
    cp -a "$shared/store" "$BATS_TEST_TMPDIR/built"
    export KILN_ROOT=$BATS_TEST_TMPDIR/built
}

# copy FROM TO: skopeo between anything and anything, in plain HTTP.
copy() {
    skopeo copy --quiet --insecure-policy --src-tls-verify=false --dest-tls-verify=false "$@"
}

# layout_digest FOLDER: of the one image in a layout.
layout_digest() {
    jq -r '.manifests[0].digest' "$1/index.json"
}

build_corpus_once() {
    kiln_setup
    can_build
    share
    "$shared/build-corpus" "$shared" "$shared/store" "$shared/context" "$@" >"$shared/want"
}
