// Each sweep of the page: its map, the cell that is chosen in it, its rows as CSV.

async function start() {
  const page = await unpack(document.getElementById("data").textContent);
  for (const place of document.querySelectorAll("article")) {
    const sweep = await unpack(place.querySelector('[data-carries="map"]').textContent);
    for (const part of place.querySelectorAll("script[data-carries]")) {
      if (part.dataset.carries !== "map") sweep[part.dataset.carries] = await unpack(part.textContent);
    }
    const view = new CellView(place.querySelector(".chosen"), page, sweep);
    const map = new CellMap(place.querySelector(".map"), page, sweep, cell => view.show(cell, map));
    await view.show(map.cell, map);
    const button = place.querySelector('[data-part="download"]');
    if (button) button.addEventListener("click", () => download(asCsv(view.trials), `${place.dataset.name}.csv`));
  }
  document.body.dataset.ready = "yes";
}

start().catch(error => {
  const place = document.getElementById("trouble");
  place.hidden = false;
  document.body.dataset.ready = "no";
  place.textContent = typeof DecompressionStream === "undefined"
    ? "The map and the cells need a browser of 2023 or later; all else stands below."
    : `The map and the cells cannot be shown: ${error.message}`;
  throw error;
});
