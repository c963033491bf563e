import { defineWords, plural } from '../kit/words.tsx';
import type { UsageReason } from './usage-reason.ts';

/** A deployment's states are the server's words (`docs/reference`). */
export const usageWords = defineWords(
  {
    title: 'Use',
    deployed: 'Where it is deployed',
    notDeployed: 'No environment that you may see has it deployed.',
    hidden: (count: number) => `${plural(count, 'use')} in stacks that you may not see.`,
    running: 'runs',
    kept: 'Why it is kept',
    nothingKeeps: 'Nothing keeps it: the next garbage collection takes it. Give it a tag to keep it.',
    path: 'By way of',
    thisImage: 'this image',
    moreReasons: 'The first 100 are shown.',
    shared: 'Shares layers with',
    sharedNote: 'Shared layers are stored once.',
    notShared: 'No other repository that you may see has layers of it.',
    repository: 'Repository',
    layers: 'Layers',
    bytes: 'Shared',
    reason: (reason: UsageReason) => {
      switch (reason.kind) {
        case 'tag':
          return `The tag ${reason.tag} points at it`;
        case 'history':
          return `The history of ${reason.tag} still has it, to go back to`;
        case 'grace':
          return 'It was pushed or named not long ago';
        case 'inUse':
          return 'Something that you may not see uses it';
        case 'target':
          return `Target ${reason.target} of ${reason.stack}, ${reason.environment} runs it`;
        case 'deployment':
          return `Deployment v${reason.number} of ${reason.stack}, ${reason.environment} (${reason.state})`;
        case 'release':
          return `Release ${reason.number} of ${reason.stack}`;
        case 'other':
          return reason.text;
      }
    },
  },
  {
    title: '사용',
    deployed: '배포된 곳',
    notDeployed: '볼 수 있는 환경 중 이 이미지를 배포한 곳이 없습니다.',
    hidden: (count: number) => `볼 수 없는 스택에서 ${count.toLocaleString('ko')}건 사용 중입니다.`,
    running: '실행 중',
    kept: '보관되는 이유',
    nothingKeeps: '보관할 이유가 없어 다음 가비지 컬렉션에서 삭제됩니다. 보관하려면 태그를 붙이세요.',
    path: '경로',
    thisImage: '이 이미지',
    moreReasons: '처음 100개만 표시합니다.',
    shared: '레이어를 공유하는 저장소',
    sharedNote: '공유하는 레이어는 한 번만 저장됩니다.',
    notShared: '볼 수 있는 다른 저장소 중 같은 레이어를 가진 곳이 없습니다.',
    repository: '저장소',
    layers: '레이어',
    bytes: '공유 크기',
    reason: (reason: UsageReason) => {
      switch (reason.kind) {
        case 'tag':
          return `태그 ${reason.tag}이(가) 가리킵니다`;
        case 'history':
          return `되돌릴 수 있도록 ${reason.tag}의 기록에 남아 있습니다`;
        case 'grace':
          return '푸시되거나 참조된 지 얼마 되지 않았습니다';
        case 'inUse':
          return '볼 수 없는 곳에서 사용 중입니다';
        case 'target':
          return `${reason.stack} ${reason.environment}의 대상 ${reason.target}에서 실행 중입니다`;
        case 'deployment':
          return `${reason.stack} ${reason.environment}의 배포 v${reason.number}(${reason.state})`;
        case 'release':
          return `${reason.stack}의 릴리스 ${reason.number}`;
        case 'other':
          return reason.text;
      }
    },
  },
);
