// The procedures of a tRPC router, by the names under which a client calls them.
import { Visitor } from 'oxc-parser';
import { findDeclaration } from './modules.mjs';
import { docstringBefore, signatureOf, textOf } from './signature.mjs';

/**
 * Of `router({ … })` and the routers in it.
 * @param {import('./modules.mjs').Declaration} router
 */
export function proceduresOf({ module, node }, path = '') {
  const [{ properties }] = node.init.arguments;
  return properties.flatMap(({ key, value, start }) => {
    const name = path + key.name;
    if (value.type === 'Identifier') return proceduresOf(findDeclaration(module, value.name), `${name}.`);
    const calls = callsOf(value);
    const kind = ['query', 'mutation'].find((each) => calls.has(each));
    if (!kind) throw new Error(`${module.path}: ${name} is neither a query nor a mutation`);
    return [{ name, kind, docstring: docstringBefore(module, start), signature: inputOf(module, calls.get('input')) }];
  });
}

/** The first argument of each call in `procedure.input(…).query(…)`, by name. */
function callsOf(expression) {
  const calls = new Map();
  for (let call = expression; call.type === 'CallExpression'; call = call.callee.object) {
    calls.set(call.callee.property.name, call.arguments[0]);
  }
  return calls;
}

/** The schema of the input, after what it is made of in the same file; null where there is none. */
function inputOf(module, schema) {
  if (!schema) return null;
  const parts = [...localsIn(module, schema)].sort((one, other) => one.start - other.start);
  return [...parts.map(signatureOf), `const input = ${textOf(module, schema)};`].join('\n');
}

/** The values declared by the file that an expression is made of. */
function localsIn(module, expression, found = new Map()) {
  const visitor = new Visitor({
    Identifier({ name }) {
      const declaration = found.has(name) ? null : findDeclaration(module, name);
      if (declaration?.module !== module || declaration.node.type !== 'VariableDeclarator') return;
      found.set(name, declaration);
      localsIn(module, declaration.node.init, found);
    },
  });
  visitor.visit({ type: 'Program', body: [{ type: 'ExpressionStatement', expression }] });
  return found.values();
}
