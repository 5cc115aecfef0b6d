import { ApiError } from './api-error.ts';

type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'object' | 'array';

/** As much of JSON Schema as the published bodies and query strings need. */
export interface Schema {
  readonly type: JsonType | readonly JsonType[];
  readonly enum?: readonly unknown[];
  readonly format?: keyof typeof FORMATS;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  /** false: no other keys; a schema: what other keys hold. */
  readonly additionalProperties?: false | Schema;
}

const UUID = /^(?:urn:uuid:)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

const FORMATS = {
  uuid: isUuid,
  uri: (text: string) => URL.canParse(text) && !/[\s<>"{}|\\^`]/.test(text),
  date: isDate,
} as const;

/** YYYY-MM-DD of a day that exists. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/**
 * Refuses what the schema does not allow, its first fault in the words of Fastify (which are Ajv's).
 *
 * @param where what the message begins with: `body`, `querystring` or `params`
 * @throws ApiError 400
 */
export function checkSchema(value: unknown, schema: Schema, where: string): void {
  const fault = findFault(value, schema, where);
  if (fault !== undefined) throw new ApiError(400, fault);
}

function findFault(value: unknown, schema: Schema, at: string): string | undefined {
  const types = [schema.type].flat();
  if (!types.some((type) => isOfType(value, type))) return `${at} must be ${types.join(',')}`;
  if (typeof value === 'number') {
    const range = findRangeFault(value, schema, at);
    if (range !== undefined) return range;
  }
  if (typeof value === 'string') {
    if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) {
      return `${at} must match pattern "${schema.pattern}"`;
    }
    if (schema.format !== undefined && !FORMATS[schema.format](value)) {
      return `${at} must match format "${schema.format}"`;
    }
  }
  if (Array.isArray(value)) return findItemFault(value, schema, at);
  if (isObject(value)) return findKeyFault(value, schema, at);
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return `${at} must be equal to one of the allowed values`;
  }
  return undefined;
}

function findRangeFault(value: number, { minimum, maximum }: Schema, at: string): string | undefined {
  if (maximum !== undefined && value > maximum) return `${at} must be <= ${maximum}`;
  if (minimum !== undefined && value < minimum) return `${at} must be >= ${minimum}`;
  return undefined;
}

function findItemFault(value: readonly unknown[], { items }: Schema, at: string): string | undefined {
  if (items === undefined) return undefined;
  for (const [index, item] of value.entries()) {
    const fault = findFault(item, items, `${at}/${index}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function findKeyFault(value: Readonly<Record<string, unknown>>, schema: Schema, at: string): string | undefined {
  const { properties = {}, required = [], minProperties = 0, additionalProperties } = schema;
  const keys = Object.keys(value);
  if (keys.length < minProperties) return `${at} must NOT have fewer than ${minProperties} properties`;
  const missing = required.find((key) => !Object.hasOwn(value, key));
  if (missing !== undefined) return `${at} must have required property '${missing}'`;
  for (const key of keys) {
    if (Object.hasOwn(properties, key) || additionalProperties === undefined) continue;
    if (additionalProperties === false) return `${at} must NOT have additional properties`;
    const fault = findFault(value[key], additionalProperties, `${at}/${key}`);
    if (fault !== undefined) return fault;
  }
  for (const [key, schemaOfKey] of Object.entries(properties)) {
    if (!Object.hasOwn(value, key)) continue;
    const fault = findFault(value[key], schemaOfKey, `${at}/${key}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function isOfType(value: unknown, type: JsonType): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
