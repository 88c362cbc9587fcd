/**
 * Runs before `npm test`: the programs that npm does not bring (a browser, Redis, nginx) are looked for, installed where
 * that needs no question (root on Debian or Ubuntu; Playwright's own download for the browser), and otherwise named.
 * Nothing is skipped for want of a program: this script fails instead.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { findTool, howToInstall, type Tool, tools } from './tools.ts'

const missing = () => Object.values<Tool>(tools).filter((tool) => findTool(tool) === undefined)

const atStart = missing()
if (atStart.length > 0) {
  console.log(`Looking for ${atStart.map((tool) => tool.name).join(', ')}: not found, trying to install.`)
  if (isDebianRoot()) installFromDebian(atStart)
  if (findTool(tools.chromium) === undefined) installBrowser()
}

const stillMissing = missing()
for (const tool of stillMissing) console.error(howToInstall(tool))
if (stillMissing.length > 0) process.exit(1)

function isDebianRoot(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && existsSync('/usr/bin/apt-get')
}

function installFromDebian(wanted: readonly Tool[]): void {
  run('apt-get', ['update', '-qq'])
  // One call each: a package that a release does not have must not keep the others away.
  for (const { debianPackage } of wanted) {
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', debianPackage])
  }
}

function installBrowser(): void {
  const folder = dirname(createRequire(import.meta.url).resolve('playwright-core/package.json'))
  run(process.execPath, [join(folder, 'cli.js'), 'install', 'chromium', '--no-shell'])
}

function run(command: string, args: readonly string[]): void {
  console.log(`  ${command} ${args.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env })
  if (error !== undefined) console.error(`  ${command}: ${error.message}`)
  else if (status !== 0) console.error(`  ${command} ended with ${status}`)
}
