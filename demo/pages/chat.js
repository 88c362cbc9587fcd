const messages = document.querySelector('#messages')
const events = document.querySelector('#events')
const state = document.querySelector('#state')
const text = document.querySelector('#text')
const present = document.querySelector('#present')

/** What a close code means for this page (docs/protocol.md). Codes that are not here: try again later. */
const endings = new Map([
  [3000, 'You are logged out.'],
  [3003, 'You may not be here any more.'],
  [1008, 'Closed: too many refused messages.'],
  [1009, 'Closed: message too big.'],
  [4429, 'Closed: too fast.'],
])

let chat
open('/chat', {
  opened: (socket) => {
    chat = socket
    show('open', `connected over ${new URL(socket.url).protocol.slice(0, -1)}`)
  },
  received: {
    // Everything in a message comes HTML-encoded, so innerHTML shows it as text. That is what this page is here to show.
    said: ({ by, text }) => add(messages, `<strong>${by}</strong> <span class="text">${text}</span>`),
    joined: ({ by }) => add(messages, `<em>${by} came in</em>`, 'note'),
    left: ({ by }) => add(messages, `<em>${by} left</em>`, 'note'),
    present: ({ names }) => {
      present.innerHTML = names.join(', ')
    },
    error: ({ code }) => add(messages, `<em>refused: <code>${code}</code></em>`, 'refused'),
  },
  closed: (reason) => show('closed', reason),
})

open('/events', {
  opened: () => {},
  received: {
    event: ({ name, at, status, code, origin, user, reason }) => {
      const kind = /refused|failed|revoked|expired/.test(name) ? 'refused' : 'note'
      const facts = [code, origin && `from ${origin}`, user && `user ${user}`, reason]
        .filter(Boolean)
        .join(' &middot; ')
      const answer = status && `<span class="status">HTTP ${status}</span>`
      add(
        events,
        `<time>${at.slice(11, 19)}</time> <strong>${name}</strong> ${answer} <span class="facts">${facts}</span>`,
        kind,
      )
    },
  },
  closed: () => {},
})

document.querySelector('#say').addEventListener('submit', (submitted) => {
  submitted.preventDefault()
  say(text.value)
  text.value = ''
})

const attempts = {
  markup: () => say('<img src=x onerror="document.body.innerHTML = \'owned\'">'),
  extra: () => send({ type: 'say', text: 'hello', admin: true }),
  type: () => send({ type: 'shutdown' }),
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
  if (chat?.readyState === WebSocket.OPEN) chat.send(JSON.stringify(message))
}

function open(path, { opened, received, closed }) {
  const listeners = new Map(Object.entries(received))
  const socket = new WebSocket(`wss://${location.host}${path}`)
  let wasOpen = false
  socket.addEventListener('open', () => {
    wasOpen = true
    opened(socket)
  })
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(data)
    listeners.get(message.type)?.(message)
  })
  socket.addEventListener('close', ({ code }) => {
    const reason = endings.get(code)
    closed(reason ?? 'Connection lost, trying again')
    // A refused handshake (1006 before `open`) may be a session that has ended: the sign-in page is the way on.
    if (code === 3000 || !wasOpen) setTimeout(() => location.assign('/'), 1_500)
    // Everybody loses the socket at once when a server restarts; they must not all come back at once.
    else if (reason === undefined)
      setTimeout(() => open(path, { opened, received, closed }), 1_000 + Math.random() * 2_000)
  })
}

function add(list, html, kind = '') {
  const line = document.createElement('li')
  line.className = kind
  line.innerHTML = html
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
  list.append(line)
  while (list.children.length > 200) list.firstChild.remove()
  if (atEnd) list.scrollTop = list.scrollHeight
}

function show(name, words) {
  state.dataset.state = name
  state.textContent = words
}
