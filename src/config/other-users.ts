import { readFileSync, type Stats, statfsSync } from 'node:fs';
import { userInfo } from 'node:os';

export const READ = 4;
export const WRITE = 2;
export const ENTER = 1;

/**
 * File systems that show made-up modes, as Docker Desktop and WSL do for folders of Windows: 9p, FUSE, SMB, FAT, NTFS and that of
 * VirtualBox. Source: linux/magic.h.
 */
const MADE_UP = new Set([
  0x01021997, 0x65735546, 0x517b, 0xff534d42, 0xfe534d42, 0x4d44, 0x2011bab0, 0x5346544e, 0x7366746e, 0x786f4256,
]);

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

interface Mount {
  readonly at: string;
  readonly isReadOnly: boolean;
}

/** Tells whom a mode lets in, by the mounts, users and groups of this machine as they are at its making. */
export class OtherUsers {
  readonly #user: number;
  readonly #mounts: readonly Mount[] = readMounts();
  readonly #users: readonly User[] = readFields('/etc/passwd', ':').map(([name = '', , uid, gid]) => {
    return { name, uid: Number(uid), gid: Number(gid) };
  });
  readonly #groups: readonly Group[] = readFields('/etc/group', ':').map(([name = '', , gid, members = '']) => {
    return { name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') };
  });
  readonly #madeUp = new Map<number, boolean>();

  /** @param user the effective user id of this process */
  constructor(user: number) {
    this.#user = user;
  }

  /**
   * @param isGroupMeant whether the rights of the group are passed over
   * @returns in words those beside root and the owner who have one of the rights; `undefined`: there are none
   */
  withRights(rights: number, path: string, stats: Stats, isGroupMeant = false): string | undefined {
    const { mode, uid, gid, dev } = stats;
    if ((mode & (rights | (rights << 3))) === 0 || this.#isMadeUp(path, dev)) return undefined;
    if ((mode & rights) !== 0) return 'every user of this machine';
    if (isGroupMeant || this.#isPrivate(gid, uid)) return undefined;
    return `the group ${this.#groups.find((group) => group.gid === gid)?.name ?? gid}`;
  }

  /** Whether it belongs to root or to this user. */
  isOwn({ uid }: Stats): boolean {
    return uid === 0 || uid === this.#user;
  }

  /** @param path a real one, as below */
  isReadOnly(path: string): boolean {
    const above = this.#mounts.filter(({ at }) => path === at || at === '/' || path.startsWith(`${at}/`));
    const longest = Math.max(...above.map(({ at }) => at.length));
    // The last one lies over the others.
    return above.findLast(({ at }) => at.length === longest)?.isReadOnly === true;
  }

  isMountPoint(path: string): boolean {
    return this.#mounts.some(({ at }) => at === path);
  }

  /**
   * Whether a group has no members but root, the owner and this user: Debian and Fedora make one for each user, and new folders
   * are writable by it.
   */
  #isPrivate(gid: number, owner: number): boolean {
    if (gid === 0) return true;
    const trusted = this.#users.filter(({ uid }) => uid === 0 || uid === owner || uid === this.#user);
    const listed = this.#groups.filter((group) => group.gid === gid);
    const members = [...listed.flatMap((group) => group.members), ...this.#users.filter((user) => user.gid === gid)];
    const isTrusted = (member: string | User): boolean =>
      trusted.some((user) => user === member || user.name === member);
    if (!members.every(isTrusted)) return false;
    if (gid === owner) return true;
    // The members may be known to a directory service alone, as the users of macOS are.
    const hasDirectory = !this.#users.some(({ uid }) => uid === this.#user) && hasName();
    return !hasDirectory && (listed.length > 0 || ownGroups().includes(gid));
  }

  #isMadeUp(path: string, device: number): boolean {
    const known = this.#madeUp.get(device);
    if (known !== undefined) return known;
    const isMadeUp = attempt(() => MADE_UP.has(statfsSync(path).type)) ?? false;
    this.#madeUp.set(device, isMadeUp);
    return isMadeUp;
  }
}

function ownGroups(): number[] {
  return [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])];
}

/** Whether the system knows this user, from whichever source. */
function hasName(): boolean {
  return attempt(() => userInfo().username !== '') ?? false;
}

/** Linux alone says so. Source: proc_pid_mountinfo(5). */
function readMounts(): Mount[] {
  return readFields('/proc/self/mountinfo', ' ').flatMap(([, , , , at = '', options = '']) => {
    const path = at.replaceAll(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
    return path === '' ? [] : [{ at: path, isReadOnly: options.split(',').includes('ro') }];
  });
}

function readFields(file: string, separator: string): string[][] {
  const text = attempt(() => readFileSync(file, 'utf8')) ?? '';
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(separator));
}

/** @returns `undefined` where it fails: what is absent or unreadable is told where it is used */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
