"use strict";
(() => {
  const list = document.getElementById("gap-list");
  const controls = document.getElementById("controls");
  if (!list || !controls) return;
  const gaps = Array.from(list.children);
  const shown = document.getElementById("shown");
  const field = (name) => controls.elements.namedItem(name);
  const ranks = { critical: 0, high: 1, medium: 2, low: 3, info: 4, S: 0, M: 1, L: 2 };
  const order = {
    points: (a, b) => b.dataset.points - a.dataset.points,
    severity: (a, b) => ranks[a.dataset.severity] - ranks[b.dataset.severity],
    effort: (a, b) => ranks[a.dataset.effort] - ranks[b.dataset.effort],
    rule: (a, b) => (a.dataset.rule < b.dataset.rule ? -1 : 1),
  };
  const update = () => {
    const text = field("text").value.trim().toLowerCase();
    let count = 0;
    for (const gap of gaps) {
      const fits = (name) => !field(name).value || gap.dataset[name] === field(name).value;
      gap.hidden = !(fits("category") && fits("severity") && (!text || gap.textContent.toLowerCase().includes(text)));
      if (!gap.hidden) count += 1;
    }
    const by = order[field("sort").value];
    list.append(...gaps.slice().sort((a, b) => by(a, b) || order.points(a, b)));
    shown.textContent = count === gaps.length ? `${count} gaps` : `${count} of ${gaps.length} gaps`;
  };
  controls.hidden = false;
  controls.addEventListener("input", update);
  controls.addEventListener("submit", (event) => event.preventDefault());
  // On paper everything is open.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
  update();
})();
