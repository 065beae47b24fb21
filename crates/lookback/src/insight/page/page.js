"use strict";
const page = JSON.parse(document.getElementById("page").textContent);

// Cells of a table; a larger matrix is drawn as a picture.
const MOST_CELLS = 3600;
const NO_PROOF = "Attention is no proof of cause: what was looked at may change nothing.";
const digits = value => !Number.isFinite(value) ? "none"
  : value === 0 ? "0" : Math.abs(value) >= 1000 || Math.abs(value) < 0.0001 ? value.toExponential(2) : value.toFixed(4);
const signed = value => (value > 0 ? "+" : "") + digits(value);

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") element.className = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

// The values of one row of a view.
function row(view, place) {
  if (view.values) return view.values[place];
  const values = new Array(view.columns.length).fill(0);
  view.places[place].forEach((column, at) => { values[column] = view.largest[place][at]; });
  return values;
}

function mean(view) {
  const sum = new Array(view.columns.length).fill(0);
  for (let place = 0; place < view.rows.length; place++) {
    row(view, place).forEach((value, at) => { sum[at] += value / view.rows.length; });
  }
  return sum;
}

// A background whose strength is the value's share of the largest, never so strong that the ink cannot be read on it.
function shade(element, value, largest, isSigned) {
  const share = largest > 0 && Number.isFinite(value) ? Math.min(Math.abs(value) / largest, 1) : 0;
  const hue = isSigned ? (value < 0 ? "--minus" : "--plus") : "--share";
  element.style.background = share < 0.01 ? "" : `rgba(var(${hue}), calc(var(--most) * ${share.toFixed(3)}))`;
}

// What can shade the tokens: the views, and what was attributed.
function sources(input) {
  const found = [];
  for (const view of input.views) {
    const fits = input.tokens.length > 0 && [0, 1].includes(view.columns.length - input.tokens.length);
    found.push({ name: view.name, view, fits, signed: view.signed, pairs: view.rows.length > 1 });
  }
  if (input.attribution) {
    const { integrated, gradient } = input.attribution;
    found.push({ name: "integrated gradients", values: integrated, signed: true, fits: true });
    found.push({ name: "gradient times input", values: gradient, signed: true, fits: true });
  }
  return found;
}

function draw(input, place) {
  const section = make("section", { "aria-labelledby": `input-${place}` });
  section.append(make("h2", { id: `input-${place}` }, page.inputs.length > 1 ? `Input ${place + 1}` : "The input"));
  for (const line of input.answers) section.append(make("p", { class: "answer", dir: "auto" }, line));
  for (const note of input.notes) section.append(make("pre", { dir: "auto" }, note));
  for (const warning of input.warnings) section.append(make("p", { class: "warning" }, warning));

  const all = sources(input);
  const state = { source: Math.max(all.findIndex(source => source.fits), 0), row: null, token: null };
  if (all.length > 0 || input.tokens.length > 0) shown(section, input, all, state);
  for (const chart of input.charts) {
    const box = make("div", { class: "chart", role: "img", "aria-label": "history, forecast and intervals" });
    box.innerHTML = chart;
    section.append(make("h3", {}, "Forecast"), box);
  }
  if (input.attribution) section.append(...attributed(input));
  else if (input.attends) section.append(make("p", { class: "faint" }, `${NO_PROOF} ${input.removals ? "The answers below tell more." : ""}`));
  if (input.removals) section.append(...removed(input));
  if (input.tokens.length > 0 && all.length > 0) section.append(numbers(input, all));
  return section;
}

