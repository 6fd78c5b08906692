# Caches that travel: --cache-to and --cache-from with registries, folders and images.
load helper

# A base image in the registry, and a context whose image is made of it in two steps and a stage.
start() {
    can_build
    need jq
    start_registry </dev/null
    context base <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
DOCKERFILE
    kiln build -q -t "$registry/base" --push base >/dev/null
    context <<DOCKERFILE
FROM $registry/base AS tool
RUN cat /proc/sys/kernel/random/uuid > /tool && echo 1 > /number
FROM $registry/base
COPY --from=tool /tool /tool
COPY busybox /copy
RUN cat /proc/sys/kernel/random/uuid > /moment
DOCKERFILE
}

# fresh NAME: an empty store from here on.
fresh() {
    export KILN_ROOT="$BATS_TEST_TMPDIR/$1"
}

# steps LOG: names of the steps that ran.
steps() {
    awk '/^#[0-9]+ \[/ { name[$1] = $0 } /^#[0-9]+ DONE/ { if ($1 in name) print name[$1] }' <<<"$1" |
        grep -E ' (RUN|COPY) ' | sed 's/^#[0-9]* //' || true
}

# requests: what the registry was asked since `mark`, digests cut short.
mark() {
    lines=$(wc -l <"$BATS_TEST_TMPDIR/registry/log")
}
requests() {
    tail -n +$((lines + 1)) "$BATS_TEST_TMPDIR/registry/log" |
        grep -a -o '"[A-Z]* /v2/[^ ]*' | tr -d '"' | sort
}

raw() {
    curl -fsS -H 'Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json' \
        "http://$registry/v2/$1/manifests/${2:-latest}"
}

