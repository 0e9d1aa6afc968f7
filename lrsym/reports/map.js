// The map of a sweep: a button a cell, on a plane of two axes, or in a list where cells do not fill one.

const MAX_LISTED = 300, MAX_SPARSE = 40, SPARSE = 1.5;
const VIRIDIS = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];

// The colour at a share of the scale that the pictures have, by its eleven stops.
function viridis(share) {
  const place = share * (VIRIDIS.length - 1), below = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const [from, to] = VIRIDIS.slice(below, below + 2).map(colour => [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16)));
  return `rgb(${from.map((one, i) => Math.round(one + (to[i] - one) * (place - below))).join(", ")})`;
}

const LOSSES = {n_diverged: "diverged", n_failed: "failed", n_missing: "not trained"};

class CellMap {
  constructor(place, page, sweep, onSelect) {
    Object.assign(this, {place, page, sweep, onSelect});
    this.tables = Object.fromEntries(Object.entries(sweep.means).map(([name, means]) => [name, new Table(means)]));
    this.phases = Object.fromEntries(Object.entries(sweep.phases).map(([name, phases]) => [name, new Table(phases)]));
    this.metric = sweep.metric in sweep.means ? sweep.metric : Object.keys(sweep.means)[0];
    this.shows = "mean";
    this.plane = sweep.axes.slice(0, 2).map(axis => axis.name);
    this.fixed = Object.fromEntries(sweep.axes.map(axis => [axis.name, 0]));
    this.cell = this.best();
    for (const axis of sweep.axes) this.fixed[axis.name] = axis.at[this.cell];
    this.controls();
    this.draw();
    this.part("map").addEventListener("keydown", event => this.move(event));
  }

  part(name) { return this.place.querySelector(`[data-part="${name}"]`); }
  get accuracy() { return this.metric.slice(this.metric.indexOf("_") + 1); }
  axis(name) { return this.sweep.axes.find(axis => axis.name === name); }

  estimate(cell) {
    const table = this.tables[this.metric], row = table.first(cell);
    if (row === undefined) return {n: 0, mean: null, low: null, high: null, apart: false};
    return Object.fromEntries(["n", "mean", "low", "high", "apart"].map(name => [name, table.at(name, row)]));
  }

  phase(cell) {
    const table = this.phases[this.accuracy], row = table && table.first(cell);
    return row === undefined ? null : this.page.phases[table.at("phase", row)];
  }

  // The path of most seeds; null where no seed has one.
  path(cell) {
    const counts = this.page.paths.map(path => this.sweep.paths[path.name][cell]), most = Math.max(...counts);
    return most ? this.page.paths[counts.indexOf(most)] : null;
  }

  hasLost(cell) { return this.sweep.counts.n_diverged[cell] + this.sweep.counts.n_failed[cell] > 0; }

  losses(cell) {
    return Object.entries(LOSSES).filter(([name]) => this.sweep.counts[name][cell]).map(([name, what]) => `${this.sweep.counts[name][cell]} ${what}`);
  }

  best() {
    const means = this.sweep.cells.map((_, cell) => this.estimate(cell).mean ?? -1);
    return means.reduce((best, mean, cell) => mean > means[best] ? cell : best, 0);
  }

  controls() {
    const bar = this.part("controls");
    const choice = (label, options, chosen, onChange) => {
      const select = element("select", {"data-of": label}, ...options.map(([value, text]) => element("option", {value, textContent: text, selected: value === chosen})));
      select.addEventListener("change", () => {
        onChange(select.value);
        this.controls();
        this.draw();
        bar.querySelector(`select[data-of="${label}"]`)?.focus();
        this.onSelect(this.cell);
      });
      bar.append(element("label", {}, element("span", {textContent: label}), select));
    };
    const names = this.sweep.axes.map(axis => [axis.name, axis.title]);
    bar.replaceChildren();
    choice("outcome", Object.keys(this.tables).map(name => [name, name]), this.metric, value => { this.metric = value; });
    const kinds = [["mean", "mean over seeds"], ["phase", "phase"]];
    if (this.page.paths.some(path => this.sweep.paths[path.name].some(Boolean))) kinds.push(["path", "path of most seeds"]);
    choice("colours", kinds, this.shows, value => { this.shows = value; });
    this.plane.forEach((name, i) => names.length > 1 && choice(["across", "upward"][i], names, name, value => {
      if (this.plane[1 - i] === value) this.plane[1 - i] = name;
      this.plane[i] = value;
    }));
    for (const axis of this.sweep.axes.filter(axis => !this.plane.includes(axis.name))) {
      choice(axis.name, axis.values.map((text, i) => [String(i), text]), String(this.fixed[axis.name]), value => { this.fixed[axis.name] = Number(value); });
    }
  }

  draw() {
    const others = this.sweep.axes.filter(axis => !this.plane.includes(axis.name));
    const cells = [...this.sweep.cells.keys()].filter(cell => others.every(axis => axis.at[cell] === this.fixed[axis.name]));
    const [x, y] = this.plane.map(name => this.axis(name));
    const size = (x ? x.values.length : 1) * (y ? y.values.length : 1);
    if (!cells.includes(this.cell)) this.cell = cells.length ? cells[0] : this.cell;
    const sparse = size > MAX_SPARSE && size > SPARSE * cells.length;
    const titles = sparse ? ["Cells from the best on: they do not fill a plane of two axes."] : [y && `Upward: ${y.title}.`, x && `Across: ${x.title}.`];
    this.part("map").replaceChildren(sparse ? this.list() : this.grid(cells, x, y));
    this.part("titles").textContent = titles.filter(Boolean).join(" ");
    this.part("about").textContent = this.sweep.means[this.metric].about;
    this.part("legend").replaceChildren(...this.legend());
    this.mark();
  }

