/* Shows the data of the report's page: see page.html. */
'use strict';
const data = JSON.parse(document.getElementById('report').textContent);
const reports = data.reports, first = reports[0], other = reports[1];
const byId = id => document.getElementById(id);

/** An element; names from models only ever become text nodes. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== null)
      element.setAttribute(name, value);
  element.append(...children.filter(child => child !== null));
  return element;
}

function bytesText(bytes) {
  if (bytes < 1024)
    return bytes + ' B';
  let value = bytes / 1024, unit = 0;
  for (; value >= 1024 && unit < 2; ++unit)
    value /= 1024;
  return value.toFixed(1) + ' ' + ['KiB', 'MiB', 'GiB'][unit];
}
const shapeText = shape => shape.length ? shape.join('\u00d7') : 'scalar';
const product = shape => shape.reduce((a, b) => a * b, 1);
const typeClass = type => /^i\d+$/.test(type) ? 'int' : ['f64', 'f32', 'bf16', 'f16'].includes(type) ? type : null;
const typeNode = type => make('span', {class: 'mono ' + (typeClass(type) || '')}, type);
const plural = (count, noun) => count + ' ' + noun + (count === 1 ? '' : 's');

/* ---- tables ---- */
/**
 * Adds a table that sorts and filters. columns: {title, value(row), show(row)?, number?, nobreak?}; filters, each a
 * choice of values: {title, value(row)}; extra, a mark on some rows and a box to see only these: {title,
 * holds(row)}.
 */
function addTable(parent, name, columns, rows, filters, extra) {
  const body = make('tbody'), status = make('span', {class: 'faint', role: 'status'});
  const search = make('input', {type: 'search', placeholder: 'filter by any text', 'aria-label': 'Filter ' + name});
  const picks = filters.map(filter => {
    const values = [...new Set(rows.map(filter.value))].sort();
    const select = make(
        'select', {'aria-label': filter.title + ' of ' + name}, make('option', {value: ''}, 'any ' + filter.title),
        ...values.map(value => make('option', {value: '=' + value}, value || 'none')));
    return {select, value: filter.value};
  });
  const toggle = extra ? make('input', {type: 'checkbox'}) : null;
  let sorted = null, descending = false;
  const heads = columns.map(column => {
    const button = make('button', {type: 'button'}, column.title);
    const head = make('th', {scope: 'col', 'aria-sort': 'none', class: column.number ? 'number' : null}, button);
    button.addEventListener('click', () => {
      descending = sorted === column ? !descending : Boolean(column.number);
      sorted = column;
      for (const each of heads)
        each.setAttribute('aria-sort', each === head ? (descending ? 'descending' : 'ascending') : 'none');
      show();
    });
    return head;
  });
  function compare(a, b) {
    const x = sorted.value(a), y = sorted.value(b);
    return typeof x === 'number' ? x - y : String(x).localeCompare(String(y), undefined, {numeric: true});
  }
  const cellOf = (column, row) => column.show ? column.show(row) : String(column.value(row));
  const texts = new Map(rows.map(row => {
    const cells = columns.map(column => make('td', null, cellOf(column, row)).textContent);
    return [row, cells.join(' ').replaceAll('\u00d7', 'x').toLowerCase()];
  }));
  const classOf = column => column.number ? 'number' : column.nobreak ? 'nobreak' : null;
  const rowOf = row => make(
      'tr', {class: extra && extra.holds(row) ? 'differs' : null},
      ...columns.map(column => make('td', {class: classOf(column)}, cellOf(column, row))));
  function show() {
    const word = search.value.trim().toLowerCase();
    let shown = rows.filter(
        row => texts.get(row).includes(word) && (!toggle || !toggle.checked || extra.holds(row)) &&
            picks.every(pick => !pick.select.value || '=' + pick.value(row) === pick.select.value));
    if (sorted) {
      shown = [...shown].sort(compare);
      if (descending)
        shown.reverse();
    }
    body.replaceChildren(...shown.map(rowOf));
    status.textContent = shown.length === rows.length ? plural(rows.length, 'row') :
                                                        shown.length + ' of ' + plural(rows.length, 'row');
  }
  search.addEventListener('input', show);
  for (const pick of picks)
    pick.select.addEventListener('change', show);
  if (toggle)
    toggle.addEventListener('change', show);
  parent.append(
      make(
          'div', {class: 'filters'}, search, ...picks.map(pick => pick.select),
          toggle ? make('label', null, toggle, ' ' + extra.title) : null, status),
      make(
          'div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': name},
          make('table', null, make('thead', null, make('tr', null, ...heads)), body)));
  show();
}

