import { expect, test } from '@jest/globals';
import { faultsOf, load, makeFolder, writeIn } from './config-support.ts';

const LOGIN = ['user', 'secret-word'].join(':');
const KEYED = { INSTANTLY_READ_KEY: 'a-key-for-reading-0001' };

test.each([
  [{ HTTPS_PROXY: 'http://proxy.example.com:3128' }, 'http://proxy.example.com:3128'],
  [{ https_proxy: 'proxy.example.com:3128' }, 'http://proxy.example.com:3128'],
  [{ HTTPS_PROXY: `https://${LOGIN}@proxy.example.com` }, 'https://proxy.example.com'],
  [{ HTTPS_PROXY: `${LOGIN}@10.0.0.1:8080` }, 'http://10.0.0.1:8080'],
])('%j is the proxy for calls to Instantly, shown without what it is secret by', (env, location) => {
  const { proxy } = load({ ...env, no_proxy: 'localhost,.example.org' }).instantly;
  expect(proxy).toMatchObject({ location, except: 'localhost,.example.org' });
  expect(proxy?.url.reveal()).toContain(location.replace(/^https?:\/\//, ''));
  expect(JSON.stringify(proxy)).not.toContain('secret-word');
});

test('comes from .env as well, where the environment is silent', () => {
  const cwd = makeFolder();
  writeIn(cwd, '.env', 'HTTPS_PROXY=http://of-the-file:3128\n');
  expect(load({}, cwd).instantly.proxy?.location).toBe('http://of-the-file:3128');
  expect(load({ https_proxy: 'http://of-the-shell:3128' }, cwd).instantly.proxy?.location).toBe(
    'http://of-the-shell:3128',
  );
});

test('is not used for an API on this machine', () => {
  const env = { HTTPS_PROXY: 'http://proxy.example.com:3128', INSTANTLY_API_URL: 'http://127.0.0.1:3100' };
  expect(load(env).instantly.proxy).toBeUndefined();
});

test.each(['socks5://127.0.0.1:1080', 'http://', 'http://a b'])(
  '%s is a fault where a key is set, and is passed over where nothing would go through it',
  (proxy) => {
    const fault = 'HTTPS_PROXY must be the http:// or https:// address of a proxy, or unset';
    expect(faultsOf({ ...KEYED, HTTPS_PROXY: proxy })).toEqual([fault]);
    expect(load({ HTTPS_PROXY: proxy }).instantly.proxy).toBeUndefined();
  },
);

test('the workspace that an agency acts on travels as a header, so it holds nothing else', () => {
  const id = '0f9c2f0e-7a51-4a3e-9c55-3b8f6d1e2a90';
  expect(load({ INSTANTLY_AS_WORKSPACE: id }).instantly.asWorkspace).toBe(id);
  expect(faultsOf({ INSTANTLY_AS_WORKSPACE: 'a\r\nb: c' })).toEqual([
    "INSTANTLY_AS_WORKSPACE must be a workspace's id, as Instantly shows it",
  ]);
});
