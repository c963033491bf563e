/**
 * Fault injection for `tests/crash`: BERTH_FAILPOINT=`step` or `step@N` ends this process with SIGKILL at the first (Nth) time it
 * reaches the step (`RegistryStep`, `StoreStep`). Without the variable it costs an empty call.
 */
export function failpoint(setting: string | undefined): (step: string) => void {
  if (!setting) return () => {};
  const [step, count = '1'] = setting.split('@');
  let left = Number(count);
  return (reached) => {
    if (reached === step && --left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
