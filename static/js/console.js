// The console's prompt: Enter runs, arrows go back, names complete, help follows what is typed.
// Everything is put into the page as text. Without this file the form and the panels still work.
(() => {
  const root = document.querySelector("[data-console]");
  if (!root) return;
  const form = root.querySelector("[data-prompt]");
  const field = form.querySelector("textarea");
  const list = document.getElementById("completions");
  const transcript = document.getElementById("transcript");
  const help = root.querySelector("[data-help]");
  const past = root.querySelector("[data-past]");
  let commands = {};
  let names = [];
  let lines = [];
  let place = -1;
  let draft = "";
  let chosen = -1;

  const ask = async (address, query = "") => {
    const answer = await fetch(address + query, {headers: {Accept: "application/json"}});
    return answer.ok ? answer.json() : null;
  };

  ask(root.dataset.guide).then((told) => {
    if (!told) return;
    commands = told.commands;
    names = Object.keys(commands);
    explain();
    if (document.activeElement === field) complete(); // what was typed before the names were here
  });
  ask(root.dataset.lines).then((told) => { if (told) lines = told.lines; });

  const fit = () => {
    field.rows = Math.min(Math.max(field.value.split("\n").length, 1), 12);
  };

  // The line that the caret is in: its beginning up to the caret, and the command it names.
  const here = () => {
    const before = field.value.slice(0, field.selectionStart);
    return before.slice(before.lastIndexOf("\n") + 1).trimStart();
  };
  const commandOf = (line) => {
    const words = line.toUpperCase().split(/\s+/).filter(Boolean);
    const two = words.slice(0, 2).join(" ");
    return two in commands ? two : words[0] in commands ? words[0] : null;
  };

  const part = (name) => help.querySelector(`[data-h=${name}]`);
  const explain = () => {
    const name = commandOf(here() || field.value);
    const one = name && commands[name];
    if (!one || part("name").textContent === name) return;
    part("name").textContent = name;
    part("summary").textContent = one.summary;
    part("syntax").textContent = one.syntax;
    part("syntax").hidden = false;
    part("who").textContent = one.who;
    part("deprecated").textContent = one.deprecated;
    part("facts").textContent = one.facts;
  };

  const close = () => {
    list.hidden = true;
    list.replaceChildren();
    chosen = -1;
    field.removeAttribute("aria-activedescendant");
  };

  const complete = () => {
    const typed = here().toUpperCase();
    const done = names.includes(typed);
    const words = typed.split(/\s+/).length;
    const found = typed && words <= 2 && !done && field.selectionStart === field.value.length
      ? names.filter((name) => name.startsWith(typed)).slice(0, 8) : [];
    if (!found.length) return close();
    list.replaceChildren(...found.map((name, at) => {
      const item = document.createElement("li");
      item.id = `completion-${at}`;
      item.role = "option";
      item.dataset.name = name;
      const mono = document.createElement("b");
      mono.className = "mono";
      mono.textContent = name;
      const words = document.createElement("span");
      words.textContent = commands[name].may ? commands[name].summary : commands[name].who;
      item.append(mono, words);
      return item;
    }));
    list.hidden = false;
    mark(0);
  };

  const mark = (at) => {
    const items = [...list.children];
    chosen = (at + items.length) % items.length;
    items.forEach((item, n) => item.setAttribute("aria-selected", String(n === chosen)));
    field.setAttribute("aria-activedescendant", items[chosen].id);
  };

  const take = (name) => {
    const before = field.value.slice(0, field.selectionStart);
    const start = before.lastIndexOf("\n") + 1;
    field.setRangeText(`${name} `, start, field.selectionStart, "end");
    close();
    explain();
    field.focus();
  };

  const put = (text) => {
    field.value = text;
    fit();
    close();
    explain();
    field.focus();
  };

  const recall = (step) => {
    if (place < 0) draft = field.value;
    place = Math.min(Math.max(place + step, -1), lines.length - 1);
    put(place < 0 ? draft : lines[place]);
  };

  field.addEventListener("input", () => { place = -1; fit(); complete(); explain(); });
  field.addEventListener("click", explain);
  field.addEventListener("blur", () => setTimeout(close, 150));
  field.addEventListener("keydown", (event) => {
    const first = !field.value.slice(0, field.selectionStart).includes("\n");
    const last = !field.value.slice(field.selectionEnd).includes("\n");
    const open = !list.hidden;
    if (event.key === "Tab" && open && !event.shiftKey) {
      event.preventDefault();
      take(list.children[chosen].dataset.name);
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      close();
      if (field.value.trim()) form.requestSubmit();
    } else if (event.key === "ArrowUp" && open) {
      event.preventDefault();
      mark(chosen - 1);
    } else if (event.key === "ArrowDown" && open) {
      event.preventDefault();
      mark(chosen + 1);
    } else if (event.key === "ArrowUp" && first && lines.length) {
      event.preventDefault();
      recall(1);
    } else if (event.key === "ArrowDown" && last && place >= 0) {
      event.preventDefault();
      recall(-1);
    }
  });
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    if (!item) return;
    event.preventDefault();
    take(item.dataset.name);
  });

  root.addEventListener("click", (event) => {
    const source = event.target.closest("[data-type]");
    if (!source || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    put(source.dataset.type);
  });

  // What was run joins the history as the server wrote it down, its secrets masked.
  const remember = () => ask(root.dataset.lines).then((told) => {
    if (!told) return;
    lines = told.lines;
    past.replaceChildren(...lines.slice(0, 50).map((text) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "plain mono cut";
      button.dataset.type = text;
      button.textContent = text.slice(0, 200);
      item.append(button);
      return item;
    }));
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== transcript) return;
    transcript.querySelector("[data-start]")?.remove();
    const asking = event.detail.requestConfig.elt;
    const runs = [...transcript.querySelectorAll(".ran")];
    const answered = runs.at(-1);
    if (asking === form && answered?.matches(".reply, .error, .unknown, .confirm, .choose")) put("");
    // A question that was answered asks no more.
    if (asking !== form && asking.isConnected) asking.closest(".ran")?.remove();
    while (transcript.querySelectorAll(".ran").length > 100) transcript.querySelector(".ran").remove();
    const ask = answered?.querySelector("[name=confirm]");
    transcript.scrollTop = transcript.scrollHeight;
    answered?.scrollIntoView({block: "nearest"});
    (ask ?? field).focus({preventScroll: true});
    if (!ask) field.select(); // what was not run can be mended, or typed over
    place = -1;
    // At once, for who presses the arrow before the server has answered.
    const typed = answered?.querySelector(".typed").textContent ?? "";
    if (typed && typed.length < 600 && typed !== lines[0]) lines.unshift(typed);
    remember();
  });

  fit();
  explain();
  transcript.scrollTop = transcript.scrollHeight;
})();
