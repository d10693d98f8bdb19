// The controls around the picture: mouse, touch and keyboard on it, and sliders and buttons.

/** Turns, moves and zooms by pointer, wheel and keys. */
function bindCamera(viewer) {
  const { picture, camera } = viewer;
  const pointers = new Map();
  const perPixel = () => camera.metresPerHeight / picture.clientHeight;
  const move = (right, down) => {
    camera.shift[0] -= right * perPixel();
    camera.shift[1] += down * perPixel();
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { wide: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };
  picture.addEventListener("pointerdown", (event) => {
    picture.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  picture.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const before = pointers.size === 2 && spread();
    const [right, down] = [event.clientX - last.x, event.clientY - last.y];
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (before) {
      const after = spread();
      camera.zoomBy(after.wide / Math.max(1, before.wide));
      move(after.x - before.x, after.y - before.y);
    } else if (event.shiftKey || event.buttons & 6) move(right, down);
    else camera.turn(-0.009 * right, 0.009 * down);
    viewer.redraw();
  });
  for (const kind of ["pointerup", "pointercancel"])
    picture.addEventListener(kind, (event) => pointers.delete(event.pointerId));
  picture.addEventListener("contextmenu", (event) => event.preventDefault());
  // The wheel scrolls the page until the picture has been clicked.
  picture.addEventListener(
    "wheel",
    (event) => {
      if (document.activeElement !== picture && !event.ctrlKey) return;
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 24 : 1;
      camera.zoomBy(Math.exp(-0.0012 * lines * event.deltaY));
      viewer.redraw();
    },
    { passive: false },
  );
  picture.addEventListener("dblclick", () => {
    camera.reset();
    viewer.redraw();
  });
  picture.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const others = {
      "+": () => camera.zoomBy(1.15),
      "=": () => camera.zoomBy(1.15),
      "-": () => camera.zoomBy(1 / 1.15),
      0: () => camera.reset(),
      Home: () => camera.reset(),
      " ": () => viewer.numFrames > 1 && (viewer.playing ? viewer.stop() : viewer.play()),
    };
    if (event.key in arrows) {
      const [right, down] = arrows[event.key];
      if (event.shiftKey) move(20 * right, 20 * down);
      else camera.turn(0.12 * right, -0.12 * down);
    } else if (event.key in others) others[event.key]();
    else return;
    event.preventDefault();
    viewer.redraw();
  });
}

/** Reads sliders, lists and buttons. */
function bindControls(viewer) {
  const { root, camera } = viewer;
  const on = (name, kind, action) =>
    root.querySelector(`[data-input="${name}"]`)?.addEventListener(kind, (e) => action(e.target));
  viewer.speed = 1;
  on("scene", "change", (list) => viewer.show(list.value));
  on("model", "change", (list) => viewer.setModel(Number(list.value)));
  on("speed", "change", (list) => {
    viewer.speed = Number(list.value);
  });
  on("frame", "input", (slider) => {
    const frame = Number(slider.value); // stopping sets the slider to where the play had come
    viewer.stop();
    viewer.goTo(frame);
  });
  on("selected", "change", (list) => {
    viewer.selected = viewer.actors[list.value];
    showParameters(viewer);
  });
  for (const [name, field] of [
    ["skeleton", "skeleton"],
    ["wireframe", "wireframe"],
    ["turntable", "turning"],
  ])
    on(name, "change", (box) => {
      viewer[field] = box.checked;
      viewer.redraw();
    });
  for (const button of root.querySelectorAll("[data-view]"))
    button.addEventListener("click", () => {
      camera.azimuth = Number(button.dataset.view) * RADIANS;
      camera.elevation = 0.08;
      viewer.redraw();
    });
  const actions = makeActions(viewer);
  for (const button of root.querySelectorAll("[data-action]"))
    button.addEventListener("click", actions[button.dataset.action]);
  bindParameters(viewer);
  // Buttons elsewhere on the page that turn the view to a person.
  for (const button of document.querySelectorAll("[data-show-scene]"))
    button.addEventListener("click", () => {
      viewer.show(button.dataset.showScene);
      viewer.picture.focus({ preventScroll: true });
      const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
      root.scrollIntoView({ behavior: quiet ? "auto" : "smooth", block: "start" });
    });
}

