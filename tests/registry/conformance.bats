# The conformance list of distribution-spec 1.1, walked through with curl: pull, push, content
# discovery, content management.  Each line is one request and the status it must have.
load serve

MANIFEST='Content-Type: application/vnd.oci.image.manifest.v1+json'
OCTETS='Content-Type: application/octet-stream'

# Pushes config, layer and manifest of `layout image TEXT` as $1:$2.
push() {
    req 201 POST "/v2/$1/blobs/uploads/?digest=$(sha config)" -H "$OCTETS" --data-binary @config
    req 201 POST "/v2/$1/blobs/uploads/?digest=$(sha layer)" -H "$OCTETS" --data-binary @layer
    req 201 PUT "/v2/$1/manifests/$2" -H "$MANIFEST" --data-binary @manifest
}

@test "end-1: the API is there" {
    serve
    req 200 GET /v2/
    [ "$(header Docker-Distribution-Api-Version)" = registry/2.0 ]
}

@test "pull: blobs and manifests, by GET and HEAD" {
    serve
    layout image hello
    push a/b v1
    local m l
    m=$(sha manifest) l=$(sha layer)
    req 200 HEAD "/v2/a/b/blobs/$l"
    [ "$(header Content-Length)" = "$(stat -c %s layer)" ]
    [ "$(header Docker-Content-Digest)" = "$l" ]
    req 200 GET "/v2/a/b/blobs/$l"
    cmp body layer
    req 206 GET "/v2/a/b/blobs/$l" -H 'Range: bytes=5-14'
    [ "$(sha body)" = "$(dd if=layer bs=1 skip=5 count=10 2>/dev/null | sha256sum | sed 's/^/sha256:/; s/ .*//')" ]
    req 416 GET "/v2/a/b/blobs/$l" -H 'Range: bytes=99999-'
    for reference in v1 "$m"; do
        req 200 HEAD "/v2/a/b/manifests/$reference" -H 'Accept: application/vnd.oci.image.manifest.v1+json'
        [ "$(header Docker-Content-Digest)" = "$m" ]
        req 200 GET "/v2/a/b/manifests/$reference"
        cmp body manifest
        [ "$(header Content-Type)" = application/vnd.oci.image.manifest.v1+json ]
    done
}

@test "pull: what is not there is 404, with the code of what is missing" {
    serve
    local absent="sha256:$(printf %064d 1)"
    req 404 GET "/v2/a/blobs/$absent"; [ "$(code)" = BLOB_UNKNOWN ]
    req 404 HEAD "/v2/a/blobs/$absent"
    req 404 GET "/v2/a/manifests/$absent"; [ "$(code)" = MANIFEST_UNKNOWN ]
    req 404 GET /v2/a/manifests/.INVALID_MANIFEST_NAME; [ "$(code)" = MANIFEST_UNKNOWN ]
    req 404 HEAD /v2/a/manifests/.INVALID_MANIFEST_NAME
    req 404 GET /v2/a/tags/list; [ "$(code)" = NAME_UNKNOWN ]
    req 400 GET /v2/UPPER/manifests/v1; [ "$(code)" = NAME_INVALID ]
    req 400 GET /v2/a/blobs/sha256:short; [ "$(code)" = DIGEST_INVALID ]
}

@test "push: a blob at once" {
    serve
    layout image hello
    req 201 POST "/v2/a/blobs/uploads/?digest=$(sha layer)" -H "$OCTETS" --data-binary @layer
    req 200 GET "$(header Location)"
    cmp body layer
}

@test "push: a blob by POST and PUT" {
    serve
    layout image hello
    req 202 POST /v2/a/blobs/uploads/ -H 'Content-Length: 0'
    req 201 PUT "$(header Location)?digest=$(sha layer)" -H "$OCTETS" --data-binary @layer
    req 200 GET "$(header Location)"
    cmp body layer
}

@test "push: a blob in chunks, the last by PUT; out of order is 416" {
    serve
    printf 'first chunk, ' >one
    printf 'second chunk' >two
    cat one two >both
    req 202 POST /v2/a/blobs/uploads/
    local at
    at=$(header Location)
    req 416 PATCH "$at" -H "$OCTETS" -H 'Content-Range: 13-24' --data-binary @two
    req 202 PATCH "$at" -H "$OCTETS" -H 'Content-Range: 0-12' --data-binary @one
    [ "$(header Range)" = 0-12 ]
    at=$(header Location)
    req 416 PATCH "$at" -H "$OCTETS" -H 'Content-Range: 0-12' --data-binary @one
    req 204 GET "$at"
    [ "$(header Range)" = 0-12 ]
    [ "$(header Location)" = "$at" ]
    req 201 PUT "$at?digest=$(sha both)" -H "$OCTETS" -H 'Content-Range: 13-24' --data-binary @two
    req 200 GET "$(header Location)"
    cmp body both
}

@test "push: a wrong digest is 400 and leaves nothing" {
    serve
    printf x >x
    local wrong="sha256:$(printf %064d 0)"
    req 202 POST /v2/a/blobs/uploads/
    req 400 PUT "$(header Location)?digest=$wrong" -H "$OCTETS" --data-binary @x
    [ "$(code)" = DIGEST_INVALID ]
    req 404 HEAD "/v2/a/blobs/$wrong"
    req 404 HEAD "/v2/a/blobs/$(sha x)"
}

