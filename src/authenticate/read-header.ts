/**
 * Why credentials prove nothing. For the audit and the metrics only: every refusal looks the same to the caller.
 *
 * - `missing`: nothing was presented. `incomplete`: a signature came without the timestamp or the id it covers.
 * - `repeated`: a credential header stands there more than once. `too-long`: longer than any right one could be.
 * - `malformed`: not of the form that the scheme asks for. `stale`, `future`: signed outside the tolerance.
 * - `mismatch`: well formed, and made with none of the configured keys.
 * - `doubtful`: a token of the settings of which it is not known now whether it was retired.
 */
export type Reason =
  | 'missing'
  | 'incomplete'
  | 'repeated'
  | 'too-long'
  | 'malformed'
  | 'stale'
  | 'future'
  | 'mismatch'
  | 'doubtful';

/** Characters; bounds the work that an unproven caller can ask for. */
const MAX_CREDENTIAL_LENGTH = 4096;

/**
 * Reads one credential header from the flat list of names and values that node:http keeps beside the merged object.
 * Merging drops or joins repeated headers, and two parties that pick different ones of them can be played off against
 * each other, so a repeated one is refused.
 *
 * @param name lower case
 */
export function readHeader(rawHeaders: readonly string[], name: string): { readonly value: string } | Reason {
  const values = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
  const [value] = values;
  if (value === undefined) return 'missing';
  if (values.length > 1) return 'repeated';
  if (value.length > MAX_CREDENTIAL_LENGTH) return 'too-long';
  return { value };
}
