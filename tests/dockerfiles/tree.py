"""The tree and the config of a listing (listing.py), without how layers and history came to it.

For builders that cut layers in another way: entries of later layers replace those of earlier ones, what is
removed is gone.  Folders are left out where the listing shows them only as the way to something else.
"""
import json
import re

# A builder's own: what it writes for a shell form, and what means nothing in OCI.
IGNORED = {"ArgsEscaped", "OnBuild", "Healthcheck", "Shell"}
# Mount points that buildah leaves behind after a step.
LEFT_BEHIND = {"  -0755 0:0 etc/hostname \"\"", "  -0755 0:0 etc/hosts \"\"", "  -0755 0:0 etc/resolv.conf \"\"",
               "  d0755 0:0 run", "  d0755 0:0 dev", "  d0755 0:0 proc", "  d0755 0:0 sys", "  d0755 0:0 etc"}
ENTRY = re.compile(r"  (?:([dlpcbh-])(?:[0-7]{4} \d+:\d+)? |(removed|opaque) )(.*)")


def path_of(kind, rest):
    """Of the rest of a line, which goes on with content, numbers or a target."""
    if kind in "lh":
        return rest.split(" -> ")[0]
    if kind == "-":
        return re.split(r' (?="|\d+ bytes [0-9a-f]{16})', rest, maxsplit=1)[0]
    return rest.rsplit(" ", 1)[0] if kind in "cb" else rest


def tree_of(text):
    lines, entries, gone = [], {}, set()
    for line in text.splitlines():
        entry = ENTRY.match(line)
        if entry and entry[2] == "removed":
            below = entry[3] + "/"
            is_ours = any(p == entry[3] or p.startswith(below) for p in entries)
            entries = {p: v for p, v in entries.items() if p != entry[3] and not p.startswith(below)}
            if not is_ours:  # else nothing of it was in the base
                gone.add(entry[3])
        elif entry and entry[1]:
            path = path_of(entry[1], entry[3])
            if entry[1] != "d":
                entries = {p: v for p, v in entries.items() if not p.startswith(path + "/")}
            entries[path] = line
        elif line.startswith("config Env "):
            lines.append("config Env " + json.dumps(sorted(json.loads(line[len("config Env "):]))))
        elif line.startswith(("platform", "author")) or (
                line.startswith("config ") and line.split()[1] not in IGNORED):
            lines.append(line)
    lines += [f"  removed {path}" for path in gone if path not in entries]
    shown = [line for path, line in entries.items()
             if line not in LEFT_BEHIND and not is_way(path, line, entries)]
    return "\n".join(lines + sorted(shown)) + "\n"


def is_way(path, line, entries):
    return line.startswith("  d") and any(other.startswith(path + "/") for other in entries)
