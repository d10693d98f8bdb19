"""Opens a set of annotated photographs by its name."""

from __future__ import annotations

from pathlib import Path

from datasets.photographs.annotations import AnnotatedSet
from datasets.photographs.coco import COCO
from datasets.photographs.joint_files import JointFile
from datasets.photographs.lsp import LSP
from datasets.photographs.mpii import MPII

ANNOTATED = ("lsp", "lspet", "coco", "mpii", "npz")


def open_set(name: str, source: Path, split: str | None = None) -> AnnotatedSet:
    """Opens a set.

    Args:
      name: one of ANNOTATED.
      source: its folder, or its file of annotations.
      split: the set's own name of it; None: see the set.

    Raises:
      SourceError: it is not as distributed, or has no such split.
    """
    if name == "npz":
        return JointFile(source)
    if name in ("lsp", "lspet"):
        return LSP(source, split, extended=name == "lspet")
    return {"coco": COCO, "mpii": MPII}[name](source, split)
