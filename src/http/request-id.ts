import { newId } from '../audit/new-id.ts';

const SANE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The caller's own id where it is short and plain, so that it can stand in logs and entries; a UUID v7 otherwise. */
export function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && SANE.test(given) ? given : newId();
}
