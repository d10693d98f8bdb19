// The soft shadow of bodies on the ground, as a small picture of the ground seen from above.
//
// It is computed again when a body moves, but not when the camera does. Where a body is near the ground
// its shadow is sharp; from high above it is wide and faint, as under a large lamp.

const SHADOW_SIZE = 192; // pixels, side of the picture

// The mesh falls along the light; the lowest point over each place is kept with its height.
const FALL_VERTEX = `#version 300 es
uniform vec3 middle;
uniform float span;
in vec3 position;
out float height;
void main() {
  height = max(0.0, position.y - middle.y);
  vec2 fallen = position.xz + vec2(0.10, -0.05) * height; // the lamp is at the left, in front
  gl_Position = vec4((fallen - middle.xz) / span, min(height, 2.4) / 1.2 - 1.0, 1.0);
}`;

const FALL_FRAGMENT = `#version 300 es
precision highp float;
in float height;
out vec4 pixel;
void main() { pixel = vec4(1.0, height / 2.4, 0.0, 1.0); }`;

const BLUR_VERTEX = `#version 300 es
in vec2 corner;
out vec2 place;
void main() {
  place = 0.5 + 0.5 * corner;
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

// Rings of samples around each place, the inner ones denser: each darkens as far as its height
// spreads its shadow, weighted by its area.
const BLUR_FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D fallen;
uniform float span;
in vec2 place;
out vec4 pixel;
const float WIDEST = 0.30;
const float COUNT = 64.0;
void main() {
  float dark = 0.0;
  for (float i = 0.5; i < COUNT; i += 1.0) {
    float far = i / COUNT * WIDEST;
    vec2 offset = far * vec2(cos(2.39996 * i), sin(2.39996 * i));
    vec2 found = texture(fallen, place + 0.5 * offset / span).rg;
    float reach = min(WIDEST, 0.035 + 0.16 * found.g * 2.4);
    float share = max(0.0, 1.0 - far * far / (reach * reach));
    dark += found.r * share * far * 4.0 * WIDEST / (COUNT * reach * reach);
  }
  pixel = vec4(min(1.0, dark));
}`;

class GroundShadow {
  /** @param {MeshPainter} painter whose context, programs and buffers it uses */
  constructor(painter) {
    this.painter = painter;
    this.fall = painter.program(FALL_VERTEX, FALL_FRAGMENT);
    this.blur = painter.program(BLUR_VERTEX, BLUR_FRAGMENT);
    this.fallen = this.target(true);
    this.soft = this.target(false);
  }

  target(withDepth) {
    const { gl } = this.painter;
    const made = { texture: gl.createTexture(), frame: gl.createFramebuffer() };
    gl.bindTexture(gl.TEXTURE_2D, made.texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, SHADOW_SIZE, SHADOW_SIZE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    const filter = withDepth ? gl.NEAREST : gl.LINEAR; // heights must not be blended
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
    gl.bindFramebuffer(gl.FRAMEBUFFER, made.frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, made.texture, 0);
    if (withDepth) {
      const depth = gl.createRenderbuffer();
      gl.bindRenderbuffer(gl.RENDERBUFFER, depth);
      gl.renderbufferStorage(gl.RENDERBUFFER, gl.DEPTH_COMPONENT16, SHADOW_SIZE, SHADOW_SIZE);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.RENDERBUFFER, depth);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    return made;
  }

  /** Makes the picture of the shadow; `span` is the half side of what it shows, metres. */
  render(bodies, middle, span) {
    const { painter, fall, blur } = this;
    const { gl } = painter;
    gl.viewport(0, 0, SHADOW_SIZE, SHADOW_SIZE);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.fallen.frame);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(fall.program);
    gl.uniform3fv(fall.uniforms.middle, middle);
    gl.uniform1f(fall.uniforms.span, span);
    for (const { body } of bodies) painter.drawFaces(body, fall);

    gl.bindFramebuffer(gl.FRAMEBUFFER, this.soft.frame);
    gl.useProgram(blur.program);
    gl.uniform1f(blur.uniforms.span, span);
    gl.bindTexture(gl.TEXTURE_2D, this.fallen.texture);
    painter.bind(blur.attributes.corner, painter.square, 2);
    gl.disable(gl.DEPTH_TEST);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.enable(gl.DEPTH_TEST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }
}
