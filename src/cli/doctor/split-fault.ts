import { InstantlyApiError } from '../../instantly/api-error.ts';
import { type Finding, fail, Skipped } from './check.ts';

const UPDATE = 'try again, and update the receiver where that does not help';

/**
 * A fault and its fix, which the faults of the settings have in one line: what is wrong; what to do.
 *
 * @param otherwise the fix where the line has none
 */
export function splitFault(line: string, otherwise: string): { readonly found: string; readonly fix: string } {
  const at = line.indexOf('; ');
  return at === -1 ? { found: line, fix: otherwise } : { found: line.slice(0, at), fix: line.slice(at + 2) };
}

/** What a call has failed with; its message says `operation: what is wrong: what to do`. */
export function failedCall(error: unknown): Finding {
  if (error instanceof Skipped || !(error instanceof Error)) throw error;
  const message = error instanceof InstantlyApiError ? error.message.slice(error.operation.length + 2) : error.message;
  // What is said of a request that was refused is no fix.
  const at = error instanceof InstantlyApiError && error.failure === 'refused' ? -1 : message.lastIndexOf(': ');
  return at === -1 ? fail(message, UPDATE) : fail(message.slice(0, at), message.slice(at + 2));
}
