"""Build contexts of the benchmark: the same bytes on every machine, made from seeded generators."""
import os
import random

SYLLABLES = "ba ce di fo gu la me ni po ru sa te vi xo zu".split()
EPOCH = 1_700_000_000


def _write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.utime(path, (EPOCH, EPOCH))


def _prose(rng, size):
    """Bytes that compress about as well as source code does."""
    lines = []
    total = 0
    while total < size:
        words = ("".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(rng.randint(3, 12)))
        line = " " * (4 * rng.randint(0, 4)) + " ".join(words) + rng.choice([";", " {", "", " = %d;" % rng.randint(0, 9999)])
        lines.append(line)
        total += len(line) + 1
    return "\n".join(lines).encode()[:size]


def hello(folder, registry):
    _write(f"{folder}/hello.txt", b"hello\n")
    _write(f"{folder}/Dockerfile", f"FROM {registry}/busybox\nCOPY hello.txt /hello.txt\nRUN true\n".encode())


def files(folder, registry):
    rng = random.Random(20)
    source = _prose(rng, 6 << 20)
    for number in range(20_000):
        size = min(60_000, max(40, int(rng.expovariate(1 / 5000))))
        start = rng.randrange(len(source) - size)
        _write(f"{folder}/tree/{number % 25:02}/{number // 25 % 25:02}/{number:05}.txt",
               b"%d\n" % number + source[start:start + size])
    _write(f"{folder}/Dockerfile", f"FROM {registry}/debian\nCOPY tree /tree\n".encode())


def steps(folder, registry):
    lines = [f"FROM {registry}/debian"] + [f"RUN echo {n} > /step-{n}" for n in range(1, 31)]
    _write(f"{folder}/Dockerfile", ("\n".join(lines) + "\n").encode())


def big(folder, registry):
    rng = random.Random(21)
    source = _prose(rng, 8 << 20)
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/blob", "wb") as file:
        for _ in range(8192):
            start = rng.randrange(len(source) - 65536)
            file.write(rng.randbytes(65536) + source[start:start + 65536])
    os.utime(f"{folder}/blob", (EPOCH, EPOCH))
    _write(f"{folder}/Dockerfile", f"FROM {registry}/busybox\nCOPY blob /blob\n".encode())


ALL = {"hello": hello, "files": files, "steps": steps, "big": big}
