"""Fetch lists and packages of Debian by apt, in a folder of its own, so that the machine's lists stay as they are."""

import subprocess
from pathlib import Path


def lists(folder: Path) -> Path:
    """Fetch the lists of all package sources, with English descriptions, into a folder of `folder`."""
    for place in ("lists/partial", "cache/archives/partial"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    # As root apt hands downloads to another user, who must be able to go there.
    folder.chmod(0o755)
    subprocess.run(["apt-get", "update", "-qq", *options(folder)], check=True)
    return folder / "lists"


def unpacked(folder: Path, package: str) -> Path:
    """Fetch a package and unpack it; `lists` comes first."""
    place = folder / package
    place.mkdir()
    # As root apt hands the download to another user, who may not write there; it says so and goes on by itself.
    subprocess.run(
        ["apt-get", "download", "-qq", *options(folder), package], check=True, cwd=place, stderr=subprocess.DEVNULL
    )
    archive = next(place.glob("*.deb"))
    subprocess.run(["dpkg-deb", "-x", archive.name, "out"], check=True, cwd=place)
    return place / "out"


def options(folder: Path) -> list[str]:
    """By which apt keeps to that folder."""
    own = [f"Dir::State::Lists={folder}/lists", f"Dir::Cache={folder}/cache", "Acquire::Languages=en"]
    return [word for option in own for word in ("-o", option)]
