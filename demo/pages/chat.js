import { connect } from '/client.js'

const messages = document.querySelector('#messages')
const events = document.querySelector('#events')
const state = document.querySelector('#state')
const text = document.querySelector('#text')
const how = document.querySelector('#how')
const picture = document.querySelector('#picture')
const present = document.querySelector('#present')

/** What it means for this page that the server has ended a connection for good (docs/protocol.md). */
const endings = new Map([
  [3003, 'You may not be here any more.'],
  [1008, 'Closed: too many refused messages.'],
  [1009, 'Closed: message too big.'],
])

let nextPicture
/** The last line of each kind of each list: the same again within ten seconds is counted there. */
const recent = new Map()

const chat = listen(connect('/chat', { bytes: showPicture, queue: 0 }), {
  // Everything in a message comes HTML-encoded, so innerHTML shows it as text. That is what this page is here to show.
  said: ({ by, text }) => add(messages, `<strong>${by}</strong> <span class="text">${text}</span>`),
  // Markup that a user wrote, sanitized on its way out: bold stays bold, a script is gone.
  posted: ({ by, html }) => add(messages, `<strong>${by}</strong> <span class="rich">${html}</span>`),
  whispered: ({ by, text }) =>
    add(messages, `<span class="badge">moderators</span> <strong>${by}</strong> <span class="text">${text}</span>`),
  picture: ({ by }) => {
    nextPicture = add(messages, `<strong>${by}</strong> sent a picture `)
  },
  kicked: ({ by }) => add(messages, `<em>You were put out of the lobby for a minute by ${by}</em>`, 'refused'),
  joined: ({ by }) => add(messages, `<em>${by} came in</em>`, 'note'),
  gone: ({ by }) => add(messages, `<em>${by} left</em>`, 'note'),
  present: ({ names }) => {
    present.innerHTML = names.join(', ')
  },
  error: ({ code }) => addOrCount(messages, `refused ${code}`, `<em>refused: <code>${code}</code></em>`, 'refused'),
})

chat.subscribe((now) => {
  if (now.name === 'open') show('open', `connected over ${location.protocol.replace('http', 'ws').slice(0, -1)}`)
  else if (now.name === 'waiting') show('closed', `${now.reason}, trying again`)
  else if (now.name === 'closed') show('closed', endings.get(now.code) ?? now.reason)
  else if (now.name === 'refused') show('closed', now.signIn ? 'You are logged out.' : `Refused: ${now.reason}`)
  // The sign-in page is the way on.
  if (now.name === 'refused') setTimeout(() => location.assign('/'), 1_500)
})

listen(connect('/events'), {
  event: ({ says, kind, name, at, status, code, origin, user }) => {
    const facts = [name, code, origin && origin !== location.origin && `from ${origin}`, user && `user ${user}`]
      .filter(Boolean)
      .join(' &middot; ')
    const answer = status && `<span class="badge">HTTP ${status}</span>`
    addOrCount(
      events,
      `${says} ${facts}`,
      `<time>${at.slice(11, 19)}</time> <strong>${says}</strong> ${answer} <span class="facts">${facts}</span>`,
      kind,
    )
  },
})

document.querySelector('#say').addEventListener('submit', (submitted) => {
  submitted.preventDefault()
  const field = { say: 'text', post: 'html', whisper: 'text' }[how.value]
  send({ type: how.value, [field]: text.value })
  text.value = ''
})

document.querySelector('#send-picture').addEventListener('click', () => picture.click())
picture.addEventListener('change', () => {
  const [file] = picture.files
  // `limits.messageBytes`: the server closes the socket of who sends more.
  if (file?.size > 65_536) add(messages, '<em>not sent: the file is larger than 64 KiB</em>', 'refused')
  else if (file !== undefined && chat.state.name === 'open') chat.sendBytes(file)
  picture.value = ''
})

document.querySelector('#kick').addEventListener('submit', (submitted) => {
  submitted.preventDefault()
  const name = document.querySelector('#kick-name')
  send({ type: 'kick', name: name.value })
  name.value = ''
})

const attempts = {
  markup: () => say('<img src=x onerror="document.body.innerHTML = \'owned\'">'),
  extra: () => send({ type: 'say', text: 'hello', admin: true }),
  type: () => send({ type: 'shutdown' }),
  kick: () => send({ type: 'kick', name: document.querySelector('.who strong').textContent }),
  fast: () => {
    for (let n = 1; n <= 15; n++) say(`message ${n} of 15`)
  },
}
for (const button of document.querySelectorAll('[data-try]')) {
  button.addEventListener('click', () => attempts[button.dataset.try]())
}

function say(words) {
  send({ type: 'say', text: words })
}

function send(message) {
  if (chat.state.name === 'open') chat.send(message)
}

function listen(client, received) {
  for (const [type, listener] of Object.entries(received)) client.on(type, listener)
  return client
}

function add(list, html, kind = '') {
  const line = document.createElement('li')
  line.className = kind
  line.innerHTML = html
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
  list.append(line)
  while (list.children.length > 200) list.firstChild.remove()
  if (atEnd) list.scrollTop = list.scrollHeight
  return line
}

/** One line per flood. */
function addOrCount(list, key, html, kind) {
  const now = performance.now()
  const last = recent.get(key)
  if (last?.line.isConnected && now - last.at < 10_000) {
    last.count += 1
    last.at = now
    last.times.textContent = `${last.count} times`
    last.times.hidden = false
    if (last.line === list.lastChild) list.scrollTop = list.scrollHeight
    return
  }
  const line = add(list, html, kind)
  const times = document.createElement('span')
  times.className = 'badge'
  times.hidden = true
  line.append(' ', times)
  recent.set(key, { line, times, count: 1, at: now })
}

function showPicture(bytes) {
  const picture = document.createElement('img')
  picture.alt = 'a picture'
  picture.addEventListener('load', () => URL.revokeObjectURL(picture.src))
  picture.src = URL.createObjectURL(new Blob([bytes]))
  nextPicture?.append(picture)
}

function show(name, words) {
  state.dataset.state = name
  state.textContent = words
}
