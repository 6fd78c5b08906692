# Images between registry and store: pull, push, copy, login, and what the store then knows.
load helper

# An image of one layer in the store, made without running anything.
small() {
    can_build
    context small <<'DOCKERFILE'
FROM scratch
COPY busybox /busybox
LABEL name=small
DOCKERFILE
    kiln build -q -t "$1" small
}

@test "push prints the pinned name, pull brings the same image to another store" {
    start_registry </dev/null
    digest=$(small "$registry/app:1")
    run --separate-stderr kiln push "$registry/app:1"
    [ "$status" = 0 ]
    [ "$output" = "$registry/app@$digest" ]
    [ "$(lines_of "$stderr" '^#1 DONE')" = 1 ]
    export KILN_ROOT="$PWD/other"
    [ "$(kiln pull -q "$registry/app:1")" = "$registry/app@$digest" ]
    [ "$(kiln images -q)" = "$digest" ]
    [ "$(kiln inspect "$registry/app:1" | jq -r .config.config.Labels.name)" = small ]
}

@test "pushed again, nothing is sent; under another name of the registry neither" {
    start_registry </dev/null
    small "$registry/app:1"
    kiln push -q "$registry/app:1"
    kiln push -q "$registry/app:1" "$registry/app:2"
    [ "$(grep -c 'http.request.method":"PATCH' "$BATS_TEST_TMPDIR/registry/log")" -le 2 ]
    [ "$(curl -fsS "http://$registry/v2/app/tags/list" | jq -c '.tags | sort')" = '["1","2"]' ]
}

@test "--format json of pull and push" {
    start_registry </dev/null
    digest=$(small "$registry/app:1")
    [ "$(kiln push -q --format json "$registry/app:1" | jq -c '[.name, .digest, .pinned]')" = \
        "[\"$registry/app:1\",\"$digest\",\"$registry/app@$digest\"]" ]
    [ "$(kiln pull -q --format json "$registry/app:1" | jq -c '[.[] | .name, .digest, .manifest]')" = \
        "[\"$registry/app:1\",\"$digest\",\"$digest\"]" ]
}

@test "an image that skopeo pushed is pulled, inspected without pulling, and copied on as it is" {
    need skopeo
    start_registry </dev/null
    small app:1
    kiln build -q -o type=oci,dest=app.tar -t app:1 small
    skopeo copy -q --dest-tls-verify=false oci-archive:app.tar "docker://$registry/from-skopeo:1"
    kiln inspect --remote --raw "$registry/from-skopeo:1" >manifest
    digest=sha256:$(sha256sum <manifest | cut -d' ' -f1)
    [ "$(kiln copy -q "docker://$registry/from-skopeo:1" "docker://$registry/mirror/app:2")" = \
        "$registry/mirror/app@$digest" ]
    [ "$(kiln copy -q "docker://$registry/mirror/app:2" store:mine)" = "docker.io/library/mine@$digest" ]
    [ "$(kiln images -q mine)" = "$digest" ]
    kiln copy -q store:mine "docker://$registry/back:1"
    [ "$(kiln inspect --remote --raw "$registry/back:1" | cmp - manifest && echo same)" = same ]
}

@test "layouts: what kiln writes skopeo reads, and the other way round" {
    need skopeo
    digest=$(small app:1)
    [ "$(kiln copy -q store:app:1 oci:layout:one)" = "oci:layout@$digest" ]
    kiln tag app:1 app:2
    kiln copy -q store:app:2 oci:layout:two
    kiln copy -q store:app:2 oci:layout:two
    [ "$(jq -c '[.manifests[].annotations[]]' layout/index.json)" = '["one","two"]' ]
    [ "$(skopeo inspect --raw oci:layout:one | sha256sum | cut -d' ' -f1)" = "${digest#sha256:}" ]
    skopeo copy -q oci:layout:one oci:theirs:tag
    export KILN_ROOT="$PWD/other"
    [ "$(kiln copy -q oci:theirs:tag store:back)" = "docker.io/library/back@$digest" ]
    [ "$(kiln inspect back | jq -r .config.config.Labels.name)" = small ]
    run kiln copy -q oci:layout store:which
    [ "$status" = 1 ]
    [ "$output" = "error: layout layout: index.json has 2 images: say which, with :TAG" ]
    run kiln copy -q oci:theirs:none store:which
    [ "$output" = "error: layout theirs: none: not in index.json" ]
}

@test "a layout whose bytes are not what their names say is refused" {
    digest=$(small app:1)
    kiln copy -q store:app:1 oci:layout
    layer=$(kiln inspect app:1 | jq -r '.layers[0].digest')
    printf x | dd of="layout/blobs/sha256/${layer#sha256:}" conv=notrunc status=none
    export KILN_ROOT="$PWD/other"
    run kiln copy -q oci:layout store:bad
    [ "$status" = 1 ]
    [[ "$output" == "error: layout layout: blob $layer: "* ]]
    [ -z "$(kiln images -q)" ]
    rm "layout/blobs/sha256/${digest#sha256:}"
    run kiln copy -q oci:layout store:bad
    [[ "$output" == *"manifest $digest: "*"no such file or directory"* ]]
}

@test "copy says which places are not there yet" {
    run kiln copy docker-archive:file docker://localhost/x
    [ "$status" = 1 ]
    [ "${lines[0]}" = "error: copy: docker-archive:file: places of the kind docker-archive: are not there yet" ]
    [[ "${lines[1]}" == "hint: "* ]]
}

@test "what is not there is an error that names it" {
    start_registry </dev/null
    run --separate-stderr kiln pull "$registry/nothing:1"
    [ "$status" = 1 ]
    [ -z "$output" ]
    [[ "$stderr" == *"error: pull $registry/nothing:1: "*"404"* ]]
    run kiln push nothing:1
    [ "$status" = 1 ]
    [ "${lines[-2]}" = "error: image nothing:1: not in the store" ]
    run kiln inspect nothing:1
    [ "$status" = 1 ]
    [[ "$output" == *"hint: --remote asks the registry"* ]]
}

@test "a registry that wants a password: login keeps it, logout forgets it" {
    need htpasswd
    htpasswd -Bbn user secret >htpasswd 2>/dev/null
    start_registry <<AUTH
auth: {htpasswd: {realm: test, path: "$PWD/htpasswd"}}
AUTH
    small "$registry/app:1"
    run kiln push -q "$registry/app:1"
    [ "$status" = 1 ]
    [[ "$output" == *"error: push $registry/app:1: "* ]]
    run kiln login -u user --password-stdin "$registry" <<<wrong
    [ "$status" = 1 ]
    [[ "$output" != *wrong* ]]
    run kiln login -u user --password-stdin "$registry" <<<secret
    [ "$status" = 0 ]
    [ "$output" = "logged in to $registry as user ($HOME/.docker/config.json)" ]
    [ "$(stat -c %a "$HOME/.docker/config.json")" = 600 ]
    kiln push -q "$registry/app:1"
    kiln --authfile elsewhere.json login -u user --password-stdin "$registry" <<<secret
    [ "$(jq -r ".auths.\"$registry\".auth" elsewhere.json | base64 -d)" = user:secret ]
    [ "$(kiln logout --format json "$registry" | jq .wasLoggedIn)" = true ]
    [ "$(kiln logout "$registry")" = "not logged in to $registry" ]
    run kiln pull -q "$registry/app:1"
    [ "$status" = 1 ]
}

@test "login without a terminal says how to do it" {
    run setsid kiln login localhost:1 </dev/null
    [ "$status" = 2 ]
    [[ "$output" == *"hint: give --username and --password-stdin" ]]
}

@test "the store's own registry takes an image and gives it" {
    small app:1
    timeout 60 kiln registry serve --address 127.0.0.1:0 >address 2>log 3>&- &
    registry_pid=$!
    for ((i = 0; i < 500; i++)); do
        [ -s address ] && break
        sleep 0.02
    done
    registry=$(cat address)
    kiln push -q app:1 "$registry/app:1"
    digest=$(kiln images -q app:1)
    [ "$(KILN_ROOT="$PWD/other" kiln pull -q "$registry/app:1")" = "$registry/app@$digest" ]
    grep -q "PUT /v2/app/manifests/1 201" log
    kill "$registry_pid"
    wait "$registry_pid" && status=0 || status=$?
    [ "$status" = 0 ]
    registry_pid=
}
