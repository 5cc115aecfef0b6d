import { readdirSync, realpathSync, statSync } from 'node:fs';
import { type LoadFnOutput, registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Files of a handlers folder that are kept, and their bytes: such a folder holds far less. */
const MAX_FILES = 1_000;
const MAX_BYTES = 16 * 1024 * 1024;

const CODE_FILE = /\.(?:[cm]?[jt]s|json)$/;
/** Asks for a module's format and source without running it. */
const LOOK = '?look';
const EMPTY: LoadFnOutput = { format: 'module', source: '', shortCircuit: true };
const OWN_CODE = new URL('../', import.meta.url).href;

interface Kept {
  readonly format: string | null | undefined;
  readonly source: string;
}

/**
 * The code that was checked: each file in the handlers folder, and each one that handler files import, except packages in
 * `node_modules`. A thread that is started later runs this code, whatever an editor has done to the files since.
 */
export interface KeptModules {
  /** URL by importing module, specifier and kind of import. */
  readonly resolved: Map<string, string>;
  /** By URL. */
  readonly sources: Map<string, Kept>;
}

export function noModules(): KeptModules {
  return { resolved: new Map(), sources: new Map() };
}

/** Has this thread load modules as they are kept, and keeps what it loads besides. To be called once, before other hooks. */
export function useKeptModules({ resolved, sources }: KeptModules): void {
  registerHooks({
    resolve: (specifier, context, next) => {
      const { parentURL = '', conditions } = context;
      const kind = conditions.includes('require') ? 'require' : 'import';
      const key = `${kind} ${specifier} ${parentURL}`;
      const known = resolved.get(key);
      if (known !== undefined) return { url: known, shortCircuit: true };
      try {
        const found = next(specifier, context);
        if (isKept(found.url) && parentURL !== '') resolved.set(key, found.url);
        return found;
      } catch (error) {
        // A file of the folder that was deleted before its first import.
        const url = URL.parse(specifier, parentURL)?.href;
        if (url === undefined || !sources.has(url)) throw error;
        return { url, shortCircuit: true };
      }
    },
    load: (url, context, next) => {
      const isLook = url.endsWith(LOOK);
      const plain = toUrl(isLook ? url.slice(0, -LOOK.length) : url);
      const known = sources.get(plain);
      if (known !== undefined) return isLook ? EMPTY : { ...known, shortCircuit: true };
      const loaded = next(isLook ? plain : url, context);
      const source = isKept(plain) ? toText(loaded) : undefined;
      if (source !== undefined) sources.set(plain, { format: loaded.format, source });
      return isLook ? EMPTY : loaded;
    },
  });
}

/** Keeps the files of the folder that nothing has imported yet: a handler may import one while it runs. */
export async function keepFolder(dir: string): Promise<void> {
  let files = 0;
  let bytes = 0;
  for (const file of codeFiles(dir)) {
    files += 1;
    bytes += statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (files > MAX_FILES || bytes > MAX_BYTES) return;
    // One that Node cannot load, or that is gone by now, fails where it is imported.
    await import(`${pathToFileURL(file).href}${LOOK}`).catch(() => undefined);
  }
}

/** By their real paths, under which Node runs them. */
export function* codeFiles(dir: string): Generator<string> {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const { name } = entry;
    if (name.startsWith('.') || name === 'node_modules') continue;
    const path = join(dir, name);
    if (entry.isDirectory()) yield* codeFiles(path);
    else if (CODE_FILE.test(name) && statSync(path, { throwIfNoEntry: false })?.isFile()) yield realpathSync(path);
  }
}

function isKept(url: string): boolean {
  return url.startsWith('file:') && !url.startsWith(OWN_CODE) && !url.includes('/node_modules/');
}

/** Node names a CommonJS module that is imported by its path. */
function toUrl(url: string): string {
  return url.startsWith('/') ? pathToFileURL(url).href : url;
}

function toText({ format, source }: LoadFnOutput): string | undefined {
  if (source === undefined || source === null || format === 'wasm' || format === 'addon') return undefined;
  return typeof source === 'string' ? source : new TextDecoder().decode(source);
}
