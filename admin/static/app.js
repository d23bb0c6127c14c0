// The dashboard: asks for live each second and shows it. All text from weir goes through textContent.
import {line, stack} from "./charts.js";
import {busiest, parse} from "./routes.js";

const slots = 120;      // seconds in the charts
const recent = 10;     // seconds that quantiles are taken over
const $ = id => document.getElementById(id);

// ---------------------------------------------------------------- text

const count = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const short = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 1});

const many = (n, what) => `${count.format(n)} ${what}${n === 1 ? "" : "s"}`;
const number = v => v >= 10000 ? short.format(v) : v >= 100 || v === 0 ? count.format(v) : v.toFixed(1).replace(/\.0$/, "");

function bytes(v) {
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (v < 1000) return (v >= 100 || unit === "B" ? v.toFixed(0) : v.toFixed(1)) + " " + unit;
    v /= 1000;
  }
  return v.toFixed(1) + " TB";
}

function span(seconds) {
  if (!seconds) return "–";
  if (seconds < 0.001) return (seconds * 1e6).toFixed(0) + " µs";
  if (seconds < 1) return (seconds * 1e3).toFixed(seconds < 0.01 ? 1 : 0) + " ms";
  return seconds.toFixed(1) + " s";
}

function ago(when, now) {
  const s = Math.max(0, (now - new Date(when)) / 1000);
  if (s < 60) return s.toFixed(0) + " s";
  if (s < 3600) return (s / 60).toFixed(0) + " min";
  if (s < 86400 * 2) return (s / 3600).toFixed(0) + " h";
  return (s / 86400).toFixed(0) + " days";
}

// ---------------------------------------------------------------- document

function el(tag, cls, ...children) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...children.filter(c => c !== undefined && c !== null));
  return e;
}

