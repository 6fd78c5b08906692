#!/usr/bin/env bats
# What is said of an image: made by kiln build, stored as BuildKit stores it, printed by kiln sbom
# and kiln provenance.

load helper

# An image with a dpkg data base, a build argument, a label and a secret.
app() {
    can_build
    need jq
    context app <<'DOCKERFILE'
FROM scratch AS tools
ARG BUILDKIT_SBOM_SCAN_STAGE=true
COPY alpine /lib/apk/db/installed
FROM scratch
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
ARG VERSION
LABEL version=$VERSION
COPY busybox /bin/busybox
COPY status /var/lib/dpkg/status
COPY copyright /usr/share/doc/bash/copyright
COPY os-release /etc/
COPY --from=tools /lib/apk /apk
RUN --mount=type=secret,id=token ["/bin/busybox", "cat", "/run/secrets/token"]
DOCKERFILE
    printf 'Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2\nArchitecture: amd64\n\n%s' \
        $'Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13\nArchitecture: amd64\n' >app/status
    printf 'Format: x\n\nFiles: *\nLicense: GPL-3+\n' >app/copyright
    printf 'ID=debian\nVERSION_ID="12"\n' >app/os-release
    printf 'P:musl\nV:1.2.4\nA:x86_64\nL:MIT\n' >app/alpine
    mkdir -p app/node_modules/left-pad
    printf '{"name":"left-pad","version":"1.3.0"}' >app/node_modules/left-pad/package.json
    printf 'hidden/\n*.jar\n' >app/.dockerignore
    mkdir -p app/hidden/node_modules/x
    printf '{"name":"x","version":"1"}' >app/hidden/node_modules/x/package.json
    echo of-nobody-else >token
    export SOURCE_DATE_EPOCH=1700000000
    build=(kiln build --quiet --secret "id=token,src=token" --build-arg VERSION=build-arg-value app)
}

# layout DIGEST: the path of a blob of the layout `out`.
blob() {
    echo "out/blobs/sha256/${1#sha256:}"
}

# out [FLAG ...]: the image as a layout; sets index, manifest and attestation to paths of blobs.
out() {
    rm -rf out
    "${build[@]}" -o type=oci,dest=out,tar=false "$@" >/dev/null
    index=$(blob "$(jq -r '.manifests[0].digest' out/index.json)")
    manifest=$(blob "$(jq -r '.manifests[0].digest' "$index")")
    attestation=$(blob "$(jq -r '.manifests[1].digest' "$index")")
}

@test "without a word an image is one manifest, whatever buildx would do" {
    app
    "${build[@]}" -o type=oci,dest=out,tar=false >/dev/null
    [ "$(jq -r '.manifests[0].mediaType' out/index.json)" = application/vnd.oci.image.manifest.v1+json ]
    one=$("${build[@]}")
    [ "$(BUILDX_NO_DEFAULT_ATTESTATIONS=1 "${build[@]}")" = "$one" ]
    [ "$("${build[@]}" --sbom=false --provenance=false)" = "$one" ]
}

@test "with SOURCE_DATE_EPOCH what is said is a function of the inputs" {
    app
    one=$("${build[@]}" --sbom=true --provenance=mode=max)
    [ "$("${build[@]}" --sbom=true --provenance=mode=max --no-cache)" = "$one" ]
    [ "$(KILN_ROOT=$BATS_TEST_TMPDIR/other "${build[@]}" --sbom=true --provenance=mode=max)" = "$one" ]
}

@test "the index lists it as BuildKit does, about the manifest" {
    app
    out --sbom=true --provenance=true
    jq -e --arg of "sha256:$(basename "$manifest")" '
        .manifests[1].platform == {architecture: "unknown", os: "unknown"} and
        .manifests[1].annotations == {"vnd.docker.reference.type": "attestation-manifest",
                                      "vnd.docker.reference.digest": $of}' "$index"
    jq -e --arg of "sha256:$(basename "$manifest")" '
        .artifactType == "application/vnd.docker.attestation.manifest.v1+json" and
        .config.mediaType == "application/vnd.oci.empty.v1+json" and .subject.digest == $of and
        [.layers[].annotations["in-toto.io/predicate-type"]] ==
            ["https://spdx.dev/Document", "https://spdx.dev/Document", "https://spdx.dev/Document",
             "https://slsa.dev/provenance/v1"]' "$attestation"
    need sha256sum
    (cd out/blobs/sha256 && for b in *; do echo "$b  $b"; done | sha256sum --quiet -c)
}

