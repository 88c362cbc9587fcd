import type { Heard, Sent } from './shared-messages.ts'

const socket = new WebSocket(process.argv[2] ?? 'ws://localhost:3000/board')
const send = (message: Sent) => socket.send(JSON.stringify(message))

socket.onopen = () => send({ type: 'say', text: 'hello' })
socket.onmessage = ({ data }) => {
  const heard: Heard = JSON.parse(data)
  console.log(heard.type === 'said' ? `${heard.by} said ${heard.text}` : heard.code)
  socket.close()
}
