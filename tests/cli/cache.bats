# What the cache is asked, and what it may not be asked.
load helper

@test "--cache-only takes what is cached and fails at the first step that is not" {
    base
    mkdir app
    printf 'FROM base\nRUN echo one > /1\nRUN echo two > /2\n' >app/Dockerfile
    kiln build --quiet -t app app >first
    kiln build --cache-only --quiet -t again app >second
    diff first second
    printf 'FROM base\nRUN echo one > /1\nRUN echo 2 > /2\n' >app/Dockerfile
    run -1 kiln build --cache-only --progress plain -t app app
    [[ $output == *"Dockerfile:3"*"RUN echo 2 > /2"*"not cached"* ]]
    [[ $output != *"Dockerfile:2"*"not cached"* ]]
    run -2 kiln build --cache-only --no-cache app
    [[ $output == *"--cache-only and --no-cache"* ]]
}

@test "platforms are built side by side" {
    context ctx <<'DOCKERFILE'
FROM scratch AS tool
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM --platform=$BUILDPLATFORM tool AS meet
ARG TARGETARCH
# Each waits for the other: neither ends when they come one after the other.
RUN --mount=type=cache,target=/meet touch /meet/$TARGETARCH; n=0; \
    until [ -e /meet/amd64 ] && [ -e /meet/arm64 ]; do n=$((n+1)); [ $n -lt 300 ] || exit 1; sleep 0.1; done
FROM scratch
COPY --from=meet /bin /bin
DOCKERFILE
    can_build
    kiln build --platform linux/amd64,linux/arm64 --progress plain -t many ctx
}
