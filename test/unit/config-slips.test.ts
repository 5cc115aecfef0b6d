import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SETTING_NAMES } from '../../src/config/catalogue.ts';
import { lintDotenv } from '../../src/config/lint-dotenv.ts';
import { faultsOf, KEY, load, makeFolder, TOKEN, writeIn } from './config-support.ts';

const LISTS = ['INSTANTLY_WEBHOOK_TOKEN', 'INSTANTLY_SECRET'] as const;
const BEARERS = ['METRICS_TOKEN', 'INSTANTLY_READ_KEY'] as const;
const STRICT = [...LISTS, ...BEARERS] as const;

/** What people leave around or within a secret when they copy it, and what is said of it. */
const SLIPS: readonly (readonly [string, (secret: string) => string, string])[] = [
  ['double quotes', (s) => `"${s}"`, 'begins and ends with a quotation mark (U+0022)'],
  ['single quotes', (s) => `'${s}'`, 'begins and ends with a quotation mark (U+0027)'],
  ['backticks', (s) => `\`${s}\``, 'begins and ends with a quotation mark (U+0060)'],
  ['typographic quotes', (s) => `“${s}”`, 'begins and ends with a quotation mark (U+201C)'],
  ['German quotes', (s) => `„${s}“`, 'begins and ends with a quotation mark (U+201E)'],
  ['guillemets', (s) => `«${s}»`, 'begins and ends with a quotation mark (U+00AB)'],
  ['escaped quotes', (s) => `\\"${s}\\"`, 'begins and ends with a quotation mark (U+0022)'],
  ['a quote before it', (s) => `"${s}`, 'begins with a quotation mark (U+0022)'],
  ['a quote behind it', (s) => `${s}’`, 'ends with a quotation mark (U+2019)'],
  ['a zero-width space before it', (s) => `\u200b${s}`, 'holds an invisible character (U+200B, zero-width space)'],
  ['a zero-width joiner behind it', (s) => `${s}\u200d`, 'holds an invisible character (U+200D, zero-width joiner)'],
  ['a soft hyphen within it', (s) => `${s.slice(0, 5)}\u00ad${s.slice(5)}`, '(U+00AD, soft hyphen)'],
  ['a byte order mark within it', (s) => `${s.slice(0, 5)}\ufeff${s.slice(5)}`, '(U+FEFF, byte order mark)'],
  ['a no-break space within it', (s) => `${s.slice(0, 5)}\u00a0${s.slice(5)}`, '(U+00A0, no-break space)'],
  ['a variation selector', (s) => `${s}\ufe0f`, 'holds an invisible character (U+FE0F)'],
  ['a direction mark', (s) => `\u202a${s}`, 'holds an invisible character (U+202A)'],
  ['its own name', (s) => `INSTANTLY_WEBHOOK_TOKEN=${s}`, 'holds the name of a setting before the value'],
  ['another name', (s) => `audit_key = ${s}`, 'holds the name of a setting before the value'],
  ['its name in YAML', (s) => `INSTANTLY_SECRET: ${s}`, 'holds the name of a setting before the value'],
  ['export', (s) => `export TOKEN=${s}`, 'holds the name of a setting before the value'],
  ['PowerShell', (s) => `$env:TOKEN=${s}`, 'holds the name of a setting before the value'],
  ['a glued line', (s) => `${s}INSTANTLY_SECRET=${s}`, 'holds INSTANTLY_SECRET= in the middle'],
  ['its header', (s) => `x-webhook-secret: ${s}`, 'holds the name of a header before the value'],
  ['its header without a space', (s) => `X-Webhook-Secret:${s}`, 'holds the name of a header before the value'],
  ['its header and a sign of equality', (s) => `x-webhook-secret=${s}`, 'holds the name of a header before the value'],
  ['Authorization', (s) => `Authorization: Bearer ${s}`, 'holds the name of a header before the value'],
  ['JSON', (s) => `{"value":"${s}"}`, 'is a JSON document'],
  ['a variable', () => '$INSTANTLY_WEBHOOK_TOKEN', 'is a variable or a placeholder'],
  ['a template', () => '{{ .Values.webhookToken }}', 'is a variable or a placeholder'],
  ['angle brackets', (s) => `<${s}>`, 'is a variable or a placeholder'],
];

