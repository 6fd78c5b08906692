"""An image as text that people can review: what a Dockerfile came to, layer by layer.

    platform linux/amd64
    config Cmd ["sh"]
    base                                   the layers and the history of the base image
    layer COPY hello.txt /etc/ # buildkit
      d0755 0:0 etc
      -0644 0:0 etc/hello.txt "hello\\n" @1000000000
    empty ENV A=1 # buildkit

Entries are sorted by path.  A file shows its content where that is short text, else size and digest; a
link its target; a device its numbers; whiteouts are `removed PATH`.  Times are shown where they are no
time of the build itself.  `image_of` reads an OCI layout, a folder that may be a store of kiln.
"""
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import time

NOW = time.time() - 86400  # younger files were written by a build
ATTESTATION = "vnd.docker.reference.type"


class Image:
    """Config and layers of one platform; `layers` are lists of (path, text)."""

    def __init__(self, config, layers):
        self.config, self.layers = config, layers
        self.diff_ids = config.get("rootfs", {}).get("diff_ids") or []
        self.history = config.get("history") or []


def blob(layout, digest):
    with open(os.path.join(layout, "blobs", *digest.split(":")), "rb") as file:
        return file.read()


def unpacked(data):
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    return data


def images_of(layout, digest, skip_layers=0):
    """The images behind a manifest or an index; the first layers may be left unread."""
    top = json.loads(blob(layout, digest))
    if "manifests" in top:
        return [image for entry in top["manifests"] if ATTESTATION not in (entry.get("annotations") or {})
                for image in images_of(layout, entry["digest"], skip_layers)]
    layers = [[] if i < skip_layers else entries_of(unpacked(blob(layout, layer["digest"])))
              for i, layer in enumerate(top.get("layers") or [])]
    return [Image(json.loads(blob(layout, top["config"]["digest"])), layers)]


def content(data):
    """Short text as it is, else size and digest."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is not None and len(data) <= 100 and all(c.isprintable() or c in "\n\t" for c in text):
        return json.dumps(text, ensure_ascii=False)
    return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()[:16]}"


def entry_line(tar, m, path):
    kind = ("d" if m.isdir() else "l" if m.issym() else "p" if m.isfifo() else "c" if m.ischr() else
            "b" if m.isblk() else "h" if m.islnk() else "-")
    if kind == "h":
        return f"h {path} -> {os.path.normpath(m.linkname).lstrip('/')}"
    line = f"{kind}{m.mode & 0o7777:04o} {m.uid}:{m.gid} {path}"
    if kind == "l":
        line += " -> " + m.linkname
    elif kind in "cb":
        line += f" {m.devmajor}:{m.devminor}"
    elif kind == "-":
        line += " " + content(tar.extractfile(m).read())
    cap = m.pax_headers.get("SCHILY.xattr.security.capability")
    if cap:
        line += " cap=" + os.fsencode(cap).hex()
    if m.mtime < NOW and kind != "d":
        line += f" @{int(m.mtime)}"
    return line


def entries_of(data):
    """[(path, line)] of a layer; the root folder itself enters none."""
    entries = {}
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as tar:
        for m in tar:
            path = os.path.normpath(m.name).lstrip("/")
            if path == ".":
                continue
            folder, name = os.path.split(path)
            shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            if name == ".wh..wh..opq":
                entries[path] = f"opaque {folder}"
            elif name.startswith(".wh."):
                entries[path] = "removed " + os.path.join(folder, name[len(".wh."):])
            else:
                entries[path] = entry_line(tar, m, shown)
    return sorted(entries.items())


def config_lines(config):
    yield "platform " + "/".join(filter(None, [config.get("os"), config.get("architecture"),
                                               config.get("variant")]))
    created = (config.get("created") or "9")[:19]
    if created < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOW)):
        yield "created " + created
    if config.get("author"):
        yield "author " + config["author"]
    for key, value in sorted((config.get("config") or {}).items()):
        yield f"config {key} " + json.dumps(value, sort_keys=True, ensure_ascii=False)


def history_line(step):
    line = ("empty " if step.get("empty_layer") else "layer ") + step.get("created_by", "")
    if step.get("comment") not in (None, "buildkit.dockerfile.v0"):
        line += " comment=" + step["comment"]
    return line.replace("\n", "\\n").rstrip()


def listing(image, base=None):
    """The text; what begins with the base image says only that."""
    lines = list(config_lines(image.config))
    history, layers = image.history, image.layers
    if base and image.diff_ids[:len(base.diff_ids)] == base.diff_ids:
        lines.append("base")
        history, layers = history[len(base.history):], layers[len(base.layers):]
    layers = list(layers)
    for step in history:
        lines.append(history_line(step))
        if not step.get("empty_layer"):
            lines += ["  " + line for _, line in (layers.pop(0) if layers else [("", "no such layer")])]
    for extra in layers:
        lines += ["layer without history", *("  " + line for _, line in extra)]
    return "\n".join(lines) + "\n"


def without_layers(text):
    return "".join(line for line in text.splitlines(True) if not line.startswith("  "))
