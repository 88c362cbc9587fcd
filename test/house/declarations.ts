import { join, relative, sep } from 'node:path'
import ts from 'typescript-5.9'
import { root } from './source-files.ts'

// The public declarations and their docstrings, read by the TypeScript compiler: the API reference and the tests of the pages
// go by what the compiler sees, not by a pattern.

/** A member of an interface, a class or an object: one line of the reference. */
export interface Member {
  readonly name: string
  /** As declared, without modifiers: `join(room: string, grant?: Grant): void`. */
  readonly signature: string
  readonly optional: boolean
  readonly doc: string
  readonly throws: readonly string[]
}

export interface Declaration {
  readonly name: string
  readonly kind: 'function' | 'class' | 'interface' | 'type' | 'value'
  /** Below `src/`. */
  readonly path: string
  /** The whole declaration where it has no members, or their heading. */
  readonly signature: string
  readonly doc: string
  readonly throws: readonly string[]
  readonly members: readonly Member[]
  /** The types of this package that the declaration mentions and that nobody can import. */
  readonly unexported: readonly Declaration[]
}

/** The docstring tags that a reader of the reference gets to see. Another one is a word that was meant as text. */
const knownTags = new Set(['throws', 'param', 'returns', 'template', 'internal'])

export function readDeclarations(files: Readonly<Record<string, string>> | 'src') {
  const program = programOf(files)
  const checker = program.getTypeChecker()
  const strayTags = new Set<string>()
  const known = new Map<ts.Symbol, Declaration>()
  const isPublic = new Set(
    program
      .getRootFileNames()
      .flatMap((path) => modulesOf(path))
      .flatMap((module) => checker.getExportsOfModule(module))
      .map(resolved),
  )

  function modulesOf(path: string): ts.Symbol[] {
    const source = program.getSourceFile(path)
    return [source && checker.getSymbolAtLocation(source)].filter((module) => module !== undefined)
  }

  function exportsOf(path: string): Map<string, Declaration> {
    const [module] = modulesOf(join(root, path))
    if (module === undefined) throw new Error(`${path} is no module`)
    return new Map(
      checker
        .getExportsOfModule(module)
        .filter(({ name }) => name !== 'module.exports')
        .map((symbol) => [symbol.name, described(resolved(symbol), symbol.name)]),
    )
  }

  /** A declaration of a file that is not exported by its name, such as what an augmentation of Fastify uses. */
  function localOf(path: string, name: string): Declaration {
    const source = program.getSourceFile(join(root, path))
    if (source === undefined) throw new Error(`${path} is not there`)
    for (const statement of source.statements) {
      if (
        (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) &&
        statement.name.text === name
      ) {
        const symbol = checker.getSymbolAtLocation(statement.name)
        if (symbol !== undefined) return described(symbol, name)
      }
    }
    throw new Error(`${path} declares no ${name}`)
  }

  /** The members that a class of a file says anew, of the class that it extends or on top of it; also a class without a name outside. */
  function classMembersOf(path: string, name: string): Member[] {
    const source = program.getSourceFile(join(root, path))
    let found: ts.ClassLikeDeclaration | undefined
    const look = (node: ts.Node): void => {
      if (ts.isClassLike(node) && node.name?.text === name) found = node
      else ts.forEachChild(node, look)
    }
    if (source !== undefined) look(source)
    if (found === undefined) throw new Error(`${path} has no class ${name}`)
    return found.members.flatMap((node) => {
      const symbol = node.name && checker.getSymbolAtLocation(node.name)
      if (symbol === undefined || isHidden(node)) return []
      // The compiler answers with the docstring of the class that is extended, which says what is no longer so.
      return [{ ...memberOf(symbol, node), ...(hasOwnDoc(node) ? {} : { doc: '' }) }]
    })
  }

  function resolved(symbol: ts.Symbol): ts.Symbol {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
    const [node] = target.declarations ?? []
    if (node === undefined || !ts.isExportAssignment(node)) return target
    // `export default fastifyPlugin(secureWs, ...)`: what is documented is the function.
    const call = node.expression
    const named = ts.isCallExpression(call) ? call.arguments[0] : call
    return (named && checker.getSymbolAtLocation(named)) ?? target
  }

  function described(symbol: ts.Symbol, name: string): Declaration {
    const before = known.get(symbol)
    if (before !== undefined)
      return { ...before, name, signature: before.signature.replace('function default(', `function ${name}(`) }
    const nodes = symbol.declarations ?? []
    const [node] = nodes
    if (node === undefined) throw new Error(`${name} has no declaration`)
    const members = membersOf(symbol, node)
    const unexported: Declaration[] = []
    const declaration: Declaration = {
      name,
      kind: kindOf(node),
      path: relative(root, node.getSourceFile().fileName).split(sep).join('/'),
      signature: signatureOf(node, name, members.length > 0),
      ...docOf(symbol, nodes),
      members,
      unexported,
    }
    known.set(symbol, declaration)
    // Members that come from elsewhere are written here: what counts is what they mention, not where they stand.
    const written = members.length > 0 ? memberNodesOf(symbol, node) : nodes
    for (const mentioned of new Set(written.flatMap((each) => typesIn(each)))) {
      if (!isPublic.has(mentioned)) unexported.push(described(mentioned, mentioned.name))
    }
    return declaration
  }

  function membersOf(symbol: ts.Symbol, node: ts.Declaration): Member[] {
    if (ts.isFunctionDeclaration(node)) return []
    if (ts.isVariableDeclaration(node)) {
      const value = unwrapped(node.initializer)
      if (value === undefined || !ts.isObjectLiteralExpression(value)) return []
      return value.properties.flatMap((property) => {
        const own = property.name && checker.getSymbolAtLocation(property.name)
        return own === undefined ? [] : [memberOf(own, property)]
      })
    }
    if (ts.isTypeAliasDeclaration(node)) {
      const literal = literalOf(node)
      if (literal !== undefined) return literal.members.flatMap((each) => ownMember(each))
      if (!hasProperties(node)) return []
    }
    const bases = 'heritageClauses' in node ? publicBasesOf(node as ts.InterfaceDeclaration) : []
    const ofInstance = checker
      .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
      .filter(({ declarations }) => declarations?.every((each) => isOurs(each) && !bases.includes(each.parent)))
    const ofClass = ts.isClassDeclaration(node)
      ? node.members.filter((each) => ts.getCombinedModifierFlags(each) & ts.ModifierFlags.Static)
      : []
    return [
      ...ofInstance.flatMap((property) => {
        const declarations = (property.declarations ?? []).filter((each) => !isHidden(each))
        return declarations.slice(0, 1).map((each) => memberOf(property, each, declarations))
      }),
      ...ofClass.slice(0, 1).flatMap((each) => ownMember(each)),
    ]
  }

  function memberNodesOf(symbol: ts.Symbol, node: ts.Declaration): ts.Declaration[] {
    const literal = ts.isTypeAliasDeclaration(node) ? literalOf(node) : undefined
    if (literal !== undefined) return [...literal.members]
    if (ts.isVariableDeclaration(node)) return [node]
    return checker
      .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
      .flatMap(({ declarations }) => declarations ?? [])
      .filter((each) => isOurs(each))
  }

  function ownMember(node: ts.ClassElement | ts.TypeElement): Member[] {
    const own = node.name && checker.getSymbolAtLocation(node.name)
    return own === undefined ? [] : [memberOf(own, node, own.declarations)]
  }

  /** The members of these are written where they are declared, and not again. */
  function publicBasesOf({ heritageClauses }: ts.InterfaceDeclaration): ts.Node[] {
    return (heritageClauses ?? [])
      .flatMap(({ types }) => [...types])
      .flatMap(({ expression }) => checker.getSymbolAtLocation(expression) ?? [])
      .filter((symbol) => isPublic.has(resolved(symbol)))
      .flatMap((symbol) => resolved(symbol).declarations ?? [])
  }

  /** `Loose<Limits>` has the properties of `Limits`; a union of strings has those of every string, which say nothing. */
  function hasProperties(node: ts.TypeAliasDeclaration): boolean {
    return ts.isTypeReferenceNode(node.type) && !(checker.getTypeFromTypeNode(node.type).flags & ts.TypeFlags.Union)
  }

  function memberOf(symbol: ts.Symbol, node: ts.Declaration, all: readonly ts.Declaration[] = [node]): Member {
    const isStatic = Boolean(ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Static)
    const signatures = ts.isMethodDeclaration(node) ? all.filter((each) => !hasBody(each) || all.length === 1) : all
    const optional = Boolean(symbol.flags & ts.SymbolFlags.Optional)
    return {
      name: symbol.name,
      // `Partial<...>` makes a member optional that was declared without the mark.
      signature: signatures
        .map((each) => `${isStatic ? 'static ' : ''}${memberText(each, checker)}`)
        .map((text) => (optional ? text.replace(/^(\w+)(?=[:(])/, '$1?') : text))
        .join('\n'),
      optional,
      ...docOf(symbol, all),
    }
  }

  function docOf(symbol: ts.Symbol, nodes: readonly ts.Declaration[]): Pick<Member, 'doc' | 'throws'> {
    const tags = symbol.getJsDocTags(checker)
    // Without a tag of its own, a member is given those of the class that it comes from.
    const own = (name: string) => nodes.some((node) => node.getFullText().includes(`@${name}`))
    for (const { name } of tags) if (!knownTags.has(name) && own(name)) strayTags.add(`${symbol.name}: @${name}`)
    const textOfTag = (name: string) =>
      tags.filter((tag) => tag.name === name && own(name)).map((tag) => joined(ts.displayPartsToString(tag.text)))
    const params = textOfTag('param').map((text) => text.replace(/^(\w+) ?-? ?/, '`$1`: '))
    const returns = textOfTag('returns').map((text) => `Returns ${text}`)
    const comment = ts.displayPartsToString(symbol.getDocumentationComment(checker))
    return {
      doc: [comment, ...params, ...returns].filter(Boolean).join('\n\n'),
      throws: [...new Set(nodes.length === 0 ? [] : textOfTag('throws'))],
    }
  }

  /** The interfaces and type aliases of this package that a declaration names. */
  function typesIn(node: ts.Node): ts.Symbol[] {
    const found: ts.Symbol[] = []
    const look = (each: ts.Node): void => {
      if (ts.isBlock(each) || isHidden(each)) return
      const name = ts.isTypeReferenceNode(each)
        ? each.typeName
        : ts.isExpressionWithTypeArguments(each)
          ? each.expression
          : undefined
      const symbol = name && checker.getSymbolAtLocation(name)
      const [declared] = symbol === undefined ? [] : (resolved(symbol).declarations ?? [])
      if (symbol !== undefined && declared !== undefined && isOurs(declared) && isType(declared))
        found.push(resolved(symbol))
      ts.forEachChild(each, look)
    }
    look(node)
    return found
  }

  /** The events of an interface whose call signatures are `(event, listener)`. */
  function eventsOf(path: string, name: string): Member[] {
    const source = program.getSourceFile(join(root, path))
    const found = source?.statements.find((each) => ts.isInterfaceDeclaration(each) && each.name.text === name)
    if (found === undefined || !ts.isInterfaceDeclaration(found)) throw new Error(`${path} declares no ${name}`)
    return found.members.filter(ts.isCallSignatureDeclaration).flatMap((each) => {
      const [event, listener] = each.parameters.map(({ type }) => (type === undefined ? '' : inline(type)))
      const doc = ts.getJSDocCommentsAndTags(each).map(({ comment }) => joined(ts.getTextOfJSDocComment(comment) ?? ''))
      return (event ?? '').split(' | ').map((one) => ({
        // A type parameter stands for every name that a route declares.
        name: one.startsWith("'") ? one.slice(1, -1) : 'the type of a message',
        signature: listener ?? '',
        optional: false,
        doc: doc.join(' '),
        throws: [],
      }))
    })
  }

  return { exportsOf, localOf, classMembersOf, eventsOf, strayTags }
}

function programOf(files: Readonly<Record<string, string>> | 'src'): ts.Program {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ESNext,
    lib: ['lib.esnext.d.ts', 'lib.dom.d.ts'],
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    allowImportingTsExtensions: true,
    noEmit: true,
  }
  if (files === 'src') {
    const entries = ['index.ts', 'testing/testing.ts', 'client/client.ts'].map((path) => join(root, 'src', path))
    return ts.createProgram(entries, options)
  }
  const host = ts.createCompilerHost(options)
  const texts = new Map(Object.entries(files).map(([path, text]) => [join(root, path), text]))
  const { getSourceFile, fileExists } = host
  host.fileExists = (path) => texts.has(path) || fileExists.call(host, path)
  host.getSourceFile = (path, ...rest) => {
    const text = texts.get(path)
    return text === undefined
      ? getSourceFile.call(host, path, ...rest)
      : ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true)
  }
  return ts.createProgram([...texts.keys()], options, host)
}

