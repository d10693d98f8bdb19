// Draws bodies on a plain canvas where there is no WebGL: flat triangles, the farthest first.

class FlatPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  paint(scene) {
    const { context, canvas } = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (scene.camera.eye[1] > scene.ground[1]) this.paintGround(scene);
    for (const shown of scene.bodies) this.paintBody(scene, shown);
  }

  paintGround({ camera, ground, dark }) {
    const { context, canvas } = this;
    context.strokeStyle = dark ? "#9aa3ac55" : "#626a7355";
    context.lineWidth = 1;
    context.beginPath();
    const [x, y, z] = ground;
    for (let i = -4; i <= 4; i++) {
      const ends = [
        [Math.round(x) + i / 2, z - 2, Math.round(x) + i / 2, z + 2],
        [x - 2, Math.round(z) + i / 2, x + 2, Math.round(z) + i / 2],
      ];
      for (const [x0, z0, x1, z1] of ends) {
        const start = camera.project(x0, y, z0);
        const end = camera.project(x1, y, z1);
        if (start[2] < 0.1 || end[2] < 0.1) continue; // behind the camera
        context.moveTo(start[0] * canvas.width, start[1] * canvas.height);
        context.lineTo(end[0] * canvas.width, end[1] * canvas.height);
      }
    }
    context.stroke();
  }

  paintBody(scene, { body, colour, marks }) {
    const { context, canvas } = this;
    const { vertices } = body;
    const { faces } = body.model;
    const { camera } = scene;
    const points = new Float32Array(vertices.length);
    for (let i = 0; i < vertices.length; i += 3) {
      const [x, y, depth] = camera.project(vertices[i], vertices[i + 1], vertices[i + 2]);
      points[i] = x * canvas.width;
      points[i + 1] = y * canvas.height;
      points[i + 2] = depth;
    }
    const seen = [];
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      const across =
        (points[b] - points[a]) * (points[c + 1] - points[a + 1]) -
        (points[b + 1] - points[a + 1]) * (points[c] - points[a]);
      if (across < 0) seen.push([points[a + 2] + points[b + 2] + points[c + 2], a, b, c]);
    }
    seen.sort((one, other) => other[0] - one[0]);
    for (const [, a, b, c] of seen) {
      const facing = [0, 1, 2].reduce(
        (sum, axis) => sum + body.normals[a + axis] * (camera.back[axis] + 0.5 * camera.up[axis]),
        0,
      );
      const light = 0.45 + 0.5 * Math.max(0, facing);
      const mark = marks[a / 3];
      const shade = colour.map((value, i) =>
        Math.round(255 * Math.min(1, light * (value + mark * (scene.markColour[i] - value)))),
      );
      context.fillStyle = context.strokeStyle = `rgb(${shade})`;
      if (scene.wireframe) context.strokeStyle = "#0f172555";
      context.beginPath();
      for (const corner of [a, b, c]) context.lineTo(points[corner], points[corner + 1]);
      context.closePath();
      context.fill();
      context.stroke(); // closes the hairlines between triangles
    }
  }
}
