import { connect } from 'fastify-secure-ws/client'
import { useEffect, useState } from 'react'

/** One connection for as long as the component is there, and its state. Options are those of the first time. */
export function useConnection(url, options) {
  const [client, setClient] = useState(null)
  const [state, setState] = useState({ name: 'connecting' })
  useEffect(() => {
    const opened = connect(url, options)
    const stop = opened.subscribe(setState)
    setClient(opened)
    return () => {
      stop()
      void opened.close()
    }
  }, [url])
  return { client, state }
}
