# The same Dockerfiles give the same digests, whoever builds them, where and how.
load helper

setup_file() {
    kiln_setup
    can_build
    share
    "$BATS_TEST_DIRNAME/build-corpus" "$shared" "$shared/store" "$shared/context" >"$shared/want"
}

# compare FILE [LACKING ...]: the digests in FILE are those of the first build.
compare() {
    local file
    for file in "$corpus"/*.Dockerfile; do
        local word name lacks=
        name=$(basename "$file" .Dockerfile)
        for word in $(need_of "$file"); do
            [[ " ${*:2} " != *" $word "* ]] || lacks=1
        done
        [ -n "$lacks" ] || grep "^$name " "$shared/want"
    done >want
    [ "$(wc -l <want)" -ge 12 ]
    diff want "$1"
}

# builds STORE CONTEXT [LACKING ...]: the corpus, into a file `got`.
builds() {
    "$shared/build-corpus" "$shared" "$@" >got
}

# user_builds SUBIDS LACKING ...: nobody makes the context and builds.
user_builds() {
    local folder=$BATS_TEST_TMPDIR/nobodys
    chmod a+x "$(dirname "$BATS_TEST_TMPDIR")" "$BATS_TEST_TMPDIR"
    mkdir "$folder"
    chown nobody "$folder"
    local user=(as_user "$1" env HOME="$folder" TMPDIR="$folder")
    shift
    "${user[@]}" "$shared/corpus/make-context" "$folder/context"
    "${user[@]}" "$shared/build-corpus" "$shared" "$folder/store" "$folder/context" "$@" >got
}

@test "all Dockerfiles of the corpus can be built, each to an image of its own" {
    run ! grep failed "$shared/want"
    [ "$(sort -u -k 2 "$shared/want" | wc -l)" = "$(find "$corpus" -name '*.Dockerfile' | wc -l)" ]
}

@test "again from the cache" {
    builds "$shared/store" "$shared/context"
    compare got
}

@test "with one thread" {
    KILN_THREADS=1 builds "$KILN_ROOT" "$shared/context"
    compare got
}

@test "with eight threads" {
    KILN_THREADS=8 builds "$KILN_ROOT" "$shared/context"
    compare got
}

@test "without mounting anything, from plain folders" {
    KILN_SNAPSHOT_DRIVER=directory builds "$KILN_ROOT" "$shared/context" overlay
    compare got overlay
}

@test "from another clone, at another time, with another umask, home, language and time zone" {
    TZ=Asia/Tokyo "$corpus/make-context" clone 077 '2031-05-06 07:08:09'
    umask 027
    HOME=/ TZ=Asia/Tokyo LC_ALL=C builds "$KILN_ROOT" "$PWD/clone"
    compare got
}

@test "on a machine of another name" {
    need_root
    # shellcheck disable=SC2016
    unshare --uts sh -c 'hostname elsewhere.example && exec "$@"' sh \
        "$shared/build-corpus" "$shared" "$KILN_ROOT" "$shared/context" >got
    compare got
}

@test "as an ordinary user with a range of ids" {
    need_root
    need newuidmap
    user_builds "$ranges" mknod
    compare got mknod
}

@test "as an ordinary user with one id" {
    need_root
    user_builds "" ids mknod
    compare got ids mknod
}

@test "as an ordinary user with one id, from plain folders" {
    need_root
    KILN_SNAPSHOT_DRIVER=directory user_builds "" ids mknod overlay
    compare got ids mknod overlay
}
