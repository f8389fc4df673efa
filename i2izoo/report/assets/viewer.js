// An image large: left and right flip through the sides of its case in one place, up and down through the cases.
const viewer = document.getElementById("viewer");
const image = document.getElementById("viewer-image");
let current = null; // the figure that is shown

const figures = section => [...section.querySelectorAll("figure")].filter(figure => figure.querySelector("img"));
const sections = () => [...document.querySelectorAll(".case:not([hidden])")];
const title = figure => figure.querySelector(".name").textContent;

function fit() {
  const stage = image.parentElement;
  const scale = Math.min(stage.clientWidth / image.naturalWidth, stage.clientHeight / image.naturalHeight);
  // whole multiples keep pixels square and equal
  const factor = scale > 1 ? Math.floor(scale) : scale;
  image.style.width = `${image.naturalWidth * factor}px`;
  image.style.height = `${image.naturalHeight * factor}px`;
  image.classList.toggle("pixels", factor > 1);
}

function show(figure) {
  current = figure;
  const section = figure.closest(".case");
  image.src = figure.querySelector("img").src;
  image.alt = figure.querySelector("img").alt;
  const scores = [...figure.querySelectorAll("dl div")].map(each => `${each.firstChild.textContent} ${each.lastChild.textContent}`);
  document.getElementById("viewer-title").textContent = [section.dataset.name, title(figure), ...scores].join("  ·  ");
  document.getElementById("viewer-sides").replaceChildren(...figures(section).map(each => {
    const button = Object.assign(document.createElement("button"), {type: "button", textContent: title(each)});
    if (each === figure) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => show(each));
    return button;
  }));
  if (!viewer.open) viewer.showModal();
  image.decode().then(fit, () => {});
}

function step(across, down) {
  const section = current.closest(".case");
  if (across) {
    const all = figures(section);
    return show(all[(all.indexOf(current) + across + all.length) % all.length]);
  }
  const all = sections();
  const next = all[(all.indexOf(section) + down + all.length) % all.length];
  show(figures(next).find(each => title(each) === title(current)) ?? figures(next)[0]);
}

const moves = {
  ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0), ArrowUp: () => step(0, -1), ArrowDown: () => step(0, 1),
};
viewer.addEventListener("keydown", event => {
  if (!moves[event.key]) return;
  event.preventDefault();
  moves[event.key]();
});
viewer.addEventListener("click", event => {
  const go = event.target.dataset.go;
  if (go === "left") step(-1, 0);
  else if (go === "right") step(1, 0);
  else if (go === "close" || event.target.matches(".stage")) viewer.close();
});
addEventListener("resize", () => viewer.open && fit());
document.addEventListener("click", event => {
  const frame = event.target.closest(".frame:not(.missing)");
  if (frame) show(frame.closest("figure"));
});
