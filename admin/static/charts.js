// Charts of the last values, as SVG paths. Nothing here knows what the values mean.

const ns = "http://www.w3.org/2000/svg";
const width = 240, height = 60;

function path(svg, i, cls) {
  let p = svg.children[i];
  if (!p) {
    p = document.createElementNS(ns, "path");
    p.setAttribute("class", cls);
    svg.append(p);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("preserveAspectRatio", "none");
  }
  return p;
}

const x = (i, n, slots) => ((slots - n + i) * width / (slots - 1)).toFixed(1);
const y = (v, top) => (height - 2 - v / top * (height - 6)).toFixed(1);

// line draws values (null: not known), the last one at the right edge; there is room for slots of them.
export function line(svg, values, slots) {
  const top = Math.max(...values.map(v => v ?? 0), 1e-9);
  const points = values.map((v, i) => `${x(i, values.length, slots)} ${y(v ?? 0, top)}`);
  const edge = points.length ? "M" + points.join("L") : "";
  const fill = points.length > 1 ? `${edge}L${width} ${height}L${x(0, values.length, slots)} ${height}Z` : "";
  path(svg, 0, "fill").setAttribute("d", fill);
  path(svg, 1, "edge").setAttribute("d", edge);
}

// stack draws series on top of each other; each is {cls, values}.
export function stack(svg, series, slots) {
  const n = series[0].values.length;
  const totals = Array.from({length: n}, (_, i) => series.reduce((sum, s) => sum + s.values[i], 0));
  const top = Math.max(...totals, 1e-9);
  let base = new Array(n).fill(0);
  series.forEach((s, k) => {
    const next = base.map((b, i) => b + s.values[i]);
    const up = next.map((v, i) => `${x(i, n, slots)} ${y(v, top)}`);
    const down = base.map((v, i) => `${x(i, n, slots)} ${y(v, top)}`).reverse();
    path(svg, k, s.cls).setAttribute("d", n > 1 && Math.max(...s.values) > 0 ? "M" + up.concat(down).join("L") + "Z" : "");
    base = next;
  });
}
