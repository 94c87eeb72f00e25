"use strict";
/* The closed forms of the book for a power law: lambda_J = J^-b, w^2 lambda = J^-a, J = 1 ... M.

   With y = kappa J^b everything static is made of four sums,

     D = sum 1/(1+y),  S = sum y/(1+y)^2,  H = sum J^-a y/(1+y),  G = sum J^-a y^2/(1+y)^2,

   D = D_1, S = D_1 - D_2, H = kappa h_1, G = kappa^2 h_2: a few terms directly, the rest by
   Euler and Maclaurin; the integral is a power series where y is small or large, and Gauss's rule
   between. Cost and accuracy do not depend on M, which may be infinite. */
const solvable = (() => {
  const DIRECT = 24, EDGE = 6, TERMS = 9, ORDER = 11;
  const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730]; // B_2, B_4, ...

  const gauss = (count) => { // nodes and weights on [-1, 1] by Newton on Legendre polynomials
    const rule = [];
    for (let i = 1; i <= count; i++) {
      let x = Math.cos(Math.PI * (i - 0.25) / (count + 0.5)), slope = 0;
      for (let step = 0; step < 50; step++) {
        let p = 1, before = 0;
        for (let n = 1; n <= count; n++) [p, before] = [((2 * n - 1) * x * p - (n - 1) * before) / n, p];
        slope = count * (x * p - before) / (x * x - 1);
        const move = p / slope;
        x -= move;
        if (Math.abs(move) < 1e-16) break;
      }
      rule.push([x, 2 / ((1 - x * x) * slope * slope)]);
    }
    return rule;
  };
  const [NODES, WEIGHTS] = [0, 1].map((i) => Float64Array.from(gauss(14), (pair) => pair[i]));

  let X = new Float64Array(256), W = new Float64Array(256); // nodes and weights of an integral
  const nodes = (low, high, width) => { // fill them, panel by panel, and say how many there are
    const panels = high > low ? Math.max(1, Math.ceil((high - low) / width)) : 0;
    const half = (high - low) / panels / 2, each = NODES.length, count = panels * each;
    if (count > X.length) [X, W] = [new Float64Array(2 * count), new Float64Array(2 * count)];
    for (let i = 0; i < count; i++) {
      X[i] = low + (2 * Math.floor(i / each) + 1 + NODES[i % each]) * half;
      W[i] = WEIGHTS[i % each] * half;
    }
    return count;
  };

  // Taylor coefficients in e of (1+e)^p, of products, and of (1+y)^-1
  const power = (p, order) => {
    const c = new Array(order + 1).fill(0);
    c[0] = 1;
    for (let n = 1; n <= order; n++) c[n] = c[n - 1] * (p - n + 1) / n;
    return c;
  };
  const times = (x, y) => {
    const c = new Array(x.length).fill(0);
    for (let n = 0; n < c.length; n++) for (let k = 0; k <= n; k++) c[n] += x[k] * y[n - k];
    return c;
  };
  const inverse = (x) => {
    const c = new Array(x.length).fill(0);
    c[0] = 1 / x[0];
    for (let n = 1; n < c.length; n++) {
      for (let k = 1; k <= n; k++) c[n] -= x[k] * c[n - k];
      c[n] /= x[0];
    }
    return c;
  };

  // sum_k B_2k/(2k)! f^(2k-1)(J): corrections of Euler and Maclaurin at one end
  const corrections = (series, size) => {
    let total = 0, scale = 1 / size;
    for (let k = 1; k <= BERNOULLI.length; k++, scale /= size * size)
      total += BERNOULLI[k - 1] / (2 * k) * series[2 * k - 1] * scale;
    return total;
  };

  let fixed = { key: "" }; // what the exponents alone decide
  const powers = (b, a) => {
    const key = b + "," + a;
    if (fixed.key !== key) {
      const raised = (p) => Float64Array.from({ length: DIRECT + 1 }, (_, j) => j ** p);
      fixed = { key, up: raised(b), down: raised(-a), rising: power(b, ORDER), falling: power(-a, ORDER) };
    }
    return fixed;
  };

  const seriesAt = (size, kappa, b, a) => { // of the four summands in e, J = size (1+e)
    const { rising, falling } = powers(b, a), y0 = kappa * size ** b, w0 = size ** -a;
    const y = rising.map((c) => c * y0), w = falling.map((c) => c * w0);
    const u = inverse(y.map((c, n) => n ? c : 1 + c)), v = times(y, u); // 1/(1+y), y/(1+y)
    const weighted = times(w, v);
    return [u, times(u, v), weighted, times(weighted, v)];
  };

  // the integral of x^(e-1) from low to high, whose x^e are given, without cancellation at e = 0
  const powerIntegral = (e, log, atLow, atHigh) => { // log = ln(high/low)
    if (Math.abs(e) * log < 1e-15) return atLow * log;
    return (e > 0 ? atHigh : atLow) * -Math.expm1(-Math.abs(e) * log) / Math.abs(e);
  };

  // add the integrals of the four summands: powers of y, Gauss's rule, powers of 1/y
  const addIntegrals = (total, kappa, b, a, low, high) => {
    const ends = [-EDGE, EDGE].map((v) => Math.exp((v - Math.log(kappa)) / b));
    const [x, z] = ends.map((end) => Math.min(Math.max(end, low), high));
    const add = (from, to, first, way) => { // the series in y^way, first: power of y of D and H
      const log = Math.log(to / from), down = kappa * from ** b, up = kappa * to ** b;
      const moments = (s, p) => { // of J^-s y^(p + way k), k = 0 ... TERMS
        let e = 1 - s + b * p, atLow = from ** (1 - s) * down ** p, atHigh = to ** (1 - s) * up ** p;
        const found = new Array(TERMS + 1).fill(0), [low, high] = [down ** way, up ** way];
        for (let k = 0; k <= TERMS; k++, e += way * b, atLow *= low, atHigh *= high)
          found[k] = powerIntegral(e, log, atLow, atHigh);
        return found;
      };
      const plain = moments(0, first), weighted = moments(a, first + 1), shift = way > 0 ? 1 : 0;
      for (let k = 0, sign = 1; k < TERMS; k++, sign = -sign) { // (1+y)^-1 and (1+y)^-2
        total[0] += sign * plain[k];
        total[1] += sign * (k + 1) * plain[k + shift];
        total[2] += sign * weighted[k];
        total[3] += sign * (k + 1) * weighted[k + shift];
      }
    };
    if (x > low) add(low, x, 0, 1);
    if (high > z) add(z, high, -1, -1);
    for (let i = nodes(Math.log(x), Math.log(z), 3 / b) - 1; i >= 0; i--) {
      const y = kappa * Math.exp(b * X[i]), u = 1 / (1 + y), v = y * u;
      const plain = W[i] * Math.exp(X[i]) * u, weighted = W[i] * Math.exp((1 - a) * X[i]) * v;
      total[0] += plain; total[1] += plain * v; total[2] += weighted; total[3] += weighted * v;
    }
  };

  // [D, S, H, G] at kappa
  const sums = (kappa, b, a, modes) => {
    const total = [0, 0, 0, 0], { up, down } = powers(b, a);
    const last = modes <= DIRECT ? modes : DIRECT - 1;
    for (let j = 1; j <= last; j++) {
      const y = kappa * up[j], u = 1 / (1 + y), v = y * u, w = down[j];
      total[0] += u; total[1] += u * v; total[2] += w * v; total[3] += w * v * v;
    }
    if (modes <= DIRECT) return total;
    addIntegrals(total, kappa, b, a, DIRECT, modes);
    const ends = [[DIRECT, -1]];
    if (modes < Infinity) ends.push([modes, 1]);
    for (const [end, sign] of ends) seriesAt(end, kappa, b, a).forEach((series, i) => {
      total[i] += series[0] / 2 + sign * corrections(series, end);
    });
    return total;
  };

  // m - D_1 and max(N,T) - D_1, whose product is ridge/kappa
  const gaps = (smaller, larger, ratio) => {
    const half = (larger - smaller) / 2;
    if (larger === Infinity) return [0, Infinity];
    const root = half + Math.sqrt(half * half + ratio);
    return [root > 0 ? ratio / root : 0, root];
  };

  // kappa > 0 with kappa (N - D_1)(T - D_1) = ridge, or 0 where all modes are learnt
  const solve = (p) => {
    const smaller = Math.min(p.N, p.T), larger = Math.max(p.N, p.T);
    if (!(p.ridge > 0) && smaller >= p.M) return 0;
    const excess = (log) => { // D_1 - m + gap, which falls with kappa
      const kappa = Math.exp(log), [D, S] = sums(kappa, p.b, p.a, p.M);
      const [gap] = gaps(smaller, larger, p.ridge / kappa);
      return [D - smaller + gap, S];
    };
    let low = -p.b * Math.log(smaller) - 12, high = 10;
    while (excess(low)[0] < 0 && low > -600) low -= 20;
    while (excess(high)[0] > 0 && high < 300) high += 20;
    let log = Math.min(high, Math.max(low, -p.b * Math.log(smaller)));
    for (let step = 0; step < 200; step++) {
      const [value, slope] = excess(log);
      if (value > 0) low = log; else high = log;
      const kappa = Math.exp(log), ratio = p.ridge / kappa;
      const [small, large] = gaps(smaller, larger, ratio); // small large = ratio
      const bend = larger === Infinity || ratio === 0 ? 0 : ratio / (small + large);
      let next = log + value / (slope + bend); // Newton: d(D_1)/d(ln kappa) = -S, d(gap) = -bend
      if (!(next > low && next < high)) next = (low + high) / 2;
      if (Math.abs(next - log) < 1e-15 * Math.max(1, Math.abs(log))) { log = next; break; }
      log = next;
    }
    return Math.exp(log);
  };

  // the excess loss from the four sums and N - D_1, T - D_1
  const lossOf = ([D, S, H, G], n, t, noise) => {
    if (n === Infinity && t === Infinity) return G;
    const share = n === Infinity ? 1 : n / (n + S); // (N-D_1)/(N-D_2)
    const R = G * share + (n === Infinity ? 0 : H * S / (n + S));
    if (t === Infinity) return R;
    const left = t + S * share; // T - D_F
    return (R * (t + D) + noise * (D - S * share)) / left;
  };

  const loss = (p) => {
    const kappa = solve(p);
    if (kappa === 0) { // every mode is learnt: label noise alone
      return p.T === Infinity ? 0 : p.noise * p.M / (p.T - p.M);
    }
    const found = sums(kappa, p.b, p.a, p.M);
    const [small, large] = gaps(Math.min(p.N, p.T), Math.max(p.N, p.T), p.ridge / kappa);
    const [n, t] = p.N <= p.T ? [small, large] : [large, small];
    return lossOf(found, n, t, p.noise);
  };

  // the loss of gradient flow without bottlenecks: sum w^2 lambda e^(-2 lambda t)
  const timeLoss = (time, b, a, modes) => {
    const last = modes <= DIRECT ? modes : DIRECT - 1;
    let total = 0;
    for (let j = 1; j <= last; j++) total += j ** -a * Math.exp(-2 * time * j ** -b);
    if (modes <= DIRECT) return total;
    const at = (size) => { // J^-a exp(-x), x = 2 t J^-b, as a series in e
      const x = power(-b, ORDER).map((c) => 2 * time * size ** -b * c);
      const e = [Math.exp(-x[0])];
      for (let n = 1; n <= ORDER; n++) {
        let sum = 0;
        for (let k = 1; k <= n; k++) sum -= k * x[k] * e[n - k];
        e.push(sum / n);
      }
      return times(power(-a, ORDER).map((c) => c * size ** -a), e);
    };
    const slowest = modes === Infinity ? 0 : 2 * time * modes ** -b;
    if (slowest * b > modes / 2) { // a fast decay from mode to mode
      total = 0;
      for (let j = modes, term = 1; j > 0 && term > 1e-17 * total; j--) {
        term = j ** -a * Math.exp(-2 * time * j ** -b);
        total += term;
      }
      return total;
    }
    // what comes before the first mode is below e^-40 of the last
    const first = Math.min(modes, Math.max(DIRECT, Math.ceil((2 * time / (40 + slowest)) ** (1 / b))));
    const split = Math.min(modes, Math.max(first, (2 * time * Math.exp(EDGE)) ** (1 / b)));
    for (let i = nodes(Math.log(first), Math.log(split), Math.min(1.5, 8 / slowest) / b) - 1; i >= 0; i--)
      total += W[i] * Math.exp((1 - a) * X[i] - 2 * time * Math.exp(-b * X[i]));
    const log = Math.log(modes / split);
    for (let k = 0, factor = 1; k < 12 && log > 0; k++) { // e^-x in powers of x
      const e = 1 - a - b * k;
      total += factor * powerIntegral(e, log, split ** e, modes ** e);
      factor *= -2 * time / (k + 1);
    }
    const head = at(first), tail = modes === Infinity ? null : at(modes);
    total += head[0] / 2 - corrections(head, first);
    if (tail) total += tail[0] / 2 + corrections(tail, modes);
    return total;
  };

  // the four sums on a grid of ln kappa, for curves; what is read off is solved for exactly
  let table = null;
  const tabulate = (b, a, modes) => {
    const key = [b, a, modes].join();
    if (table && table.key === key) return table;
    const top = Math.log(1e4); // down to 1e13 modes learnt, or to the least ridge of N = T = 1e13
    const bottom = Math.min(-b * Math.log(3e13), modes < Infinity ? -82 : 0);
    const count = Math.ceil((top - bottom) / 0.4) + 1, step = (bottom - top) / (count - 1);
    const columns = [0, 1, 2, 3].map(() => new Float64Array(count));
    const kappa = new Float64Array(count), D = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      kappa[i] = Math.exp(top + i * step);
      const four = sums(kappa[i], b, a, modes);
      D[i] = four[0];
      columns.forEach((column, k) => { column[i] = Math.log(four[k]); });
    }
    table = { key, count, top, step, kappa, D, columns };
    return table;
  };
  // where D_1 + gap, which rises along the table, is the smaller size: in cells of the table
  const place = (rows, small, large, ridge) => {
    const total = (i) => rows.D[i] + gaps(small, large, ridge / rows.kappa[i])[0];
    let low = 0, high = rows.count - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (total(middle) <= small) low = middle; else high = middle;
    }
    const start = total(low), share = Math.log(small / start) / Math.log(total(high) / start);
    return low + (share > 0 ? Math.min(1, share) : 0);
  };
  const fourAt = (rows, position) => { // the sums and kappa between two rows
    const low = Math.min(rows.count - 2, Math.floor(position)), share = position - low;
    const [D, S, H, G] = rows.columns, at = (c) => Math.exp(c[low] + share * (c[low + 1] - c[low]));
    return [at(D), at(S), at(H), at(G), Math.exp(rows.top + rows.step * position)];
  };
  const lossAt = (four, n, t, ridge, noise) => {
    const [g, G] = gaps(Math.min(n, t), Math.max(n, t), ridge / four[4]);
    return lossOf(four, n <= t ? g : G, n <= t ? G : g, noise);
  };
  const allLearnt = (n, t, modes, noise) => t === Infinity ? 0 : noise * modes / (t - modes);
  const quick = (rows, p, n, t) => { // the loss from the table
    const small = Math.min(n, t), large = Math.max(n, t);
    if (!(p.ridge > 0) && small >= p.M) return allLearnt(n, t, p.M, p.noise);
    return lossAt(fourAt(rows, place(rows, small, large, p.ridge)), n, t, p.ridge, p.noise);
  };

  // what bounds the loss: 0 features, 1 data, 2 both, 3 noise, 4 ridge, 5 nothing
  const regime = (p, n, t, signal, noisy, bare, alone) => {
    const learnt = Math.min(n, t) >= p.M;
    if (p.noise > 0 && noisy > 2 * signal) return 3;
    if (learnt) return p.ridge > 0 ? 4 : 5;
    if (signal > 2 * bare) return 4;
    return signal > 2 * alone ? 2 : n <= t ? 0 : 1;
  };
  const regimes = (p, rows, sizes) => { // [i][j] of (N, T): what depends on the smaller size once
    const bare = sizes.map((size) => fourAt(rows, place(rows, size, Infinity, 0)));
    const alone = [0, 1].map((data) => sizes.map((size, i) =>
      lossAt(bare[i], data ? Infinity : size, data ? size : Infinity, 0, 0)));
    const found = sizes.map(() => new Uint8Array(sizes.length));
    const cell = (k, l, i, four) => {
      const n = sizes[k], t = sizes[l], learnt = sizes[i] >= p.M && !(p.ridge > 0);
      const at = (noise) => learnt ? allLearnt(n, t, p.M, noise) : lossAt(four, n, t, p.ridge, noise);
      const signal = at(0), noisy = p.noise > 0 ? at(p.noise) : signal;
      const free = p.ridge > 0 ? lossAt(bare[i], n, t, 0, 0) : signal;
      found[k][l] = regime(p, n, t, signal, noisy, free, alone[n <= t ? 0 : 1][i]);
    };
    for (let i = 0; i < sizes.length; i++) for (let j = i; j < sizes.length; j++) { // i the smaller
      const four = p.ridge > 0 ? fourAt(rows, place(rows, sizes[i], sizes[j], p.ridge)) : bare[i];
      cell(i, j, i, four);
      if (j > i) cell(j, i, i, four);
    }
    return found;
  };

  return { sums, solve, loss, timeLoss, tabulate, quick, regimes };
})();

