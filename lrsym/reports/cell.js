// What one cell holds: its seeds in a table, their curves, what is left without each term, profiles of the terms.

class CellView {
  constructor(place, page, sweep) {
    Object.assign(this, {place, page, sweep, charts: {}, turn: 0});
    this.trials = new Table(sweep.trials, sweep.trials && sweep.trials.trial_id.length);
    for (const name of ["curves", "seed_curves", "ablations", "seed_ablations", "profiles"]) this[name] = new Table(sweep[name]);
  }

  part(name) { return this.place.querySelector(`[data-part="${name}"]`); }

  async show(cell, map) {
    const turn = ++this.turn;
    this.part("name").textContent = this.sweep.cells[cell];
    this.part("says").textContent = this.sentence(cell, map);
    this.part("seeds").replaceChildren(this.seeds(cell, map));
    for (const [kind, panels] of Object.entries(this.panels(cell, map.accuracy))) {
      const shown = panels.filter(panel => panel.means.length || panel.seeds.length);
      this.part(`${kind}-none`).hidden = shown.length > 0;
      for (const panel of panels) {
        if (turn !== this.turn) return;
        await this.chart(kind, panel);
      }
    }
    if (turn === this.turn) this.place.dataset.shown = `${cell} ${map.metric}`;
  }

  sentence(cell, map) {
    const {n, mean, low, high, apart} = map.estimate(cell), phase = map.phase(cell);
    const interval = low === null ? "" : ` [${show(low)}, ${show(high)}]`;
    const paths = this.page.paths.map(path => [path.name, this.sweep.paths[path.name][cell]]).filter(([, count]) => count);
    return [
      mean === null ? `No seed has a value of ${map.metric}.` : `${map.metric} ${show(mean)}${interval}, n = ${n}${interval && " (95 % interval of the mean)"}.`,
      apart ? "One seed lies apart from the others, so the interval may miss the mean." : "",
      phase ? `Phase: ${phase.name}.` : "",
      paths.length ? `Paths: ${paths.map(([name, count]) => `${count} ${name}`).join(", ")}.` : "",
      map.losses(cell).length ? `Without: ${map.losses(cell).join(", ")}.` : "",
    ].filter(Boolean).join(" ");
  }

  seeds(cell, map) {
    if (!this.sweep.trials) return element("p", {className: "muted", textContent: "The rows of single trials do not fit on this page."});
    const accuracies = [...new Set([map.metric, ...["train", "seen", "unseen"].map(split => `${split}_${map.accuracy}`)])];
    const columns = ["seed", "status", ...accuracies, `steps_to_${map.metric}`, "path", "seconds", "trial_id"].filter(name => name in this.sweep.trials);
    const rows = this.trials.rows(cell), there = new Set(rows.map(row => this.trials.at("seed", row)));
    const body = element("tbody");
    for (const row of rows) {
      const message = this.trials.at("message", row);
      body.append(element("tr", {}, ...columns.map(name => element("td", {textContent: this.written(name, this.trials.at(name, row)), title: name === "status" && message ? message : "", className: name === "trial_id" ? "id" : ""}))));
    }
    for (let seed = this.sweep.seeds[0]; seed < this.sweep.seeds[1]; seed++) {
      if (!there.has(seed)) body.append(element("tr", {}, element("td", {textContent: seed}), element("td", {textContent: "not trained", colSpan: columns.length - 1})));
    }
    return element("table", {className: "seeds"}, element("thead", {}, element("tr", {}, ...columns.map(name => element("th", {scope: "col", textContent: name})))), body);
  }

  written(name, value) {
    if (typeof value !== "number" || name === "seed") return value === null ? "" : String(value);
    return Number.isInteger(value) && !/_(order|inset|pairs|global|labelset)$/.test(name) || name.startsWith("steps_to") ? value.toLocaleString("en") : value.toFixed(name === "seconds" ? 1 : 3);
  }

  // The rows of every chart of a cell, by kind.
  panels(cell, accuracy) {
    const ablated = this.ablations.values("metric"), metric = ablated.includes(accuracy) ? accuracy : ablated[0];
    return {
      curves: [{name: "curves", title: accuracy, of: accuracy, means: this.curves.unrollMeans(cell, {metric: accuracy}), seeds: this.seed_curves.unroll(cell, {metric: accuracy})}],
      ablations: this.ablations.values("split").sort().reverse().map(split => ({
        name: `ablations-${split}`, title: `${metric} on ${split}`, of: metric,
        means: this.ablations.unrollMeans(cell, {metric, split}), seeds: this.seed_ablations.unroll(cell, {metric, split}),
      })),
      profiles: this.profiles.values("term").map(term => ({name: `profiles-${term}`, title: term, means: [], seeds: this.profiles.unroll(cell, {term})})),
    };
  }

  // What the colours of splits mean, of those that a panel has.
  key(panel) {
    const there = new Set(panel.name === "curves" ? panel.means.map(row => row.split) : []);
    return Object.entries(this.page.splits).filter(([split]) => there.has(split))
      .map(([split, colour]) => element("span", {className: "split"}, element("i", {style: `background: ${colour}`}), ` ${split}`));
  }

  // The chart of a kind and the names of its rows, without the layers of seeds where the page has none.
  specification(kind) {
    const {spec, rows} = this.page.charts[kind], seeds = this[{curves: "seed_curves", ablations: "seed_ablations"}[kind] || kind];
    const absent = seeds.length ? null : "seeds";
    return {spec: {...spec, layer: spec.layer.filter(layer => layer.data.name !== absent)}, names: rows.filter(name => name !== absent)};
  }

  async chart(kind, panel) {
    let place = this.part(kind).querySelector(`[data-chart="${panel.name}"]`);
    const empty = !panel.means.length && !panel.seeds.length;
    if (!place) {
      if (empty) return;
      place = element("figure", {"data-chart": panel.name}, element("figcaption"), element("div", {className: "drawing"}));
      this.part(kind).append(place);
    }
    const wasHidden = place.hidden;
    place.hidden = empty;
    if (empty) return;
    place.querySelector("figcaption").replaceChildren(panel.title, ...this.key(panel));
    const chance = this.page.chance[panel.of], {spec, names} = this.specification(kind);
    const rows = {means: panel.means, seeds: panel.seeds, chance: chance ? [{value: chance}] : []};
    const datasets = Object.fromEntries(names.map(name => [name, rows[name]]));
    this.charts[panel.name] ||= vegaEmbed(place.querySelector(".drawing"), {...spec, datasets}, {actions: false, renderer: "svg", mode: "vega-lite"}).then(result => result.view);
    const view = await this.charts[panel.name];
    for (const name of names) view.data(name, rows[name]);
    await view.resize().runAsync();
    if (wasHidden) window.dispatchEvent(new Event("resize")); // its place had no width in between
  }
}
