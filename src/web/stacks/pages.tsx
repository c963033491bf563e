import { Page } from '../kit/page.tsx';

export { BoardPage } from './board-page.tsx';
export { DeploymentPage } from './deployment-page.tsx';

export function StacksPage() {
  return <Page title="StacksPage">{null}</Page>;
}

export function StackSettingsPage() {
  return <Page title="StackSettingsPage">{null}</Page>;
}

export function ReleasesPage() {
  return <Page title="ReleasesPage">{null}</Page>;
}

export function ReleasePage() {
  return <Page title="ReleasePage">{null}</Page>;
}

export function EnvironmentPage() {
  return <Page title="EnvironmentPage">{null}</Page>;
}

export function EnvironmentSettingsPage() {
  return <Page title="EnvironmentSettingsPage">{null}</Page>;
}