function say(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// keep makes the children of parent those of items, using again what stands there under the same key, so that
// selections, focus and opened details stay.
function keep(parent, items, key, make, update) {
  const old = new Map();
  for (const c of parent.children) old.set(c.dataset.key, c);
  items.forEach((item, i) => {
    const k = key(item);
    let e = old.get(k);
    old.delete(k);
    if (!e) {
      e = make(item);
      e.dataset.key = k;
    }
    if (parent.children[i] !== e) parent.insertBefore(e, parent.children[i] ?? null);
    if (update) update(e, item);
  });
  for (const e of old.values()) e.remove();
}

function cells(tr, values, classes = []) {
  while (tr.children.length < values.length) tr.append(el("td", classes[tr.children.length]));
  values.forEach((v, i) => say(tr.children[i], String(v)));
}

function facts(pairs) {
  const dl = el("dl");
  for (const [name, value] of pairs) {
    if (value === undefined || value === null || value === "") continue;
    dl.append(el("dt", "", name), el("dd", "", value instanceof Node ? value : String(value)));
  }
  return dl;
}

// ---------------------------------------------------------------- figures

const history = [];

function quantile(buckets, bounds, q) {
  const total = buckets.reduce((a, b) => a + b, 0);
  if (!total) return null;
  let left = q * total;
  for (let i = 0; i < buckets.length; i++) {
    if (left <= buckets[i] && buckets[i]) {
      if (i >= bounds.length) return bounds[bounds.length - 1];
      const low = i ? bounds[i - 1] : 0;
      return low + (bounds[i] - low) * left / buckets[i];
    }
    left -= buckets[i];
  }
  return bounds[bounds.length - 1];
}

function remember(live) {
  const at = new Date(live.now) / 1000;
  const last = history[history.length - 1];
  if (last && (live.started !== last.started || at <= last.at)) history.length = 0;
  const t = live.traffic;
  const open = live.listeners.reduce((sum, l) => sum + l.open, 0);
  const h = {at, started: live.started, traffic: t, conns: open, rate: 0, faults: 0, out: 0, classes: [0, 0, 0, 0, 0, 0], p50: null, p99: null};
  const before = history[history.length - 1];
  if (before) {
    const dt = at - before.at, p = before.traffic;
    h.rate = (t.exchanges - p.exchanges) / dt;
    h.faults = (t.failed - p.failed) / dt;
    h.out = (t.bytes_out - p.bytes_out) / dt;
    h.classes = t.classes.map((n, i) => (n - p.classes[i]) / dt);
    const from = history[Math.max(0, history.length - recent)].traffic;
    const delta = t.buckets.map((n, i) => n - from.buckets[i]);
    h.p50 = quantile(delta, t.bounds, 0.5);
    h.p99 = quantile(delta, t.bounds, 0.99);
  }
  history.push(h);
  if (history.length > slots) history.shift();
  return h;
}

function showTraffic(h) {
  say($("rate"), number(h.rate));
  say($("faults"), number(h.faults));
  say($("share"), h.rate > 0 && h.faults > 0 ? (100 * h.faults / h.rate).toFixed(1) + " %" : "");
  say($("p50"), span(h.p50));
  say($("p99"), span(h.p99));
  say($("conns"), number(h.conns));
  say($("out"), bytes(h.out));
  const seen = history.slice(1); // the first one has no rates
  for (const name of ["rate", "faults", "p50", "p99", "conns", "out"]) {
    line($(name + "-line"), seen.map(s => s[name]), slots);
  }
  const of = i => seen.map(s => s.classes[i]);
  const other = seen.map(s => s.classes[0] + s.classes[1]);
  stack($("classes"), [
    {cls: "c2", values: of(2)}, {cls: "c3", values: of(3)}, {cls: "c4", values: of(4)},
    {cls: "c5", values: of(5)}, {cls: "c1", values: other},
  ], slots);
}

// ---------------------------------------------------------------- parts

const stateClass = {serving: "good", draining: "warn", starting: "warn"};
const certificateClass = {ok: "good", pending: "warn", doubtful: "warn", expired: "bad", missing: "bad"};
const healthClass = {healthy: "good", unchecked: "good", unhealthy: "bad", ejected: "warn", draining: "warn"};
const inService = s => s.health === "healthy" || s.health === "unchecked";

function showState(live, now) {
  const pill = $("state");
  say(pill, live.state);
  pill.className = "pill " + (stateClass[live.state] ?? "");
  say($("version"), live.version);
  say($("since"), `for ${ago(live.started, now)}` + (live.reload.loaded ? `, configuration from ${new Date(live.reload.loaded).toLocaleTimeString()}` : ""));
  say($("sites"), `${many(live.sites, "site")}, ${many(live.routes, "route")}`);
}

function showNotices(live) {
  const notices = [];
  if (live.reload.error) notices.push({kind: "bad", title: "The last reload was refused; what was there before is served", text: live.reload.error});
  for (const s of live.broken) {
    const title = s.state === "kept" ? `Site ${s.name} has errors; its last good version is served` : `Site ${s.name} has errors and is not served`;
    notices.push({kind: s.state === "kept" ? "" : "bad", title, text: s.reason});
  }
  for (const u of live.upstreams) {
    if (u.servers.length && !u.servers.some(inService)) notices.push({kind: "bad", title: `No server of upstream ${u.name} is in service`});
  }
  for (const c of live.certificates) {
    if (c.state === "missing" || c.state === "expired") notices.push({kind: "bad", title: `${nameOf(c)}: ` + (c.state === "missing" ? "there is no certificate" : "the certificate has expired"), text: whyOf(c)});
  }
  for (const l of live.logs) {
    if (l.error) notices.push({kind: "", title: `Access log ${l.name} loses lines`, text: l.error});
  }
  keep($("notices"), notices, n => [n.kind, n.title, n.text].join("\n"), n =>
    el("div", "notice " + n.kind, el("p", "", n.title), n.text ? el("pre", "", n.text) : null));
}

// ---------------------------------------------------------------- certificates

const nameOf = c => c.names.join(", ") || c.file;
const whyOf = c => !c.problem ? "" : c.problem.includes(c.step ?? "") ? c.problem : `${c.step}: ${c.problem}`;

// left says how long it is until then, or since.
const left = (when, now) => !when ? "–" : new Date(when) < now ? `${ago(when, now)} ago` : ago(now, new Date(when));

function showCertificates(live, now) {
  const n = live.certificates_sum;
  $("certificates").closest(".card").hidden = !n;
  say($("certificates-sum"), !n ? "none" : n > live.certificates.length ? `the ${live.certificates.length} of ${count.format(n)} to look at first` : many(n, "certificate"));
  keep($("certificates"), live.certificates, c => [c.kind, nameOf(c), c.file].join(" "), () => {
    const tr = el("tr");
    tr.append(el("td"), el("td"), el("td", "", el("span", "pill")), el("td"), el("td"), el("td", "why"), el("td", "", renewButton(tr)));
    return tr;
  }, (tr, c) => {
    const [name, from, state, until, renewal, why, act] = tr.children;
    tr.dataset.name = c.names[0] ?? "";
    act.firstChild.hidden = !c.names.length;
    say(name, nameOf(c));
    say(from, c.kind + (c.issuer ? ` · ${c.issuer}` : "") + (c.on_demand ? " · on demand" : ""));
    say(state.firstChild, c.state);
    state.firstChild.className = "pill " + (certificateClass[c.state] ?? "");
    say(until, c.not_after && new Date(c.not_after) < now ? `ended ${left(c.not_after, now)}` : left(c.not_after, now));
    say(renewal, left(c.renewal, now));
    const again = c.next_attempt && new Date(c.next_attempt) > now ? `again in ${left(c.next_attempt, now)}` : "";
    say(why, [whyOf(c), c.failed_attempts ? many(c.failed_attempts, "failed attempt") : "", again].filter(Boolean).join(" · "));
  });
}

function renewButton(tr) {
  const button = el("button", "small", "Renew");
  button.type = "button";
  button.addEventListener("click", () => renew(tr.dataset.name, button));
  return button;
}

// renew asks for a new certificate and waits for it, which may take minutes.
async function renew(name, button) {
  button.disabled = true;
  say(button, "Renewing …");
  try {
    const r = await fetch("certificates/renew", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({name})});
    const result = await r.json();
    if (!r.ok) notice("bad", `${name}: there is no new certificate`, result.error);
    else notice("good", `${name}: a new certificate is in force`);
  } catch (err) {
    notice("bad", `weir does not answer: ${err.message}`);
  }
  say(button, "Renew");
  button.disabled = false;
}