function bindParameters(viewer) {
  const bind = (slider, change, part) => {
    slider.addEventListener("input", () => change(Number(slider.value)));
    slider.addEventListener("focus", () => viewer.mark(part));
    slider.addEventListener("blur", () => viewer.mark());
  };
  for (const slider of viewer.root.querySelectorAll("[data-beta]")) {
    const beta = Number(slider.dataset.beta);
    const change = (value) => {
      const betas = [...viewer.selected.body.betas];
      betas[beta] = value;
      viewer.setBetas(betas);
    };
    bind(slider, change, { beta });
  }
  for (const slider of viewer.root.querySelectorAll("[data-joint]")) {
    const [joint, axis] = [Number(slider.dataset.joint), Number(slider.dataset.axis)];
    const change = (value) => {
      // The other two sliders, not the quaternion, so that nothing jumps beyond half a turn.
      const pose = viewer.selected.body.quaternions.map(quaternionToAxisAngle);
      pose[joint] = [0, 1, 2].map((other) => slidersOf(viewer, joint)[other].value * RADIANS);
      pose[joint][axis] = value * RADIANS;
      viewer.editing = joint;
      viewer.setPose(pose);
      viewer.editing = undefined;
    };
    bind(slider, change, { joint });
  }
}

function slidersOf(viewer, joint) {
  return [...viewer.root.querySelectorAll(`[data-joint="${joint}"]`)];
}

