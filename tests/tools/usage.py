"""What a process costs, by proc(5): memory and CPU of it alone."""

import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """MiB that are resident now."""
    return _status(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """MiB that were resident at most, since the process began."""
    return _status(pid, "VmHWM")


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def tree_seconds(pid: int) -> float:
    """The same of it and all below it, those that ended included."""
    return sum(_with_ended(one) for one in tree_of(pid))


def _with_ended(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it ended meanwhile; its parent has its time soon
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICKS


def tree_of(pid: int) -> list[int]:
    """The process with its children and theirs."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def _status(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024
