import { lazyLoad } from '../lazy-load.ts'

/** Ajv for draft-07, and the parts that its keywords are written with; loaded when the first schema is declared. */
export const ajvModule = lazyLoad<typeof import('ajv')>('ajv')

/** Ajv for draft 2019-09. */
export const ajv2019Module = lazyLoad<typeof import('ajv/dist/2019.js')>('ajv/dist/2019.js')

/** The formats of ajv-formats. */
export const formatsModule = lazyLoad<typeof import('ajv-formats/dist/formats.js')>('ajv-formats/dist/formats.js')
