import { createChat } from './chat.ts'

/** The chat as it is served, for `npx fastify-secure-ws lock`: its policy is in secure-ws.lock.json beside this file. */
export default () => createChat({ certificate: undefined, attackerUrl: 'https://attacker.example' })
