// Girths of a body at rest, as smpl_tf/measurements.py takes them: the convex hull of a plane's cut.

const DENSITY = 0.985; // kg per litre, of the living body with air in its lungs
const HIP_STEP = 0.005; // metres between the planes among which the widest hip is taken

/**
 * The loop in which the plane `axis = level` cuts a surface, the one around the point (u, v).
 * @returns {number[][]} corners [u, v]: the two other coordinates, in the order x, y, z
 */
function cutLoop(rest, faces, axis, level, u, v) {
  const [first, second] = [0, 1, 2].filter((one) => one !== axis);
  const index = new Map(); // edge -> corner
  const corners = [];
  const above = [];
  const find = (i) => {
    while (above[i] !== i) i = above[i] = above[above[i]];
    return i;
  };
  const corner = (a, b) => {
    const key = a < b ? a * 1e6 + b : b * 1e6 + a;
    if (!index.has(key)) {
      const [low, high] = [rest[3 * a + axis] - level, rest[3 * b + axis] - level];
      const share = low / (low - high);
      const at = (k) => rest[3 * a + k] + share * (rest[3 * b + k] - rest[3 * a + k]);
      index.set(key, corners.length);
      above.push(corners.length);
      corners.push([at(first), at(second)]);
    }
    return index.get(key);
  };
  for (let f = 0; f < faces.length; f += 3) {
    const face = [faces[f], faces[f + 1], faces[f + 2]];
    const sides = face.map((vertex) => rest[3 * vertex + axis] > level);
    if (sides[0] === sides[1] && sides[1] === sides[2]) continue;
    const ends = [];
    for (let k = 0; k < 3; k++) {
      if (sides[k] !== sides[(k + 1) % 3]) ends.push(corner(face[k], face[(k + 1) % 3]));
    }
    above[find(ends[0])] = find(ends[1]);
  }
  const loops = new Map();
  corners.forEach((point, i) => {
    const root = find(i);
    if (!loops.has(root)) loops.set(root, []);
    loops.get(root).push(point);
  });
  let best = [];
  let nearest = Infinity;
  for (const loop of loops.values()) {
    const low = [Infinity, Infinity];
    const high = [-Infinity, -Infinity];
    const middle = [0, 0];
    for (const point of loop) {
      for (const k of [0, 1]) {
        low[k] = Math.min(low[k], point[k]);
        high[k] = Math.max(high[k], point[k]);
        middle[k] += point[k] / loop.length;
      }
    }
    const size = Math.hypot(high[0] - low[0], high[1] - low[1]);
    const distance = Math.hypot(middle[0] - u, middle[1] - v) - size / 2;
    if (distance < nearest) [best, nearest] = [loop, distance];
  }
  return best;
}

/** The length of a taut tape around points [u, v]: their convex hull's. */
function tape(points) {
  const sorted = [...points].sort((p, q) => p[0] - q[0] || p[1] - q[1]);
  const half = (ordered) => {
    const chain = [];
    for (const point of ordered) {
      for (;;) {
        const [p, q] = chain.slice(-2);
        if (chain.length < 2) break;
        const turn = (q[0] - p[0]) * (point[1] - p[1]) - (q[1] - p[1]) * (point[0] - p[0]);
        if (turn > 0) break;
        chain.pop();
      }
      chain.push(point);
    }
    return chain;
  };
  let length = 0;
  for (const chain of [half(sorted), half(sorted.reverse())]) {
    for (let i = 1; i < chain.length; i++) {
      length += Math.hypot(chain[i][0] - chain[i - 1][0], chain[i][1] - chain[i - 1][1]);
    }
  }
  return length;
}

/**
 * Girths of chest, waist and hip in metres.
 * @param {Float32Array} rest vertices of the shaped body at rest
 * @param {number[]} landmarks vertices: both breasts, navel
 * @param {number[]} pelvis the joint at rest
 */
function girths(rest, faces, landmarks, pelvis) {
  const [left, right, navel] = landmarks.map((vertex) => rest[3 * vertex + 1]);
  const around = (y) => tape(cutLoop(rest, faces, 1, y, pelvis[0], pelvis[2]));
  const middle = cutLoop(rest, faces, 0, pelvis[0], pelvis[1], pelvis[2]);
  const crotch = Math.min(...middle.map(([y]) => y));
  let hip = 0;
  for (let y = crotch + HIP_STEP; y < navel; y += HIP_STEP) hip = Math.max(hip, around(y));
  return { chest: around((left + right) / 2), waist: around(navel), hip };
}
