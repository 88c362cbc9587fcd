import { type DefaultTreeAdapterMap, defaultTreeAdapter, parse, type TreeAdapter } from 'parse5'

type Element = DefaultTreeAdapterMap['element']
type ParentNode = DefaultTreeAdapterMap['parentNode']

/** Bounds on the tree a document makes, and so on the time that cleaning it takes. */
export interface StructureLimits {
  /** Elements inside each other, html and body included. */
  readonly depth: number
  /** Elements, also those a parser adds or repeats by itself. */
  readonly elements: number
  /** Attributes on one element. */
  readonly attributes: number
  /**
   * Nodes that are passed when an element is taken out and its content stays, which is what happens to every element that
   * the profile does not know: DOMPurify copies all that is inside it, and jsdom looks through the children it lands among.
   */
  readonly moves: number
}

/**
 * Copying one node costs as much as passing this many of its neighbours: 1.3 us against 25 ns at most, measured on jsdom 31. So
 * `moves` is a tenth of a second on an idle machine, and nobody waits longer than that behind somebody else's document.
 */
const copyCost = 50

/** Far beyond what people write, far below where jsdom gets slow. */
export const structureLimits: StructureLimits = {
  depth: 100,
  elements: 5_000,
  attributes: 64,
  moves: 5_000_000,
}

class TooMuch extends Error {}

/**
 * Says why a document is not worth a DOM, or nothing. The tree is the one jsdom is going to build, since jsdom uses the
 * same parser: unclosed tags, repeated formatting elements, foster parenting and templates count as they come out. One
 * pass, and the parser is stopped at the first element too many, so that a hostile document costs what its legal
 * beginning costs.
 *
 * @param known the elements that stay where they are, by name; with none, every element counts as taken out
 */
export function structureRefusal(
  html: string,
  limits: StructureLimits = structureLimits,
  known: ReadonlySet<string> = nothing,
): string | undefined {
  try {
    const document = parse(html, { scriptingEnabled: false, treeAdapter: countingAdapter(limits) })
    // An end tag of a form takes it out of the open elements and leaves what is inside open: the tree is deeper than those.
    if (depthOf(document, limits.depth) > limits.depth) return tooDeep(limits)
    return movesIn(document, known) > limits.moves ? 'more nodes would be moved than is worth the time' : undefined
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

const nothing: ReadonlySet<string> = new Set()
/** Never taken out: what a fragment is parsed into. */
const roots: ReadonlySet<string> = new Set(['html', 'head', 'body'])

/**
 * The price of taking out all that is not known, from the outside in: an element gives its place to its children, one after the
 * other, and copies of what is in them. Recursion: the depth was checked before.
 */
function movesIn(document: ParentNode, known: ReadonlySet<string>): number {
  let moves = 0
  sizeOf(document)
  return moves

  function sizeOf(parent: ParentNode): number {
    let size = 0
    for (const node of 'content' in parent ? [...parent.childNodes, parent.content] : parent.childNodes) {
      size += 1
      if (!('childNodes' in node)) continue
      const inside = sizeOf(node)
      size += inside
      if ('tagName' in node && !roots.has(node.tagName) && !known.has(node.tagName)) {
        moves += node.childNodes.length ** 2 + inside * copyCost
      }
    }
    return size
  }
}
