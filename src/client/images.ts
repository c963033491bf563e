import {
  type ImageContent,
  type ImageInfo,
  type ImageUsage,
  imageContent,
  imageInfo,
  imageUsage,
} from '../api/images.ts';
import type { Connection } from './connection.ts';
import { path, repositoryPath, withQuery } from './path.ts';

/** What a manifest says, and what is known of it. `reference` is a tag or a digest. */
export class ImagesClient {
  constructor(readonly connection: Connection) {}

  get(repository: string, reference: string): Promise<ImageInfo> {
    return this.connection.call(imageInfo, 'GET', imagePath(repository, reference));
  }

  /** Where it is deployed, what keeps it, what it shares. */
  usage(repository: string, reference: string): Promise<ImageUsage> {
    return this.connection.call(imageUsage, 'GET', `${imagePath(repository, reference)}/usage`);
  }

  /** The text of a config or a layer that the manifest names. */
  content(repository: string, reference: string, digest: string): Promise<ImageContent> {
    const address = withQuery(`${imagePath(repository, reference)}/content`, { digest });
    return this.connection.call(imageContent, 'GET', address);
  }

  /** Deletes a manifest with the tags that point at it; refused with its users while there are any. */
  delete(repository: string, digest: string): Promise<void> {
    return this.connection.send('DELETE', imagePath(repository, digest));
  }
}

function imagePath(repository: string, reference: string): string {
  return repositoryPath(repository) + path`/images/${reference}`;
}
