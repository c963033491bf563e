export { ComparePage } from './compare-page.tsx';
export { ImagePage } from './image-page.tsx';
