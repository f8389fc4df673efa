// Sort the table by a column: first in the metric's own direction, again in the other. Rows without a value stay last.
const table = document.getElementById("scores");

function key(row, index) {
  const cell = row.cells[index];
  if (index === 0) return cell.querySelector(".name").textContent;
  return cell.dataset.value === undefined ? null : Number(cell.dataset.value.replace("inf", "Infinity"));
}

function compare(a, b) {
  return typeof a === "string" ? a.localeCompare(b, "en", {numeric: true}) : a - b;
}

function sort(head) {
  const first = head.dataset.first ?? "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const each of head.parentElement.cells) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const keyed = [...table.tBodies[0].rows].map(row => ({row, value: key(row, head.cellIndex)}));
  keyed.sort((a, b) => {
    if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
    return order === "ascending" ? compare(a.value, b.value) : compare(b.value, a.value);
  });
  table.tBodies[0].append(...keyed.map(each => each.row));
}

for (const head of table.tHead.rows[0].cells) head.querySelector("button").addEventListener("click", () => sort(head));
