// Draws bodies with WebGL 2: ground, soft shadow, shaded mesh, wire frame.

const MESH_VERTEX = `#version 300 es
uniform mat4 matrix;
in vec3 position;
in vec3 normal;
in float mark;
out vec3 at;
out vec3 facing;
out float marked;
void main() {
  at = position;
  facing = normal;
  marked = mark;
  gl_Position = matrix * vec4(position, 1.0);
}`;

// Light from sky and ground by the direction of the surface, a soft lamp at the upper left of the
// viewer, a weaker one from behind, and a bright rim, all in linear light.
const MESH_FRAGMENT = `#version 300 es
precision highp float;
uniform vec3 eye, lamp, colour, markColour;
in vec3 at;
in vec3 facing;
in float marked;
out vec4 pixel;
void main() {
  vec3 n = normalize(facing);
  vec3 away = normalize(eye - at);
  if (dot(n, away) < 0.0 && !gl_FrontFacing) n = -n;
  vec3 base = pow(mix(colour, markColour, marked), vec3(2.2));
  float sky = 0.5 + 0.5 * n.y;
  float wrapped = max(0.0, (dot(n, lamp) + 0.3) / 1.3);
  float back = max(0.0, dot(n, normalize(vec3(-lamp.x, 0.4, -lamp.z))));
  vec3 light = mix(vec3(0.20, 0.19, 0.19), vec3(0.42, 0.44, 0.48), sky)
    + vec3(0.78, 0.75, 0.70) * wrapped * wrapped + vec3(0.10, 0.12, 0.16) * back;
  float gloss = pow(max(0.0, dot(n, normalize(lamp + away))), 28.0) * 0.10;
  float rim = pow(1.0 - max(0.0, dot(n, away)), 3.0) * 0.16 * sky;
  pixel = vec4(pow(base * light + gloss + rim, vec3(1.0 / 2.2)), 1.0);
}`;

// One colour; with \`flat\` the mesh falls on the ground along the light: its shadow.
const PLAIN_VERTEX = `#version 300 es
uniform mat4 matrix;
uniform vec3 fall;
uniform float ground, flatten;
in vec3 position;
void main() {
  vec3 shadow = position - fall * (position.y - ground) / fall.y;
  gl_Position = matrix * vec4(mix(position, shadow, flatten), 1.0);
}`;

const PLAIN_FRAGMENT = `#version 300 es
precision mediump float;
uniform vec4 colour;
out vec4 pixel;
void main() { pixel = vec4(colour.rgb * colour.a, colour.a); }`;

const GROUND_VERTEX = `#version 300 es
uniform mat4 matrix;
uniform vec3 middle;
in vec2 corner;
out vec2 place;
void main() {
  place = middle.xz + corner * 4.0;
  gl_Position = matrix * vec4(place.x, middle.y, place.y, 1.0);
}`;

// Lines every half metre, stronger every metre, that fade with the distance from the middle.
const GROUND_FRAGMENT = `#version 300 es
precision highp float;
uniform vec3 middle, colour;
in vec2 place;
out vec4 pixel;
float line(float spacing, float width) {
  vec2 cell = place / spacing;
  vec2 wide = fwidth(cell);
  vec2 distance = abs(fract(cell - 0.5) - 0.5) / wide;
  return clamp(width - min(distance.x, distance.y), 0.0, 1.0) * clamp(1.6 - 4.0 * max(wide.x, wide.y), 0.0, 1.0);
}
void main() {
  float fade = 1.0 - smoothstep(0.6, 3.4, length(place - middle.xz));
  float ink = max(0.34 * line(0.5, 1.0), 0.65 * line(1.0, 1.3)) * fade;
  pixel = vec4(colour * ink, ink);
}`;

// Directions of the light for the soft shadow: a small disc of lamps overhead.
const FALLS = Array.from({ length: 12 }, (_, i) => {
  const [angle, width] = [i * 2.4, 0.16 * Math.sqrt((i + 0.5) / 12)];
  return [0.18 + width * Math.cos(angle), 1, -0.1 + width * Math.sin(angle)];
});

