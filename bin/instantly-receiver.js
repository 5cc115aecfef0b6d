#!/usr/bin/env node
// Kept in JavaScript that Node 16 parses: an old Node has to get as far as saying that it is too old.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import process from 'node:process';
import v8 from 'node:v8';

const NEEDED = 24;
const running = process.versions.node;
const major = Number(running.split('.')[0]);

if (major >= NEEDED) {
  // Without a listener Node opens its inspector at this signal, and the inspector reads every secret. The flag --disable-sigusr1
  // does the same earlier, and is not there where this file is started by itself.
  process.on('SIGUSR1', () => undefined);
  // Each thread that reads TypeScript runs Node's WebAssembly for that. Where several do at once, V8 13 now and then takes code
  // away that another still uses, and the whole process is gone (https://github.com/nodejs/node/issues/64500). So it may take
  // none away. A few hundred threads were no larger for it; a start takes some 30 ms more.
  if (major < 26) v8.setFlagsFromString('--no-wasm-code-gc');
  keepCompiled();
  // A checkout runs its source; a package has it built, since Node strips no types below node_modules.
  await import(existsSync(new URL('../src', import.meta.url)) ? '../src/cli/main.ts' : '../dist/cli/main.js');
} else {
  process.stderr.write(
    `instantly-receiver needs Node ${NEEDED} or newer and was started by Node ${running}; in a checkout start it through npm, which brings its own Node ("npm ci", then "npm start"), elsewhere install one from https://nodejs.org\n`,
  );
  // EX_CONFIG of sysexits.h, as for any other setting that stops the start.
  process.exitCode = 78;
}

/**
 * Has Node keep what it makes of the source files, which halves the time of a start and saves 30 MB. What is kept there is
 * executed, so it must be nobody else's folder: Node's own choice, below the shared /tmp, will not do. NODE_COMPILE_CACHE names
 * another one, and NODE_DISABLE_COMPILE_CACHE=1 turns it off.
 */
function keepCompiled() {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const folder = makePrivateFolder();
  if (folder === undefined) return;
  module.enableCompileCache(folder);
  // For the threads, which would have to be told each by itself.
  process.env.NODE_COMPILE_CACHE = folder;
}

/** `undefined`: there is no such place, as in a container whose file system is read-only. All works the same, and starts later. */
function makePrivateFolder() {
  const named = process.env.XDG_CACHE_HOME ?? '';
  try {
    const folder = join(isAbsolute(named) ? named : join(homedir(), '.cache'), 'instantly-receiver');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    return uid === process.getuid?.() && (mode & 0o022) === 0 ? folder : undefined;
  } catch {
    return undefined;
  }
}
