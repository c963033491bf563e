import type { Digest } from '../../oci/digest.ts';
import { MEDIA } from '../../oci/media-types.ts';
import { referenceText } from '../../oci/names.ts';
import type { Upload } from '../../registry/uploads.ts';
import type { Outcome } from './outcome.ts';

/** Turns outcomes into responses: OCI Distribution 1.1 "API", and the headers that Docker Registry v2 adds. */
export function renderOutcome(outcome: Outcome): Response {
  switch (outcome.kind) {
    case 'version':
      return json({}, 200);
    case 'manifest': {
      const { manifest, head, stale } = outcome;
      const response = new Response(head ? null : (manifest.content as Uint8Array<ArrayBuffer>), {
        status: 200,
        headers: {
          ...API_VERSION,
          'Content-Type': manifest.mediaType,
          'Content-Length': String(manifest.content.byteLength),
          'Docker-Content-Digest': manifest.digest,
          ETag: `"${manifest.digest}"`,
        },
      });
      if (stale !== undefined) warn(response, stale);
      return response;
    }
    case 'not-modified':
      return new Response(null, { status: 304, headers: { ...API_VERSION, ...contentHeaders(outcome.digest) } });
    case 'manifest-put':
      return new Response(null, {
        status: 201,
        headers: {
          ...API_VERSION,
          Location: `/v2/${outcome.name}/manifests/${referenceText(outcome.reference)}`,
          'Docker-Content-Digest': outcome.digest,
          ...(outcome.subject === undefined ? {} : { 'OCI-Subject': outcome.subject }),
        },
      });
    case 'blob':
      return blob(outcome);
    case 'blob-stream':
      return blobStream(outcome);
    case 'blob-size':
      return new Response(null, {
        status: 200,
        headers: {
          ...blobHeaders(outcome.digest),
          ...(outcome.size === undefined ? {} : { 'Content-Length': String(outcome.size) }),
        },
      });
    case 'blob-put':
      return new Response(null, {
        status: 201,
        headers: {
          ...API_VERSION,
          Location: `/v2/${outcome.name}/blobs/${outcome.digest}`,
          'Docker-Content-Digest': outcome.digest,
        },
      });
    case 'upload-accepted':
      return new Response(null, { status: 202, headers: uploadHeaders(outcome) });
    case 'upload-status':
      return new Response(null, { status: 204, headers: uploadHeaders(outcome) });
    case 'upload-cancelled':
      return new Response(null, { status: 204, headers: API_VERSION });
    case 'deleted':
      return new Response(null, { status: 202, headers: API_VERSION });
    case 'tags':
      return json({ name: outcome.name, tags: outcome.tags }, 200, link(outcome.next));
    case 'catalog':
      return json({ repositories: outcome.repositories }, 200, link(outcome.next));
    case 'referrers':
      return json({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: outcome.referrers }, 200, {
        'Content-Type': MEDIA.ociIndex,
        ...(outcome.filtered ? { 'OCI-Filters-Applied': 'artifactType' } : {}),
        ...link(outcome.next),
      });
    case 'tag-history':
      return json(
        {
          name: outcome.name,
          tag: outcome.tag,
          history: outcome.entries.map((entry) => ({
            digest: entry.digest,
            timestamp: new Date(entry.at).toISOString(),
            action: entry.action,
            previous: entry.previous,
            actor: entry.actor,
          })),
        },
        200,
        link(outcome.next),
      );
  }
}

const API_VERSION = { 'Docker-Distribution-API-Version': 'registry/2.0' };

function blob({ digest, blob, range }: Extract<Outcome, { kind: 'blob' }>): Response {
  if (blob.kind === 'redirect') {
    return new Response(null, {
      status: 307,
      headers: { ...API_VERSION, Location: blob.url, 'Docker-Content-Digest': digest },
    });
  }
  if (range === undefined) return new Response(blob.bytes, { status: 200, headers: blobHeaders(digest) });
  return new Response(blob.bytes.slice(range.start, range.end + 1), {
    status: 206,
    headers: { ...blobHeaders(digest), 'Content-Range': `bytes ${range.start}-${range.end}/${blob.size}` },
  });
}

/** Without `Content-Length`: only the end of the chunks says that the bytes are whole and right. */
function blobStream({ digest, size, bytes, range }: Extract<Outcome, { kind: 'blob-stream' }>): Response {
  if (range === undefined) return new Response(bytes, { status: 200, headers: blobHeaders(digest) });
  return new Response(bytes, {
    status: 206,
    headers: { ...blobHeaders(digest), 'Content-Range': `bytes ${range.start}-${range.end}/${size}` },
  });
}

/** 110 for caches (RFC 7234 §5.5.1), 299 for people: clients show that one (OCI Distribution 1.1 "Warnings"). */
function warn(response: Response, text: string): void {
  response.headers.append('Warning', '110 - "Response is Stale"');
  const plain = text.replace(/[^\x20-\x7e]/g, ' ').replace(/["\\]/g, "'");
  response.headers.append('Warning', `299 - "${plain.slice(0, 300)}"`);
}

function blobHeaders(digest: Digest): Record<string, string> {
  return {
    ...API_VERSION,
    ...contentHeaders(digest),
    'Content-Type': MEDIA.octets,
    'Accept-Ranges': 'bytes',
    // A digest names the same bytes for ever.
    'Cache-Control': 'private, max-age=31536000, immutable',
  };
}

function contentHeaders(digest: Digest): Record<string, string> {
  return { 'Docker-Content-Digest': digest, ETag: `"${digest}"` };
}

/** `Range` is inclusive, so an upload without bytes says `0-0`, as Docker's registry does. */
function uploadHeaders({ name, upload }: { name: string; upload: Upload }): Record<string, string> {
  return {
    ...API_VERSION,
    Location: `/v2/${name}/blobs/uploads/${upload.id}`,
    Range: `0-${Math.max(0, upload.size - 1)}`,
    'Docker-Upload-UUID': upload.id,
  };
}

function link(next: string | undefined): Record<string, string> {
  return next === undefined ? {} : { Link: `<${next}>; rel="next"` };
}

function json(body: unknown, status: number, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...API_VERSION, 'Content-Type': 'application/json', ...headers },
  });
}
