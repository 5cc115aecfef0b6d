import { describe, expect, test } from '@jest/globals';
import { CATALOGUE } from '../../src/config/catalogue.ts';
import { environmentOf, service, services, withRole } from './compose-file.ts';
import { bytesOf, read, servedPaths } from './deploy-files.ts';

const text = read('deploy/caddy/Caddyfile')
  .split('\n')
  .map((line) => line.replace(/^\s*#.*/, '').trim())
  .filter((line) => line !== '')
  .join('\n');

const proxies = services.filter(([, { image }]) => image.startsWith('caddy:'));

/** The variables that the file reads, each with its default. */
const variables = new Map([...text.matchAll(/\{\$(\w+):([^}]*)\}/g)].map(([, name, value]) => [name, value ?? '']));

/** The lines of a snippet, with those of the snippets it imports. */
function snippet(name: string): string[] {
  const body = text.split(`\n(${name}) {\n`)[1]?.split(/\n\}\n/)[0];
  if (body === undefined) throw new Error(`the Caddyfile has no snippet ${name}`);
  return body.split('\n').flatMap((line) => {
    const imported = /^import (\S+)$/.exec(line)?.[1];
    return imported === undefined ? [line] : snippet(imported);
  });
}

const upstreams = (lines: readonly string[]) =>
  lines.flatMap((line) => /^reverse_proxy (.*) \{$/.exec(line)?.[1]?.split(' ') ?? []);

const seconds = (lines: readonly string[], name: string) =>
  Number(new RegExp(`^${name} (\\d+)s$`, 'm').exec(lines.join('\n'))?.[1]);

describe('the proxy', () => {
  test('stands before the receivers in two services, each with every variable that its file reads', () => {
    expect(proxies.map(([name]) => name).toSorted()).toEqual(['caddy', 'load-balancer']);
    for (const [, proxy] of proxies) {
      expect(Object.keys(proxy.environment ?? {}).toSorted()).toEqual([...variables.keys()].toSorted());
      expect(proxy.volumes).toContain('./deploy/caddy/Caddyfile:/etc/caddy/Caddyfile:ro');
    }
  });

  test.each([
    ['1', 'all'],
    ['0', 'receiver'],
  ])('SINGLE_RECEIVER=%s: leads to what takes webhooks then', (single, role) => {
    const expected = withRole(role).map((name) => `${name}:${service(name).environment?.['PORT']}`);
    expect(expected.length).toBeGreaterThan(0);
    expect(upstreams(snippet(`single-${single}`))).toEqual(expected);
  });

  test('takes its choice from the variable that decides whether the single receiver starts', () => {
    expect(text).toContain('import single-{$SINGLE_RECEIVER:1}');
    const caddy = service('caddy');
    expect(environmentOf(caddy)).toMatchObject({ SINGLE_RECEIVER: '1', DOMAIN: 'localhost' });
    expect(environmentOf(caddy, { SINGLE_RECEIVER: '0' })).toMatchObject({ SINGLE_RECEIVER: '0' });
    expect(variables.get('SINGLE_RECEIVER')).toBe(environmentOf(caddy)['SINGLE_RECEIVER']);
  });

  test('as the load balancer leads to the replicas always, without TLS, on the port that is published', () => {
    const balancer = service('load-balancer');
    const { SINGLE_RECEIVER, DOMAIN } = environmentOf(balancer, { SINGLE_RECEIVER: '1', DOMAIN: 'hooks.example.org' });
    expect(SINGLE_RECEIVER).toBe('0');
    expect(balancer.ports?.map((port) => `http://:${port.split(':').at(-1)}`)).toEqual([DOMAIN]);
  });

  test('asks each of several receivers whether it is ready, by a path that is served', () => {
    const path = /^health_uri (\S+)$/m.exec(snippet('single-0').join('\n'))?.[1];
    expect(path).toBe('/readyz');
    expect(servedPaths()).toContain(path);
    expect(seconds(snippet('single-0'), 'health_interval')).toBeLessThanOrEqual(5);
    expect(seconds(snippet('single-0'), 'health_timeout')).toBeLessThan(5);
  });

  test.each(['single-1', 'single-0'])('%s: a request is sent again only where no connection could be made', (name) => {
    const lines = snippet(name);
    // The time in which a receiver is started anew.
    expect(seconds(lines, 'lb_try_duration')).toBe(10);
    expect(seconds(lines, 'response_header_timeout')).toBeGreaterThan(
      Number(CATALOGUE.REQUEST_TIMEOUT_SECONDS.default),
    );
    expect(text).not.toMatch(/lb_retry_match|lb_retries/);
  });

  test('after a request to one that is gone, the next try is at another', () => {
    expect(snippet('single-0')).toContain('lb_policy round_robin');
  });

  test("draws no conclusion from a stranger's request, and believes no X-Forwarded-For", () => {
    expect(text).not.toMatch(/fail_duration|max_fails|unhealthy_|trusted_proxies|header_up/);
  });

  test('lets through what the receiver takes, so that the receiver is the one to refuse', () => {
    const limit = variables.get('PROXY_BODY_LIMIT') ?? '';
    for (const [, proxy] of proxies) expect(environmentOf(proxy)['PROXY_BODY_LIMIT']).toBe(limit);
    expect(bytesOf(limit)).toBeGreaterThan(bytesOf(CATALOGUE.BODY_LIMIT.default));
    expect(text).toContain('@webhooks path /webhooks/*');
    expect(CATALOGUE.WEBHOOK_PATH.default).toMatch(/^\/webhooks\//);
  });
});
