# What the command line accepts, and what it says of the rest.
load helper

commands="build run pull push copy tag images inspect rm prune login logout registry-serve doctor version completion"

@test "without arguments kiln lists its commands" {
    run --separate-stderr kiln
    [ "$status" = 0 ]
    [ -z "$stderr" ]
    for command in $commands; do
        grep -q "^  ${command/-/ } " <<<"$output"
    done
}

@test "an unknown command is wrong usage, and the nearest one is named" {
    run --separate-stderr kiln biuld .
    [ "$status" = 2 ]
    [ -z "$output" ]
    [ "$stderr" = "error: unknown command: biuld
hint: did you mean kiln build?" ]
}

@test "an unknown flag is wrong usage, and the nearest one is named" {
    run --separate-stderr kiln build --no-cahce .
    [ "$status" = 2 ]
    [ "$stderr" = "error: unknown flag: --no-cahce
hint: did you mean --no-cache?" ]
    run kiln images --platfrom
    [ "$output" = "error: unknown flag: --platfrom" ]
}

@test "wrong usage of each kind exits with 2 and says what is wrong" {
    while IFS='|' read -r line want; do
        eval "run kiln $line"
        echo "kiln $line: $status: $output"
        [ "$status" = 2 ]
        [ "${lines[0]}" = "error: $want" ]
    done <<'ROWS'
build|kiln build: needs PATH|URL|-
build a b|kiln build: b is one argument too many
build -t|--tag: needs a value: NAME
build -t x/UPPER .|--tag x/UPPER: image reference "x/UPPER": a repository is lower case
build --push=maybe .|--push=maybe: neither true nor false
build --progress fancy .|--progress fancy: not one of auto|tty|plain|rawjson|quiet
build -Z .|unknown flag: -Z
build --secret src=x .|--secret: id= is missing
build --output type=nothing .|output "type=nothing": type=nothing: no such output
build --build-arg =x .|--build-arg =x: KEY=VALUE is expected
run -v nowhere app|--volume nowhere: FROM:TO or FROM:TO:ro is expected
run --timeout soon app|--timeout: soon: no duration such as 90s, 1h30m or 7d
prune --keep-storage much|much: no size such as 500MB, 10GB or 4GiB
prune --filter label=x|--filter label=x: only until=DURATION is known
login --password-stdin|kiln login: --password-stdin needs --username
registry serve --address x:y|--address x:y: ends with no port
registry serve --tls-cert x|--tls-cert and --tls-key go together
completion fish|kiln completion: fish: neither bash nor zsh nor man
images --format xml|--format xml: not one of text|json
ROWS
}

@test "short flags are bundled, and values follow with a blank, an equals sign or nothing" {
    mkdir ctx
    for line in "-qtname" "-q -t name" "-qt=name" "-q --tag=name" "--quiet --tag name"; do
        run kiln build $line ctx
        echo "$line: $output"
        [ "$status" = 1 ] # no Dockerfile: the flags were fine
        [[ "$output" == *"read the Dockerfile"* ]]
    done
    run kiln build -q -- --tag
    [[ "$output" == *"build context --tag"* ]]
}

@test "flags of every command may stand before the command and after it" {
    for line in "--format json version" "version --format=json" "--format text version --format json"; do
        run kiln $line
        [ "$status" = 0 ]
        [ "$(jq -r .platform <<<"$output")" != null ]
    done
}

@test "--help of every command comes from its table: all its flags are there" {
    for command in $commands; do
        help=$(kiln ${command/-/ } --help)
        [ "$(head -n 1 <<<"$help" | cut -d' ' -f1-3)" = "Usage: kiln ${command/-*/}" ]
        [ "$help" = "$(kiln help ${command/-/ })" ]
        for flag in $(kiln completion bash | sed -n "s/^    '${command/-/ }') echo \" --/--/p" | cut -d'"' -f1); do
            grep -q -e "$flag\b" <<<"$help"
        done
    done
}

@test "manual pages are right by mandoc, one for each command" {
    need mandoc
    for command in "" $commands; do
        kiln completion man $command >page.1
        run mandoc -T lint -W style page.1
        echo "$command: $output"
        [ "$status" = 0 ]
        [ -z "$output" ]
    done
    mandoc -T utf8 page.1 | col -b | grep -q "EXIT STATUS"
}

@test "bash completes commands, flags, choices, files and names of images" {
    kiln completion bash >script
    cat >>script <<'BASH'
try() { COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=(); _kiln; echo "${COMPREPLY[*]}"; }
BASH
    touch Dockerfile.one
    mkdir folder
    while IFS='|' read -r line want; do
        got=$(bash -c 'source ./script; try "$1"' - "$line")
        echo "$line: $got"
        [ "$got" = "$want" ]
    done <<'ROWS'
kiln bu|build
kiln registry |serve
kiln build --no-cache-|--no-cache-filter
kiln build --progress p|plain
kiln build --progress=ra|rawjson
kiln build -f Docker|Dockerfile.one
kiln --root fol|folder
kiln images --form|--format
ROWS
    shellcheck --version >/dev/null 2>&1 && shellcheck -s bash -S warning script
    true
}

@test "zsh reads its script" {
    need zsh
    kiln completion zsh >_kiln
    zsh -n _kiln
}

@test "a result that cannot be written is a failure" {
    run bash -c 'kiln version >/dev/full'
    [ "$status" = 1 ]
    [[ "$output" == "error: write to stdout: "* ]]
}

@test "version says what it is" {
    run kiln version
    [ "$status" = 0 ]
    [[ "$output" =~ ^kiln\ [0-9.]+\ linux/ ]]
}