function kindOf(node: ts.Declaration): Declaration['kind'] {
  if (ts.isFunctionDeclaration(node)) return 'function'
  if (ts.isClassDeclaration(node)) return 'class'
  if (ts.isInterfaceDeclaration(node)) return 'interface'
  if (ts.isTypeAliasDeclaration(node)) return 'type'
  return 'value'
}

function signatureOf(node: ts.Declaration, name: string, hasMembers: boolean): string {
  const generics = 'typeParameters' in node ? typeParametersOf(node as ts.TypeAliasDeclaration) : ''
  if (ts.isFunctionDeclaration(node)) {
    const returns = node.type === undefined ? '' : `: ${inline(node.type)}`
    return `function ${name}${generics}(${node.parameters.map(parameterText).join(', ')})${returns}`
  }
  if (ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) {
    const heritage = (node.heritageClauses ?? []).map(inline).join(' ')
    return `${ts.isInterfaceDeclaration(node) ? 'interface' : 'class'} ${name}${generics}${heritage && ` ${heritage}`}`
  }
  if (ts.isTypeAliasDeclaration(node)) return `type ${name}${generics}${hasMembers ? '' : ` = ${inline(node.type)}`}`
  if (ts.isVariableDeclaration(node)) {
    if (hasMembers) return `const ${name}`
    return `const ${name}: ${node.type === undefined ? inline(node.initializer ?? node) : inline(node.type)}`
  }
  return name
}

