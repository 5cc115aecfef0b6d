import type { Tally } from './report.ts';

/** More than any work tree that people look after by hand. */
const MAX_FILES = 100_000;

export interface TreeFile {
  /** As bytes, since a name need not be UTF-8. */
  readonly file: Buffer;
  /** Relative to the folder, with slashes. */
  readonly path: string;
}

/** What `git add` took and no commit has: it can differ from the file. */
export interface StagedBlob {
  readonly oid: string;
  readonly path: string;
}

/** The files to look at, gathered before the first is read so that progress has a total. */
export class TreeListing {
  readonly files: TreeFile[] = [];
  readonly staged: StagedBlob[] = [];
  readonly tally: Tally;

  constructor(tally: Tally) {
    this.tally = tally;
  }

  add(file: TreeFile): void {
    if (isNeverLookedAt(file.path)) return;
    if (this.files.length < MAX_FILES) this.files.push(file);
    else this.tally.skip('beyondLimits');
  }

  addStaged(blob: StagedBlob): void {
    if (isNeverLookedAt(blob.path)) return;
    if (this.staged.length < MAX_FILES) this.staged.push(blob);
    else this.tally.skip('beyondLimits');
  }
}

/** What others wrote and what git keeps for itself. */
export function isNeverLookedAt(path: string): boolean {
  return /(?:^|\/)(?:node_modules|\.git)(?:\/|$)/.test(path);
}

export function joinBytes(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name]);
}
