"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  document.querySelector(".tools").hidden = false;

  // a link into folded steps unfolds them
  const reveal = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id && find(id);
    if (!target) return;
    for (let node = target.closest("details"); node; node = node.parentElement.closest("details"))
      node.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  const unfold = find("unfold");
  unfold.addEventListener("click", () => {
    const open = unfold.getAttribute("aria-pressed") !== "true";
    unfold.setAttribute("aria-pressed", open);
    for (const steps of document.querySelectorAll("details.steps")) steps.open = open;
  });

  const theme = find("theme"), root = document.documentElement;
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const named = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    named();
  });
  named();

  // every word must occur; a word in the title counts more
  const rows = JSON.parse(find("index").textContent);
  const plain = (text) => text.toLowerCase().normalize("NFKD");
  const texts = rows.map((row) => [plain(row[2]), plain(row.join(" "))]);
  const found = find("found");
  find("search").addEventListener("input", (event) => {
    const words = plain(event.target.value).split(/\s+/).filter(Boolean);
    const score = ([title, text]) => words.every((word) => text.includes(word))
      ? 1 + words.filter((word) => title.includes(word)).length : 0;
    const best = !words.length ? [] : rows.map((row, i) => [score(texts[i]), row])
      .filter(([value]) => value).sort((x, y) => y[0] - x[0]).slice(0, 12);
    found.replaceChildren(...best.map(([, [name, number, title]]) => {
      const item = document.createElement("li"), link = document.createElement("a");
      link.href = "#" + name;
      link.textContent = number + " " + title;
      item.append(link);
      return item;
    }));
    if (words.length && !best.length) found.textContent = "nothing found";
  });
})();
