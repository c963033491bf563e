export { OrganizationPage } from './organization.tsx';
export { OrganizationsPage } from './organizations.tsx';
