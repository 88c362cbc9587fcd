import assert from 'node:assert/strict'
import { it } from 'node:test'
import { isCatastrophic } from '../../src/schema/pattern.ts'

// /^(a+)+$/ against thirty `a` and a `!` runs for minutes: no limit on bytes helps.
it('MS-09 finds repetitions of repetitions', () => {
  for (const pattern of [
    '(a+)+',
    '^(a+)+$',
    '(a*)*',
    '(?:a+)*$',
    '([a-z]+)*',
    '(\\w+\\s?)*',
    '(a|b*)+',
    '(.*)*x',
    '((a+))+',
    '(a+){2,}',
    '(?:x?a+)+',
    '(?<word>\\w+)+',
    '^((?:\\d+)?)+$',
    '(?:(?:a+)b?)+',
    '(\\p{L}+)+',
    '(?:a+\\b)+',
    '(?=(a+)+)b',
    '([^\\]]+)+',
    '(?:a{1,})+?',
  ]) {
    assert.equal(isCatastrophic(pattern), true, pattern)
  }
})

it('leaves patterns whose rounds are kept apart', () => {
  for (const pattern of [
    '^[a-z]+$',
    '^(?:[a-z]+\\.)+[a-z]+$',
    '^a+b+$',
    '^(\\d{3}-)*\\d+$',
    '(a+b)+',
    '(?:,\\d+)*',
    '(a|b)+',
    '([+*]+x)+',
    '(\\+\\*)+',
    '(a+){2}',
    '(a+)?',
    '^.*$',
    '^a.*b$',
    '^-?(?:0|[1-9][0-9]*)$',
    '^[(a+)+]+$',
    '\\(a+\\)+',
    '(a{2,5})+',
    '^(?:[A-Za-z0-9+/]{4})*$',
    '',
    '(',
    '[',
  ]) {
    assert.equal(isCatastrophic(pattern), false, pattern)
  }
})
