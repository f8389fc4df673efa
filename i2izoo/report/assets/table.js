// Sort a table by a column: first in the metric's own direction, again in the other. Rows without a value stay last.
function key(row, head) {
  const cell = row.cells[head.cellIndex];
  if (head.dataset.first === undefined) return (cell.querySelector(".name") ?? cell).textContent.trim();
  return cell.dataset.value === undefined ? null : Number(cell.dataset.value.replace("inf", "Infinity"));
}

function compare(a, b) {
  return typeof a === "string" ? a.localeCompare(b, "en", {numeric: true}) : a - b;
}

function sort(table, head) {
  const first = head.dataset.first ?? "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const each of head.parentElement.cells) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const keyed = [...table.tBodies[0].rows].map(row => ({row, value: key(row, head)}));
  keyed.sort((a, b) => {
    if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
    return order === "ascending" ? compare(a.value, b.value) : compare(b.value, a.value);
  });
  table.tBodies[0].append(...keyed.map(each => each.row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = Object.assign(document.createElement("button"), {type: "button"});
    button.append(...[...head.childNodes].filter(node => !node.classList?.contains("marks")));
    button.addEventListener("click", () => sort(table, head));
    head.prepend(button);
  }
}
