import fc from 'fast-check';
import type { Store } from '../../src/inbox/store.ts';

const anyName = fc.constantFrom('a', 'a_', 'a%', 'ab', 'ä', '\u{1f600}');

export interface Step {
  readonly name: string;
  /** `undefined`: it is dropped. */
  readonly text: string | undefined;
  /** From the version that stands there; `null`: whatever it is. */
  readonly offset: number | null;
}

export const anyPrefix = fc.oneof(anyName, fc.constant(''));
export const anyStep: fc.Arbitrary<Step> = fc.record({
  name: anyName,
  text: fc.option(
    fc.string({ unit: 'binary', maxLength: 8 }).map((text) => text.replaceAll('\0', '')),
    { nil: undefined },
  ),
  offset: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1, null)),
});

/** Gives what the store answers. */
export async function takeStep(
  store: Store,
  { name, text, offset }: Step,
  version: number,
): Promise<boolean | undefined> {
  if (text !== undefined) return store.writeDocument(name, text, offset === null ? null : version + offset);
  await store.dropDocument(name);
  return undefined;
}

interface Held {
  readonly name: string;
  readonly text: string;
  readonly version: number;
}

/** What a store of documents is, without all that makes it one. */
export class DocumentModel {
  readonly #held = new Map<string, Held>();

  versionOf(name: string): number {
    return this.#held.get(name)?.version ?? 0;
  }

  /** Gives what the store should answer. */
  take({ name, text, offset }: Step): boolean | undefined {
    if (text === undefined) {
      this.#held.delete(name);
      return undefined;
    }
    const mayWrite = offset === null || offset === 0;
    if (mayWrite) this.#held.set(name, { name, text, version: this.versionOf(name) + 1 });
    return mayWrite;
  }

  read(name: string): [text: string, version: number] | undefined {
    const held = this.#held.get(name);
    return held && [held.text, held.version];
  }

  list(prefix: string, limit: number): Held[] {
    return [...this.#held.values()]
      .filter(({ name }) => name.startsWith(prefix))
      .sort((one, other) => Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)))
      .slice(0, limit);
  }
}
