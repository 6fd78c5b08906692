# What is shown while a build runs: plain, rawjson, quiet, on a terminal; and Ctrl-C.
load helper

setup() {
    kiln_setup
    base
    context <<'DOCKERFILE'
FROM base
RUN echo one; echo two >&2; printf 'cut '; echo 'together'; printf '10%%\r20%%\r100%%\n'; printf last
DOCKERFILE
}

@test "plain is BuildKit's plain" {
    run --separate-stderr kiln build --progress plain ctx
    [ "$status" = 0 ]
    sed -E 's/[0-9]+\.[0-9]+s$/Ts/; s/^(#[0-9]+) [0-9]+\.[0-9]{3} /\1 T /' <<<"$stderr" >seen
    number=$(sed -n 's/^#\([0-9]*\) \[2\/2\] RUN echo one.*/\1/p' seen | head -n 1)
    grep -q "^#$number T two$" seen # of stderr: its order among the others is chance
    [ "$(grep "^#$number " seen | grep -v ' two$' | tail -n +2)" = "#$number T one
#$number T cut together
#$number T 100%
#$number T last
#$number DONE Ts" ]
    [ "$(head -n 2 seen)" = "#1 [internal] load build definition from Dockerfile
#1 DONE Ts" ]
    grep -q '^$' seen
    run kiln build --progress plain ctx
    [ "$(lines_of "$output" "^#[0-9]* CACHED$")" -ge 1 ]
}

@test "plain is what a pipe gets, without any escape sequence" {
    run kiln build ctx
    [[ "$output" == "#1 "* ]]
    [ "$(lines_of "$output" $'\033')" = 0 ]
}

@test "rawjson is one object of BuildKit's SolveStatus a line" {
    run --separate-stderr kiln build --progress rawjson ctx
    [ "$status" = 0 ]
    [ "$(jq -s 'map(keys[]) | unique - ["logs", "statuses", "vertexes", "warnings"] | length' <<<"$stderr")" = 0 ]
    [ "$(jq -s '[.[].vertexes // [] | .[] | select(.digest | test("^sha256:[0-9a-f]{64}$") | not)] | length' <<<"$stderr")" = 0 ]
    [ "$(jq -rs '[.[].logs // [] | .[] | .data | @base64d] | add' <<<"$stderr" | sort | head -n 2 | tr -d '\r')" != "" ]
    jq -rs '[.[].logs // [] | .[] | .data | @base64d] | add' <<<"$stderr" | grep -q '^cut together$'
    run=$(jq -s '[.[].vertexes // [] | .[] | select(.name | startswith("[2/2] RUN"))] | last' <<<"$stderr")
    [ "$(jq -r '.started < .completed' <<<"$run")" = true ]
    [ "$(jq '.inputs | length' <<<"$run")" = 1 ]
    run --separate-stderr kiln build --progress rawjson ctx
    [ "$(jq -s '[.[].vertexes // [] | .[] | select(.cached)] | length' <<<"$stderr")" -ge 1 ]
}

@test "quiet shows nothing, but what a failed step printed" {
    run --separate-stderr kiln build --progress quiet ctx
    [ -z "$stderr" ]
    printf 'FROM base\nRUN echo why; exit 1\n' >ctx/Dockerfile
    run --separate-stderr kiln build --progress quiet ctx
    [ "$status" = 1 ]
    [[ "$stderr" == *"0."*" why"*"error: Dockerfile:2: "* ]]
}

# on_terminal COLUMNS ROWS COMMAND: runs it in tmux to its end; the screen goes to `screen`.
on_terminal() {
    need tmux
    local i
    tmux -L "kiln-$$" -f /dev/null new-session -d -x "$1" -y "$2" \
        "export TERM=screen-256color; { $3; }; echo status \$?; touch ended; sleep 60"
    for ((i = 0; i < 1500; i++)); do
        [ -e ended ] && break
        sleep 0.02
    done
    for ((i = 0; i < 100; i++)); do # the screen is drawn a little later
        tmux -L "kiln-$$" capture-pane -p -S -500 >screen
        grep -q '^status ' screen && break
        sleep 0.02
    done
    tmux -L "kiln-$$" kill-server
    rm -f ended
}

@test "on a terminal each step has one line, with its time at the edge" {
    on_terminal 80 24 "kiln build --no-cache -t app ctx"
    cat screen
    grep -Eq '^\[\+\] Building [0-9.]+s \(([0-9]+)/\1\) FINISHED$' screen
    [ "$(grep -c 'RUN echo one' screen)" = 1 ]
    [ "$(grep -c '^ => ' screen)" -ge 4 ]
    [ "$(grep '^ => ' screen | awk '{ print length($0) }' | sort -u)" = 79 ] # one column is left free
    grep -q '^status 0$' screen
}

@test "on a terminal a failed step's output is shown whole" {
    printf 'FROM base\nRUN for i in $(seq 60); do echo line $i; done; exit 3\n' >ctx/Dockerfile
    on_terminal 100 20 "kiln build ctx"
    cat screen
    grep -Eq '^\[\+\] Building .* FAILED$' screen
    grep -q '^ => ERROR \[2/2\] RUN for i' screen
    [ "$(grep -c -E '^[0-9.]+ line [0-9]+$' screen)" = 60 ]
    grep -q '^error: Dockerfile:2: ' screen
    grep -q '^status 1$' screen
}

@test "a small window, NO_COLOR and a dumb terminal are respected" {
    on_terminal 30 6 "NO_COLOR=1 kiln build --no-cache ctx"
    cat screen
    grep -q '^status 0$' screen
    [ "$(grep '^ => ' screen | awk '{ print length($0) }' | sort -n | tail -n 1)" -le 30 ]
    need script
    NO_COLOR=1 TERM=xterm script -qec "kiln build --no-cache ctx" /dev/null </dev/null >raw
    [ "$(grep -c $'\033\[3[0-9]m' raw)" = 0 ]
    TERM=xterm script -qec "kiln build --no-cache ctx" /dev/null </dev/null >raw
    [ "$(grep -c $'\033\[34m' raw)" -gt 0 ]
    TERM=dumb script -qec "kiln build --no-cache ctx" /dev/null </dev/null >raw
    [ "$(grep -c $'\033' raw)" = 0 ]
    grep -q '^#1 ' raw
}

@test "Ctrl-C ends it with 130 and leaves nothing: no process, no mount, no half snapshot" {
    printf 'FROM base\nRUN echo began; sleep 987\n' >ctx/Dockerfile
    kiln run base true
    before=$(ls "$KILN_ROOT/snapshots")
    setsid kiln build --progress plain ctx >log 2>&1 3>&- &
    pid=$!
    for ((i = 0; i < 1500; i++)); do
        grep -q ' began$' log && break
        sleep 0.02
    done
    grep -q ' began$' log
    kill -INT "$pid"
    wait "$pid" && status=0 || status=$?
    [ "$status" = 130 ]
    [ "$(tail -n 1 log)" = "error: canceled" ] || { cat log; false; }
    grep -q CANCELED log
    ! pgrep -f "[s]leep 987"
    ! grep -q "$KILN_ROOT" /proc/mounts
    [ "$(ls "$KILN_ROOT/snapshots")" = "$before" ]
}
