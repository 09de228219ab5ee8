
"use strict";
// Filters the records of the page and shows what is left: the split, the course over time, the articles in pages of fifty.
// What an article says enters the document as text nodes only; attributes and classes come from this script alone.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { claims, sources, models, skipped, cut_short: cutShort, longest_text: LONGEST } = data.names;
  const texts = new Map(data.texts || []);
  const answers = data.rows.filter((row) => !row.error);
  const failures = data.rows.filter((row) => row.error);
  const STANCES = ["supports", "refutes", "discusses", "unrelated"];
  const MARKS = ["▲", "▼", "◆", "○"];
  const PAGE = 50;
  const KINDS = {
    "empty": "no article text was found",
    "binary": "the bytes are not text",
    "encoding": "text in an encoding that could not be told",
    "malformed": "the container (JSON, CSV, archive) is broken, or the claim cannot be asked",
    "too-large": "over a limit of size",
    "language": "in a language that the model does not read",
    "unreadable": "the file could not be opened or read",
  };
  const at = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en").format;
  const count = (n, what) => `${number(n)} ${what}${n === 1 ? "" : "s"}`;
  const percent = (part, whole) => {
    const share = whole ? (100 * part) / whole : 0;
    return part && share < 1 ? "<1%" : part < whole && share > 99 ? ">99%" : `${Math.round(share)}%`;
  };
  const score = (p) => `${Math.round(p / 100)}%`;

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...children.filter((child) => child !== null));
    return node;
  }
  function svg(tag, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }
  const mark = (stance) => el("span", { class: "mark", "aria-hidden": "true" }, MARKS[stance]);

  // The four labels by the name that most records give them.
  const labels = STANCES.map((name, stance) => {
    const uses = new Map();
    for (const row of answers) uses.set(row.labels[stance], (uses.get(row.labels[stance]) || 0) + 1);
    return [...uses].sort((a, b) => b[1] - a[1]).map(([label]) => label)[0] || name;
  });

  // ---- What is asked for, kept in the address. ----

  const state = {};
  function reset() {
    Object.assign(state, { stance: new Set(), q: "", claim: "", source: "", from: "", to: "", min: 0, sort: "" });
  }
  function fromAddress() {
    reset();
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const name of (asked.get("stance") || "").split(",")) {
      if (STANCES.includes(name)) state.stance.add(STANCES.indexOf(name));
    }
    state.q = (asked.get("q") || "").slice(0, 500);
    const index = (name, list) => {
      const n = Number(asked.get(name)) - 1;
      return Number.isInteger(n) && n >= 0 && n < list.length ? n : "";
    };
    state.claim = index("claim", claims);
    state.source = index("source", sources);
    for (const end of ["from", "to"]) {
      if (/^\d{4}-\d\d-\d\d$/.test(asked.get(end) || "")) state[end] = asked.get(end);
    }
    state.min = Math.min(100, Math.max(0, Math.round(Number(asked.get("min")) || 0)));
    const sort = asked.get("sort") || "";
    if (["sure", "unsure", "new", "old"].includes(sort)) state.sort = sort;
  }
  function toAddress() {
    const asked = new URLSearchParams();
    if (state.stance.size) asked.set("stance", [...state.stance].sort().map((s) => STANCES[s]).join(","));
    if (state.q.trim()) asked.set("q", state.q.trim());
    if (state.claim !== "") asked.set("claim", state.claim + 1);
    if (state.source !== "") asked.set("source", state.source + 1);
    for (const name of ["from", "to", "min", "sort"]) if (state[name]) asked.set(name, state[name]);
    const hash = String(asked);
    if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : "#");
  }

  // ---- Filtering. ----

  // What is searched is made ready bit by bit while nothing else is to do; a search that comes sooner makes the rest.
  const words = [];
  function haystack(until = answers.length) {
    for (const row of answers.slice(words.length, until)) {
      words.push([row.title || "", row.id, row.evidence.map((e) => e[0]).join("\n"), row.summary ? row.summary.text : "", texts.get(row.article) || ""]
        .join("\n").toLowerCase());
    }
    return words;
  }
  function prepare() {
    haystack(words.length + 250);
    if (words.length < answers.length) setTimeout(prepare, 0);
  }
  const best = (row) => Math.max(...row.scores);

  /** Rows that are asked for, whatever their stance. */
  function matching() {
    const wanted = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const hay = wanted.length ? haystack() : null;
    return answers.filter((row, i) =>
      (state.claim === "" || row.claim === state.claim) &&
      (state.source === "" || row.source === state.source) &&
      Math.round(best(row) / 100) >= state.min && // as it is shown
      (!state.from || (row.day && row.day >= state.from)) &&
      (!state.to || (row.day && row.day <= state.to)) &&
      (!hay || wanted.every((word) => hay[i].includes(word))));
  }
  const ORDERS = {
    sure: (a, b) => best(b) - best(a),
    unsure: (a, b) => best(a) - best(b),
    // Undated articles come last either way.
    new: (a, b) => (b.day || "") < (a.day || "") ? -1 : (b.day || "") > (a.day || "") ? 1 : 0,
    old: (a, b) => (a.day || "9") < (b.day || "9") ? -1 : (a.day || "9") > (b.day || "9") ? 1 : 0,
  };

  let shown = [];
  let visible = 0;
  function update() {
    const rows = matching();
    shown = state.stance.size ? rows.filter((row) => state.stance.has(row.stance)) : rows;
    if (state.sort) shown = [...shown].sort(ORDERS[state.sort]);
    split(rows);
    time(shown);
    at("count").textContent = shown.length === answers.length
      ? `${count(answers.length, "answer")}.`
      : shown.length ? `${number(shown.length)} of ${count(answers.length, "answer")}.` : "Nothing matches: clear a filter, or search for fewer words.";
    at("list").replaceChildren();
    visible = 0;
    more(PAGE);
    // A view of one article shows it whole.
    if (shown.length === 1) at("list").querySelector("details").open = true;
    controls();
    toAddress();
  }

  // ---- At a glance. ----

  function tally(rows) {
    const n = [0, 0, 0, 0];
    for (const row of rows) n[row.stance] += 1;
    return n;
  }
  function bar(n) {
    const total = n[0] + n[1] + n[2] + n[3];
    const text = n.map((part, s) => `${labels[s]} ${part}`).join(", ");
    const node = el("div", { class: "bar", role: "img" });
    node.setAttribute("aria-label", text);
    node.title = text;
    n.forEach((part, s) => {
      if (!part) return;
      const piece = el("span", { class: `b${s}` });
      piece.style.flexGrow = String(part / total);
      node.append(piece);
    });
    return node;
  }
  const buttons = STANCES.map((_, stance) => {
    const parts = { n: el("span", { class: "n" }), share: el("span", { class: "share" }) };
    const name = el("span", { class: `name t${stance}` }, mark(stance), labels[stance]);
    const button = el("button", { type: "button", class: `c${stance}`, "aria-pressed": "false" }, parts.n, " ", parts.share, name);
    button.addEventListener("click", () => {
      if (!state.stance.delete(stance)) state.stance.add(stance);
      update();
    });
    at("legend").append(button);
    return { button, ...parts };
  });
  function split(rows) {
    const all = tally(rows);
    buttons.forEach(({ button, n, share }, s) => {
      button.setAttribute("aria-pressed", String(state.stance.has(s)));
      n.textContent = number(all[s]);
      share.textContent = percent(all[s], rows.length);
    });
    if (claims.length < 2) {
      at("split").replaceChildren(bar(all));
      return;
    }
    const byClaim = new Map();
    for (const row of rows) {
      if (!byClaim.has(row.claim)) byClaim.set(row.claim, [0, 0, 0, 0]);
      byClaim.get(row.claim)[row.stance] += 1;
    }
    const sum = (n) => n[0] + n[1] + n[2] + n[3];
    const sorted = [...byClaim].sort((a, b) => sum(b[1]) - sum(a[1]) || a[0] - b[0]);
    const list = el("ul");
    for (const [claim, n] of sorted.slice(0, 200)) {
      const button = el("button", { type: "button", class: "claim", "aria-pressed": String(state.claim === claim) },
        el("bdi", null, claims[claim]), " ", el("small", null, number(sum(n))));
      button.addEventListener("click", () => {
        state.claim = state.claim === claim ? "" : claim;
        update();
      });
      list.append(el("li", null, button, bar(n)));
    }
    if (sorted.length > 200) list.append(el("li", { class: "small" }, `… and ${number(sorted.length - 200)} more claims`));
    at("split").replaceChildren(list);
  }

  // Days are counted from 1970, in UTC: a date in a record has no hour.
  const toDays = (day) => Date.UTC(+day.slice(0, 4), +day.slice(5, 7) - 1, +day.slice(8, 10)) / 864e5;
  const toDay = (days) => new Date(days * 864e5).toISOString().slice(0, 10);
  const spoken = (day, parts) => new Date(`${day}T00:00Z`).toLocaleDateString("en-GB", { timeZone: "UTC", ...parts });
  const WHOLE = { day: "numeric", month: "short", year: "numeric" };
  const STEPS = [
    { name: "day", days: 1, start: (d) => d, show: (day) => spoken(day, { day: "numeric", month: "short" }), whole: (day) => spoken(day, WHOLE) },
    { name: "week", days: 7, start: (d) => d - ((d + 3) % 7 + 7) % 7, show: (day) => spoken(day, { day: "numeric", month: "short" }), whole: (day) => `week of ${spoken(day, WHOLE)}` },
    { name: "month", days: 30, start: (d) => toDays(`${toDay(d).slice(0, 7)}-01`), show: (day) => spoken(day, { month: "short", year: "2-digit" }), whole: (day) => spoken(day, { month: "long", year: "numeric" }) },
    { name: "year", days: 365, start: (d) => toDays(`${toDay(d).slice(0, 4)}-01-01`), show: (day) => day.slice(0, 4), whole: (day) => day.slice(0, 4) },
  ];
  let drawn = [];
  function time(rows) {
    drawn = rows;
    const box = at("time");
    const dated = rows.filter((row) => row.day);
    const undated = rows.length - dated.length;
    if (!dated.length) {
      box.replaceChildren(el("p", null, rows.length ? "None of these articles has a date that could be read." : "No articles."));
      return;
    }
    let first = Infinity, last = -Infinity;
    const perDay = new Map();
    for (const row of dated) {
      const d = toDays(row.day);
      if (d < first) first = d;
      if (d > last) last = d;
      if (!perDay.has(d)) perDay.set(d, [0, 0, 0, 0]);
      perDay.get(d)[row.stance] += 1;
    }
    const step = STEPS.find((s) => (last - first) / s.days <= 45) || STEPS[3];
    const columns = [];
    for (let d = step.start(first); d <= last;) {
      // A month and a year are left by more than their length, then brought back to the start of the next.
      const next = step.start(d + (step.days === 1 ? 1 : step.days === 7 ? 7 : step.days === 30 ? 31 : 366));
      columns.push({ from: d, to: next - 1, n: [0, 0, 0, 0] });
      d = next;
    }
    let place = 0;
    for (const [d, n] of [...perDay].sort((a, b) => a[0] - b[0])) {
      while (columns[place].to < d) place += 1;
      n.forEach((part, s) => { columns[place].n[s] += part; });
    }
    const sum = (n) => n[0] + n[1] + n[2] + n[3];
    const most = Math.max(...columns.map((c) => sum(c.n)));
    const width = Math.max(260, Math.round(box.clientWidth || 480)), height = 210;
    const left = 12 + 8 * number(2 * most).length, bottom = 24, top = 10;
    const slot = (width - left) / columns.length;
    const unit = [1, 2, 5].flatMap((k) => [k, 10 * k, 100 * k, 1e3 * k, 1e4 * k, 1e5 * k]).sort((a, b) => a - b).find((u) => most / u <= 4) || most;
    const ceiling = Math.ceil(most / unit) * unit;
    const y = (v) => top + (height - top - bottom) * (1 - v / ceiling);
    const peak = columns.reduce((a, c) => (sum(c.n) > sum(a.n) ? c : a));
    const title = `Articles by ${step.name} and stance, ${spoken(toDay(first), WHOLE)} to ${spoken(toDay(last), WHOLE)}; most, ${number(most)}, ${step.whole(toDay(peak.from))}. The table below has the figures.`;
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
    for (let v = 0; v <= ceiling; v += unit) {
      picture.append(svg("line", { class: "grid", x1: left, x2: width, y1: y(v), y2: y(v) }));
      picture.append(svg("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, number(v)));
    }
    const every = Math.ceil(56 / slot);
    columns.forEach((column, i) => {
      const x = left + i * slot, inner = Math.min(44, slot * 0.78);
      let below = 0;
      column.n.forEach((part, s) => {
        if (!part) return;
        const h = y(below) - y(below + part);
        picture.append(svg("rect", { class: `b${s}`, x: x + (slot - inner) / 2, y: y(below + part), width: inner, height: Math.max(h - (h > 4 ? 1 : 0), 0.5) }));
        below += part;
      });
      const day = toDay(column.from);
      if (i % every === 0 && (i + every <= columns.length || i === 0 || columns.length - i > every / 2)) {
        picture.append(svg("text", { x: x + slot / 2, y: height - 6, "text-anchor": "middle" }, step.show(day)));
      }
      const hit = svg("rect", { class: "hit", x, y: top, width: slot, height: height - top - bottom },
        svg("title", {}, `${step.whole(day)}: ${column.n.map((part, s) => `${labels[s]} ${part}`).join(", ")}`));
      hit.addEventListener("click", () => {
        state.from = toDay(column.from);
        state.to = toDay(column.to);
        update();
      });
      picture.append(hit);
    });
    const heads = el("tr", null, el("th", { scope: "col" }, step.name), ...labels.map((label) => el("th", { scope: "col" }, label)));
    const lines = columns.filter((c) => sum(c.n)).map((c) => el("tr", null,
      el("th", { scope: "row" }, step.whole(toDay(c.from))), ...c.n.map((part) => el("td", null, number(part)))));
    const table = el("details", null, el("summary", null, "The figures"),
      el("div", { class: "scroll" }, el("table", null, el("thead", null, heads), el("tbody", null, ...lines))));
    box.replaceChildren(picture, undated ? el("p", null, `${number(undated)} without a date.`) : "", table);
  }

  // ---- The articles. ----

  function more(n) {
    const batch = document.createDocumentFragment();
    for (const row of shown.slice(visible, visible + n)) batch.append(item(row));
    at("list").append(batch);
    visible = Math.min(shown.length, visible + n);
    const left = shown.length - visible;
    at("more").hidden = left === 0;
    at("more").textContent = `Show ${number(Math.min(PAGE, left))} more of ${number(left)}`;
  }
  function item(row) {
    const lead = row.summary && row.summary.text ? row.summary.text : row.evidence.length ? row.evidence[0][0] : "";
    const meta = [row.day ? spoken(row.day, WHOLE) : row.date, row.title ? row.id : null, claims.length > 1 ? `“${claims[row.claim]}”` : null];
    const head = el("summary", null,
      el("div", { class: `verdict t${row.stance}` }, mark(row.stance), el("bdi", null, row.labels[row.stance]),
        el("span", { class: "score" }, row.abstained ? `left open, ${score(best(row))}` : score(best(row)))),
      el("div", null,
        el("h3", { class: "title", dir: "auto" }, row.title || row.id),
        lead ? el("p", { class: "lead", dir: "auto" }, lead) : null,
        el("p", { class: "meta" }, ...meta.filter(Boolean).flatMap((part, i) => (i ? [" · ", el("bdi", null, part)] : [el("bdi", null, part)])))));
    const details = el("details", null, head);
    details.addEventListener("toggle", () => { if (details.open) fill(details, row); });
    return el("li", null, details);
  }
  function fill(details, row) {
    if (details.childElementCount > 1) return;
    const body = el("div", { class: "body" });
    const part = (title, ...nodes) => body.append(el("div", null, el("h4", null, title), ...nodes));
    if (row.summary) part("Summary", el("p", { class: "told", dir: "auto" }, row.summary.text || "No sentence tells it."));
    if (row.evidence.length) {
      part(row.evidence.length > 1 ? "Deciding sentences" : "Deciding sentence", el("ol", { class: "evidence" },
        ...row.evidence.map(([text, , , p]) => el("li", { dir: "auto" }, text, " ", el("small", null, score(p))))));
    }
    const list = el("dl", { class: "scores" });
    row.scores.forEach((p, s) => {
      const fillBar = el("span", { class: `b${s}` });
      fillBar.style.width = `${p / 100}%`;
      list.append(el("dt", { class: `t${s}` }, mark(s), row.labels[s]), el("dd", { class: "track", "aria-hidden": "true" }, fillBar),
        el("dd", null, `${(p / 100).toFixed(1)}%`));
    });
    part("Scores", list);
    const text = texts.get(row.article);
    if (text !== undefined) part("Text", ...marked(text, row));
    const notes = [`claim: ${claims[row.claim]}`, `id: ${row.id}`, row.date ? `date: ${row.date}` : null,
      row.source === undefined ? null : `source: ${sources[row.source]}`, models[row.model], count(row.tokens, "token"),
      row.windows > 1 ? count(row.windows, "window") : null, row.truncated ? "read in part only" : null,
      row.abstained ? "the model was not sure enough to answer" : null];
    body.append(el("p", { class: "small" }, notes.filter(Boolean).join(" · ")));
    details.append(body);
  }
  /** The text with the deciding sentences marked, and those of the summary underlined; places are code points. */
  function marked(text, row) {
    const points = Array.from(text);
    const cut = points.length > LONGEST;
    const whole = (sentence, start, end) => end > points.length || cut && end > LONGEST
      || points.slice(start, end).join("").startsWith(sentence.replace(/…$/, ""));
    const box = el("div", { class: "text", dir: "auto", tabindex: "0", role: "region", "aria-label": "Text of the article" });
    if (!row.evidence.every(([sentence, start, end]) => whole(sentence, start, end))) {
      box.append(text);
      return [el("p", { class: "small" }, "This text is not the one that was answered: nothing is marked in it."), box];
    }
    const told = row.summary ? row.summary.sources : [];
    const ends = new Set([0, points.length]);
    for (const [start, end] of [...row.evidence.map((e) => [e[1], e[2]]), ...told]) {
      ends.add(Math.min(start, points.length)).add(Math.min(end, points.length));
    }
    const places = [...ends].sort((a, b) => a - b);
    places.slice(1).forEach((end, i) => {
      const start = places[i];
      let piece = points.slice(start, end).join("");
      if (told.some(([a, b]) => a <= start && end <= b)) piece = el("span", { class: "told-here" }, piece);
      box.append(row.evidence.some((e) => e[1] <= start && end <= e[2]) ? el("mark", null, piece) : piece);
    });
    return cut ? [box, el("p", { class: "small" }, `The text goes on; its first ${number(LONGEST)} characters are kept here.`)] : [box];
  }

  // ---- What could not be read. ----

  function errors() {
    const kinds = new Map();
    for (const row of failures) {
      if (!kinds.has(row.error.kind)) kinds.set(row.error.kind, []);
      kinds.get(row.error.kind).push(row);
    }
    at("errors").hidden = !failures.length && !skipped;
    for (const [kind, rows] of [...kinds].sort((a, b) => b[1].length - a[1].length)) {
      const details = el("details", null, el("summary", null, el("strong", null, kind), ` ${number(rows.length)}, ${KINDS[kind] || ""}`));
      let at = 0;
      const list = el("ul");
      const button = el("button", { type: "button" });
      const next = () => {
        for (const row of rows.slice(at, at + PAGE)) {
          list.append(el("li", null, el("bdi", null, row.id), el("small", { dir: "auto" }, row.error.message)));
        }
        at += PAGE;
        button.hidden = at >= rows.length;
        button.textContent = `Show more of ${number(rows.length - at)}`;
      };
      button.addEventListener("click", next);
      details.addEventListener("toggle", () => { if (!at) next(); });
      details.append(list, button);
      button.hidden = true;
      document.getElementById("kinds").append(details);
    }
    if (skipped) at("kinds").append(el("p", { class: "small" }, `${count(skipped, "line")} of the input ${skipped === 1 ? "is no record and was" : "are no records and were"} left out of this page.`));
  }

  // ---- The head, the controls, the start. ----

  function head() {
    const articles = new Set(answers.map((row) => row.article)).size;
    const headline = claims.length === 1 ? claims[0] : claims.length ? `${number(claims.length)} claims, ${count(articles, "article")}` : "No answers";
    at("headline").textContent = headline;
    document.title = `${headline.slice(0, 80)} · Tidings`;
    const n = tally(answers);
    const order = [0, 1, 2, 3].filter((s) => n[s]).sort((a, b) => n[b] - n[a]);
    const told = order.map((s) => `${percent(n[s], answers.length)} ${labels[s]}`);
    at("lede").textContent = answers.length
      ? `${claims.length > 1 ? count(answers.length, "answer") : count(articles, "article")}: ${told.join(", ")}.` : "There is nothing to show.";
    const days = answers.map((row) => row.day).filter(Boolean).sort();
    const span = !days.length ? null : days[0] === days[days.length - 1] ? spoken(days[0], WHOLE) : `${spoken(days[0], WHOLE)} – ${spoken(days[days.length - 1], WHOLE)}`;
    at("facts").textContent = [span, sources.length > 1 ? `${number(sources.length)} sources` : null,
      failures.length ? `${number(failures.length)} could not be read` : null, skipped ? `${count(skipped, "line")} skipped` : null,
      cutShort ? "the run was interrupted: there is more to read" : null,
      models.length > 3 ? count(models.length, "model") : models.join(", ")].filter(Boolean).join(" · ");
    for (const end of ["from", "to"]) {
      at(`${end}-field`).hidden = !days.length;
      if (days.length) Object.assign(at(end), { min: days[0], max: days[days.length - 1] });
    }
  }
  function choices(name, list, all) {
    at(`${name}-field`).hidden = list.length < 2;
    at(name).append(el("option", { value: "" }, all));
    list.slice(0, 2000).forEach((text, i) => at(name).append(el("option", { value: String(i) }, text.length > 80 ? `${text.slice(0, 80)}…` : text)));
    at(name).addEventListener("change", (event) => {
      state[name] = event.target.value === "" ? "" : Number(event.target.value);
      update();
    });
  }
  function controls() {
    for (const name of ["q", "claim", "source", "from", "to", "min", "sort"]) {
      const value = String(state[name]);
      if (at(name).value !== value && !(name === "q" && document.activeElement === at("q"))) at(name).value = value;
    }
    at("min-shown").textContent = `${state.min}%`;
    const { stance, sort, ...rest } = state;
    at("reset").disabled = !stance.size && !Object.values(rest).some((value) => value !== "" && value !== 0);
  }
  let waiting = 0;
  for (const name of ["q", "from", "to", "min", "sort"]) {
    at(name).addEventListener("input", (event) => {
      state[name] = name === "min" ? Number(event.target.value) : event.target.value;
      if (name === "min") at("min-shown").textContent = `${state.min}%`;
      clearTimeout(waiting);
      waiting = setTimeout(update, name === "q" ? 120 : 30);
    });
  }
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("filters").addEventListener("reset", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    const { sort } = state;
    reset();
    state.sort = sort;
    at("q").value = "";
    update();
  });
  at("more").addEventListener("click", () => more(PAGE));
  addEventListener("hashchange", () => { fromAddress(); update(); });
  addEventListener("beforeprint", () => more(Math.max(0, 500 - visible)));
  let width = innerWidth;
  addEventListener("resize", () => {
    if (width !== innerWidth) time(drawn);
    width = innerWidth;
  });

  head();
  choices("claim", claims, "all claims");
  choices("source", sources, "all sources");
  errors();
  // No date anywhere: nothing to draw, and the split takes its room. No answer at all: only what could not be read.
  at("time").parentElement.hidden = !answers.some((row) => row.day);
  at("split").closest(".glance").hidden = at("filters").parentElement.hidden = !answers.length;
  at("main").hidden = false;
  fromAddress();
  update();
  setTimeout(prepare, 50);
})();
