# What goes wrong, as its user meets it: the place, the reason, the remedy; and a store that works after.
load helper

# fails_with TEXT: builds ctx, whose Dockerfile comes from stdin; stderr ends with TEXT.
fails_with() {
    cat >ctx/Dockerfile
    run --separate-stderr kiln build --progress plain ctx
    echo "$stderr"
    [ "$status" = 1 ]
    [ -z "$output" ]
    [[ "$stderr" == *"$1" ]]
}

@test "a wrong Dockerfile: file, line, excerpt, remedy" {
    can_build
    mkdir ctx
    fails_with '
   3 | >>> COPPY a \
   4 | >>>     b
   5 |     ENV a=b
error: Dockerfile:3: unknown instruction: COPPY (did you mean COPY?)
hint: did you mean COPY?' <<'DOCKERFILE'
FROM scratch

COPPY a \
    b
ENV a=b
DOCKERFILE
    fails_with 'error: Dockerfile:2: unterminated heredoc
hint: end it with a line that is END and nothing else' <<'DOCKERFILE'
FROM scratch
COPY <<END /file
text
DOCKERFILE
    fails_with 'error: Dockerfile:2: unknown flag: --chwon (did you mean chown?)
hint: did you mean chown?' <<'DOCKERFILE'
FROM scratch
COPY --chwon=1 a /
DOCKERFILE
    fails_with 'error: Dockerfile:1: no build stage in current context
hint: only ARG may stand before the first FROM' <<<'RUN true'
    fails_with 'error: Dockerfile: the Dockerfile cannot be empty' </dev/null
}

@test "a source that is missing, and one that .dockerignore hides: by which line, and what helps" {
    can_build
    mkdir -p ctx/conf
    echo x >ctx/conf/x
    fails_with 'error: Dockerfile:2: [1/1] COPY missing /: "missing": not in the build context' <<'DOCKERFILE'
FROM scratch
COPY missing /
DOCKERFILE
    printf '# comment\n*.log\nconf\n' >ctx/.dockerignore
    fails_with '"conf/x": not in the build context
hint: "conf/x" is excluded by .dockerignore:3; add "!conf/x" below it' <<'DOCKERFILE'
FROM scratch
COPY conf/x /
DOCKERFILE
    echo '!conf/x' >>ctx/.dockerignore
    kiln build -q ctx # and that does help
    printf 'ok\n[\n' >ctx/.dockerignore
    fails_with '.dockerignore:2: pattern "[": syntax error in pattern
hint: a class needs its '"']'"', a backslash something behind it; write \[ for a plain bracket' <<'DOCKERFILE'
FROM scratch
COPY conf/x /
DOCKERFILE
}

@test "a step that cannot run: no such program, no such user, no such secret" {
    base
    mkdir -p ctx
    fails_with 'error: Dockerfile:2: [2/2] RUN ["/nothing"]: start /nothing: not in the image' <<'DOCKERFILE'
FROM base
RUN ["/nothing"]
DOCKERFILE
    fails_with "error: Dockerfile:3: [2/2] RUN true: user \"nosuch\": not in the image's /etc/passwd
hint: create it in an earlier RUN, or use a number" <<'DOCKERFILE'
FROM base
USER nosuch
RUN true
DOCKERFILE
    fails_with 'secret x: not found
hint: give it with --secret id=x,src=FILE' <<'DOCKERFILE'
FROM base
RUN --mount=type=secret,id=x,required=true true
DOCKERFILE
}

@test "a pipe and a socket in the context: the pipe is copied unread, the socket is none of it" {
    need python3 timeout
    base
    mkdir -p ctx
    mkfifo ctx/pipe
    (cd ctx && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")')
    printf 'FROM base\nCOPY . /all/\nRUN test -p /all/pipe && test ! -e /all/socket\n' >ctx/Dockerfile
    timeout 20 "$KILN" build -q ctx
}

@test "a full disk: an error that says so, and the store works when there is room" {
    [ "$(id -u)" = 0 ] && need unshare || skip "needs root to mount a small disk"
    base
    mkdir -p small ctx
    cat >in-small <<'SH'
set -eu
mount -t tmpfs -o size=24M small "$PWD/small"
cp -a "$KILN_ROOT/." small
export KILN_ROOT=$PWD/small
run_full() {
    ! kiln build --progress plain ctx >log 2>&1 || exit 3
    cat log
    grep -q -i 'no space left on device' log
}
head -c 14000000 /dev/urandom >ctx/big # fits once, not as a layer too
printf 'FROM base\nCOPY big /big\n' >ctx/Dockerfile
run_full
tail -n 1 log | grep '^hint: kiln prune '
printf 'FROM base\nRUN dd if=/dev/zero of=/zeros bs=1000000 count=40\n' >ctx/Dockerfile
run_full
head -c 14000 /dev/urandom >ctx/big
printf 'FROM base\nCOPY big /big\nCMD ["wc", "-c", "/big"]\n' >ctx/Dockerfile
kiln build -q -t app ctx
[ "$(kiln run app)" = "14000 /big" ]
kiln prune
[ "$(kiln run app)" = "14000 /big" ]
(cd small/blobs/sha256 && find . -type f -printf '%f  %f\n' | sha256sum --check --quiet --strict)
SH
    unshare --mount bash in-small
}

@test "a registry that is down, wants a login, or lies about what it has" {
    need python3 jq
    base
    mkdir -p ctx
    kiln build -q -t it -o type=oci,tar=false,dest=layout -f - ctx <<<'FROM base'
    mkfifo alive
    "$BATS_TEST_DIRNAME/lying-registry" layout <alive >address 3>&- &
    exec 9>alive
    for ((i = 0; i < 250; i++)); do
        [ ! -s address ] || break
        sleep 0.02
    done
    at=$(cat address)
    size=$(jq '.layers[-1].size' "layout/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' layout/index.json)")
    export KILN_ROOT=$PWD/fresh
    while IFS='|' read -r lie want; do
        run kiln run "$at/$lie" true
        echo "$lie: $output"
        [ "$status" = 1 ]
        [[ "$output" == *"error: run $at/$lie:latest: "*$want* ]]
    done <<ROWS
other|sha256:
short|sha256:
long|sha256:
size|$((size + 1))
login|kiln login $at stores them
ROWS
    kiln run "$at/honest" true
    (cd fresh/blobs/sha256 && find . -type f -printf '%f  %f\n' | sha256sum --check --quiet --strict)
    exec 9>&-
    run kiln build -q -f - ctx <<<'FROM 127.0.0.1:9/nothing'
    [ "$status" = 1 ]
    [[ "$output" == *"error: Dockerfile:1: FROM 127.0.0.1:9/nothing: "*"onnection refused
hint: is something listening at 127.0.0.1:9"* ]]
}
