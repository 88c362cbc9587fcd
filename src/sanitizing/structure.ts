import { type DefaultTreeAdapterMap, defaultTreeAdapter, parse, type TreeAdapter } from 'parse5'

type Element = DefaultTreeAdapterMap['element']
type ParentNode = DefaultTreeAdapterMap['parentNode']

/** Bounds on the tree a document makes. jsdom's cost is quadratic in the first and the third. */
export interface StructureLimits {
  /** Elements inside each other, html and body included. */
  readonly depth: number
  /** Elements, also those a parser adds or repeats by itself. */
  readonly elements: number
  /** Attributes on one element. */
  readonly attributes: number
}

/** Far beyond what people write, far below where jsdom gets slow. */
export const structureLimits: StructureLimits = { depth: 100, elements: 5_000, attributes: 64 }

class TooMuch extends Error {}

/**
 * Says why a document is not worth a DOM, or nothing. The tree is the one jsdom is going to build, since jsdom uses the
 * same parser: unclosed tags, repeated formatting elements, foster parenting and templates count as they come out. One
 * pass, and the parser is stopped at the first element too many, so that a hostile document costs what its legal
 * beginning costs.
 */
export function structureRefusal(html: string, limits: StructureLimits = structureLimits): string | undefined {
  try {
    const document = parse(html, { scriptingEnabled: false, treeAdapter: countingAdapter(limits) })
    // An end tag of a form takes it out of the open elements and leaves what is inside open: the tree is deeper than those.
    return depthOf(document, limits.depth) > limits.depth ? tooDeep(limits) : undefined
  } catch (error) {
    if (error instanceof TooMuch) return error.message
    throw error
  }
}

function countingAdapter(limits: StructureLimits): TreeAdapter<DefaultTreeAdapterMap> {
  let elements = 0
  let open = 0
  return {
    ...defaultTreeAdapter,
    createElement(tagName, namespace, attributes) {
      elements += 1
      if (elements > limits.elements) throw new TooMuch(`more than ${limits.elements} elements`)
      checkAttributes(attributes.length)
      return defaultTreeAdapter.createElement(tagName, namespace, attributes)
    },
    // A second <html> or <body> tag adds its attributes to the first one's.
    adoptAttributes(element, attributes) {
      defaultTreeAdapter.adoptAttributes(element, attributes)
      checkAttributes(element.attrs.length)
    },
    onItemPush() {
      open += 1
      if (open > limits.depth) throw new TooMuch(tooDeep(limits))
    },
    onItemPop() {
      open -= 1
    },
  }

  function checkAttributes(count: number): void {
    if (count > limits.attributes) throw new TooMuch(`more than ${limits.attributes} attributes on one element`)
  }
}

function tooDeep(limits: StructureLimits): string {
  return `nested deeper than ${limits.depth}`
}

/** The depth of the tree, level by level: a recursion would be what the hostile document is after. */
function depthOf(root: ParentNode, enough: number): number {
  let level: ParentNode[] = [root]
  let depth = 0
  while (depth <= enough) {
    level = level.flatMap(elementsIn)
    if (level.length === 0) break
    depth += 1
  }
  return depth
}

function elementsIn(parent: ParentNode): Element[] {
  const inside = parent.childNodes.filter(defaultTreeAdapter.isElementNode)
  return 'content' in parent ? [...inside, ...elementsIn(parent.content)] : inside
}
