# kill -9 at any moment: nothing of kiln lives on, the store works, and the next build gives what it
# always would have.
load helper

# What is looked for by its path: a copy of the program that no other case starts.
setup() {
    kiln_setup
    mkdir bin
    cp "$KILN" bin/kiln
    kiln=$PWD/bin/kiln
    export SOURCE_DATE_EPOCH=1700000000
    base
    context <<'DOCKERFILE'
FROM base AS side
COPY large /large
RUN for i in 1 2 3; do cat /large /large > /copy-$i; done; sleep 0.1; echo side > /side
FROM base AS left
RUN (trap '' TERM HUP; sleep 1987 &) ; for i in $(seq 200); do echo $i > /file-$i; done; sleep 0.1
RUN rm /file-1* && mkdir /d && mv /file-2* /d
FROM base
COPY --from=side /copy-1 /side /
COPY --from=left /d /d
RUN --mount=type=cache,target=/cache echo x >> /cache/x && sleep 0.1 && cp /side /made
DOCKERFILE
    head -c 3000000 <(yes "a line of no use") >ctx/large
}

# Processes of our copy, or in whose mounts the store is, or that a step left behind.
leftovers() {
    find /proc -maxdepth 2 -name exe -lname "$kiln" 2>/dev/null
    grep -ls -F "$KILN_ROOT" /proc/[0-9]*/mountinfo
    pgrep -fx 'sleep 1987'
} || true

# Waits until there are none, for at most five seconds.
gone() {
    local i
    for ((i = 0; i < 100; i++)); do
        [ -n "$(leftovers)" ] || return 0
        sleep 0.05
    done
    leftovers
    return 1
}

# Every blob is what its name says; no folder of a dead process is left after a build.
sound() {
    (cd "$KILN_ROOT/blobs/sha256" && find . -type f -printf '%f  %f\n' | sha256sum --check --quiet --strict)
    [ -z "$(find "$KILN_ROOT/snapshots/tmp" -mindepth 1 -maxdepth 1 -type d)" ]
    "$kiln" images --format json | jq -e 'length >= 1' >/dev/null
}

@test "twenty times at a random moment" {
    need jq
    cp -a "$KILN_ROOT" pristine
    want=$(KILN_ROOT=$PWD/pristine "$kiln" build -q ctx)
    cp -a "$KILN_ROOT" before
    RANDOM=20261124
    for n in $(seq 20); do
        # Half of the times the store is as new, so that the beginning is hit too.
        if [ $((n % 2)) = 0 ]; then
            rm -rf "$KILN_ROOT"
            cp -a before "$KILN_ROOT"
        fi
        ms=$((RANDOM % 700))
        echo "# $n: after $ms ms"
        "$kiln" build -q --no-cache -t app ctx >/dev/null 2>log 3>&- &
        pid=$!
        sleep "$(printf '0.%03d' $ms)"
        [ -z "$(leftovers)" ] || seen=1
        kill -9 $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
        gone
        if [ $((n % 5)) = 0 ]; then
            [ "$("$kiln" build -q -t app ctx)" = "$want" ]
            [ "$("$kiln" run app cat /made)" = side ]
            sound
        fi
    done
    [ -n "${seen:-}" ] # else nothing was looked for
    [ "$("$kiln" build -q -t app --no-cache ctx)" = "$want" ]
    sound
}

@test "the launcher of steps is killed: the build fails, says so, and leaves nothing" {
    printf 'FROM base\nRUN echo began; sleep 1987\n' >ctx/Dockerfile
    "$kiln" build --progress plain ctx >log 2>&1 3>&- &
    pid=$!
    for ((i = 0; i < 500; i++)); do
        ! grep -q ' began$' log || break
        sleep 0.02
    done
    grep ' began$' log
    pkill -9 -P $pid
    wait $pid && status=0 || status=$?
    cat log
    [ $status = 1 ]
    grep '^error: ' log
    gone
}
