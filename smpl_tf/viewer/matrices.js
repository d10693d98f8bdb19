// 4 x 4 matrices, column by column as WebGL has them, and the camera that circles the bodies.

function multiply(a, b) {
  const out = new Float32Array(16);
  for (let column = 0; column < 4; column++)
    for (let row = 0; row < 4; row++)
      for (let k = 0; k < 4; k++) out[4 * column + row] += a[4 * k + row] * b[4 * column + k];
  return out;
}

/** The camera: its position around its target, and the matrices for drawing. */
class OrbitCamera {
  constructor() {
    this.fieldOfView = 0.5; // radians, vertical
    this.reset();
  }

  reset() {
    this.azimuth = 0; // radians; 0 looks along -z, as the camera of a photograph did
    this.elevation = 0.08;
    this.zoom = 1; // 1 shows the whole body
    this.shift = [0, 0]; // of the target, metres to the right and up
  }

  turn(byAzimuth, byElevation) {
    this.azimuth += byAzimuth;
    this.elevation = Math.min(1.5, Math.max(-1.5, this.elevation + byElevation));
  }

  zoomBy(factor) {
    this.zoom = Math.min(12, Math.max(0.25, this.zoom * factor));
  }

  /**
   * Places the camera.
   * @param {number[]} target the middle of what is shown
   * @param {number} radius of what is shown, around the vertical through the target
   * @param {number} height of what is shown
   * @param {number} aspect width by height of the canvas
   */
  place(target, radius, height, aspect) {
    const tangent = Math.tan(this.fieldOfView / 2);
    const fits = Math.max((0.585 * height) / tangent, (1.06 * radius) / (tangent * aspect)) + 0.7 * radius;
    this.distance = fits / this.zoom;
    const [sa, ca] = [Math.sin(this.azimuth), Math.cos(this.azimuth)];
    const [se, ce] = [Math.sin(this.elevation), Math.cos(this.elevation)];
    this.right = [ca, 0, -sa];
    this.up = [-sa * se, ce, -ca * se];
    this.back = [sa * ce, se, ca * ce];
    this.metresPerHeight = 2 * tangent * this.distance;
    const centre = target.map(
      (value, i) => value + this.right[i] * this.shift[0] + this.up[i] * this.shift[1],
    );
    this.eye = centre.map((value, i) => value + this.back[i] * this.distance);
    const axes = [this.right, this.up, this.back];
    const view = new Float32Array(16);
    axes.forEach((axis, row) => {
      axis.forEach((value, column) => {
        view[4 * column + row] = value;
      });
      view[12 + row] = -axis.reduce((sum, value, i) => sum + value * this.eye[i], 0);
    });
    view[15] = 1;
    const near = Math.max(0.02, this.distance - 2 * radius - 4);
    const far = this.distance + 4 * radius + 12;
    const projection = new Float32Array(16);
    projection[0] = 1 / (tangent * aspect);
    projection[5] = 1 / tangent;
    projection[10] = -(far + near) / (far - near);
    projection[11] = -1;
    projection[14] = (-2 * far * near) / (far - near);
    this.matrix = multiply(projection, view);
  }

  /** Where a point falls: x and y in 0..1 from the upper left corner, and its depth. */
  project(x, y, z) {
    const m = this.matrix;
    const w = m[3] * x + m[7] * y + m[11] * z + m[15];
    return [
      0.5 + (0.5 * (m[0] * x + m[4] * y + m[8] * z + m[12])) / w,
      0.5 - (0.5 * (m[1] * x + m[5] * y + m[9] * z + m[13])) / w,
      w,
    ];
  }
}
