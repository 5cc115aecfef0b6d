import { userInfo } from 'node:os';

const MAX_LENGTH = 64;

/**
 * @param given OPERATOR; where it holds no letter or digit, the user of the system counts
 * @returns letters, digits and . _ - alone, 64 characters at the most
 */
export function operatorName(given: string | undefined, user: () => string = systemUser): string {
  return plain(given ?? '') || plain(user()) || 'unknown';
}

function plain(text: string): string {
  const words = text.normalize('NFC').match(/[\p{L}\p{M}\p{N}._-]+/gu) ?? [];
  const name = [...words.join('-')].slice(0, MAX_LENGTH).join('');
  return /[\p{L}\p{N}]/u.test(name) ? name : '';
}

/** In a container the process may run as a number that no user has. */
function systemUser(): string {
  try {
    const { username, uid } = userInfo();
    return plain(username) || `uid-${uid}`;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