@test "a fresh store with a registry's cache: nothing runs, no layer is fetched, the same image" {
    start
    first=$(kiln build -q -t "$registry/app" --push --cache-to "type=registry,ref=$registry/cache,mode=max" ctx)
    fresh other
    mark
    run --separate-stderr kiln build --progress plain -t "$registry/app" --push --cache-from "$registry/cache" ctx
    [ "$status" = 0 ]
    [ "$(kiln build -q -t "$registry/app" --push --cache-from "$registry/cache" ctx)" = "$first" ]
    [ -z "$(steps "$stderr")" ]
    [[ "$stderr" == *"importing cache manifest from $registry/cache"* ]]
    # Blobs that came: the records, and the config of the base.
    records=$(raw cache | jq -r .config.digest)
    config=$(raw base | jq -r .config.digest)
    [ "$(requests | grep 'GET.*/blobs/')" = "GET /v2/base/blobs/$config
GET /v2/cache/blobs/$records" ]
    [ -z "$(find "$KILN_ROOT/snapshots" -name fs)" ] # nothing is unpacked
    [ "$(find "$KILN_ROOT/blobs" -type f -size +64k)" = "" ]
}

@test "what changed runs, on layers that come when they are needed" {
    start
    kiln build -q -t "$registry/app" --push --cache-to "type=registry,ref=$registry/cache,mode=max" ctx >/dev/null
    sed -i 's/^RUN cat .*moment/& \&\& echo changed > \/changed/' ctx/Dockerfile
    fresh other
    run --separate-stderr kiln build --progress plain -t app --cache-from "$registry/cache" ctx
    [ "$status" = 0 ]
    [[ "$(steps "$stderr")" == *"4/4] RUN cat"*"changed" ]]
    [ "$(steps "$stderr" | wc -l)" = 1 ]
    [ "$(kiln run app cat /changed)" = changed ]
    [ -n "$(kiln run app cat /tool)" ]
}

@test "a cache that was only read is left whole for others: the same records, byte for byte" {
    start
    kiln build -q --cache-to "type=registry,ref=$registry/cache,mode=max" ctx >/dev/null
    fresh other
    kiln build -q -t "$registry/app" --push --cache-from "$registry/cache" \
        --cache-to "type=registry,ref=$registry/copy,mode=max" ctx >/dev/null
    [ "$(raw copy)" = "$(raw cache)" ]
}

@test "what an earlier build made here is exported without running or looking again" {
    start
    kiln build -q --cache-to "type=registry,ref=$registry/cache,mode=max" ctx >/dev/null
    run --separate-stderr kiln build --progress plain --cache-to "type=registry,ref=$registry/copy,mode=max" ctx
    [ "$status" = 0 ]
    [ -z "$(steps "$stderr")" ]
    [ "$(raw copy)" = "$(raw cache)" ]
}

@test "mode=min has the layers of the image alone, mode=max those of stages too" {
    start
    kiln build -q --cache-to "$registry/min" --cache-to "type=registry,ref=$registry/max,mode=max" ctx >/dev/null
    [ "$(raw max | jq '.layers | length')" = $(($(raw min | jq '.layers | length') + 1)) ]
    echo "RUN echo more > /more" >>ctx/Dockerfile
    fresh other
    run --separate-stderr kiln build --progress plain --cache-from "$registry/min" ctx
    [ "$(steps "$stderr")" = '[stage-1 5/5] RUN echo more > /more' ]
    sed -i 's/^COPY busybox.*/COPY busybox \/other/' ctx/Dockerfile
    fresh third
    run --separate-stderr kiln build --progress plain --cache-from "$registry/min" ctx
    [[ "$(steps "$stderr")" != *uuid\ \>\ /tool* ]] # COPY --from is found by its definition
}

@test "content decides: a stage that gives the same files again keeps what copies from it" {
    start
    sed -i 's/^RUN cat .*number/RUN echo the same > \/tool/' ctx/Dockerfile
    kiln build -q --cache-to "type=local,dest=cache,mode=max" ctx >/dev/null
    sed -i 's/echo the same/echo  the  same/' ctx/Dockerfile
    fresh other
    run --separate-stderr kiln build --progress plain --cache-from type=local,src=cache ctx
    [ "$(steps "$stderr")" = '[tool 2/2] RUN echo  the  same > /tool' ]
}

@test "a step that reads what the same step made is no ring" {
    can_build
    need jq
    context <<'DOCKERFILE'
FROM scratch AS first
COPY busybox /file
FROM scratch AS second
COPY --from=first /file /file
FROM scratch
COPY --from=second /file /file
DOCKERFILE
    kiln build -q --cache-to type=local,dest=cache,mode=max ctx >/dev/null
    config=$(jq -r '.config.digest[7:]' "cache/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' cache/index.json)")
    [ "$(jq ".records | length" "cache/blobs/sha256/$config")" = 3 ] # the file, the COPY of the context, both others
    fresh other
    run --separate-stderr kiln build --progress plain --cache-from type=local,src=cache ctx
    [ "$status" = 0 ]
    [ -z "$(steps "$stderr")" ]
    [[ "$stderr" != *warning* ]]
}

@test "several platforms have one cache, each with its own steps in it" {
    can_build
    context <<'DOCKERFILE'
FROM scratch
ARG TARGETARCH
COPY busybox /$TARGETARCH
COPY busybox /both
DOCKERFILE
    first=$(kiln build -q --platform linux/amd64,linux/arm64 --cache-to type=local,dest=cache,mode=max ctx)
    fresh other
    run --separate-stderr kiln build --progress plain --platform linux/amd64,linux/arm64 --cache-from type=local,src=cache ctx
    [ "$status" = 0 ]
    [ -z "$(steps "$stderr")" ]
    [ "$(kiln build -q --platform linux/amd64,linux/arm64 --cache-from type=local,src=cache ctx)" = "$first" ]
}

@test "a folder: an OCI layout with caches by tag, read by tag or digest; reset forgets the others" {
    start
    kiln build -q --cache-to type=local,dest=cache,mode=max ctx >/dev/null
    echo "RUN echo more > /more" >>ctx/Dockerfile
    kiln build -q --cache-to type=local,dest=cache,mode=max,tag=more ctx >/dev/null
    [ "$(jq -r '.manifests[].annotations[]' cache/index.json)" = "latest
more" ]
    jq -e '.imageLayoutVersion' cache/oci-layout
    for blob in cache/blobs/sha256/*; do
        [ "$(sha256sum <"$blob" | cut -c1-64)" = "$(basename "$blob")" ]
    done
    digest=$(jq -r '.manifests[1].digest' cache/index.json)
    for from in tag=more "digest=$digest"; do
        fresh "other-$from"
        run --separate-stderr kiln build --progress plain --cache-from "type=local,src=cache,$from" ctx
        [ "$status" = 0 ]
        [ -z "$(steps "$stderr")" ]
    done
    fresh other
    run --separate-stderr kiln build --progress plain --cache-from type=local,src=cache ctx
    [ "$(steps "$stderr" | wc -l)" = 1 ]
    n=$(ls cache/blobs/sha256 | wc -l)
    kiln build -q --cache-to type=local,dest=cache,reset=true ctx >/dev/null
    [ "$(jq '.manifests | length' cache/index.json)" = 1 ]
    [ "$(ls cache/blobs/sha256 | wc -l)" -lt "$n" ]
}

@test "inside the image: BUILDKIT_INLINE_CACHE=1 or type=inline; a base's records are not taken along" {
    start
    kiln build -q -t "$registry/app" --push --build-arg BUILDKIT_INLINE_CACHE=1 ctx >/dev/null
    kiln build -q -t "$registry/app:2" --push --cache-to type=inline ctx >/dev/null
    [ "$(raw app)" = "$(raw app 2)" ]
    kiln build -q -t "$registry/app:plain" --push ctx >/dev/null
    fresh other
    run --separate-stderr kiln build --progress plain --cache-from "$registry/app" ctx
    [ "$status" = 0 ]
    [ -z "$(steps "$stderr")" ]
    context next <<DOCKERFILE
FROM $registry/app
RUN echo next > /next
DOCKERFILE
    kiln build -q -t next next >/dev/null
    [ "$(kiln inspect next | jq '.config | has("moby.buildkit.cache.v0")')" = false ]
    fresh third
    run --separate-stderr kiln build --progress plain --cache-from "$registry/app:plain" ctx
    [ "$status" = 0 ]
    [ -n "$(steps "$stderr")" ] # an image without records is no cache, and no mistake
    [[ "$stderr" != *warning* ]]
}

@test "an index, Docker's types, zstd: others read them" {
    start
    need skopeo
    kiln build -q --cache-to "type=registry,ref=$registry/a,image-manifest=false" \
        --cache-to "type=registry,ref=$registry/b,oci-mediatypes=false" \
        --cache-to "type=registry,ref=$registry/c,compression=zstd,force-compression=true" ctx >/dev/null
    [ "$(raw a | jq -r .mediaType)" = application/vnd.oci.image.index.v1+json ]
    [ "$(raw a | jq -r '.manifests[-1].mediaType')" = application/vnd.buildkit.cacheconfig.v0 ]
    [ "$(raw b | jq -r .mediaType)" = application/vnd.docker.distribution.manifest.list.v2+json ]
    [ "$(raw c | jq -r '[.layers[].mediaType] | unique[]')" = application/vnd.oci.image.layer.v1.tar+zstd ]
    [ "$(skopeo inspect --tls-verify=false --raw "docker://$registry/c" | jq -r .config.mediaType)" = \
        application/vnd.buildkit.cacheconfig.v0 ]
    for ref in a b c; do
        fresh "other-$ref"
        run --separate-stderr kiln build --progress plain -t app --cache-from "$registry/$ref" ctx
        [ "$status" = 0 ]
        [ -z "$(steps "$stderr")" ]
        [ -n "$(kiln run app cat /moment)" ]
    done
}

@test "layers that a cache promised and does not have: the build is done again without it, and nothing bad stays" {
    start
    kiln build -q --cache-to type=local,dest=cache,mode=max ctx >/dev/null
    sed -i 's/^RUN cat .*moment/& \&\& echo changed > \/changed/' ctx/Dockerfile
    manifest=cache/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' cache/index.json)
    layer=cache/blobs/sha256/$(jq -r '.layers | max_by(.size).digest[7:]' "$manifest")
    for how in gone rotten; do
        rm -f "$layer"
        [ $how = gone ] || echo rotten >"$layer"
        fresh "other-$how"
        run --separate-stderr kiln build --progress plain -t app --cache-from type=local,src=cache ctx
        echo "$stderr"
        [ "$status" = 0 ]
        [[ "$stderr" == *" - built again without caches: "*"$(basename "$layer")"* ]]
        [ "$(kiln run app cat /changed)" = changed ]
        run --separate-stderr kiln build --progress plain -t app --cache-from type=local,src=cache ctx
        [ "$status" = 0 ]
        [ -z "$(steps "$stderr")" ]
        [[ "$stderr" != *"built again"* ]]
    done
}

@test "results whose cache is gone are forgotten when they are needed, and made here" {
    start
    kiln build -q --cache-to type=local,dest=cache,mode=max ctx >/dev/null
    fresh other
    kiln build -q -o type=cacheonly --cache-from type=local,src=cache ctx >/dev/null
    rm -r cache
    echo 'RUN echo more > /more' >>ctx/Dockerfile
    run --separate-stderr kiln build --progress plain -t app ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *" - built again without caches: "* ]]
    [ "$(kiln run app cat /more)" = more ]
}

# refusing: starts a registry that says 401 to everybody; sets $refusing to HOST:PORT/login.
refusing() {
    need python3
    mkdir -p liar/blobs && echo '{"manifests":[{}]}' >liar/index.json
    mkfifo alive
    "$BATS_TEST_DIRNAME/lying-registry" liar <alive >address 3>&- &
    exec 9>alive
    for ((i = 0; i < 250; i++)); do
        [ ! -s address ] || break
        sleep 0.02
    done
    refusing="$(cat address)/login"
}

@test "a cache that cannot be read is a warning, and the others are asked" {
    start
    refusing
    kiln build -q --cache-to type=local,dest=cache ctx >/dev/null
    mkdir broken && cp -r cache/. broken && chmod -R u+w broken
    config=$(jq -r .config.digest "broken/blobs/sha256/$(jq -r '.manifests[0].digest' cache/index.json | cut -c8-)" | cut -c8-)
    echo '{"layers":' >"broken/blobs/sha256/$config"
    fresh other
    run --separate-stderr kiln build --progress plain --cache-from "$registry/nowhere" \
        --cache-from "$refusing" --cache-from type=local,src=nowhere --cache-from type=local,src=broken \
        --cache-from type=local,src=cache ctx
    [ "$status" = 0 ]
    [ -z "$(steps "$stderr")" ]
    [ "$(lines_of "$stderr" '^ - failed to configure .* cache importer: ')" = 4 ]
    [[ "$stderr" == *"failed to configure registry cache importer: $registry/nowhere: "*"not found"* ]]
}

@test "a cache that cannot be written fails the build, but with ignore-error" {
    start
    refusing
    run --separate-stderr kiln build --progress plain -t app --cache-to "$refusing" ctx
    [ "$status" = 1 ]
    [[ "$stderr" == *"error: export cache to $refusing: "* ]]
    run --separate-stderr kiln build --progress plain -t app \
        --cache-to "type=registry,ref=$refusing,ignore-error=true" ctx
    [ "$status" = 0 ]
    [[ "$stderr" == *" - export cache to $refusing: "* ]]
    touch file
    run --separate-stderr kiln build -t app --cache-to type=local,dest=file ctx
    [ "$status" = 1 ]
}

@test "wrong flags are told before anything is done" {
    for flag in --cache-to=type=floppy --cache-to=type=local --cache-from=type=registry --cache-to=type=registry,ref=a,mode=most; do
        run --separate-stderr kiln build "$flag" .
        [ "$status" = 2 ]
        [[ "$stderr" == *"${flag%%=*} "* ]]
    done
}

@test "cache mounts go along by id, and come back where there is none" {
    start
    cat >ctx/Dockerfile <<DOCKERFILE
FROM $registry/base
RUN --mount=type=cache,id=mine,target=/mine,mode=0700 --mount=type=cache,id=other,target=/other \
    mkdir -p /mine/deep && cat /proc/sys/kernel/random/uuid >> /mine/deep/log && ln -f /mine/deep/log /mine/link && \
    ln -sf deep /mine/short && echo other > /other/file && cat /mine/deep/log > /seen
DOCKERFILE
    kiln build -q -t app --cache-to "type=registry,ref=$registry/cache,mounts=mine" ctx >/dev/null
    [ "$(raw cache | jq -r '[.layers[].annotations["dev.kiln.cache-mount.id"] // empty][]')" = /mine ]
    kiln build -q --cache-to "type=registry,ref=$registry/all,mounts=all" ctx >/dev/null
    [ "$(raw all | jq -r '[.layers[].annotations["dev.kiln.cache-mount.id"] // empty][]')" = "/mine
/other" ]
    seen=$(kiln run app cat /seen)
    sed -i 's/cat .mine.deep.log > .seen/& \&\& stat -c "%a %h" \/mine \/mine\/link >> \/seen \&\& readlink \/mine\/short >> \/seen/' ctx/Dockerfile
    fresh other
    kiln build -q -t app --cache-from "$registry/cache" ctx >/dev/null
    kiln run app cat /seen >got
    [ "$(head -n 1 got)" = "$seen" ]
    [ "$(wc -l <got)" = 5 ] # what was there, one more line, modes and links
    grep -q '^700 ' got
    grep -q '^644 2$' got
    fresh third
    kiln build -q -t app --cache-from "type=registry,ref=$registry/cache,mounts=none" ctx >/dev/null
    [ "$(kiln run app head -n 1 /seen)" != "$seen" ]
}

@test "of a cache mount that is not what its cache says nothing stays, and the build goes on without" {
    need jq
    start
    cat >ctx/Dockerfile <<DOCKERFILE
FROM $registry/base
RUN --mount=type=cache,id=mine,target=/mine ls /mine > /seen; echo planted > /mine/file
DOCKERFILE
    kiln build -q --cache-to "type=local,dest=c,mounts=mine" ctx >/dev/null
    manifest=c/blobs/sha256/$(jq -r '.manifests[0].digest | ltrimstr("sha256:")' c/index.json)
    # As a liar has it: the mount's content is another than its annotation says.
    jq -c '(.layers[] | select(.annotations["dev.kiln.cache-mount.id"]) | .annotations["containerd.io/uncompressed"])
        |= "sha256:" + ("0" * 64)' "$manifest" >lie
    [ "$(jq '[.layers[] | select(.annotations["dev.kiln.cache-mount.id"])] | length' lie)" = 1 ]
    digest=$(sha256sum <lie | cut -d ' ' -f 1)
    cp lie "c/blobs/sha256/$digest"
    jq --arg d "sha256:$digest" --argjson s "$(stat -c %s lie)" '.manifests[0] |= (.digest = $d | .size = $s)' \
        c/index.json >index && cp index c/index.json
    fresh other
    sed -i 's/planted/mine/' ctx/Dockerfile
    run --separate-stderr kiln build -t app --cache-from type=local,src=c ctx
    [ "$status" = 0 ]
    [[ $stderr = *"restore the cache mount /mine"* ]]
    [ -z "$(kiln run app cat /seen)" ]
}

@test "a cache mount that is not needed is not fetched; one that is here stays as it is" {
    start
    cat >ctx/Dockerfile <<DOCKERFILE
FROM $registry/base
RUN --mount=type=cache,id=mine,target=/mine date +%s%N >> /mine/log && cat /mine/log > /seen
DOCKERFILE
    kiln build -q --cache-to "type=registry,ref=$registry/cache,mounts=all" ctx >/dev/null
    mount=$(raw cache | jq -r '.layers[] | select(.annotations["dev.kiln.cache-mount.id"]).digest')
    fresh other
    mark
    kiln build -q --cache-from "$registry/cache" ctx >/dev/null
    [[ "$(requests)" != *"GET /v2/cache/blobs/$mount"* ]]
    fresh third
    sed -i 's/> .seen/> \/seen2/' ctx/Dockerfile
    kiln build -q -t app ctx >/dev/null
    mine=$(kiln run app cat /seen2)
    sed -i 's/seen2/seen3/' ctx/Dockerfile
    mark
    kiln build -q -t app --cache-from "$registry/cache" ctx >/dev/null
    [ "$(kiln run app head -n 1 /seen3)" = "$mine" ]
    [[ "$(requests)" != *"GET /v2/cache/blobs/$mount"* ]]
}
