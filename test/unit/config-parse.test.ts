import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseHeaderName, parseHost, parseWebhookPath } from '../../src/config/parse-http-names.ts';
import { parseKeys } from '../../src/config/parse-keys.ts';
import { parseNetworks } from '../../src/config/parse-networks.ts';
import { parseDuration, parseWholeNumber } from '../../src/config/parse-number.ts';
import { formatSize, parseSize } from '../../src/config/parse-size.ts';
import { parseHttpsUrl, parseSqliteUrl } from '../../src/config/parse-url.ts';
import type { Parsed } from '../../src/config/parsed.ts';

const PETABYTE = 1024 ** 5;

function resultOf<T>(parsed: Parsed<T>): T | 'refused' {
  return 'value' in parsed ? parsed.value : 'refused';
}

describe('sizes', () => {
  test.each([
    ['10mb', 10_485_760],
    ['512kb', 524_288],
    ['1048576', 1_048_576],
    ['1gb', 1_073_741_824],
    ['2GiB', 2_147_483_648],
    ['7K', 7168],
    ['3 MB', 3_145_728],
    ['9b', 9],
    ['0', 0],
    ['007kb', 7168],
  ])('%j is %d bytes', (text, bytes) => {
    expect(parseSize(text, 0, PETABYTE)).toEqual({ value: bytes });
  });

  test.each([
    '',
    'mb',
    '1.5mb',
    '-1',
    '+1',
    '1e3',
    '0x10',
    '10tb',
    '10mbb',
    '10 m b',
    '1,000',
    '10ib',
    'Infinity',
    '١',
  ])('%j is refused', (text) => {
    expect(resultOf(parseSize(text, 0, PETABYTE))).toBe('refused');
  });

  test('every size is read back from how it is written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (bytes) => {
        expect(parseSize(formatSize(bytes), 0, 2 ** 49)).toEqual({ value: bytes });
      }),
    );
  });

  test('case, spelling and one space make no difference', () => {
    const units = fc.constantFrom(
      ...(['k', 'm', 'g'] as const).map((unit, index) => [unit, 1024 ** (index + 1)] as const),
    );
    fc.assert(
      fc.property(
        fc.nat(1_000_000),
        units,
        fc.constantFrom('', 'b', 'ib'),
        fc.boolean(),
        fc.boolean(),
        (count, [unit, factor], ending, space, upper) => {
          const text = `${count}${space ? ' ' : ''}${unit}${ending}`;
          expect(parseSize(upper ? text.toUpperCase() : text, 0, PETABYTE)).toEqual({ value: count * factor });
        },
      ),
    );
  });

  test('whatever the text, the answer is a whole number within bounds or a fault that names them', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.nat().map(String)), (text) => {
        const parsed = parseSize(text, 10, 2048);
        if ('value' in parsed) {
          expect(Number.isInteger(parsed.value) && parsed.value >= 10 && parsed.value <= 2048).toBe(true);
        } else {
          expect(parsed.faults).toEqual(['must be a size such as 512kb, 10mb or 1048576 (bytes), from 10 to 2kb']);
        }
      }),
    );
  });
});

describe('whole numbers', () => {
  test('exactly the decimal numbers within the bounds are taken', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -50, max: 50 }),
        fc.integer({ min: 0, max: 20 }),
        fc.nat(20),
        (value, min, width) => {
          const inside = value >= min && value <= min + width;
          expect(resultOf(parseWholeNumber(String(value), min, min + width))).toBe(inside ? value : 'refused');
        },
      ),
    );
  });

  test.each(['', ' 5', '5 ', '5.0', '1e1', '0x5', '+5', '5s', '٥', '9'.repeat(16)])('%j is refused', (text) => {
    expect(resultOf(parseWholeNumber(text, 0, Number.MAX_SAFE_INTEGER))).toBe('refused');
  });
});

