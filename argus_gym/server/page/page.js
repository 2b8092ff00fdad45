"use strict";
// Everything that came from a model, a file or a detector is shown with textContent and nothing else.

const $ = (id) => document.getElementById(id);
const text = (node, value) => { if (node.textContent !== value) node.textContent = value; };
const make = (tag, content = "", set = {}) => {
  const node = Object.assign(document.createElement(tag), set);
  if (content !== "") node.textContent = content;
  return node;
};
const num = (value, digits = 2) => (typeof value === "number" ? value.toFixed(digits) : "–");
const signed = (value) => {
  if (typeof value !== "number") return "–";
  const shown = Number(value.toFixed(2)) || 0; // No minus before zero.
  return (shown > 0 ? "+" : "") + shown.toFixed(2);
};
const count = (value) => (typeof value === "number" ? String(value) : "–");
const many = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;

// Milliseconds a frame stays at normal speed.
const STAY = {
  propose: 900, premise: 500, chains: 900, consensus: 700, zone: 600, buffer: 500, invalid: 700,
  retest: 900, learn: 1100, gate: 1300, detectors: 1300, round: 1000, summary: 500,
};
const LOOP = {
  propose: "solve", premise: "solve", invalid: "solve", chains: "solve", consensus: "solve", zone: "solve",
  buffer: "solve", retest: "retest", learn: "learn", gate: "learn", detectors: "learn",
};
const DECIDED = { REFUSE: "REFUSED", COMMIT: "kept", COMMIT_CERTIFIED: "certified", UNDECIDED: "undecided" };
const QUIET_MS = 5000; // Least time between two announcements to a screen reader.

let sources = null, token = "";
let frames = [], next = 0, timer = 0, shown = fresh([]);
let demo = null, over = false, loaded = "", busy = false, told = -QUIET_MS;

// What is on the page; only apply() changes it.

function fresh(detectors) {
  return {
    stage: "", loop: "", out: {}, round: null, number: 0, problem: "", premise: "", chains: null, k: 0,
    map: null, cluster: -1, reports: null, detectors, gate: null, rounds: [], figures: null,
    totals: { problems: 0, chains: 0, pairs: 0, falsePremises: 0, refusals: 0, fired: 0, retests: 0, tokens: 0 },
  };
}

function apply(s, frame) {
  const kind = frame.kind, t = s.totals;
  s.stage = kind === "retest" ? frame.side : kind === "invalid" ? "propose" : kind;
  s.loop = LOOP[kind] || "";
  let out = "";
  if (kind === "propose") {
    Object.assign(s, { problem: frame.problem, premise: "", chains: null, k: 0, out: {}, number: s.number + 1 });
    const example = frame.context === null ? frame.source : frame.context ? "given" : "none";
    out = `problem ${s.number}, aimed at cluster ${frame.target}, example: ${example}`;
  } else if (kind === "premise") {
    s.premise = frame.ok ? "Premise check: no false claim found." : `False premise: ${frame.reason}`;
    t.falsePremises += !frame.ok;
    out = frame.ok ? "no false claim" : "false premise";
  } else if (kind === "invalid") {
    s.premise = `Sent back: ${frame.reason}`;
    out = "sent back";
  } else if (kind === "chains") {
    Object.assign(s, { chains: frame.chains, k: frame.k });
    t.chains += frame.k;
    out = many(frame.k, "chain");
  } else if (kind === "consensus") {
    out = `outcome ${num(frame.outcome)}, process ${num(frame.process)}, combined ${num(frame.combined)}; answer ${frame.answer ?? "none"}`;
  } else if (kind === "zone") {
    Object.assign(s, { map: frame.map || s.map, cluster: frame.cluster });
    out = `${frame.zone}; cluster ${frame.cluster}`;
  } else if (kind === "buffer") {
    t.pairs += frame.pair;
    t.problems += 1;
    out = !frame.pair ? "no pair" : `a training pair${frame.weight === null ? "" : `, weight ${num(frame.weight)}`}`;
  } else if (kind === "retest") {
    out = many(frame.items, "item");
  } else if (kind === "learn") {
    const [before, after] = frame.loss.heldout, p = frame.pairs;
    out = `${p.train} new pairs, ${p.replay} replayed; on ${p.heldout} held out the loss went from ${num(before, 3)} to ${num(after, 3)}`;
  } else if (kind === "gate") {
    s.gate = frame;
    t.refusals += frame.decision === "REFUSE";
    out = frame.decision || "no gate";
  } else if (kind === "detectors") {
    s.reports = frame.reports;
    const fired = frame.reports.filter((r) => r.fired);
    out = fired.length ? `fired: ${fired.map((r) => `${r.lie} ${r.name.replaceAll("_", " ")}`).join(", ")}` : "none fired";
  } else if (kind === "round") {
    s.rounds.push(frame);
    s.round = frame.round;
    s.number = 0;
    s.map = frame.map || s.map;
    t.fired += frame.fired;
    t.retests += frame.answers ? frame.answers.retest || 0 : 0;
    t.tokens += frame.tokens || 0;
    if (!("map" in frame)) t.refusals += frame.decision === "REFUSE";
  } else if (kind === "summary") {
    s.figures = frame.figures;
  }
  if (out) s.out[s.stage] = out;
}

