# kiln build on real contexts: what it makes, what it leaves, what it prints.
load helper

@test "an image is built, kept under its name, and runs" {
    can_build
    base
    context <<'DOCKERFILE'
FROM base
ARG WORD=default
RUN echo "$WORD" > /word
CMD ["cat", "/word"]
DOCKERFILE
    run --separate-stderr kiln build -t app --build-arg WORD=given --label a=b ctx
    [ "$status" = 0 ]
    [ -z "$output" ] # nothing on stdout
    [[ "$stderr" == *"kept app in the store $KILN_ROOT (kiln push sends it)" ]]
    [ "$(kiln run app)" = given ]
    [ "$(kiln inspect app | jq -r .config.config.Labels.a)" = b ]
}

@test "a second build does nothing and gives the same digest" {
    can_build
    base
    context <<'DOCKERFILE'
FROM base
COPY busybox /copy
RUN cat /proc/sys/kernel/random/uuid > /moment
DOCKERFILE
    first=$(kiln build -q ctx)
    run --separate-stderr kiln build --format json ctx
    [ "$(jq -r .digest <<<"$output")" = "$first" ]
    [ "$(jq '.cached == .vertices - 1' <<<"$output")" = true ] # all but the context itself
    [ "$(lines_of "$stderr" '^#[0-9]* CACHED$')" -ge 2 ]
    [ "$(kiln build -q --no-cache ctx)" != "$first" ]
}

@test "--quiet prints the digest alone" {
    can_build
    context <<'DOCKERFILE'
FROM scratch
COPY busybox /
DOCKERFILE
    run --separate-stderr kiln build -q -t app ctx
    [ "$status" = 0 ]
    [[ "$output" =~ ^sha256:[0-9a-f]{64}$ ]]
    [ -z "$stderr" ]
    [ "$output" = "$(kiln images -q app)" ]
}

@test "--iidfile and --metadata-file say what buildx says there" {
    can_build
    context <<'DOCKERFILE'
FROM scratch
COPY busybox /
DOCKERFILE
    digest=$(kiln build -q -t app -t other:1 --iidfile iid --metadata-file meta ctx)
    [ "$(cat iid)" = "$(kiln inspect app | jq -r .configDigest)" ]
    [ "$(cat iid)" = "$(jq -r '."containerimage.config.digest"' meta)" ]
    [ "$(jq -r '."containerimage.digest"' meta)" = "$digest" ]
    [ "$(jq -r '."containerimage.descriptor".digest' meta)" = "$digest" ]
    [ "$(jq -r '."image.name"' meta)" = docker.io/library/app:latest,docker.io/library/other:1 ]
    [ "$(sha256sum <(kiln inspect --config app) | cut -d' ' -f1)" = "$(sed s/sha256:// iid)" ]
}

@test "outputs: folder, tar, layout, docker archive" {
    can_build
    context <<'DOCKERFILE'
FROM scratch AS bin
COPY busybox /bin/tool
DOCKERFILE
    kiln build -q -o out ctx
    cmp out/bin/tool ctx/busybox
    kiln build -q -o - ctx >rootfs.tar
    [ "$(tar -tf rootfs.tar | grep -v '/$')" = bin/tool ]
    kiln build -q -t app -o type=oci,dest=layout.tar -o type=docker,dest=docker.tar ctx
    tar -xOf layout.tar oci-layout | jq -e .imageLayoutVersion
    [ "$(tar -xOf docker.tar manifest.json | jq -r '.[0].RepoTags[0]')" = app:latest ]
}

@test "the Dockerfile comes from stdin, with a context and without one" {
    can_build
    context <<<"broken"
    digest=$(printf 'FROM scratch\nCOPY busybox /x\n' | kiln build -q -t a -f - ctx)
    [[ "$digest" == sha256:* ]]
    printf 'FROM scratch\nLABEL only=this\n' | kiln build -q -t b -
    [ "$(kiln inspect b | jq -r .config.config.Labels.only)" = this ]
    run kiln build -
    [ "$status" != 0 ] # an empty Dockerfile
}

