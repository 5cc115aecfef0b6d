/** What became of a setting's text. A fault begins with a verb, so that the setting's name can stand before it, and
 * never repeats the text: people paste secrets into the wrong variable. */
export type Parsed<T> = { readonly value: T } | { readonly faults: readonly string[] };

export function fault(message: string): { readonly faults: readonly string[] } {
  return { faults: [message] };
}