  grid(cells, x, y) {
    const at = new Map(cells.map(cell => [`${x ? x.at[cell] : 0},${y ? y.at[cell] : 0}`, cell]));
    const body = element("tbody");
    for (let row = (y ? y.values.length : 1) - 1; row >= 0; row--) {
      const line = element("tr", {}, element("th", {scope: "row", textContent: y ? y.values[row] : ""}));
      for (let column = 0; column < (x ? x.values.length : 1); column++) {
        const cell = at.get(`${column},${row}`);
        line.append(element("td", {}, ...(cell === undefined ? [] : [this.button(cell, row, column)])));
      }
      body.append(line);
    }
    const ends = x ? x.values.map(text => element("th", {scope: "col", textContent: text})) : [];
    return element("table", {className: "plane"}, body, element("tfoot", {}, element("tr", {}, element("th"), ...ends)));
  }

  list() {
    const value = cell => this.estimate(cell).mean ?? -1;
    const cells = [...this.sweep.cells.keys()].sort((a, b) => value(b) - value(a));
    const shown = cells.slice(0, MAX_LISTED).map((cell, row) => element("li", {}, this.button(cell, -row, 0), element("span", {textContent: this.sweep.cells[cell]})));
    const more = cells.length > MAX_LISTED ? `The best ${MAX_LISTED} of ${cells.length.toLocaleString("en")}.` : "";
    return element("div", {}, element("ol", {className: "list"}, ...shown), element("p", {className: "muted", textContent: more}));
  }

  button(cell, row, column) {
    const {n, mean, low, high} = this.estimate(cell), losses = this.losses(cell), named = this[this.shows === "mean" ? "phase" : this.shows](cell);
    const {background, dark} = this.colour(cell);
    const text = mean === null ? "–" : this.shows === "mean" ? mean.toFixed(2) : named ? named.name.split(" ")[0] : "–";
    const interval = low === null ? "" : ` [${show(low)}, ${show(high)}]`;
    const told = [`${this.metric} ${show(mean)}${interval}`, counted(n, "seed"), ...losses, ...(named ? [named.name] : [])].join(", ");
    const button = element("button", {
      type: "button", title: told, tabIndex: -1, className: `cell${this.hasLost(cell) ? " lost" : ""}${background ? "" : " empty"}${dark ? " dark" : ""}`,
      "aria-label": `${this.sweep.cells[cell]}: ${told}`, "data-cell": cell, "data-row": row, "data-column": column,
    }, element("b", {textContent: text}), element("small", {textContent: mean === null && losses.length ? losses.join(", ") : `n=${n}`}));
    if (background) button.style.background = background;
    button.addEventListener("click", () => this.select(cell));
    return button;
  }

  colour(cell) {
    if (this.shows !== "mean") {
      const named = this[this.shows](cell);
      return {background: named && named.colour, dark: named && named.dark};
    }
    const mean = this.estimate(cell).mean, chance = this.sweep.means[this.metric].chance;
    if (mean === null) return {background: null, dark: false};
    const share = Math.min(1, Math.max(0, (mean - chance) / (1 - chance)));
    return {background: viridis(share), dark: share < 0.5};
  }

  legend() {
    if (this.shows !== "mean") {
      const about = {phase: this.page.phases, path: this.page.paths}[this.shows];
      return about.map(one => element("div", {}, element("i", {style: `background: ${one.colour}`}), ` ${one.name}: ${one.about}`));
    }
    const chance = this.sweep.means[this.metric].chance;
    const bar = element("span", {className: "gradient", style: `background: linear-gradient(to right, ${VIRIDIS.join(", ")})`});
    return [element("div", {}, chance ? `${chance} (chance) ` : "0 ", bar, " 1"), element("div", {textContent: "Red corner: seeds diverged or failed. Grey: no seed has a value."})];
  }

  select(cell) {
    this.cell = cell;
    this.mark();
    this.onSelect(cell);
  }

  mark() {
    for (const button of this.part("map").querySelectorAll("button")) {
      const chosen = Number(button.dataset.cell) === this.cell;
      button.setAttribute("aria-pressed", chosen);
      button.tabIndex = chosen ? 0 : -1;
      if (chosen) this.reveal(button);
    }
  }

  // Scroll the map sideways, and nothing else, until the button is in sight.
  reveal(button) {
    const place = this.part("map"), [own, all] = [button, place].map(one => one.getBoundingClientRect());
    if (own.left < all.left + own.width || own.right > all.right) place.scrollLeft += own.left - all.left - all.width / 2;
  }

  move(event) {
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0]}[event.key];
    const from = event.target.closest("button");
    if (!step || !from) return;
    event.preventDefault();
    const [row, column] = [Number(from.dataset.row) + step[0], Number(from.dataset.column) + step[1]];
    const to = this.part("map").querySelector(`button[data-row="${row}"][data-column="${column}"]`);
    if (to) { to.focus(); this.select(Number(to.dataset.cell)); }
  }
}