@test "every statement is about the image, under its name" {
    app
    out -t registry.example.com/team/app:1 --sbom=true --provenance=true
    for digest in $(jq -r '.layers[].digest' "$attestation"); do
        jq -e --arg of "$(basename "$manifest")" '._type == "https://in-toto.io/Statement/v1" and
            .subject == [{name: "pkg:docker/registry.example.com/team/app@1?platform=linux%2Famd64",
                          digest: {sha256: $of}}]' "$(blob "$digest")"
    done
}

@test "the bill: SPDX 2.3, each id once, each relationship between ids that are there" {
    app
    "${build[@]}" -t app --sbom=true >/dev/null
    kiln sbom --format json app >sbom.json
    jq -e '.spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and .SPDXID == "SPDXRef-DOCUMENT"
        and .creationInfo.created == "2023-11-14T22:13:20Z"
        and (.documentNamespace | startswith("https://spdx.org/spdxdocs/sbom-"))
        and ([.packages[].SPDXID] | length == (unique | length))
        and ([.packages[].SPDXID, .SPDXID] as $ids | all(.relationships[];
             (.spdxElementId | IN($ids[])) and (.relatedSpdxElement | IN($ids[]))))
        and all(.packages[]; .downloadLocation and .licenseDeclared and (.SPDXID | test("^SPDXRef-[A-Za-z0-9.-]+$")))' sbom.json
    [ "$(jq -r '.packages[] | .externalRefs[]?.referenceLocator' sbom.json | tr '\n' ' ')" = \
        "pkg:deb/debian/bash@5.2.15-2?arch=amd64&distro=debian-12 pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64&distro=debian-12 " ]
}

@test "kiln sbom prints a table; --all also what stages and contexts were scanned for" {
    app
    "${build[@]}" -t app --sbom=true >/dev/null
    run --separate-stderr kiln sbom app
    [ "$status" = 0 ]
    [ "${lines[0]}" = "NAME     VERSION    TYPE   LICENSE" ]
    [ "${lines[1]}" = "bash     5.2.15-2   deb    GPL-3.0-or-later" ]
    [ "${lines[2]}" = "zlib1g   1:1.2.13   deb    -" ]
    [ "${#lines[@]}" = 3 ]
    [[ $stderr = *"3 documents are attached"* ]]
    run kiln sbom --all app
    [[ $output = *"sbom-context"*"left-pad   1.3.0     npm"*"sbom-tools"*"musl   1.2.4     apk    MIT"* ]]
    [[ $output != *" x "* ]] # hidden by .dockerignore
}

@test "an image of which nothing is said is looked into" {
    app
    "${build[@]}" -t app >/dev/null
    run --separate-stderr kiln sbom app
    [ "$status" = 0 ]
    [[ $stderr = *"no bill is attached to app: looking inside"* ]]
    [ "${lines[1]}" = "bash     5.2.15-2   deb    GPL-3.0-or-later" ]
    kiln sbom --scan --format json app >one.json
    kiln sbom --scan --format json app | cmp - one.json
}

@test "what an image or an attestation says does not command the terminal" {
    app
    printf 'Package: evil\nVersion: 1\033]0;owned\007\302\2332J\n' >app/status
    "${build[@]}" -t app --sbom=true --provenance=mode=max --build-arg $'VERSION=a\eb' >/dev/null
    kiln sbom app >table 2>&1
    grep -qF 'evil   1?]0;owned??2J' table
    kiln provenance app >lines 2>&1
    grep -qF 'VERSION=a?b' lines
    cat table lines | LC_ALL=C grep -q $'[\001-\010\013-\037\177]' && return 1
    ! LC_ALL=C grep -q $'\302\233' table
}

@test "the packages of this machine: those that dpkg-query lists, and no other of dpkg's" {
    [ -r /var/lib/dpkg/status ] || skip "needs a Debian"
    can_build
    need jq
    mkdir -p debian/var/lib/dpkg
    cp /var/lib/dpkg/status debian/var/lib/dpkg
    printf 'FROM scratch\nCOPY . /\n' >Dockerfile
    kiln build --quiet -f Dockerfile -t debian --sbom=true debian >/dev/null
    kiln sbom --format json debian | jq -r '.packages[] | select(.externalRefs) | .name + " " + .versionInfo' | sort >got
    dpkg-query --admindir=debian/var/lib/dpkg -W -f='${db:Status-Status} ${Package} ${Version}\n' |
        sed -En 's/^(installed|triggers-[a-z]*) //p' | sort -u | diff - got
    [ "$(wc -l <got)" -gt 100 ]
}

