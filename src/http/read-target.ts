import { plainPath } from '../authenticate/index.ts';

/**
 * The path of a request target in origin form (`/path?query`) or absolute form (`http://host/path?query`), exactly as it
 * came. `//` for any other target, which is served nowhere: Express would hand it to `url.parse`, which warns on the
 * console, and pass over every middleware where that finds no path, so that nobody audited the request.
 */
function readTarget(target: string): string {
  const path = target.startsWith('/') ? target : ABSOLUTE.exec(target)?.[1];
  return path === undefined || UNUSUAL.test(path) ? NOWHERE : (path.split('?', 1)[0] ?? NOWHERE);
}

const NOWHERE = '//';

const ABSOLUTE = /^https?:\/\/[^/?#]+(\/.*)$/i;

/** What makes Express leave its own quick way of finding the path; none of it stands in a path that is served. */
const UNUSUAL = /[^\x21-\x7e]|#/;

/** The path that a target asks for, in the spelling of our own where it means it: with another case, or with slashes doubled or
 * at its end.
 * @param own `undefined`: no path has other spellings */
export function correctPath(target: string, own: string | undefined): string {
  const path = readTarget(target);
  if (own === undefined || path === own) return path;
  return plainPath(path) === plainPath(own) ? own : path;
}