describe.each(SLIPS)('a secret with %s', (_, slip, seen) => {
  const text = slip(TOKEN);

  test.each(STRICT)('is refused as %s, by the environment and by a file', (name) => {
    const cwd = makeFolder();
    writeIn(cwd, 'secret', `${text}\r\n`);
    const by = (env: NodeJS.ProcessEnv) => faultsOf({ INSTANTLY_SECRET: KEY, ...env }, cwd).join('\n');
    expect(by({ [name]: text })).toContain(`${name} `);
    expect(by({ [name]: text })).toContain(seen);
    const file =
      name === 'INSTANTLY_SECRET'
        ? faultsOf({ INSTANTLY_SECRET_FILE: 'secret' }, cwd).join('\n')
        : by({ [`${name}_FILE`]: 'secret' });
    expect(file).toContain(`${name} (from ${name}_FILE) `);
    expect(file).toContain(seen);
    expect(file).not.toContain(TOKEN);
  });

  test('is refused where it is kept', () => {
    const cwd = makeFolder();
    load({}, cwd);
    writeIn(cwd, 'data/webhook-token', `${text}\n`);
    expect(faultsOf({}, cwd).join()).toMatch(/^INSTANTLY_WEBHOOK_TOKEN is not set, and the one kept at /);
    expect(faultsOf({}, cwd).join()).toContain(seen);
  });

  test('is warned of as AUDIT_KEY, which entries may be sealed with as it is', () => {
    const cwd = makeFolder();
    writeIn(cwd, 'secret', text);
    for (const env of [{ AUDIT_KEY: text }, { AUDIT_KEY_FILE: 'secret' }]) {
      const settings = load({ INSTANTLY_SECRET: `${KEY}-other`, ...env }, cwd);
      expect(settings.warnings).toEqual([expect.stringContaining(seen)]);
      expect(settings.audit.key.reveal()).toBe(text);
    }
    load({}, cwd);
    writeIn(cwd, 'data/audit-key', text);
    expect(load({}, cwd).warnings).toEqual([expect.stringContaining(seen)]);
  });
});

test('a list names the position of the key that took something on', () => {
  expect(faultsOf({ INSTANTLY_WEBHOOK_TOKEN: `${TOKEN},"${TOKEN}-2"` })).toEqual([
    'INSTANTLY_WEBHOOK_TOKEN has a key at position 2 of 2 that begins and ends with a quotation mark (U+0022), which would be a part of it; take it off',
  ]);
});

test.each(['NODE_ENV', 'PORT', 'LOG_LEVEL', 'DATABASE_URL', 'PUBLIC_URL', 'ROLE', 'WEBHOOK_PATH'])(
  'quotes around %s, as Docker leaves them, are refused',
  (name) => {
    expect(faultsOf({ INSTANTLY_SECRET: KEY, [name]: '"production"' })).toEqual([
      `${name} begins and ends with a quotation mark (U+0022), which would be a part of it; take it off`,
    ]);
  },
);

test('the path of a file in the place of a secret is told', () => {
  const cwd = makeFolder();
  const file = writeIn(cwd, 'webhook-token', TOKEN);
  expect(faultsOf({ INSTANTLY_WEBHOOK_TOKEN: file })).toEqual([
    'INSTANTLY_WEBHOOK_TOKEN is the path of a file; did you mean INSTANTLY_WEBHOOK_TOKEN_FILE?',
  ]);
});

test.each<[string, string]>([
  [`${TOKEN} # current`, 'as a comment does'],
  [`${TOKEN} PORT=4000`, 'goes on with the name of another variable'],
  [`${TOKEN} ${TOKEN}`, 'where a comma parts keys'],
  [`${TOKEN};`, 'ends with a semicolon'],
  [`${TOKEN}\\n`, 'ends with a written-out line break'],
  [`=${TOKEN}`, 'begins with a sign of assignment'],
  [`["${TOKEN}"]`, 'stands in brackets'],
  ['*'.repeat(20), 'is masked'],
  ['abcd****************', 'is masked'],
])('%j as a secret is warned of, by the environment and by a file', (value, seen) => {
  const cwd = makeFolder();
  writeIn(cwd, 'secret', `${value}\n`);
  for (const name of LISTS) {
    for (const env of [{ [name]: value }, { [`${name}_FILE`]: 'secret' }]) {
      const { warnings } = load(env, cwd);
      expect(warnings).toEqual([expect.stringContaining(`${name} `)]);
      expect(warnings).toEqual([expect.stringContaining(seen)]);
      expect(warnings.join()).not.toContain(TOKEN);
    }
  }
});

