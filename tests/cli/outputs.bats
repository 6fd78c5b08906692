# kiln build --output: every exporter and what its keys do, in image, layout, archive, folder and tar.
load helper

read_estargz=$BATS_TEST_DIRNAME/../harness/estargz-read

# A context that needs no step to be run: for several platforms too.
plain() {
    can_build
    context <<'DOCKERFILE'
FROM scratch
ARG TARGETARCH
COPY busybox /bin/busybox
COPY arch /etc/$TARGETARCH
LABEL for=outputs
DOCKERFILE
    echo text >ctx/arch
}
both=--platform=linux/amd64,linux/arm64

# blob LAYOUT DIGEST: the file.
blob() {
    echo "$1/blobs/${2/://}"
}

# manifest LAYOUT: of the first image in it, through an index where there is one.
manifest() {
    local d
    d=$(jq -r '.manifests[0].digest' "$1/index.json")
    jq -e .layers "$(blob "$1" "$d")" >/dev/null || d=$(jq -r '.manifests[0].digest' "$(blob "$1" "$d")")
    blob "$1" "$d"
}

@test "several outputs at once, each with its own options" {
    need skopeo zstd
    start_registry </dev/null
    base
    context <<'DOCKERFILE'
FROM base
RUN echo made > /made
COPY busybox /second
DOCKERFILE
    kiln build -q -o type=registry,name="$registry/app:1" -o type=local,dest=folder \
        -o type=oci,dest=zstd,tar=false,compression=zstd,force-compression=true,name=app:z \
        -o type=oci,dest=plain.tar,compression=uncompressed -o type=tar,dest=files.tar \
        -o type=docker,dest=docker.tar,name=app:d ctx
    [ "$(cat folder/made)" = made ]
    [ "$(tar -xOf files.tar made)" = made ]
    skopeo inspect --raw --tls-verify=false "docker://$registry/app:1" |
        jq -e '[.layers[].mediaType] | unique == ["application/vnd.oci.image.layer.v1.tar+gzip"]'
    jq -e '[.layers[].mediaType] | unique == ["application/vnd.oci.image.layer.v1.tar+zstd"]' \
        "$(manifest zstd)"
    [ "$(tar -xOf docker.tar manifest.json | jq -r '.[0].RepoTags[0]')" = app:d ]
    # One content: the same diffIDs everywhere, also of recompressed layers of the base.
    config() { skopeo inspect --config --tls-verify=false "$1" | jq -c .rootfs.diff_ids; }
    want=$(config "docker://$registry/app:1")
    [ "$(config oci:zstd)" = "$want" ]
    [ "$(config docker-archive:docker.tar)" = "$want" ]
    mkdir plain && tar -C plain -xf plain.tar
    jq -r '.layers[] | select(.mediaType | endswith(".tar")) | .digest' "$(manifest plain)" |
        while read -r digest; do jq -e --arg d "$digest" 'any(. == $d)' <<<"$want"; done
    for digest in $(jq -r '.layers[].digest' "$(manifest zstd)"); do
        zstd -tq "$(blob zstd "$digest")"
        jq -e --arg d "sha256:$(zstd -dcq "$(blob zstd "$digest")" | sha256sum | cut -c-64)" \
            'any(. == $d)' <<<"$want"
    done
}

@test "annotations go to all four places, for all platforms or one" {
    plain
    kiln build -q $both -t app -o type=oci,dest=x,tar=false,annotation.all=1,annotation-index.in=2 \
        --annotation 'manifest[linux/arm64]:arm=3' --annotation 'index-descriptor,manifest-descriptor:d=4' ctx
    index=$(blob x "$(jq -r '.manifests[0].digest' x/index.json)")
    jq -e '.manifests | length == 1' x/index.json
    jq -e '.manifests[0].annotations |
        .d == "4" and .["io.containerd.image.name"] == "docker.io/library/app:latest" and
        .["org.opencontainers.image.ref.name"] == "latest" and has("org.opencontainers.image.created")' x/index.json
    jq -e '.annotations == {"in": "2"}' "$index"
    jq -e '[.manifests[].annotations] == [{"d": "4"}, {"d": "4"}]' "$index"
    jq -e '[.manifests[].platform.architecture] == ["amd64", "arm64"]' "$index"
    jq -e '.annotations == {"all": "1"}' "$(blob x "$(jq -r '.manifests[0].digest' "$index")")"
    jq -e '.annotations == {"all": "1", "arm": "3"}' "$(blob x "$(jq -r '.manifests[1].digest' "$index")")"
}

