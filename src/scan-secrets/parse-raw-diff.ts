const LINK_TO_COMMIT = '160000';

/** A content that a commit brought to a path. */
export interface Brought {
  readonly commit: string;
  readonly oid: string;
  readonly path: string;
}

/**
 * Reads `git diff-tree --stdin -c --root --raw -z --no-renames`: after each commit's id, for each path a record and the
 * path. A record begins with a colon for each parent, then come the modes and the object ids of the parents and of the
 * commit, whose are the last of each.
 *
 * @param pieces without their NUL
 */
export async function* parseRawDiff(pieces: AsyncIterable<Buffer>): AsyncGenerator<Brought> {
  let commit = '';
  let oid: string | undefined;
  let expectsPath = false;
  for await (const piece of pieces) {
    if (expectsPath) {
      expectsPath = false;
      if (oid !== undefined) yield { commit, oid, path: piece.toString('utf8') };
      continue;
    }
    const text = piece.toString('latin1');
    if (text.startsWith(':')) {
      oid = findContent(text);
      expectsPath = true;
    } else {
      commit = text.trim();
    }
  }
}

/** The object id of a file's new content; undefined where it was deleted or is a submodule. */
function findContent(record: string): string | undefined {
  const parents = record.lastIndexOf(':') + 1;
  const fields = record.slice(parents).split(' ');
  const mode = fields[parents];
  const oid = fields[2 * parents + 1];
  if (mode === undefined || oid === undefined || mode === LINK_TO_COMMIT || /^0+$/.test(oid)) return undefined;
  return oid;
}