test('secrets that only look odd are let in', () => {
  for (const value of [
    'user:pass-word-of-some-length',
    `${'A'.repeat(30)}==`,
    `abc'def"ghi'jkl-mnopq`,
    '/abcdef+ghijklm/nopqrs==',
    'correct horse battery staple',
    'a=b=c=d=e=f=g=h=i=j',
    'x-abcdefghijklmnopqr_s==',
  ]) {
    expect([value, faultsOf({ INSTANTLY_WEBHOOK_TOKEN: value })]).toEqual([value, []]);
  }
});

test.each(['Bearer', 'basic'])('%s in a header of another name is warned of, and let be', (scheme) => {
  const value = `${scheme} ${TOKEN}`;
  const settings = load({ INSTANTLY_WEBHOOK_TOKEN: value });
  expect(settings.warnings).toEqual([expect.stringContaining(`INSTANTLY_WEBHOOK_TOKEN begins with ${scheme}`)]);
  expect(load({ INSTANTLY_WEBHOOK_TOKEN: value, INSTANTLY_WEBHOOK_TOKEN_HEADER: 'authorization' }).warnings).toEqual(
    [],
  );
});

test('a header of the own choice before the token is refused', () => {
  const env = { INSTANTLY_WEBHOOK_TOKEN: `Our-Key:${TOKEN}`, INSTANTLY_WEBHOOK_TOKEN_HEADER: 'our-key' };
  expect(faultsOf(env)).toEqual([
    'INSTANTLY_WEBHOOK_TOKEN holds the name of its header before the value; keep the value alone',
  ]);
});

describe('one secret', () => {
  test('is the same by every way, whatever white space is around it', () => {
    const space = fc.string({
      unit: fc.constantFrom(' ', '\t', '\n', '\r\n', '\u00a0', '\ufeff', '\u2028'),
      maxLength: 4,
    });
    const cwd = makeFolder();
    load({}, cwd);
    fc.assert(
      fc.property(space, space, (before, behind) => {
        const text = `${before}${KEY}${behind}`;
        writeIn(cwd, 'key', text);
        writeIn(cwd, 'data/audit-key', text);
        writeIn(cwd, '.env', '');
        const seen = [load({ AUDIT_KEY: text }, cwd), load({ AUDIT_KEY_FILE: 'key' }, cwd), load({}, cwd)];
        writeIn(cwd, '.env', `AUDIT_KEY="${text}"\n`);
        seen.push(load({}, cwd));
        expect(seen.map(({ audit }) => audit.key.reveal())).toEqual(Array(4).fill(KEY));
      }),
      { numRuns: 30 },
    );
  });

  test('with white space that earlier releases counted is warned of, and has a way to stay what it was', () => {
    const cwd = makeFolder();
    writeIn(cwd, 'key', `${KEY} \r\n`);
    const { audit, warnings } = load({ AUDIT_KEY_FILE: 'key' }, cwd);
    expect(audit.key.reveal()).toBe(KEY);
    expect(warnings).toEqual([expect.stringMatching(/^AUDIT_KEY \(from AUDIT_KEY_FILE\) has white space around it/)]);
    writeIn(cwd, 'key', `"${KEY} "\n`);
    expect(load({ AUDIT_KEY_FILE: 'key' }, cwd).audit.key.reveal()).toBe(`${KEY} `);
  });

  test.each([
    ['UTF-16 with its mark', Buffer.from(`\ufeff${KEY}`, 'utf16le')],
    ['UTF-16 without it', Buffer.from(KEY, 'utf16le')],
    ['UTF-16, big-endian', Buffer.from(`\ufeff${KEY}`, 'utf16le').swap16()],
  ])('in a file of %s is refused with what it is', (_, bytes) => {
    const cwd = makeFolder();
    writeIn(cwd, 'key', bytes);
    expect(faultsOf({ INSTANTLY_SECRET_FILE: 'key' }, cwd)[0]).toContain(
      '(utf-16, it is UTF-16, as Windows PowerShell writes; save it as UTF-8)',
    );
  });

  test.each(STRICT)('of several lines is refused as %s', (name) => {
    const cwd = makeFolder();
    writeIn(cwd, 'key', `${TOKEN}\n${TOKEN}-2\n`);
    expect(faultsOf({ [`${name}_FILE`]: 'key' }, cwd)).toHaveLength(1);
  });
});

