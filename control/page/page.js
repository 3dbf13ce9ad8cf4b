// The page asks the methods of /rpc, once a second while it can be seen, and draws what they say.

import { element, number, plot, replace, table } from './draw.js'
import { look, startTrace } from './trace.js'

const history = 300 // seconds in the plots
const token = {
  get: () => sessionStorage.getItem('token'),
  set: t => sessionStorage.setItem('token', t),
}

// Refused is an answer that says no: its code is that of JSON-RPC, or of HTTP.
class Refused extends Error {
  constructor(code, text) { super(text); this.code = code }
}

// rpc calls a method.
export async function rpc(method, ...params) {
  const headers = { 'Content-Type': 'application/json' }
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`
  const answer = await fetch('rpc', { method: 'POST', headers,
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) })
  if (answer.status === 401) throw new Refused(401, 'A token is needed.')
  const text = await answer.text()
  let doc
  try { doc = JSON.parse(text) } catch { throw new Refused(answer.status, text.trim()) }
  if (doc.error) throw new Refused(doc.error.code, doc.error.message)
  return doc.result
}

const $ = id => document.getElementById(id)

export function trouble(text) {
  $('trouble').textContent = text
  $('trouble').hidden = !text
}

// act does what a button asks for, and shows what was refused.
export function act(f) {
  return async event => {
    event?.preventDefault()
    try {
      await f(event)
      listed.at = -Infinity
      trouble('')
      await refresh()
    } catch (e) {
      trouble(e.message)
    }
  }
}

const shown = { rate: [], reply: [], first: [], batch: [] }
let before // the last reading of the counters

// sum adds up a counter of all shards.
const sum = (shards, name) => shards.reduce((all, s) => all + (s[name] ?? 0), 0)
const sumOf = (shards, name) => shards.reduce((all, s) =>
  all + Object.values(s[name] ?? {}).reduce((a, b) => a + b, 0), 0)

// counts are the buckets of a histogram, of all shards together.
const counts = (shards, name) => shards.map(s => s.latency[name].counts.split(' ').map(Number))
  .reduce((all, one) => all.map((n, i) => n + one[i]))

// quantile estimates what a share of the values since an earlier reading did not exceed, in ms.
function quantile(share, is, was, unit) {
  const since = is.map((n, i) => n - was[i])
  let left = share * since.reduce((a, b) => a + b, 0)
  if (left === 0) return undefined
  for (const [i, n] of since.entries()) {
    if (left > n && i < since.length - 1) { left -= n; continue }
    const low = i === 0 ? 0 : 2 ** (i - 1), high = 2 ** i
    return unit * (low + (high - low) * Math.min(left / n, 1))
  }
}

// readings are the last ones, one a second: the times shown are those of so many.
const readings = []
const mostReadings = 10

function now(stats) {
  const at = performance.now(), shards = stats.shards
  const reading = { at, requests: sum(shards, 'requests'), replies: sum(shards, 'replies'),
    created: sum(shards, 'transactions_created'), failed: sumOf(shards, 'failed'),
    first: counts(shards, 'first_response'), batch: counts(shards, 'batch') }
  if (before && reading.requests >= before.requests) {
    const rate = name => (reading[name] - before[name]) * 1000 / (at - before.at)
    const [first, batch] = [['first', 'first_response'], ['batch', 'batch']].map(([word, name]) =>
      quantile(0.99, reading[word], readings[0][word], shards[0].latency[name].unit_ms))
    $('f-requests').textContent = number(rate('requests'))
    $('f-created').textContent = number(rate('created'))
    $('f-failed').textContent = number(rate('failed'))
    $('f-first').textContent = first === undefined ? '–' : `${number(first)} ms`
    $('f-batch').textContent = batch === undefined ? '–' : `${number(batch)} ms`
    for (const [name, v] of [['rate', rate('requests')], ['reply', rate('replies')],
      ['first', first ?? 0], ['batch', batch ?? 0]]) {
      shown[name].push(v)
      if (shown[name].length > history) shown[name].shift()
    }
  }
  if (before && reading.requests < before.requests) readings.length = 0 // another process
  before = reading
  readings.push(reading)
  if (readings.length > mostReadings) readings.shift()
  $('f-unanswered').textContent = number(sum(shards, 'transactions_unanswered'))
  plot($('plot-rate'), [{ name: 'requests', values: shown.rate }, { name: 'responses', values: shown.reply }],
    history)
  plot($('plot-first'), [{ name: '99 of 100', values: shown.first }], history)
  plot($('plot-batch'), [{ name: '99 of 100', values: shown.batch }], history)
  replace('shard-table', table('shards', [
    ['Shard', s => String(s.shard)],
    ['Requests', s => number(s.requests), 'n'], ['Responses', s => number(s.replies), 'n'],
    ['Under way', s => number(s.transactions_unanswered), 'n'],
    ['Transactions', s => number(s.transactions), 'n'],
    ['Memory of calls', s => `${number(s.arena_used_bytes / 2 ** 20)} MiB`, 'n'],
    ['Dropped by the kernel', s => number(s.kernel_drops), 'n'],
    ['Sent again', s => number(s.requests_resent + s.replies_resent), 'n'],
    ['Panics', s => number(s.panics), 'n'],
    ['In here, half / 99 of 100', s =>
      `${number(s.latency.batch.p50_ms)} / ${number(s.latency.batch.p99_ms)} ms`, 'n'],
  ], shards))
}

// states are what the two letters of a destination mean.
const states = { A: ['in use', 'good'], I: ['down', 'bad'], D: ['taken out', 'busy'], T: ['on trial', 'busy'] }

// A long list is asked for seldom, and shown in part.
const longList = 200, shownRows = 500
let listed = { at: -Infinity, rows: 0 }

async function listDestinations() {
  const wait = listed.rows > longList ? 10_000 : 0
  if (performance.now() - listed.at < wait) return
  const list = await rpc('dispatcher.list').catch(e => { if (e.code === 401) throw e; return {} })
  listed = { at: performance.now(), rows: destinations(list) }
}

function destinations(list) {
  const rows = (list.RECORDS ?? []).flatMap(r => r.SET.TARGETS.map(t => ({ set: r.SET.ID, ...t.DEST })))
  const steer = row => {
    const out = row.FLAGS[0] === 'D'
    const name = `${out ? 'Enable' : 'Drain'} ${row.URI} of set ${row.set}`
    return element('span', { class: 'steer' }, element('button', { 'aria-label': name,
      'data-key': `${row.set} ${row.URI}`,
      click: act(() => rpc('dispatcher.set_state', out ? 'a' : 'd', String(row.set), row.URI)) },
    out ? 'Enable' : 'Drain'))
  }
  replace('destination-table', table('destinations', [
    ['Set', r => String(r.set), 'n'], ['URI', r => r.URI], ['ID', r => r.ATTRS?.DUID ?? ''],
    ['State', r => {
      const [word, kind] = states[r.FLAGS[0]] ?? [r.FLAGS, '']
      return element('span', { class: kind }, `${word}${r.FLAGS[1] === 'P' ? ', probed' : ''}`)
    }],
    ['Priority', r => String(r.PRIORITY), 'n'], ['Weight', r => String(r.ATTRS?.WEIGHT ?? ''), 'n'],
    ['Calls', r => String(r.RUNTIME?.DLGLOAD ?? ''), 'n'],
    ['Latency', r => r.LATENCY?.EST ? `${number(r.LATENCY.EST)} ms` : '', 'n'],
    ['', steer],
  ], rows.slice(0, shownRows)))
  if (rows.length > shownRows) {
    $('destination-table').append(element('p', {},
      `And ${rows.length - shownRows} more: viaductctl destinations lists them all.`))
  }
  return rows.length
}

function calls(list) {
  const rows = list.filter(c => typeof c === 'object')
  replace('call-table', table('calls without an answer', [
    ['Method', c => c.method], ['From', c => c.from], ['To', c => c.to],
    ['State', c => c.status ? `${c.state} (${c.status})` : c.state],
    ['Seconds', c => String(c.seconds), 'n'], ['Destination', c => c.destination ?? ''],
    ['Call-ID', c => c.call_id],
    ['', c => element('span', { class: 'steer' }, element('button', { 'data-key': c.call_id,
      'aria-label': `Drop ${c.call_id}`, click: act(() => rpc('viaduct.drop', c.call_id)) }, 'Drop'))],
  ], rows.slice(0, 200)))
}

async function configuration() {
  const text = await rpc('viaduct.config')
  const parts = []
  let file = '', line = 0, lines = []
  const flush = () => {
    if (lines.length) {
      parts.push(element('h3', {}, file), element('pre', { tabindex: 0, 'aria-label': file }, lines.join('\n')))
    }
    lines = []
  }
  for (const l of text.split('\n')) {
    const begins = /^# (\S+)$/.exec(l)
    if (begins && (begins[1].includes('.') || begins[1].includes('/'))) {
      flush(); file = begins[1]; line = 0
      continue
    }
    lines.push(`${String(++line).padStart(4)}  ${l}`)
  }
  flush()
  $('configuration-text').replaceChildren(...parts)
}

let asking = false

// refresh asks for everything once.
export async function refresh() {
  if (asking) return
  asking = true
  try {
    const [status, stats, under, lines] = await Promise.all([rpc('status'), rpc('stats'),
      rpc('viaduct.calls'), rpc('viaduct.history', 50)])
    $('who').textContent = `${status.version} (${status.commit.slice(0, 12)}), ${status.state} for ` +
      `${span(status.uptime_seconds)} at ${status.listen.join(', ')}`
    now(stats)
    await listDestinations()
    calls(under)
    $('log-lines').textContent = lines.join('\n') || 'none'
    $('sign-in').hidden = true
    if ($('trouble').dataset.of === 'asking') { trouble(''); $('trouble').dataset.of = '' }
  } catch (e) {
    $('trouble').dataset.of = 'asking'
    trouble(e.code === 401 ? 'This server wants to know who asks.' : `No answer: ${e.message}`)
    $('sign-in').hidden = e.code !== 401
    before = undefined
    readings.length = 0
  } finally {
    asking = false
  }
}

function span(seconds) {
  for (const [unit, name] of [[86400, 'd'], [3600, 'h'], [60, 'min']]) {
    if (seconds >= unit) return `${Math.floor(seconds / unit)} ${name}`
  }
  return `${seconds} s`
}

// role hides what a token of role read may not do.
async function role() {
  try {
    await rpc('viaduct.config')
    document.body.classList.remove('reader')
  } catch (e) {
    document.body.classList.toggle('reader', e.code === 403)
  }
}

$('sign-in').addEventListener('submit', async event => {
  event.preventDefault()
  token.set($('token').value)
  $('token').value = ''
  await refresh()
  await role()
})
$('probes-on').addEventListener('click', act(() => rpc('dispatcher.ping_active', 1)))
$('probes-off').addEventListener('click', act(() => rpc('dispatcher.ping_active', 0)))
$('configuration-details').addEventListener('toggle', act(async () => {
  if ($('configuration-details').open) await configuration()
}))
$('trace-form').addEventListener('submit', act(() => startTrace($('filter').value)))
$('trace-stop').addEventListener('click', act(() => rpc('viaduct.trace_stop')))
$('trace-look').addEventListener('click', act(look))

await refresh()
await role()
setInterval(() => { if (!document.hidden && $('sign-in').hidden) refresh() }, 1000)
