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

const PLAIN_VERTEX = `#version 300 es
uniform mat4 matrix;
in vec3 position;
void main() { gl_Position = matrix * vec4(position, 1.0); }`;

const PLAIN_FRAGMENT = `#version 300 es
precision mediump float;
uniform vec4 colour;
out vec4 pixel;
void main() { pixel = vec4(colour.rgb * colour.a, colour.a); }`;

const GROUND_VERTEX = `#version 300 es
uniform mat4 matrix;
uniform vec3 middle;
uniform float reach;
in vec2 corner;
out vec2 place;
void main() {
  place = middle.xz + corner * 3.0 * reach;
  gl_Position = matrix * vec4(place.x, middle.y, place.y, 1.0);
}`;

// Lines every half metre, stronger every metre, that fade with the distance; and the shadow.
const GROUND_FRAGMENT = `#version 300 es
precision highp float;
uniform vec3 middle, colour;
uniform float reach, span, darkness;
uniform sampler2D shadow;
in vec2 place;
out vec4 pixel;
float line(float spacing, float width) {
  vec2 cell = place / spacing;
  vec2 wide = fwidth(cell);
  vec2 far = abs(fract(cell - 0.5) - 0.5) / wide;
  float crowded = clamp(1.6 - 4.0 * max(wide.x, wide.y), 0.0, 1.0);
  return clamp(width - min(far.x, far.y), 0.0, 1.0) * crowded;
}
void main() {
  float fade = 1.0 - smoothstep(0.3, 2.8, length(place - middle.xz) / reach);
  float ink = max(0.22 * line(0.5, 1.0), 0.42 * line(1.0, 1.2)) * fade;
  vec2 at = 0.5 + 0.5 * (place - middle.xz) / span;
  bool near = all(lessThan(abs(at - 0.5), vec2(0.5)));
  float dark = near ? darkness * texture(shadow, at).r : 0.0;
  pixel = vec4(colour * ink * (1.0 - dark), dark + ink * (1.0 - dark));
}`;

class MeshPainter {
  constructor(canvas, gl) {
    this.canvas = canvas;
    this.gl = gl;
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
    this.buffers = new WeakMap(); // of bodies; those of a scene that is gone go with it
    this.mesh = this.program(MESH_VERTEX, MESH_FRAGMENT);
    this.plain = this.program(PLAIN_VERTEX, PLAIN_FRAGMENT);
    this.ground = this.program(GROUND_VERTEX, GROUND_FRAGMENT);
    this.square = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.square);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    this.shadow = new GroundShadow(this);
    this.lastShown = undefined;
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
   * @param {object} scene bodies ({body, colour, marks}), camera, ground [x, y, z],
   *   span (metres from the ground's middle that shadows reach), dark, wireframe, markColour
   */
  paint(scene) {
    const { gl, canvas } = this;
    if (gl.isContextLost()) return;
    gl.clearColor(0, 0, 0, 0);
    const uploads = scene.bodies.map((shown) => this.upload(shown));
    const shown = scene.bodies.length + scene.ground.join();
    if (uploads.some(Boolean) || shown !== this.lastShown)
      this.shadow.render(scene.bodies, scene.ground, scene.span);
    this.lastShown = shown;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (scene.camera.eye[1] > scene.ground[1]) this.paintGround(scene);
    for (const shown of scene.bodies) this.paintBody(scene, shown);
  }

  /** Brings a body's arrays to the graphics memory; says whether it has moved since. */
  upload({ body, marks }) {
    const { gl } = this;
    if (!this.buffers.has(body)) {
      const made = { faces: gl.createBuffer() };
      for (const name of ["position", "normal", "mark"]) made[name] = gl.createBuffer();
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.faces);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, body.model.faces, gl.STATIC_DRAW);
      made.indexType = body.model.faces instanceof Uint16Array ? gl.UNSIGNED_SHORT : gl.UNSIGNED_INT;
      this.buffers.set(body, made);
    }
    const made = this.buffers.get(body);
    const put = (buffer, values) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    };
    put(made.mark, marks);
    if (made.version === body.version) return false;
    put(made.position, body.vertices);
    put(made.normal, body.normals);
    made.version = body.version;
    return true;
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
    gl.uniform1f(uniforms.reach, Math.max(1, scene.span / 1.7)); // people may stand far apart
    gl.uniform1f(uniforms.span, scene.span);
    gl.uniform1f(uniforms.darkness, scene.dark ? 0.75 : 0.42);
    gl.bindTexture(gl.TEXTURE_2D, this.shadow.soft.texture);
    this.bind(attributes.corner, this.square, 2);
    gl.enable(gl.BLEND);
    gl.depthMask(false);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.depthMask(true);
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
    const { program, uniforms, attributes } = this.plain;
    gl.useProgram(program);
    gl.uniformMatrix4fv(uniforms.matrix, false, scene.camera.matrix);
    gl.uniform4fv(uniforms.colour, [0.06, 0.09, 0.14, 0.4]);
    this.bind(attributes.position, made.position, 3);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.wires);
    gl.enable(gl.BLEND);
    gl.drawElements(gl.LINES, made.wireCount, made.indexType, 0);
    gl.disable(gl.BLEND);
  }

  drawFaces(body, { attributes }) {
    const { gl } = this;
    const made = this.buffers.get(body);
    this.bind(attributes.position, made.position, 3);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.faces);
    gl.drawElements(gl.TRIANGLES, body.model.faces.length, made.indexType, 0);
  }
}