function memberText(node: ts.Declaration, checker: ts.TypeChecker): string {
  if (ts.isPropertyAssignment(node)) {
    const value = unwrapped(node.initializer)
    if (value === undefined || !ts.isArrowFunction(value)) return `${inline(node.name)}: ${inline(node.initializer)}`
    const returns = value.type === undefined ? '' : `: ${inline(value.type)}`
    return `${inline(node.name)}(${value.parameters.map(parameterText).join(', ')})${returns}`
  }
  if (ts.isMethodDeclaration(node) || ts.isMethodSignature(node)) {
    const returns = node.type === undefined ? '' : `: ${inline(node.type)}`
    return `${inline(node.name)}${node.questionToken ? '?' : ''}(${node.parameters.map(parameterText).join(', ')})${returns}`
  }
  if (ts.isPropertySignature(node) || ts.isPropertyDeclaration(node)) {
    const type = node.type === undefined ? typeTextOf(node, checker) : inline(node.type)
    return `${inline(node.name)}${node.questionToken ? '?' : ''}: ${type}`
  }
  if (ts.isGetAccessor(node)) return `${inline(node.name)}: ${node.type === undefined ? 'unknown' : inline(node.type)}`
  return inline(node)
}

function typeTextOf(node: ts.Declaration, checker: ts.TypeChecker): string {
  return checker.typeToString(checker.getTypeAtLocation(node))
}

