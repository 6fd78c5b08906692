# Steps for another architecture, by Debian's qemu: nothing is registered for the machine.
load helper

setup() {
    kiln_setup
    need aarch64-linux-gnu-gcc qemu-aarch64-static
    kiln doctor >/dev/null || skip "images cannot be built here"
    chmod a+x "$BATS_RUN_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")" "$BATS_TEST_TMPDIR" # another user goes there
    mkdir ctx
    cat >program.c <<'SOURCE'
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Says its machine; "start" lets another process say it; a path is written and given away. */
int main(int n, char **args)
{
    struct utsname name;
    uname(&name);
    if (n > 1 && strcmp(args[1], "start") == 0) {
        int status;
        if (fork() == 0)
            return execl("/program", "the child", (char *)0);
        wait(&status);
        return WEXITSTATUS(status);
    }
    FILE *f = n > 1 ? fopen(args[1], "w") : stdout;
    fprintf(f, "%s: %s\n", args[0], name.machine);
    fclose(f);
    return n > 1 && chown(args[1], 12, 34);
}
SOURCE
    aarch64-linux-gnu-gcc -static -o ctx/program program.c
    cat >ctx/Dockerfile <<'DOCKERFILE'
FROM scratch
COPY program /program
RUN ["/program", "start"]
RUN ["/program", "/result"]
DOCKERFILE
}

registered() {
    cat /proc/sys/fs/binfmt_misc/* 2>/dev/null || true
}

@test "a step for arm64 runs, its children too, and writes the image" {
    local before
    before=$(registered)
    kiln build --platform linux/arm64 --progress plain -t app ctx 2>log
    grep -q 'the child: aarch64' log
    [ "$(kiln run --platform linux/arm64 app /program)" = "/program: aarch64" ]
    kiln build --platform linux/arm64 -o type=tar,dest=app.tar ctx
    [ "$(tar -xOf app.tar result)" = "/program: aarch64" ]
    tar -tvf app.tar | grep -q '12/34 .* result$'
    [ "$(registered)" = "$before" ]
}

@test "as an ordinary user with a range of ids" {
    need_root
    cp -r ctx "$BATS_TEST_TMPDIR/theirs"
    chown -R nobody "$BATS_TEST_TMPDIR/theirs"
    as_user "$ranges" env HOME="$BATS_TEST_TMPDIR/theirs" kiln build --root "$BATS_TEST_TMPDIR/theirs/store" \
        --platform linux/arm64 -o type=tar,dest="$BATS_TEST_TMPDIR/theirs/app.tar" "$BATS_TEST_TMPDIR/theirs"
    [ "$(tar -xOf "$BATS_TEST_TMPDIR/theirs/app.tar" result)" = "/program: aarch64" ]
}

@test "as an ordinary user with one id" {
    need_root
    cp -r ctx "$BATS_TEST_TMPDIR/theirs"
    sed -i '$d' "$BATS_TEST_TMPDIR/theirs/Dockerfile" # chown takes other ids
    chown -R nobody "$BATS_TEST_TMPDIR/theirs"
    as_user "" env HOME="$BATS_TEST_TMPDIR/theirs" kiln build --root "$BATS_TEST_TMPDIR/theirs/store" \
        --platform linux/arm64 --progress plain "$BATS_TEST_TMPDIR/theirs" 2>log
    grep -q 'the child: aarch64' log
}

@test "programs of this machine run in an image that says arm64" {
    need busybox
    cp "$(command -v busybox)" ctx/busybox
    printf 'FROM scratch\nCOPY busybox /busybox\nRUN ["/busybox", "true"]\n' >ctx/Dockerfile
    kiln build --platform linux/arm64 ctx
}

@test "without an emulator the error names the package" {
    mkdir empty
    run -1 env PATH="$PWD/empty" "$KILN" build --platform linux/arm64 --progress plain ctx
    [[ $output == *"a program for arm64, this machine is"*"hint: install qemu-user-static"* ]] ||
        grep -q '^flags:.*F' /proc/sys/fs/binfmt_misc/qemu-aarch64
}