@test "outputs of one type are told apart while they are written" {
    mkdir ctx
    printf 'FROM scratch\nCOPY Dockerfile /\n' >ctx/Dockerfile
    kiln build --progress plain -o type=oci,dest=a.tar -o type=oci,dest=b.tar ctx 2>log
    [ "$(grep -c '^#[0-9]* exporting to oci image format$' log)" = 2 ]
    [ "$(grep '^#[0-9]* exporting to oci image format$' log | sort -u | wc -l)" = 2 ]
    cmp a.tar b.tar
}

@test "of one image the manifest's descriptor is the layout's, and is in --metadata-file" {
    plain
    export SOURCE_DATE_EPOCH=1700000000
    kiln build -q --metadata-file meta --annotation manifest-descriptor:d=1 --annotation a=2 \
        -o type=docker,dest=x.tar,name=app:1 ctx
    tar -xOf x.tar index.json | jq -e '.manifests[0] | .platform.os == "linux" and .annotations == {
        "d": "1", "io.containerd.image.name": "docker.io/library/app:1",
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.ref.name": "1"}'
    # Descriptors have annotations in OCI's types only, which are taken then.
    jq -e '.["containerimage.descriptor"] | .annotations.d == "1" and
        .mediaType == "application/vnd.oci.image.manifest.v1+json" and .platform.os == "linux"' meta
    jq -e '.["image.name"] == "docker.io/library/app:1"' meta
    jq -e 'has("containerimage.config.digest")' meta
    kiln build -q $both -t app --metadata-file meta ctx
    jq -e 'has("containerimage.config.digest") | not' meta
    jq -e '.["containerimage.descriptor"].mediaType == "application/vnd.oci.image.index.v1+json"' meta
}

@test "what an annotation, a key or a type cannot mean is wrong usage" {
    plain
    while IFS='|' read -r line code want; do
        eval "run kiln build -t app $line ctx"
        echo "kiln build $line: $output"
        [ "$status" = "$code" ]
        [[ "$output" == *"$want"* ]]
    done <<'ROWS'
--annotation index:a=1|1|index annotations not supported for single platform export
--annotation 'manifest[linux/s390x]:a=1'|1|no platform linux/s390x is built
--annotation a|2|--annotation: invalid annotation "a", expected key=value
--annotation a=1 -o out|2|--annotation a=1: no output is an image
-o type=oci,dst=x|2|hint: did you mean dest?
-o type=local,dest=x,compression=zstd|2|hint: it is a key of image, oci, docker
-o type=image,compression-level=11|2|gzip has levels from 0 to 9
--platform linux/amd64,linux/arm64 -o type=docker,dest=x|1|docker exporter does not currently support exporting manifest lists
-o type=local,dest=.,mode=delete|1|mode=delete: . holds the folder that kiln runs in
ROWS
    [ ! -e x ] && [ -e ctx/busybox ]
}

@test "platforms in a folder, without a split, in a tar; mode=delete" {
    plain
    mkdir -p out/old && echo stale >out/linux_amd64
    kiln build -q $both -o type=local,dest=out,mode=delete ctx
    [ "$(ls out)" = $'linux_amd64\nlinux_arm64' ]
    [ "$(cat out/linux_arm64/etc/arm64)" = text ]
    run kiln build $both -o type=local,dest=one,platform-split=false ctx
    [ "$status" = 1 ]
    [[ "$output" == *"cannot overwrite bin/busybox from linux/amd64 with linux/arm64 when platform-split is false"* ]]
    kiln build -q $both -o type=tar,dest=both.tar ctx
    [ "$(tar -tf both.tar | grep etc/arm)" = linux_arm64/etc/arm64 ]
}