// Drawing.

function render() {
  const s = shown;
  for (const name of ["solve", "retest", "learn"]) $(`loop-${name}`).classList.toggle("lit", s.loop === name);
  for (const item of document.querySelectorAll(".loop li")) {
    const stage = item.id.slice(2);
    text(item.lastElementChild, s.out[stage] || "");
    if (stage === s.stage) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  const current = s.round === null ? 0 : s.round + (s.number > 0);
  text($("where"), !s.stage ? "" : `round ${current}${s.loop === "solve" ? `, problem ${s.number}` : ""}`);
  const figures = isFigures();
  text($("problem"), s.problem || (figures ? "The published figures are by round: they hold no problems." : "–"));
  text($("premise"), s.premise);
  renderChains(s);
  renderMap(s, figures);
  renderDetectors(s);
  const g = s.gate;
  $("gate").className = g && g.decision === "REFUSE" ? "alarm" : "";
  text($("gate"), g ? (g.decision ? `${g.decision} by the rule ${g.rule}, ${many(g.answers, "answer")} spent. ${g.reason}` : "This run has no gate.") : figures ? "The published figures say only which steps were refused." : "No verdict yet.");
  renderRounds(s, figures);
  renderTotals(s, figures);
  text($("at-shown"), s.round === null ? "–" : String(s.round));
  $("at").setAttribute("aria-valuetext", s.round === null ? "start" : `end of round ${s.round}`);
  if (!$("at").disabled) $("at").value = s.rounds.length;
}

function rows(table, content) {
  $(table).tBodies[0].replaceChildren(...content.map((cells) => {
    const row = make("tr");
    row.append(...cells);
    return row;
  }));
}

const cell = (content, className = "") => make("td", content, { className });

function bar(value, label) {
  const box = make("td"), meter = make("meter", "", { value, max: 1, className: "bar" });
  meter.setAttribute("aria-hidden", "true"); // The number beside it says the same.
  box.append(meter, ` ${label}`);
  return box;
}

function renderChains(s) {
  const chains = s.chains || [];
  $("answers").hidden = $("texts").hidden = !chains.length;
  text($("answers-none"), chains.length || !s.k ? "" : `${many(s.k, "chain")}; a run folder does not keep them.`);
  if (render.chains === s.chains) return;
  render.chains = s.chains;
  const groups = new Map();
  for (const { answer } of chains) groups.set(answer, (groups.get(answer) || 0) + 1);
  rows("answers", [...groups].sort((a, b) => b[1] - a[1]).map(([answer, n]) => [
    cell(answer ?? "no answer"), cell(String(n)), bar(n / chains.length, num(n / chains.length)),
  ]));
  $("texts").lastElementChild.replaceChildren(...chains.map((c) => make("li", c.text)));
}

function renderMap(s, figures) {
  const m = s.map;
  text($("map-none"), m ? "◀ the problem's cluster; barred: not aimed at for now." : figures ? "The published figures hold no map." : "Nothing on it yet.");
  $("map").hidden = !m;
  if (!m || render.map === m) return;
  render.map = m;
  rows("map", m.n.map((n, i) => {
    const name = make("th", String(i) + (i === s.cluster ? " ◀" : "") + (m.eligible[i] ? "" : " barred"), { scope: "row" });
    if (!n) return [name, cell("0"), ...Array.from({ length: 5 }, () => cell("–"))];
    return [name, cell(String(n)), ...["share", "consensus", "frontier_rate"].map((c) => bar(m[c][i], num(m[c][i]))),
      cell(signed(m.velocity[i])), cell(signed(m.retest_delta[i]))];
  }));
}

function renderDetectors(s) {
  const reports = new Map((s.reports || []).map((r) => [r.name, r]));
  const any = s.detectors.length || reports.size;
  $("detectors").hidden = !any;
  text($("detectors-none"), any ? "" : "No detectors in what is shown.");
  if (render.reports === s.reports && render.detectors === s.detectors) return;
  Object.assign(render, { reports: s.reports, detectors: s.detectors });
  const known = new Set(s.detectors.map((d) => d.name));
  const others = (s.reports || []).filter((r) => !known.has(r.name)); // Somebody's own detectors.
  rows("detectors", [...s.detectors, ...others].map((d) => {
    const r = reports.get(d.name), scored = r && typeof r.score === "number";
    const state = r && r.fired ? "FIRED" : !s.reports ? "waiting" : !r ? "did not fire" : scored ? "quiet" : "no data yet";
    const said = cell("");
    said.append(make("b", d.name.replaceAll("_", " ")), `\n${scored || (r && r.fired) ? r.sentence : d.watches}`);
    return [make("th", d.lie, { scope: "row" }), said, cell(state, state === "FIRED" ? "alarm" : ""), cell(r ? num(r.score) : "–")];
  }));
}

function renderRounds(s, figures) {
  if (render.rounds === s.rounds && render.count === s.rounds.length) return;
  Object.assign(render, { rounds: s.rounds, count: s.rounds.length });
  rows("rounds", s.rounds.map((r) => [
    make("th", String(r.round), { scope: "row" }), cell(num(r.reward, 3)), cell(num(r.skill, 3)),
    cell(num(r.gauges && r.gauges.anchor_accuracy, 3)), cell(count(r.zones.hard)), cell(count(r.zones.frontier)),
    cell(count(r.zones.easy)), cell(figures ? (r.fired ? "yes" : "no") : String(r.fired), r.fired ? "alarm" : ""),
    cell(DECIDED[r.decision] || r.decision || "no gate", r.decision === "REFUSE" ? "alarm" : r.decision === "COMMIT_CERTIFIED" ? "good" : ""),
  ]));
  renderChart(s.rounds);
}

function svg(tag, attributes, content = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = content;
  return node;
}

function renderChart(rounds) {
  const parts = [], n = Math.max(rounds.length, sources ? sources.rounds : 15);
  const { clientWidth: width, clientHeight: height } = $("chart");
  $("chart").setAttribute("viewBox", `0 0 ${width} ${height}`);
  const x = (i) => 40 + ((width - 45) * (i + 0.5)) / n, y = (v) => height - 30 - (height - 60) * Math.min(Math.max(v, 0), 1);
  for (const level of [0, 0.5, 1]) {
    parts.push(svg("line", { x1: 40, x2: width, y1: y(level), y2: y(level), stroke: "#c9c9d0" }));
    parts.push(svg("text", { x: 32, y: y(level) + 4, "text-anchor": "end" }, String(level)));
  }
  const curves = [
    [(r) => r.reward, "#0072b2", "none", "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z"],
    [(r) => r.skill, "#b34700", "7 4", "M-4,-4h8v8h-8z"],
    [(r) => r.gauges && r.gauges.anchor_accuracy, "#00704f", "2 3", "M0,-5l5,5l-5,5l-5,-5z"],
  ];
  for (const [value, colour, dashes, mark] of curves) {
    const at = rounds.map((r, i) => [x(i), value(r)]).filter(([, v]) => typeof v === "number").map(([a, v]) => [a, y(v)]);
    parts.push(svg("polyline", { points: at.join(" "), fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dashes }));
    for (const [a, b] of at) parts.push(svg("path", { d: mark, transform: `translate(${a},${b})`, fill: colour }));
  }
  rounds.forEach((r, i) => {
    if (i % Math.ceil((30 * n) / width) === 0) parts.push(svg("text", { x: x(i), y: height - 8, "text-anchor": "middle" }, String(r.round)));
    const mark = (r.decision === "REFUSE" ? "✕" : "") + (r.fired ? "!" : "");
    parts.push(svg("text", { x: x(i), y: 18, "text-anchor": "middle", fill: "#b34700", "font-weight": "bold" }, mark));
  });
  $("chart").replaceChildren(...parts);
}

function list(id, pairs) {
  const content = pairs.flatMap(([name, value]) => [name, String(value)]);
  if (render[id] === content.join("\n")) return;
  render[id] = content.join("\n");
  $(id).replaceChildren(...pairs.map(([name, value]) => {
    const box = make("div");
    box.append(make("dt", name), make("dd", String(value)));
    return box;
  }));
}

function renderTotals(s, figures) {
  const t = s.totals, made = figures ? [] : [
    ["problems", t.problems], ["chains", t.chains], ["training pairs", t.pairs],
    ["false premises", t.falsePremises], ["answers to retests", t.retests], ["tokens", t.tokens],
  ];
  const summary = Object.entries(s.figures || {}).map(([name, v]) => [name.replaceAll("_", " "), v === null ? "–" : v]);
  list("totals", [["rounds", s.rounds.length], ...made, [figures ? "rounds with a firing" : "detectors fired", t.fired], ["steps refused", t.refusals], ...summary]);
}

// Asking the server.

async function ask(path, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const post = { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, body ? post : { headers });
  } catch {
    throw new Error("The server does not answer.");
  }
  const reply = await response.json().catch(() => ({}));
  if (response.ok) return reply;
  if (response.status === 401) $("token-form").hidden = false;
  throw Object.assign(new Error(reply.detail || `The server said ${response.status}.`), { status: response.status });
}

