# Cache keys are BuildKit's: tests/fixtures/cache has what docker buildx made of the same Dockerfile.
load helper

@test "operations, selectors and contents have the keys that BuildKit gave them" {
    can_build
    need busybox python3
    (umask 022 && . "$KILN_FIXTURES/cache/context.sh")
    install -m 755 "$(command -v busybox)" c/busybox
    cp "$KILN_FIXTURES/cache/Dockerfile" c/
    kiln --log-level debug build -q --build-arg NOT=1 --secret id=s,src=c/f.txt c 2>log >digest
    run "$KILN_FIXTURES/cache/compare" log "$KILN_FIXTURES/cache/buildkit.json"
    echo "$output"
    [ "$status" = 0 ]
    [[ "$output" == *"139 records, 0 differ"* ]]
}

@test "no secret is in a key: another secret, the same keys, and nothing runs" {
    can_build
    base
    context <<'DOCKERFILE'
FROM base
RUN --mount=type=secret,id=s --mount=type=secret,id=t,env=T wc -c < /run/secrets/s > /n
DOCKERFILE
    echo one >s
    echo two >t
    kiln build -q --secret id=s,src=s --secret id=t,src=t ctx >first
    echo other >s
    kiln --log-level debug build -q --secret id=s,src=s --secret id=t,src=t ctx 2>log >second
    cmp first second
    run grep -e one -e other -e two log
    [ "$status" = 1 ]
}
