import { expect, test } from '@jest/globals';
import express from 'express';
import helmet from 'helmet';
import request from 'supertest';
import { setSecurityHeaders } from '../../src/http/security-headers.ts';

test('answers carry exactly what helmet would have set', async () => {
  const headersWith = async (handler: express.RequestHandler) => {
    const app = express().disable('x-powered-by').disable('etag');
    app.use(handler, (_request, response) => {
      response.end('x');
    });
    const { date: _date, ...headers } = (await request(app).get('/')).headers;
    return headers;
  };
  const ours = await headersWith((_request, response, next) => {
    setSecurityHeaders(response);
    next();
  });
  expect(ours).toEqual(await headersWith(helmet()));
  expect(ours).toHaveProperty('content-security-policy');
});