async function begin() {
  text($("error"), "");
  try {
    sources = await ask("demo/sources");
  } catch (error) {
    text($("error"), error.message);
    return;
  }
  $("token-form").hidden = true;
  for (const kind of ["runs", "published"]) {
    const what = kind === "runs" ? "Run folder" : "Published run";
    $(kind).replaceChildren(...sources[kind].map((name) => make("option", `${what} ${name}`, { value: `${kind}/${encodeURIComponent(name)}` })));
    $(kind).disabled = !sources[kind].length;
  }
  $("failure").replaceChildren($("failure").options[0], ...sources.failures.map((f) => make("option", `${f.lie}, ${f.name.replaceAll("_", " ")}, from round ${sources.onset}`, { value: f.lie })));
  const missing = [["No run folders to replay", sources.runs_missing], ["No published runs", sources.published_missing]];
  text($("missing"), missing.filter(([, why]) => why).map(([what, why]) => `${what}: ${why}.`).join(" "));
  choose();
  $("run").disabled = false;
  performance.mark("ready");
  health();
}

async function health() {
  try {
    const h = await ask("healthz");
    text($("server"), `This server: argus-gym ${h.version}; ${h.sessions} of ${h.capacity} sessions in use; ${h.opened} opened and ${h.steps} steps since it started.`);
  } catch { /* The line stays as it was. */ }
}

