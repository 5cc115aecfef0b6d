import { lstatSync, readdirSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { attempt, ENTER, OtherUsers, READ, WRITE } from './other-users.ts';
import { show } from './read-text-file.ts';

/** With the words that lead to it, such as `AUDIT_KEY_FILE names`. */
type Named = readonly [words: string, path: string];

/** Absolute paths, each of which may be absent. */
export interface Places {
  readonly handlersDir: string;
  /** The folder of the local SQLite file. */
  readonly data: Named | undefined;
  /** Those of NAME_FILE variables. */
  readonly secretFiles: readonly Named[];
  /** Others that hold secrets. */
  readonly keptFiles: readonly Named[];
}

const STICKY = 0o1000;
/** Entries of a handlers folder that are looked at, and links on one path. */
const MAX_ENTRIES = 1_000;
const MAX_LINKS = 40;

/** Production does not start with such a line. */
export function isAboutModes(line: string): boolean {
  return line.includes('; run: chmod ');
}

/**
 * Modes that let others write handlers, or read data and secrets: one line each, with the fix. Root, the owner and the members of
 * a group that has none but these two and this user are no others.
 *
 * What is mounted read-only is passed over, and so is the root of a volume with data or secrets: an orchestrator chooses their
 * modes (a Secret of Kubernetes is 0644, an emptyDir 0777), and what is made in them is this user's alone.
 */
export function findLooseModes({ handlersDir, data, secretFiles, keptFiles }: Places): string[] {
  // Windows has no such modes.
  if (process.geteuid === undefined) return [];
  const users = new OtherUsers(process.geteuid());
  return [
    ...findLooseHandlers(handlersDir, users),
    ...[
      ...(data === undefined ? [] : [data]),
      ...secretFiles.filter(([, file]) => !isGuarded(file, users)),
      ...keptFiles,
    ].flatMap(([words, path]) => judgeReaders(words, path, users)),
  ];
}

/**
 * Whether a file that others may read lies in a folder of its own that they cannot enter, as "secrets new --all" makes one for
 * containers, nor put another in its place.
 */
function isGuarded(file: string, users: OtherUsers): boolean {
  const places = new Map<string, Stats>();
  const folder = dirname(attempt(() => realpathSync(file)) ?? file);
  followPath(folder, places);
  const own = places.get(folder);
  const isClosed = own !== undefined && users.withRights(READ | WRITE | ENTER, folder, own) === undefined;
  return isClosed && [...places].every(([path, stats]) => !isReplaceable(path, stats, places, users));
}

/** Whether others may replace what the places name in a folder. In a sticky one, as /tmp is, the owner of an entry alone may. */
function isReplaceable(path: string, stats: Stats, places: ReadonlyMap<string, Stats>, users: OtherUsers): boolean {
  if (users.withRights(WRITE, path, stats) === undefined) return false;
  const entries = [...places].filter(([one]) => one !== path && dirname(one) === path);
  return (stats.mode & STICKY) === 0 || !entries.every(([, entry]) => users.isOwn(entry));
}

function judgeReaders(words: string, path: string, users: OtherUsers): string[] {
  const real = attempt(() => realpathSync(path));
  const stats = attempt(() => statSync(path));
  if (real === undefined || stats === undefined || users.isReadOnly(real) || users.isMountPoint(real)) return [];
  const isFolder = stats.isDirectory();
  // Root that gives a group a file to read has chosen its readers.
  const isGiven = !isFolder && stats.uid === 0 && (stats.mode & (WRITE << 3)) === 0;
  const who = users.withRights(READ | WRITE, real, stats, isGiven);
  if (who === undefined) return [];
  const which = isFolder ? ', a folder that' : ', which';
  // Another user, or a group, may be how this process reads it.
  const mode =
    stats.uid === process.geteuid?.() ? (isFolder ? '700' : '600') : (stats.mode & 7) !== 0 ? 'o-rwx' : 'g-rwx';
  return [`${words} ${show(path)}${which} ${who} may read (mode ${octal(stats)}); run: chmod ${mode} ${show(path)}`];
}

/** The folder, what lies in it, what its links lead to, and the folders above all of these. */
function findLooseHandlers(dir: string, users: OtherUsers): string[] {
  const places = new Map<string, Stats>();
  followPath(dir, places);
  const real = attempt(() => realpathSync(dir));
  if (real !== undefined) for (const path of listEntries(real, { left: MAX_ENTRIES })) followPath(path, places);
  return [...places].flatMap(([path, stats]) => {
    // The mode of a link means nothing.
    const who = stats.isSymbolicLink() ? undefined : users.withRights(WRITE, path, stats);
    if (who === undefined || users.isReadOnly(path)) return [];
    const isInside = real !== undefined && (path === real || path.startsWith(`${real}${sep}`));
    if (!isInside && !isReplaceable(path, stats, places, users)) return [];
    const words = path === real ? 'is' : isInside ? 'holds' : 'leads through';
    return [
      `HANDLERS_DIR ${words} ${show(path)}, which ${who} may write (mode ${octal(stats)}), and with it the code that the receiver runs; run: chmod go-w ${show(path)}`,
    ];
  });
}

/** Adds a path's parts by their real paths: folders from the root on, links, and all of what these lead to. */
function followPath(path: string, places: Map<string, Stats>, links = MAX_LINKS): void {
  const parent = dirname(path);
  if (parent !== path && !places.has(parent)) followPath(parent, places, links);
  const above = attempt(() => realpathSync(parent));
  const stats = attempt(() => lstatSync(path));
  if (above === undefined || stats === undefined) return;
  const real = join(above, basename(path));
  if (places.has(real)) return;
  places.set(real, stats);
  if (stats.isSymbolicLink() && links > 0) followPath(resolve(above, readlinkSync(path)), places, links - 1);
}

/** Dot files are not loaded. Packages are too many to look at: their folder stands for them. */
function* listEntries(dir: string, budget: { left: number }): Generator<string> {
  for (const entry of attempt(() => readdirSync(dir, { withFileTypes: true })) ?? []) {
    if (entry.name.startsWith('.') || budget.left === 0) continue;
    budget.left -= 1;
    const path = join(dir, entry.name);
    yield path;
    if (entry.isDirectory() && entry.name !== 'node_modules') yield* listEntries(path, budget);
  }
}

function octal({ mode }: Stats): string {
  return `0${(mode & 0o777).toString(8).padStart(3, '0')}`;
}
