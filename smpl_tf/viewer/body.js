// SMPL in the browser: shape blend shapes, pose blend shapes, linear blend skinning.
//
// It runs on the processor and not in a shader: one body takes a few milliseconds, the same
// vertices serve WebGL, the plain canvas and the OBJ file, and a test can read them.

/** Unpacks base64 text into a typed array; the page and its readers are little-endian. */
function unpack(base64, Type) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new Type(bytes.buffer);
}

/** Writes the rotation matrix, row by row, of the quaternion [x, y, z, w] of any length. */
function quaternionToMatrix(quaternion, out, at) {
  const length = Math.hypot(...quaternion) || 1;
  const [x, y, z, w] = quaternion.map((value) => value / length);
  out[at] = 1 - 2 * (y * y + z * z);
  out[at + 1] = 2 * (x * y - z * w);
  out[at + 2] = 2 * (x * z + y * w);
  out[at + 3] = 2 * (x * y + z * w);
  out[at + 4] = 1 - 2 * (x * x + z * z);
  out[at + 5] = 2 * (y * z - x * w);
  out[at + 6] = 2 * (x * z - y * w);
  out[at + 7] = 2 * (y * z + x * w);
  out[at + 8] = 1 - 2 * (x * x + y * y);
}

/** The quaternion [x, y, z, w] of an axis-angle vector in radians. */
function axisAngleToQuaternion([x, y, z]) {
  const angle = Math.hypot(x, y, z);
  const scale = angle > 1e-9 ? Math.sin(angle / 2) / angle : 0.5;
  return [x * scale, y * scale, z * scale, Math.cos(angle / 2)];
}

/** The axis-angle vector, radians, of the quaternion [x, y, z, w]; its angle is at most pi. */
function quaternionToAxisAngle([x, y, z, w]) {
  const sign = w < 0 ? -1 : 1;
  const sine = Math.hypot(x, y, z);
  const scale = sine > 1e-9 ? (2 * sign * Math.atan2(sine, sign * w)) / sine : 2;
  return [x * scale, y * scale, z * scale];
}

/** The arrays of a body model, shared by all bodies of the page. */
class BodyModel {
  /**
   * @param {object} packed what viewer.py wrote for this model
   * @param {object} shared what it wrote once for all models: joints, faces, skinning weights
   */
  constructor(packed, shared) {
    const Index = shared.wide_faces ? Uint32Array : Uint16Array;
    this.name = packed.name;
    this.gender = packed.gender;
    this.fingerprint = packed.fingerprint;
    this.shapeWords = packed.shape_words; // what each beta does
    this.measured = packed.measured; // vertices by which girths are taken, or null
    this.jointNames = shared.joint_names;
    this.parents = shared.parents;
    this.mirror = shared.mirror;
    this.faces = unpack(shared.faces, Index);
    this.weightJoints = unpack(shared.weight_joints, Uint8Array); // four per vertex
    this.weights = Float32Array.from(unpack(shared.weights, Uint16Array), (w) => w / 65535);
    this.template = Float32Array.from(
      unpack(packed.template, Int16Array),
      (steps) => steps * packed.template_step,
    );
    this.shapes = unpack(packed.shapes, Int16Array); // one component after the other
    this.shapeSteps = packed.shape_steps;
    this.jointTemplate = packed.joint_template;
    this.jointShapes = packed.joint_shapes;
    this.poseCounts = packed.pose_counts; // per joint but the root: how many vertices it corrects
    this.poseVertices = unpack(packed.pose_vertices, Index);
    this.poseOffsets = unpack(packed.pose_offsets, Int8Array); // 3 x 9 per vertex of a joint
    this.poseStep = packed.pose_step;
    this.numBetas = this.shapeSteps.length;
    this.numVertices = this.template.length / 3;
    this.numJoints = this.parents.length;
  }
}

/** One body: its parameters, and the vertices and joints that follow from them. */
class Body {
  constructor(model) {
    this.model = model;
    this.betas = new Array(model.numBetas).fill(0);
    this.quaternions = Array.from({ length: model.numJoints }, () => [0, 0, 0, 1]);
    this.translation = [0, 0, 0];
    this.version = 0; // of the vertices
    this.upsideDown = false; // whether it is given in the camera frame: y down, z away
    this.rest = new Float32Array(3 * model.numVertices); // shaped, unposed
    this.corrected = new Float32Array(3 * model.numVertices); // with pose blend shapes
    this.vertices = new Float32Array(3 * model.numVertices); // y up, z towards the viewer
    this.normals = new Float32Array(3 * model.numVertices);
    this.restJoints = new Float32Array(3 * model.numJoints);
    this.joints = new Float32Array(3 * model.numJoints);
    this.relative = new Float32Array(9 * model.numJoints);
    this.global = new Float32Array(9 * model.numJoints);
    this.motions = new Float32Array(12 * model.numJoints); // x -> R x + t of each joint
  }

  /** Computes the shaped body at rest; call `pose` afterwards. */
  shape() {
    const { model, rest, restJoints, betas } = this;
    rest.set(model.template);
    restJoints.set(model.jointTemplate.flat());
    betas.forEach((beta, b) => {
      if (beta === 0) return;
      const scale = beta * model.shapeSteps[b];
      const start = b * rest.length;
      for (let i = 0; i < rest.length; i++) rest[i] += scale * model.shapes[start + i];
      model.jointShapes[b].flat().forEach((value, i) => {
        restJoints[i] += beta * value;
      });
    });
  }

  /** Computes vertices, joints and normals from the shaped body and the quaternions. */
  pose() {
    this.quaternions.forEach((q, joint) => quaternionToMatrix(q, this.relative, 9 * joint));
    this.chain();
    this.correct();
    this.skin();
    this.shade();
    this.version++;
  }

