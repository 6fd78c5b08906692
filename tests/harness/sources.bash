# tests/harness/sources.bash - for Bats files: files and repositories served on free ports of this machine.

# start_sources: sets $http, $git (URLs without a last slash) and $served (the folder); stop_sources ends it.  With
# "repositories" the repositories of tests/harness/repository are there.
start_sources() {
    need python3 git
    local here ports i
    here=$(dirname "${BASH_SOURCE[0]}")
    served="$BATS_TEST_TMPDIR/served"
    mkdir -p "$served/files"
    [ "${1:-}" != repositories ] || "$here/repository" "$served"
    mkfifo "$served/hold"
    : >"$served/ports"
    # Both ends are open here, so that neither side waits; closing them ends the server.
    exec {sources_hold}<>"$served/hold"
    "$here/source-server" "$served" <"$served/hold" >"$served/ports" 2>"$served/errors" 3>&- {sources_hold}>&- &
    sources_pid=$!
    for ((i = 0; i < 500; i++)); do
        ports=$(cat "$served/ports")
        [ -z "$ports" ] || break
        sleep 0.02
    done
    [ -n "$ports" ] || { cat "$served/errors" >&2; return 1; }
    set -- $ports
    # shellcheck disable=SC2034 # for the files that load this
    http="http://127.0.0.1:$1" git="git://127.0.0.1:$2"
}

stop_sources() {
    [ -n "${sources_pid:-}" ] || return 0
    exec {sources_hold}>&-
    kill "$sources_pid" 2>/dev/null || true
    wait "$sources_pid" 2>/dev/null || true
    sources_pid=
}

# requests [PATTERN]: the lines of the server's log, those that match alone.
requests() {
    grep -e "${1:-}" "$served/log" 2>/dev/null || true
}
