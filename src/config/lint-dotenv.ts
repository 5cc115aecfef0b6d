import { isSecretVariable, isSettingName } from './catalogue.ts';
import { findGluedName } from './find-slip.ts';

const ASSIGNMENT = /^(?<exported>export +)?(?<name>[^=]*?)(?<before>[ \t]*)=(?<after>[ \t]*)(?<value>.*)$/;
const PLAIN_QUOTES: readonly string[] = ['"', "'", '`'];
const TYPOGRAPHIC = /^[\p{Pi}\p{Pf}‚„″′´＂＇]|[\p{Pi}\p{Pf}″′´＂＇]$/u;

/** One line for each place of `.env` that does not mean what it seems to; never with a value. */
export function lintDotenv(text: string): string[] {
  const lint = new Lint(text.split(/\r?\n/));
  lint.run();
  return lint.warnings;
}

class Lint {
  readonly warnings: string[] = [];
  readonly #lines: readonly string[];
  /** Where each variable was set last. */
  readonly #seen = new Map<string, number>();
  #index = 0;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  run(): void {
    for (; this.#index < this.#lines.length; this.#index += 1) {
      // Only these two are passed over before a name: a no-break space becomes a part of it.
      const line = (this.#lines[this.#index] ?? '').trimEnd().replace(/^[ \t]+/, '');
      if (line.includes('\r')) this.#warn('a carriage return alone ends no line; save the file with other line ends');
      else if (line.startsWith('#')) this.#lookIntoComment(line);
      else if (line !== '') this.#readLine(line);
    }
  }

  #warn(message: string): void {
    this.warnings.push(`.env, line ${this.#index + 1}: ${message}`);
  }

  /** A commented-out setting is no slip; one that has become part of a comment is. */
  #lookIntoComment(line: string): void {
    const glued = findGluedName(line);
    if (glued !== undefined) this.#warn(`${glued} is in a comment, so it is not set; begin a new line before it`);
  }

  #readLine(line: string): void {
    const { exported, name = '', before = '', after = '', value = '' } = ASSIGNMENT.exec(line)?.groups ?? {};
    const colon = /^([A-Za-z_]\w*)\s*:/.exec(line)?.[1];
    if (colon !== undefined && !/^\w+$/.test(name)) {
      this.#warn(`${shown(colon)} is followed by a colon, so it is not set; write NAME=value`);
      return;
    }
    if (name === '') {
      this.#warn('it is not of the form NAME=value and is ignored; correct it or put a "#" before it');
      return;
    }
    if (!/^[\w.-]+$/.test(name)) this.#warn('it does not begin with the name of a variable; write NAME=value');
    this.#lookAtForm(name, { exported, before, after, value });
    const first = this.#seen.get(name);
    if (first !== undefined) {
      this.#warn(`${shown(name)} is set a second time, and this one counts (the first is in line ${first}); keep one`);
    }
    this.#seen.set(name, this.#index + 1);
    this.#readValue(name, value);
  }

  #lookAtForm(
    name: string,
    line: { exported: string | undefined; before: string; after: string; value: string },
  ): void {
    const { exported, before, after, value } = line;
    if (exported !== undefined) {
      this.#warn(`${shown(name)} is read, but "export" is for a shell, and Docker refuses such a line; leave it out`);
    }
    if (before !== '' || (after !== '' && value !== '')) {
      this.#warn(
        `${shown(name)} is read, but not by a shell or by Docker, because of the space beside the "="; take it out`,
      );
    }
  }

  #readValue(name: string, value: string): void {
    const quote = PLAIN_QUOTES.find((one) => value.startsWith(one));
    if (quote === undefined) this.#readUnquoted(name, value);
    else this.#readQuoted(name, value, quote);
  }

  #readUnquoted(name: string, value: string): void {
    const cut = value.indexOf('#');
    if (cut === 0) this.#warn(`${shown(name)} is empty, because a "#" begins a comment; put the value in quotes`);
    else if (cut > 0 && !/\s/.test(value[cut - 1] ?? '')) {
      this.#warn(`${shown(name)} is cut off at its "#", which begins a comment; put the value in quotes`);
    }
    const kept = (cut === -1 ? value : value.slice(0, cut)).trim();
    if (TYPOGRAPHIC.test(kept)) {
      this.#warn(`${shown(name)} has a typographic quotation mark, which stays a part of it; use " or none`);
    } else if (PLAIN_QUOTES.some((one) => kept.length > 1 && kept.endsWith(one))) {
      this.#warn(`${shown(name)} ends with a quotation mark that stays a part of it; take it off`);
    }
    this.#warnOfGlued(name, kept);
  }

  /** A quoted value may go on over lines, and ends at the next mark wherever that is. */
  #readQuoted(name: string, value: string, quote: string): void {
    const rest = [value.slice(1), ...this.#lines.slice(this.#index + 1)];
    const last = rest.findIndex((line) => line.includes(quote));
    if (last === -1) {
      this.#warn(
        `${shown(name)} has a quotation mark that is never closed and stays a part of it; close it or take it off`,
      );
      this.#warnOfGlued(name, value);
      return;
    }
    const within = rest.slice(1, last + 1);
    if (within.some((line) => /^\s*(?:export\s+)?[A-Za-z_]\w*\s*=\s*[^=\s]/.test(line))) {
      this.#warn(
        `${shown(name)} has a quotation mark that is closed in line ${this.#index + 1 + last} only, so that the lines between are not set; close it`,
      );
    }
    const end = rest[last] ?? '';
    const behind = end.slice(end.indexOf(quote) + 1).trim();
    this.#warnOfGlued(name, last === 0 ? end.slice(0, end.indexOf(quote)) : '');
    this.#index += last;
    const glued = findGluedName(`x${behind}`);
    if (glued !== undefined)
      this.#warn(`${glued} stands behind another value, so it is not set; begin a new line before it`);
    else if (behind !== '' && !behind.startsWith('#')) {
      this.#warn(`what follows the closing quotation mark of ${shown(name)} is ignored; correct the quotes`);
    }
  }

  #warnOfGlued(name: string, value: string): void {
    const glued = findGluedName(`=${value}`);
    if (glued !== undefined) {
      this.#warn(`${glued} is a part of the value of ${shown(name)}, so it is not set; begin a new line before it`);
    }
  }
}

/** A line that is no assignment may begin with a secret: only what looks like the name of a variable is shown. */
function shown(name: string): string {
  if (isSettingName(name) || isSecretVariable(name)) return name;
  return /^[A-Z][A-Z0-9]{0,31}(?:_[A-Z0-9]{1,32}){1,8}$/.test(name) ? name : 'the variable';
}
