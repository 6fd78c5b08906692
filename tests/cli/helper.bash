# tests/cli/helper.bash - what the commands' tests share: `load helper`.
load ../harness/kiln
load ../harness/registry

teardown() {
    stop_registry
}

# context [FOLDER]: a build context with a static busybox, its Dockerfile from stdin.
context() {
    need busybox
    mkdir -p "${1:-ctx}"
    cp "$(command -v busybox)" "${1:-ctx}/busybox"
    cat >"${1:-ctx}/Dockerfile"
}

# base: the image "base" in the store, with a shell and its tools.
base() {
    can_build
    context base <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /etc /tmp && echo root:x:0:0:root:/root:/bin/sh > /etc/passwd && \
    echo app:x:1000:1000::/home/app:/bin/sh >> /etc/passwd && echo app:x:1000: > /etc/group
CMD ["echo", "hello from base"]
DOCKERFILE
    kiln build --quiet -t base base >/dev/null
}

can_build() {
    kiln doctor >/dev/null || skip "images cannot be built here: $(kiln doctor | grep BAD | head -n 1)"
}

# lines_of TEXT PATTERN: how many lines match.
lines_of() {
    grep -c -e "$2" <<<"$1" || true
}
