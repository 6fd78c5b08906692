# kiln run: an image's own process, in front of us.
load helper

setup() {
    kiln_setup
    base
}

@test "without arguments the image's command runs, with them that one" {
    [ "$(kiln run base)" = "hello from base" ]
    [ "$(kiln run base echo other)" = other ]
}

@test "entrypoint and command go together as docker has it" {
    context <<'DOCKERFILE'
FROM base
ENTRYPOINT ["echo", "entry"]
CMD ["default"]
DOCKERFILE
    kiln build -q -t app ctx
    [ "$(kiln run app)" = "entry default" ]
    [ "$(kiln run app a b)" = "entry a b" ]
    [ "$(kiln run --entrypoint cat app /etc/group)" = "app:x:1000:" ]
    run kiln run --entrypoint "" app
    [ "$status" = 1 ]
    [[ "$output" == *"the image says nothing of what to run"* ]]
}

@test "the exit status is passed on, also of one that a signal ended" {
    run kiln run base sh -c 'exit 42'
    [ "$status" = 42 ]
    run kiln run base sh -c 'kill -9 $$'
    [ "$status" = 137 ]
}

@test "stdout, stderr and stdin are kept apart" {
    run --separate-stderr kiln run base sh -c 'echo out; echo err >&2'
    [ "$output" = out ]
    [ "$stderr" = err ]
    [ "$(echo in | kiln run -i base cat)" = in ]
    [ -z "$(echo in | kiln run base cat)" ] # without -i there is no stdin
}

@test "environment, user and folder are the image's, then ours" {
    context <<'DOCKERFILE'
FROM base
ENV A=image B=image
USER app
WORKDIR /work
DOCKERFILE
    kiln build -q -t app ctx
    export C=ours
    [ "$(kiln run -e B=flag -e C -e NOT_SET app sh -c 'echo $A $B $C $HOME $PWD; id -u')" = "image flag ours /home/app /work
1000" ]
    [ "$(kiln run -u 0 -w /tmp app sh -c 'pwd; id -u')" = "/tmp
0" ]
    run kiln run -u nobody-there app id
    [ "$status" = 1 ]
    [[ "$output" == *'user "nobody-there": not in the image'* ]]
}

@test "what it writes vanishes; with --read-only nothing can be written" {
    kiln run base touch /made
    run kiln run base ls /made
    [ "$status" = 1 ]
    run kiln run --read-only base touch /made
    [ "$status" = 1 ]
    [[ "$output" == *"Read-only file system"* ]]
}

@test "volumes are ours, writable or not" {
    mkdir volume
    kiln run -v "$PWD/volume:/data" base sh -c 'echo inside > /data/file'
    [ "$(cat volume/file)" = inside ]
    run kiln run -v "$PWD/volume:/data:ro" base touch /data/other
    [ "$status" = 1 ]
    run kiln run -v "$PWD/nowhere:/data" base true
    [ "$status" = 1 ]
    [[ "$output" == *"/nowhere"* ]]
}

@test "--network none leaves nothing but the loopback" {
    [ "$(kiln run --network none base sh -c 'ls /sys/class/net 2>/dev/null || ip -o link | cut -d: -f2 | tr -d " "')" = lo ]
}

@test "--timeout ends it" {
    run kiln run --timeout 1s base sleep 30
    [ "$status" = 1 ]
    [[ "$output" == *"error: run base:latest: "* ]]
}

@test "a signal reaches the process, whose answer is our exit status" {
    kiln run base sh -c 'trap "echo caught; exit 9" TERM; echo ready; while :; do sleep 0.05; done' >out 3>&- &
    pid=$!
    for ((i = 0; i < 500; i++)); do
        grep -q ready out && break
        sleep 0.02
    done
    kill -TERM $pid
    wait $pid && status=0 || status=$?
    [ "$status" = 9 ]
    grep -q caught out
}

@test "--tty gives it a terminal" {
    [ "$(kiln run -t base sh -c 'test -t 0 && test -t 1 && echo yes' | tr -d '\r')" = yes ]
    [ "$(kiln run base sh -c 'test -t 1 || echo no')" = no ]
}

@test "a program that is not there, and an image that is not there, are named" {
    run kiln run base no-such-program
    [ "$status" = 1 ]
    [[ "$output" == *no-such-program* ]]
    run kiln run --pull never missing:1
    [ "$status" = 1 ]
    [[ "$output" == *"missing:1"*"not in the store"* ]]
}

@test "nothing is left behind: no mount, no process, no folder" {
    kiln run base true # unpacks the image's layers, which stay
    before=$(ls "$KILN_ROOT/snapshots")
    kiln run base touch /made
    [ "$(ls "$KILN_ROOT/snapshots")" = "$before" ]
    ! grep -q "$KILN_ROOT" /proc/mounts
}
