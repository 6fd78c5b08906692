"""What the cases fetch: files of the shared context and a repository, served on free ports of this machine.

In flags and expectations @HTTP@ and @GIT@ stand for the URLs (tests/harness/source-server says what is
below them), @LAYOUT@ for a folder with the base image as an OCI layout.
"""
import os
import shutil
import subprocess
import tarfile

import cases

HARNESS = os.path.join(cases.ROOT, "tests", "harness")


class Served:
    """Ends with `close`."""

    def __init__(self, top):
        folder = f"{top}/served"
        shutil.copytree(f"{cases.HERE}/context", f"{folder}/files", symlinks=True)
        with tarfile.open(f"{folder}/files/app.tar", "w") as tar:
            tar.add(f"{folder}/files/app/a.conf", "top/a.conf", filter=plain)
        cases.normalise(f"{folder}/files")
        cases.settle(f"{folder}/files")
        subprocess.run([f"{HARNESS}/repository", folder], check=True, stdout=subprocess.DEVNULL)
        self.server = subprocess.Popen([f"{HARNESS}/source-server", folder], stdin=subprocess.PIPE, text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        ports = self.server.stdout.readline().split()
        self.names = {"@HTTP@": f"http://127.0.0.1:{ports[0]}", "@GIT@": f"git://127.0.0.1:{ports[1]}",
                      "@LAYOUT@": f"{top}/layout"}

    def fill_in(self, words):
        return [self.replace(word, self.names.items()) for word in words]

    def leave_out(self, text):
        return self.replace(text, [(value, name) for name, value in self.names.items()])

    @staticmethod
    def replace(text, pairs):
        for old, new in pairs:
            text = text.replace(old, new)
        return text

    def close(self):
        self.server.stdin.close()
        self.server.terminate()
        self.server.wait()


def plain(info):
    """The same entry on every machine."""
    info.uid, info.gid, info.uname, info.gname, info.mode, info.mtime = 0, 0, "", "", 0o644, cases.EPOCH
    return info