@test "push: an upload can be given up" {
    serve
    req 202 POST /v2/a/blobs/uploads/
    local at
    at=$(header Location)
    req 204 DELETE "$at"
    req 404 GET "$at"
    [ "$(code)" = BLOB_UPLOAD_UNKNOWN ]
}

@test "push: mounting from another repository, with and without its name" {
    serve
    layout image hello
    push a v1
    req 201 POST "/v2/b/blobs/uploads/?mount=$(sha layer)&from=a"
    [ "$(header Location)" = "/v2/b/blobs/$(sha layer)" ]
    req 200 GET "$(header Location)"
    req 201 POST "/v2/c/blobs/uploads/?mount=$(sha layer)"
    req 202 POST "/v2/b/blobs/uploads/?mount=sha256:$(printf %064d 5)&from=a"
    req 204 GET "$(header Location)"
}

@test "push: manifests by tag and by digest, without layers, with a subject" {
    serve
    layout image hello
    push a v1
    [ "$(header Location)" = "/v2/a/manifests/$(sha manifest)" ]
    req 201 PUT "/v2/a/manifests/$(sha manifest)" -H "$MANIFEST" --data-binary @manifest
    jq -c '.layers = []' manifest >empty
    req 201 PUT /v2/a/manifests/empty -H "$MANIFEST" --data-binary @empty
    req 200 GET /v2/a/manifests/empty
    cmp body empty
    jq -c --arg d "$(sha manifest)" '.subject = {mediaType: .mediaType, digest: $d, size: 1} | .artifactType = "a/b"' \
        manifest >about
    req 201 PUT "/v2/a/manifests/$(sha about)" -H "$MANIFEST" --data-binary @about
    [ "$(header OCI-Subject)" = "$(sha manifest)" ]
    jq -c '.layers[0].digest = "sha256:'"$(printf %064d 3)"'"' manifest >broken
    req 400 PUT /v2/a/manifests/broken -H "$MANIFEST" --data-binary @broken
    [ "$(code)" = MANIFEST_BLOB_UNKNOWN ]
    printf '{' >broken
    req 400 PUT /v2/a/manifests/broken -H "$MANIFEST" --data-binary @broken
    [ "$(code)" = MANIFEST_INVALID ]
}

@test "discovery: tags, page by page" {
    serve
    layout image hello
    for tag in test3 test0 test2 test1; do push a "$tag"; done
    req 200 GET /v2/a/tags/list
    [ "$(jq -c .tags body)" = '["test0","test1","test2","test3"]' ]
    req 200 GET '/v2/a/tags/list?n=3'
    [ "$(jq -c .tags body)" = '["test0","test1","test2"]' ]
    [ "$(header Link)" = '</v2/a/tags/list?n=3&last=test2>; rel="next"' ]
    req 200 GET '/v2/a/tags/list?n=3&last=test2'
    [ "$(jq -c .tags body)" = '["test3"]' ]
    [ -z "$(header Link)" ]
    req 200 GET /v2/_catalog
    [ "$(jq -c .repositories body)" = '["a"]' ]
}

@test "discovery: referrers, filtered by type" {
    serve
    layout image hello
    push a v1
    local subject
    subject=$(sha manifest)
    req 200 GET "/v2/a/referrers/$subject"
    [ "$(header Content-Type)" = application/vnd.oci.image.index.v1+json ]
    [ "$(jq -c .manifests body)" = '[]' ]
    for type in x/one x/two; do
        jq -c --arg d "$subject" --arg t "$type" \
            '.subject = {mediaType: .mediaType, digest: $d, size: 1} | .artifactType = $t | .annotations = {of: $t}' \
            manifest >"about-${type#x/}"
        req 201 PUT "/v2/a/manifests/$(sha "about-${type#x/}")" -H "$MANIFEST" --data-binary "@about-${type#x/}"
    done
    req 200 GET "/v2/a/referrers/$subject"
    [ "$(jq '.manifests | length' body)" = 2 ]
    req 200 GET "/v2/a/referrers/$subject?artifactType=x/two"
    [ "$(header OCI-Filters-Applied)" = artifactType ]
    [ "$(jq -c '[.manifests[] | [.digest, .artifactType, .annotations.of]]' body)" = \
        "[[\"$(sha about-two)\",\"x/two\",\"x/two\"]]" ]
    req 200 GET "/v2/a/referrers/sha256:$(printf %064d 9)"
    req 400 GET /v2/a/referrers/nonsense
}

@test "management: deletion of tags, manifests and blobs" {
    serve
    layout image hello
    push a v1
    push a v2
    req 405 DELETE "/v2/a/blobs/$(sha layer)"
    req 202 DELETE /v2/a/manifests/v1
    req 404 GET /v2/a/manifests/v1
    req 200 GET "/v2/a/manifests/$(sha manifest)"
    req 202 DELETE "/v2/a/manifests/$(sha manifest)"
    req 404 GET "/v2/a/manifests/$(sha manifest)"
    req 404 GET /v2/a/manifests/v2
    req 404 DELETE /v2/a/manifests/v2
    req 202 DELETE "/v2/a/blobs/$(sha layer)"
    req 404 GET "/v2/a/blobs/$(sha layer)"
    req 404 DELETE "/v2/a/blobs/$(sha layer)"
}

@test "a method that is none is 405" {
    serve
    req 405 PUT /v2/
    req 405 BREW /v2/a/tags/list
    req 405 POST /v2/a/manifests/v1
    [ "$(code)" = UNSUPPORTED ]
}
