# tests/harness/registry.bash - for Bats files: Debian's docker-registry on a free port of this machine.

# start_registry: sets $registry to HOST:PORT.  It ends with stop_registry, or after ten minutes.
start_registry() {
    need docker-registry timeout
    local folder="$BATS_TEST_TMPDIR/registry" i
    mkdir -p "$folder/data"
    cat >"$folder/config.yml" <<CONFIG
version: 0.1
log: {level: info, formatter: json}
storage: {filesystem: {rootdirectory: $folder/data}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
$(cat)
CONFIG
    : >"$folder/log"
    timeout 600 docker-registry serve "$folder/config.yml" >>"$folder/log" 2>&1 3>&- &
    registry_pid=$!
    for ((i = 0; i < 500; i++)); do
        registry=$(sed -n 's/.*listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$folder/log")
        [ -z "$registry" ] || return 0
        sleep 0.02
    done
    cat "$folder/log" >&2
    return 1
}

stop_registry() {
    [ -z "${registry_pid:-}" ] || kill "$registry_pid" 2>/dev/null || true
}