(() => {
  const desk = typeof document === "undefined" ? null : document.getElementById("desk");
  if (!desk) return;
  document.querySelector("#explorer .noscript").hidden = true;
  desk.hidden = false;
  const find = (id) => document.getElementById(id);

  // name, label, lowest, highest, start, step; logarithmic ones are powers of ten
  const SLIDERS = [
    ["alpha", "α", 0.1, 2, 0.5, 0.01], ["a", "a", 1.05, 4, 1.5, 0.01],
    ["N", "N", 0.5, 12, 2, 0.05], ["T", "T", 0.5, 12, 2.6, 0.05], ["M", "M", 1, 15.05, 15.05, 0.05],
    ["ridge", "γ", -8.05, 6, -8.05, 0.05], ["noise", "σ²", -8.05, 1, -8.05, 0.05],
    ["time", "t", -1, 12, 3, 0.05],
  ];
  const LINEAR = new Set(["alpha", "a"]);
  const inputs = {};
  const value = (name) => {
    const x = Number(inputs[name].value);
    if (LINEAR.has(name)) return x;
    if (name === "M" && x > 15) return Infinity;
    if ((name === "ridge" || name === "noise") && x < -8) return 0;
    const size = 10 ** x;
    return name === "M" ? Math.round(size) : size;
  };
  const shown = (x) => x === Infinity ? "∞" : x === 0 ? "0"
    : x >= 1e4 || x < 1e-2 ? x.toExponential(2).replace("e+", "e") : String(Number(x.toPrecision(3)));
  for (const [name, label, low, high, start, step] of SLIDERS) {
    const row = document.createElement("label"), text = document.createElement("span");
    const input = document.createElement("input"), out = document.createElement("output");
    text.textContent = label;
    Object.assign(input, { type: "range", min: low, max: high, step, value: start, id: "s-" + name });
    input.setAttribute("aria-label", label);
    row.append(text, input, out);
    desk.querySelector(".sliders").append(row);
    inputs[name] = input;
    input.addEventListener("input", () => redraw());
    input.out = out;
  }

  // ---- drawing ------------------------------------------------------------------------
  const COLOURS = ["#0072B2", "#D55E00", "#CC79A7", "#E69F00", "#56B4E9", "#009E73"];
  let ink = {}, widths = {}; // read before anything is written: the page is laid out once
  const look = () => {
    const style = getComputedStyle(document.documentElement);
    ink = Object.fromEntries(["ink", "soft"].map((n) => [n, style.getPropertyValue("--" + n).trim()]));
    for (const canvas of desk.querySelectorAll("canvas")) widths[canvas.id] ??= canvas.clientWidth || 300;
  };
  const surface = (id) => {
    const canvas = find(id), scale = devicePixelRatio || 1;
    const width = widths[id], height = Math.round(width * 0.72);
    if (canvas.width !== Math.round(width * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      canvas.style.height = height + "px";
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return [pen, width, height];
  };
  const axes = (id, xlow, xhigh, ylow, yhigh, xname, yname) => {
    const [pen, width, height] = surface(id), left = 50, bottom = 34, right = 10, top = 8;
    const X = (v) => left + (Math.log10(v) - xlow) / (xhigh - xlow) * (width - left - right);
    const Y = (v) => height - bottom - (Math.log10(v) - ylow) / (yhigh - ylow) * (height - top - bottom);
    const frame = () => {
      pen.strokeStyle = ink.soft; pen.fillStyle = ink.ink;
      pen.lineWidth = 1; pen.setLineDash([]);
      pen.strokeRect(left, top, width - left - right, height - top - bottom);
      pen.font = "12px system-ui, sans-serif";
      const sup = (n) => "10" + String(n).replace(/[-0-9]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
      pen.textAlign = "center"; pen.textBaseline = "top";
      const xstep = Math.ceil((xhigh - xlow) / 6), ystep = Math.ceil((yhigh - ylow) / 6);
      for (let n = Math.ceil(xlow); n <= xhigh; n++) if (n % xstep === 0) {
        pen.fillText(sup(n), X(10 ** n), height - bottom + 4);
        pen.fillRect(X(10 ** n), height - bottom - 4, 1, 4);
      }
      pen.textAlign = "right"; pen.textBaseline = "middle";
      for (let n = Math.ceil(ylow); n <= yhigh; n++) if (n % ystep === 0) {
        pen.fillText(sup(n), left - 5, Y(10 ** n));
        pen.fillRect(left, Y(10 ** n), 4, 1);
      }
      pen.font = "italic 13px serif";
      pen.textAlign = "center"; pen.textBaseline = "bottom";
      pen.fillText(xname, (left + width - right) / 2, height);
      pen.save(); pen.translate(12, (height - bottom) / 2); pen.rotate(-Math.PI / 2);
      pen.textBaseline = "middle"; pen.fillText(yname, 0, 0); pen.restore();
    };
    const clip = (draw) => {
      pen.save(); pen.beginPath(); pen.rect(left, top, width - left - right, height - top - bottom);
      pen.clip(); draw(); pen.restore();
    };
    const line = (xs, ys, colour, dash, wide) => clip(() => {
      pen.beginPath(); pen.strokeStyle = colour; pen.setLineDash(dash); pen.lineWidth = wide;
      let down = false;
      xs.forEach((x, i) => {
        const y = ys[i] === Infinity ? 1e300 : ys[i];
        if (!(y > 0)) { down = false; return; }
        const height = Math.max(-2000, Math.min(4000, Y(y)));
        if (down) pen.lineTo(X(x), height); else pen.moveTo(X(x), height);
        down = true;
      });
      pen.stroke();
    });
    const ring = (x, y) => clip(() => {
      pen.beginPath(); pen.setLineDash([]); pen.lineWidth = 2; pen.strokeStyle = ink.ink;
      pen.arc(X(x), Y(y), 5, 0, 7); pen.stroke();
    });
    return { pen, X, Y, frame, line, ring, clip };
  };
  const geometric = (low, high, count) => Array.from({ length: count }, (_, i) =>
    10 ** (low + (high - low) * i / (count - 1)));
  const range = (values) => {
    const logs = values.filter((v) => v > 0 && v < Infinity).map(Math.log10);
    const high = logs.length ? Math.max(...logs) : 0, low = logs.length ? Math.min(...logs) : -1;
    return [Math.max(low, high - 14) - 0.15, high + 0.15];
  };

  const drawLoss = (p, rows) => {
    const decades = Math.log10(p.N), xlow = Math.max(0, Math.min(decades - 2.5, Math.log10(p.T) - 0.3));
    const xhigh = Math.max(decades + 2, Math.log10(p.T) + 0.3);
    const near = [-1e-2, -1e-3, 1e-3, 1e-2];
    const curves = [p.N, p.N / 10, p.N * 10].map((n) => {
      const xs = [...geometric(xlow, xhigh, 150), ...near.map((e) => n * (1 + e))].sort((x, y) => x - y);
      return [xs, xs.map((t) => solvable.quick(rows, p, n, t))];
    });
    const [xs] = curves[0], bare = { ...p, ridge: 0 };
    const free = p.ridge > 0 ? xs.map((t) => solvable.quick(rows, bare, p.N, t)) : [];
    const typical = curves.flatMap(([x, y]) => y.filter((_, i) => Math.abs(Math.log(x[i] / p.N)) > 0.05));
    const [ylow, yhigh] = range(typical);
    const plot = axes("plot-loss", xlow, xhigh, ylow, yhigh, "T", "L");
    curves.forEach(([x, y], i) => plot.line(x, y, COLOURS[[0, 4, 5][i]], [[], [5, 3], [2, 2]][i], i ? 1.3 : 2));
    if (free.length) plot.line(xs, free, ink.soft, [1, 3], 1.2);
    plot.frame();
    return plot;
  };

  const drawMap = (p, rows) => {
    const top = Math.max(6, Math.ceil(Math.max(Math.log10(p.N), Math.log10(p.T)) + 0.5)), cells = 44;
    const plot = axes("plot-map", 0, top, 0, top, "N", "T");
    const found = solvable.regimes(p, rows, geometric(top / cells / 2, top - top / cells / 2, cells));
    const edges = geometric(0, top, cells + 1);
    const [xs, ys] = [plot.X, plot.Y].map((scale) => edges.map(scale).map(Math.round));
    plot.pen.globalAlpha = 0.6;
    found.forEach((column, i) => {
      for (let j = 0, end; j < cells; j = end) { // a run of one regime
        for (end = j + 1; column[end] === column[j];) end++;
        plot.pen.fillStyle = COLOURS[column[j]];
        plot.pen.fillRect(xs[i], ys[end], xs[i + 1] - xs[i], ys[j] - ys[end]);
      }
    });
    plot.pen.globalAlpha = 1;
    plot.frame();
    plot.ring(p.N, p.T);
  };

  // the bottleneck of time, when asked for, at times, sizes and budgets on one lattice
  const PER_DECADE = 8, EARLY = -2;
  const lattice = (low, high) => geometric(low, high, (high - low) * PER_DECADE + 1);
  let decay = null;
  const late = (p, i) => {
    const key = p.b + "," + p.a + "," + p.M;
    if (!decay || decay.key !== key) decay = { key, losses: [] };
    return decay.losses[i] ??= solvable.timeLoss(10 ** (EARLY + i / PER_DECADE), p.b, p.a, p.M);
  };
  const drawCompute = (p, rows) => {
    const clean = { ...p, noise: 0, ridge: 0 }, top = Math.log10(p.N * p.time);
    const xlow = 1, xhigh = Math.max(8, Math.ceil(top) + 1), budgets = lattice(xlow, xhigh);
    const slow = Float64Array.from(lattice(EARLY, xhigh), (_, i) => late(p, i));
    const floor = (n) => solvable.quick(rows, clean, n, Infinity);
    const floors = Float64Array.from(lattice(0, Math.min(13, xhigh)), floor);
    const start = (xlow - EARLY) * PER_DECADE; // size k at budget start + c takes the time c - k
    const lossOf = (c, k) => k > start + c ? Infinity : slow[start + c - k] + floors[k];
    const every = Math.max(1, Math.ceil(xhigh / 9)), curves = [];
    for (let k = 1; k <= Math.min(12, xhigh - 1); k += every)
      curves.push(budgets.map((_, c) => lossOf(c, k * PER_DECADE)));
    const frontier = budgets.map((_, c) => {
      let best = Infinity;
      for (let k = Math.min(start + c, floors.length - 1); k >= 0; k--)
        best = Math.min(best, slow[start + c - k] + floors[k]);
      return best;
    });
    const [ylow, yhigh] = range([...frontier, ...curves.flat()]);
    const plot = axes("plot-compute", xlow, xhigh, ylow, yhigh, "C", "L");
    curves.forEach((ys, i) => plot.line(budgets, ys, COLOURS[[0, 4, 5][i % 3]], [], 1.2));
    plot.line(budgets, frontier, ink.ink, [6, 3], 2);
    plot.frame();
    plot.ring(p.N * p.time, solvable.timeLoss(p.time, p.b, p.a, p.M) + floor(p.N));
  };

  const read = () => ({ b: 1 + value("alpha"), a: value("a"), N: value("N"), T: value("T"),
    M: value("M"), ridge: value("ridge"), noise: value("noise"), time: value("time") });
  const redraw = () => {
    const started = performance.now(), p = read();
    look();
    for (const [name] of SLIDERS) {
      const text = shown(value(name)), input = inputs[name];
      if (input.out.textContent === text) continue;
      input.out.textContent = text;
      input.setAttribute("aria-valuetext", text);
    }
    const rows = solvable.tabulate(p.b, p.a, p.M), exact = solvable.loss(p), kappa = solvable.solve(p);
    drawLoss(p, rows).ring(p.T, exact);
    drawMap(p, rows);
    drawCompute(p, rows);
    find("readout").textContent = "κ = " + Number(kappa.toPrecision(10)) + "   L = "
      + Number(exact.toPrecision(10)) + "   L(t, N = T = ∞) = "
      + Number(solvable.timeLoss(p.time, p.b, p.a, p.M).toPrecision(10));
    desk.dataset.milliseconds = (performance.now() - started).toFixed(1);
  };
  addEventListener("resize", () => { widths = {}; redraw(); });
  document.getElementById("theme")?.addEventListener("click", () => setTimeout(redraw));
  redraw();
})();
