/**
 * What a backup has of the database, table by table. A table that is in neither list is carried: nothing is lost because somebody forgot
 * it here; a test then fails until somebody has decided.
 */
export const CARRIED = [
  'access_tokens',
  'acme_accounts',
  'acme_certificates',
  'audit_log',
  'blobs',
  'cache_repositories',
  'cache_tags',
  'caches',
  'config_versions',
  'deployments',
  'environment_triggers',
  'environments',
  'events',
  'garbage_runs',
  'grants',
  'instance_keys',
  'invitations',
  'known_addresses',
  'manifest_references',
  'manifests',
  'mirrors',
  'namespace_content',
  'namespaces',
  'organization_members',
  'quota_shares',
  'quotas',
  'release_images',
  'release_revocations',
  'releases',
  'repositories',
  'repository_aliases',
  'repository_blobs',
  'retention_policies',
  'retention_removals',
  'robots',
  'stack_files',
  'stack_services',
  'stacks',
  'tag_history',
  'tags',
  'target_deployments',
  'target_images',
  'targets',
  'team_members',
  'teams',
  'two_factors',
  'upstreams',
  'user_logins',
  'users',
  'webhook_attempts',
  'webhook_deliveries',
  'webhooks',
] as const;

/** And why not. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  backup_runs: 'backups of the instance that this is one of; the one that it becomes has none yet',
  cache_fetches: 'what is being fetched at this moment',
  cache_pauses: 'when an upstream may be asked again; another machine may ask at once',
  leases: 'who does something at this moment',
  uploads: 'what was not pushed to its end; its bytes are in no backup either',
  sessions: 'log-ins on the page: people log in again, and a backup lets nobody in',
  verifications: 'log-ins on the page that are under way',
  login_failures: 'limits of the last minutes',
  acme_challenges: 'answers to an authority that asks now',
  acme_failures: 'when an authority may be asked again; another machine may ask at once',
  schema_version: 'the manifest of the backup says it',
};

/** Tables that a dump begins with, so that who needs them alone need not read on. */
export const FIRST = ['blobs'];

/** Of a table that is not carried whole: what is. */
export const CONDITIONS: Readonly<Record<string, string>> = {
  // Others are being pushed, or removed: no repository has them.
  blobs: "state = 'stored'",
};