/** What the buttons do. */
function makeActions(viewer) {
  const { camera } = viewer;
  const pose = () => viewer.selected.body.quaternions.map(quaternionToAxisAngle);
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(7 * Math.random());
  const file = (kind) => `${viewer.selected.source.name.replace(/[^\w.-]+/g, "_")}.${kind}`;
  const say = (text) => {
    viewer.part("status").textContent = text;
  };
  return {
    play: () => (viewer.playing ? viewer.stop() : viewer.play()),
    above: () => {
      camera.elevation = 1.2;
      viewer.redraw();
    },
    "reset-view": () => {
      camera.reset();
      viewer.frameScene();
      viewer.redraw();
    },
    "mean-shape": () => viewer.setBetas(viewer.selected.body.betas.map(() => 0)),
    "random-shape": () => viewer.setBetas(viewer.selected.body.betas.map(normal)),
    "reset-shape": () => {
      const { betas } = viewer.selected.source;
      viewer.setBetas(viewer.selected.body.betas.map((_, b) => betas[b] ?? 0));
    },
    "rest-pose": () => viewer.setPose(pose().map((old, joint) => (joint ? [0, 0, 0] : old))),
    "random-pose": () => {
      const { poses } = viewer.content;
      const drawn = [...poses[Math.floor(Math.random() * poses.length)]];
      if (viewer.selected.body.upsideDown) {
        // A half turn about x, from the model frame to the camera's.
        const [x, y, z, w] = axisAngleToQuaternion(drawn[0]);
        drawn[0] = quaternionToAxisAngle([w, -z, y, -x]);
      }
      viewer.setPose(drawn);
    },
    "mirror-pose": () => {
      // The mirror image about the body's own middle plane: sides change, and so do the signs of
      // what turns about y and z.
      const old = pose();
      viewer.setPose(
        viewer.selected.body.model.mirror.map((other) => [old[other][0], -old[other][1], -old[other][2]]),
      );
    },
    "reset-pose": () => {
      viewer.goTo(viewer.moment);
      viewer.afterEdit();
    },
    copy: async () => {
      await copyText(JSON.stringify(viewer.selected.parameters(), null, 1));
      say("Copied as JSON.");
    },
    "download-json": () => {
      download(file("json"), JSON.stringify(viewer.selected.parameters(), null, 1));
      say(`Saved ${file("json")}.`);
    },
    "download-obj": () => {
      download(file("obj"), objText(viewer.selected.body));
      say(`Saved ${file("obj")}: metres, y up.`);
    },
  };
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {
    // Pages opened from a disk may be refused; the old way works there.
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

function objText({ vertices, model }) {
  const lines = [];
  for (let i = 0; i < vertices.length; i += 3)
    lines.push(`v ${Array.from(vertices.subarray(i, i + 3), (x) => x.toFixed(5)).join(" ")}`);
  for (let f = 0; f < model.faces.length; f += 3)
    lines.push(`f ${Array.from(model.faces.subarray(f, f + 3), (v) => v + 1).join(" ")}`);
  return `${lines.join("\n")}\n`;
}

/** Brings lists and sliders up to date with a new scene. */
function showControls(viewer) {
  const { root, actors } = viewer;
  const scenes = root.querySelector('[data-input="scene"]');
  if (!scenes.options.length) for (const name of viewer.sceneNames) scenes.add(new Option(name));
  scenes.value = viewer.sceneName;
  viewer.part("scenes").hidden = viewer.sceneNames.length < 2;
  viewer.part("name").textContent = viewer.sceneName;
  const several = actors.length > 1;
  viewer.part("note").textContent = actors
    .filter(({ source }) => source.note)
    .map(({ source: { name, note } }) => (several ? `${name}: ${note}` : note))
    .join(" · ");

  const selected = root.querySelector('[data-input="selected"]');
  selected.replaceChildren(...actors.map(({ source }, i) => new Option(source.name, i)));
  viewer.part("selected").hidden = !several;
  const shown = viewer.part("shown");
  shown.hidden = !several;
  shown.replaceChildren(shown.firstElementChild, ...actors.map((actor) => visibility(viewer, actor)));

  viewer.part("player").hidden = viewer.numFrames < 2;
  root.querySelector('[data-input="frame"]').max = viewer.numFrames - 1;
  showMoment(viewer);
  showParameters(viewer);
}

function visibility(viewer, actor) {
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
  const dot = document.createElement("i");
  dot.style.background = `rgb(${actor.source.colour})`;
  label.append(box, dot, actor.source.name);
  box.addEventListener("change", () => {
    actor.visible = box.checked;
    viewer.redraw();
  });
  return label;
}

function showMoment(viewer) {
  const frame = Math.round(viewer.moment);
  const slider = viewer.root.querySelector('[data-input="frame"]');
  slider.value = frame;
  const { frame_rate: rate } = viewer.selected.source;
  const text = `${(frame / rate).toFixed(2)} s · ${frame + 1}/${viewer.numFrames}`;
  viewer.part("time").textContent = text;
  slider.setAttribute("aria-valuetext", `frame ${frame + 1} of ${viewer.numFrames}`);
  const button = viewer.root.querySelector('[data-action="play"]');
  button.setAttribute("aria-pressed", viewer.playing);
  button.setAttribute("aria-label", viewer.playing ? "Pause" : "Play");
}

function showParameters(viewer) {
  const { root } = viewer;
  const { body } = viewer.selected;
  const model = root.querySelector('[data-input="model"]');
  if (model) model.value = viewer.models.indexOf(body.model);
  const put = (slider, value, text) => {
    // A predicted beta may lie beyond the usual range.
    slider.min = Math.min(slider.min, Math.floor(value));
    slider.max = Math.max(slider.max, Math.ceil(value));
    slider.value = value;
    slider.parentElement.querySelector("output").textContent = text;
  };
  for (const slider of root.querySelectorAll("[data-beta]")) {
    const value = body.betas[slider.dataset.beta];
    put(slider, value, value.toFixed(2).replace("-", "−"));
    const words = body.model.shapeWords[slider.dataset.beta];
    slider.parentElement.querySelector("small").textContent = words;
    slider.setAttribute("aria-label", `beta ${slider.dataset.beta} ${words}`.trim());
  }
  const { stature, volume, mass, chest, waist, hip } = body.measures();
  const cm = (metres) => (100 * metres).toFixed(1);
  const tapes = chest ? ` · chest ${cm(chest)}, waist ${cm(waist)}, hip ${cm(hip)} cm` : "";
  viewer.part("measures").textContent =
    `Stature ${cm(stature)} cm${tapes} · volume ${volume.toFixed(1)} l, ${mass.toFixed(1)} kg`;
  body.quaternions.forEach((quaternion, joint) => {
    const degrees = quaternionToAxisAngle(quaternion).map((value) => value / RADIANS);
    slidersOf(viewer, joint).forEach((slider, axis) => {
      const value = joint === viewer.editing ? Number(slider.value) : degrees[axis];
      put(slider, value, value.toFixed(0).replace("-", "−"));
    });
  });
}
