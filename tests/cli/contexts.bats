# Where kiln build reads from: folders, archives and Dockerfiles on stdin, servers, repositories.
load helper

teardown() {
    stop_server
    stop_registry
}

# archive: a context to be packed, in src; its Dockerfile is in src too, and one in src/sub.
archive() {
    mkdir -p src/sub
    cp "$(command -v busybox)" src/busybox
    echo "FROM scratch
COPY busybox sub/file /" >src/Dockerfile
    echo "FROM scratch
COPY sub/file /other" >src/sub/Dockerfile
    echo content >src/sub/file
    echo sub >src/.dockerignore
}

# files_of IMAGE: the names in it.
files_of() {
    kiln build -q -o - - <<<"FROM $1" | tar -t | grep -v '/$' | tr '\n' ' '
}

# serve: what is in www/files over http, and www/git as repositories; sets $server (HOST:PORT) and $git.
serve() {
    need python3 git
    local i
    mkdir -p www/files www/git
    mkfifo server.stdin
    "$BATS_TEST_DIRNAME/../harness/source-server" www <server.stdin >server.ports 3>&- &
    exec 9>server.stdin # its end is the server's
    for ((i = 0; i < 500; i++)); do
        [ ! -s server.ports ] || break
        sleep 0.02
    done
    read -r http_port git_port _ <server.ports
    server=http://127.0.0.1:$http_port git=git://127.0.0.1:$git_port
}

stop_server() {
    exec 9>&- || true
}

# repository: www/git/app.git, from src: two commits, the second at 1600000123, and a tag v1 at the first.
repository() {
    need git
    archive
    export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
    export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
    mkdir -p www/git
    git init -q -b main src
    git -C src add .
    GIT_AUTHOR_DATE="@1600000000 +0000" GIT_COMMITTER_DATE="@1600000000 +0000" git -C src commit -qm one
    git -C src tag v1
    echo second >src/sub/file
    git -C src add .
    GIT_AUTHOR_DATE="@1600000123 +0000" GIT_COMMITTER_DATE="@1600000123 +0000" git -C src commit -qm two
    git clone -q --bare src www/git/app.git
}

# content IMAGE PATH
content() {
    kiln build -q -o - - <<<"FROM $1" | tar -xO "$2"
}

@test "an archive on stdin is the context, however it is compressed, and no ignore file counts" {
    can_build
    archive
    local how
    for how in "" --gzip --bzip2 --xz --zstd; do
        # shellcheck disable=SC2086
        tar -C src $how -c . | kiln build -q -t app -
        [ "$(files_of app)" = "busybox file " ] || { echo "$how" && false; }
    done
    [ -z "$(ls "$KILN_ROOT/contexts")" ] # nothing of it is left
}

@test "--file names a Dockerfile in the archive, or, being absolute, one of ours" {
    can_build
    archive
    tar -C src -c . | kiln build -q -t app -f sub/Dockerfile -
    [ "$(files_of app)" = "other " ]
    echo "FROM scratch
COPY sub/file /ours" >mine
    tar -C src -c . | kiln build -q -t app -f "$PWD/mine" -
    [ "$(files_of app)" = "ours " ]
    mv src/Dockerfile src/dockerfile
    tar -C src -c . | kiln build -q -t app -
    [ "$(files_of app)" = "busybox file " ]
}

@test "an unchanged archive is not unpacked again" {
    can_build
    archive
    tar -C src -cf a.tar .
    kiln build -q - <a.tar
    run --separate-stderr kiln build --progress plain - <a.tar
    [ "$status" = 0 ]
    [ "$(lines_of "$stderr" 'extracting build context$')" -ge 1 ]
    [ "$(lines_of "$stderr" CACHED)" -ge 2 ]
}

@test "what an archive on stdin lacks, and what is none, is told" {
    can_build
    archive
    run kiln build -f absent - < <(tar -C src -c .)
    [ "$status" = 1 ]
    [[ "$output" == *"read the Dockerfile: build context -: absent: not found"* ]]
    [[ "$output" == *"hint: say where it is in there with -f PATH"* ]]
    run kiln build - < <(head -c 2000 /dev/zero)
    [ "$status" = 1 ]
    run kiln build - < <(tar -C src --gzip -c . | head -c 3000)
    [ "$status" = 1 ]
    [[ "$output" == *"build context -"* ]]
    [ -z "$(ls "$KILN_ROOT/contexts")" ]
}

