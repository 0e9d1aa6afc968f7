// What the page carries: compressed JSON, in it tables as columns, their rows sorted by cell.

async function unpack(text) {
  const letters = atob(text.trim());
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// A table and where the rows of each cell begin in it. A column of one value has it in every row.
class Table {
  constructor(columns, length) {
    this.columns = columns || {};
    this.length = columns ? (length ?? columns.cell.length) : 0;
    this.begins = new Map();
    for (let row = this.length - 1; row >= 0; row--) this.begins.set(this.at("cell", row), row);
  }

  at(name, row) {
    const column = this.columns[name];
    if (!column) return null;
    return column.length === 1 ? column[0] : column[row];
  }

  // The first row of a cell, undefined where it has none.
  first(cell) { return this.begins.get(cell); }

  rows(cell) {
    const rows = [];
    for (let row = this.first(cell) ?? this.length; row < this.length && this.at("cell", row) === cell; row++) rows.push(row);
    return rows;
  }

  // As below, with ends where the seeds of a cell, of which there is one, have none of their own.
  unrollMeans(cell, wanted) {
    return this.unroll(cell, wanted).map(row => ({lowest: row.mean, highest: row.mean, ...row}));
  }

  // Objects for what the rows of a cell hold in their lists, of the rows whose columns are as `wanted`.
  unroll(cell, wanted) {
    const names = Object.keys(this.columns), found = [];
    for (const row of this.rows(cell)) {
      if (Object.entries(wanted).some(([name, value]) => this.at(name, row) !== value)) continue;
      const own = Object.fromEntries(names.map(name => [name, this.columns[name][row]]));
      const lists = names.filter(name => Array.isArray(own[name]));
      own[lists[0]].forEach((_, k) => found.push({...own, ...Object.fromEntries(lists.map(name => [name, own[name][k]]))}));
    }
    return found;
  }

  // The values of a column, each once.
  values(name) { return [...new Set(this.columns[name] || [])]; }
}

function asCsv(table) {
  const names = Object.keys(table.columns).filter(name => name !== "cell");
  const field = value => {
    const text = value === null ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [names.join(",")];
  for (let row = 0; row < table.length; row++) lines.push(names.map(name => field(table.at(name, row))).join(","));
  return lines.join("\n") + "\n";
}

function download(text, name) {
  const link = element("a", {href: URL.createObjectURL(new Blob([text], {type: "text/csv"})), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// An element with these properties (attributes where their name has a hyphen) and children; texts are never markup.
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) made.setAttribute(name, value); else made[name] = value;
  }
  made.append(...children);
  return made;
}

const show = (value, digits = 3) => value === null || value === undefined ? "–" : value.toFixed(digits);
const counted = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
