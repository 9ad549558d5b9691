// Turns each <figure class="crystal"> into a view of its unit cell that can be turned; without a script its picture stays.
"use strict";

const START = [-24 * Math.PI / 180, 14 * Math.PI / 180]; // about the vertical, and looking down: as in the pictures
const PIXELS = 420;

// From surface to surface: what lies inside an atom must not be drawn in front of it.
function stick(first, second) {
  const along = second.at.map((x, k) => x - first.at[k]), length = Math.hypot(...along);
  return [first.at.map((x, k) => x + along[k] * 0.9 * first.radius / length),
    second.at.map((x, k) => x - along[k] * 0.9 * second.radius / length)];
}

document.querySelectorAll("figure.crystal").forEach(function (figure) {
  const scene = JSON.parse(figure.dataset.scene);
  const picture = figure.querySelector("svg");
  const canvas = document.createElement("canvas");
  const sharp = window.devicePixelRatio || 1;
  canvas.width = canvas.height = PIXELS * sharp;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", picture.querySelector("title").textContent);
  const pen = canvas.getContext("2d");
  const reach = Math.max(...scene.corners.concat(scene.atoms.map((atom) => atom.at))
    .map((at) => Math.hypot(...at))) + Math.max(...scene.atoms.map((atom) => atom.radius));
  const sticks = scene.bonds.map(([i, j]) => stick(scene.atoms[i], scene.atoms[j]));
  let [turn, tilt, zoom] = [...START, 1];

  function project(at) { // right, down, away from the reader
    const x = at[0] * Math.cos(turn) - at[1] * Math.sin(turn);
    const away = at[0] * Math.sin(turn) + at[1] * Math.cos(turn);
    const up = at[2] * Math.cos(tilt) + away * Math.sin(tilt);
    return [x, -up, away * Math.cos(tilt) - at[2] * Math.sin(tilt)];
  }

  // A line is drawn in parts, so that an atom can stand before one end of it and behind the other.
  function lines(from, to, colour, width, parts, shapes) {
    for (let i = 0; i < parts; i++) {
      const ends = [i / parts, (i + 1) / parts].map((t) => project(from.map((x, k) => x + t * (to[k] - x))));
      shapes.push({ depth: (ends[0][2] + ends[1][2]) / 2, ends, colour, width });
    }
  }

  function shapesNow() {
    const shapes = scene.atoms.map((atom) => {
      const place = project(atom.at);
      return { depth: place[2], place, radius: atom.radius, colour: scene.colours[atom.symbol], symbol: atom.symbol };
    });
    for (let i = 0; i < 8; i++) {
      [1, 2, 4].filter((bit) => !(i & bit)).forEach((bit) => lines(scene.corners[i], scene.corners[i | bit], "#9aa3ad", 1, 6, shapes));
    }
    sticks.forEach(([from, to]) => lines(from, to, "#b4bac2", 4, 5, shapes));
    return shapes.sort((a, b) => b.depth - a.depth);
  }

  function draw() {
    const scale = zoom * PIXELS / 2.1 / reach;
    pen.setTransform(sharp, 0, 0, sharp, PIXELS / 2 * sharp, PIXELS / 2 * sharp);
    pen.clearRect(-PIXELS, -PIXELS, 2 * PIXELS, 2 * PIXELS);
    pen.lineCap = "round";
    shapesNow().forEach(function (shape) {
      pen.beginPath();
      if (shape.ends) {
        pen.moveTo(shape.ends[0][0] * scale, shape.ends[0][1] * scale);
        pen.lineTo(shape.ends[1][0] * scale, shape.ends[1][1] * scale);
        pen.strokeStyle = shape.colour;
        pen.lineWidth = shape.width;
      } else {
        const [x, y, r] = [shape.place[0] * scale, shape.place[1] * scale, shape.radius * scale];
        const light = pen.createRadialGradient(x - 0.3 * r, y - 0.35 * r, 0.1 * r, x, y, r);
        light.addColorStop(0, "#ffffff");
        light.addColorStop(0.45, shape.colour);
        light.addColorStop(1, shape.colour);
        pen.arc(x, y, r, 0, 2 * Math.PI);
        pen.fillStyle = light;
        pen.fill();
        pen.strokeStyle = "#3a3f45";
        pen.lineWidth = 0.7;
      }
      pen.stroke();
    });
    legend();
    figure.dataset.view = [turn, tilt, zoom].map((x) => x.toFixed(3)).join(" ");
  }

  function legend() {
    pen.font = "15px sans-serif";
    Object.entries(scene.colours).forEach(function ([symbol, colour], i) {
      const [x, y] = [16 - PIXELS / 2, 22 * i + 16 - PIXELS / 2];
      pen.beginPath();
      pen.arc(x, y, 7, 0, 2 * Math.PI);
      pen.fillStyle = colour;
      pen.fill();
      pen.stroke();
      pen.fillStyle = "#1f2933";
      pen.fillText(symbol, x + 13, y + 5);
    });
  }

  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", function (event) {
    if (!event.buttons) return;
    turn += event.movementX * 0.01;
    tilt = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, tilt + event.movementY * 0.01));
    draw();
  });
  canvas.addEventListener("wheel", function (event) {
    event.preventDefault();
    zoom = Math.max(0.3, Math.min(5, zoom * Math.exp(-event.deltaY * 0.001)));
    draw();
  }, { passive: false });
  canvas.addEventListener("dblclick", function () {
    [turn, tilt, zoom] = [...START, 1];
    draw();
  });
  picture.replaceWith(canvas);
  draw();
});
