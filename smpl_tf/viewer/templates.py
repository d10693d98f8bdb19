"""HTML templates of the viewer and of pages that show it."""

from __future__ import annotations

from pathlib import Path

import jinja2


def template(path: Path) -> jinja2.Template:
    """Reads a template.

    Args:
      path: the file; it may include other files of its folder.

    Returns:
      The template; inserted values are escaped, and a missing name is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(path.name)
