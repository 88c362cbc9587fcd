const result = document.querySelector('#result')
const { url } = await (await fetch('/target')).json()

const here = new URL(location.href)
const sameSite = here.hostname === new URL(url).hostname
document.querySelector('#origin').textContent = location.origin
document.querySelector('#attempt').textContent = `new WebSocket(\n  '${url}'\n)`
document.querySelector('#cookie').textContent = sameSite
  ? "This origin has the chat's host name and another port. For cookies that is the same site, as a sibling sub-domain is: your browser sent the chat's session cookie along, SameSite=Strict or not. Only the Origin check stands in the way."
  : "This origin is another site. SameSite keeps the chat's cookie away from here too; the Origin check comes first."

const other = document.querySelector('#other')
here.hostname = sameSite ? '127.0.0.1' : 'localhost'
other.href = here.href
other.textContent = sameSite
  ? 'Try again from another site'
  : "Try again from the chat's own host name, where SameSite does not help"

const socket = new WebSocket(url)
socket.addEventListener('open', () => {
  finish('hijacked', 'HIJACKED: the socket is open.')
  socket.send(JSON.stringify({ type: 'say', text: 'I am not who you think I am.' }))
})
socket.addEventListener('error', () => finish('refused', 'Refused: no socket. (The browser says no more than that.)'))

const { status, body } = await (await fetch('/same-handshake')).json()
document.querySelector('#answer').textContent = `HTTP ${status}\n${body.replaceAll(',', ', ')}`

function finish(name, words) {
  result.dataset.result = name
  result.textContent = words
}
