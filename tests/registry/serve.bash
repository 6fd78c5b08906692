# tests/registry/serve.bash - for Bats files: `load serve`.  Starts the embedded registry over a
# store of the case's own; makes images to push; asks by curl.

setup() {
    export HOME="$BATS_TEST_TMPDIR/home" LC_ALL=C.UTF-8 TZ=UTC
    unset XDG_RUNTIME_DIR DOCKER_CONFIG REGISTRY_AUTH_FILE http_proxy https_proxy
    mkdir -p "$HOME" "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work" || return 1
}

teardown() {
    stop
}

need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "needs $program"
    done
}

# serve [OPTION ...]: sets $AT to host:port.  The registry ends with descriptor 9.
serve() {
    stop
    rm -f in
    mkfifo in
    "$KILN_SERVE" store "$@" <in >log 2>err 3>&- &
    SERVE_PID=$!
    exec 9>in
    while [ ! -s log ] && kill -0 "$SERVE_PID" 2>/dev/null; do
        sleep 0.05
    done
    AT="127.0.0.1:$(head -n 1 log)"
    [ "$AT" != "127.0.0.1:" ] || { cat err; return 1; }
}

stop() {
    [ -n "${SERVE_PID:-}" ] || return 0
    exec 9>&-
    wait "$SERVE_PID"
    SERVE_PID=
}

sha() {
    printf 'sha256:%s' "$(sha256sum <"$1" | cut -d' ' -f1)"
}

# layout FOLDER TEXT: an OCI layout of one image with one layer that holds TEXT; tag v1.
layout() {
    local to="$1" size
    mkdir -p "$to/blobs/sha256" tree
    printf '%s' "$2" >tree/file
    tar --sort=name --mtime=@0 --owner=0 --group=0 -C tree -cf layer.tar file
    gzip -n <layer.tar >layer
    printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["%s"]},"rootfs":{"type":"layers","diff_ids":["%s"]}}' \
        "$2" "$(sha layer.tar)" >config
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%d}]}' \
        "$(sha config)" "$(stat -c %s config)" "$(sha layer)" "$(stat -c %s layer)" >manifest
    for file in layer config manifest; do
        cp "$file" "$to/blobs/sha256/$(sha256sum <"$file" | cut -d' ' -f1)"
    done
    size=$(stat -c %s manifest)
    printf '{"imageLayoutVersion":"1.0.0"}' >"$to/oci-layout"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}' \
        "$(sha manifest)" "$size" >"$to/index.json"
}

# req STATUS METHOD TARGET [CURL-ARGUMENT ...]: one request; its header is in `answer.head`, its body in
# `body`.  TARGET begins with /, or is a Location.
req() {
    local want="$1" method="$2" target="$3" got how
    shift 3
    case "$target" in http*) ;; *) target="http://$AT$target" ;; esac
    how=(-X "$method")
    [ "$method" = HEAD ] && how=(-I)
    got=$(curl -sS -o body -D answer.head -w '%{http_code}' "${how[@]}" "$@" "$target") || return 1
    sed -i 's/\r$//' answer.head
    if [ "$got" != "$want" ]; then
        echo "$method $target: $got, expected $want"
        cat body
        return 1
    fi
}

# The value of a header of the last answer.
header() {
    sed -n "s/^$1: //Ip" answer.head | head -n 1
}

code() {
    jq -r '.errors[0].code' body
}