function shown(section, input, all, state) {
  const choose = make("select", {});
  all.forEach((source, at) => choose.append(make("option", { value: at }, source.name)));
  const rows = make("select", {});
  const rowsLabel = make("label", {}, "of row ", rows);
  const controls = make("div", { class: "controls" });
  if (all.length > 0) {
    choose.value = state.source;
    controls.append(make("label", {}, "Shade by ", choose), rowsLabel);
  }
  const tokens = make("p", { class: "tokens", dir: "auto" });
  const spans = [];
  for (const [text, token] of input.pieces) {
    if (token === null) { tokens.append(text); continue; }
    const span = make("span", {
      class: input.unknown[token] ? "token unknown" : "token", role: "button", tabindex: token === 0 ? 0 : -1,
      "data-token": token, "aria-pressed": "false",
    }, text);
    spans[token] = span;
    tokens.append(span);
  }
  const detail = make("p", { class: "detail", "aria-live": "polite" },
    input.tokens.length > 0 ? "Choose a token to read its numbers." : "Choose a cell to read its number.");
  const ramp = make("span", { class: "ramp" }), least = make("span", {}), most = make("span", {});
  const legend = make("div", { class: "legend" }, least, ramp, most);
  const matrix = make("div", {});
  section.append(controls, input.pieces.length > 0 ? tokens : "", detail);
  if (all.length > 0) section.append(legend);
  section.append(matrix);

  const values = source => source.values ?? (state.row === null || !source.pairs ? mean(source.view) : row(source.view, state.row));
  const say = text => { detail.textContent = text; };

  function tell(token) {
    const source = all[state.source];
    const parts = [];
    if (source?.fits) parts.push(`${source.name} ${source.signed ? signed(values(source)[token]) : digits(values(source)[token])}`);
    if (input.attribution && source?.values !== input.attribution.integrated) {
      parts.push(`integrated gradients ${signed(input.attribution.integrated[token])}`);
    }
    if (input.removals) parts.push(`without it: ${input.removals[token].answer}`);
    if (input.unknown[token]) parts.push("the model does not know it");
    say(`${input.tokens[token]}: ${parts.join("; ")}`);
  }

  function refresh() {
    const source = all[state.source];
    if (!source) return;
    const shades = values(source);
    const finite = (source.pairs && state.row === null && !source.fits ? source.view.rows.flatMap((_, at) => row(source.view, at)) : shades)
      .filter(Number.isFinite).map(Math.abs);
    const largest = finite.reduce((a, b) => Math.max(a, b), 0);
    rowsLabel.hidden = !source.pairs;
    if (source.pairs && rows.dataset.of !== String(state.source)) {
      rows.replaceChildren(make("option", { value: "" }, "all, their mean"));
      source.view.rows.forEach((name, at) => rows.append(make("option", { value: at }, `${at + 1}  ${name}`)));
      rows.dataset.of = state.source;
      rows.value = state.row ?? "";
    }
    spans.forEach((span, token) => {
      const value = source.fits ? shades[token] : NaN;
      shade(span, value, largest, source.signed);
      span.dataset.weight = value;
      span.setAttribute("aria-pressed", String(token === state.token));
      span.title = Number.isFinite(value) ? digits(value) : "";
    });
    legend.hidden = largest === 0;
    least.textContent = source.signed ? digits(-largest) : "0";
    most.textContent = digits(largest);
    ramp.style.background = source.signed
      ? "linear-gradient(to right, rgba(var(--minus), var(--most)), transparent, rgba(var(--plus), var(--most)))"
      : "linear-gradient(to right, transparent, rgba(var(--share), var(--most)))";
    if (matrix.dataset.of !== String(state.source)) {
      matrix.replaceChildren(...(source.view && (source.pairs || !source.fits) ? [drawMatrix(source, input, say, chooseRow)] : []));
      matrix.dataset.of = state.source;
    }
    matrix.querySelectorAll("tbody tr").forEach((line, at) => line.classList.toggle("chosen", at === state.row));
  }

  function chooseRow(at) {
    state.row = at;
    rows.value = at ?? "";
    refresh();
  }
  function chooseToken(token) {
    state.token = token;
    const source = all[state.source];
    const isOwn = source?.pairs && source.view.rows.every((name, at) => name === source.view.columns[at]);
    if (isOwn) { state.row = token; rows.value = token; }
    refresh();
    tell(token);
  }
  choose.addEventListener("change", () => {
    state.source = Number(choose.value);
    state.row = null;
    refresh();
    if (state.token !== null) tell(state.token);
  });
  rows.addEventListener("change", () => chooseRow(rows.value === "" ? null : Number(rows.value)));
  tokens.addEventListener("click", event => {
    const span = event.target.closest(".token");
    if (span) { focus(Number(span.dataset.token)); chooseToken(Number(span.dataset.token)); }
  });
  function focus(token) {
    spans.forEach((span, at) => { span.tabIndex = at === token ? 0 : -1; });
    spans[token].focus();
  }
  tokens.addEventListener("keydown", event => {
    const token = Number(event.target.dataset?.token);
    if (Number.isNaN(token)) return;
    const forward = getComputedStyle(tokens).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
    const next = { [forward]: token + 1, [backward]: token - 1, Home: 0, End: spans.length - 1 }[event.key];
    if (next !== undefined && spans[next]) { focus(next); event.preventDefault(); }
    if (event.key === "Enter" || event.key === " ") { chooseToken(token); event.preventDefault(); }
  });
  refresh();
}

