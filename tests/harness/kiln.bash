# tests/harness/kiln.bash - for Bats files: `load ../harness/kiln`.
#
# Each case starts in an empty folder of its own, with an empty store in $KILN_ROOT and an empty
# $HOME, so that nothing of this machine's user is read; `kiln` is the program that was just built.
# A file with its own setup() calls kiln_setup first.
bats_require_minimum_version 1.5.0

kiln_setup() {
    export KILN_ROOT="$BATS_TEST_TMPDIR/store" HOME="$BATS_TEST_TMPDIR/home" LC_ALL=C.UTF-8 TZ=UTC
    unset XDG_DATA_HOME XDG_CONFIG_HOME DOCKER_CONFIG SOURCE_DATE_EPOCH
    PATH="$(dirname "$KILN"):$PATH"
    mkdir -p "$HOME" "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work" || return 1
}

setup() {
    kiln_setup
}

# need PROGRAM ...: skips the case where one of them is not installed.
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "needs $program"
    done
}
