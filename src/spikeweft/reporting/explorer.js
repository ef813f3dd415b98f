"use strict";
(() => {
  const section = document.getElementById("explorer");
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const n = data.neurons.length;
  const choice = document.getElementById("explorer-order");
  const pair = document.getElementById("explorer-pair");
  const views = [...section.querySelectorAll(".matrix")].map((box) => ({
    box,
    canvas: box.querySelector("canvas"),
    mark: box.querySelector(".mark"),
    select: box.querySelector("select"),
  }));

  const unpack = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  };
  const circuits = data.circuits.map((circuit) => ({
    ...circuit,
    weights: unpack(circuit.weights),
    errors: circuit.errors ? unpack(circuit.errors) : null,
  }));

  // Red excites, blue inhibits, white is no effect, grey is not scored: as in the figures.
  const ENDS = { excites: [178, 24, 43], inhibits: [33, 102, 172] };
  const GREY = [200, 206, 212];
  const colour = (weight, limit) => {
    if (Number.isNaN(weight)) return GREY;
    const share = Math.min(Math.abs(weight) / limit, 1) || 0;
    const end = weight > 0 ? ENDS.excites : ENDS.inhibits;
    return end.map((part) => Math.round(255 + share * (part - 255)));
  };

  const order = () => data.orders[choice.value].neurons;
  const draw = (view) => {
    const circuit = circuits[view.select.value];
    const places = order();
    view.canvas.width = view.canvas.height = n;
    const context = view.canvas.getContext("2d");
    const image = context.createImageData(n, n);
    for (let row = 0; row < n; row++) {
      for (let column = 0; column < n; column++) {
        const weight = circuit.weights[places[row] * n + places[column]];
        image.data.set([...colour(weight, circuit.limit), 255], 4 * (row * n + column));
      }
    }
    context.putImageData(image, 0, 0);
  };

  const digits = (value) => Number(value.toPrecision(3)).toString().replace("-", "−");
  const reading = (circuit, post, pre) => {
    const at = post * n + pre;
    const weight = circuit.weights[at];
    if (post === pre) return `${circuit.name}: a neuron's weight on itself is not shown`;
    if (Number.isNaN(weight)) return `${circuit.name}: the spikes say less about this weight than what is assumed beforehand`;
    const error = circuit.errors ? ` ± ${digits(circuit.errors[at])} (${circuit.error_name})` : "";
    return `${circuit.name}${circuit.scaled}: ${weight > 0 ? "+" : ""}${digits(weight)}${error}`;
  };

  // Coincidences of a pair: bars as counted, lines with and without its connection.
  const figure = document.getElementById("explorer-correlogram");
  const [WIDTH, HEIGHT] = [480, 130];
  const correlograms = data.correlograms.map((kept) => ({
    ...kept,
    observed: unpack(kept.observed),
    without: unpack(kept.without),
    with: unpack(kept.with),
  }));
  const showCoincidences = (post, pre) => {
    if (!figure) return;
    const joins = ({ post: one, pre: other }) =>
      (one === post && other === pre) || (one === pre && other === post);
    const kept = post === pre ? undefined : correlograms.find(joins);
    figure.style.visibility = kept ? "visible" : "hidden";
    if (!kept) return;
    const wide = WIDTH / kept.observed.length;
    const top = Math.max(...kept.observed, ...kept.with, ...kept.without);
    const height = (count) => HEIGHT * (1 - count / top);
    const bar = (count, k) => `M${k * wide} ${HEIGHT}V${height(count)}h${wide}V${HEIGHT}`;
    const point = (count, k) => `${(k + 0.5) * wide} ${height(count)}`;
    const bars = [...kept.observed].map(bar);
    const line = (counts) => `M${[...counts].map(point).join("L")}`;
    figure.querySelector(".observed").setAttribute("d", bars.join(""));
    figure.querySelector(".with").setAttribute("d", line(kept.with));
    figure.querySelector(".without").setAttribute("d", line(kept.without));
    const most = `${kept.name}: coincidences by lag, at most ${Math.max(...kept.observed)}`;
    const lines = "dashed without, blue with the connection";
    figure.querySelector("figcaption").textContent = `${most}; ${lines}`;
  };

  let cell = [0, Math.min(1, n - 1)];
  const show = (row, column) => {
    cell = [row, column];
    const [post, pre] = [order()[row], order()[column]];
    const chosen = [...new Set(views.map((view) => circuits[view.select.value]))];
    const lines = [
      `from ${data.neurons[pre]} to ${data.neurons[post]}`,
      ...chosen.map((circuit) => reading(circuit, post, pre)),
    ];
    pair.textContent = lines.join("\n");
    showCoincidences(post, pre);
    for (const { mark } of views) {
      mark.hidden = false;
      mark.style.left = `${(100 * column) / n}%`;
      mark.style.top = `${(100 * row) / n}%`;
      mark.style.width = mark.style.height = `${100 / n}%`;
    }
  };
  const again = () => {
    views.forEach(draw);
    show(...cell);
  };

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const inside = (place) => Math.min(Math.max(place, 0), n - 1);
  for (const { canvas, select } of views) {
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      const at = (offset, size) => inside(Math.floor((offset / size) * n));
      show(at(event.clientY - box.top, box.height), at(event.clientX - box.left, box.width));
    });
    canvas.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step) return;
      event.preventDefault();
      show(inside(cell[0] + step[0]), inside(cell[1] + step[1]));
    });
    select.addEventListener("change", again);
  }
  choice.addEventListener("change", again);

  section.hidden = false;
  again();
})();
