// Small helpers that make elements. Nothing is ever made from text as HTML, so what a peer writes
// into a message stays text.

const svgSpace = 'http://www.w3.org/2000/svg'

// element makes an element with attributes and children; a function among the attributes listens.
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children)
}

export function shape(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgSpace, name), attributes, children)
}

function fill(e, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') e.addEventListener(name, value)
    else if (value !== undefined && value !== false) e.setAttribute(name, value)
  }
  e.append(...children.filter(c => c !== undefined && c !== null))
  return e
}

// table makes a table. columns are [heading, cell, class]; cell gives text or an element for a row.
export function table(caption, columns, rows) {
  if (rows.length === 0) return element('p', {}, `No ${caption}.`)
  return element('div', { class: 'scroll' }, element('table', { 'aria-label': caption },
    element('thead', {}, element('tr', {}, ...columns.map(([heading, , kind]) =>
      element('th', { scope: 'col', class: kind }, heading)))),
    element('tbody', {}, ...rows.map(row => element('tr', {}, ...columns.map(([, cell, kind]) =>
      element('td', { class: kind }, cell(row))))))))
}

// replace puts content in the place of what an element has, and keeps the focus on the control that
// has the same key.
export function replace(id, content) {
  const e = document.getElementById(id)
  const key = e.contains(document.activeElement) && document.activeElement.dataset.key
  e.replaceChildren(content)
  if (key) e.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus()
}

export function number(n) {
  if (n === undefined || Number.isNaN(n)) return '–'
  if (n >= 100 || Number.isInteger(n)) return Math.round(n).toLocaleString('en')
  return n.toPrecision(2)
}

// plot draws series over time into an SVG: [{name, values}], the newest value last, most at most.
export function plot(svg, series, most) {
  const width = Math.max(svg.clientWidth, 200), height = 130, left = 44, bottom = 16
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
  svg.setAttribute('height', height)
  const top = nice(Math.max(...series.flatMap(s => s.values), 0))
  const first = most - Math.max(...series.map(s => s.values.length))
  const x = i => left + (width - left - 4) * (first + i) / (most - 1)
  const y = v => 6 + (height - bottom - 6) * (1 - v / top)
  const out = []
  for (const v of [0, top / 2, top]) {
    out.push(shape('line', { class: 'axis', x1: left, x2: width, y1: y(v), y2: y(v) }),
      shape('text', { x: left - 6, y: y(v) + 4, 'text-anchor': 'end' }, number(v)))
  }
  series.forEach((s, n) => {
    const points = s.values.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(' ')
    out.push(shape('polyline', { class: `line line-${n}`, points }),
      shape('text', { class: `name-${n}`, x: left + 4 + 90 * n, y: height - 3 }, s.name))
  })
  svg.replaceChildren(...out)
}

// nice is the next 1, 2 or 5 times a power of ten.
function nice(v) {
  if (v <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(v))
  return [1, 2, 5, 10].map(f => f * power).find(t => t >= v)
}
