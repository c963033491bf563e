import type { z } from 'zod';
import {
  type DeploymentInfo,
  type deployBody,
  deploymentInfo,
  deploymentPage,
  type promoteBody,
  type rollbackBody,
} from '../api/deployments.ts';
import type { pageQuery } from '../api/page.ts';
import type { Connection } from './connection.ts';
import { type EnvironmentName, environmentPath } from './environments.ts';
import { path } from './path.ts';

export type DeploymentPage = z.infer<typeof deploymentPage>;

/** Releases on their way to an environment's targets, and those that were. Nothing of them is ever taken back: an undo is a new one. */
export class DeploymentsClient {
  constructor(readonly connection: Connection) {}

  /** Newest first. */
  list(environment: EnvironmentName, limit?: number): AsyncIterable<DeploymentInfo> {
    const address = `${environmentPath(environment)}/deployments`;
    return this.connection.list(
      deploymentPage,
      address,
      (page) => page.deployments,
      limit === undefined ? {} : { limit },
    );
  }

  /** One page, newest first. */
  page(environment: EnvironmentName, query: z.input<typeof pageQuery>): Promise<DeploymentPage> {
    return this.connection.page(deploymentPage, `${environmentPath(environment)}/deployments`, query);
  }

  get(environment: EnvironmentName, number: number): Promise<DeploymentInfo> {
    return this.connection.call(deploymentInfo, 'GET', this.#path(environment, number));
  }

  deploy(environment: EnvironmentName, wanted: z.input<typeof deployBody>): Promise<DeploymentInfo> {
    return this.connection.call(deploymentInfo, 'POST', `${environmentPath(environment)}/deployments`, wanted);
  }

  /** @param environment where it goes to */
  promote(environment: EnvironmentName, wanted: z.input<typeof promoteBody>): Promise<DeploymentInfo> {
    return this.connection.call(deploymentInfo, 'POST', `${environmentPath(environment)}/promote`, wanted);
  }

  rollback(environment: EnvironmentName, wanted: z.input<typeof rollbackBody>): Promise<DeploymentInfo> {
    return this.connection.call(deploymentInfo, 'POST', `${environmentPath(environment)}/rollback`, wanted);
  }

  cancel(environment: EnvironmentName, number: number): Promise<DeploymentInfo> {
    return this.connection.call(deploymentInfo, 'POST', `${this.#path(environment, number)}/cancel`);
  }

  #path(environment: EnvironmentName, number: number): string {
    return environmentPath(environment) + path`/deployments/${String(number)}`;
  }
}
