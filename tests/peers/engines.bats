# Images of kiln in podman and buildah, and theirs in kiln.
load helper

setup_file() {
    kiln_setup
    can_build
    need podman buildah
    share
    kiln --root "$shared/store" build -q -t base "$shared/base" >/dev/null
}

setup() {
    kiln_setup
    [ "$(id -u)" = 0 ] || skip "podman and buildah are set up as root here"
    built
    export SOURCE_DATE_EPOCH=1700000000
    printf '{"default":[{"type":"insecureAcceptAnything"}]}' >policy.json
    mkdir app
    echo content >app/file
    serve
    kiln push base "$registry/base" >/dev/null 2>&1
}

teardown() {
    stop_serving
}

# Storage of the case's own; without mounts, which this machine may not permit them.
storage() {
    local program=$1
    shift
    "$program" --root "$BATS_TEST_TMPDIR/containers" --runroot "$BATS_TEST_TMPDIR/run" --storage-driver vfs "$@"
}

# buildah_image TAG FORMAT: a small image of buildah's from stdin's Dockerfile, in its storage.
buildah_image() {
    storage buildah bud -q --isolation chroot --network host --tls-verify=false \
        --signature-policy "$PWD/policy.json" --format "$2" -t "$1" -f - app >/dev/null
}

# need_podman: finds a runtime that works here; skips where none does.
need_podman() {
    podman_run=(run --rm --network none --ulimit nofile=1000:1000 --ulimit nproc=1000:1000)
    tar -C "$shared/base" -c busybox | storage podman import -q - probe >/dev/null
    for runtime in crun runc; do
        ! storage podman --runtime $runtime "${podman_run[@]}" probe /busybox true 2>probe.log || return 0
    done
    skip "podman runs nothing here: $(tail -n 1 probe.log)"
}

podman_run() {
    storage podman --runtime "$runtime" "${podman_run[@]}" "$@"
}

@test "podman pulls an image of kiln and runs it as the image says" {
    need_podman
    kiln build -q --push -t "$registry/app" --build-arg "BASE=$registry/base" -f - app <<'DOCKERFILE'
ARG BASE
FROM ${BASE}
COPY file /data/file
RUN echo somebody:x:1234:1234::/:/bin/sh >> /etc/passwd && chown somebody /data
ENV GREETING=hello
USER somebody
WORKDIR /data
ENTRYPOINT ["sh", "-c", "echo $GREETING $(id -un) $(pwd) $(cat file) $*", "--"]
CMD ["default"]
DOCKERFILE
    storage podman pull -q --tls-verify=false --signature-policy "$PWD/policy.json" "$registry/app"
    [ "$(podman_run "$registry/app")" = "hello somebody /data content default" ]
    [ "$(podman_run "$registry/app" given)" = "hello somebody /data content given" ]
    [ "$(kiln run "$registry/app")" = "hello somebody /data content default" ]
}

@test "buildah builds on an image of kiln" {
    buildah_image derived oci <<DOCKERFILE
FROM $registry/base
COPY file /file
RUN rm /bin/vi && cat /file > /copied
DOCKERFILE
    storage buildah from -q --name c --pull-never --signature-policy "$PWD/policy.json" derived
    folder=$(storage buildah mount c)
    [ "$(cat "$folder/copied")" = content ]
    [ -e "$folder/bin/sh" ] && [ ! -e "$folder/bin/vi" ]
}

@test "kiln builds on images of buildah: OCI and Docker format, every compression" {
    for format in oci docker; do
        buildah_image "theirs-$format" "$format" <<DOCKERFILE
FROM $registry/base
RUN mkdir -p /d && echo one > /d/one && echo two > /d/two && ln /d/two /d/hard
RUN rm /d/one && chown 33:44 /d/two && chmod 4755 /d/two
ENV THEIRS=$format
CMD ["cat", "/d/two"]
DOCKERFILE
        for compression in gzip zstd; do
            [ "$format-$compression" != docker-zstd ] || continue # no such media type
            name=$registry/theirs:$format-$compression
            echo "# $name"
            storage buildah push -q --tls-verify=false --signature-policy "$PWD/policy.json" \
                --format "$([ $format = oci ] && echo oci || echo v2s2)" --compression-format "$compression" \
                "theirs-$format" "docker://$name"
            KILN_ROOT=$PWD/fresh kiln build -q -t ours -f - app <<DOCKERFILE
FROM $name
COPY file /d/
RUN echo "\$THEIRS \$(stat -c '%u:%g %a' /d/two) \$(ls /d | tr '\n' ' ')" > /seen
CMD ["cat", "/seen"]
DOCKERFILE
            [ "$(KILN_ROOT=$PWD/fresh kiln run ours)" = "$format 33:44 4755 file hard two " ]
            [ "$(KILN_ROOT=$PWD/fresh kiln run "$name")" = two ]
            rm -rf fresh
        done
    done
}

@test "archives and layouts of podman and skopeo are bases too" {
    need skopeo
    buildah_image theirs oci <<DOCKERFILE
FROM $registry/base
RUN echo theirs > /theirs
DOCKERFILE
    storage buildah push -q --signature-policy "$PWD/policy.json" theirs oci:layout:it
    copy --dest-compress-format zstd oci:layout:it "docker://$registry/zstd"
    copy --format v2s2 oci:layout:it "docker://$registry/v2s2"
    for name in zstd v2s2; do
        printf 'FROM %s\nRUN cat /theirs > /ours\n' "$registry/$name" |
            KILN_ROOT=$PWD/$name kiln build -q -t ours -f - app
        [ "$(KILN_ROOT=$PWD/$name kiln run ours cat /ours)" = theirs ]
    done
}

@test "podman loads kiln's archives" {
    kiln build -q -t app:1 -o type=docker,dest=docker.tar -o type=oci,dest=oci.tar -f - app <<DOCKERFILE
FROM $registry/base
COPY file /file
CMD ["cat", "/file"]
DOCKERFILE
    need_podman
    for archive in docker oci; do
        said=$(storage podman load -q --signature-policy "$PWD/policy.json" -i $archive.tar)
        [ "$(podman_run "${said#Loaded image: }")" = content ]
        storage podman rmi -f "${said#Loaded image: }" >/dev/null
    done
}

@test "podman and buildah take an estargz as any other layer; what podman makes of it is what kiln has" {
    need_podman
    kiln build -q -t app -o "type=registry,name=$registry/lazy,compression=estargz,force-compression=true" \
        --build-arg "BASE=$registry/base" -f - app <<'DOCKERFILE'
ARG BASE
FROM ${BASE}
COPY file /data/file
RUN seq 100000 > /data/large && ln /data/large /data/hard && rm /etc/group
CMD ["sh", "-c", "cat /data/file; sha256sum < /data/hard; [ ! -e /etc/group ] && echo gone"]
DOCKERFILE
    storage podman pull -q --tls-verify=false --signature-policy "$PWD/policy.json" "$registry/lazy"
    [ "$(podman_run "$registry/lazy")" = "content
$(seq 100000 | sha256sum)
gone" ]
    container=$(storage buildah from -q --pull-never --signature-policy "$PWD/policy.json" "$registry/lazy")
    mounted=$(storage buildah mount "$container")
    cmp "$mounted/data/large" <(seq 100000)
    storage buildah umount "$container" >/dev/null
}
