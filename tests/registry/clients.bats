# The embedded registry as the clients of the field see it.
load serve

copy() {
    skopeo copy --quiet --insecure-policy --src-tls-verify=false --dest-tls-verify=false "$@"
}

digest_of_tag() {
    jq -r '.manifests[0].digest' "$1/index.json"
}

@test "skopeo: to the registry and back gives the same manifest" {
    need skopeo
    layout image hello
    serve
    copy oci:image:v1 "docker://$AT/lib/app:v1"
    copy "docker://$AT/lib/app:v1" oci:back:v1
    [ "$(digest_of_tag image)" = "$(digest_of_tag back)" ]
    [ "$(skopeo inspect --tls-verify=false --format '{{.Digest}} {{.RepoTags}}' "docker://$AT/lib/app:v1")" = \
        "$(digest_of_tag image) [v1]" ]
}

@test "skopeo: Docker schema 2, an index of two, and a copy inside the registry" {
    need skopeo
    layout image hello
    serve
    copy --format v2s2 oci:image:v1 "docker://$AT/app:docker"
    skopeo inspect --raw --tls-verify=false "docker://$AT/app:docker" >raw
    [ "$(jq -r .mediaType raw)" = application/vnd.docker.distribution.manifest.v2+json ]
    layout both one
    local one two
    one=$(jq -c '.manifests[0] | del(.annotations) | .platform = {architecture: "amd64", os: "linux"}' both/index.json)
    layout both two
    two=$(jq -c '.manifests[0] | del(.annotations) | .platform = {architecture: "arm64", os: "linux"}' both/index.json)
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s,%s]}' \
        "$one" "$two" >index
    cp index "both/blobs/sha256/$(sha256sum <index | cut -d' ' -f1)"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"all"}}]}' \
        "$(sha index)" "$(stat -c %s index)" >both/index.json
    copy --all oci:both:all "docker://$AT/app:all"
    skopeo inspect --raw --tls-verify=false "docker://$AT/app:all" >raw
    cmp raw index
    copy --all "docker://$AT/app:all" "docker://$AT/other/app:all"
    skopeo inspect --raw --tls-verify=false "docker://$AT/other/app:all" >raw
    cmp raw index
}

@test "skopeo: a second push sends no blob, and neither does one to another repository" {
    need skopeo
    layout image hello
    serve
    copy oci:image:v1 "docker://$AT/app:v1"
    grep -q 'PATCH\|PUT .*/blobs/' log
    local n
    n=$(wc -l <log)
    copy oci:image:v1 "docker://$AT/app:v2"
    copy oci:image:v1 "docker://$AT/elsewhere:v1"
    ! tail -n "+$((n + 1))" log | grep 'PATCH\|/blobs/uploads/' || false
}

