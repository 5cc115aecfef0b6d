import { z } from 'zod';
import { type Fault, STATUS_FAULTS } from './faults.ts';
import { isOperation, type Operation } from './operations.ts';

const MAX_TIMES = 1_000_000;

const silent = z.enum(['hang', 'drop']);
const status = z.literal([...STATUS_FAULTS]);
const field = z.string().min(1);

const fault: z.ZodType<Fault> = z.union([
  status,
  silent,
  z.enum(['broken-json', 'edge']),
  z.strictObject({ afterwards: z.union([status, silent]) }),
  z.strictObject({ lacks: field }),
  z.strictObject({ nulls: field }),
  z.strictObject({ adds: field }),
  z.strictObject({ answer: z.json() }),
  z.strictObject({ status, retryAfter: z.int().min(0).max(86_400) }),
]);

const operation = z.custom<Operation | '*'>(
  (value) => value === '*' || (typeof value === 'string' && isOperation(value)),
  'is "*" or an operation such as "GET /webhooks/{id}"',
);

/** A fault asked for over HTTP. */
export const faultSchema = z.strictObject({
  operation,
  fault,
  times: z.int().min(1).max(MAX_TIMES).default(1),
});
