"""HTML templates: of the viewer, and of any page that shows it."""

from __future__ import annotations

from pathlib import Path

import jinja2


def template(path: Path) -> jinja2.Template:
    """Reads a template.

    Args:
      path: the file; it may include others of its folder.

    Returns:
      The template; what is put into it is escaped, and a missing name is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(path.name)