/** A parameter as a reader writes it: what it is taken apart into is the function's own business. */
function parameterText(node: ts.ParameterDeclaration): string {
  const name = ts.isIdentifier(node.name) ? node.name.text : 'options'
  const optional = node.questionToken !== undefined || node.initializer !== undefined
  const rest = node.dotDotDotToken === undefined ? '' : '...'
  return `${rest}${name}${optional ? '?' : ''}${node.type === undefined ? '' : `: ${inline(node.type)}`}`
}

function typeParametersOf({ typeParameters }: ts.TypeAliasDeclaration): string {
  return typeParameters === undefined ? '' : `<${typeParameters.map(({ name }) => name.text).join(', ')}>`
}

/** The text of a node in one line, without comments and `readonly`. */
function inline(node: ts.Node): string {
  return joined(node.getText().replace(/\/\*[\s\S]*?\*\//g, ''))
    .replaceAll('( ', '(')
    .replaceAll(', )', ')')
    .replace(/(?<=<) | (?=>(?!=))/g, '')
    .replace(/\breadonly (?!\S+\[\]|\(|\[)/g, '')
    .replace(/^\| /, '')
}

function joined(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function hasBody(node: ts.Declaration): boolean {
  return 'body' in node && node.body !== undefined
}

function unwrapped(node: ts.Expression | undefined): ts.Expression | undefined {
  if (node === undefined) return undefined
  if (ts.isAsExpression(node)) return unwrapped(node.expression)
  if (ts.isCallExpression(node) && node.expression.getText() === 'Object.freeze') return unwrapped(node.arguments[0])
  return node
}

function isType(node: ts.Node): boolean {
  return ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)
}

/** `{ [Type in keyof T]: { ... } }`, and a literal alone: the members that a reader writes. */
function literalOf({ type }: ts.TypeAliasDeclaration): ts.TypeLiteralNode | undefined {
  const inner = ts.isMappedTypeNode(type) ? type.type : type
  return inner !== undefined && ts.isTypeLiteralNode(inner) ? inner : undefined
}

function hasOwnDoc(node: ts.Node): boolean {
  return ts.getJSDocCommentsAndTags(node).length > 0
}

function isOurs(node: ts.Declaration): boolean {
  return !node.getSourceFile().fileName.includes('/node_modules/')
}

function isHidden(node: ts.Node): boolean {
  if (ts.isConstructorDeclaration(node) || ts.isClassStaticBlockDeclaration(node) || ts.isSetAccessor(node)) return true
  const name = ts.getNameOfDeclaration(node as ts.Declaration)
  if (name !== undefined && ts.isPrivateIdentifier(name)) return true
  return ts.getJSDocTags(node).some(({ tagName }) => tagName.text === 'internal')
}
