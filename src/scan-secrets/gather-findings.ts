import type { BlobPlace } from './list-history.ts';
import type { Finding } from './report.ts';
import type { Hit } from './scan-content.ts';

/** Nobody reads more, and a hostile tree may have millions. */
const MAX_FINDINGS = 10_000;
/** Hexadecimal digits of a commit. */
const ABBREVIATED = 12;

interface Past {
  readonly hit: Hit;
  readonly place: BlobPlace;
  readonly path: string;
}

interface Present {
  readonly hit: Hit;
  readonly path: string;
}

/**
 * Brings together what was found in the tree and in the history. The same secret on the same line of a file is one
 * finding, and so is the same secret in all the past versions of one path: of those the first commit tells how long it
 * has been out.
 */
export class Findings {
  readonly #tree = new Map<string, Present>();
  readonly #history = new Map<string, Past>();
  /** How many had no room. */
  left = 0;

  addTree(hits: readonly Hit[], path: string): void {
    for (const hit of hits) {
      const key = `${keyOf(hit, path)}\0${hit.line}`;
      if (this.#tree.has(key)) continue;
      if (this.#hasRoom()) this.#tree.set(key, { hit, path });
    }
  }

  /** @param shown the places' paths, masked */
  addHistory(hits: readonly Hit[], places: readonly BlobPlace[], shown: readonly string[]): void {
    for (const hit of hits) {
      for (const [index, place] of places.entries()) {
        const path = shown[index] ?? '';
        const key = keyOf(hit, path);
        const earlier = this.#history.get(key);
        if (earlier === undefined ? !this.#hasRoom() : earlier.place.order <= place.order) continue;
        this.#history.set(key, { hit, place, path });
      }
    }
  }

  /** Those of the tree first, by path and line; then those of the history, the oldest first. */
  list(): Finding[] {
    const present = new Set<string>();
    const tree = [...this.#tree.values()].toSorted(byPlace).map(({ hit, path }): Finding => {
      const key = keyOf(hit, path);
      present.add(key);
      return describe('tree', hit, path, this.#history.get(key)?.place.commit);
    });
    const history = [...this.#history]
      .filter(([key]) => !present.has(key))
      .toSorted(([, a], [, b]) => a.place.order - b.place.order || (a.hit.line ?? 0) - (b.hit.line ?? 0))
      .map(([, { hit, path, place }]) => describe('history', hit, path, place.commit));
    return [...tree, ...history];
  }

  #hasRoom(): boolean {
    if (this.#tree.size + this.#history.size < MAX_FINDINGS) return true;
    this.left += 1;
    return false;
  }
}

function keyOf({ rule, print }: Hit, path: string): string {
  return `${path}\0${rule}\0${print}`;
}

function byPlace(a: Present, b: Present): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1;
  return (a.hit.line ?? 0) - (b.hit.line ?? 0);
}

function describe(where: Finding['where'], { line, rule, what }: Hit, path: string, commit?: string): Finding {
  const first = commit === undefined ? {} : { commit: commit.slice(0, ABBREVIATED) };
  return { where, path, ...first, line, rule, what };
}
