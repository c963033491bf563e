export { BoardPage } from './board-page.tsx';
export { DeploymentPage } from './deployment-page.tsx';
export { EnvironmentPage } from './environment-page.tsx';
export { EnvironmentSettingsPage } from './environment-settings-page.tsx';
export { ReleasePage } from './release-page.tsx';
export { ReleasesPage } from './releases-page.tsx';
export { StackSettingsPage } from './stack-settings-page.tsx';
export { StacksPage } from './stacks-page.tsx';
