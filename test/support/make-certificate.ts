import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export interface Certificate {
  /** PEM, both. */
  readonly cert: string;
  readonly key: string;
}

/** Tags of DER. Source: ITU-T X.690. */
const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_ID = 0x06;
const UTF8 = 0x0c;
const GENERALIZED_TIME = 0x18;
const BOOLEAN = 0x01;

/** As bytes. ecdsa-with-SHA256, commonName, subjectAltName, basicConstraints. */
const IDS = {
  signature: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  name: [0x55, 0x04, 0x03],
  altName: [0x55, 0x1d, 0x11],
  constraints: [0x55, 0x1d, 0x13],
} as const;

function der(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array)));
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function time(at: number): Buffer {
  const text = new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '');
  return der(GENERALIZED_TIME, Buffer.from(text, 'latin1'));
}

/** For `localhost`, signed by itself, so that whoever is given it as an authority trusts it. X.509, RFC 5280. */
export function makeCertificate(validFor: number): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(SEQUENCE, der(OBJECT_ID, IDS.signature));
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, der(OBJECT_ID, IDS.name), der(UTF8, Buffer.from('localhost')))));
  const extension = (id: readonly number[], value: Buffer): Buffer =>
    der(SEQUENCE, der(OBJECT_ID, id), der(OCTET_STRING, value));
  const now = Date.now();
  const body = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, [2])),
    der(INTEGER, [1, ...randomBytes(8)]),
    algorithm,
    name,
    der(SEQUENCE, time(Math.min(now, now + validFor) - 86_400_000), time(now + validFor)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      der(
        SEQUENCE,
        extension(IDS.altName, der(SEQUENCE, der(0x82, Buffer.from('localhost')))),
        extension(IDS.constraints, der(SEQUENCE, der(BOOLEAN, [0xff]))),
      ),
    ),
  );
  const signature = sign('sha256', body, privateKey);
  const whole = der(SEQUENCE, body, algorithm, der(BIT_STRING, [0], signature));
  const lines = whole.toString('base64').replace(/.{64}/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}
