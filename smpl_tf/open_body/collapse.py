"""Graded edge collapse: reduces a fine half body to an exact number of even triangles.

The half body (x >= 0) is open along the plane x = 0. Its mirror image completes it, so a vertex
off the plane counts twice. A closed surface of genus 0 with V vertices has 2 V - 4 faces: with
SMPL's vertex count, the face count is SMPL's too.
"""

import heapq
from typing import Any

import numpy as np

_LONGEST_FAN = 9  # edges that may meet at a vertex
_FLATTEST_TURN = 0.5  # cosine of the largest angle by which a collapse may turn a face
_ROUNDS = 12  # how often rejected edges are tried again, each time more leniently


def _normal(a, b, c):
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    wx, wy, wz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx


def _cosine(u, w):
    dot = u[0] * w[0] + u[1] * w[1] + u[2] * w[2]
    lengths = (u[0] ** 2 + u[1] ** 2 + u[2] ** 2) * (w[0] ** 2 + w[1] ** 2 + w[2] ** 2)
    return dot / (lengths**0.5 + 1e-20)


class HalfMesh:
    """A half body that can collapse and flip its edges.

    Plain Python lists: the work is a long chain of tiny dependent steps, where arrays only cost.

    Attributes:
      points: position per vertex, None for one that is gone. faces: vertex ids, None likewise.
    """

    def __init__(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        edge_lengths: np.ndarray,
        keep_places: bool = False,
    ):
        """Takes a fine half body.

        Args:
          vertices: `[V, 3]`. faces: `[F, 3]`.
          edge_lengths: `[V]` the wanted relative edge lengths.
          keep_places: whether an edge collapses to one of its ends, so that the result's vertices
            are a subset of the given ones, rather than to its midpoint.
        """
        self._keep_places = keep_places
        self.points: list[Any] = [tuple(map(float, p)) for p in vertices]
        self.faces: list[Any] = [tuple(map(int, f)) for f in faces]
        self._wanted = list(map(float, edge_lengths))
        self._on_plane = [p[0] == 0 for p in self.points]
        self._around: list[set[int]] = [set() for _ in self.points]
        for i, face in enumerate(self.faces):
            for vertex in face:
                self._around[vertex].add(i)
        self._version = [0] * len(self.points)
        self._leniency = _FLATTEST_TURN

    def neighbours(self, vertex: int) -> set[int]:
        """Returns the ids of the vertices one edge away."""
        return {v for f in self._around[vertex] for v in self.faces[f]} - {vertex}

    def full_count(self) -> int:
        """Returns the number of vertices of the body and its mirror image together."""
        return sum(
            1 if plane else 2
            for plane, point in zip(self._on_plane, self.points, strict=True)
            if point is not None
        )

    def _priority(self, a, b):
        p, q = self.points[a], self.points[b]
        length = ((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2) ** 0.5
        a, b = min(a, b), max(a, b)
        return 2 * length / (self._wanted[a] + self._wanted[b]), a, b, *self._versions(a, b)

    def _versions(self, a, b):
        return self._version[a], self._version[b]

    def collapse_to(self, full_count: int) -> None:
        """Collapses the relatively shortest edges until `full_count` vertices remain.

        Args:
          full_count: the wanted number.

        Raises:
          ValueError: if no more edges can collapse without folding the surface.
        """
        count = self.full_count()
        edges = {(min(e), max(e)) for f in self.faces for e in zip(f, f[1:] + f[:1], strict=True)}
        queue = [self._priority(a, b) for a, b in sorted(edges)]
        heapq.heapify(queue)
        refused: list[tuple[int, int]] = []
        rounds = 0
        while count > full_count:
            if not queue:
                rounds += 1
                if rounds > _ROUNDS or not refused:
                    raise ValueError(f"collapse stuck at {count} of {full_count} vertices.")
                self._leniency *= 0.6
                queue = [self._priority(*edge) for edge in refused if self._is_edge(*edge)]
                heapq.heapify(queue)
                refused = []
                continue
            _, a, b, *versions = heapq.heappop(queue)
            if tuple(versions) != self._versions(a, b) or not self._is_edge(a, b):
                continue
            if self._on_plane[b] and not self._on_plane[a]:
                a, b = b, a
            removed = 1 if self._on_plane[a] and self._on_plane[b] else 2
            if count - removed < full_count or not self._keeps_topology(a, b):
                continue
            if not self._collapse(a, b):
                refused.append((a, b))
                continue
            count -= removed
            for vertex in sorted(self.neighbours(a)):
                heapq.heappush(queue, self._priority(a, vertex))

    def _is_edge(self, a, b):
        return (
            self.points[a] is not None
            and self.points[b] is not None
            and bool(self._around[a] & self._around[b])
        )

    def _keeps_topology(self, a, b):
        """The link condition: the edge's two ends share no other faces' vertices."""
        shared = self._around[a] & self._around[b]
        expected = 1 if self._on_plane[a] and self._on_plane[b] else 2
        return len(shared) == expected == len(self.neighbours(a) & self.neighbours(b))

    def _collapse(self, a, b):
        """Merges b into a unless that folds a face or leaves a bad fan; returns whether it did."""
        near_a, near_b = self.neighbours(a), self.neighbours(b)
        common = near_a & near_b
        if len(near_a) + len(near_b) - len(common) - 2 > _LONGEST_FAN:
            return False
        if any(len(self.neighbours(v)) <= (3 if self._on_plane[v] else 4) for v in common):
            return False
        if self._keep_places or (self._on_plane[a] and not self._on_plane[b]):
            target = self.points[a]
        else:
            target = tuple(
                (p + q) * 0.5 for p, q in zip(self.points[a], self.points[b], strict=True)
            )
        shared = self._around[a] & self._around[b]
        for end in (a, b):
            for f in self._around[end] - shared:
                before = [self.points[v] for v in self.faces[f]]
                after = [target if v == end else self.points[v] for v in self.faces[f]]
                if _cosine(_normal(*before), _normal(*after)) < self._leniency:
                    return False
        for f in shared:
            for v in self.faces[f]:
                self._around[v].discard(f)
            self.faces[f] = None
        for f in self._around[b]:
            self.faces[f] = tuple(a if v == b else v for v in self.faces[f])
        self._around[a] |= self._around[b]
        self._around[b] = set()
        self.points[a], self.points[b] = target, None
        self._wanted[a] = 0.5 * (self._wanted[a] + self._wanted[b])
        self._version[a] += 1
        return True

    def flip_edges(self) -> int:
        """Flips edges if that brings vertex degrees nearer to six; returns the number of flips."""
        faces_of: dict[tuple[int, int], list[int]] = {}
        for i, face in enumerate(self.faces):
            if face is not None:
                for e in zip(face, face[1:] + face[:1], strict=True):
                    faces_of.setdefault((min(e), max(e)), []).append(i)
        return sum(self._flip(edge, *faces) for edge, faces in faces_of.items() if len(faces) == 2)

    def _flip(self, edge, first, second):
        a, b = edge
        if not (set(edge) <= set(self.faces[first]) and set(edge) <= set(self.faces[second])):
            return False  # an earlier flip removed the edge
        (c,) = set(self.faces[first]) - {a, b}
        (d,) = set(self.faces[second]) - {a, b}
        if c == d or d in self.neighbours(c) or (self._on_plane[c] and self._on_plane[d]):
            return False
        excess = {
            v: len(self.neighbours(v)) - (4 if self._on_plane[v] else 6) for v in (a, b, c, d)
        }
        before = sum(map(abs, excess.values()))
        after = sum(abs(excess[v] + (1 if v in (c, d) else -1)) for v in excess)
        if after >= before:
            return False
        face = self.faces[first]
        if face[(face.index(a) + 1) % 3] != b:
            a, b = b, a
        new_first, new_second = (a, d, c), (d, b, c)
        old = [_normal(*(self.points[v] for v in self.faces[f])) for f in (first, second)]
        new = [_normal(*(self.points[v] for v in f)) for f in (new_first, new_second)]
        if _cosine(*old) < 0.75 or min(_cosine(n, o) for n in new for o in old) < 0.8:
            return False
        for f, replacement in ((first, new_first), (second, new_second)):
            for v in self.faces[f]:
                self._around[v].discard(f)
            self.faces[f] = replacement
        for f in (first, second):
            for v in self.faces[f]:
                self._around[v].add(f)
        return True
