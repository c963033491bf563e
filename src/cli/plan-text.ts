import type { Plan } from '../api/deployments.ts';
import { formatBytes } from './bytes.ts';
import { imageText } from './image-text.ts';
import { safe, tableLines } from './terminal.ts';

/** What a plan says, a line each. */
export function planLines(plan: Plan): string[] {
  const { changes, targets, warnings, refusals } = plan;
  const lines = [heading(plan)];
  lines.push(
    ...tableLines(
      ['SERVICE', 'CHANGE', 'FROM', 'TO', 'ORDER', 'HEALTHY WHEN'],
      changes.map((change) => [
        change.service,
        change.change,
        change.from === null ? null : imageText(change.from),
        change.to === null ? null : imageText(change.to),
        change.order,
        change.health,
      ]),
    ),
  );
  for (const change of changes) lines.push(...reason(change));
  const variables = variableTexts(plan);
  if (variables.length > 0) lines.push(`variables: ${variables.map(safe).join(', ')}`);
  const servers = targets.map(({ name, online }) => safe(name) + (online ? '' : ' (offline)'));
  lines.push(`targets: ${servers.length === 0 ? 'none; berth target enroll makes one' : servers.join(', ')}`);
  if (plan.bytes > 0) lines.push(`to pull: at most ${formatBytes(plan.bytes)} for a target`);
  for (const warning of warnings) lines.push(`warning: ${safe(warning)}`);
  for (const refusal of refusals) lines.push(`refused: ${safe(refusal)}`);
  return lines;
}

function heading({ stack, environment, release, configVersion, restores, changes }: Plan): string {
  const what = release === null ? 'a new release' : `release ${release}`;
  const as = restores === null ? '' : `, as v${restores} had it`;
  const nothing = changes.every(({ change }) => change === 'none') ? '; no image changes' : '';
  return `${safe(stack)} ${safe(environment)}: ${what} with variables ${configVersion}${as}${nothing}`;
}

/** Why a service is stopped first: requests are lost then. */
function reason({ service, change, order, why }: Plan['changes'][number]): string[] {
  return change === 'replace' && order !== null && why !== '' ? [`${safe(service)}: ${order}: ${safe(why)}`] : [];
}

function variableTexts({ variables: { added, changed, removed } }: Plan): string[] {
  return [
    ...added.map((name) => `+${name}`),
    ...changed.map((name) => `~${name}`),
    ...removed.map((name) => `-${name}`),
  ];
}
