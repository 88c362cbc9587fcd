import { test } from 'node:test'
import { Random } from '../harness/random.ts'
import { startRandomConnections, tryRandomConnections } from './random-connections.ts'

// `npm run fuzz:connections` tries more of them; `node test/attacks/random-connections.test.ts 1 4711` tries the seed 4711.
const count = Number(process.argv[2] ?? 20)
const first = Number(process.argv[3] ?? 1)

test(`C2 C5 C6 C7 C8 ${count} random conversations while clocks jump mix nothing up and mute nobody`, async (t) => {
  const connections = await startRandomConnections(t)
  for (let seed = first; seed < first + count; seed++) {
    try {
      await tryRandomConnections(connections, new Random(seed))
    } catch (error) {
      throw new Error(`with the seed ${seed}`, { cause: error })
    }
  }
})
