import { connect } from 'fastify-secure-ws/client'
import { onScopeDispose, shallowRef } from 'vue'

/** One connection for as long as the component is there, and its state. */
export function useConnection(url, options) {
  const client = connect(url, options)
  const state = shallowRef(client.state)
  client.subscribe((now) => {
    state.value = now
  })
  onScopeDispose(() => client.close())
  return { client, state }
}