describe('lists of keys', () => {
  const key = fc.stringMatching(/^[A-Za-z0-9_-]{16,64}$/);
  const space = fc.stringMatching(/^[ \t]{0,3}$/);

  test('come back in order, trimmed, whatever space is around them', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(key, space, space), { minLength: 1, maxLength: 16, selector: ([k]) => k }),
        (items) => {
          const parsed = parseKeys(items.map(([k, before, after]) => before + k + after).join(','));
          expect('value' in parsed && parsed.value.map((secret) => secret.reveal())).toEqual(items.map(([k]) => k));
        },
      ),
    );
  });

  test('one short key is named by its position, never by its value', () => {
    const short = fc.stringMatching(/^[A-Z]{5,15}$/);
    const lower = fc.stringMatching(/^[a-z0-9]{16,40}$/);
    fc.assert(
      fc.property(fc.uniqueArray(lower, { minLength: 1, maxLength: 8 }), fc.nat(), short, (keys, place, bad) => {
        const index = place % (keys.length + 1);
        const parsed = parseKeys(keys.toSpliced(index, 0, bad).join(','));
        expect('faults' in parsed && parsed.faults).toEqual([
          `has a key at position ${index + 1} of ${keys.length + 1} that is shorter than 16 characters; make a new one with the command "secrets new"`,
        ]);
        expect(JSON.stringify(parsed)).not.toContain(bad);
      }),
    );
  });

  test('a key that stands twice is named by both positions', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { minLength: 1, maxLength: 8 }), fc.nat(), (keys, place) => {
        const index = place % keys.length;
        const parsed = parseKeys([...keys, keys[index]].join(','));
        expect('faults' in parsed && parsed.faults).toEqual([
          `has the same key at positions ${index + 1} and ${keys.length + 1}; take one of them out`,
        ]);
      }),
    );
  });
});

describe('webhook paths', () => {
  test.each(['/webhooks/instantly', '/w', '/a-b/c_d/e.f/~g', '/metrics/instantly', '/..a/.well-known'])(
    '%s is taken',
    (path) => {
      expect(parseWebhookPath(path)).toEqual({ value: path });
    },
  );

  test.each([
    ['webhooks', 'must begin with "/"'],
    ['https://example.com/hook', 'must begin with "/"'],
    ['/', 'does not end in "/"'],
    ['/hook/', 'does not end in "/"'],
    ['/hook?key=1', 'must hold only letters'],
    ['/hook#part', 'must hold only letters'],
    ['/:id', 'must hold only letters'],
    ['/*all', 'must hold only letters'],
    ['/a{/b}', 'must hold only letters'],
    ['/(a)', 'must hold only letters'],
    ['/a+', 'must hold only letters'],
    ['/a%2fb', 'must hold only letters'],
    ['/a b', 'must hold only letters'],
    ['/a\\b', 'must hold only letters'],
    ['//hook', 'must not hold "//"'],
    ['/a//b', 'must not hold "//"'],
    ['/a/../b', 'must not hold "//", "/." or "/.."'],
    ['/a/./b', 'must not hold "//", "/." or "/.."'],
    ['/a/..', 'must not hold "//", "/." or "/.."'],
    ['/healthz', 'must not be /healthz'],
    ['/READYZ', 'must not be /healthz, /readyz'],
    ['/metrics', 'must not be /healthz, /readyz, /metrics'],
  ])('%s is refused', (path, message) => {
    const parsed = parseWebhookPath(path);
    expect('faults' in parsed && parsed.faults[0]).toContain(message);
  });
});

describe('names', () => {
  test('of headers are lower-cased', () => {
    expect(parseHeaderName('X-Webhook-Secret')).toEqual({ value: 'x-webhook-secret' });
    expect(parseHeaderName('Authorization')).toEqual({ value: 'authorization' });
  });

  test.each(['x webhook', 'x-webhook:', 'x-schlüssel', '', 'a'.repeat(129), 'Content-Length', 'host', 'X-Request-Id'])(
    'the header %j is refused',
    (name) => {
      expect(resultOf(parseHeaderName(name))).toBe('refused');
    },
  );

  test.each(['0.0.0.0', '::', '::1', 'fe80::1%eth0', 'localhost', 'my-host.example'])(
    'the host %s is taken',
    (host) => {
      expect(parseHost(host)).toEqual({ value: host });
    },
  );

  test.each(['http://0.0.0.0', '[::]', 'a b', 'a/b', ''])('the host %j is refused', (host) => {
    expect(resultOf(parseHost(host))).toBe('refused');
  });
});

