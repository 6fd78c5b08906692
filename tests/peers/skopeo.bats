# What kiln builds, as skopeo reads and copies it.
load helper

setup_file() {
    build_corpus_once
}

setup() {
    kiln_setup
    need skopeo jq
    built
}

teardown() {
    stop_serving
}

digest_of() {
    sed -n "s/^$1 //p" "$shared/want"
}

@test "an image pushed and copied away has the digest that kiln told; skopeo verifies its blobs" {
    serve
    for name in config many names stages whiteouts; do
        run --separate-stderr kiln push "corpus/$name" "$registry/corpus/$name:1"
        [ "$output" = "$registry/corpus/$name@$(digest_of $name)" ]
        rm -rf layout
        copy "docker://$registry/corpus/$name:1" oci:layout:it
        [ "$(layout_digest layout)" = "$(digest_of $name)" ]
    done
}

@test "the store itself is a layout that skopeo reads" {
    name=docker.io/corpus/stages:latest
    copy "oci:$KILN_ROOT:$name" oci:layout:it
    [ "$(layout_digest layout)" = "$(digest_of stages)" ]
}

@test "the config says what the Dockerfile said" {
    copy "oci:$KILN_ROOT:docker.io/corpus/config:latest" oci:layout:it
    skopeo inspect --config oci:layout:it | jq -S '.config | del(.Labels)' >got
    jq -S . >want <<'JSON'
{"ArgsEscaped": true, "ExposedPorts": {"443/tcp": {}, "53/udp": {}, "80/tcp": {}},
 "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1", "B=two words"],
 "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo hi"], "Volumes": {"/data": {}, "/more": {}},
 "WorkingDir": "/var/lib/app", "StopSignal": "SIGQUIT"}
JSON
    diff want got
    [ "$(skopeo inspect oci:layout:it | jq -Sc .Labels)" = '{"one":"1","two":"2 3"}' ]
    [ "$(skopeo inspect --config oci:layout:it | jq -r .created)" = 2023-11-14T22:13:20Z ]
}

@test "archives: oci and docker, each compression, go through skopeo with their config unchanged" {
    export SOURCE_DATE_EPOCH=1700000000
    for output in type=oci type=oci,compression=uncompressed type=oci,oci-mediatypes=false \
        type=oci,tar=false type=docker; do
        rm -rf out layout
        kiln build -q -t it -f "$corpus/whiteouts.Dockerfile" -o "$output,dest=out" --iidfile id "$shared/context"
        case $output in
        type=docker) from=docker-archive:out ;;
        *tar=false) from=oci:out ;;
        *) from=oci-archive:out ;;
        esac
        echo "$output"
        copy "$from" dir:layout
        [ "sha256:$(jq -r .config.digest layout/manifest.json | sed s/sha256://)" = "$(cat id)" ]
    done
}

@test "skopeo pushes to the embedded registry, and kiln runs it from there" {
    copy "oci:$KILN_ROOT:docker.io/corpus/run:latest" oci:layout:it
    export KILN_ROOT=$BATS_TEST_TMPDIR/other
    serve
    copy oci:layout:it "docker://$registry/pushed/run:1"
    [ "$(kiln run "$registry/pushed/run:1" cat /greeting)" = "hello world" ]
}
