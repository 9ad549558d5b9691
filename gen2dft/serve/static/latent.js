// The map of a latent space: training crystals and candidates on a canvas; a click on a candidate opens its crystal.
"use strict";

const figure = document.getElementById("map"), canvas = figure.querySelector("canvas"), tip = document.getElementById("tip");
const pen = canvas.getContext("2d"), sharp = window.devicePixelRatio || 1, MARGIN = 34, NEAR = 9;
const KINDS = { other: ["#cc5f9b", 2.2], computed: ["#1f2933", 4.5], hit: ["#d55e00", 7] };
let points = null, shown = [], place = null, marked = decodeURIComponent(location.hash.slice(1));

fetch(figure.dataset.points).then(function (answer) {
  if (!answer.ok) throw new Error("there is no map of this round: it has not sampled yet, or its sources have no latent space");
  return answer.json();
}).then(function (found) {
  points = found;
  const choice = document.getElementById("property");
  Object.entries(points.properties).forEach(([name, title]) => choice.add(new Option(title, name)));
  draw();
}).catch(function (error) { document.getElementById("legend").textContent = error.message; });

function quantile(values, share) {
  return values.slice().sort((a, b) => a - b)[Math.round(share * (values.length - 1))];
}

// Limits that show nearly all points: single strays must not shrink the map.
function scales(width, height) {
  const limits = ["x", "y"].map(function (axis) {
    const values = points.training[axis].concat(points.candidates.filter((c) => c.kind === "hit").map((c) => c[axis]));
    const [low, high] = [quantile(values, 0.005), quantile(values, 0.995)];
    return [low - 0.1 * (high - low) - 1e-9, high + 0.1 * (high - low) + 1e-9];
  });
  return (x, y) => [
    MARGIN + (x - limits[0][0]) / (limits[0][1] - limits[0][0]) * (width - 2 * MARGIN),
    height - MARGIN - (y - limits[1][0]) / (limits[1][1] - limits[1][0]) * (height - 2 * MARGIN),
  ];
}

function dot(x, y, radius, colour) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = colour;
  pen.fill();
}

function draw() {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * sharp;
  canvas.height = height * sharp;
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  place = scales(width, height);
  const text = drawTraining();
  const others = document.getElementById("others").checked;
  shown = points.candidates.filter((c) => others || c.kind !== "other").map((c) => ({ ...c, at: place(c.x, c.y) }));
  ["other", "computed", "hit"].forEach((kind) => shown.filter((c) => c.kind === kind)
    .forEach((c) => dot(...c.at, KINDS[kind][1], KINDS[kind][0])));
  shown.filter((c) => c.id === marked).forEach(ring);
  axes(width, height);
  const counts = Object.keys(KINDS).map((kind) => `${kind} ${points.candidates.filter((c) => c.kind === kind).length}`);
  document.getElementById("legend").textContent =
    `Candidates: ${counts.join(", ")} (pink: no engine computed them, black: computed, orange: hit). ${text}`;
  figure.dataset.drawn = String(shown.length);
}

// Grey, or from dark blue (low) to yellow (high) by the property chosen; the extreme 2 % at either end are left out of the scale.
function drawTraining() {
  const name = document.getElementById("property").value;
  const values = name ? points.training.values[name] : null;
  const known = values ? values.filter((v) => v !== null) : [];
  const [low, high] = known.length ? [quantile(known, 0.02), quantile(known, 0.98)] : [0, 1];
  points.training.x.forEach(function (x, i) {
    const value = values ? values[i] : null;
    const share = value === null ? null : Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
    const colour = share === null ? "#d3d8de" : `rgb(${Math.round(253 * share)},${Math.round(34 + 198 * share)},${Math.round(78 - 23 * share)})`;
    dot(...place(x, points.training.y[i]), 2.6, colour);
  });
  return known.length ? `Training crystals: ${points.properties[name]}, from ${low} (dark) to ${high} (light); grey: not labelled.` : "Grey: training crystals.";
}

function ring(candidate) {
  pen.beginPath();
  pen.arc(...candidate.at, 12, 0, 2 * Math.PI);
  pen.strokeStyle = "#0072b2";
  pen.lineWidth = 2.5;
  pen.stroke();
}

function axes(width, height) {
  const titles = points.shares.map((share, i) => `PC ${i + 1} (${Math.round(100 * share)} % of variance)`);
  pen.fillStyle = "#5b6773";
  pen.font = "13px sans-serif";
  pen.textAlign = "center";
  pen.fillText(titles[0], width / 2, height - 10);
  pen.save();
  pen.translate(16, height / 2);
  pen.rotate(-Math.PI / 2);
  pen.fillText(titles[1], 0, 0);
  pen.restore();
}

function nearest(event) {
  const far = (c) => Math.hypot(c.at[0] - event.offsetX, c.at[1] - event.offsetY);
  const order = ["other", "computed", "hit"];
  return shown.filter((c) => far(c) < NEAR).sort((a, b) => order.indexOf(b.kind) - order.indexOf(a.kind) || far(a) - far(b))[0];
}

canvas.addEventListener("mousemove", function (event) {
  const found = nearest(event);
  tip.hidden = !found;
  if (!found) return;
  tip.textContent = `${found.formula}\n${found.state}\n${found.id}`;
  tip.style.left = `${Math.min(event.offsetX + 14, canvas.clientWidth - 190)}px`;
  tip.style.top = `${event.offsetY + 14}px`;
});
canvas.addEventListener("click", function (event) {
  const found = nearest(event);
  if (found) location.href = figure.dataset.candidates + encodeURIComponent(found.id);
});
document.getElementById("controls").addEventListener("change", () => points && draw());
window.addEventListener("resize", () => points && draw());
