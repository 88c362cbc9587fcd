import plugin from './plugin.ts'
import * as named from './public.ts'

export * from './public.ts'
export default plugin

// `require` returns one value (Node >= 22.12): the plugin, with everything else on it.
const required = Object.assign(plugin, named, { default: plugin, secureWs: plugin })

export { plugin as secureWs, required as 'module.exports' }
