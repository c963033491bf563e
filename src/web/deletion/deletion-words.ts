import { defineWords, plural } from '../kit/words.tsx';

export const deletionWords = defineWords(
  {
    blocked: 'This must be done first',
    stacks: 'Servers run these stacks. Take them down first:',
    organizations: 'This is the only owner of these organizations. Make somebody else an owner first:',
    goes: 'What goes with it',
    nothing: 'Nothing else goes with it.',
    robots: (count: number) => `${plural(count, 'robot')}, with their tokens:`,
    teams: (count: number) => `${plural(count, 'team')}:`,
    repositories: (count: number) => `What becomes of ${plural(count, 'repository', 'repositories')}?`,
    transfer: 'They move to another owner',
    transferTo: 'New owner',
    transferHint: 'A user or an organization. Images stay pullable by digest under the old name.',
    remove: 'They are deleted, with all their images',
    others: (count: number) => `and ${plural(count, 'other')}`,
  },
  {
    blocked: '먼저 처리해야 합니다',
    stacks: '서버에서 실행 중인 스택입니다. 먼저 내려야 합니다.',
    organizations: '이 사용자가 유일한 소유자인 조직입니다. 먼저 다른 소유자를 지정하세요.',
    goes: '함께 삭제되는 것',
    nothing: '함께 삭제되는 것은 없습니다.',
    robots: (count: number) => `로봇 ${count.toLocaleString('ko')}개와 그 토큰:`,
    teams: (count: number) => `팀 ${count.toLocaleString('ko')}개:`,
    repositories: (count: number) => `저장소 ${count.toLocaleString('ko')}개는 어떻게 할까요?`,
    transfer: '다른 소유자에게 옮기기',
    transferTo: '새 소유자',
    transferHint: '사용자 또는 조직 이름입니다. 이미지는 이전 이름의 다이제스트로 계속 받을 수 있습니다.',
    remove: '모든 이미지와 함께 삭제하기',
    others: (count: number) => `외 ${count.toLocaleString('ko')}개`,
  },
);
