// One row for each route: the table that the matrix is made from.
import { PAGE_ROUTES } from '../../src/http/page.ts';
import { digestOf, mediaTypes } from '../support/registry.ts';
import { API_ROWS } from './api-rows.ts';
import { isPlace } from './expected.ts';
import { IMAGE_ROWS } from './image-rows.ts';
import { MIRROR_ROWS } from './mirror-rows.ts';
import { LOOSE_BLOB } from './people.ts';
import { RETENTION_ROWS } from './retention-rows.ts';
import { type Call, found, type Row, read } from './row.ts';
import { STACK_ROWS } from './stack-rows.ts';
import { UPSTREAM_ROWS } from './upstream-rows.ts';
import { WEBHOOK_ROWS } from './webhook-rows.ts';

const upload = async ({ town, target, allowed }: Call): Promise<Record<string, string>> => {
  const made = allowed && isPlace(target) && target !== 'missing' ? await town.startUpload(target) : undefined;
  return made === undefined ? {} : { upload: made };
};

export const ROWS: Readonly<Record<string, Row>> = {
  'GET /v2': read(200),
  'HEAD /v2': read(200),
  'GET /v2/': read(200),
  'HEAD /v2/': read(200),
  'GET /v2/_catalog': read(200),

  'GET /v2/:name{.+}/manifests/:reference': read(),
  'HEAD /v2/:name{.+}/manifests/:reference': read(),
  'PUT /v2/:name{.+}/manifests/:reference': {
    asks: 'write',
    ok: found(201),
    send: ({ town, target }) => ({
      params: { reference: 'another' },
      headers: { 'Content-Type': mediaTypes.ociManifest },
      body: town.image(isPlace(target) ? target : 'open').manifest,
    }),
  },
  'DELETE /v2/:name{.+}/manifests/:reference': { asks: 'delete', ok: found(202) },

  'POST /v2/:name{.+}/blobs/uploads/': { asks: 'write', ok: 202 },
  'POST /v2/:name{.+}/blobs/uploads': { asks: 'write', ok: 202 },
  'GET /v2/:name{.+}/blobs/uploads/:upload': { asks: 'write', ok: found(204) },
  'PATCH /v2/:name{.+}/blobs/uploads/:upload': {
    asks: 'write',
    ok: found(202),
    send: async (call) => ({ params: await upload(call), body: 'more' }),
  },
  'PUT /v2/:name{.+}/blobs/uploads/:upload': {
    asks: 'write',
    ok: found(201),
    send: async (call) => ({
      params: await upload(call),
      query: `digest=${digestOf('a whole blob')}`,
      body: 'a whole blob',
    }),
  },
  'DELETE /v2/:name{.+}/blobs/uploads/:upload': {
    asks: 'write',
    ok: found(204),
    send: async (call) => ({ params: await upload(call) }),
  },

  'GET /v2/:name{.+}/blobs/:digest': read(),
  'HEAD /v2/:name{.+}/blobs/:digest': read(),
  'DELETE /v2/:name{.+}/blobs/:digest': {
    asks: 'delete',
    ok: found(202),
    send: () => ({ params: { digest: digestOf(LOOSE_BLOB) } }),
  },

  'GET /v2/:name{.+}/tags/list': read(),
  // The specification has an empty list for what is not there; who may not read gets 404 all the same.
  'GET /v2/:name{.+}/referrers/:digest': read(200),
  'GET /v2/:name{.+}/_oci/tag-history/:tag': read(),

  'GET /auth/token': { asks: 'token', ok: 200 },
  'POST /auth/token': {
    asks: 'token',
    ok: 200,
    send: ({ town, person }) => {
      const { username = '', secret = '' } = town.login(person);
      return { form: { grant_type: 'password', username, password: secret, access_type: 'offline', client_id: 'me' } };
    },
    // Its token is what it is to keep; others get one of the log-in.
    idle: ({ person }) => person === 'agent',
  },

  ...Object.fromEntries(
    PAGE_ROUTES.filter(({ path }) => !path.startsWith('/assets/')).map(({ method, path }): [string, Row] => [
      `${method} ${path}`,
      { asks: 'open', ok: 200 },
    ]),
  ),
  'GET /assets/:file': { asks: 'open', ok: 404 },

  'GET /livez': { asks: 'open', ok: 200 },
  'GET /readyz': { asks: 'open', ok: 200 },
  'GET /metrics': { asks: 'open', ok: 200 },

  ...API_ROWS,
  ...IMAGE_ROWS,
  ...RETENTION_ROWS,
  ...STACK_ROWS,
  ...WEBHOOK_ROWS,
  ...UPSTREAM_ROWS,
  ...MIRROR_ROWS,
};
