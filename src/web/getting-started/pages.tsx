export { GettingStartedPage } from './guide.tsx';
