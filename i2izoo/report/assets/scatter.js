// One point for each image: two models on one metric, with the diagonal, or any two series.
const data = JSON.parse(document.getElementById("data").textContent);
const form = document.getElementById("axes");
const plot = document.getElementById("plot");
const panel = document.getElementById("point");
const MARGIN = {left: 62, right: 14, top: 12, bottom: 48};
let state = null; // what is drawn: series, points, the selected one

function element(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function html(name, className, text = "") {
  return Object.assign(document.createElement(name), {className, textContent: text});
}

const section = name => document.querySelector(`.case[data-name="${CSS.escape(name)}"]`);
const number = (series, value) => value.toFixed(series.decimals).replace("-", "\u2212");

function series(value) {
  const [k, m] = value.split(" ").map(Number);
  const metric = data.metrics[k];
  return {...metric, k, m, model: data.models[m], values: metric.values[m]};
}

// Round steps (1, 2, 5 times a power of ten), about five of them.
function ticks(low, high) {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(factor => factor * power >= raw);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return {found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9))};
}

function domain(values) {
  const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
  return [low - room, high + room];
}

function draw() {
  const {x, y} = state;
  const same = x.k === y.k;
  const width = plot.clientWidth, height = Math.min(width, 540);
  const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, MARGIN.top, height - MARGIN.bottom];
  const all = state.points;
  plot.replaceChildren();
  if (!all.length) return plot.append(html("p", "legend", "No image has both values."));
  const xs = all.map(p => p.x), ys = all.map(p => p.y);
  const [xd, yd] = same ? [domain([...xs, ...ys]), domain([...xs, ...ys])] : [domain(xs), domain(ys)];
  const px = v => left + (v - xd[0]) / (xd[1] - xd[0]) * (right - left);
  const py = v => bottom - (v - yd[0]) / (yd[1] - yd[0]) * (bottom - top);
  const svg = element("svg", {viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "img",
    "aria-label": `${all.length} images: ${x.label} of ${x.model} against ${y.label} of ${y.model}; arrow keys walk through them`});
  const tx = ticks(...xd), ty = ticks(...yd);
  for (const v of tx.found) {
    svg.append(element("line", {class: "grid", x1: px(v), x2: px(v), y1: top, y2: bottom}),
      element("text", {x: px(v), y: bottom + 17, "text-anchor": "middle"}, v.toFixed(tx.digits)));
  }
  for (const v of ty.found) {
    svg.append(element("line", {class: "grid", x1: left, x2: right, y1: py(v), y2: py(v)}),
      element("text", {x: left - 7, y: py(v) + 4, "text-anchor": "end"}, v.toFixed(ty.digits)));
  }
  const name = s => `${s.label}${s.unit ? ` (${s.unit})` : ""} of ${s.model}`;
  const clip = (text, room) => text.length * 7 > room ? `${text.slice(0, Math.max(4, Math.floor(room / 7) - 1))}…` : text;
  svg.append(element("text", {class: "title", x: (left + right) / 2, y: height - 10, "text-anchor": "middle"}, clip(name(x), right - left)),
    element("text", {class: "title", x: 14, y: (top + bottom) / 2, "text-anchor": "middle",
      transform: `rotate(-90 14 ${(top + bottom) / 2})`}, clip(name(y), bottom - top)));
  if (same && x.m !== y.m) {
    svg.append(element("line", {class: "diagonal", x1: px(xd[0]), y1: py(xd[0]), x2: px(xd[1]), y2: py(xd[1])}));
  }
  const dots = element("g");
  for (const p of all) {
    Object.assign(p, {cx: px(p.x), cy: py(p.y)});
    p.dot = element("circle", {cx: p.cx, cy: p.cy, r: p.full ? 5 : 4, class: p.full ? "full" : ""});
    dots.append(p.dot);
  }
  svg.append(dots);
  if (same && x.m !== y.m) {
    const above = all.filter(p => p.y > p.x).length, below = all.filter(p => p.y < p.x).length;
    const [upper, lower] = x.higher ? [y, x] : [x, y];
    const room = (right - left) * 0.8;
    svg.append(element("text", {class: "corner", x: left + 8, y: top + 16}, clip(`${upper.model} better on ${above}`, room)),
      element("text", {class: "corner", x: right - 8, y: bottom - 9, "text-anchor": "end"}, clip(`${lower.model} better on ${below}`, room)));
  }
  svg.addEventListener("pointermove", event => select(nearest(svg, event)));
  svg.addEventListener("click", event => { select(nearest(svg, event)); open(); });
  svg.addEventListener("keydown", event => {
    const by = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1}[event.key];
    if (by) {
      const order = [...all].sort((a, b) => a.x - b.x);
      select(order[(order.indexOf(state.selected) + by + order.length) % order.length]);
      event.preventDefault();
    } else if (event.key === "Enter") open();
  });
  plot.append(svg);
  const hidden = data.names.length - all.length;
  const facts = [];
  if (all.some(p => p.full) && !all.every(p => p.full)) facts.push("Filled: in full under Images.");
  if (hidden) facts.push(`${hidden} without two finite values left out.`);
  if (data.left_out) facts.push(`${data.left_out} further images are not drawn.`);
  plot.append(html("p", "legend", facts.join(" ")));
  mark();
}