@test "entries of an archive stay inside, and devices in it are no way to the host's" {
    can_build
    need python3
    python3 - <<'PYTHON'
import io, tarfile
with tarfile.open("evil.tar", "w") as t:
    def add(name, data=None, **how):
        i = tarfile.TarInfo(name)
        for k, v in how.items(): setattr(i, k, v)
        i.size = len(data or b"")
        t.addfile(i, io.BytesIO(data or b""))
    add("Dockerfile", b"FROM scratch\nCOPY . /\n")
    add("../../escaped", b"x")
    add("link", type=tarfile.SYMTYPE, linkname="/etc")
    add("link/kiln-was-here", b"x")
    add("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0)
PYTHON
    kiln build -q -t app - <evil.tar
    [ "$(files_of app)" = "Dockerfile disk escaped etc/kiln-was-here link " ]
    [ ! -e escaped ] && [ ! -e ../escaped ] && [ ! -e ../../escaped ] && [ ! -e /etc/kiln-was-here ]
    [ -z "$(find "$KILN_ROOT/.." -maxdepth 2 -name escaped)" ]
    base
    run kiln build --progress plain - <<<"FROM base
COPY --from=app / /
RUN cat /disk"
    [ "$status" = 1 ] # a device, but none that opens
}

@test "a Dockerfile on stdin has an empty context, and no other beside it" {
    can_build
    echo FROM scratch | kiln build -q -
    run kiln build - <<<"FROM scratch
COPY x /"
    [ "$status" = 1 ]
    run kiln build -f other - <<<"FROM scratch"
    [ "$status" = 1 ]
    [[ "$output" == *"ambiguous Dockerfile source: both stdin and --file other are one"* ]]
    run kiln build -f - - <<<"FROM scratch"
    [ "$status" = 2 ]
    [[ "$output" == *"can't use stdin for both build context and dockerfile"* ]]
}

@test "what a killed build left of its stream goes with the next one" {
    can_build
    archive
    mkdir -p "$KILN_ROOT/contexts/1-2-3"
    echo x >"$KILN_ROOT/contexts/1-2-3/context"
    : >"$KILN_ROOT/contexts/1-2-3.lock"
    tar -C src -c . | kiln build -q -
    [ -z "$(ls "$KILN_ROOT/contexts")" ]
}

@test "SOURCE_DATE_EPOCH=context is the newest entry's time of an archive, and nothing for a folder" {
    can_build
    archive
    find src -exec touch -d @1600000000 {} +
    touch -d @1600000123 src/sub/file
    tar -C src -c . | kiln build -q -t app --build-arg SOURCE_DATE_EPOCH=context -
    [ "$(kiln inspect --config app | jq -r .created)" = 2020-09-13T12:28:43Z ]
    [ "$(kiln inspect --config app | jq -r '.history[-1].created')" = 2020-09-13T12:28:43Z ]
    rm src/.dockerignore
    kiln build -q -t app --build-arg SOURCE_DATE_EPOCH=context -f src/sub/Dockerfile src
    [[ "$(kiln inspect --config app | jq -r .created)" != 2020-* ]]
    SOURCE_DATE_EPOCH=7 kiln build -q -t app - <<<"FROM scratch
LABEL a=b"
    [ "$(kiln inspect --config app | jq -r .created)" = 1970-01-01T00:00:07Z ]
    run kiln build --build-arg SOURCE_DATE_EPOCH=tomorrow - <<<"FROM scratch"
    [ "$status" = 1 ]
    [[ "$output" == *"invalid SOURCE_DATE_EPOCH: tomorrow"* ]]
}

@test "a git repository is the context: branch, tag, folder, all ways to say them" {
    can_build
    repository
    serve
    kiln build -q -t app "$git/app.git"
    [ "$(files_of app)" = "busybox file " ] # no ignore file counts
    [ "$(content app file)" = second ]
    kiln build -q -t app "$git/app.git#v1"
    [ "$(content app file)" = content ]
    kiln build -q -t app "$git/app.git#v1:" -f sub/Dockerfile
    [ "$(files_of app)" = "other " ]
    echo "FROM scratch
COPY file /inner" >src/sub/Dockerfile
    git -C src commit -qam three
    git -C src push -q "$PWD/www/git/app.git" main
    kiln build -q -t app "$git/app.git#main:sub"
    [ "$(files_of app)" = "inner " ]
    kiln build -q -t app "$server/git/app.git?branch=main&subdir=sub"
    [ "$(files_of app)" = "inner " ]
    kiln build -q -t app "$server/git/app.git?ref=v1&commit=$(git -C src rev-parse v1)"
    [ "$(content app file)" = content ]
}

@test "what is wrong with a repository is told with its URL" {
    can_build
    repository
    serve
    run kiln build "$git/app.git#nowhere"
    [ "$status" = 1 ]
    [[ "$output" == *"build context $git/app.git#nowhere: "* ]]
    run kiln build "$git/absent.git"
    [ "$status" = 1 ]
    [[ "$output" == *"build context $git/absent.git: "* ]]
    run kiln build -f nope "$git/app.git"
    [ "$status" = 1 ]
    [[ "$output" == *"build context $git/app.git: nope: not found"* ]]
    run kiln build "$git/app.git?what=x"
    [ "$status" = 1 ]
    [[ "$output" == *'unexpected query "what"'* ]]
}

@test "a password in the URL of a context is shown nowhere and kept nowhere" {
    can_build
    archive
    repository
    serve
    tar -C src -cf www/files/src.tar .
    local url=${server/:\/\//://me:hunter2@} what
    for what in "$url/git/app.git" "$url/file/src.tar"; do
        kiln --log-level debug build --progress plain --explain --provenance=mode=max -t app "$what" >log 2>&1
        kiln build --progress plain -f nope "$what" >>log 2>&1 && return 1
        kiln build --progress plain --build-context "more=$what" - >>log 2>&1 <<<"FROM scratch
COPY --from=more / /"
        kiln build --progress plain "$what#nowhere" >>log 2>&1 || true # a file has no branches
        grep -q "xxxxx" log
        run grep hunter2 log
        [ "$output" = "" ]
    done
    kiln build --progress plain -f "$url/file/absent" src >log 2>&1 && return 1
    run grep hunter2 log
    [ "$output" = "" ]
    run grep -rl hunter2 "$KILN_ROOT"
    [ "$output" = "" ]
}

@test "BUILDKIT_CONTEXT_KEEP_GIT_DIR keeps .git" {
    can_build
    repository
    serve
    printf 'FROM scratch\nCOPY . /\n' >Dockerfile
    kiln build -q -t app -f "$PWD/Dockerfile" "$git/app.git"
    [[ "$(files_of app)" != *.git/HEAD* ]]
    kiln build -q -t app -f "$PWD/Dockerfile" --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 "$git/app.git"
    [[ "$(files_of app)" == *.git/HEAD* ]]
}

@test "an unchanged repository is fetched once, and nothing runs again" {
    can_build
    repository
    serve
    kiln build -q -t app "$git/app.git"
    run --separate-stderr kiln build --progress plain -t app "$git/app.git"
    [ "$status" = 0 ]
    [ "$(lines_of "$stderr" CACHED)" -ge 2 ]
}

@test "a branch that moves while the build runs, and a file that changes, are read once" {
    can_build
    base
    repository
    serve
    kiln build -q -t app "$git/app.git"
    : >www/log
    kiln build -q --no-cache -t app "$server/git/app.git#main"
    [ "$(grep -c 'GET /git/app.git/info/refs' www/log)" -le 2 ] # asked, and fetched
    tar -C src -cf www/files/src.tar .
    : >www/log
    kiln build -q -t app "$server/tagged/src.tar"
    [ "$(grep -c '/tagged/src.tar' www/log)" = 1 ]
}

@test "an archive from a server is the context, any other file the Dockerfile" {
    can_build
    archive
    serve
    tar -C src --xz -cf www/files/src.tar.xz .
    kiln build -q -t app "$server/file/src.tar.xz"
    [ "$(files_of app)" = "busybox file " ]
    kiln build -q -t app -f sub/Dockerfile "$server/plain/src.tar.xz"
    [ "$(files_of app)" = "other " ]
    printf 'FROM scratch\nLABEL only=this\n' >www/files/recipe
    kiln build -q -t app "$server/file/recipe"
    [ "$(kiln inspect app | jq -r .config.config.Labels.only)" = this ]
    run kiln build -f x "$server/file/recipe"
    [ "$status" = 1 ]
    [[ "$output" == *"it is a Dockerfile itself: --file is one too many"* ]]
    run kiln build "$server/status/404"
    [ "$status" = 1 ]
    [[ "$output" == *"build context $server/status/404"* ]]
}

@test "--file may be a URL" {
    can_build
    archive
    serve
    printf 'FROM scratch\nCOPY sub/file /from-url\n' >www/files/recipe
    rm src/.dockerignore
    kiln build -q -t app -f "$server/file/recipe" src
    [ "$(files_of app)" = "from-url " ]
}

@test "SOURCE_DATE_EPOCH names a commit, a file from a server, a named context or a stage" {
    can_build
    repository
    serve
    commit=2020-09-13T12:28:43Z
    created() { kiln inspect --config app | jq -r .created; }
    kiln build -q -t app --build-arg SOURCE_DATE_EPOCH=context "$git/app.git"
    [ "$(created)" = "$commit" ]
    kiln build -q -t app --build-arg SOURCE_DATE_EPOCH=lib --build-context "lib=$git/app.git" - <<<"FROM scratch
LABEL a=b"
    [ "$(created)" = "$commit" ]
    printf 'FROM scratch\nLABEL only=this\n' >www/files/recipe
    touch -d @1500000000 www/files/recipe
    kiln build -q -t app --build-arg SOURCE_DATE_EPOCH=context "$server/file/recipe"
    [ "$(created)" = 2017-07-14T02:40:00Z ]
    kiln build -q -t app --build-arg SOURCE_DATE_EPOCH=src - <<DOCKERFILE
FROM scratch AS src
ADD $server/file/recipe /
FROM scratch
COPY --from=src / /
DOCKERFILE
    [ "$(created)" = 2017-07-14T02:40:00Z ]
    run kiln build --build-arg SOURCE_DATE_EPOCH=src - <<<"FROM scratch AS src
COPY a /
FROM scratch"
    [ "$status" = 1 ]
    [[ "$output" == *"invalid SOURCE_DATE_EPOCH: src: the stage must be FROM scratch with one ADD"* ]]
}

@test "named contexts: a folder with its own ignore file, an image, a repository, a file" {
    can_build
    base
    repository
    serve
    mkdir other
    echo x >other/seen
    echo x >other/hidden
    echo hidden >other/.dockerignore
    echo y >www/files/data.tar
    context <<'DOCKERFILE'
FROM base AS start
FROM start
COPY --from=folder . /folder/
COPY --from=repo sub /repo/
COPY --from=file . /file/
RUN --mount=from=folder,target=/m cat /m/seen && ! cat /m/hidden
RUN --mount=from=repo,source=sub,target=/m grep second /m/file
RUN cat /marker
DOCKERFILE
    kiln build -q -t marked - <<<"FROM base
RUN echo here > /marker"
    kiln build -q -t app --build-context folder=other --build-context "repo=$git/app.git" \
        --build-context "file=$server/file/data.tar" --build-context start=docker-image://marked ctx
    files=$(files_of app)
    [[ "$files" == *folder/seen* && "$files" != *hidden* && "$files" == *repo/file* ]]
    [ "$(content app file/context)" = y ] # one file, never unpacked
}

@test "a named context stands in for an image, for one platform alone when it says so" {
    can_build
    mkdir mine elsewhere
    echo mine >mine/a
    echo other >elsewhere/a
    platform=linux/$(dpkg --print-architecture)
    context <<'DOCKERFILE'
FROM registry.invalid/team/base:1
DOCKERFILE
    kiln build -q -t app --build-context registry.invalid/team/base:1=mine ctx
    [ "$(content app a)" = mine ]
    kiln build -q -t app --build-context "registry.invalid/team/base:1::$platform=mine" \
        --build-context registry.invalid/team/base:1=elsewhere ctx
    [ "$(content app a)" = mine ]
}

@test "an OCI layout is a named context, by tag, by digest, alone" {
    can_build
    base
    kiln build -q -t one -o type=oci,tar=false,dest=layout - <<<"FROM base
RUN echo one > /which"
    digest=$(jq -r '.manifests[0].digest' layout/index.json)
    context <<'DOCKERFILE'
FROM lib
RUN cat /which > /copy
DOCKERFILE
    kiln build -q -t app --build-context "lib=oci-layout://$PWD/layout" ctx
    [ "$(content app copy)" = one ]
    kiln build -q -t app --build-context "lib=oci-layout://$PWD/layout@$digest" ctx
    tag=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' layout/index.json)
    kiln build -q -t app --build-context "lib=oci-layout://$PWD/layout:${tag##*:}" ctx
    run kiln build --build-context "lib=oci-layout://$PWD/layout:absent" ctx
    [ "$status" = 1 ]
    [[ "$output" == *"context lib: oci-layout://$PWD/layout:absent: "* ]]
    run kiln build --build-context "lib=oci-layout:///nowhere-at-all" ctx
    [ "$status" = 1 ]
}

@test "named contexts that cannot be are told" {
    context <<<"FROM lib"
    run kiln build --build-context lib=target:other ctx
    [ "$status" = 2 ]
    [[ "$output" == *"another target is a context for bake alone"* ]]
    run kiln build --build-context lib=nowhere ctx
    [ "$status" = 1 ]
    run kiln build --build-context lib ctx
    [ "$status" = 2 ]
    run kiln build --build-context lib=what://x ctx
    [ "$status" = 1 ]
    [[ "$output" == *"context lib: what://x: unsupported context source"* ]]
}