@test "type=cacheonly leaves nothing but the cache" {
    base
    context <<'DOCKERFILE'
FROM base
RUN cat /proc/sys/kernel/random/uuid > /id
DOCKERFILE
    kiln build -q -t app -o type=cacheonly ctx
    [ -z "$(kiln images -q app)" ]
    run --separate-stderr kiln build --format json -t app ctx
    [ "$(lines_of "$stderr" '^#[0-9]* CACHED$')" -ge 1 ]
    [ "$(lines_of "$stderr" 'RUN cat.*DONE')" = 0 ]
    [ -n "$(kiln images -q app)" ]
}

@test "names in the store: canonical, dangling, none" {
    plain
    digest=$(kiln build -q -o type=image,name=app:1,name-canonical=true,unpack=true ctx)
    [ "$(kiln images -q app:1)" = "$digest" ]
    kiln inspect "app:1@$digest" >/dev/null
    kiln build -q -o type=image,dangling-name-prefix=loose ctx
    kiln inspect "loose@$digest" >/dev/null
    kiln build -q -o type=image,name=unkept,store=false ctx
    run --separate-stderr kiln build -o type=image,name=one -o type=image,name=two,compression=zstd -o out ctx
    [[ "$stderr" == *"kept one in the store $KILN_ROOT (kiln push sends it)
kept two in the store $KILN_ROOT (kiln push sends it)" ]]
    [ -z "$(kiln images -q unkept)" ]
}

@test "push-by-digest leaves no tag, and the digest is there" {
    start_registry </dev/null
    plain
    digest=$(kiln build -q -o type=image,name="$registry/app",push=true,push-by-digest=true ctx)
    [ "$(curl -s "http://$registry/v2/app/tags/list" | jq -c '.tags // []')" = '[]' ]
    curl -fsS -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
        "http://$registry/v2/app/manifests/$digest"
}

# ---- estargz ----

@test "estargz: every layer is read lazily, unpacked by others, and the same each time" {
    need python3 skopeo umoci
    export SOURCE_DATE_EPOCH=1700000000
    base
    context <<'DOCKERFILE'
FROM base
RUN mkdir -p /d && seq 200000 > /d/large && ln /d/large /d/hard && ln -s large /d/soft && rm /etc/group
COPY busybox /copy
DOCKERFILE
    spec=tar=false,compression=estargz,force-compression=true,name=app:1
    digest=$(kiln build -q -o "type=oci,dest=x,$spec" ctx)
    jq -c '.layers[]' "$(manifest x)" | while read -r layer; do
        [ "$(jq -r .mediaType <<<"$layer")" = application/vnd.oci.image.layer.v1.tar+gzip ]
        "$read_estargz" "$(blob x "$(jq -r .digest <<<"$layer")")" \
            "$(jq -r '.annotations."containerd.io/snapshot/stargz/toc.digest"' <<<"$layer")" \
            "$(jq -r '.annotations."io.containers.estargz.uncompressed-size"' <<<"$layer")" >>entries
    done
    grep -q 'hardlink d/large.* d/hard' entries
    grep -q 'reg etc/.wh.group' entries
    [ "$(jq '.layers | length' "$(manifest x)")" = "$(grep -c landmark entries)" ]
    skopeo copy -q oci:x:1 dir:copied
    umoci unpack --rootless --image x:1 bundle
    kiln build -q -o out ctx
    diff -r bundle/rootfs/d out/d
    [ ! -e bundle/rootfs/etc/group ]
    rm -r "$KILN_ROOT"
    base
    [ "$(KILN_THREADS=1 kiln build -q -o "type=oci,dest=y,$spec,compression-level=6" ctx)" = "$digest" ]
}

@test "estargz in a registry: annotations stay with the layer, and a base that has them keeps them" {
    need python3 skopeo
    start_registry </dev/null
    plain
    kiln build -q -o type=registry,name="$registry/base:1",compression=estargz ctx
    toc=$(skopeo inspect --raw --tls-verify=false "docker://$registry/base:1" |
        jq -r '.layers[0].annotations."containerd.io/snapshot/stargz/toc.digest"')
    [[ "$toc" == sha256:* ]]
    rm -r "$KILN_ROOT"
    printf 'FROM %s/base:1\nCOPY busybox /more\n' "$registry" >ctx/Dockerfile
    kiln build -q -o type=registry,name="$registry/app:1" ctx
    skopeo inspect --raw --tls-verify=false "docker://$registry/app:1" >app.json
    [ "$(jq -r '.layers[0].annotations."containerd.io/snapshot/stargz/toc.digest"' app.json)" = "$toc" ]
    jq -e '.layers[-1] | has("annotations") | not' app.json
}

# ---- SOURCE_DATE_EPOCH ----

@test "SOURCE_DATE_EPOCH gives the same digest with a warm cache as with none" {
    base
    context <<'DOCKERFILE'
FROM base AS tool
RUN echo tool > /tool

FROM base
RUN echo one > /one && rm /etc/group
COPY --from=tool --link /tool /linked/tool
COPY busybox /two
WORKDIR /work
DOCKERFILE
    kiln build -q ctx >/dev/null # without: the cache is warm now
    warm=$(SOURCE_DATE_EPOCH=1600000000 kiln build -q -o type=oci,dest=warm,tar=false,name=x:1 ctx)
    kiln copy -q store:base oci:kept:1
    rm -r "$KILN_ROOT"
    kiln copy -q oci:kept:1 store:base
    cold=$(SOURCE_DATE_EPOCH=1600000000 kiln build -q -o type=oci,dest=cold,tar=false,name=x:1 ctx)
    [ "$warm" = "$cold" ]
    # All that was made here is of that time or before; the base keeps its own.
    jq -e '.layers | length == 7' "$(manifest warm)"
    for digest in $(jq -r '.layers[3:][].digest' "$(manifest warm)"); do
        [ -z "$(tar --full-time -tzvf "$(blob warm "$digest")" | awk '$4 > "2020-09-13"')" ]
    done
    [ -n "$(tar --full-time -tzvf "$(blob warm "$(jq -r '.layers[2].digest' "$(manifest warm)")")" |
        awk '$4 > "2020-09-13"')" ]
    config=$(blob warm "$(jq -r .config.digest "$(manifest warm)")")
    jq -e '.created == "2020-09-13T12:26:40Z"' "$config"
}

@test "rewrite-timestamp=false keeps times; source-date-epoch= is of one output" {
    base
    printf 'FROM base\nRUN touch -d @1650000000 /f\n' >ctx-file
    mkdir ctx && mv ctx-file ctx/Dockerfile
    export SOURCE_DATE_EPOCH=1600000000
    kiln build -q -o type=oci,dest=kept,tar=false,name=x:1,rewrite-timestamp=false \
        -o type=oci,dest=own,tar=false,name=x:1,source-date-epoch=1500000000 ctx
    last() { blob "$1" "$(jq -r '.layers[-1].digest' "$(manifest "$1")")"; }
    [ "$(tar --full-time -tzvf "$(last kept)" | awk '{print $4}' | sort -u)" = 2022-04-15 ]
    [ "$(tar --full-time -tzvf "$(last own)" | awk '{print $4}' | sort -u)" = 2017-07-14 ]
    jq -e '.created == "2017-07-14T02:40:00Z"' "$(blob own "$(jq -r .config.digest "$(manifest own)")")"
}

@test "SOURCE_DATE_EPOCH and compression hold for layers that come from a registry's cache" {
    start_registry </dev/null
    base
    kiln copy -q store:base oci:base:1
    context <<'DOCKERFILE'
FROM base
RUN echo one > /one && rm /etc/group
RUN echo two > /two
DOCKERFILE
    spec=compression=zstd,name=x:1,tar=false
    cache=type=registry,ref=$registry/cache
    cold=$(SOURCE_DATE_EPOCH=1600000000 kiln build -q -o "type=oci,dest=cold,$spec" ctx)
    rm -r "$KILN_ROOT"
    kiln copy -q oci:base:1 store:base
    kiln build -q --cache-to "$cache,mode=max" ctx >/dev/null # neither
    rm -r "$KILN_ROOT"
    kiln copy -q oci:base:1 store:base
    run --separate-stderr kiln build --progress plain --format json --cache-from "$cache" \
        --metadata-file meta -o "type=oci,dest=gzip,tar=false,name=x:1" ctx
    [ "$(lines_of "$stderr" '^#[0-9]* CACHED$')" -ge 2 ]
    [ "$(SOURCE_DATE_EPOCH=1600000000 kiln build -q -o "type=oci,dest=warm,$spec" ctx)" = "$cold" ]
    diff -r cold/blobs warm/blobs
}
