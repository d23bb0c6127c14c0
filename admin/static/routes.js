// The traffic of each route, out of two looks at /metrics.

const sample = /^(weir_exchanges_total|weir_exchange_duration_seconds_(?:sum|count)|weir_response_body_bytes_total)\{(.*)\} (\S+)$/;
const label = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;
const unescaped = v => v.replace(/\\(.)/g, (_, c) => c === "n" ? "\n" : c);

// parse adds up the counters of each route.
export function parse(text) {
  const routes = new Map();
  for (const row of text.split("\n")) {
    const m = sample.exec(row);
    if (!m) continue;
    const l = {};
    for (const [, name, value] of m[2].matchAll(label)) l[name] = unescaped(value);
    const key = JSON.stringify([l.site, l.route, l.upstream]);
    let r = routes.get(key);
    if (!r) routes.set(key, r = {key, site: l.site, route: l.route, upstream: l.upstream, total: 0, failed: 0, seconds: 0, timed: 0, bytes: 0});
    const v = Number(m[3]);
    if (m[1] === "weir_exchanges_total") {
      r.total += v;
      r.failed += l.status.startsWith("5") ? v : 0;
    }
    else if (m[1] === "weir_exchange_duration_seconds_sum") r.seconds += v;
    else if (m[1] === "weir_exchange_duration_seconds_count") r.timed += v;
    else r.bytes += v;
  }
  return routes;
}

// busiest compares two looks that lie dt seconds apart and returns the n routes with the most requests.
export function busiest(before, after, dt, n) {
  const zero = {total: 0, failed: 0, seconds: 0, timed: 0, bytes: 0};
  const rates = [...after.values()].map(r => {
    const p = before.get(r.key) ?? zero;
    const timed = r.timed - p.timed;
    return {
      ...r, rate: (r.total - p.total) / dt, errors: (r.failed - p.failed) / dt,
      mean: timed > 0 ? (r.seconds - p.seconds) / timed : 0, out: (r.bytes - p.bytes) / dt,
    };
  });
  rates.sort((a, b) => b.rate - a.rate || b.total - a.total);
  return rates.slice(0, n);
}
