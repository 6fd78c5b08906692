# ADD of URLs and repositories, as their users meet it: what comes out, what is asked of servers, what is told.
load helper
load ../harness/sources

teardown() {
    stop_sources
}

# built ARGS < Dockerfile: builds into the folder out; prints its files: name, mode, owner, time.  Owners are there
# for root alone.
built() {
    mkdir -p ctx
    cat >ctx/Dockerfile
    rm -rf out
    mkdir out
    kiln build --progress plain "$@" -o type=tar,dest=out.tar ctx 2>err || { cat err >&2; return 1; }
    tar --numeric-owner -C out -xpf out.tar
    (cd out && find . -mindepth 1 -not -path '*/.git/*' -printf '%P %m %U:%G %Ts\n' | sort | grep -v ' 755 .*[0-9]\{10\}$' || true)
}

# refused ARGS < Dockerfile: the build fails; what it says is in $output.
refused() {
    mkdir -p ctx
    cat >ctx/Dockerfile
    run kiln build --progress plain "$@" -o type=local,dest=out ctx
    [ "$status" = 1 ] || { echo "$output" >&2; return 1; }
}

hello() {
    can_build
    [ "$(id -u)" = 0 ] || skip "needs root to see owners"
    start_sources "$@"
    echo hello >"$served/files/hello"
    touch -d @1500000000 "$served/files/hello"
}

