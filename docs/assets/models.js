// Filters the table of models: a search, a list for each column of few values, and which columns are shown. The address
// keeps the choice. Without this script the table is whole.
{
  const zoo = document.getElementById("zoo");
  const table = zoo.querySelector("table");
  const heads = [...table.tHead.rows[0].cells], rows = [...table.tBodies[0].rows];
  const make = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const title = head => head.textContent.replace(/[↑↓]/, "").trim().replace(/\s+/g, " ");
  const textOf = (row, head) => row.cells[head.cellIndex].textContent;

  const form = make("form", {className: "filters", role: "search"});
  const search = make("input", {type: "search", name: "find", autocomplete: "off"});
  form.append(make("label", {}, "Find ", search));
  const lists = heads.filter(head => "filter" in head.dataset).map(head => {
    const values = [...new Set(rows.map(row => textOf(row, head)))].filter(Boolean).sort();
    const options = ["", ...values].map(value => make("option", {value}, value || "any"));
    const name = title(head).toLowerCase().replaceAll(" ", "-");
    return {head, select: make("select", {name}, ...options), useful: values.length > 1};
  });
  form.append(...lists.filter(each => each.useful).map(each => make("label", {}, title(each.head) + " ", each.select)));

  const columns = make("details", {className: "columns"}, make("summary", {}, "Columns"));
  const boxes = heads.slice(1).map(head => ({head, box: make("input", {type: "checkbox", checked: !("optional" in head.dataset)})}));
  columns.append(...boxes.map(({head, box}) => make("label", {}, box, " " + title(head))));
  const count = make("output", {});
  const reset = make("button", {type: "reset"}, "Reset");
  form.append(columns, reset, count);
  for (const {box} of boxes) box.defaultChecked = box.checked;

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = `${row.textContent} ${row.dataset.about}`.toLowerCase();
      row.hidden = !words.every(word => text.includes(word))
        || lists.some(({head, select}) => select.value && textOf(row, head) !== select.value);
      shown += !row.hidden;
    }
    count.textContent = shown ? `${shown} of ${rows.length} rows` : "nothing matches";
    for (const {head, box} of boxes) {
      for (const row of [head.parentElement, ...rows]) row.cells[head.cellIndex].hidden = !box.checked;
    }
    const chosen = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    history.replaceState(null, "", `${location.pathname}${chosen.size ? `?${chosen}` : ""}${location.hash}`);
  };

  for (const [name, value] of new URLSearchParams(location.search)) {
    if (form.elements[name] && name) form.elements[name].value = value;
  }
  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", event => event.preventDefault());
  zoo.prepend(form);
  show();
}