const serverColumns = [["Server", ""], ["Health", ""], ["Why", ""], ["Active", "n"], ["Idle", "n"], ["First byte", "n"], ["Weight", "n"]];

function makeUpstream(u) {
  const head = el("tr");
  for (const [name, cls] of serverColumns) {
    const th = el("th", cls, name);
    th.scope = "col";
    head.append(th);
  }
  return el("div", "card scroll", el("table", "servers", el("caption", "", u.name, el("span", "quiet")), el("thead", "", head), el("tbody")));
}

function updateUpstream(card, u, now) {
  const parts = [u.balance];
  if (u.queued) parts.push(`${u.queued} waiting`);
  if (u.error) parts.push(u.error);
  say(card.querySelector("caption span"), parts.join(" · "));
  card.classList.toggle("unmeasured", !u.servers.some(s => s.latency));
  keep(card.querySelector("tbody"), u.servers, s => s.name + " " + s.address, () => {
    const tr = el("tr");
    tr.append(el("td"), el("td", "", el("span", "pill")), el("td", "why"), el("td", "n"), el("td", "n"), el("td", "n"), el("td", "n"));
    return tr;
  }, (tr, s) => {
    tr.className = inService(s) ? "" : "out";
    const [name, health, why, active, idle, latency, weight] = tr.children;
    say(name, s.name + (s.address !== s.name ? ` (${s.address})` : "") + (s.backup ? " · backup" : ""));
    say(health.firstChild, s.health);
    health.firstChild.className = "pill " + (healthClass[s.health] ?? "");
    const since = s.since ? `for ${ago(s.since, now)}` : "";
    const until = s.until && new Date(s.until) > now ? `, back in ${Math.ceil((new Date(s.until) - now) / 1000)} s` : "";
    say(why, [s.reason, since + until].filter(Boolean).join(" · "));
    say(active, count.format(s.active));
    say(idle, count.format(s.idle));
    say(latency, span(s.latency));
    say(weight, String(s.weight));
  });
}

function showUpstreams(live, now) {
  const servers = live.upstreams.flatMap(u => u.servers);
  say($("upstreams-sum"), live.upstreams.length ? `${servers.filter(inService).length} of ${servers.length} servers in service` : "none configured");
  keep($("upstreams"), live.upstreams, u => u.name, makeUpstream, (card, u) => updateUpstream(card, u, now));
}

function makeFailure(f) {
  const tone = f.side === "client" ? "warn" : "bad";
  const details = el("details", "",
    el("summary", "", el("time"), el("span", "pill " + tone, String(f.status)), el("code", "", f.outcome === "ok" ? "the server's answer" : f.outcome),
      el("span", "what", `${f.method} ${f.host}${f.path}`), el("span", "quiet", f.server), el("b", "quiet")));
  details.addEventListener("toggle", () => {
    if (details.children.length > 1) return;
    const again = el("button", "small", "Explain this request");
    again.type = "button";
    again.addEventListener("click", () => explainFailure(f));
    details.append(el("div", "body", facts([
      ["What happened", f.meaning], ["What to do", f.remedy], ["Error", f.error], ["Note", f.note], ["Client", f.client],
      ["Site", f.site], ["Route", f.route], ["Upstream", f.upstream], ["Server", f.server], ["Attempts", f.attempts], ["Request id", f.id],
    ]), again));
  });
  return details;
}

