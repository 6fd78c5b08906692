# What a RUN step is given or refused: ssh agents, entitlements, devices, limits.
load helper

teardown() {
    [ -z "${AGENT:-}" ] || SSH_AGENT_PID=$AGENT ssh-agent -k >/dev/null
    stop_registry
}

# ssh_base: the image "base", and two keys here.
ssh_base() {
    need ssh-agent ssh-add ssh-keygen
    base
    ssh-keygen -q -t ed25519 -N '' -C one@test -f key1
    ssh-keygen -q -t ed25519 -N '' -C two@test -f key2
}

# ssh_client FOLDER: copies ssh-add and its libraries into a context, as the client in the step.
ssh_client() {
    mkdir -p "$1/root"
    local file
    for file in $(command -v ssh-add) $(ldd "$(command -v ssh-add)" | grep -o '/[^ ]*'); do
        mkdir -p "$1/root$(dirname "$file")"
        cp -L "$file" "$1/root$file"
    done
}

@test "a step signs with the caller's keys through an agent, and sees no agent of the host" {
    ssh_base
    eval "$(ssh-agent -a "$PWD/agent.sock")" >/dev/null
    AGENT=$SSH_AGENT_PID
    ssh-add -q key1
    ssh_client ctx
    context <<'DOCKERFILE'
FROM base
COPY root /
RUN --mount=type=ssh ssh-add -L > /keys && echo "$SSH_AUTH_SOCK" > /socket && \
    ! grep -r agent.sock /proc/self/mountinfo /proc/self/environ
RUN --mount=type=ssh ! ssh-add -D 2>/errors
RUN --mount=type=ssh,id=default,target=/tmp/my.sock,mode=0660,gid=1000 \
    stat -c '%a %u %g %F' /tmp/my.sock > /stat && ls -la /run/buildkit > /left 2>&1 || true
DOCKERFILE
    kiln build -q -t app --ssh default ctx
    [ "$(kiln run app cat /keys)" = "$(cat key1.pub)" ]
    [ "$(kiln run app cat /socket)" = /run/buildkit/ssh_agent.0 ]
    [[ "$(kiln run app cat /left)" == *"No such file"* ]]
    [ "$(ssh-add -L)" = "$(cat key1.pub)" ] # ssh-add -D inside took nothing away
}

@test "the socket has the mode and owner asked for, and other users of the step may use it" {
    ssh_base
    kiln doctor | grep -q 'one user id' && skip "needs more than one user id"
    ssh_client ctx
    context <<'DOCKERFILE'
FROM base
COPY root /
USER app
RUN --mount=type=ssh,id=git,uid=1000,gid=1000,mode=0640,target=/tmp/s \
    stat -c '%a %u %g %F' /tmp/s && SSH_AUTH_SOCK=/tmp/s ssh-add -L
DOCKERFILE
    run --separate-stderr kiln build --progress plain --ssh "git=key1,key2" ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *"640 1000 1000 socket"* ]]
    [[ "$stderr" == *one@test* && "$stderr" == *two@test* ]]
}

@test "keys are served from their files, and nothing of that is left" {
    ssh_base
    ssh_client ctx
    context <<'DOCKERFILE'
FROM base
COPY root /
RUN --mount=type=ssh,required ssh-add -l
DOCKERFILE
    export TMPDIR="$PWD/tmp"
    mkdir tmp
    run --separate-stderr kiln build --progress plain --ssh default=key2 ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *two@test* ]]
    [ -z "$(ls tmp)" ]
}

@test "a killed kiln leaves no agent with keys in it" {
    ssh_base
    need pgrep
    local i
    context <<'DOCKERFILE'
FROM base
RUN --mount=type=ssh echo running && sleep 300
DOCKERFILE
    tmp=$(mktemp -d /tmp/kiln-agent-XXXXXX)
    TMPDIR=$tmp kiln build --progress plain --ssh default=key1 ctx 2>log 3>&- &
    for ((i = 0; i < 1000; i++)); do
        ! grep -q ' running$' log || break
        sleep 0.02
    done
    agents=$(pgrep -f "ssh-agent -a $tmp/")
    kill -9 %1
    wait %1 || true
    for ((i = 0; i < 500; i++)); do
        # shellcheck disable=SC2086
        kill -0 $agents 2>/dev/null || break
        sleep 0.02
    done
    # shellcheck disable=SC2086
    run kill -0 $agents
    rm -rf "$tmp"
    [ -n "$agents" ]
    [ "$status" != 0 ]
}

