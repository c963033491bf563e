import { createToken, listTokens, revokeToken } from '../../accounts/access-tokens.ts';
import { createRobot, deleteRobot, getRobot, listRobots, type Robot, updateRobot } from '../../accounts/robots.ts';
import { pageQuery } from '../../api/page.ts';
import {
  newRobotBody,
  newRobotTokenBody,
  type RobotInfo,
  robotChangeBody,
  robotInfo,
  robotPage,
} from '../../api/robots.ts';
import { newToken, tokenList } from '../../api/tokens.ts';
import { parseRepositoryName } from '../../oci/names.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiContext, type ApiRoute, apiRoute, iso, isoOrNull, limitOf, originOf } from './route.ts';
import { tokenInfoOf } from './tokens.ts';

/** As with personal tokens: one that nobody thought about ends after a year. */
const DEFAULT_TOKEN_MS = 365 * 86_400_000;

export const ROBOT_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/robots',
    access: 'admin',
    summary: 'The robots of a user or an organization, in the order of their names',
    chapter: 'robots',
    query: pageQuery,
    answer: robotPage,
    async handler({ accounts }, request, { query }) {
      const page = { last: query.last, limit: limitOf(request) };
      const { robots, more } = await listRobots(accounts, request.param('namespace'), page);
      return { robots: robots.map(robotInfoOf), next: more ? (robots.at(-1)?.name ?? null) : null };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/robots',
    access: 'admin',
    summary: 'Make a robot: an account for a machine, of all repositories there or of one',
    chapter: 'robots',
    body: newRobotBody,
    answer: robotInfo,
    status: 201,
    async handler({ accounts }, request, { body }) {
      const repository = body.repository === undefined ? undefined : parseRepositoryName(body.repository);
      const robot = { ...body, repository };
      return robotInfoOf(await createRobot(accounts, request.param('namespace'), robot, originOf(request)));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/robots/:robot',
    access: 'admin',
    summary: 'A robot',
    chapter: 'robots',
    answer: robotInfo,
    handler: async (context, request) => robotInfoOf(await robotOf(context, request)),
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/namespaces/:namespace/robots/:robot',
    access: 'admin',
    summary: "Change a robot's description or role, disable or enable it",
    chapter: 'robots',
    body: robotChangeBody,
    answer: robotInfo,
    async handler({ accounts }, request, { body }) {
      const [namespace, robot] = [request.param('namespace'), request.param('robot')];
      return robotInfoOf(await updateRobot(accounts, namespace, robot, body, originOf(request)));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/namespaces/:namespace/robots/:robot',
    access: 'admin',
    summary: 'Delete a robot and its tokens',
    chapter: 'robots',
    async handler({ accounts }, request) {
      await deleteRobot(accounts, request.param('namespace'), request.param('robot'), originOf(request));
      return undefined;
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/robots/:robot/tokens',
    access: 'admin',
    summary: "A robot's tokens, and the log-ins that were got with them, newest first",
    chapter: 'robots',
    answer: tokenList,
    async handler(context, request) {
      const { id } = await robotOf(context, request);
      return { tokens: (await listTokens(context.accounts, { robotId: id })).map(tokenInfoOf) };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/robots/:robot/tokens',
    access: 'admin',
    summary: 'Make a token for a robot; its secret is shown this once',
    chapter: 'robots',
    body: newRobotTokenBody,
    answer: newToken,
    status: 201,
    async handler(context, request, { body }) {
      const { accounts } = context;
      const { id } = await robotOf(context, request);
      const { token, secret } = await createToken(
        accounts,
        {
          kind: 'robot',
          owner: { robotId: id },
          name: body.name,
          level: body.level,
          expiresAt: expiryOf(body.expiresAt, accounts.now()),
        },
        originOf(request),
      );
      return { token: tokenInfoOf(token), secret };
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/namespaces/:namespace/robots/:robot/tokens/:id',
    access: 'admin',
    summary: "Revoke a robot's token, and the log-ins that were got with it",
    chapter: 'robots',
    async handler(context, request) {
      const { id } = await robotOf(context, request);
      await revokeToken(context.accounts, { robotId: id }, request.param('id'), originOf(request));
      return undefined;
    },
  }),
];

function robotOf({ accounts }: ApiContext, request: BerthRequest): Promise<Robot> {
  return getRobot(accounts, request.param('namespace'), request.param('robot'));
}

function expiryOf(given: string | null | undefined, now: number): number | null {
  if (given === null) return null;
  return given === undefined ? now + DEFAULT_TOKEN_MS : Date.parse(given);
}

function robotInfoOf({ id: _, ...robot }: Robot): RobotInfo {
  return { ...robot, createdAt: iso(robot.createdAt), disabledAt: isoOrNull(robot.disabledAt) };
}