  /** Forward kinematics: turns each bone of the rest pose with its parent. */
  chain() {
    const { model, relative, global, restJoints, joints, motions } = this;
    for (let j = 0; j < model.numJoints; j++) {
      const parent = model.parents[j];
      for (let row = 0; row < 3; row++) {
        for (let column = 0; column < 3; column++) {
          let sum = 0;
          if (parent < 0) sum = relative[9 * j + 3 * row + column];
          else
            for (let k = 0; k < 3; k++)
              sum += global[9 * parent + 3 * row + k] * relative[9 * j + 3 * k + column];
          global[9 * j + 3 * row + column] = sum;
        }
        let place = restJoints[3 * j + row];
        if (parent >= 0) {
          place = joints[3 * parent + row];
          for (let k = 0; k < 3; k++) {
            const bone = restJoints[3 * j + k] - restJoints[3 * parent + k];
            place += global[9 * parent + 3 * row + k] * bone;
          }
        }
        joints[3 * j + row] = place;
      }
    }
    // Shown upright: the camera's y and z axes are turned round, in the motions and the joints.
    for (let j = 0; j < model.numJoints; j++) {
      for (let row = 0; row < 3; row++) {
        const sign = this.upsideDown && row > 0 ? -1 : 1;
        let shift = joints[3 * j + row] + this.translation[row];
        joints[3 * j + row] = sign * shift;
        for (let k = 0; k < 3; k++) {
          const entry = global[9 * j + 3 * row + k];
          shift -= entry * restJoints[3 * j + k];
          motions[12 * j + 4 * row + k] = sign * entry;
        }
        motions[12 * j + 4 * row + 3] = sign * shift;
      }
    }
  }

  /** Pose blend shapes: linear in the entries of R - I of each joint but the root. */
  correct() {
    const { model, relative, corrected } = this;
    corrected.set(this.rest);
    const feature = new Float32Array(9);
    let pair = 0;
    model.poseCounts.forEach((count, index) => {
      const joint = index + 1;
      let bent = false;
      for (let k = 0; k < 9; k++) {
        feature[k] = (relative[9 * joint + k] - (k % 4 === 0 ? 1 : 0)) * model.poseStep;
        bent ||= Math.abs(feature[k]) > 1e-9;
      }
      for (let end = pair + count; pair < end; pair++) {
        if (!bent) continue;
        for (let axis = 0; axis < 3; axis++) {
          let offset = 0;
          const start = 27 * pair + 9 * axis;
          for (let k = 0; k < 9; k++) offset += model.poseOffsets[start + k] * feature[k];
          corrected[3 * model.poseVertices[pair] + axis] += offset;
        }
      }
    });
  }

  /** Linear blend skinning. */
  skin() {
    const { model, corrected, motions, vertices } = this;
    const blend = new Float32Array(12);
    for (let v = 0; v < model.numVertices; v++) {
      blend.fill(0);
      for (let i = 4 * v; i < 4 * v + 4; i++) {
        const weight = model.weights[i];
        if (weight === 0) continue;
        const start = 12 * model.weightJoints[i];
        for (let k = 0; k < 12; k++) blend[k] += weight * motions[start + k];
      }
      const x = corrected[3 * v];
      const y = corrected[3 * v + 1];
      const z = corrected[3 * v + 2];
      for (let row = 0; row < 3; row++) {
        const r = 4 * row;
        vertices[3 * v + row] = blend[r] * x + blend[r + 1] * y + blend[r + 2] * z + blend[r + 3];
      }
    }
  }

  /** Vertex normals: the mean of the faces around, by their areas. */
  shade() {
    const { normals, vertices } = this;
    const { faces } = this.model;
    normals.fill(0);
    for (let f = 0; f < faces.length; f += 3) {
      const a = 3 * faces[f];
      const b = 3 * faces[f + 1];
      const c = 3 * faces[f + 2];
      const ux = vertices[b] - vertices[a];
      const uy = vertices[b + 1] - vertices[a + 1];
      const uz = vertices[b + 2] - vertices[a + 2];
      const vx = vertices[c] - vertices[a];
      const vy = vertices[c + 1] - vertices[a + 1];
      const vz = vertices[c + 2] - vertices[a + 2];
      const nx = uy * vz - uz * vy;
      const ny = uz * vx - ux * vz;
      const nz = ux * vy - uy * vx;
      for (const corner of [a, b, c]) {
        normals[corner] += nx;
        normals[corner + 1] += ny;
        normals[corner + 2] += nz;
      }
    }
    for (let i = 0; i < normals.length; i += 3) {
      const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
      normals[i] /= length;
      normals[i + 1] /= length;
      normals[i + 2] /= length;
    }
  }

  /** Stature and girths (metres), volume (litres), mass (kg) of the body at rest. */
  measures() {
    const { rest } = this;
    const { faces } = this.model;
    let low = Infinity;
    let high = -Infinity;
    for (let i = 1; i < rest.length; i += 3) {
      low = Math.min(low, rest[i]);
      high = Math.max(high, rest[i]);
    }
    let sixfold = 0;
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      sixfold +=
        rest[a] * (rest[b + 1] * rest[c + 2] - rest[b + 2] * rest[c + 1]) +
        rest[a + 1] * (rest[b + 2] * rest[c] - rest[b] * rest[c + 2]) +
        rest[a + 2] * (rest[b] * rest[c + 1] - rest[b + 1] * rest[c]);
    }
    const volume = (1000 * sixfold) / 6;
    const { measured } = this.model;
    const pelvis = this.restJoints.slice(0, 3);
    const around = measured ? girths(rest, faces, measured, pelvis) : {};
    return { stature: high - low, volume, mass: DENSITY * volume, ...around };
  }
}
