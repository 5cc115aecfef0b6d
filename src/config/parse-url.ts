import { resolve } from 'node:path';
import { fault, type Parsed } from './parsed.ts';

/**
 * The file of a `sqlite:PATH` URL, as an absolute path.
 *
 * @param cwd what a relative path starts from
 */
export function parseSqliteUrl(text: string, cwd: string): Parsed<string> {
  if (!/^sqlite:/i.test(text)) return fault('must be written as sqlite:PATH, such as sqlite:data/receiver.db');
  const path = text.slice('sqlite:'.length);
  // Tools disagree on whether two or three slashes begin a relative path; a data file in a surprising place is lost data.
  if (path.startsWith('//')) {
    return fault(
      'must have the path right after sqlite:, as in sqlite:data/receiver.db or sqlite:/var/lib/receiver.db',
    );
  }
  if (/^:memory:/i.test(path)) return fault('must name a file: events in memory would not outlive the process');
  if (/[?#\p{Cc}]/u.test(path)) return fault('must be sqlite: and a path, without "?", "#" or control characters');
  if (path === '' || /(^|\/)\.{0,2}$/.test(path)) return fault('must name a file, such as sqlite:data/receiver.db');
  return { value: resolve(cwd, path) };
}

/** An http or https URL; without a scheme, as curl takes it, http is meant. */
export function parseProxyUrl(text: string): Parsed<URL> {
  const url = URL.parse(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  const fits = url !== null && /^https?:$/.test(url.protocol);
  return fits ? { value: url } : fault('must be the http:// or https:// address of a proxy, or unset');
}

/** An https URL, or an http one to this machine; without credentials, query or fragment. The value has no slash at its end. */
export function parseHttpsUrl(text: string): Parsed<string> {
  const url = URL.parse(text);
  const local = url !== null && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && local))) {
    return fault('must be a whole https:// address (http:// only for localhost)');
  }
  if (url.username !== '' || url.password !== '') return fault('must not hold a user name or password');
  if (/[?#]/.test(text)) return fault('must not hold "?" or "#"');
  return { value: url.href.replace(/\/+$/, '') };
}
