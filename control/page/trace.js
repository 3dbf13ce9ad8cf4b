// A traced call as a ladder: who sent what to whom, from top to bottom in time.

import { element, replace, shape, table } from './draw.js'
import { rpc } from './page.js'

export async function startTrace(filter) {
  await rpc('viaduct.trace_start', ...filter.split(/\s+/).filter(w => w))
  await look()
}

const callID = text => /^(?:call-id|i)[ \t]*:[ \t]*(.*?)\r?$/im.exec(text)?.[1] ?? ''
const first = text => text.split('\r\n', 1)[0]
const label = message => {
  const line = first(message)
  const text = line.startsWith('SIP/2.0 ') ? line.slice(8) : line.split(' ')[0]
  return text.length > 26 ? `${text.slice(0, 25)}…` : text
}

// look lists the calls that were traced.
export async function look() {
  const state = await rpc('viaduct.trace_state')
  document.getElementById('trace-state').textContent =
    `${state.on ? 'Tracing' : 'Not tracing'}${state.filter ? ` only ${state.filter}` : ''}. ` +
    `${state.kept} messages are kept.`
  const calls = new Map()
  if (state.kept > 0) {
    for (const m of (await rpc('viaduct.traced')).messages) {
      const id = callID(m.text)
      if (!calls.has(id)) calls.set(id, [])
      calls.get(id).push(m)
    }
  }
  const rows = [...calls].map(([id, messages]) => ({ id, messages }))
  replace('traced-calls', table('traced calls', [
    ['Began', c => c.messages[0].at.slice(11, 23)], ['First', c => first(c.messages[0].text)],
    ['Last', c => label(c.messages.at(-1).text)], ['Messages', c => String(c.messages.length), 'n'],
    ['', c => element('button', { 'data-key': c.id, 'aria-label': `Draw ${c.id}`,
      click: () => draw(c.messages) }, 'Draw')],
  ], rows.slice(-200).reverse()))
}

// draw draws the messages of a call.
function draw(messages) {
  const ends = []
  for (const m of messages) {
    for (const end of [m.from, m.to]) if (!ends.includes(end)) ends.push(end)
  }
  const lane = 210, step = 34, top = 40
  const x = end => lane / 2 + lane * ends.indexOf(end)
  const width = lane * ends.length, height = top + step * messages.length + 12
  const svg = shape('svg', { viewBox: `0 0 ${width} ${height}`, width, height,
    'aria-label': `A call of ${messages.length} messages`, role: 'group' })
  svg.append(shape('defs', {}, shape('marker', { id: 'head', viewBox: '0 0 8 8', refX: 7, refY: 4,
    markerWidth: 7, markerHeight: 7, orient: 'auto' }, shape('path', { d: 'M0 0 L8 4 L0 8 z',
    fill: 'context-stroke' }))))
  for (const end of ends) {
    svg.append(shape('text', { x: x(end), y: 16, 'text-anchor': 'middle' }, end),
      shape('line', { class: 'lifeline', x1: x(end), x2: x(end), y1: 24, y2: height }))
  }
  messages.forEach((m, i) => {
    const y = top + step * i + 16, reply = m.text.startsWith('SIP/2.0 ')
    const a = x(m.from), b = x(m.to)
    const show = () => {
      const pre = document.getElementById('message')
      pre.hidden = false
      pre.textContent = `${m.at}  ${m.transport}  ${m.from} → ${m.to}\n\n${m.text}`
    }
    svg.append(shape('g', { class: 'step', tabindex: 0, role: 'button',
      'aria-label': `${label(m.text)} from ${m.from} to ${m.to}, ${m.at.slice(11, 23)}`, click: show,
      keydown: e => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); show() } } },
    shape('rect', { x: Math.min(a, b), y: y - 16, width: Math.abs(a - b) || 40, height: step - 4,
      fill: 'transparent' }),
    shape('text', { x: (a + b) / 2, y: y - 4, 'text-anchor': 'middle' }, label(m.text)),
    shape('line', { class: `arrow${reply ? ' reply' : ''}`, x1: a, x2: b, y1: y, y2: y,
      'marker-end': 'url(#head)' })))
  })
  replace('ladder', element('div', { class: 'scroll' }, svg))
  document.getElementById('message').hidden = true
}
