import { describe, expect, test } from '@jest/globals';
import { StoreUnavailable } from '../../src/errors/problem.ts';
import { findLastingFault } from '../../src/stores/postgres/lasting-fault.ts';
import { toStartFault, toUnavailable } from '../../src/stores/postgres/pg-error.ts';

const fault = (code: string, message = 'a fault') => Object.assign(new Error(message), { code });

describe('waiting', () => {
  test.each(['57P03', '57P01', '53300', '53100', '08006', '40001', '25006', '55P03', '55000'])(
    'may help with SQLSTATE %s',
    (code) => expect(toUnavailable(fault(code)).lasting).toBeUndefined(),
  );
  test.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'EAI_AGAIN',
    'ENOTFOUND',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'CERT_NOT_YET_VALID',
  ])('may help with %s', (code) => expect(toStartFault(fault(code))).toBeInstanceOf(StoreUnavailable));
  test.each([
    '28P01',
    '28000',
    '3D000',
    '42501',
    '3F000',
    '42P01',
    '42703',
    '42P07',
    '26000',
    '42P05',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'CERT_HAS_EXPIRED',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'EPROTO',
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
  ])('does not help with %s', (code) => {
    expect(toStartFault(fault(code))).toMatchObject({ name: 'SettingsError' });
  });
  test.each([
    'The server does not support SSL connections',
    'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string',
    'unsupported startup parameter: statement_timeout',
  ])('does not help with "%s"', (message) => expect(findLastingFault(new Error(message))).toBeDefined());
});