function drawMatrix(source, input, say, chooseRow) {
  const { view } = source;
  let largest = 0;
  view.rows.forEach((_, at) => row(view, at).forEach(value => { if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value)); }));
  const name = (at, names) => names[at] || `${at + 1}`;
  const told = (at, column, value) =>
    `${view.rows[at] ? `${view.rows[at]} → ` : ""}${name(column, view.columns)}: ${source.signed ? signed(value) : digits(value)}`;
  const box = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${view.name}, whole matrix` });
  if (view.rows.length * view.columns.length <= MOST_CELLS) {
    const head = make("tr", {}, make("td", {}));
    view.columns.forEach((_, column) => head.append(make("th", { scope: "col", dir: "auto" }, name(column, view.columns))));
    const body = make("tbody", {});
    view.rows.forEach((_, at) => {
      const line = make("tr", {}, make("th", { scope: "row", dir: "auto" }, source.pairs ? name(at, view.rows) : view.name));
      row(view, at).forEach((value, column) => {
        const cell = make("td", { title: told(at, column, value), "data-value": value });
        shade(cell, value, largest, source.signed);
        cell.addEventListener("click", () => { if (source.pairs) chooseRow(at); say(told(at, column, value)); });
        line.append(cell);
      });
      body.append(line);
    });
    box.append(make("table", { class: "matrix" }, make("caption", { class: "faint" }, view.name), make("thead", {}, head), body));
  } else {
    const size = Math.max(1, Math.min(6, Math.floor(900 / view.columns.length)));
    const canvas = make("canvas", { width: view.columns.length * size, height: view.rows.length * size, role: "img",
      "aria-label": `${view.name}: ${view.rows.length} rows, ${view.columns.length} columns; the list of rows above reads each` });
    const pen = canvas.getContext("2d");
    const paint = () => {
      const style = getComputedStyle(document.documentElement);
      pen.clearRect(0, 0, canvas.width, canvas.height);
      view.rows.forEach((_, at) => row(view, at).forEach((value, column) => {
        if (!value || !Number.isFinite(value)) return;
        const hue = style.getPropertyValue(source.signed ? (value < 0 ? "--minus" : "--plus") : "--share");
        pen.fillStyle = `rgba(${hue}, ${Math.min(1, 0.15 + Math.abs(value) / largest)})`;
        pen.fillRect(column * size, at * size, size, size);
      }));
    };
    paint();
    document.addEventListener("theme", paint);
    canvas.addEventListener("click", event => {
      const bounds = canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - bounds.left) / bounds.width * view.columns.length);
      const at = Math.floor((event.clientY - bounds.top) / bounds.height * view.rows.length);
      chooseRow(at);
      say(told(at, column, row(view, at)[column]));
    });
    box.append(canvas);
  }
  const parts = [make("h3", {}, "Whole matrix"), box];
  if (view.largest) {
    parts.push(make("p", { class: "faint" }, `Of every row the ${view.kept} largest weights; each of the others is at most ${digits(view.below)}.`));
  }
  return make("div", {}, ...parts);
}

function attributed(input) {
  const { about, from, to, error, points } = input.attribution;
  const parts = [make("h3", {}, "What the answer rests on")];
  parts.push(make("p", {}, `${input.attends ? `${NO_PROOF} ` : ""}Integrated gradients say how much each `
    + `${input.unit} adds to ${about}; they sum to ${digits(to - from)}, from ${digits(from)} with vectors of zeros to ${digits(to)} `
    + `(off by ${(100 * error).toFixed(2)} %, ${points} points).`));
  if (input.agreement) {
    const { view, correlation, apart } = input.agreement;
    parts.push(make("p", { class: "agreement" }, `Rank correlation of ${view} with the size of the integrated gradients: ${correlation.toFixed(2)}. `
      + (apart.length > 0 ? `They differ most at ${apart.map(at => `“${input.tokens[at]}”`).join(", ")}.` : "")));
  }
  return parts;
}

function removed(input) {
  const body = make("tbody", {});
  input.removals.forEach(({ answer, changed }, token) => {
    const line = make("tr", {}, make("th", { scope: "row", dir: "auto" }, input.tokens[token]), make("td", { dir: "auto" }, answer));
    if (changed) line.append(make("td", {}, "another answer"));
    else line.append(make("td", {}));
    body.append(line);
  });
  const head = make("tr", {}, ...["without", "the answer is", ""].map(name => make("th", { scope: "col" }, name)));
  const count = input.removals.filter(one => one.changed).length;
  const table = make("table", { class: "list removals" }, make("thead", {}, head), body);
  return [make("h3", {}, "What if one were not there"),
    make("p", {}, `Without one ${input.unit}, the answer would be another in ${count} of ${input.removals.length} cases.`),
    make("details", {}, make("summary", {}, "All of them"),
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "answers without one" }, table))];
}

function numbers(input, all) {
  const fitting = all.filter(source => source.fits);
  const head = make("tr", {}, make("th", { scope: "col" }, input.unit));
  fitting.forEach(source => head.append(make("th", { scope: "col", class: "number" }, source.pairs ? `${source.name} (mean)` : source.name)));
  const columns = fitting.map(source => source.values ?? mean(source.view));
  const body = make("tbody", {});
  input.tokens.forEach((token, at) => {
    const line = make("tr", {}, make("th", { scope: "row", dir: "auto" }, token));
    columns.forEach((values, column) => line.append(make("td", { class: "number" },
      fitting[column].signed ? signed(values[at]) : digits(values[at]))));
    body.append(line);
  });
  const table = make("table", { class: "list numbers" }, make("thead", {}, head), body);
  return make("details", {}, make("summary", {}, "All numbers"),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "all numbers" }, table));
}

document.title = page.title;
document.querySelector("h1").textContent = page.title;
document.querySelector(".model").textContent = page.model;
const main = document.querySelector("main");
main.classList.toggle("two", page.inputs.length > 1);
page.inputs.forEach((input, place) => main.append(draw(input, place)));
const theme = document.querySelector(".theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  document.dispatchEvent(new Event("theme"));
});
