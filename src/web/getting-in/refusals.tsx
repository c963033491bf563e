import { ApiError } from '../../client/errors.ts';
import { ButtonLink } from '../kit/button.tsx';
import { FormProblem } from '../kit/form.tsx';
import { Notice } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { gettingInWords } from './words.ts';

/** Why a log-in was refused, and what to do. @param wrong in words, for a credential that is */
export function LogInProblem({ problem, wrong }: { problem: unknown; wrong: string }) {
  const words = useWords(gettingInWords);
  if (problem === null) return null;
  if (isForeign(problem)) return <ProxyNotice />;
  if (problem instanceof ApiError && problem.status === 429) {
    return (
      <div role="alert">
        <Notice tone="warn" title={words.lockedTitle}>
          <p>{problem.detail}</p>
          <p>{words.lockedWhat}</p>
        </Notice>
      </div>
    );
  }
  const said = problem instanceof ApiError && problem.status === 401 ? inWords(problem, wrong) : problem;
  return <FormProblem problem={said} />;
}

/** Of a form whose fields say themselves what is wrong with them: the rest. */
export function AccountProblem({ problem, fields }: { problem: unknown; fields: readonly string[] }) {
  if (problem === null) return null;
  if (isForeign(problem)) return <ProxyNotice />;
  if (problem instanceof ApiError && fields.some((field) => problem.detail.startsWith(`${field}: `))) return null;
  return <FormProblem problem={problem} />;
}

/** Whether the server takes this page for another site's (`src/http/same-origin.ts`). */
function isForeign(problem: unknown): boolean {
  return problem instanceof ApiError && problem.status === 403 && problem.detail.startsWith('origin: ');
}

function ProxyNotice() {
  const words = useWords(gettingInWords);
  return (
    <div role="alert">
      <Notice tone="warn" title={words.proxyTitle}>
        <p>{words.proxyWhat}</p>
        <p>
          <ButtonLink to="/getting-started">{words.selfCheck}</ButtonLink>
        </p>
      </Notice>
    </div>
  );
}

/** As what the one who typed can put right: 401 is for who has to log in first. */
function inWords({ code, requestId }: ApiError, detail: string): ApiError {
  return new ApiError({ status: 400, code, detail, requestId });
}