function nearest(svg, event) {
  const box = svg.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  return state.points.reduce((a, b) => Math.hypot(a.cx - x, a.cy - y) <= Math.hypot(b.cx - x, b.cy - y) ? a : b);
}

function open() {
  if (state.selected.full) document.dispatchEvent(new CustomEvent("show-case", {detail: state.selected.name}));
}

function mark() {
  plot.querySelector(".on")?.classList.remove("on");
  const dot = state.selected?.dot;
  if (!dot) return;
  dot.classList.add("on");
  dot.parentElement.append(dot); // on top
}

function select(point) {
  if (point === state.selected) return;
  state.selected = point;
  mark();
  describe();
}

function describe() {
  const {x, y, selected: p} = state;
  if (!p) return panel.replaceChildren();
  const read = html("p", "read");
  read.append(...[[x, p.x], [y, p.y]].filter(([s], i) => !i || s.k !== x.k || s.m !== x.m)
    .map(([s, value]) => html("div", "", `${s.label} ${number(s, value)}  ${s.model}`)));
  const wanted = data.sides.map((side, i) => ({...side, i})).filter(side => side.model === null || side.model === x.m || side.model === y.m);
  const sources = p.full
    ? [...section(p.name).querySelectorAll("figure")].map(figure => figure.querySelector("img")?.src)
    : data.thumbnails[p.name] ?? [];
  const thumbs = html("div", "thumbs");
  for (const side of wanted) {
    if (!sources[side.i]) continue;
    const figure = html("figure", "");
    figure.append(Object.assign(document.createElement("img"), {src: sources[side.i], alt: ""}), html("figcaption", "", side.title));
    thumbs.append(figure);
  }
  panel.replaceChildren(html("h3", "", p.name), read, thumbs);
  if (p.full) panel.append(html("p", "", "Click the point for all models."));
}

function update() {
  const [x, y] = [series(form.elements.x.value), series(form.elements.y.value)];
  const points = [];
  data.names.forEach((name, i) => {
    if (x.values[i] === null || y.values[i] === null) return;
    points.push({name, x: x.values[i], y: y.values[i], full: Boolean(section(name))});
  });
  // begins with the image that the two models differ on most, of those that can be seen
  const seen = points.some(p => p.full) ? points.filter(p => p.full) : points;
  const far = p => x.k === y.k ? Math.abs(p.x - p.y) : p.y;
  state = {x, y, points, selected: seen.length ? seen.reduce((a, b) => far(a) >= far(b) ? a : b) : null};
  draw();
  describe();
}

if (form) {
  const {x, y} = form.elements;
  for (const choice of [x, y]) {
    data.metrics.forEach((metric, k) => {
      const group = Object.assign(document.createElement("optgroup"), {label: metric.label});
      data.models.forEach((model, m) => {
        if (metric.values[m].some(value => value !== null)) {
          group.append(Object.assign(document.createElement("option"), {value: `${k} ${m}`, textContent: `${metric.label}: ${model}`}));
        }
      });
      if (group.children.length) choice.append(group);
    });
  }
  y.selectedIndex = Math.min(1, y.options.length - 1);
  form.addEventListener("change", update);
  form.addEventListener("submit", event => event.preventDefault());
  update();
  let width = plot.clientWidth;
  new ResizeObserver(() => {
    if (plot.clientWidth !== width) { width = plot.clientWidth; draw(); }
  }).observe(plot);
}
