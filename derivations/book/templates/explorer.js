"use strict";
/* The closed forms of the book for a power law: lambda_J = J^-b, w^2 lambda = J^-a, J = 1 ... M.

   With y = kappa J^b everything static is made of four sums,

     D = sum 1/(1+y),  S = sum y/(1+y)^2,  H = sum J^-a y/(1+y),  G = sum J^-a y^2/(1+y)^2,

   D = D_1, S = D_1 - D_2, H = kappa h_1, G = kappa^2 h_2: a few terms directly, the rest by
   Euler and Maclaurin; the integral is a power series where y is small or large, and Gauss's rule
   between. Cost and accuracy do not depend on M, which may be infinite. */
const solvable = (() => {
  const DIRECT = 24, EDGE = 6, TERMS = 9;
  const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730]; // B_2, B_4, ...
  const KINDS = [[0, 0, 1], [0, 1, 2], [1, 1, 1], [1, 2, 2]]; // [times a, r, q]: J^-a y^r (1+y)^-q

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
  const RULE = gauss(14);

  const integrate = (f, low, high, width) => { // panels of Gauss's rule
    if (!(high > low)) return 0;
    const panels = Math.max(1, Math.ceil((high - low) / width)), half = (high - low) / panels / 2;
    let total = 0;
    for (let p = 0; p < panels; p++) {
      const middle = low + (2 * p + 1) * half;
      for (const [x, weight] of RULE) total += weight * f(middle + half * x);
    }
    return total * half;
  };

  // Taylor coefficients in e of (1+e)^p, of products, and of (1+y)^-1
  const power = (p, order) => {
    const c = [1];
    for (let n = 1; n <= order; n++) c.push(c[n - 1] * (p - n + 1) / n);
    return c;
  };
  const times = (x, y) => x.map((_, n) => {
    let sum = 0;
    for (let k = 0; k <= n; k++) sum += x[k] * y[n - k];
    return sum;
  });
  const inverse = (x) => {
    const c = [1 / x[0]];
    for (let n = 1; n < x.length; n++) {
      let sum = 0;
      for (let k = 1; k <= n; k++) sum += x[k] * c[n - k];
      c.push(-sum / x[0]);
    }
    return c;
  };

  // sum_k B_2k/(2k)! f^(2k-1)(J): corrections of Euler and Maclaurin at one end
  const corrections = (series, size) => {
    let total = 0;
    for (let k = 1; k <= BERNOULLI.length; k++)
      total += BERNOULLI[k - 1] / (2 * k) * series[2 * k - 1] / size ** (2 * k - 1);
    return total;
  };

  const seriesAt = (size, kappa, b, a) => { // of the four summands in e, J = size (1+e)
    const order = 2 * BERNOULLI.length, y0 = kappa * size ** b;
    const y = power(b, order).map((c) => c * y0);
    const u = inverse([1 + y[0], ...y.slice(1)]), v = times(y, u); // 1/(1+y), y/(1+y)
    const w = power(-a, order).map((c) => c * size ** -a);
    return [u, times(u, v), times(w, v), times(w, times(v, v))];
  };

  const powerIntegral = (q, low, high) => { // of J^q
    if (Math.abs(q + 1) < 1e-12) return Math.log(high / low);
    return ((high === Infinity ? 0 : high ** (q + 1)) - low ** (q + 1)) / (q + 1);
  };

  const integralOf = ([uses, r, q], kappa, b, a, low, high) => {
    const s = uses ? a : 0, ends = [-EDGE, EDGE].map((v) => Math.exp((v - Math.log(kappa)) / b));
    const clamp = (x) => Math.min(Math.max(x, low), high), [x, y] = ends.map(clamp);
    let total = 0, binomial = 1;
    for (let k = 0; k < TERMS; k++) { // (1+y)^-q in powers of y and of 1/y
      if (x > low) total += binomial * kappa ** (r + k) * powerIntegral(b * (r + k) - s, low, x);
      if (high > y)
        total += binomial * kappa ** (r - q - k) * powerIntegral(b * (r - q - k) - s, y, high);
      binomial *= -(q + k) / (k + 1);
    }
    const f = (log) => {
      const v = kappa * Math.exp(b * log);
      return Math.exp((1 - s) * log) * v ** r / (1 + v) ** q;
    };
    return total + integrate(f, Math.log(x), Math.log(y), 3 / b);
  };

  // [D, S, H, G] at kappa
  const sums = (kappa, b, a, modes) => {
    const total = [0, 0, 0, 0], direct = Math.min(DIRECT, modes);
    const last = modes <= DIRECT ? modes : DIRECT - 1;
    for (let j = 1; j <= last; j++) {
      const y = kappa * j ** b, u = 1 / (1 + y), v = y * u, w = j ** -a;
      total[0] += u; total[1] += u * v; total[2] += w * v; total[3] += w * v * v;
    }
    if (modes <= DIRECT) return total;
    const first = seriesAt(direct, kappa, b, a);
    const final = modes === Infinity ? null : seriesAt(modes, kappa, b, a);
    return total.map((sum, i) => {
      let value = sum + integralOf(KINDS[i], kappa, b, a, direct, modes);
      value += first[i][0] / 2 - corrections(first[i], direct);
      if (final) value += final[i][0] / 2 + corrections(final[i], modes);
      return value;
    });
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
    const R = G * share + H * (1 - share);
    if (t === Infinity) return R;
    const left = t + S * share; // T - D_F
    const T = t + D;
    return (R * T + noise * (T - left)) / left;
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
      const order = 2 * BERNOULLI.length, x = power(-b, order).map((c) => 2 * time * size ** -b * c);
      const e = [Math.exp(-x[0])];
      for (let n = 1; n <= order; n++) {
        let sum = 0;
        for (let k = 1; k <= n; k++) sum -= k * x[k] * e[n - k];
        e.push(sum / n);
      }
      return times(power(-a, order).map((c) => c * size ** -a), e);
    };
    const start = Math.max(DIRECT, Math.min(modes, Math.ceil((2 * time / 40) ** (1 / b))));
    let first = DIRECT;
    if (start > DIRECT) first = Math.min(modes, start); // what comes before is below e^-40
    const f = (log) => Math.exp((1 - a) * log - 2 * time * Math.exp(-b * log));
    const split = Math.min(modes, Math.max(first, (2 * time * Math.exp(EDGE)) ** (1 / b)));
    let integral = integrate(f, Math.log(first), Math.log(split), 1.5 / b), factor = 1;
    for (let k = 0; k < 12 && modes > split; k++) { // e^-x in powers of x
      integral += factor * powerIntegral(-a - b * k, split, modes);
      factor *= -2 * time / (k + 1);
    }
    const head = at(first), tail = modes === Infinity ? null : at(modes);
    total += integral + head[0] / 2 - corrections(head, first);
    if (tail) total += tail[0] / 2 + corrections(tail, modes);
    return total;
  };

  const featureLoss = (n, b, a, modes) => loss({ N: n, T: Infinity, M: modes, b, a, ridge: 0, noise: 0 });

  return { sums, solve, loss, lossOf, gaps, timeLoss, featureLoss };
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

  // tables of the four sums against ln kappa, for curves; what is read off is solved for exactly
  let table = null;
  const tabulate = (b, a, modes) => {
    const key = [b, a, modes].join();
    if (table && table.key === key) return table;
    const rows = [], top = Math.log(1e4), bottom = -b * Math.log(3e13);
    const count = 260;
    for (let i = 0; i < count; i++) {
      const log = top + (bottom - top) * i / (count - 1);
      const [D, S, H, G] = solvable.sums(Math.exp(log), b, a, modes);
      rows.push([log, Math.log(D), Math.log(S), Math.log(H), Math.log(G)]);
    }
    table = { key, rows };
    return table;
  };
  const at = (rows, column, wanted) => { // the row where a rising column has this value
    let low = 0, high = rows.length - 1;
    if (wanted >= rows[high][column]) return rows[high];
    if (wanted <= rows[low][column]) return rows[low];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (rows[middle][column] <= wanted) low = middle; else high = middle;
    }
    const x = (wanted - rows[low][column]) / (rows[high][column] - rows[low][column]);
    return rows[low].map((v, i) => v + x * (rows[high][i] - v));
  };
  // the loss from the table: D_1 = m - gap is a fixed point in which the gap is small
  const quick = (rows, p, N, T) => {
    const small = Math.min(N, T), large = Math.max(N, T);
    if (!(p.ridge > 0) && small >= p.M) return T === Infinity ? 0 : p.noise * p.M / (T - p.M);
    const excess = (row) => {
      const [gap] = solvable.gaps(small, large, p.ridge / Math.exp(row[0]));
      return Math.exp(row[1]) - small + gap;
    };
    let row;
    if (!(p.ridge > 0)) row = at(rows, 1, Math.log(small));
    else { // excess falls with kappa, so it rises along the rows
      let low = 0, high = rows.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (excess(rows[middle]) <= 0) low = middle; else high = middle;
      }
      const x = excess(rows[low]), y = excess(rows[high]);
      const share = y > x ? Math.min(1, Math.max(0, -x / (y - x))) : 0;
      row = rows[low].map((v, i) => v + share * (rows[high][i] - v));
    }
    const four = row.slice(1).map(Math.exp);
    const [g, G] = solvable.gaps(small, large, p.ridge / Math.exp(row[0]));
    return solvable.lossOf(four, N <= T ? g : G, N <= T ? G : g, p.noise);
  };

  // ---- drawing ------------------------------------------------------------------------
  const COLOURS = ["#0072B2", "#D55E00", "#CC79A7", "#E69F00", "#56B4E9", "#009E73"];
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const surface = (id) => {
    const canvas = find(id), scale = devicePixelRatio || 1;
    const width = canvas.clientWidth || 300, height = Math.round(width * 0.72);
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
      pen.strokeStyle = ink("--soft"); pen.fillStyle = ink("--ink");
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
      pen.beginPath(); pen.setLineDash([]); pen.lineWidth = 2; pen.strokeStyle = ink("--ink");
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
      return [xs, xs.map((t) => quick(rows, p, n, t))];
    });
    const [xs] = curves[0], bare = { ...p, ridge: 0 };
    const free = p.ridge > 0 ? xs.map((t) => quick(rows, bare, p.N, t)) : [];
    const typical = curves.flatMap(([x, y]) => y.filter((_, i) => Math.abs(Math.log(x[i] / p.N)) > 0.05));
    const [ylow, yhigh] = range(typical);
    const plot = axes("plot-loss", xlow, xhigh, ylow, yhigh, "T", "L");
    curves.forEach(([x, y], i) => plot.line(x, y, COLOURS[[0, 4, 5][i]], [[], [5, 3], [2, 2]][i], i ? 1.3 : 2));
    if (free.length) plot.line(xs, free, ink("--soft"), [1, 3], 1.2);
    plot.frame();
    return plot;
  };

  const regime = (p, rows, n, t) => {
    const clean = { ...p, noise: 0, ridge: 0 }, smaller = Math.min(n, t);
    const total = quick(rows, p, n, t), signal = quick(rows, { ...p, noise: 0 }, n, t);
    if (smaller >= p.M && !(p.ridge > 0) && !(p.noise > 0)) return 5;
    if (p.noise > 0 && total - signal > total / 2) return 3;
    if (smaller >= p.M) return p.ridge > 0 ? 4 : 5;
    const bare = quick(rows, clean, n, t);
    if (signal > 2 * bare || (p.ridge > 0 && quick(rows, { ...p, noise: 0 }, smaller, Infinity) > 2 * quick(rows, clean, smaller, Infinity))) return 4;
    const alone = quick(rows, { ...p, noise: 0 }, n <= t ? n : Infinity, n <= t ? Infinity : t);
    if (signal > 2 * alone) return 2;
    return n <= t ? 0 : 1;
  };
  const drawMap = (p, rows) => {
    const top = Math.max(6, Math.ceil(Math.max(Math.log10(p.N), Math.log10(p.T)) + 0.5));
    const plot = axes("plot-map", 0, top, 0, top, "N", "T"), cells = 44;
    for (let i = 0; i < cells; i++) for (let j = 0; j < cells; j++) {
      const n = 10 ** (top * (i + 0.5) / cells), t = 10 ** (top * (j + 0.5) / cells);
      plot.pen.fillStyle = COLOURS[regime(p, rows, n, t)];
      const [x, right] = [i, i + 1].map((k) => Math.round(plot.X(10 ** (top * k / cells))));
      const [y, below] = [j + 1, j].map((k) => Math.round(plot.Y(10 ** (top * k / cells))));
      plot.pen.globalAlpha = 0.6;
      plot.pen.fillRect(x, y, right - x, below - y);
      plot.pen.globalAlpha = 1;
    }
    plot.frame();
    plot.ring(p.N, p.T);
  };

  let decay = null; // the bottleneck of time against t, once for a spectrum
  const times = (p) => {
    const key = [p.b, p.a, p.M].join();
    if (decay && decay.key === key) return decay.rows;
    const rows = geometric(-2, 16, 120).map((t) => [Math.log(t), -Math.log(solvable.timeLoss(t, p.b, p.a, p.M))]);
    decay = { key, rows };
    return rows;
  };
  const inTime = (rows, t) => Math.exp(-at(rows.map ? rows : [], 0, Math.log(t))[1]);
  const drawCompute = (p, rows) => {
    const clean = { ...p, noise: 0, ridge: 0 }, slow = times(p), top = Math.log10(p.N * p.time);
    const xlow = 1, xhigh = Math.max(8, Math.ceil(top) + 1), budgets = geometric(xlow, xhigh, 90);
    const limits = geometric(0, 13, 66).map((n) => [n, n >= p.M ? 0 : quick(rows, clean, n, Infinity)]);
    const curve = (n, floor) => budgets.map((c) => inTime(slow, c / n) + floor);
    const sizes = [];
    for (let k = 1; k <= Math.min(12, xhigh - 1); k += Math.max(1, Math.ceil(xhigh / 9))) sizes.push(10 ** k);
    const curves = sizes.map((n) => curve(n, n >= p.M ? 0 : quick(rows, clean, n, Infinity)));
    const frontier = budgets.map((c) => Math.min(...limits.map(([n, floor]) => c / n > 1e-2 ? inTime(slow, c / n) + floor : Infinity)));
    const [ylow, yhigh] = range([...frontier, ...curves.flat()]);
    const plot = axes("plot-compute", xlow, xhigh, ylow, yhigh, "C", "L");
    curves.forEach((ys, i) => plot.line(budgets, ys, COLOURS[[0, 4, 5][i % 3]], [], 1.2));
    plot.line(budgets, frontier, ink("--ink"), [6, 3], 2);
    plot.frame();
    const here = inTime(slow, p.time) + (p.N >= p.M ? 0 : quick(rows, clean, p.N, Infinity));
    plot.ring(p.N * p.time, here);
  };

  const read = () => ({ b: 1 + value("alpha"), a: value("a"), N: value("N"), T: value("T"),
    M: value("M"), ridge: value("ridge"), noise: value("noise"), time: value("time") });
  const redraw = () => {
    const started = performance.now(), p = read();
    for (const [name] of SLIDERS) {
      inputs[name].out.textContent = shown(value(name));
      inputs[name].setAttribute("aria-valuetext", shown(value(name)));
    }
    const { rows } = tabulate(p.b, p.a, p.M), exact = solvable.loss(p), kappa = solvable.solve(p);
    drawLoss(p, rows).ring(p.T, exact);
    drawMap(p, rows);
    drawCompute(p, rows);
    find("readout").textContent = "κ = " + Number(kappa.toPrecision(10)) + "   L = "
      + Number(exact.toPrecision(10)) + "   L(t, N = T = ∞) = "
      + Number(solvable.timeLoss(p.time, p.b, p.a, p.M).toPrecision(10));
    desk.dataset.milliseconds = (performance.now() - started).toFixed(1);
  };
  addEventListener("resize", redraw);
  document.getElementById("theme")?.addEventListener("click", () => setTimeout(redraw));
  redraw();
})();
