import { z } from 'zod';
import { failure, NAMED_ANSWERS } from './answers.ts';
import { isRepeatable } from './parameters.ts';
import { HTTP_ROUTES, type HttpRoute } from './routes.ts';

/** Where the API is. */
export const HTTP_API_PATH = '/api/v1';

type JsonSchema = Record<string, unknown>;

const FAILURES = {
  400: 'A parameter is wrong; the error names it.',
  401: 'Not signed in.',
  404: 'There is no such run.',
  413: 'The answer would be too large.',
  429: 'Too many requests of this client are waiting. Retry after the seconds of `Retry-After`.',
  503: 'Too many requests of all clients are waiting. Retry after the seconds of `Retry-After`.',
  504: 'Reading took the database too long.',
};

/**
 * The description of the HTTP reading API in OpenAPI 3.1, made of the schemas that it parses requests with.
 * @param version of the server.
 */
export function describeHttpApi(version: string): JsonSchema {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Evenkeel',
      version,
      description: 'Reads runs, their steps and their alerts. Answers may get further properties in a later version.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: HTTP_API_PATH }],
    security: [{ accessToken: [] }],
    paths: Object.fromEntries(HTTP_ROUTES.map((route) => [route.path, { get: describeRoute(route) }])),
    components: {
      securitySchemes: {
        accessToken: { type: 'http', scheme: 'bearer', description: 'The access token of the server, if it has one.' },
      },
      schemas: namedSchemas(),
    },
  };
}

function describeRoute(route: HttpRoute): JsonSchema {
  const failed = Object.entries(FAILURES).map(([status, description]) => {
    return [status, { description, content: { 'application/json': { schema: referenceTo(failure) } } }];
  });
  return {
    operationId: route.operationId,
    summary: route.summary,
    description: route.description,
    parameters: describeParameters(route),
    responses: {
      200: { description: 'What was asked for.', content: contentOf(route) },
      ...Object.fromEntries(failed),
    },
  };
}

function contentOf(route: HttpRoute): JsonSchema {
  if (!('open' in route)) return { 'application/json': { schema: referenceTo(route.answer) } };
  const types = Object.entries(route.types).map(([type, line]) => [type, { schema: line ? referenceTo(line) : {} }]);
  return Object.fromEntries(types);
}

function describeParameters({ path, parameters }: HttpRoute): JsonSchema[] {
  const { properties } = toSchema(parameters) as { properties: Record<string, JsonSchema> };
  return Object.entries(properties).map(([name, { description, ...schema }]) => {
    const isInPath = path.includes(`{${name}}`);
    return {
      name,
      in: isInPath ? 'path' : 'query',
      required: isInPath,
      ...(description === undefined ? {} : { description }),
      ...(schema.type === 'array' ? { style: 'form', explode: isRepeatable(parameters, name) } : {}),
      schema,
    };
  });
}

/** @throws Error where a route answers with what has no name. */
function referenceTo(schema: z.ZodType): JsonSchema {
  const named = Object.entries(NAMED_ANSWERS).find(([, each]) => each === schema);
  if (!named) throw new Error('an answer has no name in the description');
  return { $ref: refOf(named[0]) };
}

function refOf(name: string): string {
  return `#/components/schemas/${name}`;
}

function namedSchemas(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(NAMED_ANSWERS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { ...OPTIONS, uri: refOf });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _dialect, $id: _id, ...schema }]) => [name, schema]),
  );
}

function toSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, OPTIONS);
}

const OPTIONS = {
  unrepresentable: 'any',
  io: 'output',
  override: ({ zodSchema, jsonSchema }) => {
    if (zodSchema._zod.def.type === 'date') Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
    if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties; // a later version may add some
  },
} as const satisfies z.core.ToJSONSchemaParams;