// alike puts failures that differ in time and client only into one, the newest.
function alike(failures) {
  const groups = new Map();
  for (const f of failures) {
    const key = [f.outcome, f.status, f.method, f.host, f.path, f.server].join("\n");
    const g = groups.get(key);
    if (g) g.times++;
    else groups.set(key, {key, times: 1, newest: f});
  }
  return [...groups.values()];
}

function showFailures(live) {
  say($("failures-sum"), live.failures.length ? `the last ${live.failures.length}, alike ones together` : "");
  if (!live.failures.length) {
    keep($("failures"), [{}], () => "none", () => el("p", "", "No request has failed yet."));
    return;
  }
  keep($("failures"), alike(live.failures), g => g.key, g => makeFailure(g.newest), (e, g) => {
    const [when, , , , , times] = e.firstChild.children;
    say(when, new Date(g.newest.time).toLocaleTimeString());
    when.dateTime = g.newest.time;
    say(times, g.times > 1 ? `× ${g.times}` : "");
  });
}

function showTables(live) {
  keep($("listeners"), live.listeners, l => l.name + " " + l.address, () => el("tr"), (tr, l) =>
    cells(tr, [
      l.name + (l.draining ? " (draining)" : ""), l.address, l.protocols.join(" ") + (l.tls ? ", encrypted" : ""),
      count.format(l.open) + (l.limit ? ` of ${count.format(l.limit)}` : ""), number(l.accepted), number(l.refused),
      ...(l.tls ? [number(l.handshakes?.succeeded ?? 0), number(l.handshakes?.resumed ?? 0), number(l.handshakes?.failed ?? 0)] : ["–", "–", "–"]),
    ], ["", "", "", "n", "n", "n", "n", "n", "n"]));
  keep($("logs"), live.logs, l => [l.name, l.to, l.format].join(" "), () => el("tr"), (tr, l) =>
    cells(tr, [l.name, l.to, number(l.written), number(l.dropped)], ["", "", "n", "n"]));
}

// ---------------------------------------------------------------- routes

let looked = null; // the last look at the metrics: {at, routes}
let next = 0;      // when to look again, in milliseconds of performance.now

async function showRoutes(live) {
  if (performance.now() < next) return;
  next = performance.now() + (live.routes > 500 ? 10000 : 2000) - 100;
  const r = await fetch("metrics", {signal: AbortSignal.timeout(5000)});
  if (!r.ok) return;
  const look = {at: performance.now(), routes: parse(await r.text())};
  if (looked) {
    const top = busiest(looked.routes, look.routes, (look.at - looked.at) / 1000, 15);
    say($("routes-sum"), look.routes.size > top.length ? `the busiest ${top.length} of ${count.format(look.routes.size)}` : "");
    keep($("routes"), top, t => t.key, () => el("tr"), (tr, t) => cells(tr, [
      t.site || (t.route ? "" : "no site or route"), t.route, t.upstream, number(t.rate), number(t.errors), span(t.mean), bytes(t.out), number(t.total),
    ], ["", "", "", "n", "n", "n", "n", "n"]));
  }
  looked = look;
}

// ---------------------------------------------------------------- explain

function explainFailure(f) {
  const form = $("explain");
  if (![...form.elements.method.options].some(o => o.value === f.method)) form.elements.method.append(el("option", "", f.method));
  form.elements.method.value = f.method;
  form.elements.url.value = `http://${f.host}${f.path}`;
  form.elements.client.value = f.client;
  form.scrollIntoView({block: "start"});
  form.requestSubmit();
}

function headerFields(text) {
  const header = {};
  for (const row of text.split("\n")) {
    const at = row.indexOf(":");
    if (at > 0) (header[row.slice(0, at).trim()] ??= []).push(row.slice(at + 1).trim());
  }
  return header;
}

