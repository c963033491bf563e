import { z } from 'zod';
import { environmentStatus as environmentStatusInfo } from '../../api/deployments.ts';
import {
  type ConfigInfo,
  configChangeBody,
  configInfo,
  type EnvironmentInfo,
  environmentChangeBody,
  environmentInfo,
  environmentList,
  holdBody,
  newEnvironmentBody,
} from '../../api/stacks.ts';
import { deployConfig } from '../../releases/deploy.ts';
import { environmentStatus } from '../../releases/deployments.ts';
import {
  changeEnvironment,
  createEnvironment,
  deleteEnvironment,
  describeEnvironment,
  type Environment,
  getEnvironment,
  holdEnvironment,
  listEnvironments,
  resumeEnvironment,
} from '../../releases/environments.ts';
import { findEnvironment, findStack, stackName } from '../../releases/find.ts';
import { targetsOf } from '../../releases/targets.ts';
import { type ConfigVersion, changeConfig, getConfig, listConfigVersions } from '../../releases/variables.ts';
import { deploymentInfoOf } from './deployments.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull } from './route.ts';
import { placeOf } from './stacks.ts';
import { targetInfoOf } from './targets.ts';

export const ENVIRONMENT_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments',
    access: 'read',
    summary: 'The environments of a stack, in their order',
    chapter: 'environments',
    answer: environmentList,
    async handler({ releases }, request) {
      const { namespace, stack } = placeOf(request);
      return { environments: (await listEnvironments(releases, namespace, stack)).map(environmentInfoOf) };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments',
    access: 'admin',
    summary: 'Make an environment, behind those that the stack has',
    chapter: 'environments',
    body: newEnvironmentBody,
    answer: environmentInfo,
    status: 201,
    async handler({ releases }, request, { body }) {
      const { namespace, stack } = placeOf(request);
      return environmentInfoOf(await createEnvironment(releases, namespace, stack, body, request.actor));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment',
    access: 'read',
    summary: 'An environment',
    chapter: 'environments',
    answer: environmentInfo,
    async handler({ releases }, request) {
      const { namespace, stack, environment } = placeOf(request);
      return environmentInfoOf(await getEnvironment(releases, namespace, stack, environment));
    },
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment',
    access: 'admin',
    summary: 'Change what an environment tracks, its protection, its place in the order',
    chapter: 'environments',
    body: environmentChangeBody,
    answer: environmentInfo,
    async handler({ releases }, request, { body }) {
      const { namespace, stack, environment } = placeOf(request);
      return environmentInfoOf(await changeEnvironment(releases, namespace, stack, environment, body, request.actor));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment',
    access: 'admin',
    summary: 'Delete an environment that has no targets, with its deployments',
    chapter: 'environments',
    async handler({ releases }, request) {
      const { namespace, stack, environment } = placeOf(request);
      await deleteEnvironment(releases, namespace, stack, environment, request.actor);
      return undefined;
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/status',
    access: 'read',
    summary: 'What an environment is to run, and what its targets really run',
    chapter: 'environments',
    answer: environmentStatusInfo,
    async handler({ releases }, request) {
      const place = placeOf(request);
      const { read } = releases.database;
      const stack = await findStack(read, place.namespace, place.stack);
      const row = await findEnvironment(read, stack, place.environment);
      const { current, queued, rollback, idle } = await environmentStatus(releases, stack, row);
      const { hold, lock } = environmentInfoOf(await describeEnvironment(read, row));
      return {
        stack: stackName(stack),
        environment: row.name,
        hold,
        lock,
        current: current === null ? null : deploymentInfoOf(current),
        queued: queued === null ? null : deploymentInfoOf(queued),
        rollback,
        idle,
        targets: (await targetsOf(releases, read, row)).map(targetInfoOf),
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/hold',
    access: 'write',
    summary: 'Let automation deploy nothing there until it is resumed',
    chapter: 'environments',
    body: holdBody,
    answer: environmentInfo,
    async handler({ releases }, request, { body }) {
      const { namespace, stack, environment } = placeOf(request);
      return environmentInfoOf(
        await holdEnvironment(releases, namespace, stack, environment, body.reason, request.actor),
      );
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/resume',
    access: 'write',
    summary: 'End a hold; what was pushed meanwhile is deployed',
    chapter: 'environments',
    answer: environmentInfo,
    async handler({ releases }, request) {
      const { namespace, stack, environment } = placeOf(request);
      return environmentInfoOf(await resumeEnvironment(releases, namespace, stack, environment, request.actor));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/config',
    access: 'read',
    summary: "An environment's variables; secrets are named, not shown",
    chapter: 'environments',
    answer: configInfo,
    async handler({ releases }, request) {
      const { namespace, stack, environment } = placeOf(request);
      return configInfoOf(await getConfig(releases, namespace, stack, environment));
    },
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/config',
    access: 'admin',
    summary: 'Set and unset variables: a new version of them, for the next deployment',
    chapter: 'environments',
    body: configChangeBody,
    answer: configInfo,
    async handler({ releases }, request, { body }) {
      const place = placeOf(request);
      const { namespace, stack, environment } = place;
      const changed = await changeConfig(releases, namespace, stack, environment, body, request.actor);
      if (body.deploy) await deployConfig(releases, place, request.actor);
      return configInfoOf(changed);
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/config/versions',
    access: 'read',
    summary: 'The versions of the variables, newest first',
    chapter: 'environments',
    answer: z.object({ versions: z.array(configInfo) }),
    async handler({ releases }, request) {
      const { namespace, stack, environment } = placeOf(request);
      return { versions: (await listConfigVersions(releases, namespace, stack, environment)).map(configInfoOf) };
    },
  }),
];

function environmentInfoOf(environment: Environment): EnvironmentInfo {
  const { hold, lock } = environment;
  return {
    ...environment,
    hold: hold && { ...hold, at: iso(hold.at) },
    lock: lock && { ...lock, since: iso(lock.since), until: iso(lock.until) },
    createdAt: iso(environment.createdAt),
  };
}

function configInfoOf(config: ConfigVersion): ConfigInfo {
  return { ...config, createdAt: isoOrNull(config.createdAt) };
}
