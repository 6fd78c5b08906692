# Several kiln processes on one store at once.
load helper

@test "what two builds run at once is run once, and both get it" {
    base
    mkdir app
    cat >app/Dockerfile <<'DOCKERFILE'
FROM base
RUN --mount=type=cache,target=/count echo ran >> /count/runs && sleep 1 && date +%s%N > /when
DOCKERFILE
    cat >count.Dockerfile <<'DOCKERFILE'
FROM base
RUN --mount=type=cache,target=/count wc -l < /count/runs > /n
DOCKERFILE
    kiln build --progress plain -t first app 2>first.log &
    local first=$!
    kiln build --progress plain -t second app 2>second.log
    wait "$first"
    kiln build --quiet -t count -f count.Dockerfile app
    [ "$(kiln run count cat /n)" -eq 1 ]
    [ "$(kiln run first cat /when)" = "$(kiln run second cat /when)" ]
    [ -z "$(ls "$KILN_ROOT/claims")" ]
}

@test "a build that waits for another takes over when that is killed" {
    base
    mkdir app
    cat >app/Dockerfile <<'DOCKERFILE'
FROM base
RUN --mount=type=cache,target=/mark [ -e /mark/second ] || { touch /mark/second; sleep 60; }
DOCKERFILE
    kiln build --progress plain -t first app 2>first.log &
    local first=$!
    for _ in $(seq 100); do
        grep -q '\[2/2\] RUN' first.log && break
        sleep 0.1
    done
    sleep 0.3
    kiln build --progress plain -t second app 2>second.log &
    local second=$!
    for _ in $(seq 100); do
        grep -q 'waiting for another build' second.log && break
        sleep 0.1
    done
    kill -9 "$first"
    wait "$first" || true
    wait "$second"
    kiln inspect second >/dev/null
}