describe('SQLite URLs', () => {
  test.each([
    ['sqlite:data/receiver.db', '/srv/app/data/receiver.db'],
    ['sqlite:./x.db', '/srv/app/x.db'],
    ['sqlite:../x.db', '/srv/x.db'],
    ['sqlite:/var/lib/x.db', '/var/lib/x.db'],
    ['SQLite:x.db', '/srv/app/x.db'],
    ['sqlite:a b%20.db', '/srv/app/a b%20.db'],
  ])('%s is %s', (url, file) => {
    expect(parseSqliteUrl(url, '/srv/app')).toEqual({ value: file });
  });

  test.each([
    ['postgres://user:pw@host/db', 'must be written as sqlite:PATH'],
    ['mysql://host/db', 'must be written as sqlite:PATH'],
    ['data/receiver.db', 'must be written as sqlite:PATH'],
    ['sqlite://data/x.db', 'right after sqlite:'],
    ['sqlite:///data/x.db', 'right after sqlite:'],
    ['sqlite::memory:', 'events in memory'],
    ['sqlite:x.db?mode=ro', 'without "?"'],
    ['sqlite:x\u0000.db', 'control characters'],
    ['sqlite:', 'must name a file'],
    ['sqlite:data/', 'must name a file'],
    ['sqlite:.', 'must name a file'],
    ['sqlite:data/..', 'must name a file'],
  ])('%j is refused', (url, message) => {
    const parsed = parseSqliteUrl(url, '/srv/app');
    expect('faults' in parsed && parsed.faults[0]).toContain(message);
  });
});

describe('public URLs', () => {
  test.each([
    ['https://hooks.example.com', 'https://hooks.example.com'],
    ['https://hooks.example.com/', 'https://hooks.example.com'],
    ['https://example.com:8443/in/', 'https://example.com:8443/in'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['http://127.0.0.1', 'http://127.0.0.1'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
  ])('%s is %s', (url, value) => {
    expect(parseHttpsUrl(url)).toEqual({ value });
  });

  test.each([
    ['http://hooks.example.com', 'must be a whole https:// address'],
    ['http://localhost.example.com', 'must be a whole https:// address'],
    ['ftp://localhost', 'must be a whole https:// address'],
    ['hooks.example.com', 'must be a whole https:// address'],
    ['https://', 'must be a whole https:// address'],
    ['https://user:pw@example.com', 'must not hold a user name or password'],
    ['https://example.com/?a=1', 'must not hold "?" or "#"'],
    ['https://example.com/#', 'must not hold "?" or "#"'],
  ])('%s is refused', (url, message) => {
    const parsed = parseHttpsUrl(url);
    expect('faults' in parsed && parsed.faults[0]).toContain(message);
  });
});

describe('networks', () => {
  const has = (text: string, address: string): boolean | 'refused' => {
    const networks = resultOf(parseNetworks(text));
    return networks === 'refused' ? networks : networks.has(address);
  };

  test.each([
    ['loopback', '127.0.0.1', true],
    ['loopback', '127.8.9.1', true],
    ['loopback', '::1', true],
    ['loopback', '10.0.0.1', false],
    ['loopback', '::2', false],
    ['loopback', '', false],
    ['loopback', 'localhost', false],
    ['Loopback, private', '172.31.255.255', true],
    ['private', '172.32.0.0', false],
    ['private', 'fd00::1', true],
    ['private', '127.0.0.1', false],
    ['10.1.0.0/16', '10.1.255.1', true],
    ['10.1.0.0/16', '10.2.0.0', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['all', '203.0.113.1', true],
    ['all', '2001:db8::1', true],
  ])('%j and %j: %j', (text, address, expected) => {
    expect(has(text, address)).toBe(expected);
  });

  test.each([
    '',
    ',',
    'loopback,',
    'local',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0/8',
    'example.com',
  ])('%j is refused', (text) => expect(has(text, '10.0.0.1')).toBe('refused'));
});

describe('a duration', () => {
  const parse = (text: string) => parseDuration(text, 60_000, 10 * 86_400_000);

  test.each<[string, number | undefined]>([
    ['off', undefined],
    ['OFF', undefined],
    ['60s', 60_000],
    ['90m', 5_400_000],
    ['24h', 86_400_000],
    ['24 H', 86_400_000],
    ['10d', 864_000_000],
  ])('%s', (text, value) => {
    expect(parse(text)).toEqual({ value });
  });

  test.each(['', '0', '24', '59s', '11d', '-1h', '1.5h', '1w', 'h', '1hh', '9'.repeat(20), 'constructor', '1 day'])(
    '"%s" is refused, with its form and its bounds',
    (text) => {
      expect(parse(text)).toEqual({
        faults: ['must be off, or a duration such as 90m, 24h or 7d, from 1m to 10d'],
      });
    },
  );
});
