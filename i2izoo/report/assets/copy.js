// "Copy" beside a block of text; where the clipboard is closed to files, the text is selected instead.
for (const button of document.querySelectorAll("[data-copy]")) {
  const block = document.getElementById(button.dataset.copy);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block);
      button.textContent = "Selected: press Ctrl+C";
    }
  });
}