@test "a file from a URL is called by the URL or by the destination, 0600, and has its server's time" {
    hello
    run built <<DOCKERFILE
FROM scratch
ADD $http/file/hello /in/
ADD $http/file/hello /as
ADD $http/plain/hello /no-time
WORKDIR /w
ADD $http/file/hello?x=/y#z .
DOCKERFILE
    [ "$output" = "as 600 0:0 1500000000
in/hello 600 0:0 1500000000
no-time 600 0:0 0
w/hello 600 0:0 1500000000" ]
    [ "$(cat out/as)" = hello ]
}

@test "ADD --chown, --chmod, --link and --unpack are for URLs too" {
    hello
    (cd "$served/files" && tar czf a.tgz hello && tar cjf a.tbz hello && tar cJf a.txz hello && tar c --zstd -f a.tzst hello &&
        tar cf a.tar hello)
    run built <<DOCKERFILE
FROM scratch
ADD --chown=7:8 $http/file/hello /chown
ADD --chmod=4755 $http/file/hello /chmod
ADD --chmod=u=rwX,go=r $http/file/hello /text
ADD --link $http/file/hello /link
ADD --unpack $http/plain/a.tgz /gz/
ADD --unpack=true $http/plain/a.tbz /bz/
ADD --unpack $http/plain/a.txz /xz/
ADD --unpack $http/plain/a.tzst /zst/
ADD --unpack $http/plain/a.tar /tar/
ADD --unpack $http/plain/hello /none/
ADD $http/plain/a.tar /kept/
DOCKERFILE
    [ "$(grep -v '^kept' <<<"$output")" = "bz/hello 644 0:0 1500000000
chmod 4755 0:0 1500000000
chown 600 7:8 1500000000
gz/hello 644 0:0 1500000000
link 600 0:0 1500000000
none/hello 600 0:0 0
tar/hello 644 0:0 1500000000
text 644 0:0 1500000000
xz/hello 644 0:0 1500000000
zst/hello 644 0:0 1500000000" ]
    cmp out/kept/a.tar "$served/files/a.tar"
}

@test "an unchanged URL costs one request and no download, a changed one is built anew" {
    hello
    for round in 1 2; do
        built <<DOCKERFILE >/dev/null
FROM scratch
ADD $http/file/hello /
DOCKERFILE
        [ "$(requests | wc -l)" = "$round" ]
    done
    [ "$(requests | tail -n 1)" = "GET /file/hello If-None-Match If-Modified-Since" ]
    [ "$(lines_of "$(cat err)" CACHED)" = 2 ] # the file, and ADD
    ! grep downloading err
    echo other >"$served/files/hello"
    built <<DOCKERFILE >/dev/null
FROM scratch
ADD $http/file/hello /
DOCKERFILE
    [ "$(cat out/hello)" = other ]
}

@test "--checksum: what fits is not asked for twice, what does not is told with place and both digests" {
    hello
    sum=$(sha256sum <"$served/files/hello" | cut -c-64)
    for _ in 1 2; do
        built <<DOCKERFILE >/dev/null
FROM scratch
ADD --checksum=sha256:$sum $http/file/hello /
DOCKERFILE
    done
    [ "$(requests | wc -l)" = 1 ]
    refused <<DOCKERFILE
FROM scratch
ADD --checksum=sha256:${sum//[0-9]/0} $http/file/hello /
DOCKERFILE
    [[ "$output" == *"error: Dockerfile:2: "*"its content is sha256:$sum (6 bytes), not sha256:${sum//[0-9]/0}"* ]]
    [[ "$output" == *">>> ADD --checksum"* ]]
    refused <<<"FROM scratch
ADD --checksum=sha256:12 $http/file/hello /"
    [[ "$output" == *"Dockerfile:2: "*"--checksum=sha256:12"* ]]
}

@test "a URL that wants to know who asks is told by a secret, which shows nowhere" {
    hello
    echo "Bearer s3cret" >"$served/authorization"
    refused <<<"FROM scratch
ADD $http/auth/hello /"
    [[ "$output" == *"the server answers 401, not authorized"* ]]
    [[ "$output" == *"hint: --secret id=HTTP_AUTH_TOKEN_127.0.0.1,src=FILE"* ]]
    echo s3cret >token
    built --secret id=HTTP_AUTH_TOKEN_127.0.0.1,src=token <<<"FROM scratch
ADD $http/auth/hello /" >/dev/null
    [ "$(cat out/hello)" = hello ]
    HEADER="Bearer s3cret" built --no-cache --secret id=HTTP_AUTH_HEADER_127.0.0.1,env=HEADER <<<"FROM scratch
ADD $http/auth/hello /" >/dev/null
    ! grep -ra s3cret err out "$KILN_ROOT"
    echo wr0ng >token
    refused --no-cache --secret id=HTTP_AUTH_TOKEN_127.0.0.1,src=token <<<"FROM scratch
ADD $http/auth/hello?2 /"
    [[ "$output" != *wr0ng* ]]
    [[ "$output" == *"the secret that was given for 127.0.0.1 is not taken there"* ]]
}

@test "URLs that do not work are told with their line" {
    hello
    refused <<<"FROM scratch
ADD $http/file/none /"
    [[ "$output" == *"error: Dockerfile:2: "*"fetch $http/file/none: the server answers 404, not found"* ]]
    refused <<<"FROM scratch
COPY $http/file/hello /"
    [[ "$output" == *"source can't be a URL for COPY"*"hint: use ADD"* ]]
    refused <<<"FROM scratch
ADD http://127.0.0.1:1/x /"
    [[ "$output" == *"GET http://127.0.0.1:1/x: connect to 127.0.0.1 port 1: "* ]]
}

@test "a repository: default branch, branch, tag, pull request, commit, its beginning, subdir" {
    hello repositories
    first=$(git -C "$served/git/app.git" rev-parse light)
    built <<DOCKERFILE >/dev/null
FROM scratch
ADD $http/git/app.git /main
ADD $git/app.git#topic /branch
ADD $git/app.git#v1 /tag
ADD $git/app.git?ref=refs/pull/7/head /pull
ADD $git/app.git#$first /commit
ADD $git/app.git#${first:0:8} /short
ADD $git/app.git#v1:sub/nested /subdir
ADD $git/app.git?branch=main&subdir=vendor/lib&submodules=0 /empty/
ADD $git/app.git?tag=v1&subdir=sub /query
ADD --chown=5:6 --chmod=700 $git/app.git#v1:sub /owned
ADD --link $git/app.git#v1:sub /link
DOCKERFILE
    cd out
    [ "$(tail -qn 1 main/README branch/README tag/README pull/topic commit/README short/README | xargs)" = "three two two topic one one" ]
    [ "$(cat main/vendor/lib/lib.txt main/vendor/lib/inner/deep/deep.txt | xargs)" = "lib deep" ]
    [ "$(find subdir empty query link | sort | xargs)" = "empty link link/file link/nested link/nested/file query query/file \
query/nested query/nested/file subdir subdir/file" ]
    [ "$(stat -c '%u:%g %a' main/README main/run.sh owned/file owned/nested | xargs)" = "0:0 644 0:0 755 5:6 700 5:6 700" ]
    ! find . -name .git | grep .
}

@test "an unchanged branch costs one question, a whole commit none" {
    hello repositories
    second=$(git -C "$served/git/app.git" rev-parse 'v1^{commit}')
    for ref in main "$second"; do
        for round in 1 2; do
            : >"$served/log"
            built <<<"FROM scratch
ADD $http/git/app.git#$ref /" >/dev/null
        done
        [ "$(lines_of "$(cat err)" CACHED)" = 2 ]
        [ "$(requests POST | wc -l)" = "$([ "$ref" = main ] && echo 1 || echo 0)" ]
    done
    : >"$served/log"
    built <<<"FROM scratch
ADD $http/git/app.git#v1 /" >/dev/null # another name of the same commit
    [ "$(lines_of "$(cat err)" CACHED)" = 2 ]
}

@test "--keep-git-dir leaves a repository to work in, and the same image everywhere" {
    hello repositories
    for root in one two; do
        digest=$(KILN_ROOT="$PWD/$root" SOURCE_DATE_EPOCH=1700000000 kiln build -q -f - . <<<"FROM scratch
ADD --keep-git-dir $http/git/app.git?tag=v1 /src")
        [ "${before:-$digest}" = "$digest" ]
        before=$digest
    done
    built <<<"FROM scratch
ADD $http/git/app.git?tag=v1&keep-git-dir=true /src" >/dev/null
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
    cd out/src
    [ "$(git describe)" = v1 ]
    [ "$(git log --format=%s)" = second ]
    [ -z "$(git status --porcelain)" ]
    [ "$(git config remote.origin.url)" = "$http/git/app.git" ]
}

@test "a repository's --checksum, flags that disagree, and what is not there, are told with their line" {
    hello repositories
    second=$(git -C "$served/git/app.git" rev-parse 'v1^{commit}')
    built <<<"FROM scratch
ADD --checksum=${second:0:10} $git/app.git#v1 /" >/dev/null
    refused <<<"FROM scratch
ADD --checksum=0000 $git/app.git#v1 /"
    [[ "$output" == *"error: Dockerfile:2: "*"\"v1\" is commit $second by tag "*", but the checksum is 0000"* ]]
    refused <<<"FROM scratch
ADD --keep-git-dir=false $git/app.git?keep-git-dir=true /"
    [[ "$output" == *"Dockerfile:2: "*"inconsistent keep-git-dir configuration"* ]]
    refused <<<"FROM scratch
ADD $git/app.git#none /"
    [[ "$output" == *"error: Dockerfile:2: "*"/app.git: it has no branch, tag or commit \"none\""* ]]
    refused <<<"FROM scratch
ADD $git/app.git#v1:none /"
    [[ "$output" == *"its folder \"none\" is not there"* ]]
    refused <<<"FROM scratch
ADD $http/git/none.git /"
    [[ "$output" == *"error: Dockerfile:2: "*"/git/none.git: git ls-remote: "*"not found"* ]]
    refused <<<"FROM scratch
COPY $git/app.git /"
    [[ "$output" == *"source can't be a git ref for COPY"* ]]
    refused <<<"FROM scratch
ADD git@127.0.0.1:app.git /"
    [[ "$output" == *"no ssh agent or key was given"*"hint: --ssh default"* ]]
}

@test "a private repository is read with a token that shows nowhere" {
    hello repositories
    echo "basic $(printf x-access-token:s3cret | base64)" >"$served/authorization"
    refused <<<"FROM scratch
ADD $http/gitauth/app.git#v1 /"
    [[ "$output" == *"the server wants to know who asks"*"hint: "*"--secret id=GIT_AUTH_TOKEN,src=FILE"* ]]
    echo s3cret >token
    for id in GIT_AUTH_TOKEN "GIT_AUTH_TOKEN.${http#http://}"; do
        built --no-cache --secret "id=$id,src=token" <<<"FROM scratch
ADD --keep-git-dir $http/gitauth/app.git#v1 /" >/dev/null
        [ "$(tail -n 1 out/README)" = two ]
    done
    cp "$served/authorization" header
    built --no-cache --secret id=GIT_AUTH_HEADER,src=header <<<"FROM scratch
ADD $http/gitauth/app.git#v1 /" >/dev/null
    ! grep -ra -e s3cret -e "$(cut -d' ' -f2 header)" err out "$KILN_ROOT"
}

@test "interrupted while a server says nothing, a build ends at once" {
    hello
    exec {silent}< <(exec python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
c, _ = s.accept()
print("asked", flush=True)
c.recv(1)
c.recv(65536)
' 3>&-)
    read -r port <&"$silent"
    mkdir -p ctx
    echo "FROM scratch
ADD git://127.0.0.1:$port/x.git /" >ctx/Dockerfile
    kiln build ctx >/dev/null 2>err 3>&- &
    pid=$!
    read -r word <&"$silent"
    [ "$word" = asked ]
    kill -INT $pid
    status=0
    wait $pid || status=$?
    [ "$status" = 130 ]
    exec {silent}<&-
}

# keep FILE: puts it into the cache "c" as a blob; $kept is its digest.
keep() {
    kept=sha256:$(sha256sum <"$1" | cut -d ' ' -f 1)
    cp "$1" "c/blobs/sha256/${kept#sha256:}"
}

@test "a file with a checksum is never what an imported cache says it is" {
    hello
    need jq
    mkdir ctx
    echo planted >ctx/hello
    local checksum manifest records
    checksum=sha256:$(sha256sum <"$served/files/hello" | cut -d ' ' -f 1)
    printf 'FROM scratch\nCOPY hello /\nADD --checksum=%s %s/file/hello /got\n' "$checksum" "$http" >ctx/Dockerfile
    kiln build -q --cache-to type=local,dest=c,mode=max ctx >/dev/null
    # As a liar has it: of steps nothing is known, and what has no inputs has the files of COPY.
    manifest=$(jq -r '.manifests[0].digest | ltrimstr("sha256:")' c/index.json)
    records=$(jq -r '.config.digest | ltrimstr("sha256:")' "c/blobs/sha256/$manifest")
    jq -c '(.layers | map(.parent == -1) | index(true)) as $lowest | .records |= map(
        if .inputs then del(.layers) else .layers = [{layer: $lowest}] end)' "c/blobs/sha256/$records" >lie
    keep lie
    jq -c --arg d "$kept" --argjson s "$(stat -c %s lie)" '.config |= (.digest = $d | .size = $s)' \
        "c/blobs/sha256/$manifest" >manifest
    keep manifest
    jq --arg d "$kept" --argjson s "$(stat -c %s manifest)" '.manifests[0] |= (.digest = $d | .size = $s)' \
        c/index.json >index && cp index c/index.json
    export KILN_ROOT="$BATS_TEST_TMPDIR/other"
    kiln build -q -o out --cache-from type=local,src=c ctx
    [ "$(cat out/hello)" = planted ] # by COPY
    [ "$(cat out/got)" = hello ]
}
