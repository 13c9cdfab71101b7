"""What one library of many documents costs: bench_library.py ALMANAC MODELS FOLDER..."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measured(command):
    """Runs `command`; its output, its seconds, and its largest resident memory in MiB."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(command)} failed")
    return output.decode(), time.monotonic() - begun, usage.ru_maxrss / 1024


def laid_out(models, state):
    """A state folder with the runtime and models of another one, and no library."""
    for name in ("runtime", "models"):
        (state / name).symlink_to((models / name).resolve())
    edition = state / "editions" / "0"
    edition.mkdir(parents=True)
    shutil.copy(models / "editions" / "0" / "edition.toml", edition)
    (state / "current").symlink_to("editions/0")
    return edition


def size(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main():
    almanac, models, *folders = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        state = folder / "state"
        state.mkdir()
        edition = laid_out(Path(models), state)
        config = folder / "almanac.toml"
        config.write_text(f'[paths]\nstate = "{state}"\nrun = "{folder}/run"\n')
        # Named, since ALMANAC_STATE of the caller would go before the configuration.
        command = [almanac, "--config", str(config), "--state", str(state), "--json"]
        passages = seconds = memory = 0
        for documents in folders:
            # A file that cannot be read is named on stderr and fails the ingest at its end.
            output, took, peak = measured(["sh", "-c", '"$@" || true', "-", *command, "ingest", documents])
            report = json.loads(output.splitlines()[0])
            print(f"{documents}: {report['added']} documents, {report['passages']} passages, "
                  f"{took:.1f} s, {report['passages'] / took:.0f} passages/s, {len(report['problems'])} problems")
            passages, seconds = passages + report["passages"], seconds + took
            memory = max(memory, peak)
        print(f"all: {passages} passages in {seconds:.1f} s, {passages / seconds:.0f} passages/s, "
              f"at most {memory:.0f} MiB resident")
        _, again, _ = measured([*command, "ingest", folders[0]])
        print(f"the first folder again: {again:.2f} s")
        stats, opened, memory = measured([*command, "library", "stats"])
        print(f"opened: {opened:.2f} s with all of the program's start, {memory:.0f} MiB resident; {stats.strip()}")
        print(f"on disk: index {size(edition / 'index') / 2**20:.1f} MiB, "
              f"documents {size(edition / 'documents') / 2**20:.1f} MiB")
        checked, took, _ = measured([*command, "library", "check"])
        print(f"check: {took:.2f} s; {checked.strip()}")
        backup = folder / "backup.zip"
        _, took, _ = measured([*command, "library", "backup", str(backup)])
        print(f"backup: {took:.2f} s, {backup.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