@test "no agent: an optional socket is left out with its variable set, a required one is an error" {
    base
    context <<'DOCKERFILE'
FROM base
RUN --mount=type=ssh test "$SSH_AUTH_SOCK" = /run/buildkit/ssh_agent.0 && test ! -e "$SSH_AUTH_SOCK"
DOCKERFILE
    kiln build -q ctx
    context <<'DOCKERFILE'
FROM base
RUN --mount=type=ssh,id=git,required true
DOCKERFILE
    run kiln build ctx
    [ "$status" = 1 ]
    [[ "$output" == *'Dockerfile:2'*'no SSH key "git" forwarded from the client'* ]]
    [[ "$output" == *'hint: give an agent or a key with --ssh git'* ]]
}

@test "what --ssh does not take is told" {
    context <<<'FROM scratch'
    unset SSH_AUTH_SOCK
    run kiln build --ssh default ctx
    [ "$status" = 2 ]
    [[ "$output" == *"--ssh default: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set"* ]]
    for text in =key default= ''; do
        run kiln build --ssh "$text" ctx
        [ "$status" = 2 ]
    done
    run kiln build --ssh a=x --ssh a=y ctx
    [[ "$output" == *"a was given before"* ]]
}

@test "a key that cannot be used is told with ssh-add's words" {
    ssh_base
    ssh-keygen -q -t ed25519 -N secret -f locked
    context <<'DOCKERFILE'
FROM base
RUN --mount=type=ssh true
DOCKERFILE
    run kiln build --ssh default=locked ctx
    [ "$status" = 1 ]
    [[ "$output" == *"ssh agent default: ssh-add: "* ]]
    [[ "$output" == *"a key with a passphrase must be in an agent"* ]]
    run kiln build --ssh default=absent ctx
    [ "$status" = 1 ]
    [[ "$output" == *"absent: no such file or directory"* ]]
}

@test "the host's network and an insecure step need entitlements" {
    base
    context <<'DOCKERFILE'
FROM base
RUN --network=host true
DOCKERFILE
    run kiln build ctx
    [ "$status" = 1 ]
    [[ "$output" == *"Dockerfile:2"*"network.host is not allowed"* ]]
    [[ "$output" == *"hint: allow it with --allow network.host"* ]]
    kiln build -q --allow network.host ctx
    kiln build -q --network host ctx # says the same
    context <<'DOCKERFILE'
FROM base
RUN --security=insecure true
DOCKERFILE
    run kiln build ctx
    [ "$status" = 1 ]
    [[ "$output" == *"security.insecure is not allowed"* ]]
    run kiln build --allow network.hots ctx
    [ "$status" = 2 ]
    [[ "$output" == *"unknown entitlement network.hots"* ]]
}

# as_nobody COMMAND ...: as a user with one id only, with a store of its own.
as_nobody() {
    [ "$(id -u)" = 0 ] || skip "needs root to become another user"
    need setpriv
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/test "$BATS_TEST_TMPDIR" .
    mkdir -p nobody
    cp "$KILN" "$BATS_TEST_TMPDIR/kiln"
    chown -R nobody nobody
    HOME="$PWD/nobody" KILN_ROOT="$PWD/nobody/store" \
        setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups "$@"
}

@test "an insecure step has every capability and no filter" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    base
    context <<'DOCKERFILE'
FROM base
RUN --security=insecure grep -E 'CapEff|Seccomp:' /proc/self/status && mkdir -p /mnt && \
    mount -t tmpfs none /mnt && test -w /proc/sys/kernel/hostname
RUN ! mount -t tmpfs none /mnt 2>&1
DOCKERFILE
    run --separate-stderr kiln build --progress plain --allow security.insecure ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *"CapEff:"*"Seccomp:"*0* ]]
}

@test "where kiln is not root, an insecure step cannot be granted" {
    context <<<'FROM scratch'
    run as_nobody "$BATS_TEST_TMPDIR/kiln" build --allow security.insecure ctx
    [ "$status" = 1 ]
    [[ "$output" == *"granting entitlement security.insecure is not allowed: kiln is not root here"* ]]
}

