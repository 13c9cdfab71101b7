"""A disk with a volatile cache, for nbdkit: what is not flushed may be lost when the power goes.

    nbdkit python disk.py file=DISK.img [seed=1]

Reads see every write. FILE gets them at a flush only. When the client is gone, each unflushed sector reaches FILE or
not, by chance, as in a drive whose cache loses its power; FILE.cuts gets a line of how many there were, and how many
of them were lost.
"""

import io
import random

import nbdkit

API_VERSION = 2
# What a drive writes at once: flash pages, and the physical sectors of large disks.
SECTOR = 4096

path = None
chance = random.Random(1)


def config(key, value):
    global path, chance
    if key == "file":
        path = value
    elif key == "seed":
        chance = random.Random(int(value))
    else:
        raise RuntimeError(f"unknown parameter {key}")


def config_complete():
    if path is None:
        raise RuntimeError("file=DISK.img is missing")


def thread_model():
    # The next start finds what the cut before it left.
    return nbdkit.THREAD_MODEL_SERIALIZE_CONNECTIONS


class Disk:
    def __init__(self):
        self.file = io.open(path, "r+b", buffering=0)
        self.seen = bytearray(self.file.read())
        self.unflushed = {}

    def write(self, offset, data):
        self.seen[offset : offset + len(data)] = data
        for at in range(offset - offset % SECTOR, offset + len(data), SECTOR):
            self.unflushed[at] = True

    def keep(self, sectors):
        for at in sectors:
            self.file.seek(at)
            self.file.write(self.seen[at : at + SECTOR])
        self.unflushed.clear()

    def flush(self):
        self.keep(sorted(self.unflushed))

    def lose_power(self):
        share = chance.random()
        unflushed = sorted(self.unflushed)
        kept = [at for at in unflushed if chance.random() < share]
        self.keep(kept)
        self.file.close()
        with io.open(path + ".cuts", "a") as cuts:
            cuts.write(f"{len(unflushed)} {len(unflushed) - len(kept)}\n")


def open(readonly):  # the name that nbdkit calls
    return Disk()


def get_size(disk):
    return len(disk.seen)


def can_flush(disk):
    return True


def can_fua(disk):
    return nbdkit.FUA_NATIVE


def pread(disk, buffer, offset, flags):
    buffer[:] = disk.seen[offset : offset + len(buffer)]


def pwrite(disk, buffer, offset, flags):
    disk.write(offset, bytes(buffer))
    if flags & nbdkit.FLAG_FUA:
        disk.flush()


def flush(disk, flags):
    disk.flush()


def close(disk):
    disk.lose_power()
