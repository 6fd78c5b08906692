# What kiln builds, unpacked by umoci: the tree is the one that kiln itself writes out.
load helper

setup_file() {
    build_corpus_once
}

setup() {
    kiln_setup
    need umoci python3 jq
    built
    export SOURCE_DATE_EPOCH=1700000000
}

# outputs NAME: the image as layout, as folder and as tar, all from the cache.
outputs() {
    kiln build -q -f "$corpus/$1.Dockerfile" -t it -o type=oci,tar=false,dest="$1/layout" \
        -o type=local,dest="$1/folder" -o type=tar,dest="$1/tar" "$shared/context" >/dev/null
}

tag_of() {
    jq -r '.manifests[0].annotations."org.opencontainers.image.ref.name"' "$1/layout/index.json"
}

@test "as root: umoci's tree, kiln's folder and kiln's tar are the same" {
    [ "$(id -u)" = 0 ] || skip "needs root to give files their owners"
    for name in archive capabilities devices links modes names owners rename whiteouts; do
        echo "# $name"
        outputs "$name"
        umoci unpack --image "$name/layout:$(tag_of "$name")" "$name/bundle"
        "$BATS_TEST_DIRNAME/tree" "$name/bundle/rootfs" >want
        [ "$(wc -l <want)" -ge 3 ]
        "$BATS_TEST_DIRNAME/tree" "$name/tar" | diff want -
        # A folder is its maker's: no owners, no devices, and folders that he may write to.
        diff <("$BATS_TEST_DIRNAME/tree" --no-owner "$name/bundle/rootfs" | sed '/^[bcp]/d; s/^d0[0-7]/d07/') \
            <("$BATS_TEST_DIRNAME/tree" --no-owner "$name/folder")
    done
}

@test "as an ordinary user: umoci's tree is that of kiln's tar, but for owners" {
    need_root
    local folder=$PWD/nobodys
    chmod a+x "$(dirname "$BATS_TEST_TMPDIR")" "$BATS_TEST_TMPDIR"
    mkdir "$folder"
    for name in archive names whiteouts; do
        echo "# $name"
        outputs "$name"
        cp -r "$name/layout" "$folder/$name"
        chown -R nobody "$folder"
        as_user "" env HOME="$folder" umoci unpack --rootless --image "$folder/$name:$(tag_of "$name")" \
            "$folder/$name-bundle"
        "$BATS_TEST_DIRNAME/tree" --no-owner "$folder/$name-bundle/rootfs" >want
        "$BATS_TEST_DIRNAME/tree" --no-owner "$name/tar" | diff want -
    done
}