@test "mode=min keeps arguments to itself; mode=max tells them, and no secret" {
    app
    "${build[@]}" -t app --provenance=true >/dev/null
    kiln provenance --format json app >min.json
    run ! grep -q build-arg-value min.json
    jq -e '.buildDefinition.internalParameters.buildConfig == null and
        .runDetails.metadata.buildkit_completeness == {request: false, resolvedDependencies: false}' min.json
    "${build[@]}" -t app --provenance=mode=max,builder-id=https://ci.example.com/1,reproducible=true >/dev/null
    kiln provenance --format json app >max.json
    jq -e '.buildDefinition.externalParameters.request.args["build-arg:VERSION"] == "build-arg-value" and
        .buildDefinition.externalParameters.request.secrets == [{id: "token", optional: true}] and
        .runDetails.builder.id == "https://ci.example.com/1" and
        .runDetails.metadata.buildkit_reproducible == true and
        .runDetails.metadata.startedOn == "2023-11-14T22:13:20Z" and
        .runDetails.metadata.invocationId == null and
        (.buildDefinition.internalParameters.buildConfig.llbDefinition | length > 5) and
        (.runDetails.metadata.buildkit_metadata.source.infos[0].data | @base64d | startswith("FROM scratch"))' max.json
    jq -e '[.runDetails.metadata.buildkit_metadata.layers[][0] | length] | sort == [1, 2, 3, 4, 5, 6]' max.json
    out --provenance=mode=max --sbom=true
    run ! grep -rq of-nobody-else out "$KILN_ROOT/blobs"
}

@test "the base image is a dependency, with its digest" {
    base
    need jq
    digest=$(kiln inspect base | jq -r .digest)
    printf 'FROM base\nRUN echo >x\n' >ctx.Dockerfile
    mkdir -p empty
    kiln build --quiet -f ctx.Dockerfile -t two --provenance=true empty >/dev/null
    run kiln provenance two
    [[ $output = *"from         pkg:docker/base@latest?platform=linux%2Famd64 $digest"* ]]
    [[ $output = *"frontend     dockerfile.v0"* ]]
}

@test "without SOURCE_DATE_EPOCH provenance has times and an id, and the bill stays the same" {
    app
    unset SOURCE_DATE_EPOCH
    "${build[@]}" -t app --sbom=true --provenance=true >/dev/null
    kiln provenance --format json app >one.json
    kiln sbom --format json app >one.sbom
    "${build[@]}" -t app --sbom=true --provenance=true >/dev/null
    kiln provenance --format json app >two.json
    jq -e '.runDetails.metadata | (.invocationId | test("^[0-9a-f]{32}$")) and .startedOn <= .finishedOn' one.json
    [ "$(jq -r .runDetails.metadata.invocationId one.json)" != "$(jq -r .runDetails.metadata.invocationId two.json)" ]
    kiln sbom --format json app | cmp - one.sbom
}

@test "each platform has its own" {
    app
    printf 'FROM scratch\nCOPY status /var/lib/dpkg/status\n' >app/Dockerfile
    kiln build --quiet -o type=oci,dest=out,tar=false --platform linux/amd64,linux/arm64 --sbom=true app >/dev/null
    index=$(blob "$(jq -r '.manifests[0].digest' out/index.json)")
    jq -e '[.manifests[].platform.architecture] == ["amd64", "arm64", "unknown", "unknown"] and
        [.manifests[2, 3].annotations["vnd.docker.reference.digest"]] == [.manifests[0, 1].digest]' "$index"
}

@test "beside files they are files, about each of them" {
    app
    "${build[@]}" -o type=local,dest=files --sbom=true --provenance=true
    [ "$(find files -name '*.json' -printf '%P\n' | sort | tr '\n' ' ')" = \
        "provenance.json sbom-context.spdx.json sbom-tools.spdx.json sbom.spdx.json " ]
    jq -r '.subject[] | .digest.sha256 + "  files/" + .name' files/sbom.spdx.json | sha256sum -c --quiet
    "${build[@]}" -o type=tar,dest=files.tar,attestation-prefix=x- --provenance=filename=how.json,inline-only=false
    [ "$(tar -tf files.tar | grep json)" = "$(printf 'x-how.json')" ]
    "${build[@]}" -o type=local,dest=more --provenance=inline-only=true
    [ ! -e more/provenance.json ]
}

