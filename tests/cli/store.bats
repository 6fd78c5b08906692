# Names and room: images, tag, rm, inspect, prune, doctor.
load helper

two_images() {
    can_build
    context <<'DOCKERFILE'
FROM scratch
ARG N
COPY busybox /busybox
LABEL n=$N
DOCKERFILE
    kiln build -q -t one --build-arg N=1 ctx >one.digest
    kiln build -q -t localhost:5000/team/two:2.0 --build-arg N=2 ctx >two.digest
}

@test "an empty store has no images" {
    run kiln images
    [ "$status" = 0 ]
    [ "$output" = "NAME   DIGEST   PLATFORM   CREATED   SIZE" ]
    [ "$(kiln images --format json)" = "[]" ]
}

@test "images lists names as docker shows them, in a table and as JSON" {
    two_images
    run kiln images
    [ "${#lines[@]}" = 3 ]
    [[ "${lines[1]}" == "one:latest "*"$(cut -c8-19 one.digest)"* ]]
    [[ "${lines[2]}" == "localhost:5000/team/two:2.0 "*"linux/"* ]]
    [ "$(kiln images --format json | jq -c '[.[] | .name, .digest, .layers]')" = \
        "[\"one:latest\",\"$(cat one.digest)\",1,\"localhost:5000/team/two:2.0\",\"$(cat two.digest)\",1]" ]
    [ "$(kiln images --format json one | jq length)" = 1 ]
    [ "$(kiln images -q localhost:5000/team/two)" = "$(cat two.digest)" ]
    [ -z "$(kiln images -q one:other)" ]
}

@test "tag gives another name, rm takes one away" {
    two_images
    kiln tag one again:1
    [ "$(kiln images -q again)" = "$(cat one.digest)" ]
    [ "$(kiln rm one again:1)" = "docker.io/library/one:latest
docker.io/library/again:1" ]
    run kiln rm localhost:5000/team/tow:2.0
    [ "$status" = 1 ]
    [ "$output" = "error: image localhost:5000/team/tow:2.0: not in the store
hint: did you mean localhost:5000/team/two:2.0?" ]
}

@test "inspect prints documents byte for byte, and a summary" {
    two_images
    [ "sha256:$(kiln inspect --raw one | sha256sum | cut -d' ' -f1)" = "$(cat one.digest)" ]
    [ "$(kiln inspect --raw one | jq -r .config.digest)" = \
        "sha256:$(kiln inspect --config one | sha256sum | cut -d' ' -f1)" ]
    [ "$(kiln inspect one | jq -c '[.digest, .config.config.Labels.n, (.layers | length)]')" = \
        "[\"$(cat one.digest)\",\"1\",1]" ]
}

@test "prune keeps what has a name, rm and prune together empty the store" {
    two_images
    kiln prune >/dev/null
    kiln inspect one >/dev/null
    kiln rm one localhost:5000/team/two:2.0
    size=$(kiln prune --dry-run --format json | jq .size)
    [ "$size" -gt 0 ]
    [ "$(kiln prune --format json | jq -c '[.size, .kept]')" = "[$size,0]" ]
    [ -z "$(ls "$KILN_ROOT/blobs/sha256")" ]
}

@test "prune --all takes names too; what is younger than the filter stays" {
    two_images
    [ "$(kiln prune --all --filter until=1h --format json | jq .names)" = 0 ]
    [ "$(kiln prune --all --format json | jq -c '[.names, .kept]')" = "[2,0]" ]
    [ "$(kiln images --format json)" = "[]" ]
}

@test "prune --keep-storage leaves what fits" {
    two_images
    kept=$(kiln prune --keep-storage 100GB --format json | jq .kept)
    [ "$kept" -gt 0 ]
    [ "$(kiln prune --keep-storage 100GB --format json | jq .size)" = 0 ]
}

@test "doctor names each tier and the store, and its status is its verdict" {
    run kiln doctor --format json
    [ "$(jq -r .canBuild <<<"$output")" = "$([ "$status" = 0 ] && echo true || echo false)" ]
    for what in "sandbox namespace" "sandbox chroot" "sandbox translate" store; do
        jq -e --arg what "$what" '.findings[] | select(.what == $what)' <<<"$output" >/dev/null
    done
    [ "$(jq -r '.findings[] | select(.what == "store").text' <<<"$output")" = "$KILN_ROOT" ]
}

@test "a store that cannot be used is told with the remedy" {
    touch file
    run kiln --root file images
    [ "$status" = 1 ]
    [[ "${lines[0]}" == "error: "*"file"* ]]
}
