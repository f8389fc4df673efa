// Which cases are shown, and the magnifier: every image of a row shows the same place.
const data = JSON.parse(document.getElementById("data").textContent);
const form = document.getElementById("which");
const cases = new Map([...document.querySelectorAll(".case")].map(section => [section.dataset.name, section]));

function option(value, text) {
  return Object.assign(document.createElement("option"), {value, textContent: text});
}

function show() {
  const {kind, metric, model} = form.elements;
  const chosen = kind.value === "chosen";
  metric.disabled = model.disabled = chosen;
  const by = data.metrics[metric.value];
  const names = chosen ? data.chosen : by[kind.value][model.value];
  for (const section of cases.values()) {
    section.hidden = true;
    section.classList.remove("found");
  }
  for (const name of names) {
    cases.get(name).hidden = false;
    document.getElementById("cases").append(cases.get(name));
  }
  const total = data.names.length + data.left_out;
  const told = chosen
    ? `${names.length} of ${total} images, ${data.named ? "the named ones first, the others " : ""}spread evenly over the data.`
    : `${names.length} of ${total} images: the ${kind.value} ${by.label} of ${data.models[model.value]}, the ${kind.value} first.`;
  document.getElementById("told").textContent =
    names.length || chosen ? told : "None of these are in this file, which keeps to a few megabytes.";
}

if (form) {
  const {metric, model} = form.elements;
  const ranked = data.metrics.map(each => each.worst.some(list => list.length));
  metric.append(...data.metrics.map((each, k) => option(k, each.label)).filter((_, k) => ranked[k]));
  model.append(...data.models.map((name, m) => option(m, name)));
  if (!metric.options.length) form.hidden = true;
  form.addEventListener("change", show);
  form.addEventListener("submit", event => event.preventDefault());
  show();
}

document.addEventListener("show-case", ({detail: name}) => {
  const section = cases.get(name);
  if (section.hidden) {
    section.hidden = false;
    document.getElementById("cases").prepend(section);
  }
  for (const each of cases.values()) each.classList.toggle("found", each === section);
  section.scrollIntoView({behavior: "smooth", block: "start"});
});

// An image that is drawn larger than it is shows its pixels.
function crisp(image) {
  if (image.naturalWidth) image.classList.toggle("pixels", image.clientWidth > image.naturalWidth);
}
const watch = new ResizeObserver(entries => entries.forEach(entry => crisp(entry.target)));

for (const row of document.querySelectorAll(".case .row")) {
  for (const image of row.querySelectorAll("img")) watch.observe(image);
  row.addEventListener("pointermove", event => {
    const frame = event.target.closest(".frame:not(.missing)");
    row.classList.toggle("zooming", Boolean(frame) && event.pointerType === "mouse");
    if (!frame) return;
    const box = frame.getBoundingClientRect();
    const image = frame.querySelector("img");
    // at least threefold, and far enough to see single pixels
    const zoom = Math.min(Math.max(2.5 * image.naturalWidth / box.width, 3), 8);
    row.style.setProperty("--x", `${100 * (event.clientX - box.left) / box.width}%`);
    row.style.setProperty("--y", `${100 * (event.clientY - box.top) / box.height}%`);
    row.style.setProperty("--zoom", zoom);
  });
  row.addEventListener("pointerleave", () => row.classList.remove("zooming"));
}