@test "a user who is not root lends keys too" {
    need ssh-agent ssh-add ssh-keygen
    context <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
COPY root /
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN --mount=type=ssh ssh-add -L && ls -ln /run/buildkit
DOCKERFILE
    ssh_client ctx
    ssh-keygen -q -t ed25519 -N '' -C one@test -f key1
    chown nobody key1
    run as_nobody "$BATS_TEST_TMPDIR/kiln" build --progress plain --ssh default=key1 ctx
    [ "$status" = 0 ]
    [[ "$output" == *"$(cat key1.pub)"*"srw-------"* ]]
}

# cdi: a folder of specifications with the device vendor.test/null=one.
cdi() {
    mkdir -p cdi
    export KILN_CDI_FOLDERS="$PWD/cdi"
    echo from the host >cdi/file
    cat >cdi/spec.json <<JSON
{"cdiVersion": "0.6.0", "kind": "vendor.test/null", "containerEdits": {"env": ["ALL=1"]},
 "devices": [
  {"name": "one", "containerEdits": {"env": ["ONE=yes"],
    "deviceNodes": [{"path": "/dev/special", "hostPath": "/dev/zero"}],
    "mounts": [{"hostPath": "$PWD/cdi/file", "containerPath": "/opt/file", "options": ["ro"]}]}},
  {"name": "free", "annotations": {"org.mobyproject.buildkit.device.autoallow": "true"},
    "containerEdits": {"env": ["FREE=yes"]}},
  {"name": "hooked", "containerEdits": {"hooks": [{"hookName": "createContainer", "path": "/bin/x"}]}}]}
JSON
}

@test "a device brings its node, mounts and variables" {
    base
    cdi
    context <<'DOCKERFILE'
# syntax=docker/dockerfile:1-labs
FROM base
RUN --device=vendor.test/null=one head -c 3 /dev/special | od -An -tx1 && cat /opt/file && \
    echo "$ONE$ALL" && ! echo x > /opt/file
RUN --device=vendor.test/null=free echo "free: $FREE"
RUN --device=vendor.test/null=absent test -z "$ALL" && test ! -e /dev/special && test ! -e /opt
DOCKERFILE
    run --separate-stderr kiln build --progress plain --allow device=vendor.test/null=one ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *"00 00 00"* && "$stderr" == *"from the host"* && "$stderr" == *yes1* ]]
    [[ "$stderr" == *"free: yes"* ]]
    kiln build -q --allow device ctx
}

@test "a device that is not granted, not there or hooked is refused" {
    base
    cdi
    context <<'DOCKERFILE'
FROM base
RUN --device=vendor.test/null=one true
DOCKERFILE
    run kiln build ctx
    [ "$status" = 1 ]
    [[ "$output" == *"device vendor.test/null=one is not allowed"*"--allow device=vendor.test/null=one"* ]]
    run kiln build --allow device=vendor.test/null=free ctx
    [ "$status" = 1 ]
    context <<'DOCKERFILE'
FROM base
RUN --device=vendor.test/null=absent,required true
DOCKERFILE
    run kiln build --allow device ctx
    [ "$status" = 1 ]
    [[ "$output" == *"device vendor.test/null=absent: not found"* ]]
    context <<'DOCKERFILE'
FROM base
RUN --device=vendor.test/null=hooked true
DOCKERFILE
    run kiln build --allow device ctx
    [ "$status" = 1 ]
    [[ "$output" == *"hooks are programs of the host's"* ]]
}

@test "limits reach the step; what is of the machine changes no cache key, as with docker" {
    base
    context <<'DOCKERFILE'
FROM base
RUN ulimit -n && ulimit -Hn && df -k /dev/shm | tail -n 1 && cat /etc/hosts
DOCKERFILE
    run --separate-stderr kiln build --progress plain --ulimit nofile=123:456 --shm-size 3m \
        --add-host gw:host-gateway --add-host 'six=[::1]' ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *" 123"* && "$stderr" == *" 456"* && "$stderr" == *" 3072 "* ]]
    [[ "$stderr" == *127.0.0.1*gw* && "$stderr" == *"::1"*six* ]]
    run --separate-stderr kiln build --progress plain --ulimit nofile=123:456 --shm-size 3m -m 64m \
        --cpu-shares 512 --add-host gw:10.0.0.1 --add-host six=10.0.0.2 ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *CACHED* ]]
    run --separate-stderr kiln build --progress plain --ulimit nofile=99 --shm-size 3m \
        --add-host gw:10.0.0.1 --add-host six=10.0.0.2 ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *" 99"* ]]
}