@test "secrets are read from files and variables, and stay out of the image" {
    can_build
    base
    context <<'DOCKERFILE'
FROM base
RUN --mount=type=secret,id=file --mount=type=secret,id=WORD \
    cat /run/secrets/file /run/secrets/WORD | tr a-z A-Z > /seen
CMD ["cat", "/seen"]
DOCKERFILE
    printf from-file- >secret
    WORD=from-env kiln build -q -t app --secret id=file,src=secret --secret id=WORD ctx
    [ "$(kiln run app)" = FROM-FILE-FROM-ENV ]
    run kiln run app ls /run/secrets
    [ "$status" != 0 ]
}

@test "named contexts are folders and images" {
    can_build
    base
    mkdir extra
    echo found >extra/file
    context <<'DOCKERFILE'
FROM start
COPY --from=more file /file
CMD ["cat", "/file"]
DOCKERFILE
    kiln build -q -t app --build-context more=extra --build-context start=docker-image://base ctx
    [ "$(kiln run app)" = found ]
    run kiln build --build-context more=nowhere ctx
    [[ "$output" == "error: --build-context more=nowhere: "* ]]
}

@test "a failed step shows its lines, its output and its place" {
    can_build
    base
    context <<'DOCKERFILE'
FROM base

RUN echo before && \
    exit 7
RUN echo never
DOCKERFILE
    run --separate-stderr kiln build --progress plain -t app ctx
    [ "$status" = 1 ]
    [ -z "$output" ]
    [[ "$stderr" == *'
------
 > [2/3] RUN echo before &&     exit 7:
0.'*' before
------
Dockerfile:3
'*'   3 | >>> RUN echo before && \'*'
   4 | >>>     exit 7
'*'error: Dockerfile:3: [2/3] RUN echo before &&     exit 7: process "/bin/sh -c echo before &&     exit 7" did not complete successfully: exit code: 7' ]]
    [ -z "$(kiln images -q app)" ]
    [[ "$stderr" != *never* ]] || [[ "$stderr" != *"#"*"RUN echo never"*"DONE"* ]]
}

@test "what is not there is told before anything runs" {
    while IFS='|' read -r line want; do
        eval "run kiln build $line"
        echo "kiln build $line: $output"
        [ "$status" = 1 ]
        [[ "$output" == *"$want"* ]]
    done <<'ROWS'
nowhere|error: build context nowhere: no such file or directory
ROWS
    mkdir empty
    run kiln build empty
    [ "$status" = 1 ]
    [[ "$output" == *"read the Dockerfile"*"hint: say where it is with -f FILE"* ]]
}

@test "a build is pushed, pinned on stderr, and another tool reads it" {
    can_build
    start_registry </dev/null
    context <<'DOCKERFILE'
FROM scratch
COPY busybox /
DOCKERFILE
    run --separate-stderr kiln build --push -t "$registry/team/app:1" --metadata-file meta ctx
    [ "$status" = 0 ]
    digest=$(jq -r '."containerimage.digest"' meta)
    [ "$(tail -n 1 <<<"$stderr")" = "pushed $registry/team/app@$digest" ]
    [ "$(curl -fsS "http://$registry/v2/team/app/manifests/1" -H 'Accept: application/vnd.oci.image.manifest.v1+json' |
        sha256sum | cut -d' ' -f1)" = "${digest#sha256:}" ]
    need skopeo
    [ "$(skopeo inspect --tls-verify=false "docker://$registry/team/app:1" | jq -r .Digest)" = "$digest" ]
}

@test "BUILDKIT_MULTI_PLATFORM: an index of one; BUILDKIT_SANDBOX_HOSTNAME: what a step is called" {
    need jq
    base
    mkdir ctx
    printf 'FROM base\nRUN hostname > /name\nCMD ["cat", "/name"]\n' >ctx/Dockerfile
    kiln build -q -t app --build-arg BUILDKIT_SANDBOX_HOSTNAME=box ctx
    [ "$(kiln run app)" = box ]
    run --separate-stderr kiln build --build-arg BUILDKIT_MULTI_PLATFORM=1 -o type=oci,tar=false,dest=out ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *"[linux/"*" 2/2] RUN hostname"* ]]
    [ "$(jq -r '.manifests[0].mediaType' out/index.json)" = application/vnd.oci.image.index.v1+json ]
    run kiln build --build-arg BUILDKIT_MULTI_PLATFORM=perhaps ctx
    [ "$status" = 1 ]
    [[ "$output" == *"error: BUILDKIT_MULTI_PLATFORM=perhaps: true or false is expected"* ]]
}