async function more() {
  if (busy) return;
  busy = true;
  buttons();
  try {
    if (isLive()) {
      const start = { seed: Number($("seed").value), problems: Number($("problems").value), failure: $("failure").value || null };
      const reply = await ask("demo/cycle", demo ? { demo } : start);
      if (!demo) settings({ ...start, failure: start.failure || "none", rounds: sources.rounds, stack: "v4", agent: "simulated" });
      ({ demo, over } = reply);
      frames = frames.concat(reply.frames);
      say(`A round was made in ${reply.ms} ms on the server; the page shows it stage by stage.`);
    } else {
      const reply = await ask(`demo/${$("source").value}`);
      frames = reply.frames;
      over = true;
      shown = fresh(reply.detectors);
      settings(reply.settings);
    }
    loaded = $("source").value;
    const rounds = frames.filter((f) => f.kind === "round").length;
    Object.assign($("at"), { max: rounds, disabled: isLive() || !rounds });
    if (!frames.length) throw new Error("This run has no finished round yet.");
    play();
  } catch (error) {
    text($("error"), error.message);
    if (error.status === 404) demo = null;
  } finally {
    busy = false;
    buttons();
    health();
  }
}

// Playing.

const isLive = () => $("source").value === "live";
const isFigures = () => $("source").value.startsWith("published/");
const settings = (given) => list("settings", Object.keys(given).length ? Object.entries(given) : [["settings", "not in the figures"]]);

