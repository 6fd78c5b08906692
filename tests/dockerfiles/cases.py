"""The cases: one folder each, beside this file.

    NAME/Dockerfile   and more files that the build names
    NAME/context/     the build context; without one it is the shared `context`
    NAME/prepare      shell, run in the copy of the context: modes, hard links, what git does not keep
    NAME/flags        of `kiln build`, one a line: --build-arg A=1
    NAME/expected     a listing (listing.py), `error LINE TEXT` (0: no line is to blame), or `warning LINE TEXT`

A case is laid out in a folder of its own, where modes and times depend on nothing: 0644 and 0755, and
2001-09-09 01:46:40.  The build is started there as `build FLAGS -f Dockerfile context`.
"""
import os
import re
import shlex
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EPOCH = 1000000000


def names(wanted=()):
    """Of all cases, or of those whose name begins as one of `wanted`."""
    found = sorted(name for name in os.listdir(HERE) if os.path.exists(f"{HERE}/{name}/Dockerfile"))
    return [n for n in found if n != "base" and (not wanted or any(n.startswith(w) for w in wanted))]


def lines_of(name, file):
    try:
        with open(f"{HERE}/{name}/{file}", encoding="utf-8") as text:
            return text.read().splitlines()
    except FileNotFoundError:
        return []


def expected(name):
    return "".join(line + "\n" for line in lines_of(name, "expected"))


def flags(name):
    return [word for line in lines_of(name, "flags") for word in shlex.split(line)]


def normalise(top):
    """Modes that git keeps, and one time for all that `prepare` gave none."""
    for folder, folders, files in os.walk(top):
        for path in (os.path.join(folder, f) for f in folders + files):
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)
    os.chmod(top, 0o755)


def settle(top):
    for folder, folders, files in os.walk(top, topdown=False):
        for path in [os.path.join(folder, f) for f in folders + files] + [folder]:
            if os.lstat(path).st_mtime > 1700000000:
                os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


def lay(name, into):
    """Makes the folder `into` where the case is built."""
    shutil.copytree(f"{HERE}/{name}", into, symlinks=True,
                    ignore=lambda top, _: {"expected", "flags", "prepare"} if top == f"{HERE}/{name}" else set())
    if not os.path.exists(f"{into}/context"):
        shutil.copytree(f"{HERE}/context", f"{into}/context", symlinks=True)
    normalise(into)
    prepare = f"{HERE}/{name}/prepare"
    if os.path.exists(prepare):
        subprocess.run(["sh", "-eu", prepare], cwd=f"{into}/context", check=True,
                       env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"})
    settle(into)


def lay_base(into, busybox):
    lay("base", into)
    shutil.copy(busybox, f"{into}/context/busybox")
    os.chmod(f"{into}/context/busybox", 0o755)
    os.utime(f"{into}/context/busybox", (EPOCH, EPOCH))


def warnings_of(said):
    """What `--call check` prints, one line each: `warning LINE Rule: message`."""
    found = re.findall(r"^WARNING: (\w+)(?: - \S+)?\n(.*)\n(?:\S+:(\d+)$)?", said, re.M)
    return "".join(f"warning {line or 0} {rule}: {text}\n" for rule, text, line in found) or "no warning\n"


def error_of(said):
    """`error LINE TEXT` of what kiln said; its hint is not part of it."""
    for line in said.splitlines():
        match = re.match(r"error: (?:Dockerfile:(\d+): )?(.*)", line)
        if match:
            return f"error {match[1] or 0} {match[2]}\n"
    return f"failed without an error: {said}\n"
