/* The two sides of the IR on the report's page, after page.js: coloured, with matching scroll. */

const lineHeight = 19;  // pixels, of page.css
/** Of each side its lines, the layer of each, and where functions and, within them, layers begin. */
const sides = data.ir.map(ir => {
  const lines = ir.text.replace(/\n$/, '').split('\n'),
        layers = ir.lines.map(number => number ? ir.layers[number - 1] : '');
  const functions = new Map(), places = new Map();
  let current = '';
  lines.forEach((line, i) => {
    const found = /^ {2}func\.func @(\w+)/.exec(line);
    if (found) {
      current = found[1];
      functions.set(current, i);
    } else if (layers[i]) {
      const key = JSON.stringify([current, layers[i]]);
      if (!places.has(key))
        places.set(key, i);
    }
  });
  return {ir, lines, layers, functions, places, pane: null, rows: []};
});

function colouredLine(line, layer) {
  const row = make('div', layer ? {'data-layer': layer} : null);
  let at = 0;
  for (const match of line.matchAll(/tensor<(?:\d+x)*(\w+)>|(?<== )(?:bf16|f16|f32|f64)\b/g)) {
    const kind = typeClass(match[1] || match[0]);
    if (!kind)
      continue;
    row.append(line.slice(at, match.index), make('span', {class: kind}, match[0]));
    at = match.index + match[0].length;
  }
  row.append(line.slice(at));
  return row;
}

/** Pairs of lines that belong together, growing on both sides: functions, and each layer's first line in one. */
function anchors() {
  const [left, right] = sides, pairs = [[0, 0]];
  const meeting = [];
  for (const kind of ['functions', 'places'])
    for (const [key, line] of left[kind])
      if (right[kind].has(key))
        meeting.push([line, right[kind].get(key), kind === 'functions']);
  meeting.sort((a, b) => a[0] - b[0]);
  const fixed = meeting.filter(pair => pair[2]);
  for (const [x, y, isFunction] of meeting) {
    const next = fixed.find(pair => pair[0] > x), last = pairs[pairs.length - 1];
    if (x > last[0] && y > last[1] && (isFunction || !next || y < next[1]))
      pairs.push([x, y]);
  }
  pairs.push([left.lines.length, right.lines.length]);
  return pairs;
}

/** The place on the other side of a place (in lines, with a fraction) on side `from`: linear between the pairs. */
function follow(position, pairs, from) {
  const to = 1 - from;
  let i = pairs.findIndex(pair => pair[from] > position);
  if (i < 1)
    i = pairs.length - 1;
  const a = pairs[i - 1], b = pairs[i];
  return a[to] + (position - a[from]) / Math.max(1, b[from] - a[from]) * (b[to] - a[to]);
}

let chosenLayer = null;
/** Marks a layer's lines on both sides ('': none), and brings the first ones into view with `reveal`. */
function chooseLayer(layer, reveal) {
  chosenLayer = layer;
  const counts = sides.map(side => {
    const lines = side.rows.filter((row, i) => {
      row.classList.toggle('chosen', side.layers[i] === layer && layer !== '');
      return side.layers[i] === layer;
    });
    if (reveal && lines.length)
      side.pane.scrollTop = side.rows.indexOf(lines[0]) * lineHeight - side.pane.clientHeight / 3;
    return lines.length;
  });
  byId('chosen').textContent = layer ?
      '\'' + layer + '\': ' + plural(counts[0], 'line') + ' left, ' + plural(counts[1], 'line') + ' right' :
      '';
}

function showIr() {
  for (const [i, side] of sides.entries()) {
    side.rows = side.lines.map((line, n) => colouredLine(line, side.layers[n]));
    const title = (other ? side.ir.label + ', ' : '') + 'after ' + side.ir.stage;
    side.pane = make(
        'div', {class: 'pane', tabindex: '0', role: 'region', 'aria-label': 'IR ' + title},
        make('pre', null, ...side.rows));
    side.pane.addEventListener('click', event => {
      const row = event.target.closest('[data-layer]');
      if (row)
        chooseLayer(row.dataset.layer === chosenLayer ? '' : row.dataset.layer, false);
    });
    byId('panes').append(make('div', null, make('h3', {id: 'pane' + i}, title), side.pane));
  }
  const pairs = anchors();
  let driven = null;  // the pane whose next scroll event is our own doing
  for (const [i, side] of sides.entries())
    side.pane.addEventListener('scroll', () => {
      if (driven === side) {
        driven = null;
        return;
      }
      if (!byId('together').checked)
        return;
      const target = sides[1 - i].pane,
            top = Math.round(follow(side.pane.scrollTop / lineHeight, pairs, i) * lineHeight);
      const before = target.scrollTop;
      target.scrollTop = top;
      if (target.scrollTop !== before)
        driven = sides[1 - i];
    });
  for (const [name, line] of sides[0].functions) {
    const button = make('button', {type: 'button'}, '@' + name);
    button.addEventListener('click', () => {
      sides[0].pane.scrollTop = line * lineHeight;
    });
    byId('jumps').append(button, ' ');
  }
}

showIr();