@test "a registry without the referrers API gets their list under a tag" {
    need skopeo
    start_registry </dev/null
    app
    "${build[@]}" -t "$registry/team/app:1" --push --sbom=true --provenance=true >/dev/null
    skopeo inspect --raw --tls-verify=false "docker://$registry/team/app:1" >index.json
    digest=$(jq -r '.manifests[0].digest' index.json)
    skopeo inspect --raw --tls-verify=false "docker://$registry/team/app:${digest/:/-}" >list.json
    jq -e --slurpfile index index.json '.mediaType == "application/vnd.oci.image.index.v1+json" and
        [.manifests[] | [.digest, .artifactType]] ==
            [[$index[0].manifests[1].digest, "application/vnd.docker.attestation.manifest.v1+json"]]' list.json
    skopeo copy -q --all --src-tls-verify=false "docker://$registry/team/app:1" dir:copy
    "${build[@]}" -t "$registry/team/app:2" --push --sbom=true --provenance=true >/dev/null
    skopeo inspect --raw --tls-verify=false "docker://$registry/team/app:${digest/:/-}" | jq -e '.manifests | length == 2'
    # A store that has nothing, by tag and by the image's own digest.
    export KILN_ROOT=$BATS_TEST_TMPDIR/fresh
    [ "$(kiln sbom "$registry/team/app:1" 2>/dev/null | wc -l)" = 3 ]
    [[ $(kiln provenance "$registry/team/app@$digest") = *"frontend     dockerfile.v0"* ]]
}

@test "kiln's own registry lists them by the referrers API" {
    need curl
    app
    timeout 120 kiln registry serve --address 127.0.0.1:0 >address 2>log 3>&- &
    registry_pid=$!
    for ((i = 0; i < 500; i++)); do
        registry=$(grep -o '127\.0\.0\.1:[0-9]*' address log -h | head -n 1) || true
        [ -z "$registry" ] || break
        sleep 0.02
    done
    KILN_ROOT=$BATS_TEST_TMPDIR/other "${build[@]}" -t "$registry/app:1" --push --provenance=true >/dev/null
    digest=$(curl -s -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$registry/v2/app/manifests/1" | jq -r '.manifests[0].digest')
    curl -s "http://$registry/v2/app/referrers/$digest" | jq -e '.manifests[0].artifactType ==
        "application/vnd.docker.attestation.manifest.v1+json"'
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$registry/v2/app/manifests/${digest/:/-}")" = 404 ]
}

@test "kiln images and kiln inspect see the image, not what is said of it" {
    app
    "${build[@]}" -t app --sbom=true --provenance=true >/dev/null
    "${build[@]}" -t old -o type=image,oci-mediatypes=false --provenance=true >/dev/null
    run kiln images
    [[ $output != *unknown* ]]
    [ "$(kiln inspect app | jq -r .platform)" = linux/amd64 ]
    [ "$(kiln inspect old | jq -r .platform)" = linux/amd64 ]
    [[ $(kiln provenance old) = *"frontend     dockerfile.v0"* ]]
}

@test "wrong values are wrong usage, and what cannot be is said so" {
    app
    run kiln build --provenance=mode=mid app
    [ "$status" = 2 ]
    [[ $output = *"mode=mid: min or max is expected"* ]]
    run kiln build --attest mode=max app
    [ "$status" = 2 ]
    [[ $output = *"attestation type not specified"* ]]
    run kiln build --sbom=generator=docker/buildkit-syft-scanner app
    [ "$status" = 1 ]
    [[ $output = *"hint: leave generator= out"* ]]
    run "${build[@]}" --sbom=true -o type=docker,dest=x.tar
    [ "$status" = 1 ]
    [[ $output = *"docker exporter does not currently support exporting manifest lists"*"take type=oci"* ]]
    run kiln provenance absent.example.invalid/x
    [ "$status" = 1 ]
    "${build[@]}" -t app >/dev/null
    run kiln provenance app
    [ "$status" = 1 ]
    [[ $output = *"error: provenance of app: none is attached"*"hint: kiln build --provenance=true"* ]]
    run kiln sbom 'Not A Name'
    [ "$status" = 2 ]
}