/* ---- header ---- */
function showHeader() {
  const specs = reports.map(report => report.label).join(' and ');
  document.title = first.model + ': ' + specs + ' - halfstep inspect';
  byId('title').textContent = first.model + ': ' + specs;
  for (const summary of data.summaries)
    byId('summaries').append(make('p', null, summary));
  for (const report of reports)
    for (const note of report.notes)
      byId('summaries').append(make('p', null, make('b', null, 'note: '), note));
  const tile = (value, label) => byId('tiles').append(make('li', null, make('b', null, value), label));
  const both = value => reports.map(value).join(' | ');
  tile(String(first.ops.length), 'forward ops');
  tile(both(report => report.casts.before + ' \u2192 ' + report.casts.after), 'casts before and after');
  tile(both(report => report.casts.kernels), 'cast kernels');
  tile(both(report => bytesText(report.memory.activations)), 'activations');
  tile(both(report => bytesText(report.memory.arena)), 'arena');
  const wide = first.memory_32_true;
  if (wide)
    tile(both(report => (report.memory.arena / wide.arena).toFixed(2)), 'of the arena of 32-true');
}

/* ---- ops ---- */
/** The ops of the one report, or of both side by side. */
const pairedOps = () => other ?
    data.pairs.map(pair => ({a: first.ops[pair.a] || null, b: other.ops[pair.b] || null, differs: pair.differs})) :
    first.ops.map(op => ({a: op, b: null, differs: false}));
function showOps() {
  const either = row => row.a || row.b;
  const of = (side, field) => row => row[side] ? row[side][field] : '';
  const layer = row => {
    const button = make('button', {type: 'button', class: 'link'}, either(row).name || '(no name)');
    button.addEventListener('click', () => {
      byId('ir').scrollIntoView();
      chooseLayer(either(row).name, true);
    });
    return button;
  };
  const columns = [
    {title: 'layer', value: row => either(row).name, show: layer},
    {title: 'op', value: row => either(row).op, show: row => make('code', null, either(row).op), nobreak: true}
  ];
  const filters = [];
  for (const [i, side] of (other ? ['a', 'b'] : ['a']).entries()) {
    const prefix = other ? reports[i].label + ' ' : '';
    columns.push(
        {title: prefix + 'class', value: of(side, 'class'), nobreak: true},
        {title: prefix + 'type', value: of(side, 'type'), show: row => typeNode(of(side, 'type')(row))},
        {title: prefix + 'reason', value: of(side, 'reason')});
    filters.push(
        {title: prefix + 'class', value: of(side, 'class')}, {title: prefix + 'type', value: of(side, 'type')});
  }
  columns.push({
    title: 'shape',
    value: row => product(either(row).shape),
    show: row => shapeText(either(row).shape),
    number: true
  });
  addTable(
      byId('ops'), 'ops', columns, pairedOps(), filters,
      other ? {title: 'only what differs', holds: row => row.differs} : null);
}

/* ---- memory ---- */
const kinds = [
  ['params', 'params', 'what ops read of parameters and buffers'],
  ['masters', 'masters', 'what the optimizer keeps beside working copies'],
  ['moments', 'moments', 'of the optimizer'],
  ['activations', 'activations', 'forward values that the backward pass reads'],
  ['gradients', 'gradients', 'of parameters; a part of the workspace'],
  ['rest', 'other workspace', 'values within one pass, scalars, padding']
];
const partOf = (memory, kind) => kind === 'rest' ? memory.workspace - memory.gradients : memory[kind];
function showMemory() {
  const columns = reports.map(report => ({title: report.label, memory: report.memory}));
  if (first.memory_32_true)
    columns.push({title: '32-true', memory: first.memory_32_true});
  const most = Math.max(...columns.map(column => column.memory.arena));
  for (const column of columns)
    byId('memory').append(make(
        'div', {class: 'bar'}, make('span', {class: 'label'}, column.title),
        make('span', {class: 'track', 'aria-hidden': 'true'}, ...kinds.map(([kind, label]) => {
          const bytes = partOf(column.memory, kind);
          return make('i', {
            style: 'width:' + 100 * bytes / most + '%;background:var(--' + (kind === 'rest' ? 'workspace' : kind) +
                ')' + (bytes ? '' : ';border:0'),
            title: label + ': ' + bytesText(bytes)
          });
        })),
        make('span', {class: 'whole number'}, bytesText(column.memory.arena))));
  const ratio = get => columns.length > 1 && get(columns[columns.length - 1].memory) ?
      (get(columns[0].memory) / get(columns[columns.length - 1].memory)).toFixed(2) :
      '-';
  const line = (head, text, get) => make(
      'tr', null, head, ...columns.map(column => make('td', {class: 'number'}, bytesText(get(column.memory)))),
      make('td', {class: 'number'}, ratio(get)), make('td', {class: 'faint'}, text));
  const rows = kinds.map(
      ([kind, label, text]) => line(
          make(
              'td', {class: 'nobreak'},
              make(
                  'span',
                  {class: 'key', style: 'background:var(--' + (kind === 'rest' ? 'workspace' : kind) + ')'}),
              label),
          text, memory => partOf(memory, kind)));
  rows.push(line(make('td', null, make('b', null, 'arena')), 'all of it', memory => memory.arena));
  const head = (text, number) =>
      make('th', {scope: 'col', style: 'padding:5px 12px', class: number ? 'number' : null}, text);
  byId('memory').append(make(
      'div', {class: 'scroll narrow'},
      make(
          'table', null,
          make(
              'thead', null,
              make(
                  'tr', null, head('kind'), ...columns.map(column => head(column.title, true)), head('ratio', true),
                  head('what'))),
          make('tbody', null, ...rows))));
}