@test "a step over its memory is killed, and that is told" {
    base
    can_limit_memory
    context <<'DOCKERFILE'
FROM base
RUN dd if=/dev/zero of=/dev/null bs=200M count=1
DOCKERFILE
    run kiln build --memory 32m --memory-swap 32m ctx
    [ "$status" = 1 ]
    [[ "$output" == *"Dockerfile:2"*"did not complete successfully"* ]]
    [[ "$output" == *"it used more memory than it may have"* ]]
}

# can_limit_memory: skips where no cgroup can be made.
can_limit_memory() {
    [ -w /sys/fs/cgroup/cgroup.subtree_control ] || [ -w /sys/fs/cgroup/memory/memory.limit_in_bytes ] ||
        skip "no writable cgroup here"
    [ "$(id -u)" = 0 ] || skip "no writable cgroup here"
}

# group_file CONTROLLER FILE-OF-VERSION-1 FILE-OF-VERSION-2: of the only step below the cgroup $parent.
group_file() {
    if [ -e /sys/fs/cgroup/cgroup.subtree_control ]; then
        cat /sys/fs/cgroup/"$parent"/step-*/"$3"
    else
        cat /sys/fs/cgroup/"$1/$parent"/step-*/"$2"
    fi
}

@test "limits are those of the step's cgroup, which is where --cgroup-parent says and has one for processes" {
    base
    can_limit_memory
    local parent=kiln-test-$$ i
    context <<'DOCKERFILE'
FROM base
RUN echo running && sleep 300
DOCKERFILE
    kiln build --progress plain --cgroup-parent "$parent" -m 64m --cpu-shares 512 --cpuset-cpus 0 ctx 2>log 3>&- &
    for ((i = 0; i < 1000; i++)); do
        ! grep -q ' running$' log || break
        sleep 0.02
    done
    pids=$(group_file pids pids.max pids.max)
    memory=$(group_file memory memory.limit_in_bytes memory.max)
    cpus=$(group_file cpuset cpuset.cpus cpuset.cpus)
    kill %1
    wait %1 || true
    [ "$pids $memory $cpus" = "16384 67108864 0" ]
    [ -z "$(ls -d /sys/fs/cgroup/"$parent"/step-* /sys/fs/cgroup/*/"$parent"/step-* 2>/dev/null)" ]
    rmdir /sys/fs/cgroup/"$parent" /sys/fs/cgroup/*/"$parent" 2>/dev/null || true
}

@test "limits that this place cannot give are told once, and the build goes on" {
    context <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "true"]
RUN ["/bin/busybox", "true"]
DOCKERFILE
    run as_nobody "$BATS_TEST_TMPDIR/kiln" build -m 64m --cpu-quota 50000 ctx
    [ "$status" = 0 ]
    [ "$(lines_of "$output" 'no writable cgroup for a limit of memory; steps ran without it')" = 1 ]
    [ "$(lines_of "$output" 'no writable cgroup for a limit of a CPU quota')" = 1 ]
    [[ "$output" != *"a limit of processes"* ]]
}

@test "limits that make no sense are told" {
    context <<<'FROM scratch'
    local flags
    for flags in "--memory 1" "--memory x" "--memory-swap 1g" "--memory 64m --memory-swap 32m" \
        "--cpu-period 1" "--cpuset-cpus a" "--ulimit nofile" "--ulimit nofiles=1" \
        "--ulimit nofile=2:1" "--shm-size -1" "--cpu-quota 1" "--cpu-shares x"; do
        # shellcheck disable=SC2086
        run kiln build $flags ctx
        [ "$status" = 2 ] || { echo "$flags: $output" && false; }
    done
    run kiln build --add-host a:nowhere ctx
    [ "$status" != 0 ]
    [[ "$output" == *'"nowhere" is no IP address'* ]]
}
