import { fstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { makeSignatureKey, makeToken } from '../config/make-secret.ts';
import { errnoCode } from '../config/read-text-file.ts';
import { SCHEME_NAMES, type SignatureScheme } from '../config/signature-schemes.ts';
import { writeNewFile } from '../config/write-new-file.ts';
import { makeDatabaseSecrets } from './make-database-secrets.ts';
import { choiceOption } from './options.ts';
import { registerRotate } from './secrets-rotate.ts';
import { registerScan } from './secrets-scan.ts';
import { setInDotenv } from './set-in-dotenv.ts';

const KINDS = {
  token: {
    setting: 'INSTANTLY_WEBHOOK_TOKEN',
    file: 'webhook-token',
    next: 'Give Instantly the same value as a custom header of the webhook, x-webhook-secret by default. To rotate, put the new value first and keep the old one after a comma until nothing uses it.',
  },
  signature: {
    setting: 'INSTANTLY_SECRET',
    file: 'instantly-secret',
    next: 'Give the same key to what signs the requests (a relay or a gateway; Instantly itself signs nothing). To rotate, put the new key first and keep the old one after a comma until nothing uses it.',
  },
  audit: {
    setting: 'AUDIT_KEY',
    file: 'audit-key',
    next: 'Keep a copy away from this machine: without it the audit chain cannot be verified. Do not replace it while entries sealed with it are kept.',
  },
  admin: { setting: 'ADMIN_TOKEN', file: 'admin-token', next: 'Clients send it as "Authorization: Bearer VALUE".' },
  metrics: {
    setting: 'METRICS_TOKEN',
    file: 'metrics-token',
    next: 'The scraper sends it as "Authorization: Bearer VALUE".',
  },
} as const;

type Kind = keyof typeof KINDS;

/** What `--all` makes, beside those of the database: every secret a receiver in production should not do without. */
const CONTAINER_KINDS: readonly Kind[] = ['token', 'signature', 'audit'];

const HELP = `
Examples:
  secrets new --env .env                    a token, as a line of .env
  secrets new --kind audit --file /etc/instantly/audit-key
  secrets new --all                         in secrets/: files for a container,
                                            those that are missing
  secrets new --kind metrics --dir secrets  one more of them

File modes:
  --file writes mode 0600: only the user who runs this command can read it, so
  run it as the user the receiver runs as. --all and --dir write mode 0644 into
  a folder of mode 0700: Docker Compose mounts such a file into the container
  with the mode and owner it has here, and the receiver, which runs there as
  user 1000, has to read it, while the folder keeps the other users of this
  machine out. So a folder that others may enter is refused.`;

interface NewOptions {
  readonly kind?: Kind;
  readonly scheme?: SignatureScheme;
  readonly file?: string;
  readonly env?: string;
  readonly all?: true;
  readonly dir?: string;
  readonly json?: true;
  /** Where the result goes to. */
  readonly stdout: number;
}

/** `secrets new`: makes secrets; needs no settings and no store. */
export function register(program: Command, stdout = 1): void {
  const secrets = program.command('secrets').description('make the secrets the receiver works with');
  secrets
    .command('new')
    .description('make a strong secret (32 random bytes) and print the line for .env')
    .addOption(choiceOption('--kind <kind>', 'what it is for (default: token)', Object.keys(KINDS)))
    .addOption(choiceOption('--scheme <scheme>', 'what a signature key has to fit (default: body)', SCHEME_NAMES))
    .addOption(new Option('--file <path>', 'write it to a new file and print the NAME_FILE line').conflicts('all'))
    .addOption(new Option('--env <file>', 'write its line into this .env').conflicts(['file', 'all', 'dir']))
    .addOption(new Option('--all', 'make every file a container set-up needs and has not').conflicts('kind'))
    .addOption(
      new Option('--dir <folder>', 'make it there for a container (with --all, default: secrets)').conflicts('file'),
    )
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((given: Omit<NewOptions, 'stdout'>, command: Command) => {
      const options = { ...given, stdout };
      if (options.all === true || options.dir !== undefined) makeForContainer(options, command);
      else makeOne(options, command);
    });
  registerRotate(secrets);
  registerScan(secrets);
}

function makeOne(options: NewOptions, command: Command): void {
  const kind = options.kind ?? 'token';
  checkScheme(options, kind, command);
  const { setting } = KINDS[kind];
  const value = makeValue(kind, options.scheme);
  const next = describeNext(kind, options.scheme);
  if (options.env !== undefined) {
    setInDotenv(options.env, setting, value);
    const notes = [`${setting} is set in ${options.env}. ${next}`];
    answer(command, options, { kind, name: setting, env: options.env, next }, [], notes);
    return;
  }
  if (options.file === undefined) {
    const line = `${setting}=${value}`;
    answer(command, options, { kind, name: setting, value, line, next }, [line], [`Put the line into .env. ${next}`]);
    return;
  }
  if (!write(options.file, value, 0o600)) {
    throw new Error(`${options.file} exists already and is left as it is; name a new file`);
  }
  const name = `${setting}_FILE`;
  const line = `${name}=${quote(options.file)}`;
  answer(
    command,
    options,
    { kind, name, file: options.file, line, next },
    [line],
    [`The secret is in the file. Put the line into .env. ${next}`],
  );
}

/** Leaves alone what is there, so that it can be run again when a file is missing. */
function makeForContainer(options: NewOptions, command: Command): void {
  const dir = options.dir ?? 'secrets';
  const kinds = options.all === true ? CONTAINER_KINDS : [options.kind ?? 'token'];
  checkScheme(options, kinds.includes('signature') ? 'signature' : kinds[0], command);
  refuseOpenFolder(dir);
  const made = kinds.map((kind) => {
    const file = join(dir, KINDS[kind].file);
    const created = write(file, makeValue(kind, options.scheme), 0o644);
    return { kind, name: `${KINDS[kind].setting}_FILE`, file, created, next: describeNext(kind, options.scheme) };
  });
  // Without a line for .env, where the address would turn a receiver on SQLite to PostgreSQL.
  const database = options.all === true ? makeDatabaseSecrets(dir, write) : [];
  const all = [...made, ...database];
  answer(
    command,
    options,
    all,
    made.map(({ name, file }) => `${name}=${quote(file)}`),
    all.map(({ file, created, next }) =>
      created ? `${file} made. ${next}` : `${file} was there already and is left as it is.`,
    ),
  );
}

function checkScheme(options: NewOptions, kind: Kind | undefined, command: Command): void {
  if (options.scheme !== undefined && kind !== 'signature') {
    command.error('error: --scheme goes with --kind signature', { exitCode: 2 });
  }
}

/** As `.env` needs it. */
function quote(path: string): string {
  if (/^[\w./@:+,=-]+$/.test(path)) return path;
  return path.includes("'") ? `"${path}"` : `'${path}'`;
}

function makeValue(kind: Kind, scheme: SignatureScheme | undefined): string {
  return kind === 'signature' ? makeSignatureKey(scheme ?? 'body') : makeToken();
}

function describeNext(kind: Kind, scheme: SignatureScheme | undefined): string {
  const { next } = KINDS[kind];
  const unusual = kind === 'signature' && scheme !== undefined && scheme !== 'body';
  return unusual ? `${next} Set INSTANTLY_SIGNATURE_SCHEME=${scheme} too.` : next;
}

/** Files there are readable by all who can reach them, so the folder has to keep others out. */
function refuseOpenFolder(dir: string): void {
  const mode = statSync(dir, { throwIfNoEntry: false })?.mode ?? 0;
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new Error(`${dir} lets other users of this machine in; run "chmod 700 ${dir}" first, or name a new folder`);
  }
}

function write(file: string, value: string, mode: number): boolean {
  try {
    return writeNewFile(file, `${value}\n`, mode);
  } catch (error) {
    throw new Error(`${file} cannot be written (${errnoCode(error)})`);
  }
}

/** The result on stdout, so that it can be redirected into `.env`; what to do with it on stderr. */
function answer(
  command: Command,
  options: NewOptions,
  document: unknown,
  lines: readonly string[],
  notes: readonly string[],
): void {
  const { writeOut, writeErr } = command.configureOutput();
  if (options.json === true) {
    writeOut?.(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  // Appended to a file whose last line has no end, the first line would become a part of that.
  const start = lines.length > 0 && isBegunFile(options.stdout) ? '\n' : '';
  if (lines.length > 0) writeOut?.(`${start}${lines.map((line) => `${line}\n`).join('')}`);
  writeErr?.(notes.map((note) => `${note}\n`).join(''));
}

function isBegunFile(descriptor: number): boolean {
  const stat = fstatSync(descriptor);
  return stat.isFile() && stat.size > 0;
}