class MeshPainter {
  /** @throws {Error} if the browser has no WebGL 2 */
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: true, stencil: true, alpha: true });
    if (!this.gl) throw new Error("no WebGL 2");
    this.prepare();
    // A phone may take the graphics memory away from a page in the background.
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.prepare();
      this.onRestored?.();
    });
  }

  prepare() {
    const { gl } = this;
    this.buffers = new Map();
    this.mesh = this.program(MESH_VERTEX, MESH_FRAGMENT);
    this.plain = this.program(PLAIN_VERTEX, PLAIN_FRAGMENT);
    this.ground = this.program(GROUND_VERTEX, GROUND_FRAGMENT);
    this.square = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.square);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  program(vertex, fragment) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [type, source] of [
      [gl.VERTEX_SHADER, vertex],
      [gl.FRAGMENT_SHADER, fragment],
    ]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
      throw new Error(`a shader does not link: ${gl.getProgramInfoLog(program)}`);
    const found = { program, attributes: {}, uniforms: {} };
    for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
      const { name } = gl.getActiveUniform(program, i);
      found.uniforms[name] = gl.getUniformLocation(program, name);
    }
    for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_ATTRIBUTES); i++) {
      const { name } = gl.getActiveAttrib(program, i);
      found.attributes[name] = gl.getAttribLocation(program, name);
    }
    return found;
  }

  /**
   * @param {object} scene bodies ({body, colour, marks}), camera, ground [x, y, z], dark,
   *   wireframe, markColour
   */
  paint(scene) {
    const { gl, canvas } = this;
    if (gl.isContextLost()) return;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT | gl.STENCIL_BUFFER_BIT);
    for (const { body, marks } of scene.bodies) this.upload(body, marks);
    if (scene.camera.eye[1] > scene.ground[1]) {
      this.paintGround(scene);
      this.paintShadows(scene);
    }
    for (const shown of scene.bodies) this.paintBody(scene, shown);
  }

  upload(body, marks) {
    const { gl } = this;
    if (!this.buffers.has(body)) {
      const made = { position: gl.createBuffer(), normal: gl.createBuffer() };
      made.mark = gl.createBuffer();
      made.faces = gl.createBuffer();
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.faces);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, body.model.faces, gl.STATIC_DRAW);
      made.indexType = body.model.faces instanceof Uint16Array ? gl.UNSIGNED_SHORT : gl.UNSIGNED_INT;
      this.buffers.set(body, made);
    }
    const made = this.buffers.get(body);
    for (const [buffer, values] of [
      [made.position, body.vertices],
      [made.normal, body.normals],
      [made.mark, marks],
    ]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    }
  }

  bind(attribute, buffer, size) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(attribute);
    gl.vertexAttribPointer(attribute, size, gl.FLOAT, false, 0, 0);
  }

  paintGround(scene) {
    const { gl } = this;
    const { program, uniforms, attributes } = this.ground;
    gl.useProgram(program);
    gl.uniformMatrix4fv(uniforms.matrix, false, scene.camera.matrix);
    gl.uniform3fv(uniforms.middle, scene.ground);
    gl.uniform3fv(uniforms.colour, scene.dark ? [0.62, 0.66, 0.7] : [0.42, 0.43, 0.45]);
    this.bind(attributes.corner, this.square, 2);
    gl.enable(gl.BLEND);
    gl.depthMask(false);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.depthMask(true);
    gl.disable(gl.BLEND);
  }

  /** Each lamp darkens every pixel once: the stencil remembers the last that did. */
  paintShadows(scene) {
    const { gl } = this;
    const { uniforms } = this.usePlain(scene, [0, 0, 0, scene.dark ? 0.055 : 0.03], 1);
    gl.enable(gl.BLEND);
    gl.disable(gl.DEPTH_TEST);
    gl.enable(gl.STENCIL_TEST);
    gl.stencilOp(gl.KEEP, gl.KEEP, gl.REPLACE);
    FALLS.forEach((fall, i) => {
      gl.uniform3fv(uniforms.fall, fall);
      gl.stencilFunc(gl.NOTEQUAL, i + 1, 0xff);
      for (const { body } of scene.bodies) this.drawFaces(body, this.plain);
    });
    gl.disable(gl.STENCIL_TEST);
    gl.enable(gl.DEPTH_TEST);
    gl.disable(gl.BLEND);
  }

  paintBody(scene, { body, colour }) {
    const { gl } = this;
    const { program, uniforms, attributes } = this.mesh;
    const made = this.buffers.get(body);
    const { right, up, back, eye, matrix } = scene.camera;
    const lamp = right.map((value, i) => -0.45 * value + 0.6 * up[i] + 0.66 * back[i]);
    gl.useProgram(program);
    gl.uniformMatrix4fv(uniforms.matrix, false, matrix);
    gl.uniform3fv(uniforms.eye, eye);
    gl.uniform3fv(uniforms.lamp, lamp);
    gl.uniform3fv(uniforms.colour, colour);
    gl.uniform3fv(uniforms.markColour, scene.markColour);
    this.bind(attributes.normal, made.normal, 3);
    this.bind(attributes.mark, made.mark, 1);
    gl.enable(gl.POLYGON_OFFSET_FILL);
    gl.polygonOffset(1, 1);
    this.drawFaces(body, this.mesh);
    gl.disable(gl.POLYGON_OFFSET_FILL);
    if (scene.wireframe) this.paintWires(scene, body, made);
  }

  paintWires(scene, body, made) {
    const { gl } = this;
    if (!made.wires) {
      const { faces } = body.model;
      const wires = [];
      // Each edge has two faces; the one that runs along it upwards draws it.
      for (let f = 0; f < faces.length; f += 3)
        for (let k = 0; k < 3; k++) {
          const [a, b] = [faces[f + k], faces[f + ((k + 1) % 3)]];
          if (a < b) wires.push(a, b);
        }
      made.wires = gl.createBuffer();
      made.wireCount = wires.length;
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.wires);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, faces.constructor.from(wires), gl.STATIC_DRAW);
    }
    const { attributes } = this.usePlain(scene, [0.06, 0.09, 0.14, 0.4], 0);
    this.bind(attributes.position, made.position, 3);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.wires);
    gl.enable(gl.BLEND);
    gl.drawElements(gl.LINES, made.wireCount, made.indexType, 0);
    gl.disable(gl.BLEND);
  }

  usePlain(scene, colour, flatten) {
    const { gl, plain } = this;
    gl.useProgram(plain.program);
    gl.uniformMatrix4fv(plain.uniforms.matrix, false, scene.camera.matrix);
    gl.uniform3fv(plain.uniforms.fall, [0, 1, 0]);
    gl.uniform1f(plain.uniforms.ground, scene.ground[1]);
    gl.uniform1f(plain.uniforms.flatten, flatten);
    gl.uniform4fv(plain.uniforms.colour, colour);
    return plain;
  }

  drawFaces(body, { attributes }) {
    const { gl } = this;
    const made = this.buffers.get(body);
    this.bind(attributes.position, made.position, 3);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.faces);
    gl.drawElements(gl.TRIANGLES, body.model.faces.length, made.indexType, 0);
  }
}