describe('.env', () => {
  test.each<[string, string[]]>([
    ['A_B=1\n# c\n\nC_D="x # y" # c\nexport_this=1\n', []],
    ['PEM_KEY="-----BEGIN\nabc=\n-----END"\nA_B=1', []],
    ['#INSTANTLY_SECRET=\n# see INSTANTLY_SECRET=abc\n# INSTANTLY_SECRET=x', []],
    ['A_B=https://x.example/?DATABASE_URL=1&ADMIN_TOKEN=2', []],
    ['LOG_LEVEL=warn # quiet', []],
    ['A_B=abc#def', ['line 1: A_B is cut off at its "#"']],
    ['\nINSTANTLY_SECRET=#abc', ['line 2: INSTANTLY_SECRET is empty, because a "#"']],
    ['INSTANTLY_WEBHOOK_TOKEN: abc', ['line 1: INSTANTLY_WEBHOOK_TOKEN is followed by a colon']],
    ['INSTANTLY_WEBHOOK_TOKEN: abc==', ['line 1: INSTANTLY_WEBHOOK_TOKEN is followed by a colon']],
    ['A_B=1\nc2VjcmV0c2VjcmV0', ['line 2: it is not of the form NAME=value']],
    ['A_B="abc\nC_D=1', ['line 1: A_B has a quotation mark that is never closed']],
    ["A_B='abc", ['line 1: A_B has a quotation mark that is never closed']],
    [
      'A_B="abc\nC_D="x"\nE_F=1',
      ['line 1: A_B has a quotation mark that is closed in line 2 only', 'closing quotation mark of A_B is ignored'],
    ],
    ['A_B=abc"', ['line 1: A_B ends with a quotation mark']],
    ['A_B=“abc”', ['line 1: A_B has a typographic quotation mark']],
    ['A_B=1\r\nC_D=2\r\nA_B=3', ['line 3: A_B is set a second time, and this one counts (the first is in line 1)']],
    [
      'SECRET_MAX_AGE_DAYS=5INSTANTLY_WEBHOOK_TOKEN=abc',
      ['INSTANTLY_WEBHOOK_TOKEN is a part of the value of SECRET_MAX_AGE_DAYS'],
    ],
    ['A_B="x"INSTANTLY_WEBHOOK_TOKEN=abc', ['INSTANTLY_WEBHOOK_TOKEN stands behind another value']],
    ['A_B=INSTANTLY_WEBHOOK_TOKEN=abc', ['INSTANTLY_WEBHOOK_TOKEN is a part of the value of A_B']],
    ['# the end.INSTANTLY_WEBHOOK_TOKEN=abc', ['line 1: INSTANTLY_WEBHOOK_TOKEN is in a comment']],
    ['A_B = abc', ['because of the space beside the "="']],
    ['A_B= abc', ['because of the space beside the "="']],
    ['export A_B=abc', ['A_B is read, but "export" is for a shell']],
    ['set A_B=abc', ['line 1: it does not begin with the name of a variable']],
    ['\u00a0INSTANTLY_WEBHOOK_TOKEN=abc', ['line 1: it does not begin with the name of a variable']],
    ['\tA_B=1\n \u00a0\n  # c', []],
    ['export\tA_B=1', ['line 1: it does not begin with the name of a variable']],
    ['A_B=1\rC_D=2\rE_F=3', ['line 1: a carriage return alone ends no line']],
    ['A_B="x" y', ['line 1: what follows the closing quotation mark of A_B is ignored']],
  ])('%j is warned of with %j', (text, warnings) => {
    expect(lintDotenv(text)).toEqual(warnings.map((warning) => expect.stringContaining(warning)));
  });

  test('is warned of by the start, and where a secret is missing for it, the one line says so', () => {
    const cwd = makeFolder();
    writeIn(cwd, '.env', 'SLACK_URL=https://x.example/\nINSTANTLY_WEBHOOK_TOKEN: abc\n');
    expect(load({}, cwd).warnings).toEqual([
      expect.stringMatching(/^\.env, line 2: INSTANTLY_WEBHOOK_TOKEN is followed by a colon/),
    ]);
    const faults = faultsOf({ NODE_ENV: 'production' }, cwd);
    expect(faults).toEqual([expect.stringContaining('(.env, line 2: INSTANTLY_WEBHOOK_TOKEN is followed by')]);
  });

  test('is never quoted, whatever is in it', () => {
    const mark = 'Qx7mark';
    const piece = fc.constantFrom(
      mark,
      '=',
      ' ',
      '"',
      "'",
      '`',
      '#',
      '\n',
      ':',
      '“',
      'export ',
      ...SETTING_NAMES.slice(0, 8),
      'A_B',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
        expect(lintDotenv(pieces.join('')).join('\n')).not.toContain(mark);
      }),
      { numRuns: 1_000 },
    );
  });
});

