"""Memory of a process."""

from pathlib import Path


def peak_memory() -> float:
    """Returns the peak memory of this process, MB.

    Raises:
      OSError: there is no /proc. `resource.getrusage` would include the parent's memory.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
