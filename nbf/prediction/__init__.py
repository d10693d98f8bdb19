"""Bodies from photographs: squares, parts, bodies, refinement, audit."""