function advance() {
  const frame = frames[next++];
  apply(shown, frame);
  if (frame.kind !== "round") return frame;
  const z = frame.zones;
  say(`Round ${frame.round} ended: mean reward ${num(frame.reward)}; ${count(z.hard)} hard, ${count(z.frontier)} frontier, ${count(z.easy)} easy; ` +
    `${isFigures() ? (frame.fired ? "a lie fired" : "no lie fired") : `${many(frame.fired, "detector")} fired`}; gate: ${frame.decision || "none"}.`, next >= frames.length - 1);
  return frame;
}

function play() {
  clearTimeout(timer);
  let due = 0;
  while (next < frames.length && due < 16) due += (STAY[advance().kind] || 500) / Number($("speed").value);
  render();
  timer = 0;
  if (next < frames.length) timer = setTimeout(play, due);
  else if (isLive() && !over && $("on").checked) timer = setTimeout(() => { timer = 0; more(); }, due);
  buttons();
}

function pause() {
  clearTimeout(timer);
  timer = 0;
  buttons();
}

function rewind(to) {
  pause();
  const { detectors } = shown;
  shown = fresh(detectors);
  next = 0;
  while (next < frames.length && shown.rounds.length < to) apply(shown, frames[next++]);
  text($("status"), ""); // What it said was of another place in the run.
  render();
  buttons();
}

function choose() {
  pause();
  Object.assign($("at"), { max: 0, disabled: true });
  [frames, next, demo, over, loaded] = [[], 0, null, false, ""];
  shown = fresh(isLive() && sources ? sources.detectors : []);
  $("live-fields").hidden = !isLive();
  $("jump").hidden = isLive();
  list("settings", []);
  text($("status"), "Nothing has run yet.");
  render();
  buttons();
}

function buttons() {
  const left = next < frames.length, changed = loaded && loaded !== $("source").value;
  const cycle = !demo ? "Run one cycle" : over ? "Run again" : "Run next cycle";
  const label = busy ? "Working…" : timer ? "Pause" : left && next && !changed ? "Continue" : isLive() ? cycle : "Play";
  text($("run"), label);
  $("step").disabled = !left;
  $("again").disabled = !frames.length;
  for (const id of ["seed", "problems", "failure"]) $(id).disabled = Boolean(demo) && !over;
}

function say(message, last = false) {
  if (!last && performance.now() - told < QUIET_MS) return;
  told = performance.now();
  text($("status"), message);
}

$("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  text($("error"), "");
  if (busy) return;
  if (timer) return pause();
  if (next < frames.length) return play();
  if (isLive() && frames.length && (over || !demo)) choose();
  if (!isLive() && frames.length) { rewind(0); return play(); }
  return more();
});
$("step").addEventListener("click", () => {
  pause();
  if (next < frames.length) advance();
  render();
  if (next >= frames.length) $("run").focus(); // A disabled button would lose the focus.
  buttons();
});
$("again").addEventListener("click", () => {
  if (isLive()) choose();
  else rewind(0);
  text($("error"), "");
  $("run").focus();
});
$("source").addEventListener("change", choose);
addEventListener("resize", () => renderChart(shown.rounds));
$("at").addEventListener("input", () => rewind(Number($("at").value)));
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  begin();
});
begin();
