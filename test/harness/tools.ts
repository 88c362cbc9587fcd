import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'

/** A program the tests start that npm does not bring: what it is called, and which Debian package has it. */
export interface Tool {
  readonly name: string
  readonly commands: readonly string[]
  readonly debianPackage: string
  /** Places outside PATH. */
  readonly places?: () => readonly string[]
}

export const tools = {
  chromium: {
    name: 'Chromium',
    commands: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
    debianPackage: 'chromium',
    places: () => [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      chromium.executablePath(),
    ],
  },
  redis: { name: 'Redis', commands: ['redis-server'], debianPackage: 'redis-server' },
  nginx: { name: 'nginx', commands: ['nginx'], debianPackage: 'nginx-light' },
} as const satisfies Record<string, Tool>

/** The path of a tool on this machine, or `undefined`. Debian keeps servers in /usr/sbin, which a user's PATH may lack. */
export function findTool(tool: Tool): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/local/bin']
  const candidates = tool.commands.flatMap((command) => folders.filter(Boolean).map((folder) => join(folder, command)))
  return [...candidates, ...(tool.places?.() ?? [])].find(isExecutable)
}

/** The path of a tool, or an error that says what to run: a test that needs it fails, it is never skipped. */
export function requireTool(tool: Tool): string {
  const path = findTool(tool)
  if (path === undefined) throw new Error(`${howToInstall(tool)} \`npm test\` does this where it may.`)
  return path
}

export function howToInstall(tool: Tool): string {
  return (
    `${tool.name} is not on this machine, and the tests run it. ` +
    `Install it (Debian, Ubuntu: \`apt-get install ${tool.debianPackage}\`) ` +
    `so that \`${tool.commands[0]}\` is found in PATH.`
  )
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