@test "skopeo: deletes, lists tags" {
    need skopeo
    layout image hello
    serve
    copy oci:image:v1 "docker://$AT/app:v1"
    copy oci:image:v1 "docker://$AT/app:v2"
    [ "$(skopeo list-tags --tls-verify=false "docker://$AT/app" | jq -c .Tags)" = '["v1","v2"]' ]
    skopeo delete --tls-verify=false "docker://$AT/app:v1"
    run skopeo inspect --tls-verify=false "docker://$AT/app:v1"
    [ "$status" -ne 0 ]
}

@test "what was pushed is there after a new start, and the store is an OCI layout" {
    need skopeo
    layout image hello
    serve
    copy oci:image:v1 "docker://$AT/app:v1"
    serve
    copy "docker://$AT/app:v1" oci:back:v1
    [ "$(digest_of_tag image)" = "$(digest_of_tag back)" ]
    copy oci:store:app:v1 oci:from-layout:v1
    [ "$(digest_of_tag image)" = "$(digest_of_tag from-layout)" ]
}

@test "podman: pushes and pulls" {
    need podman skopeo
    layout image hello
    serve
    local podman=(podman --root "$PWD/p" --runroot "$PWD/r" --storage-driver vfs --tmpdir "$PWD/t")
    "${podman[@]}" pull -q oci:image:v1 || skip "podman cannot keep images here"
    local id
    id=$("${podman[@]}" images -q --no-trunc | head -n 1)
    "${podman[@]}" push -q --tls-verify=false "$id" "docker://$AT/from/podman:1"
    "${podman[@]}" rmi -f "$id"
    "${podman[@]}" pull -q --tls-verify=false "$AT/from/podman:1"
    [ "$("${podman[@]}" images -q --no-trunc)" = "$id" ]
}

@test "buildah: pushes what it made, podman's format and docker's" {
    need buildah skopeo
    serve
    local buildah=(buildah --root "$PWD/p" --runroot "$PWD/r" --storage-driver vfs)
    local container
    container=$("${buildah[@]}" from scratch) || skip "buildah cannot work here"
    echo hello >hello
    "${buildah[@]}" add -q "$container" hello /hello
    "${buildah[@]}" commit -q "$container" made
    "${buildah[@]}" push -q --tls-verify=false made "docker://$AT/made:oci"
    "${buildah[@]}" push -q --tls-verify=false --format v2s2 made "docker://$AT/made:docker"
    [ "$(skopeo list-tags --tls-verify=false "docker://$AT/made" | jq -c .Tags)" = '["docker","oci"]' ]
    copy "docker://$AT/made:docker" dir:back
    tar -xzOf "back/$(jq -r '.layers[0].digest | ltrimstr("sha256:")' back/manifest.json)" hello | grep -qx hello
}

@test "htpasswd: skopeo with the right password, with a wrong one, with none" {
    need skopeo htpasswd
    layout image hello
    htpasswd -nbBC 4 user secret >passwords
    serve htpasswd=passwords
    copy --dest-creds user:secret oci:image:v1 "docker://$AT/app:v1"
    run copy --dest-creds user:wrong oci:image:v1 "docker://$AT/app:v1"
    [ "$status" -ne 0 ]
    run copy oci:image:v1 "docker://$AT/app:v1"
    [ "$status" -ne 0 ]
    skopeo login --tls-verify=false --authfile auth.json -u user -p secret "$AT"
    copy --authfile auth.json "docker://$AT/app:v1" oci:back:v1
    [ "$(digest_of_tag image)" = "$(digest_of_tag back)" ]
}

@test "read-only: pulls, and says no to a push" {
    need skopeo
    layout image hello
    serve
    copy oci:image:v1 "docker://$AT/app:v1"
    serve readonly
    copy "docker://$AT/app:v1" oci:back:v1
    layout image other
    run copy oci:image:v1 "docker://$AT/app:v2"
    [ "$status" -ne 0 ]
}

# The requests of dockerd's push and pull in its order, streams without a length included.
@test "the docker client's order: ping, look, open, stream, close, look again, manifest" {
    layout image hello
    serve
    jq -c '.mediaType = "application/vnd.docker.distribution.manifest.v2+json"
        | .config.mediaType = "application/vnd.docker.container.image.v1+json"
        | .layers[].mediaType = "application/vnd.docker.image.rootfs.diff.tar.gzip"' manifest >docker
    req 200 GET /v2/
    local blob at
    for blob in layer config; do
        req 404 HEAD "/v2/library/app/blobs/$(sha $blob)"
        req 202 POST /v2/library/app/blobs/uploads/ -H 'Content-Length: 0'
        at=$(header Location)
        req 202 PATCH "$at" -H 'Transfer-Encoding: chunked' -H 'Content-Type:' --data-binary @$blob
        at=$(header Location)
        req 201 PUT "$at?digest=$(sha $blob)" -H 'Content-Length: 0'
        req 200 HEAD "/v2/library/app/blobs/$(sha $blob)"
        [ "$(header Content-Length)" = "$(stat -c %s $blob)" ]
    done
    req 201 PUT /v2/library/app/manifests/latest \
        -H 'Content-Type: application/vnd.docker.distribution.manifest.v2+json' --data-binary @docker
    req 200 HEAD /v2/library/app/manifests/latest \
        -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
        -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json'
    [ "$(header Docker-Content-Digest)" = "$(sha docker)" ]
    req 200 GET "/v2/library/app/manifests/$(sha docker)"
    cmp body docker
    req 206 GET "/v2/library/app/blobs/$(sha layer)" -H 'Range: bytes=10-'
}
