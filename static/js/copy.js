// A button with data-copy copies: data-copy-value as it stands, the text of "#id", or with
// "previous" the code block before it.
(() => {
  const text = (button) => {
    if ("copyValue" in button.dataset) return button.dataset.copyValue;
    const where = button.dataset.copy;
    if (where === "previous") {
      const blocks = [...document.querySelectorAll("pre, .cmd, [data-copy-text]")];
      return blocks
        .filter((block) => block.compareDocumentPosition(button) & Node.DOCUMENT_POSITION_FOLLOWING)
        .pop()?.textContent;
    }
    return document.querySelector(where)?.textContent;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    event.preventDefault();
    await navigator.clipboard.writeText(text(button) ?? "");
    const said = button.querySelector(".said") ?? document.createElement("span");
    said.className = "said";
    said.setAttribute("role", "status");
    said.textContent = "Copied";
    button.append(said);
    setTimeout(() => said.remove(), 2000);
  });
})();
