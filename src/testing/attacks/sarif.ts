import { type Hole, type HoleCode, type HoleLevel, holes } from './hole.ts'

/** A SARIF 2.1.0 log: plain values, for `JSON.stringify`. */
export interface Sarif {
  /** The schema of such a file. */
  readonly $schema: string
  /** The version of SARIF. */
  readonly version: '2.1.0'
  /** A single run. */
  readonly runs: readonly object[]
}

/** As numbers, by which GitHub calls a hole critical (9 and more), high (7), medium (4) or low. */
const severity: Readonly<Record<HoleLevel, string>> = { error: '8.0', warning: '5.5', note: '2.0' }

export function sarifOf(path: string, found: readonly Hole[], file: string): Sarif {
  const codes = Object.keys(holes) as HoleCode[]
  const rules = codes.map((id) => {
    const { level, weakness, means, write } = holes[id]
    return {
      id,
      name: id.replace(/(?:^|-)(\w)/g, (_all, letter: string) => letter.toUpperCase()),
      shortDescription: { text: means },
      fullDescription: { text: `${means} Write ${write}.` },
      help: { text: `Write ${write}.`, markdown: `Write ${write}.` },
      defaultConfiguration: { level },
      properties: { tags: ['security', `external/cwe/cwe-${weakness}`], 'security-severity': severity[level] },
    }
  })
  const results = found.map(({ code, level, role, message, attack, means, write, accepted }) => ({
    ruleId: code,
    ruleIndex: codes.indexOf(code),
    level,
    message: {
      text: `${path}, ${role}${message === undefined ? '' : `, message ${message}`}: ${attack}. ${means} Write ${write}.`,
    },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: file, uriBaseId: '%SRCROOT%' }, region: { startLine: 1 } },
        logicalLocations: [
          { fullyQualifiedName: message === undefined ? path : `${path}#${message}`, kind: 'resource' },
        ],
      },
    ],
    // The same hole tomorrow is the same hole, whatever its words are.
    partialFingerprints: { 'hole/v1': `${path}|${role}|${message ?? ''}|${code}` },
    ...(accepted !== undefined && { suppressions: [{ kind: 'external', justification: accepted }] }),
  }))
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'fastify-secure-ws', rules } }, columnKind: 'utf16CodeUnits', results }],
  }
}