async function explain(event) {
  event.preventDefault();
  const f = event.target.elements;
  const body = {method: f.method.value, url: f.url.value.trim(), client: f.client.value.trim(), header: headerFields(f.header.value)};
  const into = $("explained");
  try {
    const r = await fetch("explain", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
    const result = await r.json();
    into.replaceChildren(r.ok ? explanation(result) : el("div", "notice bad", el("p", "", result.error ?? `status ${r.status}`)));
  } catch (err) {
    into.replaceChildren(el("div", "notice bad", el("p", "", `weir does not answer: ${err.message}`)));
  }
}

function explanation(e) {
  const won = (e.routes ?? []).find(r => r.won);
  const card = el("div", "card", facts([
    ["Request", e.request], ["Client", e.client], ["Listener", e.listener], ["Host", e.host], ["Path", e.path],
    ["Site", [e.site, e.site_why].filter(Boolean).join(" – ")], ["Route", e.route ?? won?.label], ["Segments", e.params?.join(", ")], ["Note", e.note],
  ]));
  if (e.routes?.length) {
    const list = el("ol", "routes");
    for (const r of e.routes) {
      list.append(el("li", "", el("span", "pill " + (r.won ? "good" : ""), r.won ? "wins" : "loses"), el("code", "", r.label), el("span", "quiet", r.reason), el("span", "quiet at", r.at ?? "")));
    }
    card.append(el("h3", "", "Routes in their order"), list);
  }
  if (e.steps?.length) {
    card.append(el("h3", "", "What is done on the way"), el("ul", "chain", ...e.steps.map(s => el("li", "", s))));
  }
  if (e.answer) {
    card.append(el("h3", "", "weir itself answers"), facts([["Status", e.answer.status], ["Cause", e.answer.cause], ["Meaning", e.answer.meaning], ["What to do", e.answer.remedy], ["Header", e.answer.header?.join("\n")]]));
  }
  if (e.sent) {
    card.append(el("h3", "", "What a server would get"), el("pre", "", [`${e.sent.method} ${e.sent.target}`, `Host: ${e.sent.host}`, ...(e.sent.header ?? [])].join("\n")));
  }
  for (const u of (e.upstreams ?? []).map(lower)) card.append(...balancing(u));
  card.append(el("details", "", el("summary", "", "All of it as JSON"), el("pre", "", JSON.stringify(e, null, 2))));
  return card;
}

const lower = o => Object.fromEntries(Object.entries(o).map(([k, v]) => [k[0].toLowerCase() + k.slice(1), v]));

function balancing(u) {
  const list = el("ol", "routes");
  for (const s of (u.servers ?? []).map(lower)) {
    list.append(el("li", "", el("span", "pill " + (s.asked ? "good" : ""), s.asked ? "asked" : "not asked"), el("code", "", s.name), el("span", "quiet", s.reason)));
  }
  const how = [u.balance, u.key && `key ${u.key}`, u.queue && "would wait for room"].filter(Boolean).join(", ");
  return [el("h3", "", `Upstream ${u.upstream}, ${how}`), list];
}

// ---------------------------------------------------------------- reload

// notice tells for a while how something ended that somebody wanted.
function notice(kind, title, text) {
  const n = el("div", "notice " + kind, el("p", "", title), text ? el("pre", "", text) : null);
  $("main").prepend(n);
  setTimeout(() => n.remove(), 15000);
}

async function reload() {
  const button = $("reload");
  button.disabled = true;
  try {
    const r = await fetch("reload", {method: "POST"});
    const result = await r.json();
    if (!r.ok) notice("bad", "The reload was refused; nothing has changed", result.error);
    else notice(result.warnings.length ? "" : "good", "Reloaded", result.warnings.join("\n"));
  } catch (err) {
    notice("bad", `weir does not answer: ${err.message}`);
  }
  button.disabled = false;
}

// ---------------------------------------------------------------- the loop

function show(live) {
  const now = new Date(live.now);
  showState(live, now);
  showTraffic(remember(live));
  showNotices(live);
  showUpstreams(live, now);
  showFailures(live);
  showCertificates(live, now);
  showTables(live);
  document.title = live.state === "serving" ? "weir" : `weir: ${live.state}`;
}

function lost(err) {
  const pill = $("state");
  say(pill, "no answer");
  pill.className = "pill bad";
  say($("since"), err.message);
  document.title = "weir: no answer";
}

async function tick() {
  if (document.hidden) return;
  try {
    const r = await fetch("live", {signal: AbortSignal.timeout(5000)});
    if (!r.ok) throw new Error(`status ${r.status}`);
    const live = await r.json();
    show(live);
    await showRoutes(live);
  } catch (err) {
    lost(err);
  }
}

async function run() {
  for (;;) {
    const begin = performance.now();
    await tick();
    await new Promise(done => setTimeout(done, Math.max(200, 1000 - (performance.now() - begin))));
  }
}

$("explain").addEventListener("submit", explain);
$("reload").addEventListener("click", reload);
document.addEventListener("visibilitychange", tick);
run();
