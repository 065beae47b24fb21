"""The table of ratios, for a terminal, for the README, and as JSON."""

import datetime
import platform
from dataclasses import dataclass
from pathlib import Path

from .programs import Program
from .targets import aim
from .turns import Timed, ratio
from .work import Work


@dataclass
class Compared:
    """One piece of work, timed here and in the peers."""

    work: Work
    ours: list[Timed]
    peers: list[Timed]
    peak_share: float

    def rows(self, busy: float) -> list[dict]:
        """One row a peer. busy: the share of the machine that others used before the run."""
        named = {one.program.name: one for one in self.ours}
        rows = []
        for peer in self.peers:
            # Whoever gives the weights is compared with ours when it gives them.
            like = "Lookback with weights" if peer.program.name.endswith("with weights") else "Lookback"
            kernels = named[like]
            target = aim(self.work, peer.program.name, memory=False)
            memory_target = aim(self.work, peer.program.name, memory=True)
            speed = ratio(peer, kernels)
            row = {
                "work": self.work.describe(),
                "peer": peer.program.name,
                "ours_ms": kernels.median_ms,
                "peer_ms": peer.median_ms,
                "ratio": speed,
                "target": target,
                "met": None if target is None else speed >= target,
                "peak_share": self.peak_share,
                "machine_busy": busy,
                "difference": peer.difference,
                "ours_mib": kernels.memory_mib,
                "peer_mib": peer.memory_mib,
                "peer_process_mib": peer.process_mib,
            }
            if memory_target is not None:
                row |= {
                    "memory_ratio": peer.memory_mib / max(kernels.memory_mib, 0.1),
                    "memory_target": memory_target,
                    "memory_met": peer.memory_mib >= memory_target * kernels.memory_mib,
                }
            if (again := named.get("Lookback recomputing")) is not None:
                row |= {
                    "recomputing_ms": again.median_ms,
                    "ratio_recomputing": ratio(peer, again),
                    "recomputing_mib": again.memory_mib,
                }
            if (module := named.get("Lookback through Burn")) is not None:
                row |= {"ours_through_burn_ms": module.median_ms, "ratio_through_burn": ratio(peer, module)}
            rows.append(row)
        return rows


HEADER = ["work", "peer", "peer ms", "Lookback ms", "ratio", "through Burn", "aim", "share of peak", "MiB, peer", "MiB"]


def cells(row: dict) -> list[str]:
    through = row.get("ratio_through_burn")
    aims = [] if row["target"] is None else [f"{row['target']:g}{'' if row['met'] else ' missed'}"]
    if "memory_target" in row:
        aims.append(f"memory {row['memory_target']:g}{'' if row['memory_met'] else ' missed'}")
    mib, ratio_to = f"{row['ours_mib']:.0f}", f"{row['ratio']:.2f}"
    if "recomputing_mib" in row:
        mib += f" ({row['recomputing_mib']:.0f} recomputing)"
        ratio_to += f" ({row['ratio_recomputing']:.2f} recomputing)"
    return [
        row["work"],
        row["peer"],
        significant(row["peer_ms"]),
        significant(row["ours_ms"]),
        ratio_to,
        "" if through is None else f"{through:.2f}",
        ", ".join(aims),
        f"{100 * row['peak_share']:.0f} %",
        f"{row['peer_mib']:.0f}",
        mib,
    ]


def significant(ms: float) -> str:
    """Three digits that mean something."""
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}"


def text(rows: list[dict]) -> str:
    """Columns for a terminal."""
    table = [HEADER, *(cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADER))]
    aligned = []
    for row in table:
        words = [cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        aligned.append("  ".join(words).rstrip())
    return "\n".join(aligned)


def markdown(rows: list[dict], programs: list[Program], threads: int, command: str) -> str:
    """The table for the README, with what it was measured on."""
    lines = ["| " + " | ".join(HEADER) + " |", "|---|---|" + "---:|" * (len(HEADER) - 2)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    versions = dict.fromkeys(f"{NAMES[program.peer]} {program.version()}" for program in programs)
    lines += ["", f"`{command}`, {datetime.date.today()}, {machine()}, {threads} threads, f32: {', '.join(versions)}."]
    return "\n".join(lines)


NAMES = {
    "lookback": "Lookback",
    "pytorch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "keras": "TensorFlow",
    "burn": "Burn",
    "candle": "candle",
}


def machine() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} cores of {names[0]}" if names else platform.machine()
