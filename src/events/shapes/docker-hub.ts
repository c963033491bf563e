import { PING } from '../kinds.ts';
import { referenceOf } from '../recording.ts';
import type { Shape } from './shape.ts';

/**
 * The body of Docker Hub's webhooks. It has a word for one thing: somebody pushed a tag. What Berth does not have (stars, comments, a
 * Dockerfile) is there and empty, because receivers read it without asking.
 */
export const DOCKER_HUB_SHAPE: Shape = {
  name: 'docker-hub',
  contentType: 'application/json',
  takes: (kind) => kind === PING || kind === 'tag.push',
  body: (event, { id, webhook, base, repository: facts }) => {
    const name = event.repository ?? 'berth/webhook-test';
    const slash = name.indexOf('/');
    const namespace = slash < 0 ? '' : name.slice(0, slash);
    return {
      // Docker Hub takes the receiver's verdict there; Berth goes by the answer to this request.
      callback_url: `${base}/api/v1/webhooks/${webhook}/deliveries/${id}`,
      push_data: {
        pushed_at: Math.floor(event.at / 1000),
        pusher: event.actor,
        tag: referenceOf(event).tag ?? 'test',
        images: [],
      },
      repository: {
        comment_count: 0,
        date_created: Math.floor((facts?.createdAt ?? event.at) / 1000),
        description: facts?.description ?? '',
        dockerfile: '',
        full_description: facts?.readme ?? '',
        is_official: false,
        is_private: facts?.isPrivate ?? true,
        is_trusted: false,
        name: name.slice(slash + 1),
        namespace,
        owner: namespace,
        repo_name: name,
        repo_url: `${base}/repositories/${name}`,
        star_count: 0,
        status: 'Active',
      },
    };
  },
};
