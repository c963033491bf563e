/**
 * What OCI Distribution 1.1 (spec.md) asks of a registry, read from top to bottom: every MUST, MUST NOT, SHOULD and
 * SHOULD NOT that binds the registry, and each MAY that Berth claims. What binds clients alone is left out.
 *
 * A row is [section, level, requirement]. The tests are named by it (`spec('id', …)` in the files beside this one), and
 * requirements.test.ts holds that every row has a test.
 */
export const requirements = {
  // Conformance
  'workflow-pull': ['Requirements', 'MUST', 'all of the Pull category is served'],
  'workflow-all': ['Requirements', 'SHOULD', 'Push, Content Discovery and Content Management are served too'],

  // Pull
  'name-grammar': ['Pulling manifests', 'MUST', '<name> matches the grammar; any other is refused'],
  'reference-form': ['Pulling manifests', 'MUST NOT', '<reference> is a digest or a tag and has no other form'],
  'tag-grammar': ['Pulling manifests', 'MUST', 'a tag has at most 128 characters and matches the grammar'],
  'manifest-type-no-parameters': ['Pulling manifests', 'SHOULD NOT', 'Content-Type carries no parameters'],
  'manifest-type-as-pushed': ['Pulling manifests', 'SHOULD', 'Content-Type is what was pushed'],
  'manifest-get': ['Pulling manifests', 'MUST', 'GET of an existing manifest gives it with 200'],
  'manifest-digest-header': ['Pulling manifests', 'SHOULD', 'Docker-Content-Digest names the manifest'],
  'manifest-get-unknown': ['Pulling manifests', 'MUST', 'an unknown manifest is 404'],
  'blob-get': ['Pulling blobs', 'MUST', 'GET of an existing blob gives it with 200'],
  'blob-digest-header': ['Pulling blobs', 'SHOULD', 'Docker-Content-Digest names the blob'],
  'blob-digest-header-true': ['Pulling blobs', 'MUST', 'Docker-Content-Digest matches the body'],
  'blob-get-unknown': ['Pulling blobs', 'MUST', 'a blob that is not in the repository is 404'],
  'blob-range': ['Pulling blobs', 'SHOULD', 'Range is honoured as RFC 9110 has it'],
  'head-existing': ['Checking if content exists', 'MUST', 'HEAD of an existing blob or manifest is 200'],
  'head-digest': ['Checking if content exists', 'SHOULD', 'HEAD carries Docker-Content-Digest'],
  'head-length': ['Checking if content exists', 'SHOULD', 'HEAD carries the size in Content-Length'],
  'head-unknown': ['Checking if content exists', 'MUST', 'HEAD of an unknown blob or manifest is 404'],

  // Push
  'subject-missing': ['Push', 'MUST', 'a manifest whose subject is not there (yet) is accepted'],
  'manifest-missing-blob': [
    'Push',
    'MUST',
    'a manifest refused for a missing blob or manifest says MANIFEST_BLOB_UNKNOWN',
  ],
  'upload-start': ['POST then PUT', 'MUST', 'POST answers 202 with Location'],
  'upload-location-unique': ['POST then PUT', 'MUST', 'Location holds a UUID, another for every session'],
  'upload-location-relative': ['POST then PUT', 'MAY', 'Location is relative'],
  'upload-put': ['POST then PUT', 'MUST', 'PUT of the whole blob answers 201 with a pullable Location'],
  'upload-single-post': ['Single POST', 'MAY', 'a blob is pushed by one POST with ?digest='],
  'upload-single-post-created': ['Single POST', 'MUST', 'the POST answers 201 with a pullable Location'],
  'upload-length-match': ['Single POST', 'MUST', 'Content-Length matches the length of the blob'],
  'upload-digest-match': ['Single POST', 'MUST', '<digest> matches the digest of the blob'],
  'chunk-min-length': ['Pushing a blob in chunks', 'SHOULD', 'OCI-Chunk-Min-Length is sent if there is a minimum'],
  'chunk-accepted': ['Pushing a blob in chunks', 'MUST', 'a chunk answers 202 with Location and Range: 0-<end>'],
  'chunk-first-at-zero': ['Pushing a blob in chunks', 'MUST', 'the first chunk begins with 0'],
  'chunk-order': ['Pushing a blob in chunks', 'MUST', 'a chunk out of order is refused with 416'],
  'chunk-final': ['Pushing a blob in chunks', 'MAY', 'the final chunk comes by PATCH or in the closing PUT'],
  'chunk-close': ['Pushing a blob in chunks', 'MUST', 'the closing PUT answers 201 with a pullable Location'],
  'chunk-close-digest': ['Pushing a blob in chunks', 'MUST', 'the closing PUT names the digest of the whole blob'],
  'upload-status': ['Pushing a blob in chunks', 'MUST', 'GET of a session answers 204 with Location and Range'],
  'mount-created': ['Mounting a blob', 'MUST', 'a mount answers 201 with Location'],
  'mount-without-from': ['Mounting a blob', 'MAY', 'from is optional'],
  'mount-unable': ['Mounting a blob', 'SHOULD', 'a mount that cannot be done answers 202 and opens a session'],
  'manifest-ignore-parameters': ['Pushing Manifests', 'SHOULD', 'parameters on Content-Type are ignored'],
  'manifest-media-type': ['Pushing Manifests', 'MUST', 'Content-Type is the mediaType of the manifest'],
  'manifest-reference': ['Pushing Manifests', 'MUST', '<reference> is a digest or a tag'],
  'manifest-no-blobs': ['Pushing Manifests', 'MAY', 'the list of blobs is empty'],
  'manifest-bytes': ['Pushing Manifests', 'MUST', 'the exact bytes are stored'],
  'manifest-created': ['Pushing Manifests', 'MUST', 'PUT answers 201 with a pullable Location'],
  'manifest-put-digest': ['Pushing Manifests', 'MUST', 'Docker-Content-Digest equals the digest the client gave'],
  'repository-unknown': ['Pushing Manifests', 'MUST', 'a pull from an unknown repository is 404'],
  'manifest-limit': ['Pushing Manifests', 'SHOULD', 'the size of a manifest is limited'],
  'manifest-limit-status': ['Pushing Manifests', 'SHOULD', 'a manifest over the limit is 413'],
  'manifest-four-megabytes': ['Pushing Manifests', 'SHOULD', 'a manifest of 4 megabytes is accepted'],
  'subject-header': ['Pushing Manifests with Subject', 'MUST', 'OCI-Subject answers a manifest with a subject'],

  // Content Discovery
  'tags-found': ['Listing Tags', 'MUST', 'the tags of a repository are listed with 200'],
  'tags-empty': ['Listing Tags', 'MAY', 'the list is empty when there are no tags'],
  'tags-order': ['Listing Tags', 'MUST', 'tags are in lexical order'],
  'tags-body': ['Listing Tags', 'MUST', 'the body is {name, tags}'],
  'tags-n': ['Listing Tags', 'MUST', 'n gives n tags, or fewer with a Link or at the end'],
  'tags-link': ['Listing Tags', 'MUST', 'Link follows RFC 5988 with rel="next"'],
  'tags-n-zero': ['Listing Tags', 'MUST', 'n=0 gives an empty list'],
  'tags-n-zero-link': ['Listing Tags', 'MUST NOT', 'n=0 has a Link'],
  'tags-n-order': ['Listing Tags', 'MUST', 'a page begins at the beginning and is in order'],
  'tags-last': ['Listing Tags', 'MUST', 'last is a tag, and the tags after it follow in order'],
  'tags-last-alone': ['Listing Tags', 'OPTIONAL', 'n with last'],
  'referrers-found': ['Listing Referrers', 'MUST', 'referrers answers 200'],
  'referrers-never-404': ['Listing Referrers', 'MUST NOT', 'referrers answers 404'],
  'referrers-invalid': ['Listing Referrers', 'MUST', 'a digest with invalid syntax is 400'],
  'referrers-index': ['Listing Referrers', 'MUST', 'the body is an image index of descriptors'],
  'referrers-type': ['Listing Referrers', 'MUST', 'Content-Type is that of an image index'],
  'referrers-artifact-type': ['Listing Referrers', 'MUST', "artifactType is the manifest's or the index's own"],
  'referrers-config-type': ['Listing Referrers', 'MUST', "without one, artifactType is the config's media type"],
  'referrers-index-no-type': ['Listing Referrers', 'MUST', 'an index without artifactType is listed without'],
  'referrers-annotations': ['Listing Referrers', 'MUST', 'annotations are included'],
  'referrers-empty': ['Listing Referrers', 'MUST', 'no referrers give an empty list'],
  'referrers-link': ['Listing Referrers', 'MUST', 'a list that does not fit one answer has a Link'],
  'referrers-link-form': ['Listing Referrers', 'MUST', 'Link follows RFC 5988 with rel="next"'],
  'referrers-filter': ['Listing Referrers', 'SHOULD', 'artifactType filters'],
  'referrers-filter-header': ['Listing Referrers', 'MUST', 'an applied filter is named in OCI-Filters-Applied'],

  // Content Management
  'tag-delete': ['Deleting tags', 'MUST', 'a tag is deleted with 202'],
  'tag-delete-gone': ['Deleting tags', 'MUST', 'a deleted tag is 404'],
  'manifest-delete': ['Deleting Manifests', 'MUST', 'a manifest is deleted with 202'],
  'manifest-delete-unknown': ['Deleting Manifests', 'MUST', 'an unknown repository is 404'],
  'manifest-delete-gone': ['Deleting Manifests', 'MUST', 'a deleted manifest and the tags on it are 404'],
  'blob-delete': ['Deleting Blobs', 'MUST', 'a blob is deleted with 202'],
  'blob-delete-unknown': ['Deleting Blobs', 'MUST', 'an unknown blob is 404'],
  'delete-refused': ['Deleting Blobs', 'MUST', 'a deletion that is not allowed is 400 or 405'],

  // Upgrade Procedures
  'referrers-preexisting': [
    'Enabling the Referrers API',
    'MUST',
    'manifests listed under the referrers tag are included',
  ],
  'referrers-new': ['Enabling the Referrers API', 'MUST', 'every new manifest with a subject is included'],

  // API
  'support-ok': ['Determining Support', 'MUST', 'GET /v2/ answers 200'],
  endpoints: ['Endpoints', 'MUST', 'every endpoint answers with its success status'],
  'error-body': ['Error Codes', 'MUST', 'a JSON error body has the form {errors: [{code, message, detail}]}'],
  'error-code-form': ['Error Codes', 'MUST', 'code has upper-case letters and underscores alone'],
  'error-code-table': ['Error Codes', 'MUST', 'code is one of the table'],
  'error-message': ['Error Codes', 'SHOULD', 'message is a human readable string'],
  warnings: ['Warnings', 'MUST', 'Warning is 299 - without a date, 4096 bytes at most'],
} as const satisfies Record<string, readonly [section: string, level: Level, requirement: string]>;

type Level = 'MUST' | 'MUST NOT' | 'SHOULD' | 'SHOULD NOT' | 'MAY' | 'OPTIONAL';

export type RequirementId = keyof typeof requirements;
