// The view of bodies: chooses, poses, plays and turns them, and reads the controls around it.

const RADIANS = Math.PI / 180;
const MARK_COLOUR = [0.95, 0.45, 0.2];

/** One body of a scene with what the page says about it. */
class Actor {
  constructor(source, model) {
    this.source = source;
    this.colour = source.colour.map((value) => value / 255);
    this.visible = true;
    this.tracks = unpack(source.rotations, Int16Array);
    this.numFrames = source.translations.length;
    this.become(model, source.betas);
    this.moveTo(0);
  }

  /** Takes another model of the same topology, and keeps the pose. */
  become(model, betas) {
    const before = this.body;
    this.body = new Body(model);
    this.body.upsideDown = this.source.upside_down;
    this.marks = new Float32Array(model.numVertices);
    betas.forEach((value, b) => {
      this.body.betas[b] = value;
    });
    if (before) {
      this.body.quaternions = before.quaternions;
      this.body.translation = before.translation;
    }
    this.reshaped = this.reposed = true;
  }

  /** Goes to a moment between two frames: quaternions are blended the short way. */
  moveTo(moment) {
    const first = Math.min(Math.floor(moment), this.numFrames - 1);
    const second = Math.min(first + 1, this.numFrames - 1);
    const share = Math.min(1, moment - first);
    const joints = this.body.model.numJoints;
    for (let j = 0; j < joints; j++) {
      const a = this.tracks.subarray(4 * (first * joints + j), 4 * (first * joints + j) + 4);
      const b = this.tracks.subarray(4 * (second * joints + j), 4 * (second * joints + j) + 4);
      const sign = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] < 0 ? -1 : 1;
      this.body.quaternions[j] = [0, 1, 2, 3].map(
        (k) => ((1 - share) * a[k] + share * sign * b[k]) / 32767,
      );
    }
    const [from, to] = [this.source.translations[first], this.source.translations[second]];
    this.body.translation = from.map((value, i) => (1 - share) * value + share * to[i]);
    this.reposed = true;
  }

  /** Computes what has changed. */
  update() {
    if (this.reshaped) this.body.shape();
    if (this.reshaped || this.reposed) this.body.pose();
    this.reshaped = this.reposed = false;
  }

  /** What SMPL takes, ready for JSON. */
  parameters() {
    const { model, betas, quaternions, translation } = this.body;
    const round = (value) => Math.round(value * 1e5) / 1e5;
    return {
      name: this.source.name,
      body: { name: model.name, gender: model.gender, fingerprint: model.fingerprint },
      frame: this.source.upside_down ? "camera" : "model",
      betas: betas.map(round),
      joint_names: model.jointNames,
      pose: quaternions.map((q) => quaternionToAxisAngle(q).map(round)),
      translation: translation.map(round),
    };
  }
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.content = JSON.parse(this.part("content").textContent);
    this.models = this.content.models.map((model) => new BodyModel(model, this.content.shared));
    this.sceneNames = [...new Set(this.content.bodies.map((body) => body.scene))];
    this.camera = new OrbitCamera();
    this.moment = 0;
    this.playing = false;
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.picture = root.querySelector(".picture");
    this.bones = root.querySelector(".bones");
    this.choosePainter();
    bindCamera(this);
    bindControls(this);
    this.dark.addEventListener("change", () => this.redraw());
    new ResizeObserver(() => this.redraw()).observe(this.picture);
    this.show(this.sceneNames[0]);
  }

  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  choosePainter() {
    const gl = this.picture.getContext("webgl2", { antialias: true });
    if (gl) {
      this.painter = new MeshPainter(this.picture, gl);
      this.painter.onRestored = () => this.redraw();
    } else {
      this.painter = new FlatPainter(this.picture);
      this.part("message").textContent =
        "This browser offers no WebGL 2, so the bodies are drawn in a plainer way.";
    }
  }

  /** Shows a scene by its name, from the front and from its beginning. */
  show(sceneName) {
    this.stop();
    const sources = this.content.bodies.filter((body) => body.scene === sceneName);
    this.sceneName = sceneName;
    this.actors = sources.map((source) => new Actor(source, this.models[source.model]));
    this.selected = this.actors[0];
    this.numFrames = Math.max(...this.actors.map((actor) => actor.numFrames));
    this.moment = 0;
    this.camera.reset();
    this.frameScene();
    showControls(this);
    this.redraw();
  }

  goTo(moment) {
    this.moment = moment;
    for (const actor of this.actors) actor.moveTo(Math.min(moment, actor.numFrames - 1));
    showMoment(this);
    this.redraw();
  }

  /** Sets the picture's size in metres, so that the whole motion of all bodies fits. */
  frameScene() {
    let [low, high, radius] = [Infinity, -Infinity, 0];
    this.overMotion(() => {
      const centre = this.centre();
      for (const { body } of this.actors) {
        for (let i = 0; i < body.vertices.length; i += 3) {
          const [x, y, z] = body.vertices.subarray(i, i + 3);
          low = Math.min(low, y);
          high = Math.max(high, y);
          radius = Math.max(radius, Math.hypot(x - centre[0], z - centre[1]));
        }
      }
    });
    this.ground = low;
    this.height = high - low;
    this.radius = radius;
  }

  /** Puts the ground under the lowest point again after a change of shape or pose. */
  settle() {
    this.ground = Infinity;
    this.overMotion(() => {
      for (const { body } of this.actors)
        for (let i = 1; i < body.vertices.length; i += 3)
          this.ground = Math.min(this.ground, body.vertices[i]);
    });
  }

  /** Calls a function with the bodies at some moments of the motion, at last at the present one. */
  overMotion(measure) {
    const count = Math.min(this.numFrames, 9);
    for (let i = 0; this.numFrames > 1 && i < count; i++) {
      const moment = Math.round((i * (this.numFrames - 1)) / (count - 1));
      for (const actor of this.actors) {
        actor.moveTo(Math.min(moment, actor.numFrames - 1));
        actor.update();
      }
      measure();
    }
    for (const actor of this.actors) {
      if (this.numFrames > 1) actor.moveTo(Math.min(this.moment, actor.numFrames - 1));
      actor.update();
    }
    if (this.numFrames === 1) measure();
  }

  /** The mean place, x and z, of the pelvises: the picture follows it. */
  centre() {
    return [0, 2].map(
      (axis) =>
        this.actors.reduce((sum, { body }) => sum + body.joints[axis], 0) / this.actors.length,
    );
  }

  play() {
    this.playing = true;
    this.redraw();
    showMoment(this);
  }

  stop() {
    this.playing = false;
    if (this.actors) showMoment(this);
  }

  /** Draws before the next repaint of the page; the page rests when nothing changes. */
  redraw() {
    this.pending ??= requestAnimationFrame((now) => {
      this.pending = undefined;
      this.advance(now);
      this.draw();
    });
  }

  advance(now) {
    const seconds = Math.min(0.1, (now - (this.lastDrawn ?? now)) / 1000);
    this.lastDrawn = this.playing || this.turning ? now : undefined;
    if (this.turning) this.camera.turn(0.6 * seconds, 0);
    if (this.playing) {
      const frames = seconds * this.speed * this.selected.source.frame_rate;
      const end = this.numFrames - 1;
      this.goTo(this.moment >= end ? 0 : Math.min(end, this.moment + frames));
    }
    if (this.playing || this.turning) this.redraw();
  }

  draw() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    const { clientWidth, clientHeight } = this.picture;
    if (!clientWidth || !clientHeight) return;
    for (const canvas of [this.picture, this.bones]) {
      const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
    }
    for (const actor of this.actors) actor.update();
    const [x, z] = this.centre();
    const middle = [x, this.ground + this.height / 2, z];
    this.camera.place(middle, this.radius, this.height, clientWidth / clientHeight);
    this.painter.paint({
      bodies: this.actors.filter((actor) => actor.visible),
      camera: this.camera,
      ground: [x, this.ground, z],
      span: this.radius + 0.5,
      dark: this.dark.matches,
      wireframe: this.wireframe,
      markColour: MARK_COLOUR,
    });
    this.drawBones(ratio);
  }

  /** The skeletons, over the bodies, on a canvas of their own. */
  drawBones(ratio) {
    const context = this.bones.getContext("2d");
    const { width, height } = this.bones;
    context.clearRect(0, 0, width, height);
    if (!this.skeleton) return;
    context.lineCap = "round";
    for (const { body, visible } of this.actors) {
      if (!visible) continue;
      const places = body.model.parents.map((_, j) => {
        const [x, y] = this.camera.project(...body.joints.subarray(3 * j, 3 * j + 3));
        return [x * width, y * height];
      });
      for (const [line, colour] of [
        [5, "#0f1725cc"],
        [2.5, "#ffffff"],
      ]) {
        context.lineWidth = line * ratio;
        context.strokeStyle = context.fillStyle = colour;
        body.model.parents.forEach((parent, j) => {
          context.beginPath();
          if (parent >= 0) {
            context.moveTo(...places[parent]);
            context.lineTo(...places[j]);
            context.stroke();
          }
          context.beginPath();
          context.arc(...places[j], line * 0.9 * ratio, 0, 7);
          context.fill();
        });
      }
    }
  }

  /** Changes the shape of the selected body. */
  setBetas(betas) {
    betas.forEach((value, b) => {
      this.selected.body.betas[b] = value;
    });
    this.selected.reshaped = true;
    this.afterEdit();
  }

  /** Changes the pose of the selected body: axis-angles in radians, one per joint. */
  setPose(axisAngles) {
    this.stop();
    this.selected.body.quaternions = axisAngles.map(axisAngleToQuaternion);
    this.selected.reposed = true;
    this.afterEdit();
  }

  afterEdit() {
    this.selected.update();
    this.settle();
    showParameters(this);
    this.redraw();
  }

  /** Changes the model of the selected body, such as from the female to the male one. */
  setModel(index) {
    this.selected.become(this.models[index], this.selected.body.betas);
    this.afterEdit();
  }

  /** Colours the part of the selected body that a slider acts on; no arguments: none. */
  mark({ joint, beta } = {}) {
    const { marks, body } = this.selected;
    const { model } = body;
    marks.fill(0);
    if (joint !== undefined)
      model.weightJoints.forEach((other, i) => {
        if (other === joint) marks[i >> 2] += 0.75 * model.weights[i];
      });
    if (beta !== undefined) {
      const start = beta * 3 * model.numVertices;
      let largest = 1;
      for (let v = 0; v < model.numVertices; v++) {
        const at = start + 3 * v;
        marks[v] = Math.hypot(model.shapes[at], model.shapes[at + 1], model.shapes[at + 2]);
        largest = Math.max(largest, marks[v]);
      }
      for (let v = 0; v < marks.length; v++) marks[v] *= 0.75 / largest;
    }
    this.redraw();
  }
}