test('service links of Kubernetes and Docker are no settings, and no mistyped ones', () => {
  const at = 'tcp://10.0.0.7:3000';
  const links = ['INSTANTLY_WEBHOOK_RECEIVER', 'DATABASE', 'METRICS', 'HANDLER_TIMEOUT'].flatMap(
    (name): [string, string][] => [
      [`${name}_SERVICE_HOST`, '10.0.0.7'],
      [`${name}_SERVICE_PORT`, '3000'],
      [`${name}_SERVICE_PORT_HTTP_MAIN`, '3000'],
      [`${name}_PORT`, at],
      [`${name}_PORT_3000_TCP`, at],
      [`${name}_PORT_3000_TCP_ADDR`, '10.0.0.7'],
      [`${name}_PORT_53_UDP_PROTO`, 'udp'],
    ],
  );
  const settings = load({ ...Object.fromEntries(links), HOST: at, PORT: at });
  expect([settings.warnings, settings.host, settings.port]).toEqual([[], '0.0.0.0', 3000]);
  expect(load({ INSTANTLY_WEBHOOK_PORT: '3000' }).warnings).toHaveLength(1);
});

describe('PUBLIC_URL', () => {
  test.each([
    ['https://h.example/webhooks/instantly', 'https://h.example'],
    ['https://h.example/webhooks/instantly//', 'https://h.example'],
    ['https://h.example//Webhooks//Instantly', 'https://h.example'],
    ['https://h.example/in/webhooks/instantly', 'https://h.example/in'],
    ['http://localhost:3000/webhooks/instantly', 'http://localhost:3000'],
  ])('%s does not put the path of the webhook there twice', (url, base) => {
    const { publicUrl, instantly, warnings } = load({ PUBLIC_URL: url });
    expect([publicUrl, instantly.webhookUrl]).toEqual([base, `${base}/webhooks/instantly`]);
    expect(warnings).toEqual([
      `PUBLIC_URL ends with WEBHOOK_PATH, which is put behind it by itself, so it is taken as ${base}; write it so`,
    ]);
  });

  test('that ends with a part of the path is doubted, and one with another path is not', () => {
    expect(load({ PUBLIC_URL: 'https://h.example/webhooks' }).warnings).toEqual([
      'PUBLIC_URL ends as WEBHOOK_PATH begins, so Instantly is given https://h.example/webhooks/webhooks/instantly; did you mean https://h.example?',
    ]);
    expect(load({ PUBLIC_URL: 'https://h.example/receiver/' }).warnings).toEqual([]);
  });

  test('with a query is refused', () => {
    expect(faultsOf({ PUBLIC_URL: 'https://h.example/webhooks/instantly?a=1' })).toEqual([
      'PUBLIC_URL must not hold "?" or "#"',
    ]);
  });
});
