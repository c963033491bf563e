export { AllOrganizationsPage } from './all-organizations.tsx';
export { AuditPage } from './audit.tsx';
export { GarbagePage } from './garbage.tsx';
export { GarbageRunPage } from './garbage-run.tsx';
export { InvitationsPage } from './invitations.tsx';
export { SettingsPage } from './settings.tsx';
export { StoragePage } from './storage.tsx';
export { UsersPage } from './users.tsx';
