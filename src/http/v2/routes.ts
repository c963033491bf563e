import type { BerthRequest } from '../request.ts';
import type { Route } from '../route.ts';
import * as blobs from './blobs.ts';
import type { V2Context } from './context.ts';
import * as lists from './lists.ts';
import * as manifests from './manifests.ts';
import type { Outcome } from './outcome.ts';

export type V2Handler = (registry: V2Context, request: BerthRequest) => Promise<Outcome>;

const version: V2Handler = async () => ({ kind: 'version' });

/**
 * The distribution protocol, whole: OCI Distribution 1.1 "Endpoints" (end-1 to end-13) and Docker Registry v2's catalog and
 * upload cancel. A repository name may hold slashes and words such as `manifests`; the last such word counts.
 */
export const V2_ROUTES: readonly Route<V2Handler>[] = [
  { method: 'GET', path: '/v2', access: 'read', handler: version },
  { method: 'HEAD', path: '/v2', access: 'read', handler: version },
  { method: 'GET', path: '/v2/', access: 'read', handler: version },
  { method: 'HEAD', path: '/v2/', access: 'read', handler: version },
  { method: 'GET', path: '/v2/_catalog', access: 'read', target: 'catalog', handler: lists.showCatalog },

  { method: 'GET', path: '/v2/:name{.+}/manifests/:reference', access: 'read', handler: manifests.pullManifest },
  { method: 'HEAD', path: '/v2/:name{.+}/manifests/:reference', access: 'read', handler: manifests.headManifest },
  { method: 'PUT', path: '/v2/:name{.+}/manifests/:reference', access: 'write', handler: manifests.pushManifest },
  { method: 'DELETE', path: '/v2/:name{.+}/manifests/:reference', access: 'delete', handler: manifests.removeManifest },

  { method: 'POST', path: '/v2/:name{.+}/blobs/uploads/', access: 'write', handler: blobs.beginUpload },
  { method: 'POST', path: '/v2/:name{.+}/blobs/uploads', access: 'write', handler: blobs.beginUpload },
  { method: 'GET', path: '/v2/:name{.+}/blobs/uploads/:upload', access: 'write', handler: blobs.showUpload },
  { method: 'PATCH', path: '/v2/:name{.+}/blobs/uploads/:upload', access: 'write', handler: blobs.pushChunk },
  { method: 'PUT', path: '/v2/:name{.+}/blobs/uploads/:upload', access: 'write', handler: blobs.finishUpload },
  { method: 'DELETE', path: '/v2/:name{.+}/blobs/uploads/:upload', access: 'write', handler: blobs.stopUpload },

  { method: 'GET', path: '/v2/:name{.+}/blobs/:digest', access: 'read', handler: blobs.pullBlob },
  { method: 'HEAD', path: '/v2/:name{.+}/blobs/:digest', access: 'read', handler: blobs.headBlob },
  { method: 'DELETE', path: '/v2/:name{.+}/blobs/:digest', access: 'delete', handler: blobs.removeBlob },

  { method: 'GET', path: '/v2/:name{.+}/tags/list', access: 'read', handler: lists.showTags },
  { method: 'GET', path: '/v2/:name{.+}/referrers/:digest', access: 'read', handler: lists.showReferrers },
  { method: 'GET', path: '/v2/:name{.+}/_oci/tag-history/:tag', access: 'read', handler: lists.showTagHistory },
];
