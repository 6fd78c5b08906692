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

# serve FOLDER: over http; sets $server to http://HOST:PORT.
serve() {
    need python3
    local i
    : >server.port
    python3 -u -c '
import http.server, sys
class H(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *a): super().__init__(*a, directory=sys.argv[1])
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
open("server.port", "w").write(str(s.server_port))
s.serve_forever()' "$1" 3>&- &
    SERVER_PID=$!
    for ((i = 0; i < 500; i++)); do
        [ ! -s server.port ] || break
        sleep 0.02
    done
    server=http://127.0.0.1:$(cat server.port)
}

stop_server() {
    [ -z "${SERVER_PID:-}" ] || kill "$SERVER_PID" || true
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
PYTHON
    kiln build -q -t app - <evil.tar || true
    [ ! -e escaped ] && [ ! -e ../escaped ] && [ ! -e ../../escaped ] && [ ! -e /etc/kiln-was-here ]
    ! find "$KILN_ROOT" "$BATS_TEST_TMPDIR" -maxdepth 2 -name escaped | grep .
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
