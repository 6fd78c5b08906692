# A build of many stages of which nothing changed: what it touches, counted by strace.
load helper

# stages: ctx with ten stages of four steps, 400 files; each stage copies from the one before.
stages() {
    mkdir ctx
    local s k f
    for s in 0 1 2 3 4 5 6 7 8 9; do
        printf 'FROM %s AS s%d\n' "$( ((s % 3 == 1)) && echo "s$((s - 1))" || echo base)" "$s"
        for k in 0 1; do
            mkdir "ctx/d$s$k"
            for f in {0..19}; do
                echo "$s $k $f" >"ctx/d$s$k/f$s$k-$f"
            done
            printf 'COPY d%d%d /d%d%d/\n' "$s" "$k" "$s" "$k"
        done
        echo 'RUN true'
        ((s == 0)) && echo 'RUN echo x > /x' || printf 'COPY --from=s%d /d%d0 /from%d/\n' $((s - 1)) $((s - 1)) "$s"
    done >ctx/Dockerfile
}

traced() {
    strace -f -qq -o trace -e trace=execve,openat,openat2,open "$KILN" build -q -t app ctx
}

# opened PATTERN: how often a file of such a name was opened, for reading its bytes or not.
opened() {
    grep -c -E "open(at2?)?\(.*\"([^\"]*/)?$1\"" trace || true
}

@test "nothing changed: no file of the context is opened, no step is started" {
    need strace
    base
    strace -qq -o /dev/null true || skip "strace may not trace here"
    stages
    first=$(kiln build -q -t app ctx)
    kiln build -q -t app ctx # files as young as the first look are looked at once more
    [ "$(traced)" = "$first" ]
    [ "$(opened 'f[0-9-]+')" = 0 ]
    [ "$(opened Dockerfile)" = 1 ]
    [ "$(opened .dockerignore)" -le 1 ]
    [ "$(grep -c 'execve(' trace)" = 1 ] # kiln itself
}

@test "one file changed: it is read, and what is copied anew with it; of all others nothing" {
    need strace
    base
    strace -qq -o /dev/null true || skip "strace may not trace here"
    stages
    first=$(kiln build -q -t app ctx)
    kiln build -q -t app ctx
    echo changed >ctx/d90/f90-7
    [ "$(traced)" != "$first" ]
    [ "$(opened f90-7)" -ge 1 ]
    [ "$(opened f90-7)" -le 4 ] # its digest, its copy (two files), its layer
    [ "$(opened f90-6)" -le 3 ] # its copy, its layer
    [ "$(opened 'f[0-7][0-9-]+')" = 0 ]
}