/* ---- casts, weights, activations ---- */
const withSpec = list => reports.flatMap(report => list(report).map(row => ({...row, spec: report.label})));
const specColumn = other ? [{title: 'spec', value: row => row.spec, nobreak: true}] : [];
const specFilter = other ? [{title: 'spec', value: row => row.spec}] : [];
const shapeColumn = {
  title: 'shape',
  value: row => product(row.shape),
  show: row => shapeText(row.shape),
  number: true
};
const bytesColumn = {
  title: 'bytes',
  value: row => row.bytes,
  show: row => bytesText(row.bytes),
  number: true
};
const layerColumn = (title, field) => ({title, value: row => row[field]});
function showCasts() {
  const becomes = {
    kernel: () => 'kernel of its own',
    folded: row => 'folded into \'' + row.kernel + '\'',
    copy: () => 'copy written by the update',
    stored: () => 'parameter is stored so',
    dropped: () => 'not needed'
  };
  for (const report of reports)
    byId('casts').append(make(
        'p', null,
        (other ? report.label + ': ' : '') + report.casts.before + ' placed, ' + report.casts.after +
            ' after minimize-casts, ' + report.casts.kernels + ' of them a kernel of its own.'));
  byId('casts').append(make(
      'p', {class: 'faint'},
      'Bytes: read and written if the cast stood alone. Moves: what it adds to the generated code. ' +
          'Time: an estimate, what it moves at ' + first.casts.estimate_bytes_per_s / 1e9 +
          ' GB/s; not a measurement.'));
  addTable(
      byId('casts'), 'casts',
      [
        ...specColumn, layerColumn('of', 'op'), {title: 'pass', value: row => row.pass},
        {title: 'from', value: row => row.from, show: row => typeNode(row.from)},
        {title: 'to', value: row => row.to, show: row => typeNode(row.to)}, shapeColumn, bytesColumn,
        {title: 'becomes', value: row => becomes[row.place](row)},
        {title: 'moves', value: row => row.cost_bytes, show: row => bytesText(row.cost_bytes), number: true}, {
          title: 'est. \u00b5s',
          value: row => row.estimated_us,
          show: row => row.estimated_us.toFixed(2),
          number: true
        }
      ],
      withSpec(report => report.casts.list), [
        ...specFilter, {title: 'pass', value: row => row.pass},
        {title: 'fate', value: row => becomes[row.place](row)}
      ]);
}
function showWeights() {
  const stored = row => row.types.map((type, i) => type + ' ' + row.roles[i]).join(', ');
  addTable(
      byId('weights'), 'weights',
      [
        ...specColumn, layerColumn('weight', 'name'), {
          title: 'stored as',
          value: stored,
          show: row => make(
              'span', null, ...row.types.flatMap((type, i) => [i ? ', ' : '', typeNode(type), ' ' + row.roles[i]]))
        },
        shapeColumn, bytesColumn
      ],
      withSpec(report => report.weights), [...specFilter, {title: 'storage', value: stored}]);
}
function showActivations() {
  addTable(
      byId('activations'), 'activations',
      [
        ...specColumn, layerColumn('layer', 'name'),
        {title: 'op', value: row => row.op, show: row => make('code', null, row.op)},
        {title: 'type', value: row => row.type, show: row => typeNode(row.type)}, shapeColumn, bytesColumn
      ],
      withSpec(report => report.activations), [...specFilter, {title: 'type', value: row => row.type}]);
}

showHeader();
showOps();
showMemory();
showCasts();
showWeights();
showActivations();
